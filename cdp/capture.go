package cdp

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/heapprofiler"
)

// CaptureOptions choose what a snapshot contains. All captures of a series must
// use the same, or their nodes differ by type.
type CaptureOptions struct {
	Numeric   bool // heap numbers with their values: 4 to 7 % more nodes
	Internals bool // V8's own objects under their names

	// Progress is called in the connection's read loop, so it must return soon
	// and must not call the session. It is not called after Capture has returned.
	// It may be nil.
	Progress func(Progress)
}

// Mode is the word for the options in sidecars and reports: plain, numeric,
// internals, internals+numeric.
func (o CaptureOptions) Mode() string {
	switch {
	case o.Numeric && o.Internals:
		return "internals+numeric"
	case o.Numeric:
		return "numeric"
	case o.Internals:
		return "internals"
	}
	return "plain"
}

// Progress is how far V8 has come. It walks the heap before it sends the first
// byte, and the program is stopped all the while.
type Progress struct {
	Done, Total int    // heap nodes; Total is V8's guess, up to a tenth too low
	Bytes       uint64 // written so far
	Finished    bool   // V8 has walked all; what remains is sending
}

// CaptureInfo describes a complete capture.
type CaptureInfo struct {
	Bytes    uint64
	Nodes    int // from the snapshot's header
	Started  time.Time
	Duration time.Duration // for nearly all of it the target's thread stood still
}

// Capture writes a heap snapshot to w as it arrives: a slow w slows the
// connection, and the target then buffers what is left. When Capture returns, w
// is not used again. A capture that was given up (ctx ended, or w failed) does
// the target no harm: V8 finishes it, the rest is dropped, and the session can
// be used again; only the next Capture waits for that.
func (s *Session) Capture(ctx context.Context, w io.Writer, o CaptureOptions) (CaptureInfo, error) {
	select {
	case s.capturing <- struct{}{}:
	case <-s.done:
		return CaptureInfo{}, fmt.Errorf("capture: %w", s.Err())
	case <-ctx.Done():
		return CaptureInfo{}, fmt.Errorf("capture: an earlier one is still on its way: %w", context.Cause(ctx))
	}

	c := &captureRun{session: s, sink: newSink(w), started: time.Now(), progress: o.Progress}
	offProgress := s.on(heapprofiler.ReportHeapSnapshotProgress.Method, c.note)
	s.mu.Lock()
	s.sink = c.sink
	s.mu.Unlock()
	release := func() {
		offProgress()
		s.mu.Lock()
		s.sink = nil
		s.mu.Unlock()
		<-s.capturing
	}

	yes := true
	_, answer, err := s.start(heapprofiler.TakeHeapSnapshot.Method, heapprofiler.TakeHeapSnapshotParams{
		ReportProgress:      &yes,
		CaptureNumericValue: &o.Numeric,
		ExposeInternals:     &o.Internals,
	})
	if err != nil {
		release()
		return CaptureInfo{}, fmt.Errorf("capture: %w", err)
	}

	select {
	case r := <-answer: // sent after the last chunk
		release()
		return c.finish(r.decode(heapprofiler.TakeHeapSnapshot.Method, nil))
	case <-s.done:
		c.sink.drop()
		release()
		return c.finish(s.Err())
	case <-c.sink.failed:
		err = nil // finish finds it in the sink
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.sink.drop()
	go func() {
		defer release()
		select {
		case <-answer:
		case <-s.done:
		}
	}()
	return c.finish(err)
}

// captureRun is one capture under way.
type captureRun struct {
	session  *Session
	sink     *sink
	started  time.Time
	progress func(Progress)
}

// note takes a progress event; it runs in the read loop.
func (c *captureRun) note(params jsonv2.Value) {
	var p heapprofiler.EventReportHeapSnapshotProgress
	if err := jsonv2.Unmarshal(params, &p); err != nil {
		return // progress is a courtesy
	}
	if c.progress == nil {
		return
	}
	c.sink.whileOpen(func(bytes uint64) {
		c.progress(Progress{Done: int(p.Done), Total: int(p.Total), Bytes: bytes, Finished: p.Finished})
	})
}

// finish is the result of the capture; err is why it ended early, if it did.
func (c *captureRun) finish(err error) (CaptureInfo, error) {
	bytes, nodes, lacks, werr := c.sink.result()
	info := CaptureInfo{
		Bytes:    bytes,
		Nodes:    nodes,
		Started:  c.started,
		Duration: time.Since(c.started),
	}
	switch {
	case werr != nil:
		return info, fmt.Errorf("capture: write after %d bytes: %w", bytes, werr)
	case err != nil:
		return info, fmt.Errorf("capture: stopped after %d bytes: %w", bytes, err)
	case lacks != nil:
		return info, fmt.Errorf("capture: the target sent an incomplete snapshot of %d bytes: %w", bytes, lacks)
	}
	c.session.mu.Lock()
	c.session.lastNodes = info.Nodes
	c.session.mu.Unlock()
	return info, nil
}

package cdp

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
)

// TraceEvent is one event of Node's tracing, in the trace event format. Times
// are microseconds of the monotonic clock that CPU profiles and
// process.hrtime use, too.
type TraceEvent struct {
	Phase    string          `json:"ph"` // X complete, B and E nested on one thread, b and e asynchronous by ID, ...
	Name     string          `json:"name"`
	Category string          `json:"cat"`
	TID      int             `json:"tid"` // the kernel's thread id; of the main thread the process id
	ID       string          `json:"id"`
	At       int64           `json:"ts"`
	Duration int64           `json:"dur"`
	CPUAt    int64           `json:"tts"` // the thread's CPU time
	CPU      int64           `json:"tdur"`
	Args     json.RawMessage `json:"args"`
}

// traceSilence is how long no data means that there is no more, on a busy
// machine; the last batch tells the end.
const traceSilence = 5 * time.Second

// Trace is a running trace.
type Trace struct {
	s      *Session
	cancel func()
	done   chan struct{} // closed when the last event was handed over

	mu       sync.Mutex
	stopping bool
	stopped  bool
}

// StartTrace starts Node's tracing of the categories, for all threads of the
// process; the session has to be the main thread's. each is called with the
// events as they arrive, which may be only when tracing stops: Node sends them
// when 65,536 have come together. [Trace.Stop] is owed. The end of the session
// ends the trace.
func (s *Session) StartTrace(ctx context.Context, categories []string, each func([]TraceEvent)) (*Trace, error) {
	events, cancel := s.Subscribe(traceData.Method)
	t := &Trace{s: s, cancel: cancel, done: make(chan struct{})}
	go t.collect(events, each)
	var p traceStartParams
	p.TraceConfig.IncludedCategories = categories
	if _, err := proto.Call(ctx, s, traceStart, p); err != nil {
		if ctx.Err() != nil {
			t.drop(ctx) // it may have started all the same
		}
		t.cancel()
		return nil, fmt.Errorf("start trace: %w", err)
	}
	return t, nil
}

// collect ends with the first batch of metadata only, which Node sends last,
// with the session, or when nobody waits any more. The event tracingComplete
// says nothing: it comes before the data (nodejs/node#50527, Node 18 to 26).
func (t *Trace) collect(events <-chan jsonv2.Value, each func([]TraceEvent)) {
	defer close(t.done)
	for params := range events {
		var p struct {
			Value []TraceEvent `json:"value"`
		}
		if err := jsonv2.Unmarshal(params, &p, jsonv2.AllowInvalidUTF8(true)); err != nil {
			continue // an event of unknown form costs its batch, not the recording
		}
		last := true
		for _, e := range p.Value {
			last = last && e.Category == "__metadata"
		}
		if !last {
			each(p.Value)
			continue
		}
		t.mu.Lock()
		stopping := t.stopping
		t.mu.Unlock()
		if stopping {
			return
		}
	}
}

// Stop ends the trace, after which each is not called any more.
func (t *Trace) Stop(ctx context.Context) error {
	t.mu.Lock()
	if t.stopped {
		t.mu.Unlock()
		return nil
	}
	t.stopping, t.stopped = true, true
	t.mu.Unlock()
	defer func() {
		t.cancel()
		<-t.done
	}()
	if _, err := proto.Call(ctx, t.s, traceStop, proto.Empty{}); err != nil {
		t.drop(ctx)
		return fmt.Errorf("stop trace: %w", err)
	}
	silence := time.NewTimer(traceSilence)
	defer silence.Stop()
	data, cancel := t.s.Subscribe(traceData.Method)
	defer cancel()
	for {
		select {
		case <-t.done:
			return nil
		case <-data:
			silence.Reset(traceSilence)
		case <-silence.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("stop trace: %w", context.Cause(ctx))
		}
	}
}

// drop ends a trace whose result is not wanted.
func (t *Trace) drop(ctx context.Context) { undo(ctx, t.s, traceStop, undoPatience) }

package cdp

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
)

// pullSlice is how much of a snapshot is asked for at a time.
const pullSlice = 4 << 20

// pullTurn is how long an event loop that is not blocked may take for a turn.
const pullTurn = 2 * time.Second

// LoopTurns reports whether the thread's event loop turns. One that does not is
// blocked by JavaScript, or at its end; the error says that the thread does not
// even answer: it is in native code.
func (s *Session) LoopTurns(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTurn+time.Second)
	defer cancel()
	marks, err := s.MarkTurns(ctx)
	if err != nil {
		return false, err
	}
	defer marks.Drop()
	for end := time.Now().Add(pullTurn); ; {
		seen, err := marks.Look(ctx)
		if err != nil || seen.Loop {
			return seen.Loop, err
		}
		if time.Now().After(end) {
			return false, nil
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// Pull is Capture for a thread whose event loop does not turn: on Node 22 and
// later HeapProfiler.takeHeapSnapshot is a task of the loop, v8.getHeapSnapshot
// is not (Node 18 to 26). The target holds the whole snapshot in memory until it
// was fetched, piece by piece; a slow w costs it nothing more.
func (s *Session) Pull(ctx context.Context, w io.Writer, o CaptureOptions) (CaptureInfo, error) {
	c := &captureRun{session: s, sink: newSink(w), started: time.Now(), progress: o.Progress}
	size, err := s.pullPrepare(ctx, o)
	defer s.pullForget()
	if err != nil {
		return c.finish(err)
	}
	for at := 0; at < size; at += pullSlice {
		var part string
		err := s.EvaluateBare(ctx, fmt.Sprintf(`globalThis[Symbol.for('heapsnap.capture')].latin1Slice(%d, %d)`, at, min(size, at+pullSlice)), &part)
		if err != nil {
			return c.finish(err)
		}
		c.sink.write([]byte(part)) // V8 writes ASCII
		if _, _, _, werr := c.sink.result(); werr != nil {
			return c.finish(nil)
		}
		if o.Progress != nil {
			o.Progress(Progress{Bytes: uint64(at + len(part)), Finished: true})
		}
	}
	return c.finish(nil)
}

// pullPrepare lets the target make the snapshot and keep it under a symbol. It
// takes as long as a capture, so it has no limit but ctx.
func (s *Session) pullPrepare(ctx context.Context, o CaptureOptions) (size int, err error) {
	if err := s.boot(ctx); err != nil {
		return 0, err
	}
	yes := true
	expression := Builtins(strings.NewReplacer("INTERNALS", fmt.Sprint(o.Internals), "NUMERIC", fmt.Sprint(o.Numeric)).Replace(`
	const stream = m('v8').getHeapSnapshot({ exposeInternals: INTERNALS, exposeNumericValues: NUMERIC }), parts = [];
	for (let part; (part = stream.read()) !== null; ) parts.push(part);
	stream.destroy();
	const all = m('buffer').Buffer.concat(parts);
	Object.defineProperty(globalThis, Symbol.for('heapsnap.capture'), { value: all, configurable: true });
	return all.length;`))
	r, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{
		Expression: expression, IncludeCommandLineAPI: &yes, ReturnByValue: &yes, Silent: &yes,
	})
	if err != nil {
		return 0, err
	}
	return size, decodeValue("getHeapSnapshot", r.Result, r.ExceptionDetails, &size)
}

// pullForget frees the snapshot in the target, also after an interrupt; the
// answer is not waited for: the target may have the snapshot to finish first.
func (s *Session) pullForget() {
	yes := true
	_ = s.post(runtime.Evaluate.Method, runtime.EvaluateParams{
		Expression: `delete globalThis[Symbol.for('heapsnap.capture')]`, ReturnByValue: &yes, Silent: &yes,
	})
}

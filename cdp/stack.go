package cdp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/profiler"
	"github.com/chromedp/cdproto/runtime"
)

// Frame is one call on a thread's stack.
type Frame struct {
	Function string // "" for code outside functions and functions without a name
	Type     string // of a builtin: the object's class, such as "RegExp" or "Atomics"
	File     string // path, or node:internal/...; "" for a builtin of V8
	Line     int    // where in it the call stands, counted from 1; 0 for a builtin
	Column   int
}

// Builtin reports whether the frame is a function of V8 itself, such as
// RegExp.prototype.test, which has no source.
func (f Frame) Builtin() bool { return f.File == "" && f.Line == 0 }

// stackExpression asks V8 for call sites instead of text, and puts back what
// the program may have set. Own frames are the expression and its function.
const stackExpression = `(() => {
	const E = Error, limit = E.stackTraceLimit, own = Object.getOwnPropertyDescriptor(E, 'prepareStackTrace');
	const type = (s) => { try { return s.getTypeName() } catch { return null } };
	try {
		E.stackTraceLimit = 200;
		E.prepareStackTrace = (_, sites) => sites.slice(2).map((s) =>
			[s.getFunctionName() || '', type(s) || '', s.getFileName() || '', s.getLineNumber() || 0, s.getColumnNumber() || 0]);
		return new E().stack;
	} finally {
		E.stackTraceLimit = limit;
		if (own) Object.defineProperty(E, 'prepareStackTrace', own); else delete E.prepareStackTrace;
	}
})()`

// Stack is what the thread's JavaScript is at, innermost call first; nil if it
// runs none. It does not pause the program: V8 runs the question where the
// program checks for interrupts, in loops, at calls, in a regular expression and
// in Atomics.wait (Node 18 to 26). A thread in native code answers with the
// first JavaScript after that returns, so the caller of the native code is still
// on the stack.
func (s *Session) Stack(ctx context.Context) ([]Frame, error) {
	var raw jsonv2.Value
	if err := s.EvaluateBare(ctx, stackExpression, &raw); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	frames, err := parseStack(raw)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	return frames, nil
}

func parseStack(raw jsonv2.Value) ([]Frame, error) {
	if raw.Kind() == '"' { // Error is frozen
		var text string
		if err := jsonv2.Unmarshal(raw, &text, jsonv2.AllowInvalidUTF8(true)); err != nil {
			return nil, err
		}
		return parseStackText(text), nil
	}
	var sites [][]jsonv2.Value
	if err := jsonv2.Unmarshal(raw, &sites, jsonv2.AllowInvalidUTF8(true)); err != nil {
		return nil, err
	}
	frames := make([]Frame, 0, len(sites))
	for _, site := range sites {
		if len(site) != 5 {
			return nil, errors.New("the target's answer has an unknown form")
		}
		var f Frame
		for i, field := range []any{&f.Function, &f.Type, &f.File, &f.Line, &f.Column} {
			if err := jsonv2.Unmarshal(site[i], field, jsonv2.AllowInvalidUTF8(true)); err != nil {
				return nil, err
			}
		}
		f.File = framePath(f.File)
		frames = append(frames, f)
	}
	return frames, nil
}

var stackLine = regexp.MustCompile(`^ +at (?:(.+) \()?(.*?)(?::(\d+):(\d+))?\)?$`)

func parseStackText(text string) []Frame {
	var frames []Frame
	for i, line := range strings.Split(text, "\n") {
		found := stackLine.FindStringSubmatch(line)
		if found == nil || i < 3 { // "Error" and two frames of ours
			continue
		}
		f := Frame{Function: strings.TrimPrefix(found[1], "async "), File: framePath(found[2])}
		f.Line, _ = strconv.Atoi(found[3])
		f.Column, _ = strconv.Atoi(found[4])
		if f.Line == 0 { // "<anonymous>", "index 0"
			f.File = ""
			if typ, name, ok := strings.Cut(f.Function, "."); ok {
				f.Type, f.Function = typ, name
			}
		}
		frames = append(frames, f)
	}
	return frames
}

// framePath is the path in a file URL, as ES modules have it.
func framePath(file string) string {
	if strings.HasPrefix(file, "file://") {
		if path := scriptPath(file, ""); path != "" {
			return path
		}
	}
	return file
}

// Turns are marks left in a thread's queues, to see which of them it still
// works off. They are no property of anything: they are gone with Drop.
type Turns struct {
	session *Session
	object  runtime.RemoteObjectID
}

// Turned says which queues have had their turn since the marks were left.
type Turned struct {
	Loop      bool          `json:"loop"` // the event loop went on to the next phase: setImmediate
	Wait      time.Duration `json:"-"`    // how long that took, as the target's clock saw it, in whole ms
	Ticks     bool          `json:"tick"` // process.nextTick
	Microtask bool          `json:"micro"`
	WaitMS    int64         `json:"ms"`
}

const turnsExpression = `(() => {
	const t = { loop: false, tick: false, micro: false, ms: 0 }, from = Date.now();
	setImmediate(() => { t.loop = true; t.ms = Date.now() - from; });
	process.nextTick(() => { t.tick = true; });
	queueMicrotask(() => { t.micro = true; });
	return t;
})()`

// MarkTurns leaves a mark in each of the thread's queues.
func (s *Session) MarkTurns(ctx context.Context) (*Turns, error) {
	yes := true
	r, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{
		Expression: turnsExpression, Silent: &yes, Timeout: runtime.TimeDelta(evaluateTimeout.Milliseconds()),
	})
	if err != nil {
		return nil, fmt.Errorf("mark turns: %w", err)
	}
	if r.ExceptionDetails != nil || r.Result == nil || r.Result.ObjectID == "" {
		return nil, decodeValue("mark turns", r.Result, r.ExceptionDetails, nil)
	}
	return &Turns{s, r.Result.ObjectID}, nil
}

// Look says which marks were reached.
func (t *Turns) Look(ctx context.Context) (Turned, error) {
	yes := true
	r, err := proto.Call(ctx, t.session, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: "function () { return this; }", ObjectID: t.object, ReturnByValue: &yes, Silent: &yes,
	})
	if err != nil {
		return Turned{}, fmt.Errorf("look at turns: %w", err)
	}
	var seen Turned
	if err := decodeValue("look at turns", r.Result, r.ExceptionDetails, &seen); err != nil {
		return Turned{}, err
	}
	seen.Wait = time.Duration(seen.WaitMS) * time.Millisecond
	return seen, nil
}

// Drop lets go of the marks; the answer is not waited for.
func (t *Turns) Drop() {
	_ = t.session.post(runtime.ReleaseObject.Method, runtime.ReleaseObjectParams{ObjectID: t.object})
}

// Sampled is a stack that the CPU profiler saw.
type Sampled struct {
	Frames []Frame // innermost first; Line is where the function begins
	Time   time.Duration
	// Lines are those of the samples, by time. Of code that V8 has optimized they
	// may be lines of a function that it has inlined, in another file.
	Lines map[int]time.Duration
}

// Sample watches the thread with the CPU profiler for a while. If ctx or the
// session ends first, the profiler ends too.
func (s *Session) Sample(ctx context.Context, d time.Duration) ([]Sampled, error) {
	defer undo(ctx, s, profiler.Disable, samplerPatience)
	if _, err := proto.Call(ctx, s, profiler.Enable, proto.Empty{}); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	if _, err := proto.Call(ctx, s, profiler.Start, proto.Empty{}); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r, err := proto.Call(ctx, s, profiler.Stop, proto.Empty{})
	if err != nil || r.Profile == nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return sampledStacks(r.Profile), nil
}

// samplerPatience is short: a thread that does not answer is what is looked into.
const samplerPatience = 500 * time.Millisecond

func sampledStacks(p *profiler.Profile) []Sampled {
	times := map[int64]time.Duration{}
	for i, id := range p.Samples {
		if i < len(p.TimeDeltas) {
			times[id] += time.Duration(max(0, p.TimeDeltas[i])) * time.Microsecond
		}
	}
	nodes, parent := map[int64]*profiler.ProfileNode{}, map[int64]int64{}
	for _, n := range p.Nodes {
		nodes[n.ID] = n
		for _, child := range n.Children {
			parent[child] = n.ID
		}
	}
	var list []Sampled
	for _, n := range p.Nodes {
		if times[n.ID] == 0 {
			continue
		}
		sampled := Sampled{Time: times[n.ID], Lines: map[int]time.Duration{}}
		for _, tick := range n.PositionTicks {
			sampled.Lines[int(tick.Line)] += time.Duration(float64(sampled.Time) * float64(tick.Ticks) / float64(max(1, n.HitCount)))
		}
		for id := n.ID; nodes[id] != nil && parent[id] != 0; id = parent[id] {
			c := nodes[id].CallFrame
			f := Frame{Function: c.FunctionName, File: framePath(c.URL)}
			if c.URL != "" {
				f.Line, f.Column = int(c.LineNumber)+1, int(c.ColumnNumber)+1
			}
			sampled.Frames = append(sampled.Frames, f)
		}
		list = append(list, sampled)
	}
	return list
}

package eventloop

import (
	"strings"
	"testing"
	"time"

	"heapsnap/cdp"
)

// calls makes a stack of "function:line" words, innermost first; a function with
// a dot is a builtin of V8, one with a slash is Node's.
func calls(text string) []cdp.Frame {
	var stack []cdp.Frame
	for word := range strings.FieldsSeq(text) {
		name, line, _ := strings.Cut(word, ":")
		f := cdp.Frame{Function: name, File: "/app.js", Column: 1}
		for _, c := range line {
			f.Line = 10*f.Line + int(c-'0')
		}
		if class, method, ok := strings.Cut(name, "."); ok {
			f = cdp.Frame{Function: method, Type: class}
		}
		if module, function, ok := strings.Cut(name, "/"); ok {
			f.File, f.Function = "node:"+module, function
		}
		stack = append(stack, f)
	}
	return stack
}

func TestFreezeNamesTheCallThatAllStacksAreIn(t *testing.T) {
	for _, c := range []struct {
		stacks   string // by |
		function string
		line     int
		builtin  string
		cause    FreezeCause
	}{
		{"work:3 main:9 timers/run | work:3 main:9 timers/run", "work", 3, "", FreezeJavaScript},
		// The loop is in work: what it calls comes and goes.
		{"a:1 work:3 main:9 | b:2 work:4 main:9 | work:4 main:9", "work", 4, "", FreezeJavaScript},
		// main is in the loop, for work is called again and again from two lines.
		{"work:3 main:9 | work:3 main:10 | work:3 main:9", "main", 9, "", FreezeJavaScript},
		{"RegExp.test work:3 main:9 | RegExp.test work:3 main:9", "work", 3, "RegExp.test", FreezeRegExp},
		{"fs/readSync work:3 main:9 | fs/readSync work:3 main:9", "work", 3, "", FreezeSyncFS},
		{"timers/run | timers/run", "", 0, "", FreezeNative},
	} {
		l := freezeLook{start: time.Now()}
		for text := range strings.SplitSeq(c.stacks, "|") {
			for range wantedStacks {
				l.stacks = append(l.stacks, calls(text))
			}
		}
		f := l.freeze()
		got := cdp.Frame{}
		if f.Frame != nil {
			got = *f.Frame
		}
		if !f.Stuck || got.Function != c.function || got.Line != c.line || f.Builtin != c.builtin || f.Cause != c.cause {
			t.Errorf("%s: stuck %v in %s:%d, calls %q, cause %s, want %s:%d, %q, %s",
				c.stacks, f.Stuck, got.Function, got.Line, f.Builtin, f.Cause, c.function, c.line, c.builtin, c.cause)
		}
	}
}

func TestFreezeByTurns(t *testing.T) {
	stacks := func(n int) (list [][]cdp.Frame) {
		for range n {
			list = append(list, calls("work:3 main:9"))
		}
		return list
	}
	for _, c := range []struct {
		name             string
		l                freezeLook
		stuck, recovered bool
		cause            FreezeCause
	}{
		{"turns", freezeLook{stacks: stacks(1), turned: cdp.Turned{Loop: true, Wait: 3 * time.Millisecond}}, false, false, ""},
		{"was late", freezeLook{stacks: stacks(2), turned: cdp.Turned{Loop: true, Wait: time.Second}}, false, true, FreezeJavaScript},
		{"promises", freezeLook{stacks: stacks(20), turned: cdp.Turned{Microtask: true}}, true, false, FreezeMicrotask},
		{"ticks", freezeLook{stacks: stacks(20), turned: cdp.Turned{Ticks: true}}, true, false, FreezeNextTick},
		{"no answer", freezeLook{}, true, false, FreezeNative},
		{"no answer, a file", freezeLook{thread: &cdp.Thread{State: "S", Syscall: "openat", Path: "/fifo"}}, true, false, FreezeSyncFS},
		{"no answer, a child", freezeLook{thread: &cdp.Thread{State: "S", Syscall: "epoll_wait", Children: []cdp.Child{{PID: 2}}}}, true, false, FreezeChildProcess},
		{"no answer, a pipe", freezeLook{thread: &cdp.Thread{State: "S", Syscall: "write", Path: "pipe:[1]", Descriptor: 1}}, true, false, FreezeOutput},
		{"held by a debugger", freezeLook{
			stacks: stacks(20), before: &cdp.Thread{}, thread: &cdp.Thread{State: "S", Syscall: "futex"}, start: time.Now().Add(-time.Second),
		}, true, false, FreezePaused},
		{"setImmediate was replaced", freezeLook{
			stacks: make([][]cdp.Frame, 20), before: &cdp.Thread{}, thread: &cdp.Thread{State: "S", Syscall: "epoll_wait"}, start: time.Now().Add(-time.Second),
		}, false, false, ""},
	} {
		if f := c.l.freeze(); f.Stuck != c.stuck || f.Recovered != c.recovered || f.Cause != c.cause {
			t.Errorf("%s: stuck %v, recovered %v, cause %q, want %v, %v, %q", c.name, f.Stuck, f.Recovered, f.Cause, c.stuck, c.recovered, c.cause)
		}
	}
}

func TestFreezeReadSource(t *testing.T) {
	text := []byte("async function work() {\n  prepare();\n  await next();\n}\nJSON.parse(text);\nif (/x/.test(s)) f();\n")
	for _, c := range []struct {
		f     Freeze
		line  int
		cause FreezeCause
		code  string
	}{
		{Freeze{Cause: FreezeMicrotask, Frame: &cdp.Frame{Line: 2}}, 2, FreezeMicrotask, "  prepare();"},
		{Freeze{Cause: FreezeNative, After: true, Frame: &cdp.Frame{Line: 5}}, 5, FreezeJSON, "JSON.parse(text);"},
		{Freeze{Cause: FreezeJavaScript, Stack: calls("work:6"), Frame: &cdp.Frame{Line: 6}}, 6, FreezeRegExp, "if (/x/.test(s)) f();"},
		{Freeze{Cause: FreezeJavaScript, Stack: calls("work:2"), Frame: &cdp.Frame{Line: 2}}, 2, FreezeJavaScript, "  prepare();"},
		{Freeze{Cause: FreezeJavaScript, Frame: &cdp.Frame{Line: 99}}, 99, FreezeJavaScript, ""},
	} {
		if code := c.f.ReadSource(text); code != c.code || c.f.Frame.Line != c.line || c.f.Cause != c.cause {
			t.Errorf("ReadSource = %q, line %d, cause %s, want %q, %d, %s", code, c.f.Frame.Line, c.f.Cause, c.code, c.line, c.cause)
		}
	}
}

// Of what the queue runs, the function is named that queues the next call, however
// little time it takes itself.
func TestFreezeNamesWhatQueues(t *testing.T) {
	const text = `const handle = (job) => job * 2;
function next() {
  return Promise.resolve(pick()).then(handle).then(next);
}
async function read(id) {
  await null;
  return id;
}
async function poll() {
  while (!done()) {
    note();
    await read(1);
  }
}
function again() {
  measure();
  process.nextTick(again);
}
`
	from := func(function string) cdp.Frame {
		line, column := at(t, text, function)
		column += len(function) // V8 places a function at its parameters
		if function == "handle" {
			column += len(" = ")
		}
		return cdp.Frame{Function: function, File: "/app.js", Line: line + 1, Column: column + 1}
	}
	for _, tt := range []struct {
		cause FreezeCause
		seen  string // most time first
		want  string
		line  int
	}{
		{FreezeMicrotask, "handle next", "next", 3},
		{FreezeMicrotask, "read poll", "poll", 12},
		{FreezeMicrotask, "read", "read", 6},
		{FreezeMicrotask, "handle", "next", 3},
		{FreezeNextTick, "again", "again", 17},
	} {
		f := &Freeze{Cause: tt.cause, begins: true}
		for name := range strings.FieldsSeq(tt.seen) {
			f.queued = append(f.queued, queuedCall{frame: from(name), stack: []cdp.Frame{from(name)}})
		}
		f.Frame = &f.queued[0].frame
		if f.ReadSource([]byte(text)); f.Frame.Function != tt.want || f.Frame.Line != tt.line {
			t.Errorf("of %s: %s, line %d, want %s, line %d", tt.seen, f.Frame.Function, f.Frame.Line, tt.want, tt.line)
		}
	}
}

func TestEveryFreezeHasAFix(t *testing.T) {
	for _, c := range []FreezeCause{
		FreezeJavaScript, FreezeRegExp, FreezeAtomics, FreezeMicrotask, FreezeNextTick, FreezeSyncFS, FreezeOutput, FreezeChildProcess,
		FreezeCrypto, FreezeZlib, FreezeJSON, FreezeModule, FreezeNative, FreezePaused, FreezeStopped,
	} {
		if c.Fix() == "" {
			t.Errorf("%s: nothing to do about it", c)
		}
	}
}

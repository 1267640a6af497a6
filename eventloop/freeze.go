package eventloop

import (
	"bytes"
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"heapsnap/cdp"
	"heapsnap/jssource"
)

// A Freeze is what a look at a process that may be frozen found.
//
// The look asks where the thread is without pausing it: V8 answers such a
// question wherever a program checks for interrupts (see [cdp.Session.Stack]).
// Nothing is left behind that could stop the program later. A pause would be:
// asked of a thread in native code it takes effect when that returns, when
// nobody may be there any more to let the program go on.
type Freeze struct {
	Stuck     bool          // its event loop did not turn while we looked
	Recovered bool          // it was stuck when the look began, and runs again
	Late      time.Duration // how late the event loop was, if it turns
	Watched   time.Duration // how long we looked
	Answers   int           // how often the thread said where its JavaScript is

	Cause FreezeCause
	// Frame is the function of the program that keeps the thread, and the line it
	// is at: of several stacks, the innermost call that all of them are in. It is
	// nil if the thread did not say.
	Frame *cdp.Frame
	Share float64 // of the stacks in which Frame was at that line
	Stack []cdp.Frame
	// Builtin is what the line calls, if that is V8's own: "RegExp.test".
	Builtin string
	// After says that the thread came back from native code while we looked, and
	// Frame is the line after which that was.
	After bool

	Thread *cdp.Thread  // what the kernel says, of a process of this machine
	begins bool         // Frame is where its function begins
	queued []queuedCall // what the queue was seen to run

	CPU    time.Duration // that the thread used while we looked; -1 if not known
	Queued time.Duration // that it waited for a core
}

// A FreezeCause is why a thread does not come back to its event loop.
type FreezeCause string

const (
	FreezeNone         FreezeCause = ""
	FreezeJavaScript   FreezeCause = "cpu"           // one call that goes on
	FreezeRegExp       FreezeCause = "regexp"        // matching a regular expression
	FreezeAtomics      FreezeCause = "atomics-wait"  // Atomics.wait
	FreezeMicrotask    FreezeCause = "microtask"     // promises without end
	FreezeNextTick     FreezeCause = "next-tick"     // process.nextTick without end
	FreezeSyncFS       FreezeCause = "sync-fs"       // a synchronous call on a file
	FreezeOutput       FreezeCause = "console"       // writing to stdout or stderr
	FreezeChildProcess FreezeCause = "child-process" // execSync, spawnSync
	FreezeCrypto       FreezeCause = "crypto"        // pbkdf2Sync and its like
	FreezeZlib         FreezeCause = "zlib"          // gzipSync and its like
	FreezeJSON         FreezeCause = "json"          // JSON.parse, JSON.stringify
	FreezeModule       FreezeCause = "module"        // loading a module
	FreezeNative       FreezeCause = "native"        // native code, no more is known
	FreezePaused       FreezeCause = "paused"        // held by a debugger
	FreezeStopped      FreezeCause = "stopped"       // held by a signal
)

const (
	// turnPatience is how late an event loop may be before its process counts as
	// frozen: longer than what a request may take to compute.
	turnPatience = 500 * time.Millisecond
	// wantedStacks are enough to tell where a loop is from where it passes by.
	wantedStacks = 12
	stackPause   = 20 * time.Millisecond
	// profileFor is how long the profiler has to name what stacks do not.
	profileFor = 250 * time.Millisecond
	// idleShare of a core is what a thread may use that does nothing.
	idleShare = 0.1
)

// LookFrozen finds out whether the thread of a session is frozen and where. pid
// is its process's, if that runs on this machine and the session is with its
// main thread; else 0. The look ends after patience; a thread that has not
// answered then is in native code. Less than a second is too short for others.
func LookFrozen(ctx context.Context, s *cdp.Session, pid int, patience time.Duration) (*Freeze, error) {
	l := freezeLook{session: s, pid: pid, start: time.Now()}
	if f := l.kernel(); f != nil && f.Stopped() {
		return &Freeze{Stuck: true, Cause: FreezeStopped, Thread: f, CPU: -1}, nil
	}
	l.before = l.thread
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := l.watch(within)
	if err != nil && within.Err() == nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	l.kernel()
	f := l.freeze()
	if f.Stuck && (f.Cause == FreezeMicrotask || f.Cause == FreezeNextTick) {
		l.profile(within, f)
	}
	f.Watched = time.Since(l.start)
	return f, nil
}

// LookOutside is what can be said of a process whose inspector cannot be opened:
// something only if its thread is in a system call that is no event loop's.
func LookOutside(pid int) (*Freeze, error) {
	l := freezeLook{pid: pid, start: time.Now()}
	if l.kernel() == nil {
		return nil, l.err
	}
	f := &Freeze{Thread: l.thread, CPU: -1}
	switch {
	case f.Thread.Stopped():
		f.Stuck, f.Cause = true, FreezeStopped
	case f.Thread.Sleeps() && f.Thread.Syscall != "" && f.Thread.Syscall != "futex" && !f.Thread.Polls():
		f.Stuck = true
		nativeCauseOf(f)
	}
	return f, nil
}

// LookUnanswered is what can be said of a process that has not opened its
// inspector since it was asked to by a signal: before is what LookOutside said
// when that was sent, so long ago. A thread in JavaScript opens it at once.
func LookUnanswered(pid int, before *Freeze, since time.Duration) (*Freeze, error) {
	f, err := LookOutside(pid)
	if err != nil || before.Thread == nil {
		return f, err
	}
	f.CPU, f.Queued, f.Watched = f.Thread.CPU-before.Thread.CPU, f.Thread.Queued-before.Thread.Queued, since
	busy := f.CPU+f.Queued > since/2
	waits := f.Thread.Polls() && len(f.Thread.Children) > 0
	if !f.Stuck && (busy || waits) {
		f.Stuck = true
		nativeCauseOf(f)
	}
	return f, nil
}

// A freezeLook is one run of LookFrozen.
type freezeLook struct {
	session *cdp.Session
	pid     int
	start   time.Time
	err     error

	before, thread *cdp.Thread // when it began, and last
	stacks         [][]cdp.Frame
	firstAnswer    time.Duration
	turned         cdp.Turned
}

// kernel reads the thread's state anew; nil where that cannot be had.
func (l *freezeLook) kernel() *cdp.Thread {
	if l.pid == 0 {
		return nil
	}
	t, err := cdp.MainThread(l.pid)
	if err != nil {
		l.err = err
		return nil
	}
	l.thread = &t
	return l.thread
}

// watch collects stacks until the loop turns, or enough is known.
func (l *freezeLook) watch(ctx context.Context) error {
	stack, err := l.session.Stack(ctx)
	if err != nil {
		return err
	}
	l.firstAnswer = time.Since(l.start)
	l.stacks = append(l.stacks, stack)
	marks, err := l.session.MarkTurns(ctx)
	if err != nil {
		return err
	}
	defer marks.Drop()
	pause := time.Millisecond
	for {
		if l.turned, err = marks.Look(ctx); err != nil {
			return err
		}
		if l.turned.Loop || time.Since(l.start) > turnPatience && len(l.stacks) >= wantedStacks {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, stackPause)
		if stack, err = l.session.Stack(ctx); err != nil {
			return err
		}
		l.stacks = append(l.stacks, stack)
	}
}

// freeze draws the conclusions.
func (l *freezeLook) freeze() *Freeze {
	f := &Freeze{Thread: l.thread, CPU: -1, Answers: len(l.stacks)}
	watched := time.Since(l.start)
	if l.before != nil && l.thread != nil {
		f.CPU, f.Queued = l.thread.CPU-l.before.CPU, l.thread.Queued-l.before.Queued
	}
	idle := f.CPU >= 0 && f.CPU+f.Queued < time.Duration(idleShare*float64(watched))
	f.After = l.turned.Loop && l.firstAnswer > turnPatience || len(l.stacks) < wantedStacks/2 && !l.turned.Loop && !idle
	f.Late = max(l.firstAnswer, l.turned.Wait)
	switch {
	case l.turned.Loop && f.Late < turnPatience:
		return f
	case l.turned.Loop:
		f.Recovered = true
		l.name(f)
		f.Cause = causeOfStack(f)
		return f
	case len(l.stacks) == 0:
		f.Stuck = true
		nativeCauseOf(f)
		return f
	}
	f.Stuck = true
	l.name(f)
	switch {
	case l.turned.Microtask:
		f.Cause = FreezeMicrotask
	case l.turned.Ticks:
		f.Cause = FreezeNextTick
	case f.Builtin == "Atomics.wait":
		f.Cause = FreezeAtomics
	case idle && f.Thread.Polls() && f.Frame == nil:
		// It answered and has nothing to do: it is setImmediate that was replaced.
		return &Freeze{Thread: f.Thread, CPU: f.CPU, Answers: f.Answers, Late: l.firstAnswer}
	case idle && f.Thread.Sleeps() && f.Thread.Syscall == "futex":
		f.Cause = FreezePaused // V8's message loop waits for the debugger's command
	default:
		f.Cause = causeOfStack(f)
	}
	return f
}

// name finds the function that keeps the thread: the innermost call of the
// program that all stacks are in. Where the stacks leave a function's line, that
// function is in a loop. Stacks of queues that do not end have no common call;
// there it is the call that most of them have.
func (l *freezeLook) name(f *Freeze) {
	var busy [][]cdp.Frame
	for _, stack := range l.stacks {
		if slices.ContainsFunc(stack, program) {
			busy = append(busy, stack)
		}
	}
	if len(busy) == 0 {
		if len(l.stacks) > 0 {
			f.Stack = l.stacks[len(l.stacks)-1]
		}
		return
	}
	depth := common(busy)
	if depth == 0 || l.turned.Microtask || l.turned.Ticks {
		depth = -1
	}
	// The most frequent line of that call, and a stack that has it.
	type place struct {
		function, file string
		line           int
	}
	count := map[place]int{}
	at := make([]int, len(busy))
	for i, stack := range busy {
		at[i] = slices.IndexFunc(stack, program)
		if depth > 0 {
			for at[i] < len(stack)-depth {
				next := slices.IndexFunc(stack[at[i]+1:], program)
				if next < 0 {
					break
				}
				at[i] += 1 + next
			}
		}
		fr := stack[at[i]]
		count[place{fr.Function, fr.File, fr.Line}]++
	}
	best := 0
	for i, stack := range busy {
		fr := stack[at[i]]
		n := count[place{fr.Function, fr.File, fr.Line}]
		if (l.turned.Microtask || l.turned.Ticks) && at[i] > 0 {
			n += len(busy) // there the line is that of a call, else where the function begins
		}
		if n > best {
			best = n
			f.Frame, f.Stack = &busy[i][at[i]], stack
			f.Builtin = builtinAbove(stack, at[i])
		}
	}
	if best > len(busy) {
		best -= len(busy)
	}
	f.Share = float64(best) / float64(len(l.stacks))
}

// program reports whether a frame is the program's own or a package's.
func program(f cdp.Frame) bool {
	return f.File != "" && !strings.HasPrefix(f.File, "node:")
}

// common is how many calls, from the outermost, all stacks share. The last of
// them may be at different lines: it is the one that loops.
func common(stacks [][]cdp.Frame) int {
	depth := 0
	for {
		var first cdp.Frame
		moved := false
		for i, stack := range stacks {
			if depth >= len(stack) {
				return depth
			}
			fr := stack[len(stack)-1-depth]
			if i == 0 {
				first = fr
				continue
			}
			if fr.Function != first.Function || fr.File != first.File {
				return depth
			}
			moved = moved || fr.Line != first.Line || fr.Column != first.Column
		}
		depth++
		if moved {
			return depth
		}
	}
}

// builtinAbove is the function of V8 that a frame has called.
func builtinAbove(stack []cdp.Frame, at int) string {
	if at == 0 || !stack[at-1].Builtin() {
		return ""
	}
	b := stack[at-1]
	if b.Type == "" {
		return b.Function
	}
	return b.Type + "." + b.Function
}

// nodeFunctions say by the function of Node that was called what it waited for.
var nodeFunctions = []struct {
	file  *regexp.Regexp
	cause FreezeCause
}{
	{regexp.MustCompile(`^node:internal/modules/`), FreezeModule},
	{regexp.MustCompile(`^node:(internal/)?child_process`), FreezeChildProcess},
	{regexp.MustCompile(`^node:internal/console/`), FreezeOutput},
	{regexp.MustCompile(`^node:(internal/)?fs(/|$)`), FreezeSyncFS},
	{regexp.MustCompile(`^node:(internal/)?crypto(/|$)`), FreezeCrypto},
	{regexp.MustCompile(`^node:zlib$`), FreezeZlib},
}

// causeOfStack tells by what was called from the program's innermost call.
func causeOfStack(f *Freeze) FreezeCause {
	at := slices.IndexFunc(f.Stack, program)
	if at < 0 {
		at = len(f.Stack)
	}
	for _, n := range nodeFunctions {
		if slices.ContainsFunc(f.Stack[:at], func(fr cdp.Frame) bool { return n.file.MatchString(fr.File) }) {
			return n.cause
		}
	}
	if strings.HasPrefix(f.Builtin, "RegExp.") {
		return FreezeRegExp
	}
	if f.Builtin == "Atomics.wait" {
		return FreezeAtomics
	}
	if f.Frame == nil || f.After {
		return FreezeNative
	}
	return FreezeJavaScript
}

var regexpCall = regexp.MustCompile(`\.\s*(test|exec|match|matchAll)\s*\(|/[gimsuyv]*\s*[,)].*\.\s*(replace|replaceAll|search|split)\s*\(|\.\s*(replace|replaceAll|search|split)\s*\(\s*/`)

var jsonCall = regexp.MustCompile(`\bJSON\s*\.\s*(parse|stringify)\b`)

// ReadSource takes the text of Frame's file into account and returns the text of
// its line. JSON has no frame and is not interrupted; a regular expression has
// none where V8 has optimized the function that runs it; and a function that
// queues itself is seen where it begins, not where it does that.
func (f *Freeze) ReadSource(text []byte) string {
	lines := bytes.Split(text, []byte("\n"))
	if f.Frame == nil || f.Frame.Line < 1 || f.Frame.Line > len(lines) {
		return ""
	}
	f.findQueue(text)
	code := strings.TrimRight(string(lines[f.Frame.Line-1]), "\r")
	here := atColumn(code, f.Frame.Column)
	if f.Cause == FreezeJavaScript && f.Builtin == "" && slices.IndexFunc(f.Stack, program) == 0 && regexpCall.MatchString(here) {
		f.Cause = FreezeRegExp
	}
	if f.After && f.Cause == FreezeNative {
		if call := jsonCall.FindStringSubmatch(here); call != nil {
			f.Cause, f.Builtin = FreezeJSON, "JSON."+call[1]
		}
	}
	return code
}

// atColumn is a line, or of one that nobody has written what stands around the
// column, 1-based: such a line has a call of everything.
func atColumn(line string, column int) string {
	const (
		written = 400
		before  = 12 // of JSON.stringify( or re.test( the object: V8 points at the name
		after   = 24
	)
	if len(line) < written || column < 1 {
		return line
	}
	return line[min(len(line), max(0, column-1-before)):min(len(line), column-1+after)]
}

// findQueue turns from where a function begins to where it queues the next call:
// of the functions that the queue was seen to run, the one that does that.
func (f *Freeze) findQueue(text []byte) {
	if !f.begins || f.Cause != FreezeMicrotask && f.Cause != FreezeNextTick {
		return
	}
	src := newSource(text)
	best, points, at := -1, 0, 0
	for i, q := range f.queued {
		if q.frame.File != f.Frame.File {
			continue
		}
		fn, ok := src.FunctionAt(q.frame.Line-1, q.frame.Column-1)
		if !ok || fn.Body == 0 {
			continue
		}
		for k := fn.Body; k < fn.End && k < len(src.Tokens); k++ {
			p := src.queues(fn, k, f.Cause)
			if p > points || p == points && p > 0 && best == i && q.lines[src.LineOf(k)] > q.lines[src.LineOf(at)] {
				best, points, at = i, p, k
			}
		}
	}
	if best < 0 {
		f.findQueueOf(src)
		return
	}
	frame := f.queued[best].frame
	frame.Line, frame.Column = src.Place(at)
	f.Frame, f.Stack = &frame, f.queued[best].stack
}

// findQueueOf finds who gives the queue the function that it was seen to run, by
// name: .then(handle), where V8 has that which says so inlined.
func (f *Freeze) findQueueOf(src *source) {
	for _, q := range f.queued {
		if q.frame.Function == "" || q.frame.File != f.Frame.File {
			continue
		}
		for k := range src.Tokens {
			fn, ok := src.Enclosing(k)
			if !ok || src.queues(fn, k, f.Cause) < 2 || src.At(k+1) != "(" || !src.Mentions(k+1, src.Tokens[k+1].Match, ownName(q.frame.Function)) {
				continue
			}
			frame := cdp.Frame{Function: src.FunctionName(fn), File: q.frame.File}
			frame.Line, frame.Column = src.Place(k)
			f.Frame = &frame
			return
		}
	}
}

// queues says how likely it is that token i of a function is what never ends: an
// await that a loop comes to again most of all.
func (src *source) queues(f jssource.Function, i int, c FreezeCause) int {
	call := src.At(i+1) == "("
	switch t := src.At(i); {
	case c == FreezeNextTick && t == "nextTick" && call:
		return 3
	case c == FreezeNextTick:
	case t == "await" && src.LoopAround(f, i) >= 0, t == "await" && src.At(i-1) == "for":
		return 3
	case t == "queueMicrotask" && call, call && src.At(i-1) == "." && (t == "then" || t == "catch" || t == "finally"):
		return 2
	case t == "await":
		return 1
	}
	return 0
}

// nativeCauseOf says what a thread waits for that runs no JavaScript.
func nativeCauseOf(f *Freeze) {
	f.Cause = FreezeNative
	if f.Thread == nil {
		return
	}
	switch t := f.Thread; {
	case t.Stopped():
		f.Cause = FreezeStopped
	case (t.Polls() || strings.HasPrefix(t.Syscall, "wait")) && len(t.Children) > 0:
		f.Cause = FreezeChildProcess
	case (t.Descriptor == 1 || t.Descriptor == 2) && strings.HasPrefix(t.Syscall, "write"):
		f.Cause = FreezeOutput
	case t.Sleeps() && t.Path != "" && !strings.HasPrefix(t.Path, "socket:"):
		f.Cause = FreezeSyncFS
	}
}

// profile names the function that promises and ticks run: of a call that ends at
// once, V8 checks for interrupts where it begins, or between two.
func (l *freezeLook) profile(ctx context.Context, f *Freeze) {
	if f.Frame != nil && slices.IndexFunc(f.Stack, program) > 0 {
		return // seen in a call that it made: the line is known
	}
	f.begins = true
	sampled, err := l.session.Sample(ctx, profileFor)
	if err != nil {
		return
	}
	total := time.Duration(0)
	index := map[cdp.Frame]int{}
	for _, s := range sampled {
		total += s.Time
		// The queue has called the outermost; what that calls may have been inlined.
		at := lastIndex(s.Frames, program)
		if at < 0 {
			continue
		}
		i, known := index[s.Frames[at]]
		if !known {
			i = len(f.queued)
			index[s.Frames[at]] = i
			f.queued = append(f.queued, queuedCall{frame: s.Frames[at], stack: s.Frames[at:], lines: map[int]time.Duration{}})
		}
		q := &f.queued[i]
		q.time += s.Time
		if at == 0 {
			for line, t := range s.Lines {
				q.lines[line] += t
			}
		}
	}
	slices.SortStableFunc(f.queued, func(x, y queuedCall) int { return cmp.Compare(y.time, x.time) })
	if len(f.queued) > 0 {
		most := f.queued[0]
		f.Frame, f.Stack, f.Builtin, f.Share = &most.frame, most.stack, "", float64(most.time)/float64(max(1, total))
	}
}

// queuedCall is a function that a queue was seen to run.
type queuedCall struct {
	frame cdp.Frame // where it begins
	stack []cdp.Frame
	time  time.Duration
	lines map[int]time.Duration // of the samples in it
}

func lastIndex(frames []cdp.Frame, f func(cdp.Frame) bool) int {
	for i := len(frames) - 1; i >= 0; i-- {
		if f(frames[i]) {
			return i
		}
	}
	return -1
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/eventloop"
	"heapsnap/jssource"
	"heapsnap/report"
)

const (
	// answerWithin bounds a look from the first step to the last but for reading
	// the line.
	answerWithin = 2500 * time.Millisecond
	// reachPatience is how much of it may go into reaching the process: on a busy
	// machine a signal may take a second to open the inspector.
	reachPatience = 1700 * time.Millisecond
	// lookPatience is what a look takes if the thread is in native code.
	lookPatience   = 1900 * time.Millisecond
	sourcePatience = 400 * time.Millisecond
)

func newStuck(a *app) *cobra.Command {
	out := output{app: a}
	target := targetFlags{app: a}
	cmd := &cobra.Command{
		Use:   "stuck [SCRIPT]",
		Short: "Where a process that no longer answers is stuck",
		Long: `Say where a Node.js process that no longer answers is right now: the function
and line, or what its native code waits for, and what to do about it. It works
while the process is frozen, in an endless loop, a regular expression, a
synchronous call or native code, and answers within three seconds.

The process is neither paused nor stopped, and goes on as before. If its
inspector is closed, it is opened with SIGUSR1 and closed again. What its thread
waits for in native code is known for processes of this machine only, by /proc.

The exit code is 1 if it is stuck, or was when the look began, and 0 if its
event loop turns.`,
		Example: `  heapsnap stuck --pid 4711
  heapsnap stuck server.js
  heapsnap stuck --url 127.0.0.1:9229 --format json`,
		Args: arguments(0, 1, "SCRIPT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.open(report.Text, report.JSON); err != nil {
				return err
			}
			defer out.close()
			s, done, err := target.look(cmd.Context(), args)
			defer done()
			if err != nil {
				return err
			}
			err = out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteStuck(w, s, f, o) })
			if err != nil {
				return err
			}
			if s.Verdict != report.StuckNot {
				return verdictError(report.Leak)
			}
			return nil
		},
	}
	out.flags(cmd)
	cmd.Flags().Lookup("format").Usage = "format on stdout: text, json"
	cmd.Flags().Lookup("verbose").Usage = "in text: the whole stack"
	target.flags(cmd)
	return cmd
}

// errFromOutside says that all there is to say was seen without the inspector.
var errFromOutside = errors.New("seen from outside")

// look finds the target and looks where it is. done ends what it began, also
// after an error.
func (t *targetFlags) look(ctx context.Context, args []string) (s *report.Stuck, done func(), err error) {
	done = func() {}
	if err := t.namedOnce(args); err != nil {
		return nil, done, err
	}
	deadline := time.Now().Add(answerWithin)
	reach, cancel := context.WithTimeoutCause(ctx, reachPatience, errors.New("no answer in time"))
	defer cancel()
	pid := t.pid
	if t.pid == 0 && t.port == 0 && t.url == "" {
		p, err := t.process(reach, args)
		if err != nil {
			return nil, done, err
		}
		pid = p.PID
	}
	if pid > 0 {
		return t.lookAt(ctx, reach, deadline, pid)
	}
	target, _, err := t.find(reach, nil)
	if err != nil {
		return nil, done, err
	}
	return t.lookInside(ctx, reach, deadline, target, func() {})
}

// lookAt looks at a process of this machine, whose inspector may be closed.
func (t *targetFlags) lookAt(ctx, reach context.Context, deadline time.Time, pid int) (*report.Stuck, func(), error) {
	var outside *eventloop.Freeze
	guard := &guard{}
	seen := cdp.Target{PID: pid, Script: cdp.ScriptOf(pid)}
	// A stopped process does not even answer on its inspector's port.
	if f, err := eventloop.LookOutside(pid); err == nil && f.Cause == eventloop.FreezeStopped {
		return t.tell(f, seen, eventloop.FreezePlaces{}, nil), func() {}, nil
	}
	var since time.Time
	target, opened, err := cdp.OpenInspectorAfter(reach, pid, func() error {
		f, err := eventloop.LookOutside(pid)
		if err == nil && f.Stuck {
			outside = f // the signal would open the inspector some time later
			return errFromOutside
		}
		outside, since = f, time.Now()
		if !t.keep {
			guard = t.app.guardInspector(pid)
		}
		return nil
	})
	switch {
	case errors.Is(err, errFromOutside):
		return t.tell(outside, seen, eventloop.FreezePlaces{}, nil), guard.over, nil
	case errors.Is(err, cdp.ErrSignalSent) && ctx.Err() == nil && outside != nil:
		// The guard stays: what we asked for will come.
		f, lerr := eventloop.LookUnanswered(pid, outside, time.Since(since))
		if lerr != nil || !f.Stuck {
			return nil, func() {}, trouble(fmt.Errorf("process %d took SIGUSR1 and did not open its inspector: it handles the signal itself; start it with --inspect=127.0.0.1:0", pid))
		}
		warnings := []string{"its inspector was closed. SIGUSR1 was sent and opens it when the native code returns; heapsnap waits in the background and closes it again"}
		if f.Queued > f.Watched/3 {
			warnings = append(warnings, "the machine is overloaded: the thread waited for a core most of the time, so it may be in JavaScript as well; ask again")
		}
		return t.tell(f, seen, eventloop.FreezePlaces{}, warnings), func() {}, nil
	case errors.Is(err, cdp.ErrSignalSent):
		return nil, func() {}, trouble(err) // interrupted: the guard closes what will open
	case err != nil:
		return nil, guard.over, trouble(err)
	}
	closeInspector := guard.over
	turns := false
	if opened && !t.keep {
		closeInspector = func() {
			err := cdp.CloseInspector(context.WithoutCancel(ctx), target)
			if err != nil {
				t.app.note("warning: %v", err)
			}
			// That of a process that is still frozen opens once more when it goes on.
			if err == nil && turns {
				guard.over()
			}
		}
	}
	s, done, err := t.lookInside(ctx, reach, deadline, target, closeInspector)
	turns = err == nil && s.Verdict != report.StuckNow
	return s, done, err
}

// lookInside looks through the inspector.
func (t *targetFlags) lookInside(ctx, reach context.Context, deadline time.Time, target cdp.Target, closeInspector func()) (*report.Stuck, func(), error) {
	main, err := cdp.Dial(reach, target)
	if err != nil {
		return nil, closeInspector, trouble(err)
	}
	done := func() {
		_ = main.Close()
		closeInspector()
	}
	if target.PID == 0 {
		target.PID = cdp.LocalPID(target)
	}
	session, pid, worker := main, target.PID, ""
	if t.worker != "" {
		if session, err = findWorker(reach, main, t.worker); err != nil {
			return nil, done, err
		}
		pid, worker = 0, strings.TrimSpace(strconv.Itoa(session.Worker().ThreadID)+" "+session.Worker().Name)
	}
	f, err := eventloop.LookFrozen(ctx, session, pid, min(lookPatience, time.Until(deadline)))
	if err != nil {
		return nil, done, trouble(err)
	}
	var source []byte
	if f.Frame != nil {
		source = sourceOf(ctx, session, f, target.PID)
		f.ReadSource(source)
	}
	places := f.Places(func(name string) ([]byte, error) {
		if f.Frame != nil && name == f.Frame.File && source != nil {
			return source, nil
		}
		return readOf(target.PID, name)
	})
	return t.tell(f, target, places, nil, worker), done, nil
}

// readOf reads a file as a process of this machine sees it, which may be in a
// container.
func readOf(pid int, name string) ([]byte, error) {
	if pid <= 0 || !path.IsAbs(name) {
		return nil, os.ErrNotExist
	}
	if text, err := os.ReadFile(path.Join("/proc", strconv.Itoa(pid), "root", name)); err == nil {
		return text, nil
	}
	return os.ReadFile(name)
}

// sourceOf is the text of the file that the frame is in, nil if it cannot be had:
// as the process runs it, where that is compiled in memory (tsx, ts-node).
func sourceOf(ctx context.Context, s *cdp.Session, f *eventloop.Freeze, pid int) []byte {
	text, err := readOf(pid, f.Frame.File)
	compiled := path.Ext(f.Frame.File) != ".js" && path.Ext(f.Frame.File) != ".cjs" && path.Ext(f.Frame.File) != ".mjs"
	if err == nil && !compiled || f.After { // the program has it too, but answers when its native code returns
		return text
	}
	ctx, cancel := context.WithTimeout(ctx, sourcePatience)
	defer cancel()
	scripts, err := s.Scripts(ctx)
	if err != nil {
		return text
	}
	for _, script := range slices.Backward(scripts) {
		if script.URL == f.Frame.File || jssource.Path(script.URL) == f.Frame.File {
			if runs, err := s.Source(ctx, script.ID); err == nil {
				return []byte(runs)
			}
		}
	}
	return text
}

// tell makes the report of what was seen.
func (t *targetFlags) tell(f *eventloop.Freeze, target cdp.Target, places eventloop.FreezePlaces, warnings []string, worker ...string) *report.Stuck {
	s := &report.Stuck{
		Head: head("stuck"), Cause: string(f.Cause), Fix: f.Cause.Fix(), Warnings: warnings, Answers: f.Answers,
		LateMs: ms(f.Late), WatchedMs: ms(f.Watched),
		Target: report.StuckTarget{PID: target.PID, Script: target.Script, NodeVersion: target.NodeVersion, Worker: strings.Join(worker, "")},
	}
	if target.Port > 0 {
		s.Target.Address = target.Addr()
	}
	switch {
	case f.Stuck:
		s.Verdict = report.StuckNow
	case f.Recovered:
		s.Verdict = report.StuckBefore
	default:
		s.Verdict, s.Cause, s.Fix = report.StuckNot, "", ""
	}
	s.Location, s.Caller = stuckPlace(places.Frame, places.Code), stuckPlace(places.Caller, places.CallerCode)
	if s.Location != nil {
		s.Location.Calls, s.Location.Share = f.Builtin, f.Share
	}
	if s.Caller != nil {
		s.Caller.Share = f.Share
	}
	for i, at := range places.Stack {
		name := at.Function
		if fr := f.Stack[i]; fr.Builtin() && fr.Type != "" {
			name = fr.Type + "." + name
		}
		s.Stack = append(s.Stack, report.StuckFrame{Function: name, File: at.File, Line: at.Line, Column: at.Column, Package: at.Package, Compiled: at.Compiled})
	}
	if th := f.Thread; th != nil {
		s.Thread = &report.StuckThread{
			State: th.State, WaitChannel: th.WaitChannel, Syscall: th.Syscall, Path: th.Path, AsleepMs: ms(th.Asleep), CPUMs: ms(th.CPU),
		}
		if f.CPU >= 0 && f.Watched > 0 {
			share := float64(f.CPU) / float64(f.Watched)
			s.Thread.CPUShare = &share
		}
		if f.Cause == eventloop.FreezeChildProcess {
			for _, c := range th.Children {
				s.Children = append(s.Children, report.StuckProcess{PID: c.PID, Command: strings.Join(c.Args, " "), AgeMs: ms(c.Age)})
			}
		}
	}
	s.Title, s.Detail = stuckTitle(s, f), stuckDetail(s, f)
	return s
}

func stuckPlace(at *eventloop.Site, code string) *report.StuckPlace {
	if at == nil {
		return nil
	}
	return &report.StuckPlace{Function: at.Function, File: at.File, Line: at.Line, Column: at.Column, Code: code, Package: at.Package, Compiled: at.Compiled}
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// stuckTitle is the verdict in a sentence.
func stuckTitle(s *report.Stuck, f *eventloop.Freeze) string {
	who := "the process"
	if s.Target.PID > 0 {
		who = fmt.Sprintf("process %d", s.Target.PID)
	}
	if s.Target.Script != "" {
		who += " (" + path.Base(s.Target.Script) + ")"
	}
	if s.Target.Worker != "" {
		who = "worker " + s.Target.Worker + " of " + who
	}
	in := ""
	if l := s.Location; l != nil {
		by := " in "
		switch {
		case s.Caller != nil:
			in, by, l = " in "+l.Package, ", called by ", s.Caller
		case l.Package != "":
			in, by = " in "+l.Package, ", "
		}
		if l.Function != "" {
			in += by + fmt.Sprintf("%s, %s:%d", l.Function, path.Base(l.File), l.Line)
		} else {
			in += by + fmt.Sprintf("%s:%d", path.Base(l.File), l.Line)
		}
	}
	switch {
	case !f.Stuck && !f.Recovered:
		return fmt.Sprintf("%s answers: its event loop was %s late", who, about(f.Late))
	case f.Recovered:
		return fmt.Sprintf("%s stood still for %s while we looked, %s%s; it runs again", who, about(f.Late), freezeDoing(f), in)
	case f.Frame == nil:
		return fmt.Sprintf("%s is stuck: %s", who, freezeDoing(f))
	}
	return fmt.Sprintf("%s is stuck%s: %s", who, in, freezeDoing(f))
}

// freezeDoing says what the thread is doing instead of turning its event loop.
func freezeDoing(f *eventloop.Freeze) string {
	switch f.Cause {
	case eventloop.FreezeJavaScript:
		return "this call of a function does not return"
	case eventloop.FreezeRegExp:
		return strings.TrimSpace("matching a regular expression " + parenthesized(f.Builtin))
	case eventloop.FreezeAtomics:
		return "it sleeps in Atomics.wait"
	case eventloop.FreezeMicrotask:
		return "promises call each other without end"
	case eventloop.FreezeNextTick:
		return "process.nextTick calls itself without end"
	case eventloop.FreezeSyncFS:
		return "a synchronous file operation"
	case eventloop.FreezeOutput:
		return "writing its output"
	case eventloop.FreezeChildProcess:
		return "it waits for a child process"
	case eventloop.FreezeCrypto:
		return "synchronous cryptography"
	case eventloop.FreezeZlib:
		return "synchronous compression"
	case eventloop.FreezeJSON:
		return "one " + f.Builtin + " of large data"
	case eventloop.FreezeModule:
		return "loading a module"
	case eventloop.FreezePaused:
		return "a debugger holds it"
	case eventloop.FreezeStopped:
		return "a signal has stopped it"
	}
	return "native code has the thread"
}

// stuckDetail is the evidence.
func stuckDetail(s *report.Stuck, f *eventloop.Freeze) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	th := f.Thread
	if f.Stuck && f.Cause != eventloop.FreezePaused && f.Cause != eventloop.FreezeStopped {
		switch {
		case f.Answers == 0:
			say("No JavaScript runs: the thread is in native code, which cannot say where it was called from.")
		case f.After:
			say("The thread spends its time in native code that is called at this line; it said so %d times in %s.", f.Answers, about(f.Watched))
		case f.Frame != nil:
			say("Seen in %.0f %% of %d looks in %s.", 100*f.Share, f.Answers, about(f.Watched))
		}
	}
	if th != nil && (f.Stuck || f.Recovered) {
		switch {
		case th.Stopped():
		case th.Sleeps() && th.Syscall != "" && f.Cause != eventloop.FreezeAtomics && f.Cause != eventloop.FreezePaused && f.Stuck:
			about1 := ""
			if th.Path != "" {
				about1 = " on " + th.Path
			}
			say("The kernel says: it sleeps in %s%s.", th.Syscall, about1)
		}
		if f.Stuck && th.Asleep >= 50*time.Millisecond {
			say("It has not run for %s.", about(th.Asleep))
		}
		if s.Thread.CPUShare != nil && *s.Thread.CPUShare > 0.02 {
			say("It uses %.0f %% of a core, %s of CPU time so far.", 100**s.Thread.CPUShare, about(th.CPU))
		} else if th.CPU > 0 {
			say("It used %s of CPU time so far.", about(th.CPU))
		}
	}
	if len(s.Children) > 0 {
		c := s.Children[0]
		say("The youngest child process is %d, running for %s: %s", c.PID, about(time.Duration(c.AgeMs*float64(time.Millisecond))), short(c.Command, 120))
	}
	return strings.Join(parts, " ")
}

func parenthesized(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// about is a duration as people say it.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

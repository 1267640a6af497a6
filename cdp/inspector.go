package cdp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Reasons why a process cannot be inspected, for callers that go on without it.
var (
	ErrNoProcess  = errors.New("no such process")
	ErrNotNode    = errors.New("not a Node.js process")
	ErrNotCaught  = errors.New("SIGUSR1 is not caught")
	ErrPortTaken  = errors.New("the inspector port is taken")
	ErrPermission = errors.New("permission denied")
	// ErrSignalSent says that SIGUSR1 is on its way and no inspector open yet: it
	// will open when the thread leaves the native code it is in. [CloseWhenOpen]
	// is owed.
	ErrSignalSent = errors.New("SIGUSR1 was sent")
)

// openTimeout is how long the inspector may take to appear after the signal. A
// thread of its own opens it, in well under a second even on a frozen program.
const openTimeout = 5 * time.Second

// ErrBusy says that the target has taken a request but is in native code, such
// as the rest of a capture that was given up, and will see to it after that.
var ErrBusy = errors.New("the target is busy: it closes when that is done")

// closeTimeout bounds CloseInspector, which runs on the way out.
const closeTimeout = 3 * time.Second

// pollInterval is between two looks at /proc.
const pollInterval = 20 * time.Millisecond

// OpenInspector finds the inspector of a process of this machine and opens it,
// with SIGUSR1, if it is not open. opened says that it was this call that did,
// and that [CloseInspector] is owed. The signal is sent only to a Node.js
// process that catches it, for one that does not would die.
func OpenInspector(ctx context.Context, pid int) (t Target, opened bool, err error) {
	return procFS{}.openInspector(ctx, pid, sendUSR1)
}

// OpenInspectorAfter is OpenInspector that calls before when all else is fine
// and the signal is next; an error of it is returned and nothing sent.
func OpenInspectorAfter(ctx context.Context, pid int, before func() error) (t Target, opened bool, err error) {
	return procFS{}.openInspector(ctx, pid, func(pid int) error {
		if err := before(); err != nil {
			return err
		}
		return sendUSR1(pid)
	})
}

func (f procFS) openInspector(ctx context.Context, pid int, signal func(pid int) error) (Target, bool, error) {
	st, err := f.status(pid)
	switch {
	case gone(err) && !f.hasProc():
		return Target{}, false, fmt.Errorf("process %d: this system has no /proc: start it with --inspect and name it by its port", pid)
	case gone(err) || err == nil && st.zombie:
		return Target{}, false, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	case err != nil:
		return Target{}, false, fmt.Errorf("process %d: %w", pid, err)
	case !f.isNode(pid):
		return Target{}, false, fmt.Errorf("process %d (%s): %w", pid, f.program(pid), ErrNotNode)
	case !f.sameNetwork(pid):
		return Target{}, false, fmt.Errorf("process %d is in another network namespace: run heapsnap in its container, or forward its inspector port and name that", pid)
	}
	t, ok, err := f.findInspector(ctx, pid)
	switch {
	case ok:
		return t, false, nil
	case denied(err):
		return Target{}, false, fmt.Errorf("process %d: %w: run heapsnap as the user of that process, or as root", pid, ErrPermission)
	case err != nil:
		return Target{}, false, fmt.Errorf("process %d: %w", pid, err)
	case !st.catchesUSR1() && st.blocksUSR1():
		return Target{}, false, fmt.Errorf("process %d: %w: it was started with --disable-sigusr1; restart it without, or with --inspect=127.0.0.1:0", pid, ErrNotCaught)
	case !st.catchesUSR1():
		return Target{}, false, fmt.Errorf("process %d: %w: it would die of it: %s", pid, ErrNotCaught, whyNotCaught)
	}
	if err := f.portFree(pid); err != nil {
		return Target{}, false, err
	}
	if err := signal(pid); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return Target{}, false, fmt.Errorf("process %d: %w: run heapsnap as the user of that process, or as root", pid, ErrPermission)
		}
		return Target{}, false, fmt.Errorf("process %d: signal: %w", pid, err)
	}

	deadline, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if t, ok, _ := f.findInspector(deadline, pid); ok {
			return t, true, nil
		}
		if _, err := f.status(pid); gone(err) {
			return Target{}, false, fmt.Errorf("process %d ended before its inspector opened", pid)
		}
		select {
		case <-tick.C:
		case <-deadline.Done():
			if ctx.Err() != nil {
				return Target{}, false, fmt.Errorf("process %d: open inspector: %w (%w)", pid, context.Cause(ctx), ErrSignalSent)
			}
			return Target{}, false, fmt.Errorf("process %d took SIGUSR1 but opened no inspector within %s: it handles the signal itself; restart it with --inspect=127.0.0.1:0", pid, openTimeout)
		}
	}
}

const (
	// latePoll is between two looks for an inspector that may open any time, and
	// latePollMost what that grows to.
	latePoll     = 100 * time.Millisecond
	latePollMost = 2 * time.Second
	// idleLooks in a row say that the event loop waits for events, so that the
	// signal has been seen to.
	idleLooks = 20
)

// CloseWhenOpen closes the process's inspector for as long as a signal that
// opens it may still have effect. On a frozen process that is twice: SIGUSR1
// opens the inspector by an interrupt of V8 and by a message to the event loop,
// whichever comes first (Agent::RequestIoThreadStart in Node's
// src/inspector_agent.cc), so one that was closed before the loop has turned
// opens again when it does (seen with Node 18 to 26).
//
// It closes one that is open now, and later one whose event loop turns: if that
// is frozen, somebody else may be looking at it. It returns when that is over,
// when the process has ended, or with ctx.
func CloseWhenOpen(ctx context.Context, pid int) error {
	f := procFS{}
	started := f.started(pid)
	if t, open, err := f.findInspector(ctx, pid); err == nil && open {
		if err := CloseInspector(ctx, t); err != nil && !errors.Is(err, ErrBusy) {
			return err
		}
	}
	idle, pause := 0, latePoll
	for started != "" && f.started(pid) == started { // else it is gone, and its number may be another's
		if t, open, err := f.findInspector(ctx, pid); err == nil && open {
			idle, pause = 0, latePoll
			if awaitTurn(ctx, t) == nil {
				return CloseInspector(ctx, t)
			}
		} else if t, err := f.mainThread(pid); err == nil && t.Polls() && len(t.Children) == 0 {
			if idle++; idle == idleLooks {
				return nil
			}
		} else {
			idle, pause = 0, min(pause+pause/16, latePollMost)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// awaitTurn waits until the target's event loop turns; the error says that the
// connection ended before.
func awaitTurn(ctx context.Context, t Target) error {
	s, err := Dial(ctx, t)
	if err != nil {
		return err
	}
	defer s.Close()
	marks, err := s.MarkTurns(ctx)
	if err != nil {
		return err
	}
	defer marks.Drop()
	for {
		seen, err := marks.Look(ctx)
		if err != nil || seen.Loop {
			return err
		}
		select {
		case <-time.After(latePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (f procFS) hasProc() bool {
	_, err := os.Stat(f.path("proc/self"))
	return err == nil
}

// portFree looks whether the port that the process would listen on is another's:
// Node would say so on the program's stderr and go on without an inspector.
func (f procFS) portFree(pid int) error {
	port := f.inspectorPort(pid)
	if port == 0 {
		return nil
	}
	for _, l := range f.listeners(pid) {
		a := l.addr.Addr().Unmap()
		if int(l.addr.Port()) != port || !(a.IsUnspecified() || a.IsLoopback() && a.Is4()) {
			continue
		}
		owner := "another process"
		if p := f.owner(l.inode); p != 0 {
			owner = fmt.Sprintf("process %d (%s)", p, strings.TrimSpace(f.program(p)+" "+filepath.Base(scriptArg(f.args(p)))))
		}
		return fmt.Errorf("process %d would open its inspector on port %d: %w by %s: close that one first, or start the program with --inspect-port=0",
			pid, port, ErrPortTaken, owner)
	}
	return nil
}

// CloseInspector closes the target's inspector, and with it every session to
// it. It is for an inspector that [OpenInspector] opened: it works after ctx
// has ended, within a few seconds of its own.
func CloseInspector(ctx context.Context, t Target) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	s, err := Dial(ctx, t)
	if err != nil {
		if _, probe := Discover(ctx, t.Addr()); probe != nil {
			return nil // closed already
		}
		return fmt.Errorf("close inspector of %s: %w", t, err)
	}
	defer s.Close()
	// The answer is lost by design: the connection closes under it.
	err = s.EvaluateBare(ctx, "process._debugEnd()", nil)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("close inspector of %s: %w", t, ErrBusy)
	case err != nil && !errors.Is(err, ErrClosed):
		return fmt.Errorf("close inspector of %s: %w: it stays open", t, err)
	}
	// The sessions close first, the port a moment later.
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if _, err := Discover(ctx, t.Addr()); err != nil && ctx.Err() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("close inspector of %s: %w", t, ErrBusy)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
)

// targetFlags are how a person names a process: by one of the flags, or by a
// part of its script's name.
type targetFlags struct {
	app    *app
	pid    int
	port   int
	url    string
	worker string
	keep   bool
	k8s    string // NAMESPACE/POD[/CONTAINER]; pid is then one in there
	inPod  string // the command that heapsnap is, to be typed where no way leads into the pod

	guard *guard // of an inspector that find opened; see open
}

func (t *targetFlags) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&t.pid, "pid", 0, "process id; its inspector is opened with SIGUSR1 if need be, and closed again")
	cmd.Flags().IntVar(&t.port, "port", 0, "inspector port on this machine")
	cmd.Flags().StringVar(&t.url, "url", "", "inspector's address, as HOST:PORT or ws://...")
	cmd.Flags().StringVar(&t.worker, "worker", "", "a worker thread of it, by thread id or name (see heapsnap targets --workers)")
	cmd.Flags().BoolVar(&t.keep, "keep-inspector", false, "leave the inspector open that --pid opened")
}

// remote adds --k8s to a command that goes by connect.
func (t *targetFlags) remote(cmd *cobra.Command) {
	t.inPod = cmd.Name()
	cmd.Flags().StringVar(&t.k8s, "k8s", "", "`NAMESPACE/POD[/CONTAINER]`, by way of kubectl; --pid is then the process's id in there")
}

// named reports whether a flag names the process.
func (t *targetFlags) named() bool { return t.pid != 0 || t.port != 0 || t.url != "" || t.k8s != "" }

// connection is a session with the target, and what has to be undone.
type connection struct {
	session *cdp.Session // of the worker, if one was asked for
	main    *cdp.Session
	close   func() // ends the session and closes the inspector we opened
}

// connect finds the target and dials it. args is what stands on the command
// line: nothing, or a part of a script's name. All its errors are targetErrors
// or usageErrors.
func (t *targetFlags) connect(ctx context.Context, args []string) (*connection, error) {
	if t.k8s != "" {
		return t.connectPod(ctx, args)
	}
	target, opened, err := t.find(ctx, args)
	if err != nil {
		return nil, err
	}
	c := &connection{close: func() {}}
	if opened && !t.keep {
		c.close = func() {
			// Also after an interrupt: nothing we opened stays open.
			if err := cdp.CloseInspector(context.WithoutCancel(ctx), target); err != nil {
				t.app.note("warning: %v", err)
				return // the guard sees to it
			}
			t.guard.over()
		}
	}
	return t.dial(ctx, target, c)
}

// connectPod is connect for a container of Kubernetes.
func (t *targetFlags) connectPod(ctx context.Context, args []string) (*connection, error) {
	if t.port != 0 || t.url != "" || len(args) > 0 {
		return nil, usagef("name the target once: --k8s with or without --pid, or --port, --url or a script's name")
	}
	p, err := parsePod(t.k8s, t.pid)
	if err != nil {
		return nil, err
	}
	p.command = t.inPod
	target, closing, err := p.reach(ctx, t.keep)
	if err != nil {
		return nil, trouble(err)
	}
	return t.dial(ctx, target, &connection{close: func() {
		if err := closing(); err != nil {
			t.app.note("warning: %v", err)
		}
	}})
}

// dial connects to the target, and c.close ends that, too.
func (t *targetFlags) dial(ctx context.Context, target cdp.Target, c *connection) (_ *connection, err error) {
	if c.main, err = cdp.Dial(ctx, target); err != nil {
		c.close()
		return nil, trouble(err)
	}
	closeInspector := c.close
	c.close = func() {
		_ = c.main.Close()
		closeInspector()
	}
	c.session = c.main
	if t.worker != "" {
		if c.session, err = findWorker(ctx, c.main, t.worker); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (t *targetFlags) find(ctx context.Context, args []string) (target cdp.Target, opened bool, err error) {
	if err := t.namedOnce(args); err != nil {
		return target, false, err
	}
	switch {
	case t.pid < 0:
		return target, false, usagef("--pid %d: want a process id", t.pid)
	case t.pid > 0:
		return t.open(ctx, t.pid)
	case t.port < 0 || t.port > 65535:
		return target, false, usagef("--port %d: want a port, 1 to 65535", t.port)
	case t.port > 0:
		target, err = cdp.Discover(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(t.port)))
		return target, false, trouble(err)
	case t.url != "":
		address := strings.TrimSuffix(strings.TrimPrefix(t.url, "http://"), "/")
		if _, _, err := net.SplitHostPort(hostPort(address)); err != nil {
			return target, false, usagef("--url %s: want HOST:PORT, such as 127.0.0.1:9229, or the ws:// address that Node printed", t.url)
		}
		target, err = cdp.Discover(ctx, address)
		return target, false, trouble(err)
	}
	return t.search(ctx, args)
}

// open opens the inspector of a process of this machine, if it is closed. A guard
// closes it again if heapsnap is killed, or if it opens too late for us; whoever
// has closed it says guard.over.
func (t *targetFlags) open(ctx context.Context, pid int) (target cdp.Target, opened bool, err error) {
	target, opened, err = cdp.OpenInspectorAfter(ctx, pid, func() error {
		if !t.keep {
			t.guard = t.app.guardInspector(pid)
		}
		return nil
	})
	return target, opened, trouble(err)
}

func (t *targetFlags) namedOnce(args []string) error {
	named := 0
	for _, given := range []bool{t.pid != 0, t.port != 0, t.url != "", len(args) > 0} {
		if given {
			named++
		}
	}
	if named > 1 {
		return usagef("name the target once: --pid, --port, --url or a script's name")
	}
	return nil
}

func hostPort(address string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(address, "ws://"), "/")
	return host
}

// search finds the one process of this machine that the argument names or, if
// there is none, the only one whose inspector is open. A process whose
// inspector is closed is sent a signal only if it was named.
func (t *targetFlags) search(ctx context.Context, args []string) (cdp.Target, bool, error) {
	p, err := t.process(ctx, args)
	if err != nil {
		return cdp.Target{}, false, err
	}
	switch p.Reach {
	case cdp.ReachInspector:
		return *p.Target, false, nil
	case cdp.ReachSignal:
		return t.open(ctx, p.PID)
	}
	return cdp.Target{}, false, trouble(fmt.Errorf("process %d (%s) cannot be inspected: %s", p.PID, p.Script, p.Why))
}

func (t *targetFlags) process(ctx context.Context, args []string) (cdp.Process, error) {
	all, err := cdp.Local(ctx)
	if err != nil {
		return cdp.Process{}, trouble(err)
	}
	var found []cdp.Process
	for _, p := range all {
		switch {
		case len(args) == 0 && p.Reach == cdp.ReachInspector:
			found = append(found, p)
		case len(args) > 0 && p.Script != "" && strings.Contains(filepath.ToSlash(p.Script), args[0]):
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if len(args) == 0 {
			return cdp.Process{}, trouble(fmt.Errorf("no Node.js process has its inspector open: name one (see heapsnap targets)"))
		}
		return cdp.Process{}, trouble(fmt.Errorf("no Node.js process runs a script named like %q (see heapsnap targets)", args[0]))
	}
	var names []string
	for _, p := range found {
		names = append(names, fmt.Sprintf("%d (%s)", p.PID, p.Script))
	}
	return cdp.Process{}, usagef("%d processes fit: name one with --pid: %s", len(found), strings.Join(names, ", "))
}

func findWorker(ctx context.Context, main *cdp.Session, name string) (*cdp.Session, error) {
	workers, err := main.Workers(ctx)
	if err != nil {
		return nil, trouble(err)
	}
	var found *cdp.Session
	var names []string
	for _, s := range workers {
		w := s.Worker()
		names = append(names, fmt.Sprintf("%d (%s)", w.ThreadID, w.Name))
		if strconv.Itoa(w.ThreadID) != name && w.Name != name {
			continue
		}
		if found != nil {
			return nil, usagef("--worker %s: several workers are named so, use the thread id: %s", name, strings.Join(names, ", "))
		}
		found = s
	}
	switch {
	case found != nil:
		return found, nil
	case len(names) == 0:
		return nil, trouble(fmt.Errorf("--worker %s: the process has no worker threads", name))
	}
	return nil, trouble(fmt.Errorf("--worker %s: the process has no such worker: it has %s", name, strings.Join(names, ", ")))
}

package cdp

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Reach is how a process can be inspected.
type Reach string

const (
	ReachInspector Reach = "inspector" // its inspector is open: see Process.Target
	ReachSignal    Reach = "signal"    // SIGUSR1 opens it: see OpenInspector
	ReachNone      Reach = "none"      // Process.Why says why not
)

// Process is a Node.js process of this machine.
type Process struct {
	PID, PPID int
	Args      []string // its command line, or the title it gave itself
	Script    string   // main script as far as the command line tells, "" for node -e
	Reach     Reach
	Why       string  // one line for ReachNone: what stands in the way
	Target    *Target // not nil for ReachInspector
	// CatchesUSR1 says that SIGUSR1 does not kill the process: it is caught, by
	// Node or by the program itself.
	CatchesUSR1 bool
	Children    []int // Node.js processes started by it
}

// Local lists the Node.js processes of this machine in the order of their pids.
// It sends no signal; it asks the ports they listen on, inspectors' ports
// first, whether they are an inspector. It needs Linux's /proc.
func Local(ctx context.Context) ([]Process, error) { return procFS{}.local(ctx) }

func (f procFS) local(ctx context.Context) ([]Process, error) {
	pids, err := f.pids()
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, pid := range pids {
		if !f.isNode(pid) {
			continue
		}
		s, err := f.status(pid)
		if err != nil || s.zombie {
			continue
		}
		args := f.args(pid)
		list = append(list, Process{
			PID: pid, PPID: s.ppid, Args: args, Script: scriptArg(args), CatchesUSR1: s.catchesUSR1(),
		})
	}
	var wg sync.WaitGroup
	for i := range list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f.reach(ctx, &list[i])
		}()
	}
	wg.Wait()
	for i := range list {
		for j := range list {
			if list[j].PPID == list[i].PID {
				list[i].Children = append(list[i].Children, list[j].PID)
			}
		}
	}
	return list, ctx.Err()
}

// reach fills in how the process can be inspected.
func (f procFS) reach(ctx context.Context, p *Process) {
	t, ok, err := f.findInspector(ctx, p.PID)
	switch {
	case ok:
		p.Reach, p.Target = ReachInspector, &t
		if t.Script != "" {
			p.Script = t.Script
		}
	case !f.sameNetwork(p.PID):
		p.Reach, p.Why = ReachNone, "it is in another network namespace: forward its inspector port"
	case err != nil:
		p.Reach, p.Why = ReachNone, "its files in /proc are not readable: run as its user or as root"
	case p.CatchesUSR1:
		p.Reach = ReachSignal
	default:
		p.Reach, p.Why = ReachNone, whyNotCaught
	}
}

const whyNotCaught = "it does not catch SIGUSR1 (--disable-sigusr1 or the permission model): restart it with --inspect=127.0.0.1:0, or with --allow-inspector beside --permission"

// probeTimeout is for one port of this machine, which may be any server's.
const probeTimeout = 500 * time.Millisecond

// findInspector is the open inspector of the process, if it has one. The error
// says that its sockets cannot be seen.
func (f procFS) findInspector(ctx context.Context, pid int) (Target, bool, error) {
	own, err := f.ownListeners(pid)
	if err != nil {
		return Target{}, false, err
	}
	if !f.sameNetwork(pid) {
		return Target{}, false, nil
	}
	// A program's own servers are asked last: the request shows in their logs.
	expected := f.inspectorPort(pid)
	for _, pass := range []func(l listener) bool{
		func(l listener) bool { return int(l.addr.Port()) == expected },
		func(l listener) bool { return int(l.addr.Port()) != expected && l.addr.Addr().IsLoopback() },
		func(l listener) bool { return int(l.addr.Port()) != expected && !l.addr.Addr().IsLoopback() },
	} {
		// At once: the own servers of a frozen program take the connection and say nothing.
		var candidates []listener
		for _, l := range own {
			if pass(l) {
				candidates = append(candidates, l)
			}
		}
		answers := make(chan *Target, len(candidates))
		for _, l := range candidates {
			go func() {
				probe, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				if t, err := Discover(probe, l.dial().String()); err == nil {
					answers <- &t
				} else {
					answers <- nil
				}
			}()
		}
		for range candidates {
			if t := <-answers; t != nil {
				t.PID = pid
				return *t, true, nil
			}
		}
	}
	return Target{}, false, nil
}

// defaultInspectorPort is where SIGUSR1 opens the inspector.
const defaultInspectorPort = 9229

// inspectorPort is the port that the process's options give its inspector, 0
// for one that the system chooses.
func (f procFS) inspectorPort(pid int) int {
	port := defaultInspectorPort
	for _, opts := range [][]string{strings.Fields(f.env(pid, "NODE_OPTIONS")), nodeOptions(f.args(pid))} {
		for i, opt := range opts {
			name, value, ok := strings.Cut(opt, "=")
			switch name {
			case "--inspect", "--inspect-brk", "--inspect-wait":
			case "--inspect-port", "--debug-port":
				if !ok && i+1 < len(opts) {
					value = opts[i+1]
				}
			default:
				continue
			}
			if _, p, err := net.SplitHostPort(value); err == nil {
				value = p
			}
			if n, err := strconv.Atoi(value); err == nil {
				port = n
			}
		}
	}
	return port
}

// nodeOptions are the arguments before the script.
func nodeOptions(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	return args[1 : len(args)-len(afterOptions(args))]
}

// takesValue are node's options whose value is the next argument.
var takesValue = map[string]bool{
	"-r": true, "--require": true, "--import": true, "--loader": true, "--experimental-loader": true,
	"-C": true, "--conditions": true, "--env-file": true, "--inspect-port": true, "--debug-port": true,
	"--title": true,
}

// afterOptions are the script and its arguments, nothing for node -e.
func afterOptions(args []string) []string {
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-e" || a == "--eval" || a == "-p" || a == "--print" || a == "-pe" || a == "-i":
			return nil
		case a == "--":
			return args[i+1:]
		case takesValue[a]:
			i++
		case !strings.HasPrefix(a, "-"):
			return args[i:]
		}
	}
	return nil
}

// LocalPID is the process of this machine that listens on the target's port, 0
// if that is none or no Node.js process, such as the near end of a tunnel.
func LocalPID(t Target) int { return procFS{}.localPID(t) }

func (f procFS) localPID(t Target) int {
	for _, l := range f.listeners(os.Getpid()) {
		if l.dial().String() != t.Addr() {
			continue
		}
		if pid := f.owner(l.inode); pid != 0 && f.isNode(pid) {
			return pid
		}
	}
	return 0
}

// ScriptOf is the main script of a process of this machine, as far as its
// command line tells.
func ScriptOf(pid int) string { return scriptArg(procFS{}.args(pid)) }

func scriptArg(args []string) string {
	rest := afterOptions(args)
	if len(rest) == 0 {
		return ""
	}
	if u, err := url.Parse(rest[0]); err == nil && u.Scheme == "file" {
		return u.Path
	}
	return filepath.Clean(rest[0])
}

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/report"
)

// targetList is the JSON form of heapsnap targets.
type targetList struct {
	Schema  int           `json:"schema"`
	Command string        `json:"command"`
	Targets []targetEntry `json:"targets"`
}

type targetEntry struct {
	PID         int           `json:"pid"`
	PPID        int           `json:"ppid"`
	Script      string        `json:"script,omitempty"`
	Args        []string      `json:"args"`
	Reach       cdp.Reach     `json:"reach"`
	Why         string        `json:"why,omitempty"`
	Address     string        `json:"address,omitempty"`
	NodeVersion string        `json:"nodeVersion,omitempty"`
	Children    []int         `json:"children"`
	Workers     []workerEntry `json:"workers,omitempty"`
}

type workerEntry struct {
	ThreadID int    `json:"threadId"`
	Name     string `json:"name"`
	URL      string `json:"url,omitempty"`
}

func newTargets(a *app) *cobra.Command {
	var format string
	var workers bool
	var pid int
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "Node.js processes of this machine, and how to reach them",
		Long: `List the Node.js processes of this machine and how each can be inspected. No
signal is sent to any of them. Worker threads are listed with --workers only:
for that, heapsnap has to connect to each process, which then prints
"Debugger attached." on its stderr, and V8 numbers its objects anew when heapsnap
leaves: a check or capture of that process that is under way elsewhere then fails.
Name the process with --pid.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usagef("format %q is unknown: it is text or json", format)
			}
			list, err := listTargets(cmd.Context(), pid, workers)
			if err != nil {
				return trouble(err)
			}
			if format == "json" {
				return writeIndented(a.out, list)
			}
			return a.writeTargets(list)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&workers, "workers", false, "connect to each open inspector and list its worker threads")
	cmd.Flags().IntVar(&pid, "pid", 0, "this process only")
	return cmd
}

// listTargets lists all processes, or the one with a pid other than 0.
func listTargets(ctx context.Context, pid int, workers bool) (targetList, error) {
	list := targetList{Schema: 1, Command: "targets", Targets: []targetEntry{}}
	all, err := cdp.Local(ctx)
	if err != nil {
		return list, err
	}
	for _, p := range all {
		if pid != 0 && p.PID != pid {
			continue
		}
		e := targetEntry{
			PID: p.PID, PPID: p.PPID, Script: p.Script, Reach: p.Reach, Why: p.Why,
			Args: append([]string{}, p.Args...), Children: append([]int{}, p.Children...),
		}
		if p.Target != nil {
			e.Address, e.NodeVersion = p.Target.Addr(), p.Target.NodeVersion
			if workers {
				// A process that ends meanwhile has no workers either.
				e.Workers, _ = listWorkers(ctx, *p.Target)
			}
		}
		list.Targets = append(list.Targets, e)
	}
	if pid != 0 && len(list.Targets) == 0 {
		return list, fmt.Errorf("process %d is no Node.js process that can be seen from here", pid)
	}
	return list, ctx.Err()
}

// workersPatience is for one process: a frozen one does not answer at all.
const workersPatience = 3 * time.Second

func listWorkers(ctx context.Context, t cdp.Target) ([]workerEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, workersPatience)
	defer cancel()
	s, err := cdp.Dial(ctx, t)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	sessions, err := s.Workers(ctx)
	var list []workerEntry
	for _, s := range sessions {
		w := s.Worker()
		list = append(list, workerEntry{w.ThreadID, w.Name, w.URL})
	}
	return list, err
}

func (a *app) writeTargets(list targetList) error {
	if len(list.Targets) == 0 {
		a.note("no Node.js process is running that can be seen from here")
		return nil
	}
	var b strings.Builder
	for _, t := range list.Targets {
		name := t.Script
		if name == "" {
			name = strings.Join(t.Args, " ")
		}
		fmt.Fprintf(&b, "%7d  %s\n", t.PID, short(name, 200))
		switch t.Reach {
		case cdp.ReachInspector:
			fmt.Fprintf(&b, "         inspector at %s, Node %s: heapsnap capture --pid %d -o heap.heapsnapshot\n", t.Address, report.Printable(t.NodeVersion), t.PID)
		case cdp.ReachSignal:
			fmt.Fprintf(&b, "         SIGUSR1 opens its inspector:  heapsnap capture --pid %d -o heap.heapsnapshot\n", t.PID)
		default:
			fmt.Fprintf(&b, "         out of reach: %s\n", report.Printable(t.Why))
		}
		for _, w := range t.Workers {
			fmt.Fprintf(&b, "         worker %d (%s)  %s\n", w.ThreadID, short(w.Name, 60), short(w.URL, 200))
		}
		if len(t.Children) > 0 {
			fmt.Fprintf(&b, "         started %s\n", strings.Trim(fmt.Sprint(t.Children), "[]"))
		}
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// short is a name in one line of bounded length.
func short(s string, max int) string {
	r := []rune(report.Printable(s))
	if len(r) <= max {
		return string(r)
	}
	return string(r[:max/2]) + "…" + string(r[len(r)-max/2:])
}

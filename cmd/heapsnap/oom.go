package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/oom"
	"heapsnap/report"
)

type oomCommand struct {
	app    *app
	out    *output
	exit   int
	signal string
	noHeap bool
}

func newOOM(a *app) *cobra.Command {
	c := &oomCommand{app: a, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "oom FOLDER | FILE ...",
		Short: "What killed a process that ran out of memory",
		Long: `Put together what a death left behind, and say which it was: V8 at its heap's
limit, the kernel at the container's, a worker's limit, refused memory, native
code, or no death of memory at all; what had filled the memory; who held the
heap, on which line; what to change, and what to collect next time.

A FOLDER is read with all its files, a level deep. Known are heap snapshots (also
one that is cut short), diagnostic reports, logs with V8's or the kernel's
messages, GC traces, files of a control group (memory.events, memory.peak,
memory.max, ...) and of /proc (status, smaps_rollup, smaps), kubectl get pod -o
json, docker inspect, and what heapsnap watch and doctor wrote before.

The exit code is 1 if the death is explained, 4 if the evidence does not tell.`,
		Example: `  heapsnap oom ./crash
  heapsnap oom --exit 137 app.log memory.events watch.ndjson
  kubectl get pod api-7 -o json > crash/pod.json; heapsnap oom crash`,
		Args: arguments(1, -1, "a folder or files"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.IntVar(&c.exit, "exit", -1, "exit `CODE` of the process, 128 and the signal's number for one that was killed")
	f.StringVar(&c.signal, "signal", "", "`SIGNAL` that ended it, such as SIGKILL")
	f.BoolVar(&c.noHeap, "no-heap", false, "do not read snapshots")
	c.out.flags(cmd)
	f.Lookup("format").Usage = "format on stdout: text, json"
	f.Lookup("verbose").Usage = "in text: all suspects, all files"
	return cmd
}

func (c *oomCommand) run(ctx context.Context, args []string) error {
	if c.exit < -1 || c.exit > 255 {
		return usagef("--exit %d: want an exit code, 0 to 255", c.exit)
	}
	defer c.out.close()
	if err := c.out.open(report.Text, report.JSON); err != nil {
		return err
	}
	e, err := oom.Collect(args)
	if err != nil {
		return usageError{err}
	}
	if c.exit >= 0 {
		e.Exit = &c.exit
	}
	if c.signal != "" {
		e.Signal = "SIG" + strings.TrimPrefix(strings.ToUpper(c.signal), "SIG")
	}
	d := oom.Explain(e)
	r := oomReport(e, d)
	if !c.noHeap {
		if err := c.suspects(ctx, e, r); err != nil {
			return err
		}
	}
	err = c.out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteOOM(w, r, f, o) })
	if err != nil {
		return err
	}
	return byVerdict(r.Verdict)
}

// suspects reads the last snapshot that is whole, or else as much of the last
// one as there is.
func (c *oomCommand) suspects(ctx context.Context, e *oom.Evidence, r *report.OOM) error {
	line := c.app.progress()
	defer line.clear()
	var order []oom.Snapshot
	for _, whole := range []bool{true, false} {
		for i := len(e.Snapshots) - 1; i >= 0; i-- {
			if e.Snapshots[i].Whole == whole {
				order = append(order, e.Snapshots[i])
			}
		}
	}
	for _, s := range order {
		found, err := check.Suspects(ctx, s.Path, check.JudgeOptions{Progress: line.judging, Salvage: !s.Whole})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: %v", s.Path, err))
			continue
		}
		r.Snapshot = s.Path
		r.Warnings = append(r.Warnings, found.Warnings...)
		for _, f := range found.Findings {
			x := report.OOMSuspect{Rule: f.Rule, Title: f.Title, Holder: f.Holder.Name, Bytes: f.Survivors.Bytes, Count: f.Survivors.Count, Fix: f.Fix}
			if f.Location != nil {
				x.File, x.Line, x.Column = f.Location.File, f.Location.Line, f.Location.Column
			}
			r.Suspects = append(r.Suspects, x)
		}
		if r.Verdict == report.Explained && len(r.Suspects) > 0 && (r.Cause == "js-heap" || r.Cause == "buffers" || r.Cause == "worker") {
			s := r.Suspects[0]
			r.Sentence += ": " + s.Title
			if s.File != "" {
				r.Sentence += fmt.Sprintf(", see %s:%d", s.File, s.Line)
			}
		}
		return nil
	}
	return nil
}

// causeWords are causes as a sentence goes on.
var causeWords = map[string]string{
	"js-heap": "the JavaScript heap had filled it", "buffers": "Buffers had filled it", "external": "native memory behind JavaScript objects had filled it",
	"fragmentation": "memory that malloc keeps had filled it", "native": "native code had filled it", "worker": "a worker thread's heap had filled it",
	"other-process": "another process had filled it", "limit-above-container": "the heap may grow beyond the container",
	"limit-below-container": "the limit leaves much of the container unused", "stacks": "stacks had filled it", "shared": "shared memory had filled it",
}

// oomReport maps evidence and death to what is told.
func oomReport(e *oom.Evidence, d *oom.Death) *report.OOM {
	r := &report.OOM{
		Head: head("oom"), Verdict: report.Explained, Death: string(d.Kind), Cause: d.Cause, Sentence: d.Title,
		Evidence: d.Evidence, Findings: memoryFindings(d.Findings), Change: d.Change, Collect: d.Collect, Warnings: e.Warnings,
		Target: report.DoctorTarget{NodeVersion: e.Node}, Figures: d.FactsOf,
	}
	if d.Kind == oom.Unknown {
		r.Verdict, r.Sentence = report.Inconclusive, "what was found does not tell which death it was"
	} else if words := causeWords[d.Cause]; words != "" {
		r.Sentence += "; " + words
	}
	for _, f := range e.Files {
		r.Files = append(r.Files, report.OOMFile{Path: f.Path, Kind: f.Kind, Note: f.Note})
	}
	for _, o := range e.Options.Given {
		r.Options = append(r.Options, report.MemoryOption{Text: o.Text, From: o.From})
	}
	if f := d.Facts; f != nil {
		r.Target.PID = f.PID
		r.Process = processMemory(f.Process)
		if len(f.Isolates) > 0 && f.Process.RSS > 0 { // without a heap's figures all would be unexplained
			r.Memory = memoryParts(f.Account())
		}
		r.Container, r.Heaps = containerOf(f.Group), heapFigures(*f)
	}
	return r
}

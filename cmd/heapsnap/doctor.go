package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/memory"
	"heapsnap/report"
)

type doctorCommand struct {
	app    *app
	target targetFlags
	out    *output
	gc     bool
	sample time.Duration
}

func newDoctor(a *app) *cobra.Command {
	c := &doctorCommand{app: a, target: targetFlags{app: a}, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "doctor [SCRIPT]",
		Short: "What a live process's memory is made of, and what is wrong with it",
		Long: `Say where the resident memory of a Node.js process goes: heaps, Buffers, what V8
knows of outside, code, stacks, and what nobody explains; how near that is to the
limits of the heap and of the container; whether the options fit; and what to
change. Each verdict has a rule's name and the number that made it apply.

The process runs on; it is asked once, and nothing of it is changed. With --gc,
V8 collects all garbage first, so that what is left is live: the program stands
still for it, about a second for a gigabyte.

The exit code is 1 for trouble, 0 otherwise. Whether memory grows, one look cannot
tell: see heapsnap watch.`,
		Example: `  heapsnap doctor --pid 4242
  heapsnap doctor --sample 20s --pid 4242
  heapsnap doctor --gc --format json server.js
  heapsnap doctor --k8s shop/api-7d9c/app`,
		Args: arguments(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.BoolVar(&c.gc, "gc", false, "collect garbage first: what is left is live")
	f.DurationVar(&c.sample, "sample", 0, "also sample the main thread's allocations for so long: who makes what stays, where a snapshot would not fit")
	c.target.flags(cmd)
	c.target.remote(cmd)
	f.Lookup("worker").Hidden = true // all workers are looked at
	c.out.flags(cmd)
	f.Lookup("format").Usage = "format on stdout: text, json"
	f.Lookup("verbose").Usage = "in text: V8's spaces, the process's figures"
	return cmd
}

func (c *doctorCommand) run(ctx context.Context, args []string) error {
	if c.target.worker != "" {
		return usagef("doctor: --worker: all worker threads are looked at, leave the flag out")
	}
	if c.sample < 0 {
		return usagef("--sample %s: want a duration above 0", c.sample)
	}
	defer c.out.close()
	if err := c.out.open(report.Text, report.JSON); err != nil {
		return err
	}
	conn, err := c.target.connect(ctx, args)
	if err != nil {
		return err
	}
	defer conn.close()
	facts, err := memory.Look(ctx, conn.main, memory.LookOptions{Collect: c.gc})
	if err != nil {
		return trouble(err)
	}
	r := doctorReport(facts, memory.Diagnose(facts))
	r.Target.Address = conn.main.Target().Addr()
	if c.sample > 0 {
		line := c.app.progress()
		p, err := sampleHeap(ctx, conn.main, cdp.SamplingOptions{}, c.sample, func(passed time.Duration) {
			line.show("sampling: %s of %s", passed.Round(time.Second), c.sample)
		})
		line.clear()
		if err != nil {
			return trouble(err)
		}
		r.SampledMS = float64(p.Info.Duration.Milliseconds())
		r.Sites = sampleSites(p.Sites(originals(ctx, conn.main)), p.Bytes())
	}
	err = c.out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteDoctor(w, r, f, o) })
	if err != nil {
		return err
	}
	return byVerdict(r.Verdict)
}

// doctorReport maps facts and what they say to what is told.
func doctorReport(f memory.Facts, found []memory.Finding) *report.Doctor {
	r := &report.Doctor{
		Head: head("doctor"), Verdict: report.Healthy,
		Target:  report.DoctorTarget{PID: f.PID, Script: f.Script, NodeVersion: f.NodeVersion},
		Process: processMemory(f.Process), Memory: memoryParts(f.Account()), Container: containerOf(f.Group),
		Host:     report.HostMemory{Total: f.Host.Total, Available: f.Host.Available},
		Heaps:    heapFigures(f),
		Findings: memoryFindings(found),
		Warnings: f.Warnings,
	}
	for _, o := range f.Process.Options.Given {
		r.Options = append(r.Options, report.MemoryOption{Text: o.Text, From: o.From})
	}
	for _, o := range f.Others {
		r.Others = append(r.Others, report.OtherProcess{PID: o.PID, Name: o.Name, Anonymous: o.Anon})
	}
	share, of := f.Pressure()
	switch {
	case len(found) > 0 && found[0].Severity == memory.Trouble:
		r.Verdict, r.Rule, r.Sentence = report.Trouble, found[0].Rule.Name, found[0].Title
	case len(found) > 0:
		r.Rule = found[0].Rule.Name
		fallthrough
	default:
		r.Sentence = "no limit is near"
		if share > 0 {
			r.Sentence = fmt.Sprintf("the nearest limit is the %s's, at %.0f %%", of, 100*share)
		}
	}
	if f.Script != "" {
		r.Sentence = path.Base(f.Script) + ": " + r.Sentence
	}
	return r
}

func processMemory(p memory.Process) report.ProcessMemory {
	return report.ProcessMemory{
		RSS: p.RSS, Peak: p.Peak, Anonymous: p.Anon, File: p.File, Shared: p.Shared, Swap: p.Swap, Threads: p.Threads,
		Allocator: p.Allocator, Arenas: p.Arenas, ArenaBytes: p.ArenaBytes,
	}
}

func memoryParts(a memory.Account) []report.MemoryPart {
	var all []report.MemoryPart
	for _, p := range a.Parts {
		m := report.MemoryPart{Part: string(p.Name), Bytes: p.Bytes}
		if a.RSS > 0 {
			m.Share = float64(p.Bytes) / float64(a.RSS)
		}
		all = append(all, m)
	}
	return all
}

// containerOf is nil where there is no control group.
func containerOf(g memory.Group) *report.Container {
	if g.Version == 0 {
		return nil
	}
	c := &report.Container{
		CgroupVersion: g.Version, Path: g.Path, Limit: g.Limit, High: g.High, Current: g.Current, Working: g.Working(), Peak: g.Peak,
		AtLimit: g.AtLimit, Kills: g.Kills,
	}
	if g.Limit > 0 {
		c.Used = float64(g.Working()) / float64(g.Limit)
	}
	return c
}

func heapFigures(f memory.Facts) []report.HeapFigures {
	var all []report.HeapFigures
	for _, i := range f.Isolates {
		h := report.HeapFigures{
			ThreadID: i.ThreadID, Name: i.Name, Limit: i.Limit, OldLimit: i.OldLimit(f.Process.Options, f.Major()), Used: i.Used, OldUsed: i.OldUsed(),
			Live: i.Live, Total: i.Total, Physical: i.Physical, External: i.External, ArrayBuffers: i.ArrayBuffers, Malloced: i.Malloced,
			Contexts: i.Contexts, Detached: i.Detached,
		}
		for _, s := range i.Spaces {
			h.Spaces = append(h.Spaces, report.HeapSpace{Name: s.Name, Size: s.Size, Used: s.Used, Physical: s.Physical})
		}
		all = append(all, h)
	}
	return all
}

func memoryFindings(found []memory.Finding) []report.MemoryFinding {
	var all []report.MemoryFinding
	for _, m := range found {
		f := report.MemoryFinding{
			Rule: m.Rule.Name, Severity: "note", Title: m.Title, Evidence: m.Evidence, Fix: m.Fix,
			Trigger: report.MemoryTrigger{Name: m.Trigger.Name, Value: m.Trigger.Value, Limit: m.Trigger.Limit, Unit: m.Trigger.Unit},
		}
		if m.Severity == memory.Trouble {
			f.Severity = "trouble"
		}
		all = append(all, f)
	}
	return all
}

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"heapsnap/eventloop"
	"heapsnap/report"
)

// maxStack bounds the frames of a stack in a report.
const maxStack = 64

// loopReport maps an analysis to what is told.
func loopReport(a *eventloop.Analysis) *report.Loop {
	rec := a.Recording
	since := func(us int64) float64 { return float64(us-rec.Start) / 1000 }
	r := &report.Loop{
		Head: head("loop"), Target: loopTarget(rec), NodeVersion: rec.Target.NodeVersion,
		Verdict: report.Verdict(a.Verdict), Sentence: a.Sentence, Delay: loopDelay(a.Delay, a.Measured),
		Utilization: a.Utilization, GCShare: a.GCShare, ThresholdMS: inMS(a.Threshold),
		DurationMS: since(rec.End), ProfiledMS: inMS(a.Profiled), StarvedMS: inMS(a.Starved), Warnings: a.Warnings,
	}
	for _, f := range a.Findings {
		lf := report.LoopFinding{
			Rule: f.Cause.Name, Title: f.Title, TotalMS: inMS(f.Total), WorstMS: inMS(f.Worst), Count: f.Count, Share: f.Share,
			Function: f.Site.Function, File: f.Site.File, Line: f.Site.Line, Column: f.Site.Column, Code: f.Code,
			Compiled: f.Site.Compiled, Package: f.Package, Through: f.Through,
			Stack: loopStack(f.Stack), Evidence: f.Evidence, Requests: f.Requests, Fix: f.Fix, Fingerprint: loopFingerprint(&f),
		}
		for _, s := range f.Also {
			lf.Locations = append(lf.Locations, loopLocation(s))
		}
		r.Findings = append(r.Findings, lf)
	}
	for _, b := range a.Blocks {
		r.Blocks = append(r.Blocks, report.LoopBlock{
			StartMS: since(b.Start), DurationMS: inMS(b.Duration), WallMS: inMS(b.Wall), GCMS: inMS(b.GC), Cause: b.Cause.Name, Detail: b.Detail,
			Function: b.Site.Function, File: b.Site.File, Line: b.Site.Line, Column: b.Site.Column,
			Requests: b.Requests, Stack: loopStack(b.Stack),
		})
	}
	for _, c := range a.Causes {
		r.Causes = append(r.Causes, report.LoopCause{Cause: c.Cause, TotalMS: inMS(c.Time), Count: c.Count})
	}
	for _, t := range a.Threads {
		r.Threads = append(r.Threads, report.LoopThread{
			ID: t.ID, Name: t.Name, Utilization: t.Utilization, Busy: t.Busy, GCShare: t.GCShare, Delay: loopDelay(t.Delay, a.Measured),
			Blocks: t.Blocks, LongestMS: inMS(t.Longest), Function: t.Top.Function, File: t.Top.File, Line: t.Top.Line,
		})
	}
	main := rec.Main()
	for _, d := range main.Vitals.Delays {
		r.Curve = append(r.Curve, report.LoopLate{AtMS: since(d.At), LateMS: float64(d.Max) / 1000})
	}
	for _, g := range main.GCs {
		if g.Duration >= 1000 {
			r.GCs = append(r.GCs, report.LoopGC{StartMS: since(g.Start), DurationMS: float64(g.Duration) / 1000, Kind: g.Kind})
		}
	}
	if len(main.Profiles) > 0 {
		r.ProfileStartMS = since(main.Profiles[0].StartTime)
	}
	r.Flames = loopFlames(a.Flames)
	return r
}

// loopTarget is the program, and the worker where it is one that was recorded.
func loopTarget(rec *eventloop.Recording) string {
	if t := rec.Main(); t.ID != 0 {
		return strings.TrimSpace(fmt.Sprintf("%s worker %d %s", rec.Target.Script, t.ID, t.Name))
	}
	return rec.Target.Script
}

func loopFlames(flames []eventloop.Flame) []report.LoopFlame {
	var out []report.LoopFlame
	for _, f := range flames {
		lf := report.LoopFlame{Thread: f.Thread.ID, Name: f.Thread.Name, TotalMS: inMS(f.Total), Left: f.Left}
		for _, x := range f.Frames {
			lf.Frames = append(lf.Frames, report.LoopFrame{
				Parent: x.Parent, Location: loopLocation(x.Site), Kind: string(x.Kind), TotalMS: inMS(x.Total), SelfMS: inMS(x.Self),
			})
		}
		out = append(out, lf)
	}
	return out
}

// loopFingerprint is equal for the same cause in the same function in another
// run or on another machine: it has no line, no time, and of the path the name.
func loopFingerprint(f *eventloop.Finding) string {
	pkg := f.Package
	if at := strings.LastIndex(pkg, "@"); at > 0 {
		pkg = pkg[:at] // without its version
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Cause.Name, f.Site.Function, filepath.Base(f.Site.File), pkg}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

func inMS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func loopDelay(p eventloop.Percentiles, measured bool) report.LoopDelay {
	return report.LoopDelay{P50: inMS(p.P50), P90: inMS(p.P90), P99: inMS(p.P99), Max: inMS(p.Max), Measured: measured}
}

func loopLocation(s eventloop.Site) report.Location {
	return report.Location{Function: s.Function, File: s.File, Line: s.Line, Column: s.Column, Package: s.Package, Compiled: s.Compiled}
}

func loopStack(sites []eventloop.Site) []report.Location {
	var out []report.Location
	for _, s := range sites[:min(len(sites), maxStack)] {
		out = append(out, loopLocation(s))
	}
	return out
}

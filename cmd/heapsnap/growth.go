package main

import (
	"fmt"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/report"
)

// fillGrowth puts what diff found into the report: each growth site that is no
// harmless one becomes a finding of the rule "growth", which names the holder
// and explains nothing.
func fillGrowth(r *report.Report, d *diff.Diff) {
	paths := d.Last.Paths(nil)
	for _, g := range d.Sites {
		switch g.Judgement {
		case diff.Leak, diff.Growth:
			r.Findings = append(r.Findings, growthFinding(d, g, paths))
		case diff.Bounded, diff.WarmUp, diff.InFlight:
			all := g.Survivors()
			r.Quiet = append(r.Quiet, report.Quiet{
				Judgement: string(g.Judgement), Holder: holderOf(d.Last, g.Holder).Name, Count: all.Count, Bytes: all.Bytes, PerRound: g.Count, Why: g.Why,
			})
		}
	}
	part := func(j diff.Judgement) uint64 { return d.Parts[j].Bytes }
	r.Accounted = report.Accounted{
		Total: d.Total.Bytes, Leaks: part(diff.Leak) + part(diff.Growth), Bounded: part(diff.Bounded), WarmUp: part(diff.WarmUp),
		InFlight: part(diff.InFlight), Churn: part(diff.Churn), Small: part(diff.Small),
	}
	r.Verdict, r.Sentence = verdict(d, r.Findings)
	r.Normalize()
}

// verdict never says clean of two captures: what was born between them may be
// there to stay or not.
func verdict(d *diff.Diff, fs []report.Finding) (report.Verdict, string) {
	rounds := d.Captures - 1
	if len(fs) == 0 {
		if rounds < 2 {
			return report.Inconclusive, "nothing notable grew, but two captures cannot tell a leak from a warm-up: take at least three"
		}
		return report.Clean, fmt.Sprintf("nothing kept growing over %d rounds", rounds)
	}
	where := ""
	if l := fs[0].Location; l != nil {
		where = fmt.Sprintf(", look at %s:%d", l.File, l.Line)
	}
	if rounds < 2 {
		return report.Inconclusive, fmt.Sprintf("%s grew%s; two captures cannot tell whether it goes on: take at least three", fs[0].Holder.Name, where)
	}
	leaks := "1 leak"
	if len(fs) > 1 {
		leaks = fmt.Sprintf("%d leaks, the worst", len(fs))
	}
	return report.Leak, fmt.Sprintf("%s: %s grows in every round%s", leaks, fs[0].Holder.Name, where)
}

func growthFinding(d *diff.Diff, g *diff.GrowthSite, paths *heapsnap.PathTree) report.Finding {
	s := d.Last
	all := g.Survivors()
	f := report.Finding{
		Rule:       "growth",
		Title:      fmt.Sprintf("%s grows and nothing is removed", holderOf(s, g.Holder).Name),
		Verdict:    report.Verdict(g.Judgement),
		Confidence: g.Confidence,
		Holder:     holderOf(s, g.Holder),
		Survivors:  report.Survivors{Count: all.Count, Bytes: all.Bytes, PerRound: g.Count, BytesPerRound: g.Bytes, Entries: g.Entry},
		Evidence:   []string{g.Why},
		Fix:        "Find where entries are added to the holder and remove them when they are not needed any more, or bound it.",
	}
	f.Holder.PerCapture = g.Population
	for _, h := range g.Holders {
		f.Holders = append(f.Holders, holderOf(s, h))
	}
	if len(f.Holders) > 0 {
		f.Holders[0].PerCapture = g.Population
	}
	f.Path = append(f.Path, report.Step{Node: nameOf(s, s.Root())})
	for _, step := range paths.To(g.Holder) {
		to := s.To(step.Edge)
		f.Path = append(f.Path, report.Step{Edge: edgeWords(s, step.Edge), Node: nameOf(s, to), ID: uint64(s.ID(to))})
	}
	if len(g.Entries) > 0 {
		e := g.Entries[0]
		f.Path = append(f.Path, report.Step{Edge: g.Label, Node: nameOf(s, e), ID: uint64(s.ID(e))})
	}
	for _, c := range g.Classes[:min(len(g.Classes), 5)] {
		f.Sample = append(f.Sample, fmt.Sprintf("%d × %s", c.Total, c.Class))
	}
	f.Location, f.Locations = places(s, g)
	return f
}

// places are the lines that the entries, then the other survivors, were
// written on: closures, and constructors of objects.
func places(s *heapsnap.Snapshot, g *diff.GrowthSite) (first *report.Location, more []report.Location) {
	seen := map[heapsnap.Location]bool{}
	add := func(n heapsnap.Node, role string) {
		l := s.Location(n)
		if l == nil || l.Script == "" || seen[*l] {
			return
		}
		seen[*l] = true
		at := report.Location{File: l.Script, Line: l.Line, Column: l.Column, Role: role}
		if first == nil {
			first = &at
		} else {
			more = append(more, at)
		}
	}
	role := func(n heapsnap.Node) string {
		if s.Type(n) == heapsnap.Closure {
			return "function that stays"
		}
		return "constructor of what stays"
	}
	for _, e := range g.Entries[:min(len(g.Entries), 100)] {
		add(e, role(e))
	}
	for _, c := range g.Classes {
		add(c.Sample, role(c.Sample))
	}
	return first, more
}

func holderOf(s *heapsnap.Snapshot, n heapsnap.Node) report.Holder {
	return report.Holder{Class: s.ClassName(n), ID: uint64(s.ID(n)), Name: nameOf(s, n)}
}

func nameOf(s *heapsnap.Snapshot, n heapsnap.Node) string {
	name := s.Name(n)
	switch {
	case s.Type(n) == heapsnap.Closure && name == "":
		return "anonymous function"
	case s.Type(n) == heapsnap.Closure:
		return "function " + name
	case name == "" && n == s.Root():
		return "root"
	case name == "":
		return s.ClassName(n)
	}
	return name
}

func edgeWords(s *heapsnap.Snapshot, e heapsnap.Edge) string {
	name := s.EdgeName(e)
	switch s.EdgeType(e) {
	case heapsnap.PropertyEdge:
		return "." + name
	case heapsnap.ElementEdge:
		return "[" + name + "]"
	case heapsnap.ContextEdge:
		return "variable " + name
	}
	return name
}

package main

import (
	"fmt"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/leak"
	"heapsnap/report"
)

// fill puts what diff found and leak explained into the report, and the
// verdict that follows.
func fill(r *report.Report, d *diff.Diff, found []leak.Finding) {
	for _, f := range found {
		r.Findings = append(r.Findings, finding(f))
	}
	for _, g := range d.Sites {
		switch g.Judgement {
		case diff.Bounded, diff.WarmUp, diff.InFlight:
			all := g.Survivors()
			r.Quiet = append(r.Quiet, report.Quiet{
				Judgement: string(g.Judgement), Holder: holderName(d.Last, g), Count: all.Count, Bytes: all.Bytes, PerRound: g.Count, Why: g.Why,
			})
		}
	}
	part := func(j diff.Judgement) uint64 { return d.Parts[j].Bytes }
	r.Accounted = report.Accounted{
		Total: d.Total.Bytes, Leaks: part(diff.Leak) + part(diff.Growth), Bounded: part(diff.Bounded), WarmUp: part(diff.WarmUp),
		InFlight: part(diff.InFlight), Churn: part(diff.Churn), Small: part(diff.Small),
	}
	r.Verdict, r.Sentence = verdict(d.Captures-1, r.Findings)
	r.Normalize()
}

// holderName is the short name of a holder that no rule was asked about.
func holderName(s *heapsnap.Snapshot, g *diff.GrowthSite) string {
	name := s.ClassName(g.Holder)
	if g.Label != "" {
		name += " " + g.Label
	}
	return name
}

// verdict never says clean of two captures: what was born between them may be
// there to stay or not.
func verdict(rounds int, fs []report.Finding) (report.Verdict, string) {
	if len(fs) == 0 {
		if rounds < 2 {
			return report.Inconclusive, "nothing notable grew, but two captures cannot tell a leak from a warm-up: take at least three"
		}
		return report.Clean, fmt.Sprintf("nothing kept growing over %d rounds", rounds)
	}
	what := fs[0].Title
	if l := fs[0].Location; l != nil {
		what += fmt.Sprintf(", at %s:%d", l.File, l.Line)
	}
	switch {
	case rounds < 2:
		return report.Inconclusive, what + "; two captures cannot tell whether it goes on: take at least three"
	case len(fs) == 1:
		return report.Leak, what
	}
	return report.Leak, fmt.Sprintf("%d leaks; the worst: %s", len(fs), what)
}

func finding(f leak.Finding) report.Finding {
	all := f.Site.Survivors()
	out := report.Finding{
		Rule: f.Rule, Title: f.Title, Verdict: report.Verdict(f.Site.Judgement), Confidence: f.Site.Confidence,
		Holder:    holder(f.Holder),
		Survivors: report.Survivors{Count: all.Count, Bytes: all.Bytes, PerRound: f.Site.Count, BytesPerRound: f.Site.Bytes},
		Sample:    f.Sample, Evidence: append(append([]string{}, f.Evidence...), f.Site.Why), Fix: f.Fix, Fingerprint: f.Fingerprint,
	}
	if f.Unit != "objects" { // those are counted anyway
		out.Survivors.Entries, out.Survivors.Unit = f.Entries, f.Unit
	}
	if len(f.Also) > 0 {
		out.Holders = append(out.Holders, out.Holder)
		for _, o := range f.Also {
			out.Holders = append(out.Holders, holder(o))
		}
	}
	for _, h := range f.Path {
		out.Path = append(out.Path, report.Step{Edge: h.Edge, Node: h.Node, ID: uint64(h.ID)})
	}
	if f.Location != nil {
		l := place(*f.Location)
		out.Location = &l
	}
	for _, l := range f.Locations {
		out.Locations = append(out.Locations, place(l))
	}
	return out
}

func holder(o leak.Object) report.Holder {
	return report.Holder{Class: o.Class, ID: uint64(o.ID), Name: o.Name}
}

func place(l leak.Location) report.Location {
	return report.Location{Function: l.Function, File: l.File, Line: l.Line, Column: l.Column, Role: l.Role, Code: l.Code}
}

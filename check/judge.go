package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"heapsnap/cdp"
	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
	"heapsnap/leak"
	"heapsnap/report"
)

// ErrNotComparable is wrapped by errors about snapshots that are not of one
// process, or were captured in different ways.
var ErrNotComparable = errors.New("not comparable")

// JudgeOptions are what a judgement may be told. The zero value works.
type JudgeOptions struct {
	// Progress is told what is being done, by several goroutines; it must return soon.
	Progress func(what string, bytes uint64)
	// Source returns a script's text, see [leak.Options]; nil takes what the
	// snapshots' sidecars have, and reads files for the rest.
	Source func(script string) ([]byte, error)
	// Classes asks for the classes of the first capture against the last, as
	// DevTools' comparison view has them; the first must then be read whole.
	Classes bool
	// Loop is what the event loop is held to, by Examine only.
	Loop LoopBudget
	// Salvage opens files that were cut short as far as they go.
	Salvage bool
}

// Judge compares the snapshots in files, oldest first, and returns the report
// of what grew, with Command and Version left to the caller. Of all but the
// last only the identities of objects are kept.
func Judge(ctx context.Context, paths []string, o JudgeOptions) (*report.Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, uint64) {}
	}
	r := &report.Report{}
	var err error
	if r.Warnings, err = comparable(paths); err != nil {
		return nil, err
	}
	reading := func(path string) heapsnap.Options {
		return heapsnap.Options{Progress: func(read int64) { o.Progress("reading "+path, uint64(read)) }, Salvage: o.Salvage}
	}
	earlier, census, last, err := open(ctx, paths, o.Classes, reading)
	if err != nil {
		return nil, err
	}
	for i, ids := range earlier {
		r.Captures = append(r.Captures, describe(paths[i], "", ids.Count(), ids.Bytes()))
	}
	r.Captures = append(r.Captures, Describe(last, paths[len(paths)-1]))
	r.Warnings = append(r.Warnings, last.Warnings()...)

	o.Progress("comparing", 0)
	d, err := diff.Compare(ctx, earlier, last, diff.Options{Populations: populations(paths, last.Holes(), o.Salvage), Texts: texts(paths, o.Salvage)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(paths, ", "), err)
	}
	o.Progress("explaining", 0)
	found, err := leak.Run(ctx, d, leak.Options{Source: sources(paths, o.Source)})
	if err != nil {
		return nil, err
	}
	fill(r, d, found)
	noteOutside(r, d, found)
	if census != nil {
		o.Progress("comparing classes", 0)
		r.Classes = classes(census.Compare(last))
	}
	r.Normalize()
	return r, nil
}

// open reads all snapshots side by side, as one core cuts a file into pieces
// however many parse them, and with classes the first one's before the others. The
// error is that of the first file in order that has one.
func open(ctx context.Context, paths []string, classes bool, reading func(path string) heapsnap.Options) ([]*heapsnap.Identities, *heapsnap.Census, *heapsnap.Snapshot, error) {
	var (
		earlier = make([]*heapsnap.Identities, len(paths)-1)
		census  *heapsnap.Census
		last    *heapsnap.Snapshot
		errs    = make([]error, len(paths))
		reads   sync.WaitGroup
		room    = make(chan struct{}, 2) // beside the last: what is read takes more memory than what is kept
	)
	for i, path := range paths {
		switch {
		case i == len(earlier):
			last, errs[i] = heapsnap.Open(ctx, path, reading(path))
		case i == 0 && classes: // whole, and gone before the last is
			first, err := heapsnap.Open(ctx, path, reading(path))
			if err != nil {
				return nil, nil, nil, err
			}
			census, earlier[i] = first.Census(), first.Identities()
		default:
			reads.Go(func() {
				room <- struct{}{}
				earlier[i], errs[i] = heapsnap.OpenIdentities(ctx, path, reading(path))
				<-room
			})
		}
	}
	reads.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, nil, nil, err
		}
	}
	return earlier, census, last, nil
}

// populations reads earlier captures once more, which stdin does not allow, nor
// a file that was cut short.
func populations(paths []string, holes []heapsnap.ObjectID, salvage bool) func(context.Context, int, []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
	if salvage || slices.Contains(paths, "-") {
		return nil
	}
	return func(ctx context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
		return heapsnap.OpenPopulations(ctx, paths[capture], ids, holes, heapsnap.Options{})
	}
}

// texts likewise reads how much text objects had.
func texts(paths []string, salvage bool) func(context.Context, int, []heapsnap.ObjectID) (map[heapsnap.ObjectID]uint64, error) {
	if salvage || slices.Contains(paths, "-") {
		return nil
	}
	return func(ctx context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]uint64, error) {
		return heapsnap.OpenTexts(ctx, paths[capture], ids, heapsnap.Options{})
	}
}

// comparable says, from their sidecars, what speaks against comparing the
// snapshots. Object ids mean nothing in another process, and little in another
// capture mode.
func comparable(paths []string) (warnings []string, err error) {
	var first cdp.Meta
	before, firstPath := time.Time{}, ""
	for _, path := range paths {
		m, err := cdp.ReadMeta(path)
		if err != nil {
			continue // a snapshot needs no sidecar
		}
		if firstPath == "" {
			first, firstPath = m, path
		}
		switch {
		case m.PID != first.PID || m.ThreadID != first.ThreadID || m.Script != first.Script:
			return nil, fmt.Errorf("%s is of process %d (%s), %s of process %d (%s): %w: all must be of one process (heapsnap diff --across compares two)",
				firstPath, first.PID, first.Script, path, m.PID, m.Script, ErrNotComparable)
		case m.Mode != first.Mode:
			return nil, fmt.Errorf("%s was captured %s, %s %s: %w: capture both in the same way",
				firstPath, first.Mode, path, m.Mode, ErrNotComparable)
		case m.Time.Before(before):
			warnings = append(warnings, fmt.Sprintf("%s is older than the snapshot before it: name the oldest first", path))
		}
		before = m.Time
	}
	return warnings, nil
}

// Describe is the capture that a file holds, with what its sidecar knows.
func Describe(s *heapsnap.Snapshot, path string) report.Capture {
	return describe(path, s.Mode().String(), s.NodeCount(), s.Bytes())
}

// DescribeSummary is Describe where a summary is all there is.
func DescribeSummary(sum *heapsnap.Summary, path string) report.Capture {
	return describe(path, sum.Mode.String(), sum.Nodes, sum.Bytes)
}

func describe(path, mode string, objects int, bytes uint64) report.Capture {
	c := report.Capture{Name: path, Mode: mode, Objects: objects, Bytes: bytes}
	m, err := cdp.ReadMeta(path)
	if err != nil {
		return c
	}
	c.Time, c.NodeVersion, c.FileSize = &m.Time, m.NodeVersion, m.Bytes
	if m.Before != nil {
		c.HeapUsed, c.RSS, c.External, c.ArrayBuffers = m.Before.HeapUsed, m.Before.RSS, m.Before.External, m.Before.ArrayBuffers
	}
	return c
}

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
	r.Growth = growth(r)
	r.Verdict, r.Sentence = verdict(d.Captures-1, r.Findings)
}

// holderName is the short name of a holder that no rule was asked about.
func holderName(s *heapsnap.Snapshot, g *diff.GrowthSite) string {
	if s.Type(g.Holder) == heapsnap.Synthetic {
		return "V8's roots"
	}
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
	if fs[0].Thread != "" {
		what = "in " + fs[0].Thread + ", " + what
	}
	if l := fs[0].Location; l != nil {
		what += fmt.Sprintf(", at %s:%d", l.File, l.Line)
	}
	leaks := 0
	for _, f := range fs {
		if f.Verdict == report.Leak {
			leaks++
		}
	}
	switch {
	case rounds < 2:
		return report.Inconclusive, what + "; two captures cannot tell whether it goes on: take at least three"
	case leaks == 0:
		return report.Inconclusive, what + "; but the rounds differ too much to tell: take more, with equal work in each"
	case leaks == 1:
		return report.Leak, what
	}
	return report.Leak, fmt.Sprintf("%d leaks; the worst: %s", leaks, what)
}

func finding(f leak.Finding) report.Finding {
	all := f.Site.Survivors()
	out := report.Finding{
		Rule: f.Rule, Title: f.Title, Verdict: report.Verdict(f.Site.Judgement), Confidence: f.Site.Confidence,
		Holder:    holder(f.Holder),
		Survivors: report.Survivors{Count: all.Count, Bytes: all.Bytes, PerRound: f.Site.Count, BytesPerRound: f.Site.Bytes},
		Sample:    f.Sample, Evidence: append([]string{f.Site.Why}, f.Evidence...), Fix: f.Fix, Fingerprint: f.Fingerprint,
	}
	out.Holder.PerCapture = f.PerCapture
	if f.Unit != "objects" { // those are counted anyway
		out.Survivors.Entries, out.Survivors.Unit = f.Entries, f.Unit
	}
	out.Holders = append(out.Holders, out.Holder)
	for _, o := range f.Also {
		out.Holders = append(out.Holders, holder(o))
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
	for _, l := range f.Stack {
		out.Stack = append(out.Stack, place(l))
	}
	return out
}

func holder(o leak.Object) report.Holder {
	return report.Holder{Class: o.Class, ID: uint64(o.ID), Name: o.Name}
}

// place turns a file URL, as V8 names ES modules, into the path a person opens.
func place(l leak.Location) report.Location {
	return report.Location{Function: l.Function, File: jssource.Path(l.File), Line: l.Line, Column: l.Column, Role: l.Role, Code: l.Code, Compiled: l.Compiled, Package: l.Package}
}

func classes(deltas []heapsnap.ClassDelta) []report.ClassDelta {
	var rows []report.ClassDelta
	for _, d := range deltas {
		rows = append(rows, report.ClassDelta{
			Class: d.Class, New: d.Added, Deleted: d.Removed, Delta: d.Added - d.Removed,
			Alloc: d.AddedSize, Freed: d.RemovedSize, Size: int64(d.AddedSize) - int64(d.RemovedSize),
		})
	}
	return rows
}

package check

import (
	"context"
	"fmt"
	"strings"

	"heapsnap/heapsnap"
	"heapsnap/leak"
	"heapsnap/report"
)

// Suspects reads one snapshot and returns the report of what holds its heap,
// with Command and Version left to the caller.
func Suspects(ctx context.Context, path string, o JudgeOptions) (*report.Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, uint64) {}
	}
	s, err := heapsnap.Open(ctx, path, heapsnap.Options{
		Progress: func(read int64) { o.Progress("reading "+path, uint64(read)) }, Salvage: o.Salvage,
	})
	if err != nil {
		return nil, err
	}
	o.Progress("looking for what holds the heap", 0)
	stand, usual, err := leak.Suspects(ctx, s, leak.Options{Source: sources(path, o.Source)})
	if err != nil {
		return nil, err
	}
	r := &report.Report{Captures: []report.Capture{Describe(s, path)}, Warnings: s.Warnings()}
	for _, f := range stand {
		r.Findings = append(r.Findings, suspect(f))
	}
	for _, f := range usual {
		all := f.Site.Survivors()
		r.Quiet = append(r.Quiet, report.Quiet{
			Judgement: "usual", Holder: f.Holder.Name, Count: all.Count, Bytes: all.Bytes, Why: strings.TrimPrefix(f.Title, f.Holder.Name+" "),
		})
	}
	r.Verdict, r.Sentence = suspicion(r, s.TotalSize())
	r.Normalize()
	return r, nil
}

// suspect is a finding without the rounds that one capture does not have.
func suspect(f leak.Finding) report.Finding {
	out := finding(f)
	out.Survivors.PerRound, out.Survivors.BytesPerRound = nil, nil
	return out
}

// suspicion is the verdict on one capture: Leak where something stands out, as
// that is what the exit code has to say; the words are more careful.
func suspicion(r *report.Report, heap uint64) (report.Verdict, string) {
	if len(r.Findings) == 0 {
		text := fmt.Sprintf("nothing stands out in a heap of %s", report.FormatBytes(heap))
		if len(r.Quiet) > 0 {
			q := r.Quiet[0]
			text += fmt.Sprintf("; the largest of the program's own: %s, %s", q.Holder+" "+q.Why, report.FormatBytes(q.Bytes))
		}
		return report.Clean, text
	}
	f := r.Findings[0]
	what := fmt.Sprintf("%s, %s of %s", f.Title, report.FormatBytes(f.Survivors.Bytes), report.FormatBytes(heap))
	if l := f.Location; l != nil {
		what += fmt.Sprintf("; see %s:%d", l.File, l.Line)
	}
	return report.Leak, what
}

// Across compares two snapshots of different processes, and returns the report
// of what the second has more of, with Command and Version left to the caller.
func Across(ctx context.Context, first, second string, o JudgeOptions) (*report.Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, uint64) {}
	}
	var heaps []*heapsnap.Snapshot
	r := &report.Report{}
	for _, path := range []string{first, second} {
		s, err := heapsnap.Open(ctx, path, heapsnap.Options{
			Progress: func(read int64) { o.Progress("reading "+path, uint64(read)) }, Salvage: o.Salvage,
		})
		if err != nil {
			return nil, err
		}
		heaps = append(heaps, s)
		r.Captures = append(r.Captures, Describe(s, path))
		r.Warnings = append(r.Warnings, s.Warnings()...)
	}
	if a, b := heaps[0].Mode(), heaps[1].Mode(); a != b {
		return nil, fmt.Errorf("%s was captured %s, %s %s: %w: capture both in the same way", first, a, second, b, ErrNotComparable)
	}
	o.Progress("comparing", 0)
	d, found, err := leak.Across(ctx, heaps[0], heaps[1], leak.Options{Source: sources(second, o.Source)})
	if err != nil {
		return nil, err
	}
	fill(r, d, found)
	r.Verdict, r.Sentence = report.Clean, "the second has nothing notable that the first has not"
	if len(r.Findings) > 0 {
		f := r.Findings[0]
		r.Verdict = report.Leak
		r.Sentence = fmt.Sprintf("%s: %s more than in the first, %s", f.Title, report.FormatCount(f.Survivors.Count)+" objects", report.FormatBytes(f.Survivors.Bytes))
		if l := f.Location; l != nil {
			r.Sentence += fmt.Sprintf(", at %s:%d", l.File, l.Line)
		}
	}
	r.Normalize()
	return r, nil
}

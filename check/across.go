package check

import (
	"context"
	"fmt"

	"heapsnap/heapsnap"
	"heapsnap/leak"
	"heapsnap/report"
)

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
	found, err := leak.Across(ctx, heaps[0], heaps[1], leak.Options{Source: sources([]string{second}, o.Source)})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		r.Findings = append(r.Findings, withoutRounds(f))
	}
	r.Verdict, r.Sentence = report.Clean, "the second snapshot has nothing notable that the first has not"
	if len(r.Findings) > 0 {
		f := r.Findings[0]
		r.Verdict = report.More
		r.Sentence = fmt.Sprintf("%s than the first snapshot, %s", f.Title, report.FormatBytes(f.Survivors.Bytes))
		if l := f.Location; l != nil {
			r.Sentence += fmt.Sprintf("; see %s:%d", l.File, l.Line)
		}
	}
	r.Normalize()
	return r, nil
}

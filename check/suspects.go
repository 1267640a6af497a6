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
		Progress: func(read int64) { o.Progress("reading "+path, uint64(read)) }, Salvage: o.Salvage, NoHandles: true,
	})
	if err != nil {
		return nil, err
	}
	o.Progress("looking for what holds the heap", 0)
	stand, usual, err := leak.Suspects(ctx, s, leak.Options{Source: sources([]string{path}, o.Source)})
	if err != nil {
		return nil, err
	}
	r := &report.Report{Captures: []report.Capture{Describe(s, path)}, Warnings: s.Warnings()}
	for _, f := range stand {
		r.Findings = append(r.Findings, withoutRounds(f))
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

// withoutRounds is a finding where nobody saw rounds: of one capture, or of two
// processes.
func withoutRounds(f leak.Finding) report.Finding {
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

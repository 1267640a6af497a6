package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"heapsnap/report"
)

// leastRounds is what a verdict of Examine takes: four captures are the fewest
// in which growth can be told from chance.
const leastRounds = 3

// Examine runs the rounds and judges what they left behind. It goes on while
// that does not decide, up to o.MaxRounds; and it calls nothing a leak before
// that went on growing under load in one go, and was there after a rest. It sets
// o.Decide, and leaves Command and Version of the report to the caller.
func Examine(ctx context.Context, o Options, j JudgeOptions) (*report.Report, error) {
	e := &examination{judging: j}
	if len(o.Tests) > 0 && o.TestRunner == "" {
		var err error
		if o.TestRunner, err = runnerOf(o.testFile(0)); err != nil {
			return nil, fmt.Errorf("check: tests: %w", err)
		}
	}
	e.runner = o.TestRunner
	o.Decide = e.decide
	if j.Loop.Given() {
		o.Loop, o.LoopBlock = e.loopRecorded, j.Loop.threshold()
	}
	series, err := Run(ctx, o)
	switch {
	case e.failed != nil:
		return nil, e.failed
	case err != nil && (ctx.Err() != nil || !e.foundLeak(ctx, series)):
		return nil, &RunError{err}
	case err != nil:
		why, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "check: "), lastLinesAre)
		series.Warnings = append(series.Warnings, "the run failed, so growth is judged by the rounds before, without a second look: "+why)
		series.Confirmations, series.Workers = nil, nil
	}
	failed := err != nil
	r := e.report
	if lacksText(r) {
		if r, err = e.judge(ctx, series.paths()); err != nil {
			return nil, err
		}
	}
	rounds := len(series.Captures) - 1
	r.Run = &report.Run{Warmup: series.Warmup, Rounds: rounds, Unit: o.unit()}
	if r.Run.Unit != "" {
		r.Run.Units = series.Units
	}
	r.Run.Took = took(series.Took)
	if failed {
		r.Sentence += "; then the run failed"
	}
	perUnit(r)
	if len(series.Confirmations) > 0 {
		for _, c := range series.Confirmations {
			r.Run.Repeated += c.Rounds
		}
		apply(r, e.answers)
		r.Verdict, r.Sentence = verdict(rounds, r.Findings)
		r.Growth = growth(r)
	}
	if r.Verdict == report.Inconclusive && rounds >= o.MaxRounds {
		r.Sentence += fmt.Sprintf("; %d rounds are the limit that --max-rounds set", rounds)
	}
	if err := JudgeWorkers(ctx, r, series, j); err != nil {
		return nil, err
	}
	r.Loop = e.loop
	r.Target = series.Target.Script
	r.Warnings = append(slices.Clone(series.Warnings), r.Warnings...)
	return r, nil
}

// foundLeak reports whether the rounds of a run that failed are enough to tell a
// leak: that may be why it failed. What is no leak yet might have become one.
func (e *examination) foundLeak(ctx context.Context, so *Series) bool {
	rounds := len(so.Captures) - 1
	if rounds < leastRounds {
		return false
	}
	if e.report == nil || len(e.report.Captures) != rounds+1 {
		var err error
		if e.report, err = e.judge(ctx, so.paths()); err != nil {
			return false
		}
	}
	return e.report.Verdict == report.Leak
}

func took(phases map[Phase]time.Duration) report.Took {
	ms := func(ps ...Phase) (sum int64) {
		for _, p := range ps {
			sum += phases[p].Milliseconds()
		}
		return sum
	}
	return report.Took{
		Start: ms(Launching, Waiting), Load: ms(Loading, Repeating, Recording), Settle: ms(Settling), Capture: ms(Capturing),
		Rest: ms(Resting), Judge: ms(Deciding), End: ms(Ending),
	}
}

// A RunError is trouble with the target, the load or a capture.
type RunError struct{ err error }

func (e *RunError) Error() string { return e.err.Error() }
func (e *RunError) Unwrap() error { return e.err }

// examination is what the decisions of one run have come to.
type examination struct {
	judging JudgeOptions
	runner  TestRunner     // "" if the load is another
	report  *report.Report // of the rounds
	answers []answer       // of the last confirmation to report's findings
	failed  error          // of a judgement
	loop    *report.CheckLoop
	loops   int // recordings there were
}

func (e *examination) decide(ctx context.Context, so *Series) (Decision, error) {
	paths := so.paths()
	if len(so.Confirmations) == 0 {
		if e.report, e.failed = e.judge(ctx, paths); e.failed != nil {
			return Enough, e.failed
		}
		switch e.report.Verdict {
		case report.Inconclusive:
			return More, nil
		case report.Leak:
			return Confirm, nil
		}
		return Enough, nil
	}
	for _, c := range so.Confirmations {
		paths = append(paths, c.Path)
	}
	var again *report.Report
	if again, e.failed = Judge(ctx, paths, e.judging); e.failed != nil {
		return Enough, e.failed
	}
	e.answers = answers(e.report, again, so)
	if slices.ContainsFunc(e.answers, func(a answer) bool { return !a.sure }) {
		return Confirm, nil
	}
	return Enough, nil
}

// judge is Judge, but that few rounds give no verdict, and that what a test
// runner holds is no finding.
func (e *examination) judge(ctx context.Context, captures []string) (*report.Report, error) {
	r, err := Judge(ctx, captures, e.judging)
	if err != nil {
		return nil, err
	}
	rounds := len(captures) - 1
	if before := len(r.Findings); before > 0 {
		withoutRunners(r, e.runner)
		if len(r.Findings) < before {
			r.Verdict, r.Sentence = verdict(rounds, r.Findings)
		}
	}
	if rounds < leastRounds && r.Verdict != report.Inconclusive {
		r.Verdict = report.Inconclusive
		r.Sentence += fmt.Sprintf("; but %s tell neither a leak nor that there is none: it takes %d", plural(rounds, "round", "rounds"), leastRounds)
	}
	return r, nil
}

// unit is what a round has many of, singular.
func (o *Options) unit() string {
	switch {
	case len(o.Tests) > 0:
		return "run"
	case o.LoadFunction != "":
		return "call"
	case o.LoadCommand != "":
		return "run"
	case len(o.HTTP) > 0:
		return "request"
	}
	return ""
}

// perUnit adds to the findings what one unit of work leaves behind, where a
// round was several.
func perUnit(r *report.Report) {
	if r.Run.Units < 2 {
		return
	}
	rounds := len(r.Captures) - 1
	for i := range r.Findings {
		f := &r.Findings[i]
		each, n := rates(*f, rounds), float64(r.Run.Units)
		f.Evidence = append(f.Evidence, fmt.Sprintf("a %s leaves %s and %s behind, on average",
			r.Run.Unit, amountOf(each.count/n, counted(*f)), report.FormatBytes(uint64(each.bytes/n))))
	}
}

// amountOf says "1 entry", "0.9 entries" or "12 listeners".
func amountOf(v float64, plural string) string {
	s := few(v)
	if s == "1" {
		if stem, ok := strings.CutSuffix(plural, "ies"); ok {
			return "1 " + stem + "y"
		}
		return "1 " + strings.TrimSuffix(plural, "s")
	}
	return s + " " + plural
}

// few shows a small number with the digits that mean something.
func few(v float64) string {
	if v < 9.95 && v != float64(int(v)) {
		return fmt.Sprintf("%.1f", v)
	}
	return report.FormatCount(int(v + 0.5))
}

// lacksText reports whether a finding has no line of source: the texts of
// scripts that no file has come with the end of the run.
func lacksText(r *report.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Location == nil || f.Location.Code == "" })
}

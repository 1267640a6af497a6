package check

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"heapsnap/eventloop"
	"heapsnap/report"
)

// The event loop is recorded in rounds of their own, behind all others: what a
// snapshot and forced collections do to it is not the program's, and what a
// recording leaves in the heap for as long as it runs is in no capture.

// LoopBudget is what the event loop is held to under load. A limit that is zero is
// none, and without any the loop is not recorded.
type LoopBudget struct {
	Block    time.Duration // the loop may be kept from turning for so long at a time
	DelayP99 time.Duration // 99th percentile of how late work is

	BlockWhere, DelayWhere string // FILE:LINE that sets it
}

// Given reports whether there is a limit.
func (b LoopBudget) Given() bool { return b.Block > 0 || b.DelayP99 > 0 }

// threshold is how long a stretch is at least that is told.
func (b LoopBudget) threshold() time.Duration {
	if b.Block > 0 {
		return min(b.Block, eventloop.DefaultThreshold)
	}
	return eventloop.DefaultThreshold
}

const (
	// loopVitals without a profiler is some hundred readings of the delay: the 99th
	// percentile is not one of them by chance.
	loopVitals = 2 * time.Second
	// loopProfile has some rounds of load, which last half a second at most.
	loopProfile = 3 * time.Second
)

// recordLoop records the event loop as often as is asked for.
func (r *run) recordLoop(ctx context.Context) error {
	for again := r.Loop != nil; again; {
		r.event(Event{Phase: Recording})
		rec, err := r.loopUnderLoad(ctx)
		if err != nil {
			return err
		}
		again = r.Loop(rec)
	}
	return nil
}

// loopUnderLoad runs the load again and again while the event loop is recorded.
func (r *run) loopUnderLoad(ctx context.Context) (*eventloop.Recording, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		rec    *eventloop.Recording
		failed error
		over   = make(chan struct{})
	)
	go func() {
		defer close(over)
		rec, failed = eventloop.Record(ctx, r.session, eventloop.RecordOptions{Vitals: loopVitals, Profile: loopProfile, Block: r.LoopBlock})
	}()
	err := r.loadUntil(ctx, over)
	if err != nil {
		stop()
	}
	<-over
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, fmt.Errorf("event loop: %w", failed)
	}
	return rec, nil
}

// loadUntil runs the load until what is waited for is over. A function is called
// once at a time: called in a row, as in a round, all calls that wait for nothing
// are one turn of the loop, and would be told as a block.
func (r *run) loadUntil(ctx context.Context, over <-chan struct{}) error {
	if r.Every > 0 { // the program has load of its own
		<-over
		return nil
	}
	most := 1
	if r.http != nil {
		most = max(r.units, 1)
	}
	for {
		select {
		case <-over:
			return nil
		default:
		}
		if _, err := r.loads(ctx, most, 0); err != nil {
			return err
		}
	}
}

// loopTimes is how often the loop is recorded at most while its delay is over the
// budget: what a busy machine did to one recording it does not do to three.
const loopTimes = 3

// loopRecorded keeps the recording that is judged, and asks for another one while
// the delay alone is over: it is measured by the clock, so that a core that
// another program had counts. A block is time that the program itself took.
func (e *examination) loopRecorded(rec *eventloop.Recording) (again bool) {
	e.loops++
	b := e.judging.Loop
	l := judgeLoop(rec, b, e.judging.Source)
	blocked := b.blocked(l)
	if e.loop == nil || blocked || l.Delay.P99 < e.loop.Delay.P99 {
		e.loop = l
	}
	return !blocked && b.late(l) && e.loops < loopTimes
}

func (b LoopBudget) blocked(l *report.CheckLoop) bool {
	return b.Block > 0 && l.LongestMS > inMS(b.Block)
}

func (b LoopBudget) late(l *report.CheckLoop) bool {
	return b.DelayP99 > 0 && l.Delay.P99 > inMS(b.DelayP99)
}

func inMS(d time.Duration) float64 { return tenths(d.Seconds() * 1000) }

// judgeLoop says what was recorded.
func judgeLoop(rec *eventloop.Recording, b LoopBudget, source func(script string) ([]byte, error)) *report.CheckLoop {
	a := eventloop.Analyze(rec, eventloop.Options{Threshold: b.threshold(), MaxBlock: b.Block, MaxP99: b.DelayP99, Source: source})
	l := &report.CheckLoop{
		Verdict: report.Verdict(a.Verdict), Sentence: a.Sentence, DurationMS: inMS(time.Duration(rec.End-rec.Start) * time.Microsecond), ThresholdMS: inMS(b.threshold()),
		Delay: report.LoopDelay{P50: inMS(a.Delay.P50), P90: inMS(a.Delay.P90), P99: inMS(a.Delay.P99), Max: inMS(a.Delay.Max), Measured: a.Measured},
	}
	var longest time.Duration
	for _, block := range a.Blocks {
		longest = max(longest, block.Duration)
	}
	l.LongestMS = inMS(longest)
	if longest > 0 && len(a.Findings) > 0 {
		f := a.Findings[0]
		l.Cause, l.Title = f.Cause.Name, f.Title
		if f.Site.File != "" {
			l.Location = &report.Location{Function: f.Site.Function, File: f.Site.File, Line: f.Site.Line, Column: f.Site.Column, Code: f.Code, Compiled: f.Site.Compiled}
		}
	}
	if share := rec.Main().Starved(); share > eventloop.Crowded && b.late(l) && !b.blocked(l) {
		l.Verdict = report.Inconclusive
		l.Sentence = fmt.Sprintf("work was late by up to %s for 99 %% of the time, but the thread was ready to run and had no core for %.0f %% of it: the machine is too busy to say", report.FormatMS(l.Delay.P99), 100*share)
	}
	return l
}

// check holds what was recorded against the limits.
func (b LoopBudget) check(l *report.CheckLoop) (out []report.Budget) {
	add := func(name string, limit time.Duration, value float64, exceeded bool, shown, where string) {
		out = append(out, report.Budget{
			Name: name, Limit: inMS(limit), Value: value, Unit: "ms", By: where, Exceeded: exceeded,
			Sentence: fmt.Sprintf("%s: %s, the budget is %s", name, shown, limit),
		})
	}
	if b.Block > 0 {
		shown := fmt.Sprintf("none of %.0f ms", l.ThresholdMS)
		if l.LongestMS > 0 {
			shown = fmt.Sprintf("%.0f ms", l.LongestMS)
		}
		add("longest block of the event loop", b.Block, l.LongestMS, b.blocked(l), shown, b.BlockWhere)
		if last := &out[len(out)-1]; last.Exceeded && l.Title != "" {
			last.Sentence += ": " + l.Title
			if l.Location != nil {
				last.Sentence += fmt.Sprintf(", %s:%d", filepath.Base(l.Location.File), l.Location.Line)
			}
		}
	}
	if b.DelayP99 > 0 {
		add("delay of the event loop, 99 % of the time at most", b.DelayP99, l.Delay.P99, b.late(l) && l.Verdict != report.Inconclusive, fmt.Sprintf("%.1f ms", l.Delay.P99), b.DelayWhere)
	}
	return out
}

package check

import (
	"strings"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/eventloop"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// A handler keeps the loop for 300 ms, or takes its time in slices. What a thread
// waits for a core is not counted as a block, and on a busy machine that is much.
const (
	blockingApp = `
		function busy(ms) { const end = performance.now() + ms; while (performance.now() < end) {} }
		globalThis.load = async () => {
			busy(300);
			await new Promise((done) => setTimeout(done, 20));
		};
		setInterval(() => {}, 2 ** 30);`
	slicedApp = `
		function busy(ms) { const end = performance.now() + ms; while (performance.now() < end) {} }
		globalThis.load = async () => {
			for (let i = 0; i < 24; i++) {
				busy(5);
				await new Promise((done) => setImmediate(done));
			}
			await new Promise((done) => setTimeout(done, 20));
		};
		setInterval(() => {}, 2 ** 30);`
)

func TestLoopBudget(t *testing.T) {
	budget := LoopBudget{Block: 60 * time.Millisecond, BlockWhere: ".heapsnap.yaml:4"}
	for _, node := range nodes.All(t) {
		for name, test := range map[string]struct {
			app  string
			want report.Verdict
			says string
		}{
			"blocking": {blockingApp, report.OverBudget, "the budget is 60ms: "},
			"sliced":   {slicedApp, report.Clean, ""},
		} {
			t.Run(node.String()+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				write(t, dir, map[string]string{"app.js": test.app})
				r, err := Examine(deadline(t), Options{
					Launch: cdp.LaunchOptions{Argv: []string{node.Path, "app.js"}, Dir: dir}, LoadFunction: "load", Rounds: 3, MaxRounds: 3, Dir: t.TempDir(),
				}, JudgeOptions{Loop: budget})
				if err != nil {
					t.Fatal(err)
				}
				Policy{Budgets: Budgets{Loop: budget}}.Apply(r)
				if r.Verdict != test.want || !strings.Contains(r.Sentence, test.says) || r.Loop == nil || len(r.Budgets) != 1 {
					t.Fatalf("%s: %s, loop %+v, want %s and %q", r.Verdict, r.Sentence, r.Loop, test.want, test.says)
				}
				l := r.Loop
				if test.want == report.Clean {
					if l.LongestMS >= 60 || r.Budgets[0].Exceeded {
						t.Errorf("loop %+v, budgets %+v: want no block", l, r.Budgets)
					}
					return
				}
				if l.LongestMS < 70 || l.LongestMS > 400 || l.Location == nil || l.Location.Line != 2 && l.Location.Line != 4 || !strings.Contains(r.Sentence, ", app.js:") {
					t.Errorf("%s: longest %v ms at %+v, want up to 300 ms in busy", r.Sentence, l.LongestMS, l.Location)
				}
			})
		}
	}
}

// Called in a row, as in a round, short calls that wait for nothing would be one
// turn of the loop.
func TestLoopOfShortCallsIsNotBlocked(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"app.js": `
		globalThis.load = () => { const end = performance.now() + 4; while (performance.now() < end) {} };
		setInterval(() => {}, 2 ** 30);`})
	budget := LoopBudget{Block: 50 * time.Millisecond, DelayP99: 200 * time.Millisecond}
	r, err := Examine(deadline(t), Options{
		Launch: cdp.LaunchOptions{Argv: []string{node(t), "app.js"}, Dir: dir}, LoadFunction: "load", Units: -1, Rounds: 3, MaxRounds: 3, Dir: t.TempDir(),
	}, JudgeOptions{Loop: budget})
	if err != nil {
		t.Fatal(err)
	}
	Policy{Budgets: Budgets{Loop: budget}}.Apply(r)
	if r.Verdict != report.Clean || len(r.Budgets) != 2 || !r.Loop.Delay.Measured || r.Loop.Delay.P99 == 0 {
		t.Errorf("%s: %s, loop %+v, budgets %+v, want clean", r.Verdict, r.Sentence, r.Loop, r.Budgets)
	}
}

func TestLoopBudgetAgainstWhatWasRecorded(t *testing.T) {
	b := LoopBudget{Block: 200 * time.Millisecond, DelayP99: 50 * time.Millisecond}
	blocked := report.CheckLoop{Verdict: report.Blocked, ThresholdMS: 50, LongestMS: 312.4, Title: "synchronous file system calls in handle", Location: &report.Location{File: "/srv/app.js", Line: 12}}
	late := report.CheckLoop{Verdict: report.Blocked, ThresholdMS: 50, Delay: report.LoopDelay{P99: 61.2}}
	for _, test := range []struct {
		name string
		loop report.CheckLoop
		leak bool
		want report.Verdict
		says string
	}{
		{"a block", blocked, false, report.OverBudget, "longest block of the event loop: 312 ms, the budget is 200ms: synchronous file system calls in handle, app.js:12"},
		{"a block and a leak", blocked, true, report.Leak, "leak"},
		{"late", late, false, report.OverBudget, "delay of the event loop, 99 % of the time at most: 61.2 ms, the budget is 50ms"},
		{"within", report.CheckLoop{Verdict: report.Healthy, ThresholdMS: 50, LongestMS: 199, Delay: report.LoopDelay{P99: 50}}, false, report.Clean, "clean"},
		{"too little was seen", report.CheckLoop{Verdict: report.Inconclusive, Sentence: "Too little was seen."}, false, report.Inconclusive, "clean; but of its budgets: Too little was seen."},
	} {
		r := &report.Report{Verdict: report.Clean, Sentence: "clean", Captures: make([]report.Capture, 5), Loop: &test.loop}
		if test.leak {
			r.Verdict, r.Sentence = report.Leak, "leak"
			r.Findings = []report.Finding{{Rule: "cache"}}
		}
		Policy{Budgets: Budgets{Loop: b}}.Apply(r)
		if r.Verdict != test.want || r.Sentence != test.says || len(r.Budgets) != 2 {
			t.Errorf("%s: %s, %q, budgets %+v\nwant %s, %q", test.name, r.Verdict, r.Sentence, r.Budgets, test.want, test.says)
		}
	}
}

// lateFor is a recording of two seconds, of which one sample was late, and in which
// the thread had no core for some of the time.
func lateFor(late, waited time.Duration) *eventloop.Recording {
	return &eventloop.Recording{Start: 0, End: 2_000_000, Threads: []eventloop.Thread{{
		TID:    7,
		Vitals: eventloop.Vitals{Duration: 2_000_000, Samples: 100, Quantiles: []eventloop.Quantile{{Percent: 99}, {Percent: 100, Value: late.Microseconds()}}},
		Sched:  []eventloop.Sched{{TID: 7, Wall: 2_000_000, Wait: waited.Microseconds()}, {TID: 8, Wall: 2_000_000, Wait: 2_000_000}},
	}}}
}

func TestDelayIsRecordedAgainBeforeItFails(t *testing.T) {
	const late, fine = 300 * time.Millisecond, 30 * time.Millisecond
	for _, test := range []struct {
		name   string
		seen   []time.Duration
		waited time.Duration
		want   report.Verdict
		says   string
	}{
		{"once, by chance", []time.Duration{late, fine}, 0, report.Clean, "clean"},
		{"always", []time.Duration{late, 2 * late, late}, 0, report.OverBudget, "delay of the event loop, 99 % of the time at most: 280.0 ms, the budget is 100ms"},
		{"always, on a busy machine", []time.Duration{late, late, late}, 400 * time.Millisecond, report.Inconclusive, "clean; but of its budgets: work was late by up to 280 ms for 99 % of the time, but the thread was ready to run and had no core for 20 % of it: the machine is too busy to say"},
	} {
		budget := LoopBudget{DelayP99: 100 * time.Millisecond}
		e := &examination{judging: JudgeOptions{Loop: budget}}
		for i, d := range test.seen {
			if again := e.loopRecorded(lateFor(d, test.waited)); again != (i < len(test.seen)-1) {
				t.Errorf("%s: after recording %d again is %v", test.name, i+1, again)
			}
		}
		e.loop.Verdict = map[bool]report.Verdict{true: report.Healthy, false: e.loop.Verdict}[test.want == report.Clean] // there is no profile in it
		r := &report.Report{Verdict: report.Clean, Sentence: "clean", Captures: make([]report.Capture, 5), Loop: e.loop}
		Policy{Budgets: Budgets{Loop: budget}}.Apply(r)
		if r.Verdict != test.want || r.Sentence != test.says {
			t.Errorf("%s: %s, %q, want %s, %q", test.name, r.Verdict, r.Sentence, test.want, test.says)
		}
	}
}

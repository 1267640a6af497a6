package eventloop

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is the answer of an analysis.
type Verdict string

const (
	Blocked      Verdict = "blocked" // or work is late for another reason that was found
	Healthy      Verdict = "healthy"
	Inconclusive Verdict = "inconclusive"
)

// judge decides the verdict.
func (a *analysis) judge() {
	var worst time.Duration
	over := 0
	for _, b := range a.Blocks {
		worst = max(worst, b.Duration)
		if b.Duration >= a.maxBlock {
			over++
		}
	}
	var samples int
	for _, p := range a.main.thread.Profiles {
		samples += len(p.Samples)
	}
	late := slices.IndexFunc(a.Findings, func(f Finding) bool { return f.late })
	p99 := a.maxP99 > 0 && a.Delay.P99 > a.maxP99
	a.Verdict = Blocked
	switch {
	case over > 0:
		f := a.Findings[0]
		a.Sentence = fmt.Sprintf("The event loop is blocked: %s, for up to %s at a time.", f.Title, round(worst))
		if a.maxBlock > 0 {
			a.Sentence = fmt.Sprintf("The event loop is blocked for up to %s, the budget is %s: %s.", round(worst), round(a.maxBlock), f.Title)
		}
	case p99:
		a.Sentence = fmt.Sprintf("The event loop is late: 99 %% of the time by up to %s, the budget is %s.", round(a.Delay.P99), round(a.maxP99))
	case late >= 0:
		f := a.Findings[late]
		a.Sentence = fmt.Sprintf("The event loop turns, but work is late: %s.", f.Title)
	case (samples < 2 || a.Profiled < minProfile) && a.rec.Ended:
		a.Verdict = Inconclusive
		a.Sentence = fmt.Sprintf("The program ended by itself, after %s of profile: too early to call its event loop healthy.", round(a.Profiled))
	case samples < 2 || a.Profiled < minProfile:
		a.Verdict = Inconclusive
		a.Sentence = fmt.Sprintf("Too little was seen to call the event loop healthy: %s of profile. Record for longer.", round(a.Profiled))
	default:
		if d := a.unseen(); d > 0 {
			a.Verdict = Inconclusive
			a.Sentence = fmt.Sprintf("The event loop was blocked once for %s before the profile began, and not again: record for longer to see by what.", round(d))
			return
		}
		a.Verdict = Healthy
		a.Sentence = fmt.Sprintf("The event loop is healthy: nothing kept it for %s or longer.", round(a.Threshold))
		if len(a.Blocks) > 0 {
			a.Sentence = fmt.Sprintf("The event loop keeps to its budget of %s: the longest block is %s.", round(a.maxBlock), round(worst))
		}
		a.Sentence += a.lateAllTheSame()
	}
	if a.Starved > a.Profiled/10 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("the %s was ready to run but had no core for %s of %s: the machine is busy, or the container's CPU limit is low", a.threadName(), round(a.Starved), round(a.Profiled)))
	}
}

// minProfile is how much has to be seen before a program is called healthy.
const minProfile = time.Second

// lateAllTheSame says why work was late although no callback is long: a delay that
// is told beside "healthy" needs a reason.
func (a *analysis) lateAllTheSame() string {
	if a.Delay.P99 < a.Threshold {
		return ""
	}
	late := fmt.Sprintf(" Work was late all the same, by up to %s for 99 %% of the time: ", round(a.Delay.P99))
	share := a.main.thread.Starved()
	switch {
	case share > Crowded:
		return late + fmt.Sprintf("the machine's doing, not the program's, whose %s was ready to run but had no core for %.0f %% of the time.", a.threadName(), 100*share)
	case a.Starved > a.Profiled/10:
		return late + fmt.Sprintf("the machine's doing, not the program's, whose %s was ready to run but had no core.", a.threadName())
	case a.Utilization > manyCallbacks:
		return late + fmt.Sprintf("very many short callbacks keep the loop busy for %.0f %% of the time. That is load: spread it over more processes.", 100*a.Utilization)
	}
	return ""
}

// manyCallbacks is the utilization from which on work waits for other work.
const manyCallbacks = 0.8

// unseen is the longest block of the first phase if it was clearly one, by CPU
// time, while the second had none.
func (a *analysis) unseen() time.Duration {
	if len(a.main.thread.Profiles) == 0 {
		return 0
	}
	begin := a.main.thread.Profiles[0].StartTime
	var worst int64
	for _, it := range a.main.thread.Iterations {
		if it.Start+it.Duration > begin {
			break
		}
		worst = max(worst, it.CPU)
	}
	if us(worst) < 2*a.Threshold {
		return 0
	}
	return us(worst)
}

// threadName is the thread whose loop is judged.
func (a *analysis) threadName() string {
	if a.main.thread.ID != 0 {
		return "worker thread"
	}
	return "main thread"
}

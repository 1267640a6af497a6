package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// History is the result of `heapsnap trend`: how scenarios grew over the runs of
// heapsnap check. docs/history.schema.json describes its JSON.
type History struct {
	Head
	Scenarios []HistoryScenario `json:"scenarios"` // in the order of their first runs
}

// HistoryScenario is the runs of one scenario.
type HistoryScenario struct {
	Name  string        `json:"name"`           // of the scenario, or of the program where there is none
	Runs  []HistoryRun  `json:"runs"`           // oldest first
	Step  *HistoryStep  `json:"step,omitempty"` // where the heap's growth rose, if that is clear
	Leaks []HistoryLeak `json:"leaks"`          // of the last run
}

// HistoryRun is one run of check.
type HistoryRun struct {
	Time    time.Time `json:"time"`
	Commit  string    `json:"commit,omitempty"`
	Verdict Verdict   `json:"verdict"`
	Heap    float64   `json:"heapPerRound"` // growth in bytes
	Leaks   int       `json:"leaks"`        // how many, accepted ones included
}

// HistoryStep is the run from which the heap's growth is higher than before.
type HistoryStep struct {
	Run    int     `json:"run"`            // index of it
	Before float64 `json:"beforePerRound"` // growth in bytes, the median
	After  float64 `json:"afterPerRound"`  // growth in bytes, the median
}

// HistoryLeak is a leak of the last run.
type HistoryLeak struct {
	Fingerprint string  `json:"fingerprint"`
	Rule        string  `json:"rule"`
	Title       string  `json:"title"`
	Bytes       float64 `json:"bytesPerRound"`
	First       int     `json:"firstRun"` // index of the run since which it is there; 0: in all of them
}

func (r *History) normal() any {
	c := *r
	c.Schema = SchemaVersion
	c.Scenarios = notNil(slices.Clone(r.Scenarios))
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		s.Runs, s.Leaks = notNil(s.Runs), notNil(s.Leaks)
	}
	return &c
}

// WriteHistory shows r as text, JSON, SVG or PNG. It does not change r.
func WriteHistory(w io.Writer, r *History, f Format, o Options) error {
	if f == SVG || f == PNG {
		return plotHistory(w, r, f, Size{})
	}
	return writeAnswer(w, r, "a trend", f, o)
}

func (r *History) text(p *page) {
	for i := range r.Scenarios {
		if i > 0 {
			p.line(0, plain, "")
		}
		r.Scenarios[i].text(p)
	}
}

// historyBar is how long the longest bar is, so that a line has 80 columns.
const historyBar = 30

func (s *HistoryScenario) text(p *page) {
	p.prose(0, "", bold, clip(s.Name, 200)+": growth per round of the heap")
	most := 1.0
	for _, r := range s.Runs {
		most = max(most, r.Heap)
	}
	for _, r := range s.Runs {
		bar := strings.Repeat("█", int(historyBar*max(r.Heap, 0)/most+0.5))
		line := fmt.Sprintf("%s  %-10s %10s %-12s", r.Time.Format(time.DateOnly), clip(r.commit(), 10), signedBytes(int64(r.Heap)), clip(string(r.Verdict), 12))
		if !p.narrow() {
			line += " " + bar
		}
		p.line(2, plain, strings.TrimRight(line, " "))
	}
	if at := s.Step; at != nil {
		p.prose(0, "", plain, s.stepWords())
	}
	for i, l := range s.Leaks {
		p.prose(2, "- ", plain, fmt.Sprintf("%s, %s a round: %s", clip(l.Title, maxProse/2), signedBytes(int64(l.Bytes)), s.leakSince(i)))
	}
}

// stepWords tells of the step that there is.
func (s *HistoryScenario) stepWords() string {
	return fmt.Sprintf("It rose from %s to %s with %s.", signedBytes(int64(s.Step.Before)), signedBytes(int64(s.Step.After)), s.runWords(s.Step.Run))
}

func (s *HistoryScenario) leakSince(i int) string {
	if first := s.Leaks[i].First; first > 0 {
		return "since " + s.runWords(first)
	}
	return "in every run of this history"
}

// runWords names a run and the one before it: between the two something began.
func (s *HistoryScenario) runWords(at int) string {
	r := s.Runs[at]
	return fmt.Sprintf("%s of %s (the run before was of %s)", r.commit(), r.Time.Format(time.DateOnly), s.Runs[at-1].commit())
}

// commit is as much of it as tells it from others.
func (r HistoryRun) commit() string {
	if r.Commit == "" {
		return "no commit"
	}
	return Printable(r.Commit[:min(len(r.Commit), 10)])
}

package check

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"heapsnap/report"
)

// A HistoryEntry is one run of check: a line of JSON in a file that runs are
// appended to. Fields are added, never renamed.
type HistoryEntry struct {
	Schema   int            `json:"schema"`
	Time     time.Time      `json:"time"`
	Commit   string         `json:"commit,omitempty"`
	Scenario string         `json:"scenario,omitempty"`
	Target   string         `json:"target,omitempty"`
	Node     string         `json:"node,omitempty"`
	Verdict  report.Verdict `json:"verdict"`
	Rounds   int            `json:"rounds"`
	Units    int            `json:"units,omitempty"`
	// Bytes per round.
	Heap        float64       `json:"heap"`
	Explained   float64       `json:"explained"`
	Unexplained float64       `json:"unexplained"`
	Leaks       []HistoryLeak `json:"leaks"`
}

// A HistoryLeak is a finding, accepted ones included.
type HistoryLeak struct {
	Fingerprint string  `json:"fingerprint"`
	Rule        string  `json:"rule"`
	Title       string  `json:"title"`
	Bytes       float64 `json:"bytesPerRound"`
}

// NewHistoryEntry sums up a report.
func NewHistoryEntry(r *report.Report, commit string, when time.Time) HistoryEntry {
	e := HistoryEntry{Schema: 1, Time: when.UTC().Truncate(time.Second), Commit: commit, Target: r.Target, Verdict: r.Verdict, Rounds: max(0, len(r.Captures)-1), Leaks: []HistoryLeak{}}
	if r.Run != nil {
		e.Scenario, e.Units = r.Run.Scenario, r.Run.Units
	}
	if n := len(r.Captures); n > 0 {
		e.Node = r.Captures[n-1].NodeVersion
	}
	if g := r.Growth; g != nil {
		e.Heap, e.Explained, e.Unexplained = g.Heap.PerRound, g.Explained, g.Unexplained.PerRound
	}
	add := func(f report.Finding) {
		e.Leaks = append(e.Leaks, HistoryLeak{f.Fingerprint, f.Rule, f.Title, tenths(rates(f, max(1, e.Rounds)).bytes)})
	}
	for _, f := range r.Findings {
		add(f)
	}
	for _, i := range r.Ignored {
		add(i.Finding)
	}
	return e
}

// AppendHistory adds a line to a file, in one write: runs at a time do not mix.
func AppendHistory(name string, e HistoryEntry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// ReadHistory reads a file, in the order of its lines.
func ReadHistory(name string) ([]HistoryEntry, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []HistoryEntry
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var e HistoryEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s:%d: it is no line of a history: %w", name, n, err)
		}
		if e.Schema != 1 {
			return nil, fmt.Errorf("%s:%d: schema %d, want 1: it is of another heapsnap, or no history", name, n, e.Schema)
		}
		out = append(out, e)
	}
	return out, nil
}

// Scenarios tells of the runs of each scenario, in the order of their first ones,
// where its growth rose and since when the leaks of its last run are there.
func Scenarios(es []HistoryEntry) []report.HistoryScenario {
	var out []report.HistoryScenario
	runs := map[string][]HistoryEntry{}
	var names []string
	for _, e := range es {
		if runs[e.Scenario] == nil {
			names = append(names, e.Scenario)
		}
		runs[e.Scenario] = append(runs[e.Scenario], e)
	}
	for _, name := range names {
		es := runs[name]
		s := report.HistoryScenario{Name: cmp.Or(name, es[len(es)-1].Target)}
		for _, e := range es {
			s.Runs = append(s.Runs, report.HistoryRun{Time: e.Time, Commit: e.Commit, Verdict: e.Verdict, Heap: e.Heap, Leaks: len(e.Leaks)})
		}
		if at, before, after, ok := Step(es); ok {
			s.Step = &report.HistoryStep{Run: at, Before: before, After: after}
		}
		for _, l := range Starts(es) {
			s.Leaks = append(s.Leaks, report.HistoryLeak{Fingerprint: l.Leak.Fingerprint, Rule: l.Leak.Rule, Title: l.Leak.Title, Bytes: l.Leak.Bytes, First: l.At})
		}
		out = append(out, s)
	}
	return out
}

// A Start is where something began in a scenario's runs.
type Start struct {
	At    int // index of the first run that has it
	Leak  HistoryLeak
	Since bool // it is not in the first run, so that run is where it began
}

// Starts tells of every leak of the last run since which run it is there without
// a break. es are the runs of one scenario.
func Starts(es []HistoryEntry) []Start {
	var out []Start
	if len(es) == 0 {
		return out
	}
	for _, l := range es[len(es)-1].Leaks {
		at := len(es) - 1
		for at > 0 && slices.ContainsFunc(es[at-1].Leaks, func(o HistoryLeak) bool { return o.Fingerprint == l.Fingerprint }) {
			at--
		}
		out = append(out, Start{At: at, Leak: l, Since: at > 0})
	}
	return out
}

const (
	// A step has runs enough on both sides, and is larger than what runs of one
	// build differ by: several times their spread, and this in bytes per round.
	stepRuns   = 3
	stepBytes  = 16 << 10
	stepSpread = 4
)

// Step finds the run from which the heap's growth is higher than before, by the
// split that leaves the least absolute deviation from the medians of both sides;
// ok is false where no split is clear.
func Step(es []HistoryEntry) (at int, before, after float64, ok bool) {
	values := make([]float64, len(es))
	for i, e := range es {
		values[i] = e.Heap
	}
	best := math.Inf(1)
	for i := stepRuns; i+stepRuns <= len(values); i++ {
		low, spreadLow := middle(values[:i])
		high, spreadHigh := middle(values[i:])
		if cost := spreadLow*float64(i) + spreadHigh*float64(len(values)-i); cost < best {
			best, at, before, after = cost, i, low, high
			spread := max(spreadLow, spreadHigh)
			ok = high-low >= stepBytes && high-low >= stepSpread*spread
		}
	}
	return at, before, after, ok
}

// middle is the median, and the mean of the absolute deviations from it.
func middle(values []float64) (median, spread float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	median = (sorted[(n-1)/2] + sorted[n/2]) / 2
	for _, v := range sorted {
		spread += math.Abs(v-median) / float64(n)
	}
	return median, spread
}

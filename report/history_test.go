package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// historyOf grows from the fifth of eight runs on, and says s where it says anything.
func historyOf(s string) *History {
	sc := HistoryScenario{Name: s, Step: &HistoryStep{Run: 4, Before: 1000, After: 300_000}, Leaks: []HistoryLeak{
		{Fingerprint: "f", Rule: "cache", Title: s, Bytes: 290_000, First: 4}, {Fingerprint: "g", Rule: "timer", Title: "timers", Bytes: 900},
	}}
	for i := range 8 {
		r := HistoryRun{Time: time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC), Commit: strings.Repeat(string(rune('a'+i)), 40), Verdict: Clean, Heap: 1000 - 900*float64(i%2)}
		if i >= 4 {
			r.Heap, r.Verdict, r.Leaks = 300_000, Leak, 2
		}
		if i == 2 {
			r.Commit = s
		}
		sc.Runs = append(sc.Runs, r)
	}
	return &History{Head: Head{Command: "trend"}, Scenarios: []HistoryScenario{sc}}
}

func TestHistoryJSONKeepsToItsSchema(t *testing.T) {
	docs := [][]byte{written(t, WriteHistory, &History{Head: Head{Command: "trend"}, Scenarios: []HistoryScenario{{}}}, JSON, Options{})}
	for _, s := range append(hostileStrings, "search") {
		docs = append(docs, written(t, WriteHistory, historyOf(s), JSON, Options{}))
	}
	keepsTo(t, "history.schema.json", docs...)
}

func TestHistoryText(t *testing.T) {
	text := string(written(t, WriteHistory, historyOf("search"), Text, Options{}))
	for _, want := range []string{
		"search: growth per round of the heap\n", "  2026-11-03  search        +1000 B clean\n", "  2026-11-05  eeeeeeeeee +293.0 KiB leak         ██████████████████████████████\n",
		"It rose from +1000 B to +293.0 KiB with eeeeeeeeee of 2026-11-05 (the run before\nwas of dddddddddd).\n", "- timers, +900 B a round: in every run of this history\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, hostile := range hostileStrings {
		for _, width := range []int{0, 40, 200} {
			obeyedByTerminals(t, written(t, WriteHistory, historyOf(hostile), Text, Options{Width: width}))
		}
	}
}

func TestHistoryPlot(t *testing.T) {
	r := historyOf("search")
	r.Scenarios = append(r.Scenarios, HistoryScenario{Name: "no run"}, HistoryScenario{Name: "one run", Runs: []HistoryRun{{Heap: -5}, {Heap: math.Inf(1)}}})
	svg := written(t, WriteHistory, r, SVG, Options{})
	for _, want := range []string{"search: growth per round of the heap", "It rose from", "since eeeeeeeeee of 2026-11-05", "runs that failed", "KiB a round", ">aaaaaaaaaa<", "no run"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the picture does not say %q", want)
		}
	}
	if again := written(t, WriteHistory, r, SVG, Options{}); !bytes.Equal(svg, again) {
		t.Error("the same history gave two different pictures")
	}
	png := written(t, WriteHistory, r, PNG, Options{})
	if !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no PNG: %q", png[:8])
	}
	if dir := os.Getenv("HEAPSNAP_PLOTS"); dir != "" { // set it to look at it
		if err := os.WriteFile(filepath.Join(dir, "history.png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range hostileStrings {
		_ = written(t, WriteHistory, historyOf(s), SVG, Options{})
	}
	_ = written(t, WriteHistory, &History{}, SVG, Options{})
}

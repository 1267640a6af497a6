package report

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func watchIn(s string) *Watch {
	const mib = 1 << 20
	start := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	t := WatchTarget{
		Name: s, PID: 12, Script: s, NodeVersion: "v22.23.3", Restarts: 2, Verdict: Growing, Sentence: s,
		Forecasts: []WatchForecast{
			{Of: "heap", Verdict: "growing", Now: 60 * mib, Limit: 100 * mib, Rate: mib, Low: 1, High: 2, P: 0.001, Values: 9, Left: 40, Early: 30, Late: 50, Text: s},
			{Of: "worker heap", ThreadID: 1, Verdict: "undecided", Text: s},
		},
		Peaks:  WatchPeaks{RSS: 1, HeapUsed: 2, External: 3, DelayMS: 4, GCShare: 0.5, GCMS: 6},
		Live:   []WatchLive{{start, 0, 30 * mib, 29 * mib}, {start.Add(time.Minute), 1, 5, 4}},
		Events: []WatchEvent{{Time: start, Kind: "trigger", Text: s, File: s}},
	}
	for i := range 30 {
		t.Curve = append(t.Curve, WatchPoint{
			Time: start.Add(time.Duration(i) * 10 * time.Second), PID: 12, RSS: uint64(80+i) * mib, Working: 70 * mib, Container: 200 * mib, CPU: 0.5,
			Threads: []WatchThread{{HeapUsed: uint64(30+i) * mib, OldLimit: 100 * mib, Live: 29 * mib, Spaces: map[string]uint64{s: 5}}, {ThreadID: 1, Name: s, OldLimit: 1}},
			Handles: map[string]int{s: 3},
		})
	}
	return &Watch{Head: Head{Command: "watch"}, Verdict: Growing, Sentence: s, Started: start, DurationMS: 290_000, Targets: []WatchTarget{t}, Warnings: []string{s}}
}

func TestWatchJSONKeepsToItsSchema(t *testing.T) {
	docs := [][]byte{written(t, WriteWatch, &Watch{Head: Head{Command: "watch"}, Verdict: Inconclusive, Targets: []WatchTarget{{Verdict: Steady, Curve: []WatchPoint{{Threads: []WatchThread{{}}}}}}}, JSON, Options{})}
	var lines [][]byte
	for _, s := range append(hostileStrings, "work") {
		r := watchIn(s)
		docs = append(docs, written(t, WriteWatch, r, JSON, Options{}))
		for _, l := range []WatchLine{{Type: "report", Report: r}, {Type: "event", Target: s, Event: &r.Targets[0].Events[0]}, {Type: "point", Point: &r.Targets[0].Curve[0], Forecasts: r.Targets[0].Forecasts}} {
			var b bytes.Buffer
			if err := WriteWatchLine(&b, l); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(b.Bytes(), []byte("\n")) != 1 || !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
				t.Errorf("not one line: %q", b.Bytes())
			}
			lines = append(lines, b.Bytes())
		}
	}
	keepsTo(t, "watch.schema.json", docs...)
	keepsTo(t, "watch-line.schema.json", lines...)
}

func TestWatchText(t *testing.T) {
	text := string(written(t, WriteWatch, watchIn("work"), Text, Options{}))
	for _, want := range []string{
		"GROWING  work\n", "process 12, work, Node v22.23.3, 2 restarts\n", "  heap          59.0 MiB ▁", "live 29.0 MiB, limit 100.0 MiB",
		"  RSS          109.0 MiB ▁", "35 % of 200.0 MiB container", "- work; from 9 values, by chance 0.001\n", "  work: work\n", "! work",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, hostile := range hostileStrings {
		r := watchIn(hostile)
		for _, width := range []int{0, 40, 200} {
			obeyedByTerminals(t, written(t, WriteWatch, r, Text, Options{Width: width, Verbose: true}))
			for _, l := range WatchScreen(&r.Targets[0], Options{Width: width}) {
				obeyedByTerminals(t, []byte(l+"\n"))
				if w := max(width, 80); width != 40 && columns(l) > w {
					t.Errorf("a line of the screen is %d columns wide, the terminal has %d: %q", columns(l), w, l)
				}
			}
		}
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values []float64
		n      int
		want   string
	}{
		{[]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, "▁▂▃▄▅▆▇█"}, {[]float64{5, 5, 5}, 8, "▁▁▁"}, {[]float64{0, 9, 0, 0}, 2, "█▁"}, {nil, 8, ""}, {[]float64{1}, 0, ""},
	} {
		if got := sparkline(c.values, c.n); got != c.want {
			t.Errorf("sparkline(%v, %d) = %q, want %q", c.values, c.n, got, c.want)
		}
	}
}

func TestWatchPlot(t *testing.T) {
	r := watchIn("work")
	r.Targets = append(r.Targets, WatchTarget{Name: "nothing seen"}, r.Targets[0])
	if svg := string(written(t, WriteWatch, r, SVG, Options{})); !strings.Contains(svg, "resident memory") || !strings.Contains(svg, "left by full collections") || !strings.Contains(svg, "heap limit 100 MiB") {
		t.Errorf("the plot lacks its legend: %.300s", svg)
	}
	if png := written(t, WriteWatch, r, PNG, Options{}); !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("no PNG: %q", png[:8])
	}
	_ = written(t, WriteWatch, &Watch{}, SVG, Options{})
}

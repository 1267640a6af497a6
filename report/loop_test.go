package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// blocked is a report with everything in it; s is in every string that comes
// from the target.
func blocked(s string) *Loop {
	where := func(f string, line int) Location {
		return Location{Function: f + s, File: "/app/src/shop.js" + s, Line: line, Column: 17}
	}
	stack := []Location{where("stringify", 17), where("list", 17), {Function: "emit", File: "node:events", Line: 517}, {Function: "native"}}
	l := &Loop{
		Head: Head{SchemaVersion, "loop", "1.2.3"}, Target: "/app/src/shop.js" + s, NodeVersion: "v22.1.0",
		Verdict: Blocked, Sentence: "The event loop is blocked: JSON.stringify in list, for up to 231 ms at a time." + s,
		Delay: LoopDelay{P50: 1.2, P90: 85, P99: 211.4, Max: 231, Measured: true}, Utilization: 0.83, GCShare: 0.11,
		ThresholdMS: 50, DurationMS: 10_200, ProfiledMS: 7_000, StarvedMS: 80,
		Findings: []LoopFinding{
			{Rule: "json", Title: "JSON.stringify in list" + s, TotalMS: 1729, WorstMS: 231, Count: 7, Share: 0.91, Function: "list" + s, File: "/app/src/shop.js" + s,
				Line: 17, Column: 21, Code: "  const body = JSON.stringify({ products: catalogue });" + s, Locations: []Location{where("list", 19)}, Stack: stack,
				Evidence: []string{"7 blocks, 204 ms in the median and 231 ms at worst", "requests meanwhile: /products" + s}, Requests: []string{"/products" + s},
				Fix: "Send and read less: pages, fields that are needed.", Fingerprint: "5f0c9a3b1e7d2468"},
			{Rule: "threadpool", Title: "work waits for a thread of libuv's pool", TotalMS: 9, WorstMS: 4.5, Count: 2, Stack: []Location{}, Locations: []Location{},
				Evidence: []string{}, Requests: []string{}, Fix: "Limit how many slow jobs are under way at a time."},
		},
		Causes:   []LoopCause{{"json", 1729, 7}, {"cpu", 171, 1}, {"gc", 0.4, 0}},
		Threads:  []LoopThread{{ID: 0, Utilization: 0.83, Busy: 0.8, GCShare: 0.1, Delay: LoopDelay{P99: 211}, Blocks: 8, LongestMS: 231, Function: "list" + s, File: "/app/src/shop.js", Line: 17}, {ID: 3, Name: "pool" + s, Utilization: 0.99, Busy: 1}},
		Curve:    []LoopLate{{200, 2}, {400, 188}, {600, 90}, {800, 0}},
		GCs:      []LoopGC{{300, 12, "major"}, {5000, 2, "minor"}},
		Warnings: []string{"the main thread was ready to run but had no core for 80 ms of 7 s" + s},
	}
	for i := range 8 {
		b := LoopBlock{StartMS: float64(3200 + 800*i), DurationMS: float64(231 - 20*i), WallMS: float64(240 - 20*i), GCMS: 9, Cause: "json", Detail: "JSON.stringify" + s,
			Function: "list" + s, File: "/app/src/shop.js" + s, Line: 17, Column: 21, Requests: []string{"/products" + s}, Stack: stack}
		if i == 5 {
			b.Cause, b.Function, b.File, b.Line, b.Column, b.Stack = "cpu", "", "", 0, 0, []Location{}
		}
		l.Blocks = append(l.Blocks, b)
	}
	own := func(parent int, name string, total, self float64) LoopFrame {
		return LoopFrame{Parent: parent, Location: where(name, 16), Kind: "own", TotalMS: total, SelfMS: self}
	}
	node := LoopFrame{Parent: -1, Location: Location{Function: "parserOnIncoming", File: "node:_http_server", Line: 1120, Column: 5}, Kind: "node", TotalMS: 1900, SelfMS: 20}
	l.Flames = []LoopFlame{
		{TotalMS: 2000, Left: 12, Frames: []LoopFrame{node, own(0, "list", 1700, 40), own(1, "stringify", 1660, 1660), own(0, "log", 180, 180),
			{Parent: -1, Location: Location{Function: "(garbage collector)"}, Kind: "gc", TotalMS: 100, SelfMS: 100}}},
		{Thread: 3, Name: "pool" + s, TotalMS: 900, Frames: []LoopFrame{own(-1, "compute", 900, 900)}},
	}
	return l
}

func healthy() *Loop {
	return &Loop{Verdict: Healthy, Sentence: "The event loop is healthy: nothing kept it for 50 ms or longer.", Target: "/app/api.js",
		ThresholdMS: 50, DurationMS: 10_000, ProfiledMS: 7_000, Delay: LoopDelay{P50: 0, P90: 0.3, P99: 2.1, Max: 6, Measured: true}, Utilization: 0.12}
}

func loops() map[string]*Loop {
	all := map[string]*Loop{"blocked": blocked(""), "healthy loop": healthy(), "empty loop": {Verdict: Inconclusive},
		"nil slices of a loop": {Verdict: Blocked, Findings: []LoopFinding{{}}, Blocks: []LoopBlock{{}}}}
	for i, s := range hostileStrings {
		all[fmt.Sprintf("hostile loop %d", i)] = blocked(s)
	}
	return all
}

func loopJSON(t *testing.T, l *Loop) []byte { return written(t, WriteLoop, l, JSON, Options{}) }

func TestLoopLooks(t *testing.T) {
	golden(t, "loop-blocked.txt", written(t, WriteLoop, blocked(""), Text, Options{}))
	golden(t, "loop-blocked-40.txt", written(t, WriteLoop, blocked(""), Text, Options{Width: 40}))
	golden(t, "loop-healthy.txt", written(t, WriteLoop, healthy(), Text, Options{}))
}

func TestLoopJSONComesBackAsItWas(t *testing.T) {
	want := blocked("")
	var got Loop
	if err := json.Unmarshal(loopJSON(t, want), &got); err != nil {
		t.Fatal(err)
	}
	want.Flames = nil // see there
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("read back:\n%+v\nwrote:\n%+v", got, want)
	}
}

func TestHostileStringsOfALoopCannotReachTheTerminal(t *testing.T) {
	for _, s := range hostileStrings {
		for _, width := range []int{30, 80, 120} {
			l := blocked(s)
			// Paths and what has a slash are whole on purpose: held against their own
			// bound below.
			l.Target = "a.js"
			for i := range l.Findings {
				f := &l.Findings[i]
				f.File, f.Locations, f.Evidence = "a.js", nil, nil
			}
			if !strings.ContainsAny(s, `/\`) {
				safe(t, written(t, WriteLoop, l, Text, Options{Width: width}), width)
			}
		}
		safe(t, written(t, WriteLoop, blocked(s), Text, Options{}), maxPath+80)
	}
}

func TestLoopPlotHasABarForEachBlock(t *testing.T) {
	with, without := string(written(t, WriteLoop, blocked(""), SVG, Options{})), blocked("")
	without.Blocks = nil
	bars := func(svg string) int { return strings.Count(svg, "#D55E00") + strings.Count(svg, "#0072B2") }
	if got := bars(with) - bars(string(written(t, WriteLoop, without, SVG, Options{}))); got < 8 {
		t.Errorf("%d coloured shapes more with 8 blocks than without, want 8 or more", got)
	}
	for _, l := range loops() {
		if png := written(t, WriteLoop, l, PNG, Options{}); !bytes.HasPrefix(png, []byte("\x89PNG")) {
			t.Errorf("the PNG begins with %q", png[:min(8, len(png))])
		}
	}
}

func TestLoopRefusesOtherFormats(t *testing.T) {
	if err := WriteLoop(&bytes.Buffer{}, healthy(), CSV, Options{}); err == nil {
		t.Error("a loop was written as csv")
	}
}

func TestFormatMS(t *testing.T) {
	for ms, want := range map[float64]string{0: "0 ms", 0.42: "0.4 ms", 9.94: "9.9 ms", 12.4: "12 ms", 999.6: "1.00 s", 1254: "1.25 s", 12_345: "12.3 s"} {
		if got := FormatMS(ms); got != want {
			t.Errorf("FormatMS(%v) = %q, want %q", ms, got, want)
		}
	}
}

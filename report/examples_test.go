package report

import (
	"fmt"
	"strings"
	"time"
)

// leaking is a check that found a listener leak and a cache, and saw harmless
// growth.
func leaking() *Report {
	when := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	capture := func(i int) Capture {
		name := "after warm-up"
		if i > 0 {
			name = fmt.Sprintf("round %d", i)
		}
		t := when.Add(time.Duration(i) * time.Minute)
		return Capture{
			Name: name, Time: &t, NodeVersion: "v24.11.0", Mode: "plain",
			Objects: 41000 + 600*i, Bytes: uint64(5<<20 + 180000*i),
			HeapUsed: uint64(6<<20 + 190000*i), RSS: uint64(58<<20 + 400000*i),
			External: 2 << 20, ArrayBuffers: 1 << 16, FileSize: uint64(9<<20 + 400000*i),
		}
	}
	r := &Report{
		Head:     Head{Command: "check", Version: "0.1.0"},
		Target:   "src/server.js",
		Verdict:  Leak,
		Sentence: `2 leaks: emitter "hub" gains 100 "message" listeners every round, first at src/subscribe.js:12`,
		Findings: []Finding{
			{
				Rule: "listener", Title: `Listeners are added to emitter "hub" and never removed`, Verdict: Leak, Confidence: 0.97,
				Holder: Holder{Class: "EventEmitter", ID: 6153, Name: `emitter "hub" (EventEmitter), event "message"`, PerCapture: []int{100, 200, 300, 400}},
				Path: []Step{
					{Node: "global object", ID: 3},
					{Edge: "module cache", Node: "Module src/hub.js", ID: 5101},
					{Edge: ".exports", Node: "EventEmitter", ID: 6153},
					{Edge: "._events", Node: "Object", ID: 6155},
					{Edge: ".message", Node: "Array", ID: 7001},
					{Edge: "[x]", Node: "function onMessage", ID: 90211},
				},
				Location: &Location{Function: "subscribe", File: "/srv/app/src/subscribe.js", Line: 12, Column: 7, Role: "adds to the holder",
					Code: "  hub.on('message', (m) => queue.push(m));"},
				Locations:   []Location{{Function: "onMessage", File: "/srv/app/src/subscribe.js", Line: 12, Column: 21, Role: "listener"}},
				Survivors:   Survivors{Count: 900, Bytes: 437_200, PerRound: []int{300, 300, 300}, BytesPerRound: []uint64{145_733, 145_733, 145_734}, Entries: []int{100, 100, 100}, Unit: "listeners"},
				Sample:      []string{"function onMessage", "context of subscribe", "Array(0)"},
				Evidence:    []string{"Every round added exactly 100 listeners, a multiple of the 100 requests it made.", "No listener of an earlier round was ever removed.", "The emitter is older than the first capture and is held by the module cache."},
				Fix:         `Keep the function that you pass to hub.on and pass it to hub.off when the request ends, or use hub.once; do not subscribe inside a request handler.`,
				Fingerprint: "listener:3f9a1c",
			},
			{
				Rule: "cache", Title: `Map "sessions" only grows`, Verdict: Leak, Confidence: 0.9,
				Holder:    Holder{Class: "Map", ID: 8123, Name: `Map "sessions" in src/session.js`, PerCapture: []int{10, 40, 72, 101}},
				Holders:   []Holder{{Class: "Map", ID: 8123, Name: `Map "sessions" in src/session.js`}, {Class: "Set", ID: 8125, Name: `Set "online"`}},
				Path:      []Step{{Node: "global object", ID: 3}, {Edge: "context variable sessions", Node: "Map", ID: 8123}, {Edge: "[x]", Node: "Session", ID: 91111}},
				Survivors: Survivors{Count: 182, Bytes: 61_004, PerRound: []int{60, 64, 58}, BytesPerRound: []uint64{20100, 21404, 19500}},
				Stack:     []Location{{Function: "login", File: "/srv/app/src/session.js", Line: 30, Column: 1}, {Function: "(anonymous)", File: "/srv/app/src/server.js", Line: 8, Column: 9}},
				Evidence:  []string{"About 60 entries stay from every round."},
				Fix:       "Delete a session when its socket closes, or bound the Map.",
			},
		},
		Quiet: []Quiet{
			{Judgement: "bounded", Holder: `Map "templates"`, Count: 120, Bytes: 30_000, PerRound: []int{0, 0, 120}, Why: "stays at 100 entries; old ones make room for new ones"},
			{Judgement: "warm-up", Holder: "module cache", Count: 40, Bytes: 12_500, PerRound: []int{40, 0, 0}, Why: "only the first round added"},
		},
		Accounted: Accounted{Total: 555_704, Leaks: 498_204, Bounded: 30_000, WarmUp: 12_500, Churn: 12_000, Small: 3_000},
		Classes: []ClassDelta{
			{Class: "(closure)", New: 310, Deleted: 4, Delta: 306, Alloc: 19_840, Freed: 256, Size: 19_584},
			{Class: "Array", New: 305, Deleted: 2, Delta: 303, Alloc: 9_760, Freed: 64, Size: 9_696},
			{Class: "Session", New: 182, Delta: 182, Alloc: 17_472, Size: 17_472},
			{Class: "(string)", New: 20, Deleted: 220, Delta: -200, Alloc: 640, Freed: 7_040, Size: -6_400},
			{Class: "Map", New: 1, Delta: 1, Alloc: 32, Size: 32},
			{Class: "Promise", New: 1, Delta: 1, Alloc: 40, Size: 40},
		},
		Warnings: []string{"round 2 ran 98 requests, not 100: a listener more or less says nothing."},
	}
	for i := range 4 {
		r.Captures = append(r.Captures, capture(i))
	}
	r.Run = &Run{Warmup: 2, Rounds: 3, Units: 100, Unit: "request", Repeated: 9, Took: Took{Start: 310, Load: 2400, Settle: 1100, Capture: 900, Rest: 1500, Judge: 450, End: 60}}
	r.Growth = &Trends{
		Heap: Trend{180_000, 179_000, 181_000, 0.041667, true}, Objects: Trend{600, 600, 600, 0.041667, true},
		External:  &Trend{0, -120, 310, 0.5, false},
		Explained: 166_068, Unexplained: Trend{4_100.5, -900, 9_000, 0.375, false},
	}
	r.Normalize()
	return r
}

func clean() *Report {
	r := leaking()
	r.Verdict, r.Sentence = Clean, "nothing that 3 rounds left behind keeps growing"
	r.Findings, r.Accounted, r.Warnings = nil, Accounted{Total: 54_500, Bounded: 30_000, WarmUp: 12_500, Churn: 12_000}, nil
	r.Normalize()
	return r
}

func inconclusive() *Report {
	r := leaking()
	r.Command, r.Verdict, r.Run = "diff", Inconclusive, nil
	r.Sentence = "two captures show what grew, not whether it goes on growing: take at least three"
	r.Captures = r.Captures[:2]
	r.Captures[0].Name, r.Captures[1].Name = "a.heapsnapshot", "b.heapsnapshot"
	for i := range r.Captures { // files say nothing of the process
		r.Captures[i].HeapUsed, r.Captures[i].RSS = 0, 0
	}
	f := r.Findings[0]
	f.Verdict, f.Confidence, f.Location, f.Locations = Growth, 0.5, nil, nil
	f.Survivors = Survivors{Count: 300, Bytes: 145_733, PerRound: []int{300}, BytesPerRound: []uint64{145_733}, Entries: []int{100}}
	r.Findings, r.Quiet, r.Classes = []Finding{f}, nil, nil
	r.Accounted = Accounted{Total: 150_000, Small: 150_000}
	r.Normalize()
	return r
}

// suspects is what one capture gives: no rounds.
func suspects() *Report {
	r := leaking()
	r.Command, r.Verdict, r.Sentence = "suspects", Leak, "2 holders keep 76 % of the heap"
	r.Run, r.Growth = nil, nil
	r.Captures = r.Captures[:1]
	r.Quiet = []Quiet{{Judgement: "usual", Holder: `Map "templates" in views.js`, Count: 270, Bytes: 40_000, Why: "holds 90 entries"}}
	r.Classes, r.Warnings, r.Accounted = nil, nil, Accounted{}
	for i := range r.Findings {
		r.Findings[i].Survivors = Survivors{Count: 90_000 / (i + 1), Bytes: uint64(3_000_000 / (i + 1))}
		r.Findings[i].Verdict = Suspect
	}
	r.Normalize()
	return r
}

// many has more findings, rounds, steps and places than are shown.
func many() *Report {
	r := leaking()
	r.Sentence = "9 leaks, 30 rounds"
	f := r.Findings[0]
	f.Locations = nil
	for i := range 9 {
		f.Locations = append(f.Locations, Location{File: fmt.Sprintf("/srv/app/src/part-%d.js", i), Line: i + 1})
	}
	for i := range 40 {
		f.Path = append(f.Path[:len(f.Path):len(f.Path)], Step{Edge: ".next", Node: "Node", ID: uint64(100_000 + i)})
	}
	f.Survivors = Survivors{Count: 0, PerRound: nil}
	for i := range 30 {
		f.Survivors.PerRound = append(f.Survivors.PerRound, 300+i)
		f.Survivors.BytesPerRound = append(f.Survivors.BytesPerRound, 10_000)
		f.Survivors.Count += 300 + i
		f.Survivors.Bytes += 10_000
	}
	r.Findings = nil
	r.Captures = nil
	for i := range 31 {
		r.Captures = append(r.Captures, Capture{Name: fmt.Sprintf("round %d", i), Objects: 1000 + 300*i, Bytes: uint64(5<<20 + 10_000*i)})
	}
	for i := range 9 {
		g := f
		g.Title = fmt.Sprintf("Listeners are added to emitter number %d and never removed", i+1)
		g.Holder.Name = fmt.Sprintf("emitter number %d", i+1)
		r.Findings = append(r.Findings, g)
	}
	for i := range 12 {
		r.Quiet = append(r.Quiet, Quiet{Judgement: "warm-up", Holder: fmt.Sprintf("module %d", i%10), Count: 1, Bytes: 100, Why: "only the first round added"})
	}
	r.Normalize()
	return r
}

// hostileStrings is what a heap under attack may hold.
var hostileStrings = []string{
	"\x1b[2J\x1b[H\x1b]0;owned\x07",
	"CLEAN\nCLEAN  nothing leaks\r\n",
	"\u202egnp.exe\u202c \u2066x\u2069 \u200b\u200f\ufeff",
	"\xff\xfe\x9b31m \u009b31m \x00 \x7f",
	strings.Repeat("A", 10<<10),
	strings.Repeat("\x1b[31m/\u202e", 2<<10),
	strings.Repeat("漢字", 3<<10),
	strings.Repeat("e\u0301\u0302\u0303", 3<<10),
	"\U000e0041\U000e0042 \u2028 \u2029",
	"</title><script>alert(1)</script>&\"'",
	"",
}

// hostile has s in every string of the report.
func hostile(s string) *Report {
	r := leaking()
	r.Target, r.Sentence, r.Version = s, s, s
	r.Findings[0].Survivors.Unit = s
	r.Captures[0].Name, r.Captures[3].NodeVersion, r.Captures[0].Mode = s, s, s
	place := Location{Function: s, File: s, Line: 3, Column: 9, Role: s, Code: s, Package: s}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Rule, f.Title, f.Fix, f.Fingerprint = s, s, s, s
		f.Holder.Class, f.Holder.Name = s, s
		f.Holders = []Holder{f.Holder, f.Holder}
		for j := range f.Path {
			f.Path[j].Edge, f.Path[j].Node = s, s
		}
		f.Location = &place
		f.Locations = []Location{place, place}
		f.Sample, f.Evidence = []string{s, s}, []string{s, s}
	}
	for len(r.Findings) < 7 {
		r.Findings = append(r.Findings, r.Findings[0])
	}
	for i := range r.Quiet {
		r.Quiet[i].Judgement, r.Quiet[i].Holder, r.Quiet[i].Why = s, s, s
	}
	for i := range r.Classes {
		r.Classes[i].Class = s
	}
	r.Loop = &CheckLoop{Verdict: Blocked, Sentence: s, DurationMS: 5000, ThresholdMS: 50, LongestMS: 312, Cause: s, Title: s, Location: &place}
	r.Budgets = []Budget{{Name: s, Limit: 200, Value: 312, Unit: "ms", Exceeded: true, By: s, Sentence: s}}
	r.Ignored = []Ignored{{Finding: r.Findings[0], Reason: s, By: s, Expires: s}}
	r.Warnings = []string{s}
	r.Normalize()
	return r
}

func summary() *Summary {
	s := &Summary{
		Head:    Head{Command: "summary", Version: "0.1.0"},
		Capture: Capture{Name: "heap.heapsnapshot", NodeVersion: "v20.20.2", Mode: "plain", Objects: 41_234, Bytes: 5_300_200, FileSize: 9_437_184},
		Nodes:   41_234, Edges: 190_010, Total: 5_300_200,
		Statistics: Statistics{Native: 1_200_000, TypedArray: 65_536, Code: 900_000, Strings: 800_000, Arrays: 40_000, System: 700_000, Other: 1_594_664},
		Classes: []Class{
			{Name: "(compiled code)", Count: 12_000, Shallow: 900_000, Retained: 2_100_000, Distance: 3},
			{Name: "EventEmitter", Count: 12, Shallow: 1_152, Retained: 437_200, Distance: 4},
			{Name: "Object", Count: 3_012, Shallow: 120_480, Retained: 400_000, Distance: 2},
			{Name: "(unreachable)", Count: 3, Shallow: 96, Retained: 96, Distance: -1},
		},
		Warnings: []string{"the file ends early: 99 % of the nodes were read"},
	}
	s.Normalize()
	return s
}

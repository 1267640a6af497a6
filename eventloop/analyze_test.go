package eventloop

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"heapsnap/fixtures"
)

// The recordings in testdata were made by heapsnap loop --save of the programs
// in fixtures/loop, on machines that were busy with other things. The marks of
// the program are in the source that a recording has.

func recorded(t *testing.T, name string) *Recording {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadRecording(z)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// analyze reads no file: what the recording does not have is not there.
func analyze(r *Recording, o Options) *Analysis {
	o.Source = noSource
	return Analyze(r, o)
}

func TestEveryCauseIsFoundOnItsLine(t *testing.T) {
	seen := map[string]bool{}
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json.gz")
		t.Run(name, func(t *testing.T) {
			r := recorded(t, name)
			a := analyze(r, Options{})
			if strings.HasPrefix(name, "healthy-") || strings.HasPrefix(name, "fixed-") {
				if a.Verdict != Healthy || len(a.Findings) != 0 {
					t.Errorf("verdict %s with %d findings, want healthy: %s", a.Verdict, len(a.Findings), a.Sentence)
				}
				return
			}
			var marks []fixtures.BlockMark
			for script, text := range r.Sources {
				if strings.HasSuffix(script, "/blocked.js") {
					if marks, err = fixtures.ParseBlockMarks([]byte(text)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(marks) == 0 {
				t.Fatal("the recording has no source with marks")
			}
			if a.Verdict != Blocked || len(a.Findings) == 0 {
				t.Fatalf("verdict %s with %d findings, want blocked: %s", a.Verdict, len(a.Findings), a.Sentence)
			}
			f := a.Findings[0]
			seen[f.Cause.Name] = true
			guilty := fixtures.LoopFixture{Marks: marks}.Guilty(f.Site.Function, f.Site.Line)
			if f.Cause.Name != marks[0].Cause || !guilty {
				t.Errorf("found %s in %s on line %d, want %s in %s on line %d", f.Cause.Name, f.Site.Function, f.Site.Line,
					marks[0].Cause, marks[0].Function, marks[0].Line)
			}
			if f.Code == "" || f.Fix == "" || f.Title == "" || len(f.Evidence) == 0 {
				t.Errorf("the finding is not told: %+v", f)
			}
		})
	}
	for _, c := range Causes() {
		if !seen[c.Name] && c.Name != nativeCause.Name {
			t.Errorf("no recording of the cause %s", c.Name)
		}
	}
}

func TestCausesAreDocumented(t *testing.T) {
	for _, c := range Causes() {
		if c.Name == "" || c.Title == "" || c.Why == "" || c.Sign == "" || c.Fix == "" || len(c.Links) == 0 {
			t.Errorf("cause %q lacks a part of its documentation", c.Name)
		}
		if strings.HasSuffix(c.Title, ".") {
			t.Errorf("title of %s ends a sentence: %q", c.Name, c.Title)
		}
	}
}

// loop makes a recording of one thread: stacks by name, innermost last, with the
// milliseconds that each was seen.
type seen struct {
	stack string
	ms    int
}

func profileOf(start int64, all []seen) *Profile {
	p := &Profile{StartTime: start, Nodes: []ProfileNode{{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}}}}
	at := start
	node := func(stack string) int {
		parent := 0
		names := strings.Split(stack, " ")
		if strings.HasPrefix(stack, "(") {
			names = []string{stack}
		}
		for _, name := range names {
			next := -1
			for _, id := range p.Nodes[parent].Children {
				if p.Nodes[id-1].CallFrame.FunctionName == name {
					next = id - 1
				}
			}
			if next < 0 {
				frame := CallFrame{FunctionName: name, URL: "file:///app/" + name + ".js", LineNumber: 9}
				if strings.HasPrefix(name, "(") {
					frame = CallFrame{FunctionName: name, LineNumber: -1}
				}
				next = len(p.Nodes)
				p.Nodes = append(p.Nodes, ProfileNode{ID: next + 1, CallFrame: frame})
				p.Nodes[parent].Children = append(p.Nodes[parent].Children, next+1)
			}
			parent = next
		}
		return parent + 1
	}
	for _, s := range all {
		for range s.ms {
			delta := int64(1000)
			if at == start && len(p.Samples) == 0 {
				delta = 0
			}
			p.Samples = append(p.Samples, node(s.stack))
			p.TimeDeltas = append(p.TimeDeltas, delta)
			at += delta
		}
	}
	p.EndTime = at + 1000
	return p
}

func recordingOf(p *Profile, iterations ...Iteration) *Recording {
	turns := 0
	if len(iterations) > 0 {
		turns = 1000
	}
	return &Recording{Start: p.StartTime, End: p.EndTime, Interval: 1000, Traced: turns > 0,
		Threads: []Thread{{TID: 1, Turns: turns, Iterations: iterations, Profiles: []*Profile{p}}}}
}

const second = int64(1_000_000)

// The kernel's own count of the time without a core goes before the difference
// of two clocks, as long as they agree.
func TestTimeWithoutACoreIsNoBlock(t *testing.T) {
	at := second + 500_000
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 100}, {"(idle)", 1500}})
	wait := func(us int64) *int64 { return &us }
	for _, c := range []struct {
		name string
		it   Iteration
		want time.Duration // 0: no block
	}{
		{"it ran", Iteration{Start: at, Duration: 100_000, CPU: 96_000, Wait: wait(0)}, 100 * time.Millisecond},
		{"it had no core for a part", Iteration{Start: at, Duration: 100_000, CPU: 70_000, Wait: wait(30_000)}, 70 * time.Millisecond},
		{"it had no core", Iteration{Start: at, Duration: 100_000, CPU: 10_000, Wait: wait(90_000)}, 0},
		{"it neither ran nor wanted to", Iteration{Start: at, Duration: 100_000, CPU: 1000, Wait: wait(500)}, 0},
	} {
		a := analyze(recordingOf(p, c.it), Options{})
		switch {
		case c.want == 0 && len(a.Blocks) > 0:
			t.Errorf("%s: a block of %s, want none", c.name, a.Blocks[0].Duration)
		case c.want > 0 && (len(a.Blocks) != 1 || a.Blocks[0].Duration != c.want):
			t.Errorf("%s: %d blocks, want one of %s", c.name, len(a.Blocks), c.want)
		}
	}
}

// What the probe does is none of the program's.
func TestTimeOfTheProbeIsNoBlock(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 500}, {"turned readSync", 100}, {"(idle)", 1500}})
	for i := range p.Nodes {
		if p.Nodes[i].CallFrame.FunctionName == "turned" {
			p.Nodes[i].CallFrame.URL = probeURL
		}
	}
	at := second + 500_000
	if a := analyze(recordingOf(p, Iteration{Start: at, Duration: 100_000, CPU: 100_000}), Options{}); a.Verdict != Healthy {
		t.Errorf("verdict %s, %d blocks, want healthy", a.Verdict, len(a.Blocks))
	}
}

func TestBlocksAreIterationsAndNotRequests(t *testing.T) {
	// Two iterations of 40 ms one after the other are no block of 80.
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 80}, {"(idle)", 1500}})
	at := second + 500_000
	a := analyze(recordingOf(p, Iteration{Start: at - 500_000, Duration: 540_000, CPU: 40_000}, Iteration{Start: at + 40_000, Duration: 40_000, CPU: 40_000}), Options{})
	if a.Verdict != Healthy {
		t.Errorf("verdict %s, %d blocks, want healthy", a.Verdict, len(a.Blocks))
	}
	// One of 80 is.
	a = analyze(recordingOf(p, Iteration{Start: at - 5000, Duration: 90_000, CPU: 80_000}), Options{})
	if len(a.Blocks) != 1 || a.Blocks[0].Duration != 80*time.Millisecond || a.Blocks[0].Start != at || a.Blocks[0].Site.Function != "work" && a.Blocks[0].Site.Function != "serve" {
		t.Errorf("blocks = %+v, want one of 80 ms at %d", a.Blocks, at)
	}
}

func TestWaitingForACoreIsNoBlock(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 90}, {"(idle)", 1500}})
	at := second + 495_000
	a := analyze(recordingOf(p, Iteration{Start: at, Duration: 100_000, CPU: 20_000}), Options{})
	if a.Verdict != Healthy || a.Starved != 70*time.Millisecond {
		t.Errorf("verdict %s, starved %s, want healthy and 70ms: the thread had the core for 20 of 90 ms", a.Verdict, a.Starved)
	}
	a = analyze(recordingOf(p, Iteration{Start: at, Duration: 100_000, CPU: 60_000}), Options{})
	if len(a.Blocks) != 1 || a.Blocks[0].Duration != 60*time.Millisecond {
		t.Errorf("blocks = %+v, want one of the 60 ms that the thread had the core", a.Blocks)
	}
}

func TestManyShortCallbacksAreLoadAndNoBlock(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 80}, {"(idle)", 1500}})
	at := second + 500_000
	r := recordingOf(p, Iteration{Start: at, Duration: 80_000, CPU: 80_000})
	for i := range int64(40) {
		r.Requests = append(r.Requests, Request{Start: at + 2000*i, Duration: 2000, URL: "/small"})
	}
	if a := analyze(r, Options{}); a.Verdict != Healthy {
		t.Errorf("verdict %s for 40 requests of 2 ms in one iteration, want healthy", a.Verdict)
	}
	r.Requests = r.Requests[:20]
	if a := analyze(r, Options{}); len(a.Blocks) != 1 || len(a.Blocks[0].Requests) != 1 {
		t.Errorf("blocks = %+v, want one: 40 ms are of one callback", a.Blocks)
	}
}

func TestBudgets(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 80}, {"(idle)", 1500}})
	r := recordingOf(p, Iteration{Start: second + 490_000, Duration: 100_000, CPU: 80_000})
	if a := analyze(r, Options{MaxBlock: 100 * time.Millisecond}); a.Verdict != Healthy {
		t.Errorf("a block of 80 ms with a budget of 100: verdict %s, want healthy", a.Verdict)
	}
	a := analyze(r, Options{Threshold: 50 * time.Millisecond, MaxBlock: 100 * time.Millisecond})
	if a.Verdict != Healthy || len(a.Blocks) != 1 {
		t.Errorf("verdict %s with %d blocks, want healthy with one", a.Verdict, len(a.Blocks))
	}
	if a := analyze(r, Options{MaxBlock: 60 * time.Millisecond}); a.Verdict != Blocked || !strings.Contains(a.Sentence, "60 ms") {
		t.Errorf("a block of 80 ms with a budget of 60: verdict %s: %s", a.Verdict, a.Sentence)
	}
	if a := analyze(r, Options{MaxBlock: time.Second, MaxP99: time.Millisecond}); a.Verdict != Blocked {
		t.Errorf("a delay of up to 80 ms with a budget of 1: verdict %s, want blocked", a.Verdict)
	}
}

func TestWithoutATraceStretchesAreGuessed(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 500}, {"serve work", 60}, {"(garbage collector)", 5}, {"serve work", 10}, {"(idle)", 900}, {"tick work", 30}, {"serve work", 30}, {"(idle)", 900}})
	a := analyze(recordingOf(p), Options{})
	if len(a.Blocks) != 1 || a.Blocks[0].Duration != 75*time.Millisecond || a.Blocks[0].GC != 5*time.Millisecond {
		t.Errorf("blocks = %+v, want one of 75 ms: the other two are of different callbacks", a.Blocks)
	}
}

func TestTooLittleIsInconclusive(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 300}})
	if a := analyze(recordingOf(p, Iteration{Start: second, Duration: 1000, CPU: 0}), Options{}); a.Verdict != Inconclusive {
		t.Errorf("verdict %s after 0.3 s, want inconclusive", a.Verdict)
	}
	r := recordingOf(profileOf(second*9, []seen{{"(idle)", 2000}}), Iteration{Start: second, Duration: 300_000, CPU: 290_000})
	if a := analyze(r, Options{}); a.Verdict != Inconclusive || !strings.Contains(a.Sentence, "290 ms") {
		t.Errorf("verdict %s, want inconclusive: there was a block before the profile: %s", a.Verdict, a.Sentence)
	}
}

func TestDelaysAreWeightedByTime(t *testing.T) {
	// 99 samples on time and one late by 300 ms, in 1.3 s: a random moment is
	// within those 300 ms with a probability of 23 %.
	v := Vitals{Duration: 1_300_000, Samples: 100, Quantiles: []Quantile{{99, 0}, {100, 300_000}}}
	p := v.percentiles()
	if p.P50 != 0 || p.Max != 300*time.Millisecond {
		t.Errorf("percentiles = %+v, want a median of 0 and a maximum of 300 ms", p)
	}
	if want := 287 * time.Millisecond; p.P99 < want-time.Millisecond || p.P99 > want+time.Millisecond {
		t.Errorf("p99 = %s, want %s: 1 %% of 1.3 s is 13 ms", p.P99, want)
	}
}

func TestGapBelongsToTheCommonCaller(t *testing.T) {
	p := profileOf(second, []seen{{"(idle)", 100}, {"serve read open", 1}, {"serve read close", 1}, {"(idle)", 2000}})
	for i := range p.Samples {
		if i > 0 && p.Samples[i] != p.Samples[i-1] && p.Nodes[p.Samples[i]-1].CallFrame.FunctionName == "close" {
			p.TimeDeltas[i] = 200_000
			p.EndTime += 199_000
		}
	}
	l := newLedger(&Thread{Profiles: []*Profile{p}}, 1000)
	var longest segment
	for _, s := range l.segments {
		if s.to-s.from > longest.to-longest.from {
			longest = s
		}
	}
	if got := l.trees[0].name(longest.node); got != "read" || longest.to-longest.from != 200_000 {
		t.Errorf("the gap is given to %s for %d us, want read for 200000", got, longest.to-longest.from)
	}
}

func TestRecordingsThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":         "empty",
		"not json": "no recording: byte",
		`{"a":1}`:  "neither a recording",
		`{"kind":"heapsnap loop recording","schema":99}`:                       "use a newer one",
		`{"kind":"heapsnap loop recording","schema":1}`:                        "no threads",
		`{"nodes":[],"samples":[]}`:                                            "no nodes",
		`{"nodes":[{"id":1}],"samples":[1],"timeDeltas":[]}`:                   "record it with samples",
		`{"nodes":[{"id":1}],"samples":[2],"timeDeltas":[0]}`:                  "sample 0 is of node 2",
		`{"nodes":[{"id":1,"children":[7]}]}`:                                  "child 7, which is not there",
		`{"nodes":[{"id":1},{"id":2,"children":[3]},{"id":3,"children":[2]}]}`: "not below the root",
		`{"nodes":[{"id":1,"children":[2]},{"id":2,"children":[1]}]}`:          "two parents",
		`{"nodes":[{"id":1,"children":[2]},{"id":2,"children":[2]}]}`:          "two parents",
		`{"nodes":[{"id":1},{"id":1}]}`:                                        "twice",
	} {
		_, err := ReadRecording(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ReadRecording(%s) = %v, want one line with %q", text, err, want)
		}
	}
}

func TestRecordingComesBackAsItWas(t *testing.T) {
	r := recorded(t, "json")
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ReadRecording(&b)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := json.Marshal(r)
	two, _ := json.Marshal(again)
	if !bytes.Equal(one, two) {
		t.Error("a recording that was written and read is another")
	}
}

func TestExports(t *testing.T) {
	r := recorded(t, "json")
	var cpu, proto, speedscope bytes.Buffer
	for w, format := range map[*bytes.Buffer]string{&cpu: "cpuprofile", &proto: "pprof", &speedscope: "speedscope"} {
		if err := Export(w, r, format); err != nil {
			t.Fatal(err)
		}
	}
	back, err := ReadRecording(&cpu)
	if err != nil {
		t.Fatal(err)
	}
	if a := analyze(back, Options{}); a.Verdict != Blocked || a.Findings[0].Site.Function != "list" {
		t.Errorf("the .cpuprofile is judged %s: %s", a.Verdict, a.Sentence)
	}
	p, err := profile.Parse(&proto)
	if err != nil {
		t.Fatal(err)
	}
	var total, list int64
	for _, s := range p.Sample {
		total += s.Value[1]
		for _, l := range s.Location {
			if l.Line[0].Function.Name == "list" {
				list += s.Value[1]
				break
			}
		}
	}
	if total == 0 || float64(list) < 0.5*float64(total) {
		t.Errorf("pprof: list has %d of %d ns, want most of it", list, total)
	}
	var file struct {
		Shared   struct{ Frames []struct{ Name string } }
		Profiles []struct {
			EndValue int64
			Samples  [][]int
			Weights  []int64
		}
	}
	if err := json.Unmarshal(speedscope.Bytes(), &file); err != nil || len(file.Profiles) == 0 {
		t.Fatal("speedscope:", err)
	}
	var sum int64
	for i, s := range file.Profiles[0].Samples {
		sum += file.Profiles[0].Weights[i]
		for _, f := range s {
			if f >= len(file.Shared.Frames) {
				t.Fatalf("speedscope: frame %d of %d", f, len(file.Shared.Frames))
			}
		}
	}
	if sum != file.Profiles[0].EndValue {
		t.Errorf("speedscope: weights add up to %d, the end is %d", sum, file.Profiles[0].EndValue)
	}
	if err := Export(&cpu, r, "svg"); err == nil {
		t.Error("exported as svg")
	}
}

func TestMergedProfilesKeepTheirTime(t *testing.T) {
	one := profileOf(second, []seen{{"(idle)", 10}, {"serve work", 20}})
	two := profileOf(one.EndTime+50_000, []seen{{"serve work", 30}, {"serve other", 5}})
	m := merged([]*Profile{one, two})
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	time := map[string]int64{}
	for _, s := range newLedger(&Thread{Profiles: []*Profile{m}}, 1000).segments {
		time[m.Nodes[s.node].CallFrame.FunctionName] += s.to - s.from
	}
	if time["work"] != 50_000 || time["other"] != 5000 || m.EndTime != two.EndTime {
		t.Errorf("merged times = %v to %d, want work 50000, other 5000", time, m.EndTime)
	}
}

func TestSourcesAreReadOnlyOnce(t *testing.T) {
	reads := 0
	src := newSources(&Recording{}, func(string) ([]byte, error) { reads++; return nil, errors.ErrUnsupported })
	for range 3 {
		if src.of("file:///app/gone.js") != nil {
			t.Error("there is a source")
		}
	}
	if reads != 1 || src.of("node:fs") != nil || reads != 1 {
		t.Errorf("read %d times, want once, and Node's own never", reads)
	}
}

func TestHealthyAndLateHasAReason(t *testing.T) {
	rec := func(sched []Sched, utilization float64) *Recording {
		p := &Profile{Nodes: []ProfileNode{{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}, Children: []int{2}}, {ID: 2, CallFrame: CallFrame{FunctionName: idleName}}}}
		for range 5000 {
			p.Samples = append(p.Samples, 2)
			p.TimeDeltas = append(p.TimeDeltas, 1000)
		}
		p.EndTime = 5_000_000
		v := Vitals{Duration: 3_000_000, Samples: 100, Utilization: utilization, Quantiles: []Quantile{{50, 1000}, {100, 300_000}}}
		return &Recording{Interval: 1000, End: p.EndTime, Threads: []Thread{{TID: 7, Profiles: []*Profile{p}, Vitals: v, Sched: sched}}}
	}
	for _, tt := range []struct {
		name string
		rec  *Recording
		want string
	}{
		{"no core", rec([]Sched{{TID: 7, Run: 1_000_000, Wait: 1_200_000, Wall: 3_000_000}, {TID: 8, Wait: 3_000_000, Wall: 3_000_000}}, 0.3), "had no core for 40 % of the time."},
		{"many callbacks", rec(nil, 0.95), "busy for 95 % of the time."},
		{"no reason is known", rec(nil, 0.3), "for 50 ms or longer."},
	} {
		a := Analyze(tt.rec, Options{Source: noSource})
		if a.Verdict != Healthy || !strings.HasSuffix(strings.Replace(a.Sentence, " That is load: spread it over more processes.", "", 1), tt.want) {
			t.Errorf("%s: %s, %q, want it healthy and %q", tt.name, a.Verdict, a.Sentence, tt.want)
		}
	}
}

// What a function does with a smaller part of the time is no finding of its own.
func TestSmallerCausesOfTheSameFunctionAreMentioned(t *testing.T) {
	const text = "function page(req) {\n  const all = JSON.parse(req);\n  for (const a of all) n += Math.sqrt(a);\n  return n;\n}\n"
	rec := busyIn(map[string]string{"/app/a.js": text}, nil, 0, CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 0, ColumnNumber: 13})
	rec.Threads[0].Profiles[0].Nodes[1].PositionTicks = []PositionTick{{2, 700}, {3, 300}}
	a := Analyze(rec, Options{Source: noSource})
	if len(a.Findings) != 1 || a.Findings[0].Cause != &jsonCause || !slices.Contains(a.Findings[0].Evidence, "the same function also blocks by cpu 300 ms (line 3)") {
		t.Errorf("findings = %+v, want json that mentions cpu", a.Findings)
	}
}

// The main thread sleeps while V8's other threads collect garbage with it: where
// those have no core, that is the machine's doing.
func TestACollectionThatWaitsForItsThreadsIsNoBlock(t *testing.T) {
	for _, tt := range []struct {
		cpu  int64
		want Verdict
	}{{6_000, Healthy}, {900_000, Blocked}} {
		rec := busyIn(map[string]string{"/app/a.js": "function page() {\n  return all.map(copy);\n}\n"}, nil, 2,
			CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 0, ColumnNumber: 13})
		p := rec.Threads[0].Profiles[0]
		p.Nodes[0].Children = append(p.Nodes[0].Children, 3)
		p.Nodes = append(p.Nodes, ProfileNode{ID: 3, CallFrame: CallFrame{FunctionName: gcName}})
		for i := 10; i < len(p.Samples); i++ {
			p.Samples[i] = 3
		}
		wait := int64(400)
		rec.Traced = true
		rec.Threads[0].Turns = 1
		rec.Threads[0].Iterations = []Iteration{{Start: 0, Duration: 1_000_000, CPU: tt.cpu, Wait: &wait}}
		if a := Analyze(rec, Options{Source: noSource}); a.Verdict != tt.want {
			t.Errorf("%d us of CPU: %s, want %s", tt.cpu, a.Verdict, tt.want)
		}
	}
}

package check

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/report"
)

func examined(t *testing.T, source string, change func(*Options)) (*report.Report, Options) {
	t.Helper()
	o := Options{
		Launch:       cdp.LaunchOptions{Argv: []string{node(t), script(t, source)}},
		LoadFunction: "load", Units: 20, Rounds: 3, MaxRounds: 6, MaxWarmup: 6, Dir: t.TempDir(),
	}
	if change != nil {
		change(&o)
	}
	r, err := Examine(deadline(t), o, JudgeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, o
}

// All of these grow in every measured round.
func TestOnlyWhatGoesOnIsALeak(t *testing.T) {
	const class = `class Entry { constructor(n) { this.n = n; this.more = [n, n]; } } let n = 0; setInterval(() => {}, 1e6);`
	for _, test := range []struct {
		name, source string
		leak         bool
		quiet        string // why not
	}{
		{"an array", `const all = []; globalThis.load = () => { all.push(new Entry(++n)); };`, true, ""},
		// 100 calls when first judged.
		{"a cache of 105, not full yet", `const cache = new Map(); globalThis.load = () => { cache.set(++n, new Entry(n)); if (cache.size > 105) cache.delete(cache.keys().next().value); };`, false, ""},
		{"entries that expire", `const open = new Map(); globalThis.load = () => { const id = ++n; open.set(id, new Entry(id)); setTimeout(() => open.delete(id), 3000); };`, false, "let go"},
		{"growth with time, not with work", `const log = []; setInterval(() => log.push(new Entry(++n)), 10); globalThis.load = () => new Promise((done) => setTimeout(done, 5));`, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, _ := examined(t, class+test.source, func(o *Options) { o.MaxWarmup = 0 })
			if (r.Verdict == report.Leak) != test.leak {
				t.Errorf("%s: %s, after %d repeated rounds; quiet %+v", r.Verdict, r.Sentence, r.Run.Repeated, r.Quiet)
			}
			var why []string
			for _, q := range r.Quiet {
				why = append(why, q.Why)
			}
			if r.Run.Repeated == 0 {
				t.Skip("this machine is slow: what was to look like a leak did not")
			}
			if !strings.Contains(strings.Join(why, "\n"), test.quiet) {
				t.Errorf("quiet because of %q, want %q", why, test.quiet)
			}
		})
	}
}

// One object of a call is nothing; many of a round are a leak, and the report
// says what a call leaves.
func TestRoundsAreSized(t *testing.T) {
	const source = `const kept = []; globalThis.load = (n) => { kept.push({ n }); return new Promise((done) => setTimeout(done, 2)); }; setInterval(() => {}, 1e6);`
	r, _ := examined(t, source, func(o *Options) { o.Units = -1 })
	if r.Verdict != report.Leak || r.Run.Units < 10 || r.Run.Units > sizedUnits || r.Run.Unit != "call" {
		t.Fatalf("%s, run %+v, want a leak by many calls in a round", r.Sentence, r.Run)
	}
	if e := strings.Join(r.Findings[0].Evidence, "\n"); !strings.Contains(e, "a call leaves 1 entry and ") {
		t.Errorf("evidence %q, want what a call leaves", e)
	}
	r, _ = examined(t, source, func(o *Options) { o.Units = 1 })
	if r.Verdict != report.Clean {
		t.Errorf("one call a round: %s, want nothing to be told from one object", r.Sentence)
	}
}

// Until its tables are there, each round adds less than the one before.
func TestWarmUpGoesOnUntilTheHeapSettles(t *testing.T) {
	const source = `const tables = []; let n = 0; globalThis.load = () => { if (n < 5) tables.push(Array.from({ length: 20000 >> n++ }, (_, i) => ({ i, n }))); }; setInterval(() => {}, 1e6);`
	r, _ := examined(t, source, func(o *Options) { o.Units = 1 })
	if r.Verdict != report.Clean || r.Run.Warmup < 5 {
		t.Errorf("%s, run %+v, want clean after 5 rounds of warm-up or more", r.Sentence, r.Run)
	}
	r, _ = examined(t, source, func(o *Options) { o.Units, o.MaxWarmup = 1, 0 })
	if r.Run.Warmup != 2 {
		t.Errorf("run %+v, want the 2 rounds of warm-up that were asked for", r.Run)
	}
}

// A leak may be why the load fails in the end. What is no leak so far is no verdict.
func TestLoadThatFailsLater(t *testing.T) {
	const source = `class Entry { constructor(n) { this.n = n; this.more = [n, n]; } } let n = 0; const all = []; setInterval(() => {}, 1e6);
globalThis.load = () => { %s; if (++n > 130) throw new RangeError('no more room'); };`
	options := func(source string) Options {
		return Options{
			Launch:       cdp.LaunchOptions{Argv: []string{node(t), script(t, source)}},
			LoadFunction: "load", Units: 20, Rounds: 3, MaxRounds: 6, Warmup: 2, Dir: t.TempDir(),
		}
	}
	t.Run("leak", func(t *testing.T) {
		t.Parallel()
		r, err := Examine(deadline(t), options(fmt.Sprintf(source, "all.push(new Entry(n))")), JudgeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != report.Leak || len(r.Findings) != 1 || r.Run.Rounds != 3 || r.Run.Units != 20 || r.Run.Warmup != 2 {
			t.Errorf("%s: %s, %d findings, run %+v, want a leak", r.Verdict, r.Sentence, len(r.Findings), r.Run)
		}
		if got := strings.Join(r.Warnings, "\n"); !strings.Contains(got, "RangeError: no more room") || !strings.Contains(got, "without a second look") {
			t.Errorf("warnings %q do not tell why the run failed", got)
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		o := options(fmt.Sprintf(source, "new Entry(n)"))
		o.Units = 35
		_, err := Examine(deadline(t), o, JudgeOptions{})
		var run *RunError
		if !errors.As(err, &run) || !strings.Contains(err.Error(), "no more room") {
			t.Errorf("Examine = %v, want the load's error", err)
		}
	})
}

func TestTooFewRoundsAreNoVerdict(t *testing.T) {
	for _, source := range []string{
		`const kept = []; globalThis.load = () => { for (let i = 0; i < 50; i++) kept.push({ i }); }; setInterval(() => {}, 1e6);`,
		`globalThis.load = () => {}; setInterval(() => {}, 1e6);`,
	} {
		r, _ := examined(t, source, func(o *Options) { o.Rounds, o.MaxRounds = 2, 2 })
		if r.Verdict != report.Inconclusive || !strings.Contains(r.Sentence, "it takes 3") {
			t.Errorf("two rounds: %s, %s, want inconclusive", r.Verdict, r.Sentence)
		}
		if r, _ = examined(t, source, func(o *Options) { o.Rounds, o.MaxRounds = 2, 3 }); r.Verdict == report.Inconclusive || r.Run.Rounds != 3 {
			t.Errorf("two rounds, and more are allowed: %s, run %+v, want a verdict of three", r.Sentence, r.Run)
		}
	}
}

// The same captures give the same report, byte for byte, in every format.
func TestTheSameInputGivesTheSameOutput(t *testing.T) {
	bin := node(t)
	series, err := Run(deadline(t), Options{
		Launch:       cdp.LaunchOptions{Argv: []string{bin, script(t, `const a = [], m = new Map(), s = new Set(); let n = 0; globalThis.load = () => { for (let i = 0; i < 40; i++) { a.push({ n: ++n }); m.set(n, [n]); s.add('key ' + n); setTimeout(() => {}, 1e8); } }; setInterval(() => {}, 1e6);`)}},
		LoadFunction: "load", Rounds: 3, Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Formats() {
		var first []byte
		for range 3 {
			r, err := Judge(deadline(t), series.paths(), JudgeOptions{Classes: true})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := report.Write(&b, r, f, report.Options{Verbose: true}); errors.Is(err, report.ErrNoForm) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = b.Bytes()
			} else if !bytes.Equal(first, b.Bytes()) {
				t.Errorf("%s differs between two judgements of the same files", f)
			}
		}
		if first != nil && len(first) < 1000 {
			t.Errorf("%s: %d bytes", f, len(first))
		}
	}
}

package check

import (
	"strings"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/report"
)

// seconds is a capture so many seconds after the first.
func seconds(s float64) Captured {
	return Captured{Meta: cdp.Meta{Time: time.Unix(0, 0).Add(time.Duration(s * float64(time.Second)))}}
}

func leakOf(id uint64, perRound ...int) report.Finding {
	f := report.Finding{Rule: "cache", Verdict: report.Leak, Confidence: 0.94, Holder: report.Holder{ID: id, Name: "Map"}}
	for _, n := range perRound {
		f.Survivors.PerRound = append(f.Survivors.PerRound, n)
		f.Survivors.Count += n
		f.Survivors.BytesPerRound = append(f.Survivors.BytesPerRound, uint64(100*n))
		f.Survivors.Bytes += uint64(100 * n)
	}
	return f
}

// Four rounds of one second each added 10; then came eight rounds in one go.
func TestConfirmation(t *testing.T) {
	for _, test := range []struct {
		name  string
		added int     // by the eight rounds; -1: the finding is gone
		after float64 // seconds of load and rest
		nth   int     // confirmation
		want  answer
	}{
		{"goes on with the work", 80, 4, 1, answer{sure: true, leak: true}},
		{"goes on, with some luck", 66, 4, 1, answer{sure: true, leak: true}},
		{"was let go", -1, 4, 1, answer{sure: true}},
		{"a cache is full", 6, 4, 1, answer{sure: true}},
		{"goes on with the time", 40, 4, 1, answer{}},
		{"goes on with the time, seen for long enough", 80, 8, 2, answer{sure: true, leak: true}},
		{"slows down", 55, 8, 1, answer{}},
		{"slows down to the last", 50, 8, 3, answer{sure: true}},
		{"is irregular to the last", 56, 8, 3, answer{sure: true, leak: true}},
	} {
		s := &Series{}
		for i := range 5 {
			s.Captures = append(s.Captures, seconds(float64(i)))
		}
		r, again := &report.Report{Findings: []report.Finding{leakOf(7, 10, 10, 10, 10)}}, &report.Report{}
		perRound := []int{10, 10, 10, 10}
		at := 4.0
		for range test.nth {
			at += test.after
			s.Confirmations = append(s.Confirmations, Confirmation{seconds(at), 8})
			perRound = append(perRound, test.added)
		}
		if test.added >= 0 {
			again.Findings = append(again.Findings, leakOf(99, 1, 2, 3, 4, 5), leakOf(7, perRound...))
		}
		got := answers(r, again, s)[0]
		if got.sure != test.want.sure || got.leak != test.want.leak {
			t.Errorf("%s: sure %v, leak %v, want %v, %v", test.name, got.sure, got.leak, test.want.sure, test.want.leak)
		}
	}
}

// A string that is made anew each time it grows is one object, however much.
func TestConfirmationByBytes(t *testing.T) {
	s := &Series{Captures: []Captured{seconds(0), seconds(1), seconds(2), seconds(3)}, Confirmations: []Confirmation{{seconds(5), 6}}}
	was, is := leakOf(7, 1, 1, 1), leakOf(7, 1, 1, 1, 1)
	is.Survivors.BytesPerRound[3] = 600
	r := &report.Report{Findings: []report.Finding{was}}
	if got := answers(r, &report.Report{Findings: []report.Finding{is}}, s)[0]; !got.leak {
		t.Errorf("600 bytes by 6 rounds after 100 by each: %+v, want a leak", got)
	}
}

func TestWhatIsRefutedIsToldAsHarmless(t *testing.T) {
	r := &report.Report{
		Findings:  []report.Finding{leakOf(1, 10, 10), leakOf(2, 30, 30)},
		Accounted: report.Accounted{Total: 9000, Leaks: 8000, Bounded: 1000},
	}
	apply(r, []answer{{true, false, "it is full"}, {true, true, "80 more"}})
	if len(r.Findings) != 1 || r.Findings[0].Holder.ID != 2 || r.Findings[0].Confidence < 0.97 {
		t.Errorf("findings %+v, want the second, with more confidence", r.Findings)
	}
	if e := r.Findings[0].Evidence; len(e) != 1 || !strings.Contains(e[0], "80 more") {
		t.Errorf("evidence %q", e)
	}
	if r.Accounted.Leaks != 6000 || r.Accounted.Bounded != 3000 {
		t.Errorf("account %+v, want 2000 bytes moved from leaks to bounded", r.Accounted)
	}
	if len(r.Quiet) != 1 || r.Quiet[0].Why != "it is full" || r.Quiet[0].Bytes != 2000 {
		t.Errorf("quiet %+v", r.Quiet)
	}
}

func TestWarm(t *testing.T) {
	const heap = 10 << 20
	for _, test := range []struct {
		name  string
		added []int64
		want  bool
	}{
		{"nothing added", []int64{4 << 20, 1000}, true},
		{"it shrank", []int64{4 << 20, -50_000}, true},
		{"dying down", []int64{4 << 20, 900_000}, false},
		{"dying down still", []int64{4 << 20, 900_000, 300_000}, false},
		{"a leak under the warm-up", []int64{4 << 20, 300_000, 290_000}, true},
		{"one round and no other to compare with", []int64{4 << 20, 4 << 20}, false},
	} {
		if got := warm(test.added, heap); got != test.want {
			t.Errorf("%s: warm(%v) = %v, want %v", test.name, test.added, got, test.want)
		}
	}
}

// What goes wrong in a second look is told as that.
func TestAnErrorOfTheSecondLookSaysWhere(t *testing.T) {
	app := script(t, `const all = []; let calls = 0; setInterval(() => {}, 1e6);
		globalThis.load = () => {
			if (++calls > 5) throw new Error('no more');
			for (let i = 0; i < 100; i++) all.push({ calls, i, more: [i] });
		};`)
	o := Options{Launch: cdp.LaunchOptions{Argv: []string{node(t), app}}, LoadFunction: "load", Rounds: 3, MaxRounds: 3, Dir: t.TempDir()}
	r, err := Examine(deadline(t), o, JudgeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(r.Warnings, "\n")
	if r.Verdict != report.Leak || !strings.Contains(got, "look: after 5 rounds: repeat: ") || !strings.Contains(got, "no more") {
		t.Errorf("%s, warnings %q, want the leak of the rounds and where its second look failed", r.Verdict, got)
	}
}

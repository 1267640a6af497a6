package check

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHistoryComesBackAsItWas(t *testing.T) {
	name := filepath.Join(t.TempDir(), "h.ndjson")
	r := leaking()
	Policy{Ignore: []Ignore{{Rule: "cache", Reason: "known"}}}.Apply(r)
	e := NewHistoryEntry(r, "abc", time.Unix(1_800_000_000, 5))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := AppendHistory(name, e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	es, err := ReadHistory(name)
	if err != nil || len(es) != 20 {
		t.Fatalf("%d entries, %v", len(es), err)
	}
	got := es[7]
	if got.Commit != "abc" || got.Heap != 5000 || len(got.Leaks) != 2 || got.Leaks[0].Fingerprint != "bbbb" || got.Leaks[1].Bytes != 1000 || !got.Time.Equal(time.Unix(1_800_000_000, 0)) {
		t.Errorf("read back %+v", got)
	}
	for text, want := range map[string]string{"{\"schema\":1}\n{\n": ":2: it is no line", "{\"schema\":2}\n": ":1: schema 2"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHistory(name); err == nil || !strings.Contains(err.Error(), name+want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestStarts(t *testing.T) {
	runs := func(texts ...string) (es []HistoryEntry) {
		for _, text := range texts {
			e := HistoryEntry{}
			for _, f := range strings.Fields(text) {
				e.Leaks = append(e.Leaks, HistoryLeak{Fingerprint: f})
			}
			es = append(es, e)
		}
		return es
	}
	got := Starts(runs("a", "a b", "a", "a b c", "a b c"))
	want := map[string]int{"a": 0, "b": 3, "c": 3} // b was gone in between
	for _, s := range got {
		if s.At != want[s.Leak.Fingerprint] || s.Since != (s.At > 0) {
			t.Errorf("%s began in run %d, since %v, want %d", s.Leak.Fingerprint, s.At, s.Since, want[s.Leak.Fingerprint])
		}
	}
	if len(got) != 3 || len(Starts(nil)) != 0 {
		t.Errorf("%d leaks, want 3", len(got))
	}
}

func TestStep(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	series := func(n, at int, low, high, noise float64) (es []HistoryEntry) {
		for i := range n {
			v := low
			if i >= at {
				v = high
			}
			es = append(es, HistoryEntry{Heap: v + noise*(2*rnd.Float64()-1)})
		}
		return es
	}
	const kib = 1 << 10
	for range 50 {
		if at, before, after, ok := Step(series(20, 12, 10*kib, 200*kib, 8*kib)); !ok || at != 12 || before > 20*kib || after < 190*kib {
			t.Fatalf("a step at 12: %d, %v to %v, %v", at, before, after, ok)
		}
		if at, _, _, ok := Step(series(20, 20, 30*kib, 0, 30*kib)); ok {
			t.Fatalf("a step at %d of noise", at)
		}
	}
	if _, _, _, ok := Step(series(20, 10, 200*kib, 10*kib, 1)); ok {
		t.Error("a repair is no start of growth")
	}
	if _, _, _, ok := Step(series(5, 3, 0, 900*kib, 0)); ok {
		t.Error("two runs after the step are too few")
	}
}

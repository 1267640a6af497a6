package check

import (
	"strings"
	"testing"

	"heapsnap/report"
)

// The ends of a recording, taken for two processes: the second has more of what
// the series shows to grow, and of nothing else; the first has nothing more.
func TestAcrossTheEndsOfARecording(t *testing.T) {
	rec, paths := record(t)
	first, last := paths[0], paths[len(paths)-1]
	series, err := Judge(t.Context(), paths, JudgeOptions{Source: rec.Source})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Across(t.Context(), first, last, JudgeOptions{Source: rec.Source})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.More || len(r.Findings) != 1 || len(r.Captures) != 2 {
		t.Fatalf("verdict %s, %d findings, %d captures (%s), want more, 1 and 2", r.Verdict, len(r.Findings), len(r.Captures), r.Sentence)
	}
	got, want := r.Findings[0], series.Findings[0]
	if got.Verdict != report.More || got.Rule != want.Rule || got.Fingerprint != want.Fingerprint || got.Location == nil || *got.Location != *want.Location {
		t.Errorf("finding %s %s %s at %v, want more %s %s at %v", got.Verdict, got.Rule, got.Fingerprint, got.Location, want.Rule, want.Fingerprint, want.Location)
	}
	if len(got.Survivors.PerRound) != 0 || len(got.Survivors.BytesPerRound) != 0 {
		t.Errorf("rounds %v, %v: there are none", got.Survivors.PerRound, got.Survivors.BytesPerRound)
	}
	if !strings.HasPrefix(r.Sentence, `PriceFeed "feed" in leak.js, event "price" holds 240 more listeners than the first snapshot, `) {
		t.Errorf("sentence %q", r.Sentence)
	}
	for _, pair := range [][2]string{{last, first}, {last, last}} {
		r, err := Across(t.Context(), pair[0], pair[1], JudgeOptions{Source: rec.Source})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != report.Clean || len(r.Findings) > 0 {
			t.Errorf("verdict %s: %s, want clean", r.Verdict, r.Sentence)
		}
	}
}

package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/fixtures"
	"heapsnap/report"
)

// record puts the recorded snapshots into files.
func record(t *testing.T) (rec fixtures.Recording, paths []string) {
	t.Helper()
	rec = fixtures.Recorded()
	dir := t.TempDir()
	for i, snapshot := range rec.Snapshots {
		path := filepath.Join(dir, fmt.Sprintf("%d.heapsnapshot.zst", i))
		if err := os.WriteFile(path, snapshot, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return rec, paths
}

// The last snapshot alone names what the series does.
func TestSuspectsOfARecording(t *testing.T) {
	rec, paths := record(t)
	series, err := Judge(t.Context(), paths, JudgeOptions{Source: rec.Source})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := Suspects(t.Context(), paths[len(paths)-1], JudgeOptions{Source: rec.Source})
	if err != nil {
		t.Fatal(err)
	}
	if alone.Verdict != report.Leak || len(alone.Findings) != 1 {
		t.Fatalf("verdict %s, %d findings (%s), want leak and one", alone.Verdict, len(alone.Findings), alone.Sentence)
	}
	got, want := alone.Findings[0], series.Findings[0]
	if got.Rule != want.Rule || got.Holder.ID != want.Holder.ID || got.Fingerprint != want.Fingerprint || got.Location == nil || *got.Location != *want.Location {
		t.Errorf("suspect %s %s @%d %s at %v\nwant    %s %s @%d %s at %v", got.Rule, got.Holder.Name, got.Holder.ID, got.Fingerprint, got.Location,
			want.Rule, want.Holder.Name, want.Holder.ID, want.Fingerprint, want.Location)
	}
	if got.Verdict != report.Suspect || len(got.Survivors.PerRound) != 0 || got.Survivors.Bytes < want.Survivors.Bytes {
		t.Errorf("finding has verdict %s, rounds %v and %d bytes, want suspect, none, and %d at least",
			got.Verdict, got.Survivors.PerRound, got.Survivors.Bytes, want.Survivors.Bytes)
	}
	if !strings.Contains(alone.Sentence, "listeners") || strings.Contains(alone.Sentence, "never") {
		t.Errorf("sentence %q", alone.Sentence)
	}
}

// After the warm-up there are the listeners of two rounds; all else is Node's
// own, and it is much: none of it may be told.
func TestSuspectsLeaveOutNodesOwn(t *testing.T) {
	rec, paths := record(t)
	r, err := Suspects(t.Context(), paths[0], JudgeOptions{Source: rec.Source})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Rule != "listener" {
			t.Errorf("%s: %s", f.Rule, f.Title)
		}
	}
	for _, q := range r.Quiet {
		if !strings.Contains(q.Holder, "leak.js") {
			t.Errorf("told as the program's: %s", q.Holder)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/fixtures"
)

func TestDiffAcross(t *testing.T) {
	dir := inputs(t)
	rec := fixtures.Recorded()
	for name, i := range map[string]int{"first.zst": 0, "last.zst": len(rec.Snapshots) - 1} {
		if err := os.WriteFile(filepath.Join(dir, name), rec.Snapshots[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := heapsnapIn(t, dir, nil, "diff", "--across", "first.zst", "last.zst")
	if r.code != exitFindings || !strings.HasPrefix(r.out, "MORE  PriceFeed") || r.errors != "" {
		t.Errorf("code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
	for _, word := range []string{"Evidence from two processes", "more than in the first snapshot", "objects that are reached in this way, the first"} {
		if !strings.Contains(strings.Join(strings.Fields(r.out), " "), word) {
			t.Errorf("without %q:\n%s", word, r.out)
		}
	}
	for _, word := range []string{"only grows", "never freed", "never removed", "round", "newer"} {
		if strings.Contains(r.out, word) {
			t.Errorf("says %q, which nobody saw:\n%s", word, r.out)
		}
	}
	if r := heapsnapIn(t, dir, nil, "diff", "--across", "last.zst", "first.zst"); r.code != exitClean || !strings.HasPrefix(r.out, "CLEAN") {
		t.Errorf("the other way round: code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
	if r := heapsnapIn(t, dir, nil, "diff", "--across", "first.zst", "last.zst", "last.zst"); r.code != exitUsage || !strings.Contains(r.errors, "compares two") {
		t.Errorf("three: code %d, stderr %q", r.code, r.errors)
	}
}

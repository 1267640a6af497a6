package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/fixtures"
	"heapsnap/report"
)

// One snapshot of a leaking program has a suspect, and the exit code of a
// finding; one of nothing has none.
func TestSuspects(t *testing.T) {
	dir := inputs(t)
	rec := fixtures.Recorded()
	if err := os.WriteFile(filepath.Join(dir, "last.zst"), rec.Snapshots[len(rec.Snapshots)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	r := heapsnapIn(t, dir, nil, "suspects", "last.zst", "-o", "json=r.json")
	if r.code != exitFindings || !strings.HasPrefix(r.out, "SUSPECT  PriceFeed") || r.errors != "" {
		t.Errorf("code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Command != "suspects" || got.Verdict != report.Leak || len(got.Captures) != 1 || len(got.Findings) != 1 || got.Findings[0].Verdict != report.Suspect {
		t.Errorf("command %s, verdict %s, %d captures, findings %+v", got.Command, got.Verdict, len(got.Captures), got.Findings)
	}

	r = heapsnapIn(t, dir, nil, "suspects", "good.heapsnapshot")
	if r.code != exitClean || !strings.HasPrefix(r.out, "CLEAN  nothing stands out") {
		t.Errorf("a small heap: code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
}

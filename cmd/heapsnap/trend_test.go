package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heapsnap/check"
)

func TestTrendNamesTheCommit(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "h.ndjson")
	for i := range 8 {
		e := check.HistoryEntry{Schema: 1, Time: time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC), Commit: strings.Repeat(string(rune('a'+i)), 40), Scenario: "search", Verdict: "clean", Heap: 1000}
		if i >= 4 {
			e.Heap, e.Verdict = 300_000, "leak"
			e.Leaks = []check.HistoryLeak{{Fingerprint: "f", Title: "a Map\x1b[2J grows", Bytes: 290_000}}
		}
		if err := check.AppendHistory(name, e); err != nil {
			t.Fatal(err)
		}
	}
	r := heapsnapIn(t, dir, nil, "trend", "h.ndjson", "-o", "svg=h.svg", "-o", "json=h.json")
	for _, want := range []string{"search: growth per round", "It rose from +1000 B to +293.0 KiB with eeeeeeeeee of 2026-11-05 (the run before\nwas of dddddddddd)", "since eeeeeeeeee", "█"} {
		if r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("code %d, want %q in\n%s%s", r.code, want, r.out, r.errors)
		}
	}
	for name, want := range map[string]string{"h.svg": "It rose from", "h.json": `"firstRun": 4`} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("a title reaches the terminal as it is: %q", r.out)
	}
	for _, line := range strings.Split(r.out, "\n")[1:9] {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if r := heapsnapIn(t, dir, nil, "trend", "nothing.ndjson"); r.code != exitUsage {
		t.Errorf("no file: code %d", r.code)
	}
	if r := heapsnapIn(t, dir, nil, "trend", "h.ndjson", "--scenario", "x"); r.code != exitUsage || !strings.Contains(r.errors, "has no run of it") {
		t.Errorf("no such scenario: code %d, %q", r.code, r.errors)
	}
}

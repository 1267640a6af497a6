package report

import (
	"strings"
	"testing"
)

func oomIn(s string) *OOM {
	d := doctorIn(s)
	return &OOM{
		Head: Head{Command: "oom"}, Verdict: Explained, Death: "cgroup-kill", Cause: "buffers", Sentence: s, Evidence: []string{s, s}, Target: d.Target, Figures: s,
		Memory: d.Memory, Process: d.Process, Container: d.Container, Heaps: d.Heaps, Options: d.Options, Findings: d.Findings,
		Suspects: []OOMSuspect{{Rule: "cache", Title: s, Holder: s, Bytes: 5 << 20, Count: 3, File: s, Line: 4, Column: 2, Fix: s}, {Rule: "growth", Title: s}},
		Snapshot: s, Change: []string{s}, Collect: []string{s}, Files: []OOMFile{{s, "log", s}}, Warnings: []string{s},
	}
}

func TestOOMJSONKeepsToItsSchema(t *testing.T) {
	docs := [][]byte{written(t, WriteOOM, &OOM{Head: Head{Command: "oom"}, Verdict: Inconclusive, Death: "unknown"}, JSON, Options{})}
	for _, s := range append(hostileStrings, "work") {
		docs = append(docs, written(t, WriteOOM, oomIn(s), JSON, Options{}))
	}
	keepsTo(t, "oom.schema.json", docs...)
}

func TestOOMText(t *testing.T) {
	text := string(written(t, WriteOOM, oomIn("work"), Text, Options{Verbose: true}))
	for _, want := range []string{
		"CGROUP-KILL  work\n", "process 12, Node v22.23.3, 1 file read\n", "Evidence\n", "Resident memory, 500.0 MiB\n", "500.0 MiB of 512.0 MiB (98 %)",
		"- work [buffers]; work: 78 % (threshold 40 %)\n", "What held the heap, of work\n", "1. work [cache], 5.0 MiB\n", "work:4:2", "What to change\n", "What to collect next time\n", "work log work\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, hostile := range hostileStrings {
		for _, width := range []int{0, 40, 200} {
			obeyedByTerminals(t, written(t, WriteOOM, oomIn(hostile), Text, Options{Width: width, Verbose: true}))
		}
	}
}

package report

import (
	"strings"
	"testing"
)

func stuckIn(s string) *Stuck {
	share := 0.98
	return &Stuck{
		Head: Head{Command: "stuck"}, Verdict: StuckNow, Title: s, Cause: "regexp", Detail: s, Fix: s, Answers: 20, WatchedMs: 540,
		Target:   StuckTarget{PID: 12, Script: s, NodeVersion: "v20.20.2", Address: "127.0.0.1:9229", Worker: s},
		Location: &StuckPlace{Function: s, File: s, Line: 4, Column: 7, Code: s, Calls: "RegExp.test", Share: 1},
		Stack:    []StuckFrame{{Function: "RegExp.test"}, {Function: s, File: s, Line: 4, Column: 7}, {File: s, Line: 9, Column: 1}},
		Thread:   &StuckThread{State: "S", WaitChannel: s, Syscall: "openat", Path: s, AsleepMs: 1, CPUMs: 2, CPUShare: &share},
		Children: []StuckProcess{{PID: 13, Command: s, AgeMs: 2000}},
		Warnings: []string{s},
	}
}

func TestStuckJSONKeepsToItsSchema(t *testing.T) {
	docs := [][]byte{written(t, WriteStuck, &Stuck{Head: Head{Command: "stuck"}, Verdict: StuckNot, Title: "runs"}, JSON, Options{})}
	for _, s := range append(hostileStrings, "work") {
		docs = append(docs, written(t, WriteStuck, stuckIn(s), JSON, Options{}))
	}
	keepsTo(t, "stuck.schema.json", docs...)
}

func TestStuckText(t *testing.T) {
	text := string(written(t, WriteStuck, stuckIn("work"), Text, Options{}))
	for _, want := range []string{"STUCK: work\n", "  work:4  in work\n", "  RegExp.test\n", "(anonymous)", "What to do\n", "warning: work\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s := &Stuck{Verdict: StuckNot, Title: "it answers"}
	if text := string(written(t, WriteStuck, s, Text, Options{})); text != "RUNNING: it answers\n" {
		t.Errorf("a process that runs: %q", text)
	}
	for _, hostile := range hostileStrings {
		obeyedByTerminals(t, written(t, WriteStuck, stuckIn(hostile), Text, Options{}))
	}
}

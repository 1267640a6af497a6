package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func stuckIn(s string) *Stuck {
	share := 0.98
	return &Stuck{
		Command: "stuck", Verdict: StuckNow, Title: s, Cause: "regexp", Detail: s, Fix: s, Answers: 20, WatchedMs: 540,
		Target:   StuckTarget{PID: 12, Script: s, NodeVersion: "v20.20.2", Address: "127.0.0.1:9229", Worker: s},
		Location: &StuckPlace{Function: s, File: s, Line: 4, Column: 7, Code: s, Calls: "RegExp.test", Share: 1},
		Stack:    []StuckFrame{{Function: "RegExp.test"}, {Function: s, File: s, Line: 4, Column: 7}, {File: s, Line: 9, Column: 1}},
		Thread:   &StuckThread{State: "S", WaitChannel: s, Syscall: "openat", Path: s, AsleepMs: 1, CPUMs: 2, CPUShare: &share},
		Children: []StuckProcess{{PID: 13, Command: s, AgeMs: 2000}},
		Warnings: []string{s},
	}
}

func stuckAs(t *testing.T, s *Stuck, f Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteStuck(&b, s, f, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStuckJSONKeepsToItsSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../docs/stuck.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	all := []*Stuck{stuckIn("work"), {Command: "stuck", Verdict: StuckNot, Title: "runs"}}
	for _, hostile := range hostileStrings {
		all = append(all, stuckIn(hostile))
	}
	for _, s := range all {
		doc := stuckAs(t, s, JSON)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, doc)
		}
	}
}

func TestStuckText(t *testing.T) {
	text := string(stuckAs(t, stuckIn("work"), Text))
	for _, want := range []string{"STUCK: work\n", "  work:4  in work\n", "  RegExp.test\n", "(anonymous)", "What to do\n", "warning: work\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	s := &Stuck{Verdict: StuckNot, Title: "it answers"}
	if text := string(stuckAs(t, s, Text)); text != "RUNNING: it answers\n" {
		t.Errorf("a process that runs: %q", text)
	}
	for _, hostile := range hostileStrings {
		for line := range strings.Lines(string(stuckAs(t, stuckIn(hostile), Text))) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x9b || r == 0x202e }) {
				t.Errorf("a terminal would obey %q", line)
			}
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettingsComeFromFlagThenVariableThenFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(".heapsnap.yaml", []byte(`check:
  rounds: 3
  repeat: 9
  load-fn: work
  header: ["A: 1", "B: 2"]
scenarios:
  search:
    command: [node, app.js]
    rounds: 8
`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEAPSNAP_CHECK_REPEAT", "5")
	t.Setenv("HEAPSNAP_CHECK_ENV", "A=1\nB=2")
	cmd := newCheck(&app{})
	if err := cmd.Flags().Parse([]string{"--load-fn", "mine"}); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(cmd)
	if err != nil {
		t.Fatal(err)
	}
	origins, err := configure(cmd, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ".heapsnap.yaml")
	for name, want := range map[string][2]string{
		"load-fn": {"mine", "--load-fn"}, "repeat": {"5", "HEAPSNAP_CHECK_REPEAT"}, "rounds": {"3", file + ":2"},
		"warmup": {"2", "default"}, "header": {"[A: 1,B: 2]", file + ":5"}, "env": {"[A=1,B=2]", "HEAPSNAP_CHECK_ENV"},
	} {
		if got := cmd.Flags().Lookup(name).Value.String(); got != want[0] || origins[name] != want[1] {
			t.Errorf("%s = %q from %q, want %q from %q", name, got, origins[name], want[0], want[1])
		}
	}
	again := newCheck(&app{})
	s, err := findScenario(c, "search")
	if err != nil {
		t.Fatal(err)
	}
	if origins, err = configure(again, c, s); err != nil || again.Flags().Lookup("rounds").Value.String() != "8" || origins["rounds"] != file+":9" {
		t.Errorf("rounds of the scenario are from %q, %v", origins["rounds"], err)
	}
}

func TestEveryFlagOfCheckAndLoopHasAKey(t *testing.T) {
	t.Chdir(t.TempDir())
	r := heapsnapIn(t, t.TempDir(), nil, "config", "show", "--origin", "--config", "none")
	for _, flag := range []string{"http", "requests", "rounds", "ready", "test", "dir", "baseline", "pid", "output", "format"} {
		if !strings.Contains("\n"+r.out, "\n"+flag+" ") {
			t.Errorf("config show has no %s:\n%s%s", flag, r.out, r.errors)
		}
	}
	if l := heapsnapIn(t, t.TempDir(), nil, "config", "show", "loop", "--config", "none"); !strings.Contains(l.out, "max-block") {
		t.Errorf("config show loop: %s%s", l.out, l.errors)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, test := range []struct {
		name, config, env string
		args              []string
		says              string
	}{
		{"an unknown key", "check:\n  roundz: 3\n", "", []string{"--every", "1s", "x"}, `.heapsnap.yaml:2: "roundz" is no flag of heapsnap check: did you mean rounds?`},
		{"no number", "check:\n  rounds: many\n", "", []string{"--every", "1s", "x"}, `.heapsnap.yaml:2: rounds: "many": want a number`},
		{"a list for one value", "check:\n  rounds: [1, 2]\n", "", []string{"--every", "1s", "x"}, `:2: rounds has one value, and here are 2`},
		{"a variable", "", "HEAPSNAP_CHECK_ROUNDS=many", []string{"--every", "1s", "x"}, `HEAPSNAP_CHECK_ROUNDS: rounds: "many": want a number`},
		{"no such scenario", "scenarios:\n  a: {every: 1s}\n", "", []string{"--scenario", "b"}, "there is none of this name"},
		{"no scenario at all", "", "", []string{"--scenario", "b"}, "no scenario is configured"},
		{"a scenario and a load", "scenarios:\n  a: {every: 1s}\n", "", []string{"--scenario", "a", "--every", "1s"}, "give one of them"},
		{"a scenario without load", "scenarios:\n  a: {command: node x.js}\n", "", nil, "scenario a: check: name the load"},
		{"stacks and a budget for the loop", "budgets:\n  loop: {block: 1s}\n", "", []string{"--stacks", "--every", "1s", "--", "node", "x.js"}, "leave one of them out"},
		{"no such baseline", "baseline: known.yaml\n", "", []string{"--every", "1s", "--", "node", "x.js"}, "known.yaml: there is no such file"},
	} {
		dir := t.TempDir()
		if test.config != "" {
			if err := os.WriteFile(filepath.Join(dir, ".heapsnap.yaml"), []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if name, value, ok := strings.Cut(test.env, "="); ok {
			t.Setenv(name, value)
		}
		r := heapsnapIn(t, dir, nil, append([]string{"check"}, test.args...)...)
		if r.code != exitUsage || !strings.Contains(r.errors, test.says) || r.out != "" {
			t.Errorf("%s: code %d, %q, want %d and %q", test.name, r.code, r.errors, exitUsage, test.says)
		}
		if name, _, ok := strings.Cut(test.env, "="); ok {
			os.Unsetenv(name)
		}
	}
}

func TestBaselineOfAReport(t *testing.T) {
	dir := t.TempDir()
	const json = `{"schema":1,"command":"check","verdict":"leak","captures":[{},{},{},{}],"findings":[{"rule":"cache","title":"a Map grows","fingerprint":"aaaa","holder":{},"survivors":{"count":30,"perRound":[10,10,10],"bytesPerRound":[1,1,1]},"location":{"file":"a.js","line":3}}]}`
	if err := os.WriteFile(filepath.Join(dir, "r.json"), []byte(json), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := heapsnapIn(t, dir, nil, "baseline", "write", "r.json"); r.code != 0 {
		t.Fatalf("code %d, %q", r.code, r.errors)
	}
	if r := heapsnapIn(t, dir, nil, "baseline", "check", "r.json"); r.code != exitClean || r.out != "" {
		t.Errorf("of what was just accepted: code %d, %q", r.code, r.out)
	}
	other := strings.Replace(json, "aaaa", "bbbb", 1)
	if err := os.WriteFile(filepath.Join(dir, "r.json"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	r := heapsnapIn(t, dir, nil, "baseline", "check", "r.json")
	if r.code != exitFindings || !strings.Contains(r.out, "new   bbbb  a Map grows, at a.js:3") || !strings.Contains(r.out, "gone  aaaa") {
		t.Errorf("code %d, %q, want the new one and the one that is gone", r.code, r.out)
	}
	if r := heapsnapIn(t, dir, nil, "baseline", "write", "heapsnap-baseline.yaml"); r.code != exitUsage || !strings.Contains(r.errors, "no JSON report") {
		t.Errorf("of no report: code %d, %q", r.code, r.errors)
	}
}

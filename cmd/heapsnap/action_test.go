package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"heapsnap/internal/nodes"
)

// The action's step, as GitHub runs it with no input given, on a program that
// leaks. Only npx is the binary of this test.
func TestActionRunsCheck(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not on PATH; the action's step is run by it")
	}
	all := nodes.All(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	declared, steps, ok := strings.Cut(string(text), "\nruns:\n")
	if !ok {
		t.Fatalf("action.yml has no runs:\n%s", text)
	}
	_, declared, _ = strings.Cut(declared, "\ninputs:\n")
	inputs := map[string]string{} // name to default
	for _, m := range regexp.MustCompile(`(?m)^  (\S+):\n    description: .+\n    default: (.+)$`).FindAllStringSubmatch(declared, -1) {
		inputs[m[1]] = m[2]
	}
	if n := len(regexp.MustCompile(`(?m)^  \S`).FindAllString(declared, -1)); n == 0 || n != len(inputs) {
		t.Errorf("%d inputs, of which %d have a description and a default", n, len(inputs))
	}
	_, script, ok := strings.Cut(steps, "      run: ")
	if !ok || strings.Contains(script, "${{") {
		t.Fatalf("the step has no command, or one that inputs are pasted into:\n%s", steps)
	}
	used := map[string]bool{}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GITHUB_") }) // the tests may themselves run in a workflow
	for _, m := range regexp.MustCompile(`(?m)^        (\w+): \$\{\{ inputs\.(\S+) \}\}$`).FindAllStringSubmatch(steps, -1) {
		value, declared := inputs[m[2]]
		if !declared || !regexp.MustCompile(`\$`+m[1]+`\b`).MatchString(script) {
			t.Errorf("%s: the input %s is not declared, or the command does not use it", m[1], m[2])
		}
		env, used[m[2]] = append(env, m[1]+"="+value), true
	}
	for name := range inputs {
		if !used[name] {
			t.Errorf("input %s: the step does not use it", name)
		}
	}

	dir, bin := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(dir, "leak.js"):        "const kept = new Map();\nglobalThis.load = (n) => { kept.set(n, { n }); };\nsetInterval(() => {}, 1e6);\n",
		filepath.Join(dir, ".heapsnap.yaml"): "scenarios:\n  load:\n    command: [node, leak.js]\n    load-fn: load\n    rounds: 3\n",
		filepath.Join(bin, "npx"):            "#!/bin/sh\n[ \"$1 $2 $3 $4\" = '--yes --package heapsnap@" + inputs["version"] + " heapsnap' ] || { echo \"npx $*\" >&2; exit 99; }\nshift 4\nexec '" + binary + "' \"$@\"\n",
		filepath.Join(bin, "step.sh"):        script,
	} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", filepath.Join(bin, "step.sh"))
	cmd.Dir = dir
	cmd.Env = append(env, "PATH="+strings.Join([]string{bin, filepath.Dir(all[len(all)-1].Path), os.Getenv("PATH")}, string(os.PathListSeparator)))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFindings || !strings.Contains(string(out), "leak.js:2") {
		t.Errorf("the step: %v, want exit code %d and the line that leaks\n%s", err, exitFindings, out)
	}
}

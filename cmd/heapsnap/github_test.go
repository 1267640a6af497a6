package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recordingIn unpacks a recording of a blocked program into a folder.
func recordingIn(t *testing.T, dir, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("../../eventloop/testdata", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// aRecording is the first recording there is of a program that is blocked.
func aRecording(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob("../../eventloop/testdata/json*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recording", err)
	}
	return recordingIn(t, dir, strings.TrimSuffix(filepath.Base(files[0]), ".json.gz"))
}

func TestOneRunWritesEveryFormat(t *testing.T) {
	dir := t.TempDir()
	args := []string{"loop", aRecording(t, dir)}
	begin := map[string]string{
		"html": "<!doctype html>", "json": "{", "svg": "<?xml", "png": "\x89PNG", "markdown": "### heapsnap loop: BLOCKED", "github": "::error ", "junit": "<?xml", "sarif": "{",
	}
	for format := range begin {
		args = append(args, "-o", format+"="+filepath.Join(dir, "out."+format))
	}
	r := heapsnapIn(t, dir, nil, args...)
	if r.code != 1 {
		t.Fatalf("exit %d, want 1: %s", r.code, r.errors)
	}
	for format, want := range begin {
		text, err := os.ReadFile(filepath.Join(dir, "out."+format))
		if err != nil || !strings.HasPrefix(string(text), want) {
			t.Errorf("%s begins with %.40q, %v, want %q", format, text, err, want)
		}
	}
	if strings.Contains(r.out, "::") {
		t.Errorf("workflow commands outside of a workflow: %s", r.out)
	}
}

func TestInAWorkflow(t *testing.T) {
	dir := t.TempDir()
	summary := filepath.Join(dir, "summary.md")
	if err := os.WriteFile(summary, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEAPSNAP_TEST_WORKFLOW", "1")
	t.Setenv("GITHUB_ACTIONS", "true")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	rec := aRecording(t, dir)
	r := heapsnapIn(t, dir, nil, "loop", rec)
	// What the report says is no command, what stands behind it is one.
	m := regexp.MustCompile(`(?s)^::stop-commands::([A-Z2-7]{26})\nBLOCKED .*\n::([A-Z2-7]{26})::\n::error [^\n]*title=heapsnap loop[^\n]*\n`).FindStringSubmatch(r.out)
	if m == nil || m[1] != m[2] {
		t.Errorf("stdout: %s", r.out)
	}
	text, err := os.ReadFile(summary)
	if err != nil || !strings.HasPrefix(string(text), "before\n### heapsnap loop: BLOCKED\n") {
		t.Errorf("the summary is %.200q, %v", text, err)
	}
	// JSON on stdout stays JSON.
	r = heapsnapIn(t, dir, nil, "loop", "--format", "json", rec)
	if !strings.HasPrefix(r.out, "{") || !strings.HasSuffix(r.out, "}\n") || !strings.Contains(r.errors, "::error ") {
		t.Errorf("stdout %.60q, stderr %q", r.out, r.errors)
	}
	// A summary that is full is left as it is.
	full := strings.Repeat("x", maxSummary-100)
	if err := os.WriteFile(summary, []byte(full), 0o644); err != nil {
		t.Fatal(err)
	}
	r = heapsnapIn(t, dir, nil, "loop", rec)
	if text, err := os.ReadFile(summary); err != nil || string(text) != full || !strings.Contains(r.errors, "summary is without this report") {
		t.Errorf("a full summary has %d bytes now, %v; stderr %s", len(text), err, r.errors)
	}
}

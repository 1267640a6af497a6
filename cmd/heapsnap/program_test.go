package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writeScript writes a program into a folder of its own and returns its path.
func writeScript(t *testing.T, name, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs cmd until the test is over.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// transcript keeps what cmd will write, on both streams; told is all of it so far.
func transcript(t *testing.T, cmd *exec.Cmd) (told func() string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout, cmd.Stderr = out, out
	return func() string {
		text, _ := os.ReadFile(out.Name())
		return string(text)
	}
}

// startUntil runs cmd until the test is over, and returns when it has written a
// word.
func startUntil(t *testing.T, cmd *exec.Cmd, word string) {
	t.Helper()
	told := transcript(t, cmd)
	start(t, cmd)
	waitFor(t, func() bool { return strings.Contains(told(), word) })
}

// writerFunc looks at what a program writes as it does.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

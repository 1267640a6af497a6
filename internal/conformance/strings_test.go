//go:build conformance

package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// DevTools parses the strings section as one string, and V8 has none above 512
// MB: it cannot open a heap with more text than that. Most of this file is one
// string of a mebibyte, 560 times; it is made here because nobody wants to keep
// it.
func TestStringsAbove512MB(t *testing.T) {
	const count = 560
	one := strings.Repeat("x", 1<<20)
	path := filepath.Join(t.TempDir(), "strings.heapsnapshot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	before, _, _ := strings.Cut(fmt.Sprintf(limited, "3", "16", "5", "24", "10"), `"\ud800"`)
	io.WriteString(w, before+`"first","second"`)
	for range count {
		fmt.Fprintf(w, ",\n%q", one)
	}
	io.WriteString(w, `,"last"]}`)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	s, err := heapsnap.Open(context.Background(), path, heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name(1) != "first" || s.Name(2) != "second" {
		t.Errorf("names %q, %q, want first, second", s.Name(1), s.Name(2))
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH; DevTools' worker needs it")
	}
	run(t, "setup.mjs")
	out, err := exec.Command("node", "--max-old-space-size=8000", "oracle.mjs", "--no-nodes", path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Invalid string length") {
		t.Errorf("DevTools opens it: %v, %.300s; then this test has no point", err, out)
	}
}

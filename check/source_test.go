package check

import (
	"fmt"
	"path/filepath"
	"testing"

	"heapsnap/cdp"
)

// The inspector calls a CommonJS script by a URL, and a snapshot by its path.
func TestSourcesTakesTheSidecarsTexts(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, scripts := range [][]cdp.Script{
		{{URL: "file:///nowhere/a.ts", Source: "let a"}, {URL: "file:///nowhere/b.js"}, {URL: "file:///nowhere/c.ts", Source: "old"}},
		nil, // in between, scripts are not listed
		{{URL: "file:///nowhere/c.ts", Source: "let c"}},
	} {
		path := filepath.Join(dir, fmt.Sprintf("%d.heapsnapshot", i))
		if err := (cdp.Meta{Scripts: scripts}).Write(path); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	source := sources(paths[:2], nil)
	for _, name := range []string{"/nowhere/a.ts", "file:///nowhere/a.ts"} {
		if text, err := source(name); string(text) != "let a" {
			t.Errorf("source of %s = %q, %v, want the sidecar's", name, text, err)
		}
	}
	if text, err := sources(paths, nil)("/nowhere/c.ts"); string(text) != "let c" {
		t.Errorf("source of /nowhere/c.ts = %q, %v, want that of the last sidecar", text, err)
	}
	if text, err := source("/nowhere/b.js"); err == nil {
		t.Errorf("source of /nowhere/b.js = %q, want an error as there is no file", text)
	}
	if sources([]string{filepath.Join(dir, "none")}, nil) != nil {
		t.Error("sources without a sidecar are given")
	}
}

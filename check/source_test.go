package check

import (
	"path/filepath"
	"testing"

	"heapsnap/cdp"
)

// The inspector calls a CommonJS script by a URL, and a snapshot by its path.
func TestSourcesTakesTheSidecarsTexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.heapsnapshot")
	meta := cdp.Meta{Scripts: []cdp.Script{{URL: "file:///nowhere/a.ts", Source: "let a"}, {URL: "file:///nowhere/b.js"}}}
	if err := meta.Write(path); err != nil {
		t.Fatal(err)
	}
	source := sources(path, nil)
	for _, name := range []string{"/nowhere/a.ts", "file:///nowhere/a.ts"} {
		if text, err := source(name); string(text) != "let a" {
			t.Errorf("source of %s = %q, %v, want the sidecar's", name, text, err)
		}
	}
	if text, err := source("/nowhere/b.js"); err == nil {
		t.Errorf("source of /nowhere/b.js = %q, want an error as there is no file", text)
	}
	if sources(filepath.Join(t.TempDir(), "none"), nil) != nil {
		t.Error("sources without a sidecar are given")
	}
}

package conformance

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// TestGoldenDuplicateStrings compares the duplicated strings of every snapshot
// in testdata, order included.
func TestGoldenDuplicateStrings(t *testing.T) {
	files, err := filepath.Glob("testdata/*.heapsnapshot.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata has no snapshots: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".heapsnapshot.gz")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			s, err := heapsnap.Read(context.Background(), unzip(t, file), heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := s.DuplicateStrings()
			a := newAnswer(unzip(t, name+".oracle.gz"))
			wrong, at := 0, 0
			for row := a.row(); row != nil && wrong < maxShown; row = a.row() {
				if row[0] != "duplicate" {
					continue
				}
				text, count, self, retained := a.text(row[1]), number(row[2]), number(row[3]), number(row[4])
				if at == len(got) {
					t.Fatalf("DuplicateStrings() has %d groups, want more: %q", at, text)
				}
				d := got[at]
				if d.Text != text || len(d.Nodes) != count || d.Self != uint64(self) || d.Retained != uint64(retained) {
					t.Errorf("DuplicateStrings()[%d] = %q, %d nodes, self %d, retained %d, want %q, %d, %d, %d",
						at, d.Text, len(d.Nodes), d.Self, d.Retained, text, count, self, retained)
					wrong++
				}
				at++
			}
			if a.err != nil {
				t.Fatal(a.err)
			}
			if wrong == 0 && (at != len(got) || at == 0) {
				t.Errorf("DuplicateStrings() has %d groups, want %d", len(got), at)
			}
		})
	}
}

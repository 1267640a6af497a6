package heapsnap

import (
	"context"
	"path/filepath"
	"testing"
)

func recordedSnapshot(t *testing.T) *Snapshot {
	t.Helper()
	files, err := filepath.Glob("../fixtures/recorded/*.heapsnapshot.zst")
	if err != nil || len(files) == 0 {
		t.Fatal("no recorded snapshot", err)
	}
	s, err := Open(context.Background(), files[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Flat and cumulative sums by class are DevTools' shallow and retained sizes, to
// the byte.
func TestRetainedPathsSumUpAsTheSummaryDoes(t *testing.T) {
	s := recordedSnapshot(t)
	paths, folded := s.RetainedPaths(1 << 30)
	if folded != 0 {
		t.Fatalf("%d paths folded without a limit", folded)
	}
	flat, cum := map[string]uint64{}, map[string]uint64{}
	objects := 0
	var total uint64
	for i, p := range paths {
		flat[p.Class] += p.Bytes
		objects += p.Count
		total += p.Bytes
		seen := map[string]bool{}
		for k := i; k >= 0; k = paths[k].Parent {
			if paths[k].Parent >= k {
				t.Fatalf("path %d comes before its parent %d", k, paths[k].Parent)
			}
			if class := paths[k].Class; !seen[class] {
				seen[class] = true
				cum[class] += p.Bytes
			}
		}
	}
	if objects != s.NodeCount() || total != s.Bytes() {
		t.Errorf("%d objects of %d bytes, want %d of %d", objects, total, s.NodeCount(), s.Bytes())
	}
	shallow, retained, rows := map[string]uint64{}, map[string]uint64{}, map[string]int{}
	for _, a := range s.Aggregates() {
		shallow[a.Class] += a.Shallow
		retained[a.Class] = a.Retained
		rows[a.Class]++
	}
	// What an object without a size of its own retains, DevTools' Summary leaves
	// out of its class.
	sizeless := map[string]bool{}
	for n := range Node(s.NodeCount()) {
		if s.SelfSize(n) == 0 {
			sizeless[s.ClassName(n)] = true
		}
	}
	compared := 0
	for class, want := range shallow {
		if flat[class] != want {
			t.Errorf("%s: %d bytes flat, the summary has %d", class, flat[class], want)
		}
		if rows[class] > 1 {
			continue // constructors of one name, which the summary tells apart
		}
		if sizeless[class] {
			if cum[class] < retained[class] {
				t.Errorf("%s: %d bytes retained, the summary has %d", class, cum[class], retained[class])
			}
			continue
		}
		compared++
		if cum[class] != retained[class] {
			t.Errorf("%s: %d bytes retained, the summary has %d", class, cum[class], retained[class])
		}
	}
	if compared < 50 {
		t.Errorf("%d classes compared, want 50 or more", compared)
	}
}

func TestRetainedPathsKeepToTheLimit(t *testing.T) {
	s := recordedSnapshot(t)
	all, _ := s.RetainedPaths(1 << 30)
	for _, limit := range []int{1, 100, len(all)} {
		paths, folded := s.RetainedPaths(limit)
		var total uint64
		objects := 0
		for i, p := range paths {
			total += p.Bytes
			objects += p.Count
			if p.Parent >= i {
				t.Fatalf("limit %d: path %d comes before its parent", limit, i)
			}
		}
		if len(paths) != limit || folded != len(all)-limit || total != s.Bytes() || objects != s.NodeCount() {
			t.Errorf("limit %d: %d paths and %d folded of %d, %d objects of %d bytes, want %d of %d", limit, len(paths), folded, len(all), objects, total, s.NodeCount(), s.Bytes())
		}
	}
}

package heapsnap

import (
	"sync"
	"testing"
)

func TestMode(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"as writeHeapSnapshot does", "@1 synthetic \"\": shortcut global -> @3\n@3 object \"global\"", "plain"},
		{"with numbers", "@1 synthetic \"\": shortcut global -> @3\n@3 object \"global\": property x -> @5\n@5 number \"smi number\"", "numeric"},
		{"heap numbers are always there", "@1 synthetic \"\": shortcut global -> @3\n@3 object \"global\": property x -> @5\n@5 number \"heap number\"", "plain"},
		{"with internals", "@1 synthetic \"\": element 1 -> @3\n@3 synthetic \"(GC roots)\"", "internals"},
		{"as DevTools does", "@1 synthetic \"\": element 1 -> @3\n@3 synthetic \"(GC roots)\": element 1 -> @5\n@5 number \"smi number\"", "internals+numeric"},
	} {
		if got := graph(t, test.text).Mode().String(); got != test.want {
			t.Errorf("Mode of a capture %s = %s, want %s", test.name, got, test.want)
		}
	}
}

func TestEdgeLookup(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @3
@3 object "a": element 7 -> @5, internal x -> @7, property x -> @5, property x -> @7
@5 object "b"
@7 object "c"
`)
	n := node(t, s, 3)
	if got := s.Property(n, "x"); s.ID(got) != 5 {
		t.Errorf("Property(x) = @%d, want @5, the first", s.ID(got))
	}
	if got := s.Internal(n, "x"); s.ID(got) != 7 {
		t.Errorf("Internal(x) = @%d, want @7", s.ID(got))
	}
	if got := s.Property(n, "7"); got != NoNode {
		t.Errorf("Property(7) = %d, want none: it is an element", got)
	}
	first, _ := s.EdgeRange(n)
	if index, ok := s.EdgeIndex(first); index != 7 || !ok {
		t.Errorf("EdgeIndex = %d, %v, want 7, true", index, ok)
	}
	if _, ok := s.EdgeIndex(first + 1); ok {
		t.Error("EdgeIndex of a named edge is true")
	}
	if _, ok := s.Find(99); ok {
		t.Error("Find(99) is true")
	}
}

// A snapshot may be asked by several goroutines at a time, each something else
// first; the race detector judges.
func TestSnapshotConcurrently(t *testing.T) {
	const text = `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global" 16: property a -> @7, property b -> @9, property m -> @15
@5 synthetic "(GC roots)": element 1 -> @11
@7 object "Object" 24 at 3:4:5: property x -> @3, property y -> @13
@9 object "Object" 24 at 3:4:5: property x -> @3, property y -> @13
@11 native "Node / Thing" 8 detached: property z -> @13
@13 string "s" 16
@15 object "Map" 16: internal table -> @17
@17 array "" 64: internal 5 -> @13
`
	questions := []func(s *Snapshot, n Node){
		func(s *Snapshot, n Node) { s.Name(n) },
		func(s *Snapshot, n Node) { s.ClassName(n) },
		func(s *Snapshot, n Node) { s.SelfSize(n) },
		func(s *Snapshot, n Node) { s.RetainedSize(n) },
		func(s *Snapshot, n Node) { s.Distance(n) },
		func(s *Snapshot, n Node) { s.Location(n) },
		func(s *Snapshot, n Node) { s.Detachedness(n) },
		func(s *Snapshot, n Node) { s.RetainerCount(n) },
		func(s *Snapshot, n Node) { s.Dominated(n) },
		func(s *Snapshot, n Node) { s.RetainedBy([]Node{n}) },
		func(s *Snapshot, n Node) { s.Aggregates() },
		func(s *Snapshot, n Node) { s.Statistics() },
		func(s *Snapshot, n Node) { s.Identities() },
		func(s *Snapshot, n Node) { s.Paths(nil) },
		func(s *Snapshot, n Node) { s.Find(s.ID(n)) },
	}
	for range 20 {
		s := graph(t, text)
		var wg sync.WaitGroup
		for _, ask := range questions {
			wg.Go(func() {
				for i := range s.NodeCount() {
					ask(s, Node(i))
				}
			})
		}
		wg.Wait()
	}
}

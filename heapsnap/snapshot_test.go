package heapsnap

import "testing"

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

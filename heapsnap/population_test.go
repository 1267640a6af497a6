package heapsnap

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"heapsnap/internal/textgraph"
)

func TestPopulation(t *testing.T) {
	s := graph(t, `
@1 synthetic "": shortcut global -> @3
@3 object "global": property a -> @5, property m -> @7, property o -> @13
@5 object "Array": internal elements -> @9, element 0 -> @11, element 5 -> @11, weak w -> @11, hidden 3 -> @11
@7 object "Map": internal table -> @15, internal map -> @17
@9 array "": internal 0 -> @11, internal 5 -> @11
@11 string "x"
@13 object "Object": context c -> @11
@15 array "": internal 5 -> @11, internal 6 -> @13, hidden 2 -> @11
@17 hidden "system / Map": internal x -> @11, internal y -> @11
`)
	for id, want := range map[ObjectID]int{3: 3, 5: 2, 7: 3, 11: 0, 13: 0} {
		if got := s.Population(node(t, s, id)); got != want {
			t.Errorf("Population(@%d) = %d, want %d", id, got, want)
		}
	}
}

// populations asks a file for the objects of ids.
func populations(t *testing.T, data []byte, ids []ObjectID, holes ...ObjectID) map[ObjectID]int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.heapsnapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := OpenPopulations(context.Background(), path, ids, holes, Options{})
	if err != nil {
		t.Fatalf("OpenPopulations: %v", err)
	}
	counts := map[ObjectID]int{}
	for id, f := range found {
		counts[id] = f.References
	}
	return counts
}

// Whether it is read whole or passed over, a file has the same populations.
func TestOpenPopulations(t *testing.T) {
	for seed := range uint64(100) {
		text := byteGraph(randomBytes(seed + 9000))
		data := textgraph.Snapshot(t, text)
		s := mustRead(t, data)
		want := map[ObjectID]int{}
		ids := []ObjectID{9999} // is not there
		for i := range s.NodeCount() {
			if (uint64(i)+seed)%3 == 0 {
				ids = append(ids, s.ID(Node(i)))
				want[s.ID(Node(i))] = s.Population(Node(i))
			}
		}
		if got := populations(t, data, ids); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("OpenPopulations(%v) = %v, want %v in\n%s", ids, got, want, text)
		}
	}
}

// A Map with three entries, one of them deleted, and an array with room for two more: holes are in no count, whether
// the storage stands before its owner or behind it.
func TestPopulationOfHoles(t *testing.T) {
	data := textgraph.Snapshot(t, `
@1 synthetic "": shortcut global -> @3
@3 object "global": property a -> @5, property m -> @7
@15 array "": internal 5 -> @11, internal 6 -> @11, internal 8 -> @21, internal 9 -> @21, internal 11 -> @11, internal 12 -> @11
@5 object "Array": internal elements -> @9, element 0 -> @11
@7 object "Map": internal table -> @15
@9 array "": internal 0 -> @11, internal 1 -> @21, internal 2 -> @21
@11 string "x"
@21 hidden "system / Hole"
`)
	s := mustRead(t, data)
	if got := fmt.Sprint(s.Holes()); got != "[21]" {
		t.Errorf("Holes = %s, want [21]", got)
	}
	want := map[ObjectID]int{5: 1, 7: 4}
	for id, n := range want {
		if got := s.Population(node(t, s, id)); got != n {
			t.Errorf("Population(@%d) = %d, want %d", id, got, n)
		}
	}
	if got := populations(t, data, []ObjectID{5, 7}, s.Holes()...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("OpenPopulations = %v, want %v", got, want)
	}
}

// An edge that stands across the border of two blocks may be missing: one in a
// megabyte.
func TestOpenPopulationsLarge(t *testing.T) {
	data, _ := large(t)
	s := mustRead(t, data)
	var ids []ObjectID
	for i := 0; i < s.NodeCount(); i += 7 {
		ids = append(ids, s.ID(Node(i)))
	}
	found := populations(t, data, ids)
	missing := 0
	for i := 0; i < s.NodeCount(); i += 7 {
		got, ok := found[s.ID(Node(i))]
		if want := s.Population(Node(i)); !ok || got > want || got < want-1 {
			t.Errorf("OpenPopulations has %d, %v for node %d, want %d", got, ok, i, want)
		} else {
			missing += want - got
		}
	}
	if blocks := len(data) / blockSize; missing > blocks {
		t.Errorf("%d references are missing, want at most one in each of %d blocks", missing, blocks)
	}
}

func TestPopulationsErrors(t *testing.T) {
	for _, text := range []string{"", valid[:300], valid[:len(valid)-90]} {
		if err := newPopulationParser([]ObjectID{3}).read(context.Background(), bytes.NewReader([]byte(text)), Options{}); err == nil {
			t.Errorf("read of %d bytes has no error", len(text))
		}
	}
}

func TestIdentities(t *testing.T) {
	data := textgraph.Snapshot(t, `
@1 synthetic "": element 1 -> @3
@3 object "a" 10
@8 native "embedder's" 20
@4294967297 object "b" 30
@4294967298 native "embedder's, at a high address" 40
@5 object "c" 50
`)
	s := mustRead(t, data)
	read, err := ReadIdentities(context.Background(), bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, ids := range map[string]*Identities{"ReadIdentities": read, "Identities": s.Identities()} {
		if ids.Count() != 6 || ids.Bytes() != 150 {
			t.Errorf("%s: Count, Bytes = %d, %d, want 6, 150", name, ids.Count(), ids.Bytes())
		}
		if ids.MaxID() != 4294967297 {
			t.Errorf("%s: MaxID = %d, want 4294967297, the greatest odd one", name, ids.MaxID())
		}
		for i := range s.NodeCount() {
			if id := s.ID(Node(i)); !ids.Has(id) || ids.Has(id+100) {
				t.Errorf("%s: Has(%d), Has(%d) = %v, %v", name, id, id+100, ids.Has(id), ids.Has(id+100))
			}
		}
		for _, id := range []ObjectID{0, 2, 7, math.MaxUint32, 1 << 32, math.MaxUint64} {
			if ids.Has(id) {
				t.Errorf("%s: Has(%d) = true", name, id)
			}
		}
	}
}

// What follows the nodes is not read: a file that is cut there is good enough.
// Of V8's objects the type is known, too: where another one was is none.
func TestIdentitiesKnowTypes(t *testing.T) {
	data := textgraph.Snapshot(t, `
@1 synthetic "": element 1 -> @3
@3 object "a"
@5 closure "f"
@7 code "gone"
@11 concatenated string "rope"
`)
	read, err := ReadIdentities(t.Context(), bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := ReadIdentities(t.Context(), bytes.NewReader(data[:bytes.Index(data, []byte(`"edges"`))-6]), Options{Salvage: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		id        ObjectID
		as        NodeType
		want, cut bool // of the whole file, and where it is not known what is missing
	}{
		{3, Object, true, true}, {3, Closure, false, true}, {5, Closure, true, true}, {5, Object, false, true}, {7, Code, true, true},
		{7, Object, false, true}, {9, Object, false, false}, {11, String, true, false}, {11, SlicedString, true, false}, {13, Object, false, false},
	} {
		for name, ids := range map[string]*Identities{"ReadIdentities": read, "Identities": mustRead(t, data).Identities()} {
			if got := ids.Is(test.id, test.as); got != test.want {
				t.Errorf("%s: Is(%d, %s) = %v", name, test.id, test.as, got)
			}
		}
		if got := cut.Is(test.id, test.as); got != test.cut {
			t.Errorf("of a file that is cut: Is(%d, %s) = %v", test.id, test.as, got)
		}
	}
}

func TestReadIdentitiesStopsBehindNodes(t *testing.T) {
	text := valid[:bytes.Index([]byte(valid), []byte(`"edges"`))]
	ids, err := ReadIdentities(context.Background(), bytes.NewReader([]byte(text)), Options{})
	if err != nil || ids.Count() != 3 || !ids.Has(5) {
		t.Errorf("ReadIdentities = %+v, %v, want three nodes", ids, err)
	}
	if _, err := ReadIdentities(context.Background(), bytes.NewReader([]byte(valid[:400])), Options{}); err == nil {
		t.Error("ReadIdentities of half the nodes has no error")
	}
}

// Objects keep their type for life, so two captures of one process agree in
// the types of all ids that both have; those of two processes do not.
func TestSameProcess(t *testing.T) {
	const first = "@1 synthetic \"\": element j -> @3+2*j j<3000\n"
	same := textgraph.Series(t, first+`
@3+2*i i<3000 -(1+(i%3+1)/3*9) object "a"
@6003+2*i i<1000 +1 closure "b"
`)
	other := textgraph.Snapshot(t, first+"@3+2*i i<1500 closure \"b\"\n@3003+2*i i<1500 object \"a\"")
	for _, test := range []struct {
		name          string
		before, after []byte
		want          bool
	}{
		{"later, with a third gone", same[0], same[1], true},
		{"itself", same[0], same[0], true},
		{"half of the types differ", other, same[0], false},
	} {
		if got := mustRead(t, test.before).Identities().SameProcess(mustRead(t, test.after)); got != test.want {
			t.Errorf("SameProcess(%s) = %v, want %v", test.name, got, test.want)
		}
	}
}

// Whether a file is read whole or passed over, its text is the same: flat, put together, shared, of a block's variable.
func TestTexts(t *testing.T) {
	data := textgraph.Snapshot(t, `
@1 synthetic "": shortcut global -> @3
@3 object "global": property a -> @5, property b -> @7, property c -> @9
@5 object "Log" 24: property text -> @11, property name -> @13, property other -> @7, element 0 -> @15
@7 object "system / Context" 24: context text -> @17, hidden 2 -> @15
@9 object "Empty" 24
@11 string "flat" 1000
@13 string "name" 16
@15 string "more" 300
@17 concatenated string "" 32: internal first -> @19, internal second -> @21, internal map -> @23
@19 concatenated string "" 32: internal first -> @11, internal second -> @21
@21 string "piece" 40
@23 hidden "system / Map" 80
`)
	want := map[ObjectID]uint64{5: 1016, 7: 32 + 32 + 1000 + 40 + 300, 9: 0}
	s := mustRead(t, data)
	for id, bytes := range want {
		if got := s.TextOf(node(t, s, id)); got != bytes {
			t.Errorf("TextOf(@%d) = %d, want %d", id, got, bytes)
		}
	}
	path := filepath.Join(t.TempDir(), "a.heapsnapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := OpenTexts(context.Background(), path, []ObjectID{5, 7, 9, 999}, Options{})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("OpenTexts = %v, %v, want %v", got, err, want)
	}
}

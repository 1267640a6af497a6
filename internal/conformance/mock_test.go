package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// The graphs and figures of DevTools' own unit tests, HeapSnapshot.test.ts of
// devtools-frontend 183d0d7, as far as they concern figures.

// mockA: ” -> A, B by shortcuts; A -> B, C; B -> C, D; C -> E. The unused
// columns retained_size and dominator are of very old snapshots; the second
// location belongs to no node.
const mockA = `{"snapshot":{"meta":{
"node_fields":["type","name","id","self_size","retained_size","dominator","edge_count"],
"node_types":[["hidden","object"],"","","","","",""],
"edge_fields":["type","name_or_index","to_node"],
"edge_types":[["element","property","shortcut"],"",""],
"location_fields":["object_index","script_id","line","column"],
"trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],
"trace_node_fields":["id","function_info_index","count","size","children"]},
"node_count":6,"edge_count":7,"trace_function_count":1},
"nodes":[0,0,1,0,20,0,2, 1,1,2,2,2,0,2, 1,2,3,3,8,0,2, 1,3,4,4,10,0,1, 1,4,5,5,5,14,0, 1,5,6,6,6,21,0],
"edges":[1,6,7, 1,7,14, 0,1,14, 1,8,21, 1,9,21, 1,10,28, 1,11,35],
"trace_function_infos":[0,2,1,0,0,0],
"trace_tree":[1,0,0,0,[]],
"locations":[0,1,2,3, 18,2,3,4],
"strings":["","A","B","C","D","E","a","b","ac","bc","bd","ce"]}`

func read(t *testing.T, text string) *heapsnap.Snapshot {
	t.Helper()
	s, err := heapsnap.Read(context.Background(), strings.NewReader(text), heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// column returns what of gives for every node in file order.
func column[T any](s *heapsnap.Snapshot, of func(heapsnap.Node) T) []T {
	var values []T
	for n := range s.NodeCount() {
		values = append(values, of(heapsnap.Node(n)))
	}
	return values
}

func expect[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestMockColumns(t *testing.T) {
	s := read(t, mockA)
	if got := s.TotalSize(); got != 20 {
		t.Errorf("TotalSize() = %d, want 20", got)
	}
	expect(t, "Name", column(s, s.Name), []string{"", "A", "B", "C", "D", "E"})
	expect(t, "Dominator", column(s, s.Dominator), []heapsnap.Node{0, 0, 0, 0, 2, 3})
	expect(t, "RetainedSize", column(s, s.RetainedSize), []uint64{20, 2, 8, 10, 5, 6})
	expect(t, "first edge", column(s, func(n heapsnap.Node) heapsnap.Edge { first, _ := s.EdgeRange(n); return first }),
		[]heapsnap.Edge{0, 2, 4, 6, 7, 7})
	for n, want := range []string{"", "", ",A", "A,B", "B", "C"} {
		var names []string
		for from := range s.Retainers(heapsnap.Node(n)) {
			names = append(names, s.Name(from))
		}
		slices.Sort(names)
		if got := strings.Join(names, ","); got != want {
			t.Errorf("retainers of %q = %q, want %q", s.Name(heapsnap.Node(n)), got, want)
		}
	}
	for n, want := range [][]heapsnap.Node{{1, 2, 3}, {}, {4}, {5}, {}, {}} {
		var got []heapsnap.Node
		for m := range s.Dominated(heapsnap.Node(n)) {
			got = append(got, m)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("Dominated(%d) = %v, want %v", n, got, want)
		}
	}
}

func TestMockWalk(t *testing.T) {
	s := read(t, mockA)
	var names []string
	var walk func(n heapsnap.Node)
	walk = func(n heapsnap.Node) {
		names = append(names, s.Name(n))
		for e := range s.Edges(n) {
			names = append(names, s.EdgeName(e))
			walk(s.To(e))
		}
	}
	walk(s.Root())
	const want = ",a,A,1,B,bc,C,ce,E,bd,D,ac,C,ce,E,b,B,bc,C,ce,E,bd,D"
	if got := strings.Join(names, ","); got != want {
		t.Errorf("depth-first walk = %s, want %s", got, want)
	}
}

func TestMockLocation(t *testing.T) {
	s := read(t, mockA)
	l := s.Location(0)
	if l == nil || l.ScriptID != 1 || l.Line != 3 || l.Column != 4 { // 1-based; 2 and 3 in the file
		t.Errorf("Location(0) = %+v, want script 1, line 3, column 4", l)
	}
}

func TestMockAggregates(t *testing.T) {
	s := read(t, mockA)
	var got []heapsnap.Aggregate
	for _, a := range s.Aggregates() {
		a.Location, a.Distance = nil, 0
		got = append(got, a)
	}
	slices.SortFunc(got, func(a, b heapsnap.Aggregate) int { return strings.Compare(a.Class, b.Class) })
	expect(t, "Aggregates()", got, []heapsnap.Aggregate{
		{Class: "A", Count: 1, Shallow: 2, Retained: 2}, {Class: "B", Count: 1, Shallow: 3, Retained: 8},
		{Class: "C", Count: 1, Shallow: 4, Retained: 10}, {Class: "D", Count: 1, Shallow: 5, Retained: 5},
		{Class: "E", Count: 1, Shallow: 6, Retained: 6},
	})
}

// edge leads from one of graph's nodes to another; name is a string or an int.
type edge struct {
	from, to int
	kind     string
	name     any
}

type node struct {
	name, kind string
	self       uint64
}

// graph builds a snapshot: node i has id 2i+1, node 0 is the root.
func graph(t *testing.T, nodes []node, edges []edge) *heapsnap.Snapshot {
	t.Helper()
	kinds := []string{"hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic"}
	edgeKinds := []string{"context", "element", "property", "internal", "hidden", "shortcut", "weak"}
	var nodeRows, edgeRows []any
	var text []string
	for i, n := range nodes {
		count := 0
		for _, e := range edges {
			if e.from != i {
				continue
			}
			count++
			name := e.name
			if s, ok := name.(string); ok {
				text = append(text, s)
				name = len(text) - 1
			}
			edgeRows = append(edgeRows, slices.Index(edgeKinds, e.kind), name, 5*e.to)
		}
		text = append(text, n.name)
		nodeRows = append(nodeRows, slices.Index(kinds, n.kind), len(text)-1, 2*i+1, n.self, count)
	}
	quote := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// By hand, because a map's keys are sorted and the header has to come first.
	return read(t, `{"snapshot":`+quote(map[string]any{
		"meta": map[string]any{
			"node_fields": []string{"type", "name", "id", "self_size", "edge_count"},
			"node_types":  []any{kinds, "string", "number", "number", "number"},
			"edge_fields": []string{"type", "name_or_index", "to_node"},
			"edge_types":  []any{edgeKinds, "string_or_number", "node"},
		},
		"node_count": len(nodes), "edge_count": len(edges), "trace_function_count": 0,
	})+`,"nodes":`+quote(nodeRows)+`,"edges":`+quote(edgeRows)+`,"locations":[],"strings":`+quote(text)+`}`)
}

func TestRetainedSizeAbove32Bits(t *testing.T) {
	const gigabyte = 1_000_000_000
	nodes := []node{{"root", "object", 0}}
	var edges []edge
	for i := range 6 {
		nodes = append(nodes, node{"Node", "object", gigabyte})
		edges = append(edges, edge{i, i + 1, "element", 0})
	}
	if s := graph(t, nodes, edges); s.RetainedSize(s.Root()) != 6*gigabyte {
		t.Errorf("RetainedSize(root) = %d, want %d", s.RetainedSize(s.Root()), 6*gigabyte)
	}
}

// What the debugger holds too is the page's alone: heapSnapshotPageOwned, seen
// through the dominators.
func TestPageOwned(t *testing.T) {
	s := graph(t,
		[]node{{"root", "object", 0}, {"Debugger", "object", 1}, {"Window", "object", 1}, {"page's", "object", 1}, {"debugger's", "object", 1}},
		[]edge{{0, 1, "element", 0}, {0, 2, "shortcut", "1"}, {2, 3, "element", 0}, {1, 3, "property", "debugger2page"}, {1, 4, "element", 1}})
	expect(t, "Dominator", column(s, s.Dominator), []heapsnap.Node{0, 0, 0, 2, 1})
}

// The heap of DevTools' tests of retaining paths: two ways to C.
func TestGCRoots(t *testing.T) {
	const (
		root = iota
		gcRoots
		stack
		a
		b
		a1
		a2
		c
		d
		e
	)
	s := graph(t, []node{
		{"root", "synthetic", 0}, {"(GC roots)", "synthetic", 0}, {"(Stack roots)", "synthetic", 0}, {"A", "object", 1},
		{"B", "object", 1}, {"A1", "object", 1}, {"A2", "object", 1}, {"C", "object", 1}, {"D", "object", 1}, {"E", "object", 1},
	}, []edge{
		{root, gcRoots, "element", 1}, {gcRoots, stack, "element", 1}, {stack, a, "element", 1}, {stack, b, "element", 2},
		{a, a1, "property", "aa1"}, {a1, a2, "property", "a1a2"}, {a2, c, "property", "a2c"}, {b, c, "property", "bc"},
		{b, d, "property", "bd"}, {c, e, "property", "ce"},
	})
	expect(t, "Distance", column(s, s.Distance), []int{0, 1, 2, 3, 3, 4, 5, 4, 4, 5})
	expect(t, "Dominator", column(s, s.Dominator), []heapsnap.Node{root, root, gcRoots, stack, stack, a, a1, stack, b, c})
}

func TestDominatorChainAndDiamond(t *testing.T) {
	chain := graph(t, []node{{"root", "object", 0}, {"A", "object", 10}, {"B", "object", 20}},
		[]edge{{0, 1, "property", "a"}, {1, 2, "property", "b"}})
	expect(t, "Dominator in a chain", column(chain, chain.Dominator), []heapsnap.Node{0, 0, 1})
	diamond := graph(t, []node{{"root", "object", 0}, {"A", "object", 10}, {"B", "object", 20}, {"C", "object", 30}},
		[]edge{{0, 1, "property", "a"}, {0, 2, "property", "b"}, {1, 3, "property", "c"}, {2, 3, "property", "c"}})
	expect(t, "Dominator in a diamond", column(diamond, diamond.Dominator), []heapsnap.Node{0, 0, 0, 0})
}

func TestFindZeroSize(t *testing.T) {
	s := graph(t, []node{{"root", "object", 0}, {"ZeroSizeNode", "object", 0}, {"NormalNode", "object", 100}},
		[]edge{{0, 1, "element", 0}, {0, 2, "element", 1}})
	for id, want := range map[heapsnap.ObjectID]string{3: "ZeroSizeNode", 5: "NormalNode"} {
		if n, ok := s.Find(id); !ok || s.Name(n) != want {
			t.Errorf("Find(%d) = %d, %v, want the %s", id, n, ok, want)
		}
	}
	if n, ok := s.Find(999); ok {
		t.Errorf("Find(999) = %d, want none", n)
	}
}

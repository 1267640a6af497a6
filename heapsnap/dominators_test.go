package heapsnap

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// augmented is the graph whose dominators DevTools computes: essential edges,
// and from the root an edge to every node that it does not reach. Of those,
// only nodes that nothing refers to have edges of their own, and what hangs on
// them; cycles that nothing reaches have none.
func augmented(s *Snapshot) [][]Node {
	s.domOnce.Do(s.computeDominators)
	s.page = pageObjects(s)
	n := s.NodeCount()
	out := make([][]Node, n)
	referred := make([]bool, n)
	for i := range n {
		for e := range s.Edges(Node(i)) {
			if s.essential(Node(i), e) {
				out[i] = append(out[i], s.To(e))
				referred[s.To(e)] = true
			}
		}
	}
	reach := reachable(out, s.Root(), nil)
	for i := range n {
		if !reach[i] && !referred[i] {
			out[s.Root()] = append(out[s.Root()], Node(i))
		}
	}
	reach = reachable(out, s.Root(), nil)
	for i := range n {
		if !reach[i] {
			out[i] = nil
			out[s.Root()] = append(out[s.Root()], Node(i))
		}
	}
	return out
}

// pageObjects marks what the user's roots reach through all references that
// are not weak: HS:4430, the plain way.
func pageObjects(s *Snapshot) bitset {
	page := newBitset(s.NodeCount())
	var stack []Node
	visit := func(n Node) {
		if !page.has(n) {
			page.add(n)
			stack = append(stack, n)
		}
	}
	for e := range s.Edges(s.Root()) {
		to := s.To(e)
		if s.EdgeType(e) == ShortcutEdge || s.EdgeType(e) == ElementEdge && s.RawName(to) == "(Document DOM trees)" && s.Type(to) == Synthetic {
			visit(to)
		}
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for e := range s.Edges(n) {
			if s.EdgeType(e) != WeakEdge {
				visit(s.To(e))
			}
		}
	}
	return page
}

// reachable walks from the root without passing through a node of without.
func reachable(out [][]Node, root Node, without []Node) []bool {
	seen := make([]bool, len(out))
	if slices.Contains(without, root) {
		return seen
	}
	for _, n := range without {
		seen[n] = true
	}
	seen[root] = true
	for stack := []Node{root}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, to := range out[n] {
			if !seen[to] {
				seen[to] = true
				stack = append(stack, to)
			}
		}
	}
	for _, n := range without {
		seen[n] = false
	}
	return seen
}

// slowDominators takes every node away in turn: what is not reached any more
// is what it dominates. The immediate dominator is the one that has most
// dominators itself.
func slowDominators(s *Snapshot) (dom []Node, retained []uint64) {
	n := s.NodeCount()
	out := augmented(s)
	dominates := make([][]bool, n) // d -> which nodes it dominates
	depth := make([]int, n)        // node -> number of its dominators
	for d := range n {
		lost := reachable(out, s.Root(), []Node{Node(d)})
		for i := range lost {
			if lost[i] = !lost[i]; lost[i] {
				depth[i]++
			}
		}
		dominates[d] = lost
	}
	dom, retained = make([]Node, n), make([]uint64, n)
	for i := range n {
		dom[i] = s.Root()
		for d := range n {
			if dominates[d][i] && d != i && depth[d] > depth[dom[i]] {
				dom[i] = Node(d)
			}
			if dominates[i][d] {
				retained[i] += s.SelfSize(Node(d))
			}
		}
	}
	dom[s.Root()] = s.Root()
	return dom, retained
}

// compareDominators fails the test with the graph's text.
func compareDominators(t *testing.T, text string) {
	t.Helper()
	s := graph(t, text)
	dom, retained := slowDominators(s)
	place := make([]int, s.NodeCount())
	for i, n := range s.DominatorOrder() {
		place[n] = i
	}
	for i := range s.NodeCount() {
		n := Node(i)
		if s.Dominator(n) != dom[n] {
			t.Fatalf("Dominator(@%d) = @%d, want @%d in\n%s", s.ID(n), s.ID(s.Dominator(n)), s.ID(dom[n]), text)
		}
		if s.RetainedSize(n) != retained[n] {
			t.Fatalf("RetainedSize(@%d) = %d, want %d in\n%s", s.ID(n), s.RetainedSize(n), retained[n], text)
		}
		if n != s.Root() && place[n] <= place[dom[n]] {
			t.Fatalf("DominatorOrder has @%d before its dominator @%d in\n%s", s.ID(n), s.ID(dom[n]), text)
		}
		var want []Node
		for m, d := range dom {
			if d == n && Node(m) != s.Root() {
				want = append(want, Node(m))
			}
		}
		if got := slices.Collect(s.Dominated(n)); !slices.Equal(got, want) {
			t.Fatalf("Dominated(@%d) = %v, want %v in\n%s", s.ID(n), got, want, text)
		}
	}
}

// byteGraph makes a graph of bytes: small numbers of nodes and edges of all
// kinds, from everywhere to everywhere.
func byteGraph(data []byte) string {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	nodes := 2 + next()%22
	types := []string{"object", "object", "object", "hidden", "array", "synthetic", "native", "closure"}
	// Weak and shortcut edges are one in eight each.
	edgeTypes := []string{"property x", "element 3", "context v", "internal i", "hidden 1", "property y", "weak w", "shortcut s"}
	kinds := make([]string, nodes)
	edges := make([]string, nodes)
	for i := range nodes {
		kinds[i] = types[next()%len(types)]
	}
	kinds[0] = "synthetic"
	for len(data) >= 3 {
		from, to, kind := next()%nodes, next()%nodes, edgeTypes[next()%len(edgeTypes)]
		edges[from] += fmt.Sprintf(", %s -> @%d", kind, 2*to+1)
	}
	var b strings.Builder
	for i := range nodes {
		fmt.Fprintf(&b, "@%d %s \"n%d\" %d", 2*i+1, kinds[i], i, 1+i*i*16)
		if edges[i] != "" {
			b.WriteString(":" + edges[i][1:])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func randomBytes(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 24+3*r.IntN(50))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

func TestDominatorsRandom(t *testing.T) {
	for seed := range uint64(1000) {
		compareDominators(t, byteGraph(randomBytes(seed)))
	}
}

// FuzzDominators compares dominators, retained sizes and what sets of nodes
// retain with the slow twins.
func FuzzDominators(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(randomBytes(seed))
	}
	f.Add([]byte("\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x02\x00\x02\x01\x00\x03\x04\x00\x04\x03\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		text := byteGraph(data)
		compareDominators(t, text)
		compareRetainedBy(t, text, data)
	})
}

// Each row says which node is whose immediate dominator, for those that are
// not the root's.
func TestDominators(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[ObjectID]ObjectID
	}{
		{"chain", `
@1 synthetic "": element 1 -> @3
@3 object "a": property x -> @5
@5 object "b": property x -> @7
@7 object "c"
`, map[ObjectID]ObjectID{5: 3, 7: 5}},
		{"diamond", `
@1 synthetic "": element 1 -> @3
@3 object "a": property x -> @5, property y -> @7
@5 object "b": property x -> @9
@7 object "c": property x -> @9
@9 object "d"
`, map[ObjectID]ObjectID{5: 3, 7: 3, 9: 3}},
		{"weak and to itself do not count", `
@1 synthetic "": element 1 -> @3, element 2 -> @5
@3 object "a": property x -> @7, property self -> @3
@5 object "b": weak x -> @7
@7 object "c": property x -> @7
`, map[ObjectID]ObjectID{7: 3}},
		{"shortcuts count from the root only", `
@1 synthetic "": element 1 -> @3, element 2 -> @5
@3 object "a": property x -> @7, property x -> @9
@5 object "b": shortcut x -> @7, property x -> @9
@7 object "c"
@9 object "d"
`, map[ObjectID]ObjectID{7: 3}},
		{"what the program holds is not shared with V8's roots", `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global": property x -> @7
@5 synthetic "(GC roots)": element 1 -> @7, element 2 -> @9
@7 object "a": property x -> @11
@9 object "b": property x -> @11
@11 object "c"
`, map[ObjectID]ObjectID{7: 3, 9: 5, 11: 7}},
		{"a WeakMap's value belongs to its key", `
@1 synthetic "": element 1 -> @3, element 2 -> @7
@3 object "WeakMap": internal table -> @5
@5 array "(object elements)": internal "2 / part of key (A @7) -> value (B @9) pair in WeakMap (table @5)" -> @9
@7 object "A": internal "1 / part of key (A @7) -> value (B @9) pair in WeakMap (table @5)" -> @9
@9 object "B"
`, map[ObjectID]ObjectID{5: 3, 9: 7}},
		{"the same name from elsewhere is a strong edge", `
@1 synthetic "": element 1 -> @3, element 2 -> @7
@3 object "A": internal "2 / part of key (A @7) -> value (B @9) pair in WeakMap (table @5)" -> @9
@7 object "A": internal "1 / part of key (A @7) -> value (B @9) pair in WeakMap (table @5)" -> @9
@9 object "B"
`, map[ObjectID]ObjectID{}},
		{"an orphan's references count", `
@1 synthetic "": element 1 -> @3
@3 object "a": property x -> @5
@5 object "b"
@7 object "orphan": property x -> @5, property y -> @9
@9 object "c"
`, map[ObjectID]ObjectID{9: 7}},
		{"those of a cycle that nothing reaches do not", `
@1 synthetic "": element 1 -> @3
@3 object "a": property x -> @5
@5 object "b"
@7 object "c": property x -> @9, property y -> @5
@9 object "d": property x -> @7
`, map[ObjectID]ObjectID{5: 3}},
		{"a cycle behind an orphan is the orphan's", `
@1 synthetic ""
@3 object "orphan": property x -> @5
@5 object "c": property x -> @7
@7 object "d": property x -> @5
`, map[ObjectID]ObjectID{5: 3, 7: 5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			compareDominators(t, test.text)
			s := graph(t, test.text)
			for i := range s.NodeCount() {
				n := Node(i)
				want, ok := test.want[s.ID(n)]
				if !ok {
					want = 1
				}
				if got := s.ID(s.Dominator(n)); got != want {
					t.Errorf("Dominator(@%d) = @%d, want @%d", s.ID(n), got, want)
				}
			}
		})
	}
}

// shapeGraph is a graph for benchmarks: node i has edges to the nodes it is given.
func shapeGraph(nodes int, edges func(i int, to func(int))) []byte {
	var nodeRows, edgeRows bytes.Buffer
	total := 0
	for i := range nodes {
		count := 0
		edges(i, func(to int) {
			fmt.Fprintf(&edgeRows, ",%d,%d,%d", PropertyEdge, 1, to*6)
			count++
		})
		total += count
		fmt.Fprintf(&nodeRows, ",%d,0,%d,24,%d,0", map[bool]NodeType{true: Synthetic, false: Object}[i == 0], 2*i+1, count)
	}
	return fmt.Appendf(nil, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","detachedness"],`+
		`"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic"],"string","number","number","number","number"],`+
		`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property"],"string_or_number","node"]},`+
		`"node_count":%d,"edge_count":%d},"nodes":[%s],"edges":[%s],"strings":["","x"]}`,
		nodes, total, bytes.TrimPrefix(nodeRows.Bytes(), []byte(",")), bytes.TrimPrefix(edgeRows.Bytes(), []byte(",")))
}

var shapes = []struct {
	name  string
	bytes func() []byte
}{
	{"chain-1e6", func() []byte {
		return shapeGraph(1_000_000, func(i int, to func(int)) {
			if i+1 < 1_000_000 {
				to(i + 1)
			}
		})
	}},
	{"wide-1e6", func() []byte {
		return shapeGraph(1_000_000, func(i int, to func(int)) {
			if i == 0 {
				for k := 1; k < 1_000_000; k++ {
					to(k)
				}
			}
		})
	}},
	{"random-1e6x4", func() []byte {
		r := rand.New(rand.NewPCG(1, 2))
		return shapeGraph(1_000_000, func(i int, to func(int)) {
			if i+1 < 1_000_000 {
				to(i + 1) // everything is reached
			}
			for range 3 {
				to(r.IntN(1_000_000))
			}
		})
	}},
}

func BenchmarkRead(b *testing.B) {
	for _, sh := range shapes {
		b.Run(sh.name, func(b *testing.B) { benchmarkRead(b, sh.bytes()) })
	}
	b.Run("file", func(b *testing.B) { benchmarkRead(b, benchFile(b)) })
}

func benchmarkRead(b *testing.B, data []byte) {
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(context.Background(), bytes.NewReader(data), Options{Size: int64(len(data))}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchFile is the uncompressed text of a snapshot of one's own.
func benchFile(b *testing.B) []byte {
	path := os.Getenv("HEAPSNAP_BENCH_FILE")
	if path == "" {
		b.Skip("HEAPSNAP_BENCH_FILE is not set to the path of a snapshot")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkDominators(b *testing.B) {
	for _, sh := range shapes {
		b.Run(sh.name, func(b *testing.B) { benchmarkDominators(b, sh.bytes()) })
	}
	b.Run("file", func(b *testing.B) { benchmarkDominators(b, benchFile(b)) })
}

func benchmarkDominators(b *testing.B, data []byte) {
	s := mustRead(b, data)
	s.transferShallowSizes()
	s.orphans = nil
	b.ReportAllocs()
	for b.Loop() {
		s.orphans = s.orphans[:0]
		s.computeDominators()
	}
}

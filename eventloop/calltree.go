package eventloop

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"heapsnap/jssource"
)

// callTree is a profile's call tree, by index instead of id.
type callTree struct {
	nodes  []ProfileNode // the profile's
	parent []int         // of node i; -1 for the root
	index  map[int]int   // id -> index
	probe  map[int]bool  // nodes of heapsnap's own probe, and what they call
}

func newCallTree(p *Profile) *callTree {
	t := &callTree{nodes: p.Nodes, parent: make([]int, len(p.Nodes)), index: make(map[int]int, len(p.Nodes))}
	for i, n := range p.Nodes {
		t.index[n.ID] = i
		t.parent[i] = -1
	}
	for i, n := range p.Nodes {
		for _, c := range n.Children {
			t.parent[t.index[c]] = i
		}
	}
	t.markProbe()
	return t
}

// markProbe finds what heapsnap itself did in the target.
func (t *callTree) markProbe() {
	t.probe = map[int]bool{}
	var mark func(n int)
	mark = func(n int) {
		t.probe[n] = true
		for _, c := range t.nodes[n].Children {
			mark(t.index[c])
		}
	}
	for i, n := range t.nodes {
		if n.CallFrame.URL == probeURL && !t.probe[i] {
			mark(i)
		}
	}
}

func (t *callTree) frame(n int) *CallFrame { return &t.nodes[n].CallFrame }

func (t *callTree) name(n int) string { return t.nodes[n].CallFrame.FunctionName }

// The nodes of V8 that are no functions; they are children of the root.
const (
	idleName    = "(idle)"
	programName = "(program)" // native code with no JavaScript below it
	gcName      = "(garbage collector)"
)

// idle is also the time of the probe, which is none of the program's.
func (t *callTree) idle(n int) bool { return t.name(n) == idleName || t.probe[n] }
func (t *callTree) gc(n int) bool   { return t.name(n) == gcName }

// meta reports whether the node is none of the program's: the root, idle,
// program, garbage collector.
func (t *callTree) meta(n int) bool {
	return t.parent[n] < 0 || strings.HasPrefix(t.name(n), "(") && t.frame(n).URL == "" && t.name(n) != nameless
}

// internal reports whether a script is Node's own.
func internal(url string) bool { return strings.HasPrefix(url, "node:") }

// isPackage reports whether a script was installed and not written here.
func isPackage(url string) bool { return jssource.InPackage(url) }

// ancestor returns the deepest node that both stacks have; the root at worst.
func (t *callTree) ancestor(a, b int) int {
	above := map[int]bool{}
	for n := a; n >= 0; n = t.parent[n] {
		above[n] = true
	}
	for n := b; n >= 0; n = t.parent[n] {
		if above[n] {
			return n
		}
	}
	return 0
}

// stack is the way from the node up, without the root.
func (t *callTree) stack(n int) []int {
	var s []int
	for ; n >= 0 && t.parent[n] >= 0; n = t.parent[n] {
		s = append(s, n)
	}
	return s
}

// script is a script of a profile.
type script struct{ id, url string }

// hotScripts lists the scripts, Node's own excepted, in which a noticeable time
// was spent, in them or in what they called, hottest first.
func hotScripts(profiles []*Profile) []script {
	const noticeable = 0.002 // of what was not idle
	hits := map[script]int{}
	total := 0
	for _, p := range profiles {
		t := newCallTree(p)
		count := map[int]int{}
		for _, id := range p.Samples {
			if n := t.index[id]; !t.idle(n) {
				count[n]++
				total++
			}
		}
		for leaf, n := range count {
			seen := map[script]bool{}
			for _, at := range t.stack(leaf) {
				f := t.frame(at)
				s := script{f.ScriptID, f.URL}
				if f.URL != "" && !internal(f.URL) && !seen[s] {
					seen[s] = true
					hits[s] += n
				}
			}
		}
	}
	hot := slices.Collect(maps.Keys(hits))
	hot = slices.DeleteFunc(hot, func(s script) bool { return float64(hits[s]) < noticeable*float64(total) })
	slices.SortFunc(hot, func(a, b script) int { return cmp.Or(hits[b]-hits[a], cmp.Compare(a.url, b.url)) })
	return hot
}

// topLine is the line of a node with most samples.
func topLine(t *callTree, n int) int {
	best, ticks := 0, 0
	for _, p := range t.nodes[n].PositionTicks {
		if p.Ticks > ticks {
			best, ticks = p.Line, p.Ticks
		}
	}
	return best
}

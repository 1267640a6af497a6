package heapsnap

import (
	"encoding/binary"
	"slices"
)

// A shapeMatcher finds the best shape among many for a set of properties. It
// is DevTools' trie over sorted property names with a set of states: HS:2890.
type shapeMatcher struct {
	numbers map[string]int32 // property -> its rank in sorted order
	nodes   []trieNode
	seen    map[string]int // encoded properties -> shape: objects come in few layouts
	key     []byte
	states  []int32
	shapes  []shape
}

type trieNode struct {
	next  map[int32]int32 // property -> trie node
	shape int             // the first shape that ends here, or -1
}

func newShapeMatcher(shapes []shape) *shapeMatcher {
	m := &shapeMatcher{numbers: map[string]int32{}, nodes: []trieNode{{shape: -1}}, seen: map[string]int{}, shapes: shapes}
	var names []string
	for _, sh := range shapes {
		names = append(names, sh.properties...)
	}
	slices.Sort(names)
	for i, name := range slices.Compact(names) {
		m.numbers[name] = int32(i)
	}
	for i, sh := range shapes {
		at := int32(0)
		for _, name := range sh.properties {
			p := m.numbers[name]
			to, ok := m.nodes[at].next[p]
			if !ok {
				to = int32(len(m.nodes))
				if m.nodes[at].next == nil {
					m.nodes[at].next = map[int32]int32{}
				}
				m.nodes[at].next[p] = to
				m.nodes = append(m.nodes, trieNode{shape: -1})
			}
			at = to
		}
		if m.nodes[at].shape < 0 {
			m.nodes[at].shape = i
		}
	}
	return m
}

// property returns the number of a property, or -1 if no shape has it.
func (m *shapeMatcher) property(name string) int32 {
	if p, ok := m.numbers[name]; ok {
		return p
	}
	return -1
}

// match returns the best shape whose properties are all in have, or -1. It
// sorts have.
func (m *shapeMatcher) match(have []int32) int {
	slices.Sort(have)
	m.key = m.key[:0]
	for _, p := range have {
		m.key = binary.AppendVarint(m.key, int64(p))
	}
	if best, ok := m.seen[string(m.key)]; ok {
		return best
	}
	best, bestLen := -1, 0
	m.states = append(m.states[:0], 0)
	for _, p := range have {
		for i := range len(m.states) { // states found for p wait for the next property
			to, ok := m.nodes[m.states[i]].next[p]
			if !ok || slices.Contains(m.states, to) {
				continue
			}
			m.states = append(m.states, to)
			if sh := m.nodes[to].shape; sh >= 0 {
				if n := len(m.shapes[sh].properties); n > bestLen || n == bestLen && sh < best {
					best, bestLen = sh, n
				}
			}
		}
	}
	m.seen[string(m.key)] = best
	return best
}

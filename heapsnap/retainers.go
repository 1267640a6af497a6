package heapsnap

import (
	"iter"
	"sort"
)

// Retainers yields the references to n with their sources, in snapshot order,
// weak ones included.
func (s *Snapshot) Retainers(n Node) iter.Seq2[Node, Edge] {
	s.retainersOnce.Do(s.computeRetainers)
	return func(yield func(Node, Edge) bool) {
		for _, e := range s.retainerEdge[s.firstRetainer[n]:s.firstRetainer[n+1]] {
			if !yield(s.from(e), e) {
				return
			}
		}
	}
}

// RetainerCount returns the number of references to n, weak ones included.
func (s *Snapshot) RetainerCount(n Node) int {
	s.retainersOnce.Do(s.computeRetainers)
	return int(s.firstRetainer[n+1] - s.firstRetainer[n])
}

// sourceStep is how many edges share an entry of Snapshot.source. A column of
// every edge's source would be as large as the retainers themselves, and is
// asked for a few of them.
const sourceStep = 64

// from returns the node that has e. It needs computeRetainers.
func (s *Snapshot) from(e Edge) Node {
	lo := s.source[e/sourceStep]
	hi := Node(s.NodeCount() - 1)
	if next := int(e/sourceStep) + 1; next < len(s.source) {
		hi = s.source[next]
	}
	// The last node whose edges begin at e or before: those between that begin
	// there too have none.
	return lo + Node(sort.Search(int(hi-lo), func(i int) bool { return s.firstEdge[lo+Node(i)+1] > uint32(e) }))
}

// computeRetainers turns the edges round: count, prefix sum, fill.
func (s *Snapshot) computeRetainers() {
	if s.load(groupRetainers) {
		return
	}
	n := s.NodeCount()
	first := make([]uint32, n+1)
	for _, to := range s.edgeTo {
		first[to+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	s.retainerEdge = make([]Edge, len(s.edgeTo))
	s.source = make([]Node, (len(s.edgeTo)+sourceStep-1)/sourceStep)
	for from := range n {
		for e := s.firstEdge[from]; e < s.firstEdge[from+1]; e++ {
			to := s.edgeTo[e]
			s.retainerEdge[first[to]] = Edge(e)
			first[to]++
			if e%sourceStep == 0 {
				s.source[e/sourceStep] = Node(from)
			}
		}
	}
	// Every first has moved to where the next one began.
	copy(first[1:], first)
	first[0] = 0
	s.firstRetainer = first
}

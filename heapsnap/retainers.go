package heapsnap

import "iter"

// Retainers yields the references to n with their sources, in snapshot order,
// weak ones included.
func (s *Snapshot) Retainers(n Node) iter.Seq2[Node, Edge] {
	s.retainersOnce.Do(s.computeRetainers)
	return func(yield func(Node, Edge) bool) {
		for i := s.firstRetainer[n]; i < s.firstRetainer[n+1]; i++ {
			if !yield(s.edgeFrom[i], s.retainerEdge[i]) {
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

// computeRetainers turns the edges round: count, prefix sum, fill.
func (s *Snapshot) computeRetainers() {
	n := s.NodeCount()
	first := make([]uint32, n+1)
	for _, to := range s.edgeTo {
		first[to+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	next := make([]uint32, n)
	copy(next, first)
	s.retainerEdge = make([]Edge, len(s.edgeTo))
	s.edgeFrom = make([]Node, len(s.edgeTo))
	for from := range n {
		for e := s.firstEdge[from]; e < s.firstEdge[from+1]; e++ {
			to := s.edgeTo[e]
			s.retainerEdge[next[to]] = Edge(e)
			s.edgeFrom[next[to]] = Node(from)
			next[to]++
		}
	}
	s.firstRetainer = first
}

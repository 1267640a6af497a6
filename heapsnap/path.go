package heapsnap

// A Step is one reference on a way: Edge leads from From.
type Step struct {
	From Node
	Edge Edge
}

// PathTree holds a shortest way from the root to every node it reaches.
type PathTree struct {
	s      *Snapshot
	parent []Node // node -> the node before it, or NoNode
	via    []Edge // node -> the edge from parent
}

// Paths walks breadth first from the root and returns the shortest ways. Weak
// references are not followed. cost, if it is not nil, says how late an edge
// is to be taken: 0 now, 1 when no way with only zeros is left, and so on up
// to 3; a negative cost is never.
func (s *Snapshot) Paths(cost func(from Node, e Edge) int) *PathTree {
	const levels = 4
	n := s.NodeCount()
	t := &PathTree{s: s, parent: make([]Node, n), via: make([]Edge, n)}
	for i := range t.parent {
		t.parent[i] = NoNode
	}
	seen := newBitset(n)
	seen.add(s.root)
	queue := make([]Node, 1, n)
	queue[0] = s.root
	var later [levels][]Step
	take := func(st Step) {
		if to := s.edgeTo[st.Edge]; !seen.has(to) {
			seen.add(to)
			t.parent[to], t.via[to] = st.From, st.Edge
			queue = append(queue, to)
		}
	}
	for head := 0; ; {
		for ; head < len(queue); head++ {
			from := queue[head]
			first, end := s.EdgeRange(from)
			for e := first; e < end; e++ {
				if s.edgeType[e] == WeakEdge || seen.has(s.edgeTo[e]) {
					continue
				}
				c := 0
				if cost != nil {
					if c = cost(from, e); c < 0 {
						continue
					}
				}
				if c == 0 {
					take(Step{from, e})
				} else {
					c = min(c, levels-1)
					later[c] = append(later[c], Step{from, e})
				}
			}
		}
		c := 1
		for c < levels && len(later[c]) == 0 {
			c++
		}
		if c == levels {
			return t
		}
		steps := later[c]
		later[c] = nil
		for _, st := range steps {
			take(st)
		}
	}
}

// KeptPaths is [Snapshot.Paths] with a cost that has a name: the ways are found
// once, and with an index once for all commands. One name is one cost, in every
// run of the program.
func (s *Snapshot) KeptPaths(name string, cost func(from Node, e Edge) int) *PathTree {
	s.keptMu.Lock()
	defer s.keptMu.Unlock()
	t := s.kept[name]
	if t == nil {
		if t = s.loadPaths(name); t == nil {
			t = s.Paths(cost)
		}
		if s.kept == nil {
			s.kept = map[string]*PathTree{}
		}
		s.kept[name] = t
	}
	return t
}

// To returns the way from the root to n, or nil if the walk did not reach it.
func (t *PathTree) To(n Node) []Step {
	var steps []Step
	for n != t.s.root {
		if t.parent[n] == NoNode {
			return nil
		}
		steps = append(steps, Step{t.parent[n], t.via[n]})
		n = t.parent[n]
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	return steps
}

// Before returns the node and the edge that lead to n, or false for the root
// and for nodes that the walk did not reach.
func (t *PathTree) Before(n Node) (Step, bool) {
	if t.parent[n] == NoNode {
		return Step{}, false
	}
	return Step{t.parent[n], t.via[n]}, true
}

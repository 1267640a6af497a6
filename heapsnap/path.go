package heapsnap

// A Step is one reference on a way: Edge leads from From.
type Step struct {
	From Node
	Edge Edge
}

// PathTree holds a shortest way from the root to every node it reaches. Ways are
// found as they are asked for, those to near nodes first, so it is not for
// several goroutines at a time.
type PathTree struct {
	s      *Snapshot
	parent []Node // node -> the node before it, or NoNode
	via    []Edge // node -> the edge from parent

	// What is left of the walk.
	cost  func(from Node, e Edge) int
	seen  bitset
	queue []Node
	head  int
	later [pathLevels][]Step
}

const pathLevels = 4

// Paths walks breadth first from the root and returns the shortest ways. Weak
// references are not followed. cost, if it is not nil, says how late an edge
// is to be taken: 0 now, 1 when no way with only zeros is left, and so on up
// to 3; a negative cost is never.
func (s *Snapshot) Paths(cost func(from Node, e Edge) int) *PathTree {
	n := s.NodeCount()
	t := &PathTree{s: s, parent: make([]Node, n), via: make([]Edge, n), cost: cost, seen: newBitset(n), queue: make([]Node, 1, n)}
	for i := range t.parent {
		t.parent[i] = NoNode
	}
	t.seen.add(s.root)
	t.queue[0] = s.root
	return t
}

// reach walks on until the way to n is found, or all are: a way that was found
// does not change any more. NoNode is all.
func (t *PathTree) reach(n Node) {
	s := t.s
	for t.queue != nil && (n == NoNode || !t.seen.has(n)) {
		if t.head < len(t.queue) {
			from := t.queue[t.head]
			t.head++
			first, end := s.EdgeRange(from)
			for e := first; e < end; e++ {
				if s.edgeType[e] == WeakEdge || t.seen.has(s.edgeTo[e]) {
					continue
				}
				c := 0
				if t.cost != nil {
					if c = t.cost(from, e); c < 0 {
						continue
					}
				}
				if c == 0 {
					t.take(Step{from, e})
				} else {
					c = min(c, pathLevels-1)
					t.later[c] = append(t.later[c], Step{from, e})
				}
			}
			continue
		}
		c := 1
		for c < pathLevels && len(t.later[c]) == 0 {
			c++
		}
		if c == pathLevels {
			t.queue, t.seen = nil, nil
			return
		}
		steps := t.later[c]
		t.later[c] = nil
		for _, st := range steps {
			t.take(st)
		}
	}
}

func (t *PathTree) take(st Step) {
	if to := t.s.edgeTo[st.Edge]; !t.seen.has(to) {
		t.seen.add(to)
		t.parent[to], t.via[to] = st.From, st.Edge
		t.queue = append(t.queue, to)
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
			t.reach(NoNode)
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
	t.reach(n)
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
	t.reach(n)
	if t.parent[n] == NoNode {
		return Step{}, false
	}
	return Step{t.parent[n], t.via[n]}, true
}

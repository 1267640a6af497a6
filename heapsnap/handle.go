package heapsnap

// handleScope is V8's name of the references that its own C++ code has at the
// moment (18 to 26).
const handleScope = "(Handle scope)"

// dropHandles makes references of V8's own code weak where something else keeps
// the target, too. A snapshot that Node writes near the heap limit is made while
// something is allocated: often while a Map, a Set or an array grows, and V8
// holds its storage besides. All entries would then belong to nobody.
//
// What hung on such a reference and refers to itself only is unreachable then,
// and a child of the root.
func (s *Snapshot) dropHandles() {
	scope := s.handles()
	if scope == NoNode {
		return
	}
	held := newBitset(s.NodeCount())
	first, end := s.EdgeRange(scope)
	for e := first; e < end; e++ {
		held.add(s.edgeTo[e])
	}
	kept := newBitset(s.NodeCount()) // by something else
	for i := range s.NodeCount() {
		from := Node(i)
		if s.Type(from) == Synthetic {
			continue
		}
		first, end := s.EdgeRange(from)
		for e := first; e < end; e++ {
			if to := s.edgeTo[e]; held.has(to) && s.Strong(from, e) {
				kept.add(to)
			}
		}
	}
	for e := first; e < end; e++ {
		if kept.has(s.edgeTo[e]) {
			s.edgeType[e] = WeakEdge
		}
	}
}

// handles is the synthetic node of all handles, NoNode without.
func (s *Snapshot) handles() Node {
	for i := range s.NodeCount() {
		n := Node(i)
		if s.Type(n) == Synthetic && s.Name(n) == handleScope {
			return n
		}
	}
	return NoNode
}

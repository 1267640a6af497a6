package heapsnap

// transferShallowSizes adds the size of V8's own storage (hidden nodes, arrays
// of elements and properties, external string data) to the object that alone
// holds it, and leaves 0 behind: HS:4227-4325. A Map's self size so includes
// its table. Snapshots with exposed internals are left as they are.
//
// owner is a fix point: a node is owned by o iff every chain of strong edges
// from an object to it, through storage only, starts at o. So the order of the
// walk does not matter.
func (s *Snapshot) transferShallowSizes() {
	if !s.userRoots {
		return
	}
	const (
		unvisited = NoNode
		several   = NoNode - 1
	)
	n := s.NodeCount()
	owner := newColumn[Node](n)
	// Most edges lead to objects, which keep their sizes: one bit tells, in a
	// set that stays in the cache.
	storage := newBitset(n)
	for i := range owner {
		if s.storage(Node(i)) {
			owner[i] = unvisited
			storage.add(Node(i))
		} else {
			owner[i] = Node(i)
		}
	}
	var work []Node
	visit := func(from Node) {
		by := owner[from]
		for e := s.firstEdge[from]; e < s.firstEdge[from+1]; e++ {
			to := s.edgeTo[e]
			if !storage.has(to) || s.edgeType[e] == WeakEdge {
				continue
			}
			switch owner[to] {
			case unvisited:
				owner[to] = by
			case by, several:
				continue
			default:
				owner[to] = several
			}
			work = append(work, to)
		}
	}
	for i := range owner {
		if !storage.has(Node(i)) {
			visit(Node(i))
		}
		for len(work) > 0 {
			from := work[len(work)-1]
			work = work[:len(work)-1]
			visit(from)
		}
	}
	for i, o := range owner {
		if o == unvisited || o == several || o == Node(i) || s.nodeType[o] == Synthetic || o == s.root {
			continue
		}
		s.self.set(uint32(o), s.self.at(uint32(o))+s.self.at(uint32(i)))
		s.self.set(uint32(i), 0)
	}
}

// storage reports whether n is V8's bookkeeping and not an object of its own.
func (s *Snapshot) storage(n Node) bool {
	switch s.nodeType[n] {
	case Hidden, Array:
		return true
	case Native:
		return s.nameTag(n) == tagExternalString
	}
	return false
}

// SelfSize returns the bytes of n itself with V8's storage that only n holds:
// DevTools' shallow size.
func (s *Snapshot) SelfSize(n Node) uint64 {
	s.shallowOnce.Do(s.transferShallowSizes)
	return s.self.at(uint32(n))
}

package heapsnap

// RetainedBy returns the bytes and the number of objects that would be freed
// if all nodes of set were: what the root reaches only through them. It is not
// the sum of their retained sizes, which counts shared objects never and
// nested ones twice.
func (s *Snapshot) RetainedBy(set []Node) (bytes uint64, count int) {
	s.domOnce.Do(s.computeDominators)
	seen := newBitset(s.NodeCount())
	for _, n := range set {
		seen.add(n)
	}
	if seen.has(s.root) {
		return s.retained[s.root], s.NodeCount()
	}
	kept, keptCount := uint64(0), 0
	stack := make([]Node, 0, 1024)
	visit := func(n Node) {
		if !seen.has(n) {
			seen.add(n)
			stack = append(stack, n)
		}
	}
	// Nodes that the root does not reach belong to it all the same, in the two
	// ways of computeDominators.
	visit(s.root)
	for _, n := range s.orphans {
		visit(n)
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		kept += s.self.at(uint32(n))
		keptCount++
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if s.essential(n, e) {
				visit(s.edgeTo[e])
			}
		}
	}
	for _, n := range s.order[s.reached:] {
		if !seen.has(n) {
			kept += s.self.at(uint32(n))
			keptCount++
		}
	}
	return s.retained[s.root] - kept, s.NodeCount() - keptCount
}

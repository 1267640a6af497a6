package heapsnap

// NameIndex returns the index of n's raw name among [Snapshot.Strings], so that
// names can be compared without a text for each. V8 writes every text once.
func (s *Snapshot) NameIndex(n Node) int { return int(s.nodeName[n]) }

// EdgeNameIndex returns the index of e's name among [Snapshot.Strings], and
// false for elements and hidden edges, which have a number instead.
func (s *Snapshot) EdgeNameIndex(e Edge) (int, bool) {
	return int(s.edgeName[e]), !s.edgeType[e].indexed()
}

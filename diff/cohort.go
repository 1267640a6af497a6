package diff

import "heapsnap/heapsnap"

// assignCohorts gives every node the round in which it was born, 0 for the
// first capture.
//
// V8 replaces its own storage all the time: a Map's table, an array's elements
// are new objects whenever they grow. Storage is therefore as old as the
// object that owns it, its immediate dominator: what an old Map's new table
// holds, the old Map holds. The embedder's objects have even ids, which are
// addresses in disguise and used again: they too are as old as their owner,
// except where only V8's roots hold them.
func (c *comparison) assignCohorts() {
	s := c.s
	c.cohort = make([]uint8, s.NodeCount())
	c.fresh = make([]bool, s.NodeCount())
	last := uint8(c.rounds)
	for _, n := range s.DominatorOrder() {
		id := s.ID(n)
		born := last
		if id&1 == 1 {
			// Ids of V8's objects only grow, but now and then one is used again.
			for born > 0 && id <= c.earlier[born-1].MaxID() {
				born--
			}
			if !isStorage(s, n) {
				for born < last && !c.earlier[born].Is(id, s.Type(n)) {
					born++
				}
			}
		} else {
			for i, e := range c.earlier {
				if e.Has(id) {
					born = uint8(i)
					break
				}
			}
		}
		c.fresh[n] = born > 0
		owner := s.Dominator(n)
		switch {
		case n == s.Root():
			born = 0
		case born > 0 && isStorage(s, n):
			born = c.cohort[owner]
		case id&1 == 0:
			if t := s.Type(owner); t != heapsnap.Synthetic && owner != s.Root() {
				born = c.cohort[owner]
			}
		}
		c.cohort[n] = born
	}
	c.d.cohort = c.cohort
}

// isStorage reports whether n is V8's own bookkeeping, which lives and dies
// with an object and says nothing by itself.
func isStorage(s *heapsnap.Snapshot, n heapsnap.Node) bool {
	switch s.Type(n) {
	case heapsnap.Hidden, heapsnap.Array, heapsnap.Code, heapsnap.ObjectShape, heapsnap.Synthetic:
		return true
	}
	return false
}

// Cohort returns the round in which n was born, 0 if the first capture has it;
// storage has the cohort of its owner.
func (d *Diff) Cohort(n heapsnap.Node) int { return int(d.cohort[n]) }

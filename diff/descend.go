package diff

import "heapsnap/heapsnap"

// descend moves the holder of a site down to the accumulation point: when the
// program made its collection only after the first capture (on first use), the
// old object that refers to it is not what a person wants to hear of. As long
// as one survivor of the earliest cohort dominates nearly all of the site, it
// takes the holder's place.
func (c *comparison) descend() {
	const (
		minSurvivors = 16 // fewer have no accumulation point worth a name
		maxHops      = 20
	)
	var below []uint32 // node -> survivors it dominates, itself included
	for _, g := range c.sites {
		if g.Survivors().Count < minSurvivors || len(g.Entries) > minSurvivors {
			continue
		}
		if below == nil {
			below = c.survivorsBelow()
		}
		first := c.earliest(g)
		all := uint32(g.Survivors().Count)
		at, entries := g.Holder, g.Entries
		for range maxHops {
			var hub heapsnap.Node
			for _, n := range entries {
				if below[n]*5 >= all*4 && int(c.cohort[n]) == first {
					hub = n
					break
				}
			}
			if hub == 0 {
				break
			}
			next := c.entriesOf(hub)
			if len(next) == 0 {
				break
			}
			at, entries = hub, next
		}
		if at == g.Holder {
			continue
		}
		// A chain is no collection: it only moves the question one link on.
		later := 0
		for _, n := range entries {
			if int(c.cohort[n]) != first {
				later++
			}
		}
		if later == 0 {
			continue
		}
		g.Holder, g.Entries = at, entries
		g.Holders = append([]heapsnap.Node{at}, g.Holders...)
		g.Label = c.commonLabel(at, entries)
		g.holderID = c.s.ID(at)
		c.countEntries(g)
	}
}

// survivorsBelow counts survivors per dominator subtree.
func (c *comparison) survivorsBelow() []uint32 {
	below := make([]uint32, c.s.NodeCount())
	order := c.s.DominatorOrder()
	for i := len(order) - 1; i > 0; i-- {
		n := order[i]
		if c.cohort[n] > 0 && !isStorage(c.s, n) {
			below[n]++
		}
		below[c.s.Dominator(n)] += below[n]
	}
	return below
}

func (c *comparison) earliest(g *GrowthSite) int {
	for round, n := range g.Count {
		if n > 0 {
			return round + 1
		}
	}
	return 0
}

// entriesOf returns the survivors that n refers to, itself or through storage
// of its own.
func (c *comparison) entriesOf(n heapsnap.Node) []heapsnap.Node {
	s := c.s
	var entries []heapsnap.Node
	seen := map[heapsnap.Node]bool{n: true}
	storage := []heapsnap.Node{n}
	for len(storage) > 0 {
		from := storage[len(storage)-1]
		storage = storage[:len(storage)-1]
		for e := range s.Edges(from) {
			to := s.To(e)
			if seen[to] || c.cohort[to] == 0 || !s.Strong(from, e) {
				continue
			}
			switch s.Type(to) {
			case heapsnap.Code, heapsnap.ObjectShape, heapsnap.Synthetic:
				continue
			}
			seen[to] = true
			if isStorage(s, to) {
				storage = append(storage, to)
			} else {
				entries = append(entries, to)
			}
		}
	}
	c.sortEntries(entries)
	return entries
}

// commonLabel is the name of n's reference to entries if there is only one.
func (c *comparison) commonLabel(n heapsnap.Node, entries []heapsnap.Node) string {
	if len(entries) != 1 {
		return AnyEntry
	}
	for e := range c.s.Edges(n) {
		if c.s.To(e) == entries[0] {
			switch c.s.EdgeType(e) {
			case heapsnap.PropertyEdge, heapsnap.ContextEdge, heapsnap.InternalEdge:
				return c.s.EdgeName(e)
			}
		}
	}
	return AnyEntry
}

package diff

import (
	"cmp"
	"slices"

	"heapsnap/heapsnap"
)

// count fills the per-round figures of all sites.
func (c *comparison) count() {
	s := c.s
	for _, g := range c.sites {
		g.Count = make([]int, c.rounds)
		g.Bytes = make([]uint64, c.rounds)
		c.countEntries(g)
		g.holderID = s.ID(g.Holder)
	}
	for n, site := range c.siteOf {
		if site == 0 {
			continue
		}
		g := c.sites[site-1]
		round := c.cohort[n] - 1
		g.Bytes[round] += s.SelfSize(heapsnap.Node(n))
		if !isStorage(s, heapsnap.Node(n)) {
			g.Count[round]++
		}
	}
}

func (c *comparison) countEntries(g *GrowthSite) {
	g.Entry = make([]int, c.rounds)
	for _, n := range g.Entries {
		if c.cohort[n] > 0 {
			g.Entry[c.cohort[n]-1]++
		}
	}
}

// classify counts the classes of the survivors of sites that are worth it.
func (c *comparison) classify() {
	type counts = map[string]*ClassCount
	wanted := map[uint32]counts{}
	for i, g := range c.sites {
		switch g.Judgement {
		case Leak, Growth, Suspect, More:
			wanted[uint32(i)+1] = counts{}
		}
	}
	if len(wanted) == 0 {
		return
	}
	for n, site := range c.siteOf {
		byClass, ok := wanted[site]
		if !ok || isStorage(c.s, heapsnap.Node(n)) {
			continue
		}
		name := c.s.ClassName(heapsnap.Node(n))
		k := byClass[name]
		if k == nil {
			k = &ClassCount{Class: name, PerRound: make([]int, c.rounds), Sample: heapsnap.Node(n)}
			byClass[name] = k
		}
		k.PerRound[c.cohort[n]-1]++
		k.Total++
	}
	for i, g := range c.sites {
		for _, k := range wanted[uint32(i)+1] {
			g.Classes = append(g.Classes, *k)
		}
		slices.SortFunc(g.Classes, func(a, b ClassCount) int {
			return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Class, b.Class))
		})
	}
}

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"heapsnap/heapsnap"
)

// group turns seeds into sites. Seeds become one site when most of what either
// reaches is reached by both (release both, or neither helps), when they are
// two names of one holder for the same objects, and when their holders are
// alike: elements of one collection that all grow in the same way.
func (c *comparison) group() {
	s := c.s
	perSet := make([]int, len(c.sets)) // set -> survivors
	for n, set := range c.set {
		if set != 0 && !isStorage(s, heapsnap.Node(n)) {
			perSet[set]++
		}
	}
	total := make([]int, len(c.seeds)) // seed -> survivors it reaches
	shared := map[[2]uint32]int{}
	for set, members := range c.sets {
		for i, a := range members {
			total[a] += perSet[set]
			for _, b := range members[i+1:] {
				shared[[2]uint32{a, b}] += perSet[set]
			}
		}
	}
	u := newUnion(len(c.seeds))
	rings := c.climbLinks(u)
	for pair, n := range shared {
		a, b := pair[0], pair[1]
		if c.seeds[a].holder == c.seeds[b].holder && c.s.Type(c.seeds[a].holder) != heapsnap.Synthetic || 2*n >= max(total[a], total[b]) {
			u.join(a, b)
		}
	}
	alike := map[string]uint32{}
	for i, sd := range c.seeds {
		if sd.rank != rankObject {
			continue
		}
		if key := c.collectionKey(sd.holder); key != "" {
			key += "." + sd.label
			if first, ok := alike[key]; ok {
				u.join(first, uint32(i))
			} else {
				alike[key] = uint32(i)
			}
		}
	}
	groups := map[uint32][]uint32{} // representative -> seeds, ascending
	var order []uint32
	for i := range c.seeds {
		r := u.find(uint32(i))
		if groups[r] == nil {
			order = append(order, r)
		}
		groups[r] = append(groups[r], uint32(i))
	}
	siteOfSeed := make([]uint32, len(c.seeds))
	size := make([]int, len(order)) // site -> seeds' totals, to give shared survivors to the larger
	for i, r := range order {
		for _, sd := range groups[r] {
			siteOfSeed[sd] = uint32(i)
			size[i] += total[sd]
		}
		c.sites = append(c.sites, c.newSite(groups[r]))
	}
	siteOfSet := make([]uint32, len(c.sets)) // set -> site + 1
	for set, members := range c.sets {
		best := -1
		for _, m := range members {
			if at := int(siteOfSeed[m]); best < 0 || size[at] > size[best] {
				best = at
			}
		}
		siteOfSet[set] = uint32(best + 1)
	}
	c.siteOf = make([]uint32, len(c.set))
	for n, set := range c.set {
		c.siteOf[n] = siteOfSet[set]
	}
	c.fillRings(rings, siteOfSeed)
}

// climbLinks gives the growth of a linked structure (list, tree, ring) to its
// top: when an old link holds new ones of its class, itself or in a collection
// of its own, the first link of that class on the way to the root becomes the
// holder, and all that hang below one top are one site. In a ring, and in a list
// that is linked both ways, no link is the top: the object that has them is.
// It returns the rings, and a seed of each.
func (c *comparison) climbLinks(u union) map[ring]uint32 {
	tops := map[heapsnap.Node]uint32{}
	rings := map[ring]uint32{}
	for i := range c.seeds {
		sd := &c.seeds[i]
		if sd.rank != rankObject || c.s.Type(sd.holder) != heapsnap.Object {
			continue
		}
		link, class := c.linkOf(sd)
		if link == heapsnap.NoNode {
			continue
		}
		sd.link = true
		for {
			above := c.owner(c.s.Dominator(link))
			if above == link || c.s.Type(above) != heapsnap.Object {
				break
			}
			if c.s.ClassName(above) != class { // a collection of another link?
				above = c.owner(c.s.Dominator(above))
				if c.s.Type(above) != heapsnap.Object || c.s.ClassName(above) != class || sd.holder == link {
					break
				}
			}
			link = above
		}
		if owner := c.owner(c.s.Dominator(link)); c.linkedBothWays(link, owner, class) {
			sd.holder, sd.label, sd.link = owner, AnyEntry, false
			if first, ok := rings[ring{owner, class}]; ok {
				u.join(first, uint32(i))
			} else {
				rings[ring{owner, class}] = uint32(i)
			}
			continue
		}
		sd.holder = link
		if first, ok := tops[link]; ok {
			u.join(first, uint32(i))
		} else {
			tops[link] = uint32(i)
		}
	}
	if len(rings) == 0 {
		return nil
	}
	for i, sd := range c.seeds { // the owner's own references to links
		for _, r := range sd.refs {
			if first, ok := rings[ring{sd.holder, c.s.ClassName(r.to)}]; ok {
				u.join(first, uint32(i))
				break
			}
		}
	}
	return rings
}

// A ring is the links of one class that an object has in a ring, or in a list
// that is linked both ways.
type ring struct {
	owner heapsnap.Node
	class string
}

// fillRings makes all new links of a ring entries of their site: those that
// stand between other new ones, too.
func (c *comparison) fillRings(rings map[ring]uint32, siteOfSeed []uint32) {
	bySite := map[uint32]ring{}
	for r, sd := range rings {
		if at := siteOfSeed[sd]; c.sites[at].Holder == r.owner {
			if other, ok := bySite[at]; !ok || r.class < other.class {
				bySite[at] = r
			}
		}
	}
	if len(bySite) == 0 {
		return
	}
	for at := range bySite {
		c.sites[at].Label, c.sites[at].Entries = AnyEntry, nil
	}
	for n, site := range c.siteOf {
		if site == 0 {
			continue
		}
		if r, ok := bySite[site-1]; ok && c.s.Type(heapsnap.Node(n)) == heapsnap.Object && c.s.ClassName(heapsnap.Node(n)) == r.class {
			g := c.sites[site-1]
			g.Entries = append(g.Entries, heapsnap.Node(n))
		}
	}
	for at := range bySite {
		c.sortEntries(c.sites[at].Entries)
	}
}

// linkedBothWays reports whether a link is in a ring or list that is linked both
// ways: others of its class refer to it, and yet none of them dominates it, but
// an old object of another class.
func (c *comparison) linkedBothWays(link, owner heapsnap.Node, class string) bool {
	s := c.s
	if s.Type(owner) != heapsnap.Object || c.cohort[owner] > 0 || s.ClassName(owner) == class || strings.HasPrefix(s.RawName(owner), "system / Context") {
		return false
	}
	// The owner has a link itself: what only happens to be reached over everything
	// else, as modules are from the global object, is nobody's ring.
	has := false
	for e := range s.Edges(owner) {
		if to := s.To(e); s.Type(to) == heapsnap.Object && s.ClassName(to) == class && s.Strong(owner, e) {
			has = true
			break
		}
	}
	if !has {
		return false
	}
	for from, e := range s.Retainers(link) {
		if from != link && s.Type(from) == heapsnap.Object && s.ClassName(from) == class && s.Strong(from, e) {
			return true
		}
	}
	return false
}

// linkOf returns the old link that a seed is about, and its class: the holder
// itself or, where the holder is a collection, the object that has it. NoNode
// means that the survivors are of another class.
func (c *comparison) linkOf(sd *seed) (heapsnap.Node, string) {
	s := c.s
	isLike := func(n heapsnap.Node) bool {
		class := s.ClassName(n)
		for _, r := range sd.refs {
			if s.Type(r.to) == heapsnap.Object && s.ClassName(r.to) == class {
				return true
			}
		}
		return false
	}
	if isLike(sd.holder) && s.ClassName(sd.holder) != "Array" {
		return sd.holder, s.ClassName(sd.holder)
	}
	switch s.RawName(sd.holder) {
	case "Array", "Map", "Set":
		if owner := c.owner(s.Dominator(sd.holder)); s.Type(owner) == heapsnap.Object && isLike(owner) {
			return owner, s.ClassName(owner)
		}
	}
	return heapsnap.NoNode, ""
}

// newSite makes a site of seeds. The holder comes first that has survivors of
// most rounds, then the one with most; a link of a list comes behind the list.
func (c *comparison) newSite(seeds []uint32) *GrowthSite {
	type holding struct {
		node  heapsnap.Node
		label string
		rank  uint8
		refs  int
		most  int // references under label
		link  int // 1 if it is a link among its like
		gaps  int // rounds of which it has no reference
		round []int
	}
	var all []*holding
	byNode := map[heapsnap.Node]*holding{}
	for _, i := range seeds {
		sd := &c.seeds[i]
		h := byNode[sd.holder]
		if h == nil {
			h = &holding{node: sd.holder, rank: sd.rank, round: make([]int, c.rounds)}
			byNode[sd.holder] = h
			all = append(all, h)
		}
		if len(sd.refs) > h.most {
			h.label, h.most = sd.label, len(sd.refs)
		}
		if sd.link {
			h.link = 1
		}
		h.rank = min(h.rank, sd.rank)
		h.refs += len(sd.refs)
		for _, r := range sd.refs {
			h.round[c.cohort[r.to]-1]++
		}
	}
	for _, h := range all {
		for _, n := range h.round {
			if n == 0 {
				h.gaps++
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *holding) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.link, b.link), cmp.Compare(a.gaps, b.gaps), cmp.Compare(b.refs, a.refs))
	})
	g := &GrowthSite{Holder: all[0].node, Label: all[0].label, root: all[0].rank != rankObject}
	for _, h := range all {
		if h.rank == all[0].rank {
			g.Holders = append(g.Holders, h.node)
		}
	}
	seen := map[heapsnap.Node]bool{}
	for _, i := range seeds {
		if c.seeds[i].holder != g.Holder {
			continue
		}
		for _, r := range c.seeds[i].refs {
			if !seen[r.to] {
				seen[r.to] = true
				g.Entries = append(g.Entries, r.to)
			}
		}
	}
	c.sortEntries(g.Entries)
	return g
}

func (c *comparison) sortEntries(entries []heapsnap.Node) {
	slices.SortStableFunc(entries, func(a, b heapsnap.Node) int { return cmp.Compare(c.cohort[a], c.cohort[b]) })
}

// collectionKey says in which collection n stands, itself or as part of an
// element: equal keys mean objects of the same role. Empty means none known.
func (c *comparison) collectionKey(n heapsnap.Node) string {
	const maxHops = 6
	s := c.s
	var b strings.Builder
	for range maxHops {
		above := s.Dominator(n)
		if above == s.Root() || s.Type(above) == heapsnap.Synthetic {
			return ""
		}
		fmt.Fprintf(&b, "%s<", s.ClassName(n))
		if isStorage(s, above) {
			return fmt.Sprintf("%s@%d", b.String(), s.ID(c.owner(above)))
		}
		label := ""
		for from, e := range s.Retainers(n) {
			if from != above || !s.Strong(from, e) {
				continue
			}
			switch s.EdgeType(e) {
			case heapsnap.ElementEdge:
				return fmt.Sprintf("%s@%d", b.String(), s.ID(above))
			case heapsnap.PropertyEdge, heapsnap.ContextEdge, heapsnap.InternalEdge:
				label = s.EdgeName(e)
			}
		}
		if label == "" {
			return ""
		}
		b.WriteString(label)
		n = above
	}
	return ""
}

// union is disjoint sets of small integers.
type union []uint32

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = uint32(i)
	}
	return u
}

func (u union) find(a uint32) uint32 {
	for u[a] != a {
		u[a] = u[u[a]]
		a = u[a]
	}
	return a
}

// join keeps the lower number as representative, so that results do not depend
// on the order of joins.
func (u union) join(a, b uint32) {
	a, b = u.find(a), u.find(b)
	u[max(a, b)] = min(a, b)
}

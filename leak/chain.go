package leak

import (
	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// chainOf returns the objects of a kind that keep each other alive in a row,
// deepest first, on the way to a survivor far down, and the property that
// leads from one to the next most often.
func (p *Pass) chainOf(g *diff.GrowthSite, like func(heapsnap.Node) bool) (chain []heapsnap.Node, label string) {
	const maxHops = 200_000
	n := p.deepest(g)
	if n == heapsnap.NoNode {
		return nil, ""
	}
	below := heapsnap.NoNode
	labels := map[string]int{}
	for hops := 0; hops < maxHops && n != p.s.Root() && p.d.Cohort(n) > 0; hops++ {
		if p.s.Type(n) == heapsnap.Object && like(n) {
			chain = append(chain, n)
		}
		if below != heapsnap.NoNode && like(n) && like(below) {
			for e := range p.s.Edges(n) {
				if p.s.To(e) == below && p.s.EdgeType(e) == heapsnap.PropertyEdge {
					labels[p.s.EdgeName(e)]++
				}
			}
		}
		below = n
		n = p.s.Dominator(n)
	}
	label = mostFrequent(labels)
	if labels[label] < minLinks {
		return chain, ""
	}
	return chain, label
}

// collection is what the rule cache says of holder, and the new values in it:
// where what is in a collection matters more, a rule begins with that.
func (p *Pass) collection(g *diff.GrowthSite, holder heapsnap.Node) (*claim, []heapsnap.Node) {
	c := explainCache(p, g, holder)
	if c == nil || g.Swelling {
		return nil, nil
	}
	kind, items := p.contents(holder)
	for _, other := range g.Holders {
		if other != holder && p.s.ClassName(other) == p.s.ClassName(holder) {
			if k, more := p.contents(other); k == kind {
				items = append(items, more...)
			}
		}
	}
	var values []heapsnap.Node
	for _, it := range items {
		if it.born > 0 && it.value != heapsnap.NoNode {
			values = append(values, it.value)
		}
	}
	return c, values
}

package diff

import (
	"cmp"
	"slices"

	"heapsnap/heapsnap"
)

// account gives every object that the first capture does not have to exactly
// one judgement, so that the parts add up, and sorts the sites.
func (c *comparison) account() {
	part := map[Judgement]*Amount{}
	for _, j := range []Judgement{Leak, Growth, Bounded, WarmUp, InFlight, Churn, Small, Suspect, More} {
		part[j] = &Amount{}
	}
	for i, fresh := range c.fresh {
		if !fresh && c.cohort[i] == 0 {
			continue
		}
		size := c.s.SelfSize(heapsnap.Node(i))
		c.d.Total.add(size)
		j := Churn
		if site := c.siteOf[i]; site != 0 {
			j = c.sites[site-1].Judgement
		}
		part[j].add(size)
	}
	// The storage that an old holder gained is new too, though it has no object
	// of its own to count.
	for _, g := range c.sites {
		if g.Swelling {
			bytes := g.Survivors().Bytes
			c.d.Total.Bytes += bytes
			part[g.Judgement].Bytes += bytes
		}
	}
	for j, a := range part {
		if *a != (Amount{}) {
			c.d.Parts[j] = *a
		}
	}
	order := make([]int, len(c.sites))
	for i := range order {
		order[i] = i
	}
	harm := func(j Judgement) int {
		switch j {
		case Leak, Suspect, More:
			return 0
		case Growth:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := c.sites[a], c.sites[b]
		held := func(g *GrowthSite) int { // what the program itself holds is told first
			if g.root {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(harm(x.Judgement), harm(y.Judgement)), cmp.Compare(held(x), held(y)),
			cmp.Compare(y.Survivors().Bytes, x.Survivors().Bytes), cmp.Compare(x.holderID, y.holderID))
	})
	// Shared survivors went to the larger site; what has none left is no site.
	order = slices.DeleteFunc(order, func(i int) bool { return c.sites[i].Survivors() == Amount{} })
	place := make([]uint32, len(c.sites)+1) // old site number -> new one, both + 1
	for to, from := range order {
		c.d.Sites = append(c.d.Sites, c.sites[from])
		place[from+1] = uint32(to + 1)
	}
	for n, site := range c.siteOf {
		c.siteOf[n] = place[site]
	}
	c.d.site = c.siteOf
}

// Rejudge gives a site another judgement, by somebody who knows its holder, and
// moves its part of the account.
func (d *Diff) Rejudge(g *GrowthSite, to Judgement, why string) {
	from, at := g.Judgement, slices.Index(d.Sites, g)
	if from == to || at < 0 {
		return
	}
	var moved Amount
	for n, site := range d.site {
		if int(site) == at+1 {
			moved.add(d.Last.SelfSize(heapsnap.Node(n)))
		}
	}
	if g.Swelling {
		moved.Bytes += g.Survivors().Bytes
	}
	old, now := d.Parts[from], d.Parts[to]
	d.Parts[from] = Amount{old.Count - moved.Count, old.Bytes - moved.Bytes}
	d.Parts[to] = Amount{now.Count + moved.Count, now.Bytes + moved.Bytes}
	g.Judgement, g.Confidence, g.Why = to, 0.9, why
}

// SiteOf returns the site that n is a survivor of, or nil.
func (d *Diff) SiteOf(n heapsnap.Node) *GrowthSite {
	if i := d.site[n]; i != 0 {
		return d.Sites[i-1]
	}
	return nil
}

package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"heapsnap/heapsnap"
)

// An array of numbers, a Map of small integers, the same listener added again
// and again: such a holder grows without a survivor, only its storage does.

const (
	// minSwelling is the shallow size from which a holder is looked at: a page.
	minSwelling = 4 << 10
	// maxSwelling is how many are looked up in the earlier captures; the
	// largest go first.
	maxSwelling = 256
	// swollen is how much larger storage must be than it was: V8 grows arrays
	// by half and tables by a factor of two, so less is no growth.
	swollen = 1.4
	// oneStep is what a single step of growth must bring to be worth a word.
	oneStep = 256 << 10
)

// newStorage returns the old objects whose storage is new, those with most of it
// first.
func (c *comparison) newStorage() []heapsnap.Node {
	known := map[heapsnap.Node]bool{}
	for _, g := range c.sites {
		if len(g.Entries) >= minEntries {
			for _, h := range g.Holders {
				known[h] = true
			}
		}
	}
	var holders []heapsnap.Node
	for i := range c.s.NodeCount() {
		n := heapsnap.Node(i)
		if c.s.Type(n) != heapsnap.Array || !c.fresh[n] || c.cohort[n] > 0 {
			continue
		}
		holder := c.owner(n)
		if known[holder] || c.s.Type(holder) != heapsnap.Object || c.fresh[holder] || c.s.SelfSize(holder) < minSwelling {
			continue
		}
		known[holder] = true
		if strings.HasPrefix(c.s.RawName(holder), "Weak") {
			continue // its entries live as long as others let them
		}
		holders = append(holders, holder)
	}
	slices.SortStableFunc(holders, func(a, b heapsnap.Node) int { return cmp.Compare(c.s.SelfSize(b), c.s.SelfSize(a)) })
	return holders[:min(len(holders), maxSwelling)]
}

// findSwelling adds sites for those of holders whose storage is larger from
// capture to capture, as fillings say of every one.
func (c *comparison) findSwelling(holders []heapsnap.Node, fillings []map[heapsnap.ObjectID]heapsnap.Filling) {
	for _, h := range holders {
		id := c.s.ID(h)
		g := &GrowthSite{
			Holder: h, Holders: []heapsnap.Node{h}, Label: AnyEntry, Swelling: true, holderID: id,
			Count: make([]int, c.rounds), Bytes: make([]uint64, c.rounds), Entry: make([]int, c.rounds),
		}
		first, last := fillings[0][id], fillings[c.rounds][id]
		if float64(last.Storage) < swollen*float64(first.Storage) || last.Storage < first.Storage+minSwelling {
			continue
		}
		for k := range c.rounds {
			before, after := fillings[k][id], fillings[k+1][id]
			g.Population = append(g.Population, before.References)
			g.Count[k] = max(0, after.References-before.References)
			if after.Storage > before.Storage {
				g.Bytes[k] = after.Storage - before.Storage
			}
		}
		g.Population = append(g.Population, last.References)
		c.sites = append(c.sites, g)
	}
}

// judgeSwelling decides by the references gained, round by round, and where
// there are none by the steps in which storage grew.
func judgeSwelling(g *GrowthSite) (Judgement, float64, string) {
	rounds := len(g.Count)
	if g.Text != nil {
		return Leak, 0.9, fmt.Sprintf("its text was %s bytes long: every round made it longer, and nothing shortened it", join(g.Text))
	}
	if lowest := slices.Min(g.Count); lowest >= minEntries && 2*lowest >= slices.Max(g.Count) {
		return Leak, 0.9, fmt.Sprintf("every round added about %d references, to objects that were there before", lowest)
	}
	steps, late := 0, false
	for k, b := range g.Bytes {
		if b > 0 {
			steps++
			late = late || k >= rounds/2
		}
	}
	grown := g.Survivors().Bytes
	switch {
	case !late:
		return WarmUp, 0.8, "its storage grew in the first rounds only"
	case steps >= 2:
		return Leak, 0.75, fmt.Sprintf("its storage grew in %d of %d rounds, by %d bytes, and never shrank", steps, rounds, grown)
	case grown >= oneStep:
		return Growth, 0.4, fmt.Sprintf("its storage grew by %d bytes in one step: more rounds would tell whether it goes on", grown)
	}
	return Small, 0.6, "its storage grew once"
}

package diff

import (
	"context"
	"fmt"

	"heapsnap/heapsnap"
)

// minEntries is how many survivors a holder must refer to itself before its
// population says anything about them: a list's head has few references
// however long the list is.
const minEntries = 8

// populations looks up, for sites that could be a leak or a cache still within
// its bound, how full their holders were in every capture.
func (c *comparison) populations(ctx context.Context, opts Options) error {
	if opts.Populations == nil || c.rounds < 2 {
		return nil
	}
	var ids []heapsnap.ObjectID
	var sites []*GrowthSite
	for _, g := range c.sites {
		if len(g.Entries) >= minEntries && 2*c.s.Population(g.Holder) >= len(g.Entries) && goesOn(g.Count) {
			ids = append(ids, g.holderID)
			sites = append(sites, g)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	for i := range c.rounds {
		found, err := opts.Populations(ctx, i, ids)
		if err != nil {
			return fmt.Errorf("capture %d: %w", i+1, err)
		}
		for _, g := range sites {
			g.Population = append(g.Population, found[g.holderID].References)
		}
	}
	for _, g := range sites {
		g.Population = append(g.Population, c.s.Population(g.Holder))
	}
	return nil
}

// goesOn reports whether the last two rounds added something.
func goesOn(perRound []int) bool {
	n := len(perRound)
	return perRound[n-1] > 0 && perRound[n-2] > 0
}

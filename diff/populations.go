package diff

import (
	"context"
	"fmt"
	"sync"

	"heapsnap/heapsnap"
)

// minEntries is how many survivors a holder must refer to itself before its
// population says anything about them: a list's head has few references
// however long the list is.
const minEntries = 8

// populations looks up how full holders were in every capture: those of sites
// that could be a leak or a cache still within its bound, and those of new
// storage. Every earlier file is read once more for all of them.
func (c *comparison) populations(ctx context.Context, opts Options) error {
	if opts.Populations == nil || c.rounds < 2 {
		return nil
	}
	var sites []*GrowthSite
	var holders []heapsnap.Node
	for _, g := range c.sites {
		if len(g.Entries) >= minEntries && 2*c.s.Population(g.Holder) >= len(g.Entries) && goesOn(g.Count) {
			sites = append(sites, g)
			holders = append(holders, g.Holder)
		}
	}
	renewed := c.newStorage()
	holders = append(holders, renewed...)
	if len(holders) == 0 {
		return nil
	}
	ids := make([]heapsnap.ObjectID, len(holders))
	for i, h := range holders {
		ids[i] = c.s.ID(h)
	}
	captures := c.rounds
	if len(renewed) > 0 { // of the last, references are at hand, but its storage's sizes went to the owners
		captures++
	}
	fillings := make([]map[heapsnap.ObjectID]heapsnap.Filling, captures)
	err := sideBySide(captures, func(i int) (err error) {
		asked := ids
		if i == c.rounds {
			asked = ids[len(sites):]
		}
		fillings[i], err = opts.Populations(ctx, i, asked)
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range sites {
		for _, found := range fillings[:c.rounds] {
			g.Population = append(g.Population, found[g.holderID].References)
		}
		g.Population = append(g.Population, c.s.Population(g.Holder))
	}
	c.findSwelling(renewed, fillings)
	return nil
}

// goesOn reports whether the last two rounds added something.
func goesOn(perRound []int) bool {
	n := len(perRound)
	return perRound[n-1] > 0 && perRound[n-2] > 0
}

// sideBySide calls read for the captures, two at a time: their memory counts.
// The error is that of the earliest.
func sideBySide(captures int, read func(capture int) error) error {
	var (
		errs  = make([]error, captures)
		reads sync.WaitGroup
		room  = make(chan struct{}, 2)
	)
	for i := range captures {
		room <- struct{}{}
		reads.Go(func() {
			errs[i] = read(i)
			<-room
		})
	}
	reads.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("capture %d: %w", i+1, err)
		}
	}
	return nil
}

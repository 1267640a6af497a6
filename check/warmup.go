package check

import (
	"context"

	"heapsnap/cdp"
)

const (
	// A round that adds less than this, or than this share of the heap, has
	// nothing more to warm up.
	warmBytes    = 32 << 10
	warmFraction = 0.002
	// warmSteady: a round that adds this share of what the one before it added is
	// no warm-up any more, which dies down, but growth to be looked into.
	warmSteady = 0.6
)

// warmUp runs rounds that are not measured, until the heap has settled. Between
// them the program is brought to rest as between the others.
func (r *run) warmUp(ctx context.Context) error {
	var used, added []int64
	note := func() error {
		if r.MaxWarmup <= r.Warmup {
			return nil // nobody asks
		}
		r.event(Event{Phase: Settling})
		settled, err := r.session.Settle(ctx, cdp.SettleOptions{MinPasses: 2, MaxPasses: r.Settle.MaxPasses, Pause: r.Settle.Pause})
		if err != nil {
			return err
		}
		used = append(used, int64(settled.HeapUsed))
		if n := len(used); n > 1 {
			added = append(added, used[n-1]-used[n-2])
		}
		return nil
	}
	if err := note(); err != nil {
		return err
	}
	for r.round < r.warmup {
		if err := r.oneRound(ctx); err != nil {
			return err
		}
		if err := note(); err != nil {
			return err
		}
		if r.round == r.warmup && r.round < r.MaxWarmup && !warm(added, used[len(used)-1]) {
			r.warmup++
		}
	}
	return nil
}

// warm reports whether the last round added what any further one will add.
// The round before it does not count if it is the first.
func warm(added []int64, heap int64) bool {
	n := len(added)
	last := added[n-1]
	if last <= max(warmBytes, int64(warmFraction*float64(heap))) {
		return true
	}
	return n > 2 && float64(last) >= warmSteady*float64(added[n-2])
}

package check

import (
	"context"
	"time"

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

// reading is what the target has, between two rounds.
type reading struct {
	heap, outside int64 // bytes: used by V8's heap, and held by it outside
	descriptors   cdp.Descriptors
}

// warmUp runs rounds that are not measured, until the heap has settled. Between
// them the program is brought to rest as between the others. If the size of a
// round is not given, it ends with the one that is right for this program.
func (r *run) warmUp(ctx context.Context) error {
	// Nobody asks what a round adds if the number of rounds and their size are given.
	asked := r.MaxWarmup > r.Warmup || r.units == 0
	var readings []reading
	var added []int64 // to the heap, by the rounds
	note := func() error {
		if !asked {
			return nil
		}
		r.event(Event{Phase: Settling})
		now, err := r.read(ctx)
		if err != nil {
			return err
		}
		if n := len(readings); n > 0 {
			added = append(added, now.heap-readings[n-1].heap)
		}
		readings = append(readings, now)
		return nil
	}
	if err := note(); err != nil {
		return err
	}
	sizing := r.units == 0
	var took time.Duration
	for r.round < r.warmup {
		started := time.Now()
		if err := r.oneRound(ctx); err != nil {
			return err
		}
		took = time.Since(started)
		if err := note(); err != nil {
			return err
		}
		if r.round == r.warmup && r.round < r.MaxWarmup && !warm(added, readings[len(readings)-1].heap) {
			r.warmup++
		}
	}
	if n := len(readings); sizing && r.units > 1 && n > 1 {
		r.units = resized(r.units, took, readings[n-2], readings[n-1], r.Rounds)
	}
	return nil
}

func (r *run) read(ctx context.Context) (reading, error) {
	settled, err := r.session.Settle(ctx, cdp.SettleOptions{MinPasses: 2, MaxPasses: r.Settle.MaxPasses, Pause: r.Settle.Pause})
	if err != nil {
		return reading{}, err
	}
	m, err := r.session.Memory(ctx)
	if err != nil {
		return reading{}, err
	}
	d, err := r.session.Descriptors(ctx)
	return reading{int64(settled.HeapUsed), int64(m.External), d}, err
}

// A round of many runs shows what one run leaves behind; one that leaves behind
// much more than can be overlooked only makes the program large and slow, and
// some programs never end: a text that is read whole, a server out of
// descriptors.
const (
	// plenty is enough to be seen; for it, a round is made no smaller than of
	// fewestUnits runs, as what it adds may be warm-up or a cache.
	plenty      = 256 << 10
	fewestUnits = 20
	// tooMuch times 27 rounds, with those of a second look, is what a program may
	// be asked to hold.
	tooMuch = 512 << 10
)

// resized is how many runs of the load a round should have, at most units: that
// was the number in the last round of warm-up, between two readings.
func resized(units int, took time.Duration, before, after reading, rounds int) int {
	fit := func(is, may int64) int {
		if is <= may {
			return units
		}
		return max(int(int64(units)*may/is), 1)
	}
	adds := after.heap - before.heap + max(after.outside-before.outside, 0)
	return min(
		max(fit(adds, plenty), min(units, fewestUnits)),
		fit(adds, tooMuch),
		// The load has become slower as the program grew, if that was too long.
		fit(took.Milliseconds(), 2*sizedTime.Milliseconds()),
		fit(int64(after.descriptors.Open-before.descriptors.Open), int64(max(mayOpen(after.descriptors, rounds), 1))),
	)
}

// mayOpen is how many descriptors a round may keep open: a second look repeats the
// rounds several times, and half of what is free stays free.
func mayOpen(d cdp.Descriptors, rounds int) int { return d.Free() / 2 / ((1 + repeatedMost) * rounds) }

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

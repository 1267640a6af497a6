package diff

import (
	"fmt"
	"slices"
)

// Thresholds of the judgement.
const (
	// minPerRound: one new object a round is a counter boxed anew or a lazily
	// made helper, two in every round are a habit. Clean programs drift below
	// 0.005 objects per unit of work.
	minPerRound = 2
	// minBytesPerRound makes a single object per round count: a large buffer.
	minBytesPerRound = 32 << 10
	// onePerRound: a single new entry in each round counts by what hangs on it. A
	// round of load does its work many times.
	onePerRound = 50
	// steady: a leak's poorest round has at least this share of its median.
	// The same load adds the same number; what differs is how much of the last
	// round is still being let go.
	steady = 0.5
	// fading: when later rounds add less than this share of the first, the
	// program is warming up.
	fading = 0.2
	// Uneven growth of this size is not passed over: it is no leak by the
	// measure of equal rounds, but nobody should hear "clean".
	unevenPerRound = 50
	unevenBytes    = 256 << 10
)

// judge decides what each site's growth means.
func (c *comparison) judge() {
	for _, g := range c.sites {
		if g.Swelling {
			g.Judgement, g.Confidence, g.Why = judgeSwelling(g)
			continue
		}
		g.Judgement, g.Confidence, g.Why = c.judgeSite(g)
	}
	c.classify()
}

func (c *comparison) judgeSite(g *GrowthSite) (Judgement, float64, string) {
	n := g.Count
	if !even(n) && even(g.Entry) {
		// What hangs on entries may come and go: the entries themselves stay.
		n = g.Entry
	}
	rounds := len(n)
	if g.Survivors().Count < minPerRound && g.Survivors().Bytes < minBytesPerRound {
		return Small, 1, "fewer objects than rounds"
	}
	if rounds == 1 && g.root {
		return InFlight, 0.5, "only V8's roots and native objects hold it: most likely work under way"
	}
	if rounds == 1 {
		return Growth, 0.5, "there is one round only: growth, but nobody can say whether it goes on"
	}
	if slices.Max(g.Entry) == 1 && slices.Min(g.Entry) == 1 && slices.Max(g.Count) < onePerRound && slices.Max(g.Bytes) < minBytesPerRound {
		return Small, 0.7, "each round added one entry: time does that, such as a window of the last minutes; work adds more"
	}
	lowest, highest := slices.Min(n), slices.Max(n)
	sorted := slices.Clone(n)
	slices.Sort(sorted)
	median := sorted[rounds/2]
	lastRound := n[rounds-1]
	early := n[:rounds-1]

	switch {
	case highest > 0 && slices.Max(early) == 0:
		return InFlight, 0.9, "only objects of the last round are alive: earlier rounds' were let go"
	case lastRound == 0 && rounds > 2 && n[rounds-2] == 0, lastRound == 0 && rounds == 2:
		return WarmUp, 0.9, "the last rounds added nothing"
	case float64(slices.Max(n[rounds/2:])) < fading*float64(slices.Max(n[:max(1, rounds/2)])):
		return WarmUp, 0.8, fmt.Sprintf("growth died down from %d objects in a round to %d", highest, lastRound)
	}
	if lowest < minPerRound {
		if lowest >= 1 && slices.Min(g.Bytes) >= minBytesPerRound {
			return leakOrBounded(g, median)
		}
		if from := rounds - lateRun(n); from > 0 && rounds-from >= 2 {
			if j, confidence, why, ok := c.startedLate(g, from); ok {
				return j, confidence, why
			}
		}
		if 5*n[0] >= 4*sum(n) {
			return WarmUp, 0.8, "nearly all of it was made in the first round"
		}
		if lowest == 0 && float64(sum(n[:rounds/2])) < fading*float64(sum(n)) {
			return Bounded, 0.8, "older rounds' objects were let go"
		}
		return Small, 0.8, "some rounds added next to nothing"
	}
	if !steadily(sorted) {
		if n[0] < n[rounds-1]/2 && !keptAll(g) {
			return Bounded, 0.6, fmt.Sprintf("of the first round %d objects are left, of the last %d: they are let go with time", n[0], lastRound)
		}
		if rounds >= 3 && keptAll(g) {
			return Leak, 0.75, fmt.Sprintf("every round added, between %d and %d objects, and none of them was let go", lowest, highest)
		}
		if lowest >= unevenPerRound || g.Survivors().Bytes >= unevenBytes {
			return Growth, 0.4, fmt.Sprintf("every round added, but between %d and %d objects: more rounds of equal work would tell", lowest, highest)
		}
		return Small, 0.6, fmt.Sprintf("rounds differ too much: %d to %d objects", lowest, highest)
	}
	return leakOrBounded(g, median)
}

// even reports whether all rounds added, and about the same.
func even(n []int) bool {
	if len(n) == 0 {
		return false
	}
	sorted := slices.Clone(n)
	slices.Sort(sorted)
	return sorted[0] >= minPerRound && steadily(sorted) && steady*float64(sorted[len(n)-1]) <= float64(sorted[len(n)/2])
}

// steadily reports whether the poorest of rounds, in order of what they added, has
// what a leak's has.
func steadily(sorted []int) bool { return float64(sorted[0]) >= steady*float64(sorted[len(sorted)/2]) }

// keptAll reports whether the holder is known to have gained in every round
// what is left of that round: nothing was let go, the rounds just differ. A
// Map gains two references by an entry whose key may be old.
func keptAll(g *GrowthSite) bool {
	if g.Population == nil {
		return false
	}
	for k, entries := range g.Entry {
		gained := g.Population[k+1] - g.Population[k]
		if 4*gained < 3*entries || 4*gained > 9*entries {
			return false
		}
	}
	return true
}

// lateRun is how many rounds at the end added something, each.
func lateRun(n []int) int {
	k := 0
	for k < len(n) && n[len(n)-1-k] >= minPerRound {
		k++
	}
	return k
}

// startedLate judges growth that began only in a round after the first: a leak
// that some work leads to, or a ring that keeps the last rounds. The holder's
// population tells the two apart; without it, nobody can.
//
// A holder that was itself made meanwhile has no past to look at: it may be the
// new generation of a cache that throws the old one away as a whole, Map and
// all. Then the heap as a whole gained less than this site has.
func (c *comparison) startedLate(g *GrowthSite, from int) (Judgement, float64, string, bool) {
	n := g.Count[from:]
	lowest := slices.Min(n)
	if 2*lowest < slices.Max(n) {
		return "", 0, "", false
	}
	if p := g.Population; p != nil {
		rounds := len(g.Count)
		gained, entries := p[rounds]-p[from], sum(g.Entry[from:])
		if 4*gained < 3*entries || p[rounds] <= p[rounds-1] {
			return Bounded, 0.9, fmt.Sprintf("the holder does not grow: %s references", join(p)), true
		}
		if !c.earlier[from].Has(g.holderID) {
			if net := c.s.NodeCount() - c.earlier[from].Count(); 2*net < sum(n) {
				return Bounded, 0.7, fmt.Sprintf("the holder is new, and takes the place of older objects: the heap has %+d since, this %+d", net, sum(n)), true
			}
			if len(n) < 3 {
				return Growth, 0.4, fmt.Sprintf("the holder was made in round %d: more rounds would tell a leak from a generation of a cache", from+1), true
			}
		}
		return Leak, 0.8, fmt.Sprintf("every round since round %d added about %d objects and none of them was let go", from+1, lowest), true
	}
	if len(n) >= 3 && (lowest >= unevenPerRound || g.Survivors().Bytes >= unevenBytes) {
		return Growth, 0.4, fmt.Sprintf("it began in round %d and goes on: more rounds would tell a leak from a list of the latest", from+1), true
	}
	return "", 0, "", false
}

// leakOrBounded tells a leak from a cache that only filled up: in the latter
// the holder itself stops growing.
func leakOrBounded(g *GrowthSite, median int) (Judgement, float64, string) {
	rounds := len(g.Count)
	if p := g.Population; p != nil {
		entries := sum(g.Entry)
		gained := p[rounds] - p[0]
		// The last half of the rounds tells: a bounded holder has come to its
		// bound, or not yet, but a leak gains in every round.
		from := rounds / 2
		lateGain := p[rounds] - p[from]
		lateEntries := sum(g.Entry[from:])
		switch {
		case 4*gained < entries:
			return Bounded, 0.95, fmt.Sprintf("the holder has as many references as before: %d, then %d", p[0], p[rounds])
		case 4*lateGain < lateEntries || p[rounds] <= p[rounds-1]:
			return Bounded, 0.9, fmt.Sprintf("the holder stopped growing: %s references", join(p))
		}
	}
	confidence := 1 - 1/float64(1+rounds*rounds) // 2 rounds 0.8, 3 0.9, 5 0.96
	if g.Population == nil {
		confidence -= 0.05
	}
	return Leak, confidence, fmt.Sprintf("every round added about %d objects and none of them was let go", median)
}

func sum(n []int) int {
	t := 0
	for _, v := range n {
		t += v
	}
	return t
}

func join[T int | uint64](n []T) string {
	s := ""
	for i, v := range n {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(v)
	}
	return s
}

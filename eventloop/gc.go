package eventloop

import (
	"cmp"
	"fmt"
)

var gcCause = Cause{
	Name:  "gc",
	Title: "Garbage collection stops the loop",
	Why: "Objects that are made in great number and live just long enough are copied again and again; and the closer the heap is " +
		"to its limit, the more often all of it is walked.",
	Sign: "At least half of the time of the blocks is the garbage collector's; or a fifth, where the line that makes the garbage does nothing else.",
	Fix: "Make fewer objects at a time: work on pages or streams, reuse buffers, keep numbers in typed arrays. A larger young " +
		"generation (node --max-semi-space-size=64) helps against many short collections. If the heap grows without end, it is a " +
		"leak: heapsnap check finds it.",
	Before: `const events = rows.map((r) => ({ ...r, at: new Date(r.at) })); // 150,000 a request`,
	After:  `const events = rows.slice(from, from + 50).map((r) => ({ ...r, at: new Date(r.at) }));`,
	Links:  []string{"https://nodejs.org/en/learn/diagnostics/memory/using-gc-traces"},
}

// gcDominates is the share of a block from which on its collections are the
// thing to tell; below, they are a cost of what makes the garbage.
const gcDominates = 0.5

// gcTells is the same where what makes the garbage does nothing else of note.
const gcTells = 0.2

// settleGC gives the collections' time to who made the garbage, or makes them
// the cause.
func (a *analysis) settleGC(b *Block, gc int64, by map[*claimTime]int64) {
	if gc == 0 {
		return
	}
	limit := gcDominates
	if a.allocates(b, by) {
		limit = gcTells
	}
	if float64(gc) < limit*float64(b.total) {
		for c, t := range by {
			c.us += t
		}
		return
	}
	// The site is where most was allocated: where most collections began.
	best := mostOf(by)
	c := newClaimTime()
	c.us = gc
	site := Site{Function: gcName}
	if best != nil {
		site = heaviestBy(best.lines, bySite)
		c.lines, c.leaves, c.in = best.lines, best.leaves, best.in
	} else {
		c.lines[site] = gc
	}
	b.claims[claimKey{&gcCause, site.key()}] = c
}

// mostOf is the claim with most of the time, nil of none: of equal ones the one
// with more of its own, and then the first by its line.
func mostOf(by map[*claimTime]int64) *claimTime {
	var best *claimTime
	for c, t := range by {
		if best == nil || cmp.Or(cmp.Compare(t, by[best]), cmp.Compare(c.us, best.us),
			bySite(heaviestBy(best.lines, bySite), heaviestBy(c.lines, bySite))) > 0 {
			best = c
		}
	}
	return best
}

// allocates reports whether most of the garbage is made by a line of plain
// JavaScript that makes objects: then it is that which takes the time, too.
func (a *analysis) allocates(b *Block, by map[*claimTime]int64) bool {
	maker := mostOf(by)
	for k, c := range b.claims {
		if c != maker || k.cause != &cpuCause || len(c.in) > 0 {
			continue // what a package does on the line is not on it
		}
		site := heaviestBy(c.lines, bySite)
		src := a.src.of(site.script)
		if src == nil {
			continue
		}
		from, to := src.OnLine(site.Line)
		for i := from; i < to; i++ {
			switch t := src.At(i); {
			case t == "new", t == "...":
				return true
			case t == "{" && (src.At(i-1) == "(" || src.At(i-1) == "=" || src.At(i-1) == "return" || src.At(i-1) == ","):
				return true
			case src.At(i-1) == "." && src.At(i+1) == "(" && (t == "push" || t == "split" || t == "map" || t == "concat" || t == "slice"):
				return true
			}
		}
	}
	return false
}

// collections says in a finding's evidence how many there were.
func (a *analysis) collections() []string {
	var minor, major int
	var longest int64
	for _, g := range a.main.thread.GCs {
		if g.Kind == "major" {
			major++
		} else {
			minor++
		}
		longest = max(longest, g.Duration)
	}
	if minor+major == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d minor and %d major collections in the recording, the longest pause %s", minor, major, round(us(longest)))}
}

package eventloop

import (
	"cmp"
	"slices"
	"time"
)

// Block is one uninterrupted stretch in which the loop did not turn.
type Block struct {
	Start    int64         // microseconds of the target's clock
	Duration time.Duration // that the thread was busy
	Wall     time.Duration
	CPU      time.Duration // -1: not known
	Starved  time.Duration // part of Duration without a core
	Cause    *Cause
	Detail   string
	Site     Site
	Stack    []Site // the heaviest, from the leaf up
	Requests []string
	GC       time.Duration
	claims   map[claimKey]*claimTime
	total    int64
}

// findBlocks makes blocks of the iterations that took too long.
func (a *analysis) findBlocks() {
	l := a.main
	for _, it := range l.iterations() {
		from, to := it.Start, it.Start+it.Duration
		busy := l.busy(from, to)
		if us(busy) < a.Threshold {
			continue
		}
		if l.exact && l.covered(from, to) < it.Duration*9/10 && us(busy) < partly*a.Threshold {
			continue // the profiler's own beginning is in it
		}
		b := a.block(l, it, busy)
		if it.CPU >= 0 {
			var kernel int64
			for k, c := range b.claims {
				if waitsInKernel(k.cause) {
					kernel += c.us
				}
			}
			starved := max(0, busy-it.CPU-kernel)
			if it.Wait != nil {
				// What neither ran nor waited for a core waited for events, and the profiler
				// was late to see it.
				if starved <= cpuTick {
					starved = 0
				}
				starved = max(starved, min(busy, *it.Wait))
			}
			b.CPU, b.Starved = us(it.CPU), us(starved)
			a.Starved += us(starved)
			if us(busy-starved) < a.Threshold {
				continue // the machine was late, not the program
			}
			b.scale(busy - starved) // what it would have taken with a core of its own
		}
		if a.longestCallback(it) < a.shortCallback() {
			continue
		}
		a.Blocks = append(a.Blocks, b)
		a.Threads[0].Blocks++
		a.Threads[0].Longest = max(a.Threads[0].Longest, b.Duration)
	}
}

// partly is how many thresholds long an iteration has to be that the profile has
// seen in part only.
const partly = 5

// cpuTick is how late the kernel's figure of a thread's CPU time may be: it is
// brought up to date when the thread stops running, and by the clock's tick.
const cpuTick = 10_000

// waitsInKernel are the causes whose time may pass without CPU.
func waitsInKernel(c *Cause) bool {
	switch c {
	case &childProcessCause, &syncFSCause, &consoleCause, &moduleCause:
		return true
	}
	return false
}

// shortCallback is what one callback may take: an iteration that is long because
// very many short callbacks were due is load and not a block.
func (a *analysis) shortCallback() int64 { return a.Threshold.Microseconds() / 5 }

// longestCallback is the longest part of an iteration between requests that
// begin or end in it: there another callback begins.
func (a *analysis) longestCallback(it Iteration) int64 {
	from, to := it.Start, it.Start+it.Duration
	cuts := []int64{from, to}
	for _, r := range a.rec.Requests {
		for _, at := range []int64{r.Start, r.Start + r.Duration} {
			if at > from && at < to {
				cuts = append(cuts, at)
			}
		}
	}
	slices.Sort(cuts)
	var longest int64
	for i := 1; i < len(cuts); i++ {
		longest = max(longest, a.main.busy(cuts[i-1], cuts[i]))
	}
	return longest
}

// scale makes the block's times add up to another total.
func (b *Block) scale(total int64) {
	by := float64(total) / float64(max(1, b.total))
	b.total, b.Duration = total, us(total)
	scaled := func(n int64) int64 { return int64(by * float64(n)) }
	b.GC = us(scaled(b.GC.Microseconds()))
	for _, c := range b.claims {
		c.us = scaled(c.us)
	}
}

// block explains one iteration.
func (a *analysis) block(l *ledger, it Iteration, busy int64) Block {
	b := Block{Start: it.Start, Duration: us(busy), Wall: us(it.Duration), CPU: -1, claims: map[claimKey]*claimTime{}, total: busy}
	first := true
	leaves := map[stackKey]int64{}
	var gc int64
	var last *claimTime // who made the garbage
	gcBy := map[*claimTime]int64{}
	l.between(it.Start, it.Start+it.Duration, func(s segment, t int64) {
		tree := l.trees[s.profile]
		if tree.idle(s.node) {
			return
		}
		if first {
			b.Start, first = max(s.from, it.Start), false
		}
		if tree.gc(s.node) {
			gc += t
			if last != nil {
				gcBy[last] += t
			}
			return
		}
		key := stackKey{s.profile, s.node}
		leaves[key] += t
		for _, p := range a.explain(l, key) {
			if p.cause == &nativeCause && last != nil && last.queue {
				last.us += int64(p.share * float64(t)) // the queue's own work
				continue
			}
			k := claimKey{p.cause, p.site.key()}
			c := b.claims[k]
			if c == nil {
				c = newClaimTime()
				c.queue = p.cause == &microtaskCause || p.cause == &nextTickCause || p.cause == &serialAwaitCause
				b.claims[k] = c
			}
			share := int64(p.share * float64(t))
			c.us += share
			c.lines[p.site] += share
			c.leaves[key] += share
			for _, m := range p.in {
				c.in[m] += share
			}
			if p.detail != "" {
				c.detail[p.detail] += share
			}
			if p.cause != &nativeCause || last == nil {
				last = c
			}
		}
	})
	b.GC = us(gc)
	a.settleGC(&b, gc, gcBy)
	a.foldCopies(&b)
	a.foldSending(&b)
	a.decide(l, &b)
	b.Requests = a.requestsIn(it.Start, it.Start+it.Duration)
	return b
}

// foldCopies: a function that searches a collection and copies what it finds
// copies because it searches, and the copy is the larger the more there is.
func (a *analysis) foldCopies(b *Block) {
	for k, scan := range b.claims {
		if k.cause != &scanCause {
			continue
		}
		for other, c := range b.claims {
			if other.cause == &jsonCause && other.functionKey == k.functionKey && c.detail[deepCopy]+c.detail["structuredClone"] > 0 {
				scan.us += c.us
				for d, t := range c.detail {
					scan.detail[d] += t
				}
				delete(b.claims, other)
			}
		}
	}
}

// foldSending: a function that makes a large text and sends it is long in sending
// because the text is large.
func (a *analysis) foldSending(b *Block) {
	for k, made := range b.claims {
		if k.cause != &jsonCause {
			continue
		}
		other := claimKey{&cpuCause, k.functionKey}
		if c := b.claims[other]; c != nil && 2*c.detail[sending] > c.us {
			made.us += c.us
			delete(b.claims, other)
		}
	}
}

// decide chooses the block's cause: the one with most time, and in it the
// function with most.
func (a *analysis) decide(l *ledger, b *Block) {
	byCause := map[*Cause]int64{}
	for k, c := range b.claims {
		byCause[k.cause] += c.us
	}
	order := func(x, y *Cause) int { return cmp.Compare(x.Name, y.Name) }
	// Native time without a frame is nobody's: it only counts alone.
	if len(byCause) > 1 {
		if known := b.total - byCause[&nativeCause]; known > b.total/3 {
			delete(byCause, &nativeCause)
		}
	}
	if len(byCause) == 0 {
		b.Cause, b.Site = &nativeCause, Site{Function: programName}
		return
	}
	b.Cause = heaviestBy(byCause, order)
	times := map[claimKey]int64{}
	for k, c := range b.claims {
		if k.cause == b.Cause {
			times[k] = c.us
		}
	}
	key := heaviestBy(times, func(x, y claimKey) int {
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.function, y.function), x.at.line-y.at.line, x.at.column-y.at.column)
	})
	c := b.claims[key]
	b.Site = heaviestBy(c.lines, bySite)
	b.Detail = heaviest(c.detail)
	leaf := heaviestBy(c.leaves, func(x, y stackKey) int { return cmp.Or(x.profile-y.profile, x.node-y.node) })
	b.Stack = a.stackOf(l, leaf)
}

// requestsIn lists the URLs that were served at a time.
func (a *analysis) requestsIn(from, to int64) []string {
	var urls []string
	for _, r := range a.rec.Requests {
		if r.Start < to && r.Start+r.Duration > from && r.URL != "" && !slices.Contains(urls, r.URL) {
			urls = append(urls, r.URL)
		}
	}
	return urls
}

package eventloop

import (
	"slices"
	"sort"
)

// A ledger is the iterations of one thread's loop with what the profile saw in
// each of them.
type ledger struct {
	thread   *Thread
	trees    []*callTree // of the thread's profiles
	segments []segment   // in order of time, without gaps inside a profile
	exact    bool        // iterations were recorded and not guessed
}

// segment is a time in which one stack was seen.
type segment struct {
	from, to int64
	profile  int
	node     int
}

// gapFactor is how many intervals without a sample mean that the thread could
// not be interrupted: it was in the kernel, or had no core.
const gapFactor = 5

func newLedger(t *Thread, interval int64) *ledger {
	l := &ledger{thread: t, exact: t.Turns > 0}
	for i, p := range t.Profiles {
		tree := newCallTree(p)
		l.trees = append(l.trees, tree)
		step := interval
		if step <= 0 {
			step = medianDelta(p)
		}
		at := p.StartTime
		for k, id := range p.Samples {
			at += max(0, p.TimeDeltas[k])
			end := p.EndTime
			node := tree.index[id]
			if k+1 < len(p.Samples) {
				end = at + max(0, p.TimeDeltas[k+1])
				if end-at > gapFactor*step {
					node = acrossGap(tree, node, tree.index[p.Samples[k+1]])
				}
			} else if end-at > gapFactor*step {
				end = at + step // the profiler's own end
			}
			if end > at {
				l.segments = append(l.segments, segment{at, end, i, node})
			}
		}
	}
	return l
}

func medianDelta(p *Profile) int64 {
	if len(p.TimeDeltas) == 0 {
		return 1000
	}
	sorted := slices.Clone(p.TimeDeltas)
	slices.Sort(sorted)
	return max(1, sorted[len(sorted)/2])
}

// acrossGap says where the thread was between two samples that are far apart:
// in a call that both stacks have, such as readFileSync, of which only the
// beginning and the end were seen.
func acrossGap(t *callTree, a, b int) int {
	switch {
	case t.idle(a) || t.gc(a):
		return a
	case t.meta(a) && !t.meta(b):
		return b
	case t.meta(b):
		return a
	}
	if c := t.ancestor(a, b); t.parent[c] >= 0 {
		return c
	}
	return a
}

// covered reports how much of a time the profiles have seen.
func (l *ledger) covered(from, to int64) int64 {
	var sum int64
	for _, p := range l.thread.Profiles {
		sum += max(0, min(to, p.EndTime)-max(from, p.StartTime))
	}
	return sum
}

// between calls f with every segment in a time, cut to it.
func (l *ledger) between(from, to int64, f func(s segment, us int64)) {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].to > from })
	for ; i < len(l.segments) && l.segments[i].from < to; i++ {
		s := l.segments[i]
		if us := min(s.to, to) - max(s.from, from); us > 0 {
			f(s, us)
		}
	}
}

func (l *ledger) idle(s segment) bool { return l.trees[s.profile].idle(s.node) }

// busy is how long the thread was not idle in a time.
func (l *ledger) busy(from, to int64) int64 {
	var sum int64
	l.between(from, to, func(s segment, us int64) {
		if !l.idle(s) {
			sum += us
		}
	})
	return sum
}

// iterations returns the turns of the loop that the profile saw. Without a
// trace they are guessed: a turn ends where the thread is idle, or where the
// stack begins with another function.
func (l *ledger) iterations() []Iteration {
	if l.exact {
		var seen []Iteration
		for _, it := range l.thread.Iterations {
			if l.covered(it.Start, it.Start+it.Duration) > 0 {
				seen = append(seen, it)
			}
		}
		return seen
	}
	var all []Iteration
	open, bottom := false, -1
	profile := -1
	for _, s := range l.segments {
		if l.idle(s) || s.profile != profile {
			open, bottom, profile = false, -1, s.profile
		}
		if l.idle(s) {
			continue
		}
		tree := l.trees[s.profile]
		b := -1
		if stack := tree.stack(s.node); len(stack) > 0 && !tree.meta(stack[len(stack)-1]) {
			b = stack[len(stack)-1]
		}
		if open && b >= 0 && bottom >= 0 && b != bottom {
			open = false
		}
		if b >= 0 {
			bottom = b
		}
		if !open {
			all = append(all, Iteration{Start: s.from, CPU: -1})
			open = true
		}
		last := &all[len(all)-1]
		last.Duration = s.to - last.Start
	}
	return all
}

package diff

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"heapsnap/heapsnap"
)

// Captures of two processes have no objects in common. What they have in common
// is roles (see pathTree): a Map "sessions" in app.js with 40 entries in one,
// and 9,000 in the other. Across takes what the second has more of for born in
// a round between the two, and from there on all is as in a series.

const (
	// more: a role grew when it has this many times the objects of the other
	// capture, and minMore of them more. Two runs of one program differ by less:
	// connections, timers and lazily made functions come and go by tens.
	more    = 1.5
	minMore = 40
	// A role whose objects retain this much more counts however few they are.
	moreBytes = 1 << 20
)

// Across finds what last has more of than first, a capture of another process,
// build or machine. Sites are [Growth], most bytes first: two captures cannot
// tell whether it goes on. usual is as in [AloneOptions].
func Across(ctx context.Context, first, last *heapsnap.Snapshot, usual func(holder heapsnap.Node, entries []heapsnap.Node) bool) (*Diff, error) {
	if usual == nil {
		usual = func(heapsnap.Node, []heapsnap.Node) bool { return false }
	}
	names := newNameTable()
	before := newPathTree(first, names)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	t := newPathTree(last, names)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	c := newComparison(last, nil, 1)
	match := t.match(before)
	had, gave := before.retained(), t.retained()

	// Of a role that grew as many are new as it has more. Which, nobody can
	// say: the last that V8 wrote.
	members := map[uint32][]heapsnap.Node{}
	for at := 1; at < len(t.roles); at++ {
		n, m := 0, uint64(0)
		if other := match[at]; other != 0 {
			n, m = before.roles[other].count, had[other]
		}
		r := t.roles[at]
		if r.count >= n+minMore && float64(r.count) >= more*float64(n) ||
			r.count > n && gave[at] >= m+moreBytes && float64(gave[at]) >= more*float64(m) {
			members[uint32(at)] = nil
		}
	}
	for i := range last.NodeCount() {
		n := heapsnap.Node(i)
		if _, grew := members[t.of[n]]; grew && !isStorage(last, n) {
			members[t.of[n]] = append(members[t.of[n]], n)
		}
	}
	holds := make([]bool, last.NodeCount()) // of what grew
	var all []*crowd
	for at, nodes := range members {
		n := 0
		if other := match[at]; other != 0 {
			n = before.roles[other].count
		}
		k := &crowd{holder: t.anchor[nodes[len(nodes)-1]], role: at, entries: nodes[min(n, len(nodes)-1):]}
		k.links = t.of[k.holder] == at
		if !usual(k.holder, k.entries) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *crowd) int { return cmp.Compare(a.role, b.role) })
	var nodes []heapsnap.Node
	for _, k := range all {
		for _, n := range k.entries {
			if !holds[n] {
				nodes = append(nodes, n)
			}
		}
		if class := last.RawName(k.holder); k.links && (last.Type(k.holder) != heapsnap.Object || generic(class) && !asynchronous(class)) {
			nodes = append(nodes, t.head(k))
		}
	}
	c.bornIn(nodes)
	c.findFrontier()
	c.spread()
	c.group()
	c.count()
	for _, g := range c.sites {
		g.Judgement, g.Confidence = Growth, 0.6
		g.Why = fmt.Sprintf("the first snapshot, of another process, has %d objects less of this role", g.Survivors().Count)
		if g.Survivors().Count < minMore && g.Survivors().Bytes < moreBytes {
			g.Judgement, g.Confidence, g.Why = Small, 0.6, "a few more than in the other process"
		}
	}
	c.classify()
	c.account()
	return c.d, nil
}

// match returns for every role of t the role of other that is reached alike, 0
// for none. Roles stand behind their parents.
func (t *pathTree) match(other *pathTree) []uint32 {
	match := make([]uint32, len(t.roles))
	for at := 1; at < len(t.roles); at++ {
		r := t.roles[at]
		if r.parent != 0 && match[r.parent] == 0 {
			continue
		}
		match[at] = other.index[roleKey{match[r.parent], r.label, r.kind}]
	}
	return match
}

// retained sums up per role what its objects and all below them take.
func (t *pathTree) retained() []uint64 {
	all := make([]uint64, len(t.roles))
	for at := len(t.roles) - 1; at > 0; at-- {
		all[at] += t.roles[at].bytes
		all[t.roles[at].parent] += all[at]
	}
	return all
}

package diff

import (
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
	// times: a role grew when it has this many times the objects of the other
	// capture, and minMore of them more. Two runs of one program differ by less:
	// connections, timers and lazily made functions come and go by tens.
	times   = 1.5
	minMore = 40
	// minCostly is minMore of objects of a costly class: threads, processes.
	minCostly = 5
	// A role whose objects retain this much more counts however few they are.
	moreBytes = 256 << 10
)

// AcrossOptions are what [Across] may be told. The zero value works.
type AcrossOptions struct {
	// Usual is as in [AloneOptions].
	Usual func(holder heapsnap.Node, entries []heapsnap.Node) bool
	// Costly reports whether objects of a class count from minCostly on: each
	// costs more than it has in the heap. Nil is none.
	Costly func(class string) bool
}

// Across finds what last has more of than first, a capture of another process,
// build or machine. Sites are [More], most bytes first; Diff.Captures is 2.
func Across(ctx context.Context, first, last *heapsnap.Snapshot, opts AcrossOptions) (*Diff, error) {
	if opts.Usual == nil {
		opts.Usual = func(heapsnap.Node, []heapsnap.Node) bool { return false }
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
	p := pair{last: t, before: before, match: t.match(before), had: before.retained(), gave: t.retained(), costly: opts.Costly}
	p.had[0] = 0 // what has no match had nothing
	all := slices.DeleteFunc(p.surplus(), func(k *crowd) bool { return opts.Usual(k.holder, k.entries) })
	var nodes []heapsnap.Node
	for _, k := range all {
		nodes = append(nodes, k.entries...)
		if class := last.RawName(k.holder); k.links && (last.Type(k.holder) != heapsnap.Object || generic(class) && !asynchronous(class)) {
			nodes = append(nodes, t.head(k))
		}
	}
	c := newComparison(last, nil, 1)
	c.bornIn(nodes)
	c.findFrontier()
	c.spread()
	c.group()
	c.count()
	main, counts := c.mainRoles(all)
	for i, g := range c.sites {
		g.Judgement, g.Confidence = More, 0.6
		at, least := main[i], minMore
		if at != 0 {
			least = p.least(at)
			g.Why = fmt.Sprintf("the second snapshot has %d objects that are reached in this way, the first %d", t.roles[at].count, p.role(at).count)
		}
		if counts[i] < least && g.Survivors().Bytes < moreBytes {
			g.Judgement, g.Why = Small, "a few more than in the other process"
		}
	}
	c.classify()
	c.account()
	return c.d, nil
}

// A pair is the captures of two processes.
type pair struct {
	last, before *pathTree
	match        []uint32 // role of last -> that of before that is reached alike, 0 for none
	had, gave    []uint64 // role of before, of last -> what its objects retain
	costly       func(class string) bool
}

// role is what before has of a role of last, nothing where it has none.
func (p *pair) role(at uint32) role { return p.before.roles[p.match[at]] }

// gained is how much more the objects of a role retain.
func (p *pair) gained(at uint32) uint64 {
	return p.gave[at] - min(p.gave[at], p.had[p.match[at]])
}

// least is how many more objects of a role are some more.
func (p *pair) least(at uint32) int {
	if p.costly != nil && p.costly(p.last.names.text[p.last.roles[at].kind]) {
		return minCostly
	}
	return minMore
}

// surplus returns the topmost roles that last has more of, in order of roles,
// each as the crowd of the objects that it has more. Which those are nobody can
// say: the last that V8 wrote.
func (p *pair) surplus() []*crowd {
	t := p.last
	stars := t.stars()
	byCount := make([]bool, len(t.roles))
	byBytes := make([]bool, len(t.roles))
	above := make([]uint32, len(t.roles)) // role -> the nearest around it that grew by count
	below := make([]uint64, len(t.roles)) // role -> what such roles inside of it gained
	for i := 1; i < len(t.roles); i++ {
		at := uint32(i)
		r, before := t.roles[at], p.role(at)
		above[at] = above[r.parent]
		if byCount[r.parent] {
			above[at] = r.parent
		}
		due := float64(before.count)
		if a := above[at]; a != 0 {
			// Of a thousand sessions more each has its records: they are no
			// more than they should be. One of a kind in each is no more, either.
			had := p.role(a).count
			if had == 0 {
				continue
			}
			due = max(due*float64(t.roles[a].count)/float64(had), float64(t.roles[a].count))
		}
		byCount[at] = !stars[at] && float64(r.count) >= due+float64(p.least(at)) && float64(r.count) >= times*due
		byBytes[at] = above[at] == 0 && p.gained(at) >= moreBytes && float64(p.gave[at]) >= times*float64(p.had[p.match[at]])
	}
	for i := len(t.roles) - 1; i > 0; i-- {
		// A list, say, that the other process had no use for yet is one object
		// more, and it is what the list has that is many: the innermost counts.
		at := uint32(i)
		byBytes[at] = byBytes[at] && !byCount[at] && float64(below[at]) < accumulates*float64(p.gained(at))
		parent := t.roles[at].parent
		if t.names.text[t.roles[at].kind] == stringKind && t.roles[parent].kind == t.roles[at].kind {
			byBytes[at] = false // of text that was put together
			continue
		}
		if byCount[at] || byBytes[at] {
			below[parent] += p.gained(at)
		} else {
			below[parent] += below[at]
		}
	}

	members := make([][]heapsnap.Node, len(t.roles))
	for i := range t.s.NodeCount() {
		n := heapsnap.Node(i)
		at := t.of[n]
		if !byCount[at] && !byBytes[at] || isStorage(t.s, n) {
			continue
		}
		if linked(t.roles[at]) && t.of[t.anchor[n]] != at {
			continue // where links begin
		}
		members[at] = append(members[at], n)
	}
	var all []*crowd
	for at, nodes := range members {
		if len(nodes) == 0 {
			continue
		}
		before := p.role(uint32(at))
		k := &crowd{role: uint32(at), holder: t.anchor[nodes[len(nodes)-1]], links: linked(t.roles[at])}
		old := before.count
		if k.links {
			old = before.links
		}
		k.entries = nodes[min(old, len(nodes)-1):]
		all = append(all, k)
	}
	return all
}

// linked reports whether the objects of a role are a list, or lists, rather
// than objects of which some refer to another.
func linked(r role) bool { return 2*r.links > r.count }

// stars returns which roles are of promises that wait for one: no chain, though
// each of them has one to give. See isStar.
func (t *pathTree) stars() []bool {
	stars := make([]bool, len(t.roles))
	links := map[uint32]*crowd{} // role -> those of its first list
	for i := range t.s.NodeCount() {
		n := heapsnap.Node(i)
		at := t.of[n]
		if !linked(t.roles[at]) || !asynchronous(t.names.text[t.roles[at].kind]) || isStorage(t.s, n) || t.of[t.anchor[n]] != at {
			continue
		}
		k := links[at]
		if k == nil {
			k = &crowd{role: at, holder: t.anchor[n]}
			links[at] = k
		}
		if t.anchor[n] == k.holder {
			k.entries = append(k.entries, n)
		}
	}
	for at, k := range links {
		stars[at] = t.isStar(k)
	}
	return stars
}

// mainRoles returns for every site the role that most of its survivors are of,
// 0 where no crowd has any, and how many of the crowd are in the site.
func (c *comparison) mainRoles(all []*crowd) (roles []uint32, most []int) {
	roles, most = make([]uint32, len(c.sites)), make([]int, len(c.sites))
	for _, k := range all {
		count := map[uint32]int{}
		for _, n := range k.entries {
			if site := c.siteOf[n]; site != 0 {
				count[site]++
			}
		}
		for site, n := range count {
			if n > most[site-1] {
				roles[site-1], most[site-1] = k.role, n
			}
		}
	}
	return roles, most
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

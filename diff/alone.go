package diff

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"heapsnap/heapsnap"
)

// One capture has no births. What it has is crowds: hundreds of objects of one
// role (see pathTree) under one holder, or one object that retains a good part
// of the heap. Alone takes what such holders hold for born in a round 1 that
// never was, and all else for older: holders, ways, sites and rules then mean
// the same as in a series.

// AloneOptions are what [Alone] may be told. The zero value works.
type AloneOptions struct {
	// Usual reports whether a crowd belongs to the runtime or is otherwise
	// nobody's fault; it is then passed over. A crowd has some entries, a giant
	// none. Nil is never.
	Usual func(holder heapsnap.Node, entries []heapsnap.Node) bool
}

const (
	// minCrowd is how many objects of one role under one holder are looked at:
	// fewer are told only when they are large.
	minCrowd = 10
	// giantShare is the part of the heap from which one object is a giant, and
	// accumulates the part of it below which no single child holds all it has:
	// the holder that a person can do something about.
	giantShare  = 0.1
	leastGiant  = 1 << 20 // in a heap of a few MiB a tenth is nothing
	accumulates = 0.7
	// meshed: that many times as many objects as the holder refers to hang on
	// each other.
	meshed = 10
	// outlier: an entry this many times as large as the middle one is no
	// example of its crowd but holds a crowd of its own.
	outlier = 10
)

// A crowd is objects of one role under one holder.
type crowd struct {
	holder  heapsnap.Node
	role    uint32
	entries []heapsnap.Node
	bytes   uint64        // that they retain
	links   bool          // of a structure; holder is the first
	head    heapsnap.Node // where links begin, see pathTree.head
	around  *crowd        // the one that holder is part of, nil without
	drop    bool
}

// Alone finds what holds the heap of a single capture. Its sites are
// [Suspect], most bytes first; Diff.Captures is 2, as rules count what would
// be a round.
func Alone(ctx context.Context, s *heapsnap.Snapshot, opts AloneOptions) (*Diff, error) {
	if opts.Usual == nil {
		opts.Usual = func(heapsnap.Node, []heapsnap.Node) bool { return false }
	}
	c := newComparison(s, nil, 1)
	t := newPathTree(s, newNameTable())
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	all := t.crowds()
	all = slices.DeleteFunc(all, func(k *crowd) bool { return opts.Usual(k.holder, k.entries) })
	t.nest(all)
	c.bornIn(t.marked(all))
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	c.findFrontier()
	c.spread()
	c.group()
	c.count()
	c.findMeshes(all, opts.Usual)
	c.findGiants(t, opts.Usual)
	for _, g := range c.sites {
		g.Judgement = Suspect
		share := float64(g.Survivors().Bytes) / float64(max(1, s.TotalSize()))
		g.Why = fmt.Sprintf("it holds %s of the heap", percent(share))
		g.Confidence = math.Round(100*(0.3+0.4*math.Sqrt(min(1, share)))) / 100
	}
	c.classify()
	c.account()
	return c.d, nil
}

func percent(share float64) string {
	if share < 0.01 {
		return fmt.Sprintf("%.1f %%", 100*share)
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// crowds returns all of them, in file order of holders.
func (t *pathTree) crowds() []*crowd {
	s := t.s
	// Objects by role and holder: sorted, so that it takes 8 bytes per object.
	var keys []uint64
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		if at := t.of[n]; at != 0 && t.roles[at].count >= minCrowd && !isStorage(s, n) {
			keys = append(keys, uint64(at)<<32|uint64(t.anchor[n]))
		}
	}
	slices.Sort(keys)
	byKey := map[uint64]*crowd{}
	for i := 0; i < len(keys); {
		end := i + 1
		for end < len(keys) && keys[end] == keys[i] {
			end++
		}
		if end-i >= minCrowd {
			byKey[keys[i]] = &crowd{holder: heapsnap.Node(keys[i] & math.MaxUint32), role: uint32(keys[i] >> 32), entries: make([]heapsnap.Node, 0, end-i)}
		}
		i = end
	}
	var all []*crowd
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		k := byKey[uint64(t.of[n])<<32|uint64(t.anchor[n])]
		if k == nil || isStorage(s, n) {
			continue
		}
		if len(k.entries) == 0 {
			all = append(all, k)
		}
		k.entries = append(k.entries, n)
		k.bytes += s.RetainedSize(n)
	}
	for _, k := range all {
		if t.of[k.holder] == k.role { // links retain each other
			k.links = true
			k.bytes = s.RetainedSize(k.holder)
		}
	}
	return slices.DeleteFunc(all, func(k *crowd) bool {
		return k.links && asynchronous(t.s.RawName(k.holder)) && t.isStar(k)
	})
}

// nest drops crowds inside of entries of others: each of a thousand sessions
// has fifty records, and it is the sessions that are many. A larger crowd in
// each entry is the better answer, and so is one in an entry that is much
// larger than others.
func (t *pathTree) nest(all []*crowd) {
	s := t.s
	entryOf := make([]uint32, s.NodeCount()) // node -> crowd + 1 that it is an entry of, or the first link
	holders := map[heapsnap.Node][]uint32{}
	for i, k := range all {
		for _, n := range k.entries {
			entryOf[n] = uint32(i) + 1
		}
		if k.links {
			k.head = t.head(k)
			entryOf[k.holder], entryOf[k.head] = uint32(i)+1, uint32(i)+1
		}
		holders[k.holder] = append(holders[k.holder], uint32(i))
	}
	for _, n := range s.DominatorOrder() { // entryOf becomes: crowd + 1 that node is part of
		if n != s.Root() && entryOf[n] == 0 {
			entryOf[n] = entryOf[s.Dominator(n)]
		}
		for _, i := range holders[n] {
			w := entryOf[n]
			if w == i+1 && n != s.Root() {
				w = entryOf[s.Dominator(n)] // the first link is part of its own list
			}
			if w != 0 && w != i+1 {
				all[i].around = all[w-1]
			}
		}
	}
	for _, k := range all {
		o := k.around
		if o == nil || len(k.entries) > len(o.entries) {
			continue
		}
		mean := o.bytes / uint64(len(o.entries))
		if o.links || k.bytes < outlier*mean {
			k.drop = true
		}
	}
}

// marked returns the entries of crowds that count, without those that hold
// such a crowd themselves.
func (t *pathTree) marked(all []*crowd) []heapsnap.Node {
	s := t.s
	holds := make([]uint32, s.NodeCount()) // node -> crowds whose holder it dominates
	for _, k := range all {
		if k.drop {
			continue
		}
		holds[k.holder]++
	}
	order := s.DominatorOrder()
	for i := len(order) - 1; i > 0; i-- {
		holds[s.Dominator(order[i])] += holds[order[i]]
	}
	var nodes []heapsnap.Node
	for _, k := range all {
		if k.drop {
			continue
		}
		for _, n := range k.entries {
			if holds[n] == 0 {
				nodes = append(nodes, n)
			}
		}
		// A list of the program's class is known by its first link. Functions
		// and plain objects have no name of their own: their list is known by
		// what leads to it.
		if class := s.RawName(k.holder); k.links && (s.Type(k.holder) != heapsnap.Object || generic(class) && !asynchronous(class)) {
			if holds[k.head] <= 1 {
				nodes = append(nodes, k.head)
			}
		}
	}
	return nodes
}

// head returns where a list of functions or plain objects begins: its newest
// or oldest link hangs on a variable of another name than that which leads
// from link to link, and may be the function in an object, say, where each link
// is such a pair.
func (t *pathTree) head(k *crowd) heapsnap.Node {
	head := k.holder
	kind := t.roles[k.role].kind
	above := t.ownerOf(head)
	for range maxLink {
		if above != t.s.Root() && t.kind(above) == kind {
			head = above
			break
		}
		above = t.ownerOf(above)
	}
	for link, n := head, t.ownerOf(k.entries[0]); t.of[n] != k.role; n = t.ownerOf(n) {
		link = t.ownerOf(link)
		if k := t.kind(link); k != t.kind(n) || link == t.s.Root() || t.names.text[k] == "system / Context" {
			break
		}
		head = link
	}
	return head
}

// bornIn gives the first round to nodes and to all that nothing else keeps.
func (c *comparison) bornIn(nodes []heapsnap.Node) {
	s := c.s
	c.cohort = make([]uint8, s.NodeCount())
	c.fresh = make([]bool, s.NodeCount())
	c.d.cohort = c.cohort
	marked := make([]bool, s.NodeCount())
	for _, n := range nodes {
		marked[n] = true
	}
	// What only weak references lead to lives for reasons that are not in the
	// file; it is nobody's.
	alive := reach(s, nil)
	old := reach(s, marked)
	for i := range alive {
		if alive[i] && !old[i] {
			c.cohort[i], c.fresh[i] = 1, true
		}
	}
}

// reach walks strong references from the root, around the nodes in not.
func reach(s *heapsnap.Snapshot, not []bool) []bool {
	seen := make([]bool, s.NodeCount())
	seen[s.Root()] = true
	work := []heapsnap.Node{s.Root()}
	for len(work) > 0 {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			to := s.To(e)
			if seen[to] || not != nil && not[to] || !s.Strong(n, e) && n != s.Root() {
				continue // all that the root refers to lives, shortcuts to user roots included
			}
			seen[to] = true
			work = append(work, to)
		}
	}
	return seen
}

// findMeshes gives crowds whose objects refer to each other in all directions,
// so that few of them are held from outside, to the object that dominates
// them: it is what has to go for them to be freed. What belongs to the runtime
// is no answer, and neither is a holder of many better than they are.
func (c *comparison) findMeshes(all []*crowd, usual func(heapsnap.Node, []heapsnap.Node) bool) {
	largest := map[*GrowthSite]*crowd{}
	for _, k := range all {
		if k.drop || k.links {
			continue
		}
		for _, n := range k.entries {
			if at := c.siteOf[n]; at != 0 {
				g := c.sites[at-1]
				if old := largest[g]; old == nil || old.bytes < k.bytes {
					largest[g] = k
				}
				break
			}
		}
	}
	for g, k := range largest {
		if len(g.Entries)*meshed > len(k.entries) || slices.Contains(g.Holders, k.holder) || c.cohort[k.holder] > 0 || usual(k.holder, nil) {
			continue
		}
		g.Holder, g.Holders, g.Label, g.holderID = k.holder, []heapsnap.Node{k.holder}, AnyEntry, c.s.ID(k.holder)
		g.Entries = k.entries
		c.countEntries(g)
	}
}

// findGiants adds a site for what retains a good part of the heap and is in no
// crowd: the objects below which it does not narrow down to a single child.
func (c *comparison) findGiants(t *pathTree, usual func(heapsnap.Node, []heapsnap.Node) bool) {
	s := c.s
	least := max(leastGiant, uint64(giantShare*float64(s.TotalSize())))
	told := make([]uint64, s.NodeCount()) // node -> bytes below it that are in sites
	largest := make([]uint64, s.NodeCount())
	order := s.DominatorOrder()
	for i := len(order) - 1; i > 0; i-- {
		n := order[i]
		if c.siteOf[n] != 0 {
			told[n] += s.SelfSize(n)
		}
		owner := t.ownerOf(n)
		told[owner] += told[n]
		if !isStorage(s, n) {
			largest[owner] = max(largest[owner], s.RetainedSize(n))
		}
	}
	var giants []heapsnap.Node
	for _, n := range order {
		held := s.RetainedSize(n)
		if isStorage(s, n) || c.cohort[n] > 0 || held < least || held-min(held, told[n]) < least {
			continue
		}
		if float64(largest[n]) >= accumulates*float64(held) || usual(n, nil) {
			continue
		}
		giants = append(giants, n)
	}
	// The innermost goes first: what holds a giant is one only by what else it holds.
	for i := len(giants) - 1; i >= 0; i-- {
		n := giants[i]
		if 2*s.SelfSize(n) >= s.RetainedSize(n) && slices.Contains(giants, t.ownerOf(n)) {
			continue // one of several that its owner has
		}
		g := &GrowthSite{Holder: n, Holders: []heapsnap.Node{n}, Label: AnyEntry, holderID: s.ID(n), Count: []int{0}, Bytes: []uint64{0}}
		var rest []heapsnap.Node // of what it dominates
		stack := []heapsnap.Node{n}
		for len(stack) > 0 {
			from := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for to := range s.Dominated(from) {
				if c.siteOf[to] == 0 {
					rest = append(rest, to)
					g.Bytes[0] += s.SelfSize(to)
				}
				stack = append(stack, to)
			}
		}
		own := s.SelfSize(n)
		if g.Bytes[0]+own < least {
			continue
		}
		for _, to := range rest {
			c.siteOf[to] = uint32(len(c.sites) + 1)
			c.cohort[to], c.fresh[to] = 1, true
			if !isStorage(s, to) {
				g.Count[0]++
			}
		}
		if own > g.Bytes[0] {
			g.Swelling = true
			g.Bytes[0] += own
		}
		g.Entries = c.entriesOf(n)
		slices.SortStableFunc(g.Entries, func(a, b heapsnap.Node) int { return cmp.Compare(s.RetainedSize(b), s.RetainedSize(a)) })
		c.countEntries(g)
		c.sites = append(c.sites, g)
	}
}

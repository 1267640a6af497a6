package diff

import (
	"cmp"
	"slices"
	"strings"

	"heapsnap/heapsnap"
)

// A reference leads from an old object, itself or through its storage, to a
// survivor.
type reference struct {
	owner heapsnap.Node
	to    heapsnap.Node
	edge  heapsnap.Edge // the last hop
	rank  uint8         // see rankOf
}

// A seed is what may become a growth site: an old object and one label of its
// references to survivors.
type seed struct {
	holder heapsnap.Node
	label  string
	refs   []reference
	rank   uint8
	link   bool // holder and survivors are links of one structure, see climbLinks

	rounds, first int // how many rounds' survivors refs lead to, and the first of them
}

// How good an owner is as an answer. Tables that V8 or Node keep of nearly
// everything reach an object too, but are never why it lives, unless nothing
// else is.
const (
	rankObject   = 0 // an object of the program or of Node's JavaScript
	rankFunction = 1 // code and feedback of a function: caches of V8
	rankRoot     = 2 // native objects and V8's roots
	rankCount    = 3
)

// AnyEntry is the label of references that are one of many: elements, entries,
// list hops.
const AnyEntry = "[x]"

// maxNames is how many different property names a holder may use for
// references to survivors before they count as keys of a dictionary.
const maxNames = 8

// findFrontier collects the references from old objects to survivors and
// groups them by holder and label.
func (c *comparison) findFrontier() {
	s := c.s
	for i := range s.NodeCount() {
		from := heapsnap.Node(i)
		if c.cohort[from] > 0 {
			continue
		}
		first, end := s.EdgeRange(from)
		for e := first; e < end; e++ {
			to := s.To(e)
			if c.cohort[to] == 0 || isStorage(s, to) || !s.Strong(from, e) || s.Type(from) == heapsnap.Synthetic && ofConsole(s, e) {
				continue
			}
			owner := c.owner(from)
			c.frontier = append(c.frontier, reference{owner, to, e, c.rankOf(from, owner)})
		}
	}
	slices.SortStableFunc(c.frontier, func(a, b reference) int { return cmp.Compare(a.owner, b.owner) })
	for len(c.frontier) > 0 {
		owner := c.frontier[0].owner
		n := 1
		for n < len(c.frontier) && c.frontier[n].owner == owner {
			n++
		}
		c.addSeeds(c.frontier[:n:n])
		c.frontier = c.frontier[n:]
	}
	c.frontier = nil
	c.sortSeeds()
}

// sortSeeds puts first what is most likely why survivors live: where more seeds
// reach one than are told apart, the first ones stay. That is what refers to
// survivors of many rounds, and then of early ones: an old object that only got
// something in the last round (a function that V8 made when a timer fired) holds
// nothing of the rounds before.
func (c *comparison) sortSeeds() {
	for i := range c.seeds {
		sd := &c.seeds[i]
		seen := make([]bool, c.rounds+1)
		sd.first = c.rounds
		for _, r := range sd.refs {
			born := c.cohort[r.to]
			if !seen[born] {
				seen[born] = true
				sd.rounds++
			}
			sd.first = min(sd.first, int(born))
		}
	}
	slices.SortStableFunc(c.seeds, func(a, b seed) int {
		return cmp.Or(cmp.Compare(b.rounds, a.rounds), cmp.Compare(a.first, b.first))
	})
}

// ofConsole reports whether a reference of V8's global handles is that of an
// inspector: while one is attached, it keeps what was given to console.log, for
// the last 1000 messages (src/inspector/v8-console-message.cc). The program that
// logs is not to blame, and without an inspector nothing stays.
func ofConsole(s *heapsnap.Snapshot, e heapsnap.Edge) bool {
	return strings.HasSuffix(s.EdgeName(e), " / DevTools console")
}

// owner returns the object whose storage n is, n itself for an object and for
// one of V8's roots.
func (c *comparison) owner(n heapsnap.Node) heapsnap.Node {
	for isStorage(c.s, n) && c.s.Type(n) != heapsnap.Synthetic && n != c.s.Root() {
		n = c.s.Dominator(n)
	}
	return n
}

func (c *comparison) rankOf(from, owner heapsnap.Node) uint8 {
	switch c.s.Type(owner) {
	case heapsnap.Synthetic, heapsnap.Native:
		return rankRoot
	}
	if owner == c.s.Root() {
		return rankRoot
	}
	switch c.s.Type(from) {
	case heapsnap.Code, heapsnap.ObjectShape, heapsnap.Synthetic:
		return rankFunction
	}
	return rankObject
}

// addSeeds divides the references of one owner by label. An element reached
// both directly and through the elements' storage counts once.
//
// V8's roots hold what has nothing to do with each other, as every open socket
// and every worker is among the global handles: their references are divided
// by the class of what they hold.
func (c *comparison) addSeeds(refs []reference) {
	if c.s.Type(refs[0].owner) == heapsnap.Synthetic {
		c.addRootSeeds(refs)
		return
	}
	names := map[string]bool{}
	for _, r := range refs {
		if name, ok := c.edgeLabel(r); ok {
			names[name] = true
		}
	}
	dictionary := len(names) > maxNames
	byLabel := map[string]*seed{}
	var order []*seed
	direct := map[heapsnap.Node]bool{}
	add := func(r reference, label string) {
		sd := byLabel[label]
		if sd == nil {
			sd = &seed{holder: r.owner, label: label, rank: r.rank}
			byLabel[label] = sd
			order = append(order, sd)
		}
		sd.rank = min(sd.rank, r.rank)
		sd.refs = append(sd.refs, r)
	}
	for _, r := range refs {
		if name, ok := c.edgeLabel(r); ok {
			if dictionary {
				name = AnyEntry
			}
			direct[r.to] = true
			add(r, name)
		}
	}
	seen := map[heapsnap.Node]bool{}
	for _, r := range refs {
		if _, ok := c.edgeLabel(r); !ok && !direct[r.to] && !seen[r.to] {
			seen[r.to] = true
			add(r, AnyEntry)
		}
	}
	for _, sd := range order {
		c.seeds = append(c.seeds, *sd)
	}
}

func (c *comparison) addRootSeeds(refs []reference) {
	byClass := map[string]int{} // class -> index into seeds
	seen := map[heapsnap.Node]bool{}
	for _, r := range refs {
		if seen[r.to] {
			continue
		}
		seen[r.to] = true
		class := c.s.ClassName(r.to)
		at, ok := byClass[class]
		if !ok {
			at = len(c.seeds)
			byClass[class] = at
			c.seeds = append(c.seeds, seed{holder: r.owner, label: class, rank: r.rank})
		}
		c.seeds[at].refs = append(c.seeds[at].refs, r)
	}
}

// edgeLabel returns the name of a reference that is a property, a variable or
// an internal field of the owner itself, and false for elements and entries.
func (c *comparison) edgeLabel(r reference) (string, bool) {
	switch c.s.EdgeType(r.edge) {
	case heapsnap.PropertyEdge, heapsnap.ContextEdge:
		return c.s.EdgeName(r.edge), true
	case heapsnap.InternalEdge:
		if first, end := c.s.EdgeRange(r.owner); r.edge >= first && r.edge < end {
			return c.s.EdgeName(r.edge), true
		}
	}
	return "", false
}

package heapsnap

import (
	"iter"
	"runtime"
)

// Dominator returns the immediate dominator of n: the nearest object through
// which every way from the root to n leads. The root's is itself.
func (s *Snapshot) Dominator(n Node) Node {
	s.domOnce.Do(s.computeDominators)
	return s.dom[n]
}

// RetainedSize returns the bytes that would be freed if n were: the self sizes
// of all nodes that n dominates, its own included.
func (s *Snapshot) RetainedSize(n Node) uint64 {
	s.domOnce.Do(s.computeDominators)
	return s.retained[n]
}

// TotalSize returns the size of the heap: what the root retains, and the
// native bytes that V8 counted without an object (Node 24 and later).
func (s *Snapshot) TotalSize() uint64 { return s.RetainedSize(s.root) + s.extraNative }

// DominatorOrder returns all nodes in an order in which every node stands
// behind its immediate dominator; the root is first. The slice is the
// snapshot's own.
func (s *Snapshot) DominatorOrder() []Node {
	s.domOnce.Do(s.computeDominators)
	return s.order
}

// Dominated yields the nodes whose immediate dominator is n, in file order.
func (s *Snapshot) Dominated(n Node) iter.Seq[Node] {
	s.dominatedOnce.Do(s.computeDominated)
	return func(yield func(Node) bool) {
		for _, m := range s.dominatedNode[s.firstDominated[n]:s.firstDominated[n+1]] {
			if !yield(m) {
				return
			}
		}
	}
}

func (s *Snapshot) computeDominated() {
	if s.load(groupDominated) {
		return
	}
	s.domOnce.Do(s.computeDominators)
	n := len(s.dom)
	first := newColumn[uint32](n + 1)
	for i, d := range s.dom {
		if Node(i) != s.root {
			first[d+1]++
		}
	}
	for i := range n {
		first[i+1] += first[i]
	}
	next := newColumn[uint32](n)
	copy(next, first)
	nodes := newColumn[Node](n - 1)
	for i, d := range s.dom {
		if Node(i) != s.root {
			nodes[next[d]] = Node(i)
			next[d]++
		}
	}
	s.firstDominated, s.dominatedNode = first, nodes
}

// computeDominators is the semi-NCA algorithm of L. Georgiadis, "Linear-Time
// Algorithms for Dominators and Related Problems" (2005), in the form that
// compilers use. All its arrays are in the index space of the depth-first
// order, so that memory is walked mostly in order.
//
// DevTools computes the same relation with Lengauer-Tarjan (HS:2126-2342). Two
// of its choices show in the result and are kept:
//
//  1. Nodes that the root does not reach, and that nothing refers to, become
//     children of the root, and what they refer to counts as referred to.
//  2. What is left then (cycles that nothing reaches) are children of the root
//     too, but what they refer to does not count.
func (s *Snapshot) computeDominators() {
	if s.load(groupDominators) {
		return
	}
	strong := s.strongEdges()
	walked := make(chan *domWalk)
	go func() { walked <- s.walkEssential(strong) }()
	s.shallowOnce.Do(s.transferShallowSizes)
	w := <-walked
	s.setDominators(w, w.references())
}

// walkEssential numbers the nodes depth first. strong are strongEdges.
func (s *Snapshot) walkEssential(strong bitset) *domWalk {
	w := &domWalk{s: s, n: s.NodeCount(), strong: strong}
	w.order = newColumn[Node](w.n)[:0]
	w.parent = newColumn[uint32](w.n)[:0]
	w.tree = newBitset(s.EdgeCount())
	w.seen = newBitset(w.n)
	w.visitRoot()
	if len(w.order) < w.n {
		w.visitOrphans()
	}
	return w
}

// setDominators turns a walk into dominators and retained sizes. It needs the
// sizes, but no edges any more.
func (s *Snapshot) setDominators(w *domWalk, refs *references) {
	s.reached = len(w.order)
	first, pred, some := refs.byTarget()
	runtime.GC() // what refs was: the arrays to come take its place
	dom := w.immediateDominators(first, pred, some)
	// In the order of the walk a dominator is near what it dominates.
	retained := newColumn[uint64](s.reached)
	for v, n := range w.order {
		retained[v] = s.self.at(uint32(n))
	}
	for v := s.reached - 1; v > 0; v-- {
		retained[dom[v]] += retained[v]
	}
	s.dom, s.retained = newColumn[Node](w.n), newColumn[uint64](w.n)
	for v, n := range w.order {
		s.dom[n], s.retained[n] = w.order[dom[v]], retained[v]
	}
	if s.reached < w.n { // (2)
		for i := range w.n {
			if !w.seen.has(Node(i)) {
				s.dom[i] = s.root
				s.retained[i] = s.self.at(uint32(i))
				s.retained[s.root] += s.retained[i]
				w.order = append(w.order, Node(i))
			}
		}
	}
	s.order = w.order
}

// domWalk is the depth-first walk over essential edges and what it leaves for
// the dominators. Vertex numbers are positions in order.
type domWalk struct {
	s      *Snapshot
	n      int
	order  []Node   // vertex -> node
	parent []uint32 // vertex -> its parent in the walk
	strong bitset   // see strongEdges
	tree   bitset   // edges by which the walk came to a node first
	seen   bitset   // nodes that have a number
	stack  []frame
}

type frame struct {
	edge, end Edge   // edges still to follow
	vertex    uint32 // whose they are
}

// visitRoot walks from the root: first to the page objects, DevTools' name for
// what the user's roots reach (HS:4430), as the flag decides which references
// from elsewhere count. Page objects are reached through every reference that
// is not weak; the walk finds nearly all of them as it follows the essential
// ones, and the rest are looked for where those are left.
func (w *domWalk) visitRoot() {
	s := w.s
	s.page = w.seen
	w.push(s.root, 0)
	w.stack = w.stack[:0]
	var beyond []Node // page objects that no essential reference led to so far
	first, end := s.EdgeRange(s.root)
	for e := first; e < end; e++ {
		to := s.edgeTo[e]
		dom := s.edgeType[e] == ElementEdge && s.tags[s.nodeName[to]] == tagDOMTrees && s.nodeType[to] == Synthetic
		if !dom && s.edgeType[e] != ShortcutEdge {
			continue
		}
		if to == s.root {
			beyond = append(beyond, to)
			continue
		}
		w.take(0, e)
		beyond = w.walk(beyond, false)
	}
	// From here on the numbered and the page objects are two sets.
	s.page = newBitset(w.n)
	copy(s.page, w.seen)
	s.page.remove(s.root)
	for len(beyond) > 0 {
		n := beyond[len(beyond)-1]
		beyond = beyond[:len(beyond)-1]
		if s.page.has(n) {
			continue
		}
		s.page.add(n)
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if s.edgeType[e] != WeakEdge && !s.page.has(s.edgeTo[e]) {
				beyond = append(beyond, s.edgeTo[e])
			}
		}
	}
	for e := first; e < end; e++ {
		if w.strong.has(Node(e)) {
			w.take(0, e)
			w.walk(nil, true)
		}
	}
}

// push gives n the next vertex number.
func (w *domWalk) push(n Node, parent uint32) {
	v := uint32(len(w.order))
	w.order = append(w.order, n)
	w.parent = append(w.parent, parent)
	w.seen.add(n)
	if first, end := w.s.EdgeRange(n); first < end {
		w.stack = append(w.stack, frame{first, end, v})
	}
}

// take follows an essential edge of vertex from, unless it was there before.
func (w *domWalk) take(from uint32, e Edge) {
	if to := w.s.edgeTo[e]; !w.seen.has(to) {
		w.tree.add(Node(e))
		w.push(to, from)
	}
}

// visit walks from n, a child of vertex 0.
func (w *domWalk) visit(n Node) {
	w.push(n, 0)
	w.walk(nil, true)
}

// walk goes on from the stack. Where the page objects are known it leaves out
// references into them from elsewhere. Else all it meets are page objects: it
// appends to beyond those that it sees a reference to which is neither weak nor
// essential, and the root, if it is referred to.
func (w *domWalk) walk(beyond []Node, pageKnown bool) []Node {
	s := w.s
	edgeTo, seen, page := s.edgeTo, w.seen, s.page
	for len(w.stack) > 0 {
		// Most edges lead to nodes that have their number: the scan past those
		// reads targets only.
		top := &w.stack[len(w.stack)-1]
		e, end := top.edge, top.end
		if pageKnown {
			for e < end && seen.has(edgeTo[e]) {
				e++
			}
		} else {
			for e < end && seen.has(edgeTo[e]) && edgeTo[e] != s.root {
				e++
			}
		}
		if e == end {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		top.edge = e + 1
		to := edgeTo[e]
		switch {
		case pageKnown:
			if w.strong.has(Node(e)) && (!page.has(to) || page.has(w.order[top.vertex])) {
				w.tree.add(Node(e))
				w.push(to, top.vertex)
			}
		case to == s.root: // no real heap has it; DevTools goes on from there
			if s.edgeType[e] != WeakEdge {
				beyond = append(beyond, to)
			}
		case w.strong.has(Node(e)):
			w.tree.add(Node(e))
			w.push(to, top.vertex)
		case s.edgeType[e] != WeakEdge:
			beyond = append(beyond, to)
		}
	}
	return beyond
}

// visitOrphans walks from the nodes that nothing essential refers to.
func (w *domWalk) visitOrphans() {
	s := w.s
	// What an essential reference leads to from a node that has its number, has
	// one as well.
	referred := newBitset(w.n)
	for from := range w.n {
		if w.seen.has(Node(from)) {
			continue
		}
		first, end := s.EdgeRange(Node(from))
		for e := first; e < end; e++ {
			if !w.seen.has(s.edgeTo[e]) && s.essential(Node(from), e) {
				referred.add(s.edgeTo[e])
			}
		}
	}
	for i := range w.n {
		if !w.seen.has(Node(i)) && !referred.has(Node(i)) {
			s.orphans = append(s.orphans, Node(i))
			w.visit(Node(i))
		}
	}
}

// immediateDominators returns vertex -> vertex. Predecessors, as vertices, of
// a node are pred[first[node]:first[node+1]], and some has the nodes with any. It
// uses up the walk's parents.
func (w *domWalk) immediateDominators(first, pred []uint32, some bitset) []uint32 {
	n := len(w.order)
	// A link is how far up a vertex was looked from, and the least label on the
	// way. One look finds both.
	type link struct{ ancestor, label uint32 }
	var (
		semi  = newColumn[uint32](n) // vertex -> semidominator
		links = newColumn[link](n)
		path  []uint32
	)
	for v := range links {
		links[v] = link{w.parent[v], uint32(v)}
	}
	for v := uint32(n) - 1; v > 0; v-- {
		best := w.parent[v]
		linked := v + 1 // vertices from here on hang on their parents
		node := w.order[v]
		if !some.has(node) { // as of two in three: one bit, and no look at first
			semi[v], links[v].label = best, best
			continue
		}
		for _, u := range pred[first[node]:first[node+1]] {
			if u >= linked {
				// eval with path compression: the least label between u and
				// the first vertex that is not linked yet.
				at := links[u]
				if at.ancestor >= linked {
					path = path[:0]
					for x := u; at.ancestor >= linked; at = links[x] {
						path = append(path, x)
						x = at.ancestor
					}
					for i := len(path) - 1; i >= 0; i-- {
						y := &links[path[i]]
						at.label = min(at.label, y.label)
						*y = at
					}
				}
				u = at.label
			}
			best = min(best, u)
		}
		semi[v], links[v].label = best, best
	}
	dom := w.parent // vertex -> parent before its turn, immediate dominator after
	for v := 1; v < n; v++ {
		d := dom[v]
		for d > semi[v] {
			d = dom[d]
		}
		dom[v] = d
	}
	return dom
}

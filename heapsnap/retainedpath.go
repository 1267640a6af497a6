package heapsnap

import "slices"

// A RetainedPath is the objects of one class that are kept alive by the same
// classes: a node of the dominator tree with objects of a class made one. Sizes
// are shallow, so what a path and all that begin with it have is what it retains.
type RetainedPath struct {
	Parent int // index of the path without its last class; -1 for the root's
	Class  string
	Count  int
	Bytes  uint64
}

// RetainedPaths sums up the heap by its dominator tree, parents first. A class
// that comes again on its own way (a list's links, a tree's) is not repeated, so
// ways are no longer than there are classes. Of more than limit paths the
// lightest are added to their parents, and folded counts them; their objects are
// then under another class.
func (s *Snapshot) RetainedPaths(limit int) (paths []RetainedPath, folded int) {
	type node struct {
		parent int // -1 for the root's
		class  uint32
		base   int // where the classes of what it dominates are looked up: itself, unless it repeats one
	}
	var nodes []node
	next := map[uint64]int{} // base and class -> node
	at := make([]uint32, s.NodeCount())
	add := func(n node) int {
		nodes = append(nodes, n)
		paths = append(paths, RetainedPath{Parent: n.parent})
		return len(nodes) - 1
	}
	for _, n := range s.DominatorOrder() {
		class := s.classOf(n)
		var to int
		if n == s.Root() {
			to = add(node{-1, class, 0})
		} else {
			base := nodes[at[s.Dominator(n)]].base
			key := uint64(base)<<32 | uint64(class)
			known := false
			if to, known = next[key]; !known {
				to = base
				for to >= 0 && nodes[to].class != class {
					to = nodes[to].parent
				}
				switch {
				case to < 0: // a class that is new on this way
					to = add(node{base, class, len(nodes)})
				case to != base: // one from further up: told apart, but leads no further
					to = add(node{base, class, base})
				}
				next[key] = to
			}
		}
		at[n] = uint32(to)
		paths[to].Count++
		paths[to].Bytes += s.SelfSize(n)
	}
	for i := range paths {
		paths[i].Class = s.text(nodes[i].class)
	}
	if len(paths) <= limit {
		return paths, 0
	}
	return foldPaths(paths, limit)
}

// foldPaths keeps the paths that retain most; a parent never retains less than
// its child, so it stays where that does.
func foldPaths(paths []RetainedPath, limit int) (kept []RetainedPath, folded int) {
	retained := make([]uint64, len(paths))
	for i := len(paths) - 1; i >= 0; i-- {
		retained[i] += paths[i].Bytes
		if p := paths[i].Parent; p >= 0 {
			retained[p] += retained[i]
		}
	}
	order := make([]int, len(paths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case retained[a] > retained[b]:
			return -1
		case retained[a] < retained[b]:
			return 1
		}
		return a - b
	})
	stays := make([]bool, len(paths))
	for _, i := range order[:max(1, limit)] {
		stays[i] = true
	}
	to := make([]int, len(paths))
	for i, p := range paths {
		if !stays[i] {
			to[i] = to[p.Parent]
			kept[to[i]].Count += p.Count
			kept[to[i]].Bytes += p.Bytes
			folded++
			continue
		}
		to[i] = len(kept)
		if p.Parent >= 0 {
			p.Parent = to[p.Parent]
		}
		kept = append(kept, p)
	}
	return kept, folded
}

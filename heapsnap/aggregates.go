package heapsnap

import "slices"

// An Aggregate is a row of DevTools' Summary view: the objects of one class.
type Aggregate struct {
	Class    string
	Location *Location // of the constructor, for classes that are told apart by it
	Count    int
	Shallow  uint64 // sum of shallow sizes
	Retained uint64 // what all of them together retain
	Distance int    // the least of its objects
}

// classKey is DevTools' internal class key: objects with a location are told
// apart by where their constructor is written; HS:348.
type classKey struct {
	class                uint32
	located              bool
	script, line, column uint32
}

func (s *Snapshot) classKeys() func(n Node) classKey {
	at := 0 // locations are sorted by node, and so are the calls in a scan
	// DevTools' key of a located class is text, so that equal names are one
	// class whatever their string's number.
	located := map[string]uint32{}
	return func(n Node) classKey {
		key := classKey{class: s.classOf(n)}
		if s.nodeType[n] != Object {
			return key
		}
		if at > 0 && (at >= len(s.locations) || s.locations[at-1].node >= n) {
			at, _ = slices.BinarySearchFunc(s.locations, n, func(l location, n Node) int { return int(int64(l.node) - int64(n)) })
		}
		for at < len(s.locations) && s.locations[at].node < n {
			at++
		}
		if at < len(s.locations) && s.locations[at].node == n {
			l := s.locations[at]
			name := s.text(key.class)
			first, ok := located[name]
			if !ok {
				first = key.class
				located[name] = first
			}
			key = classKey{first, true, l.script, l.line, l.column}
		}
		return key
	}
}

// Aggregates returns the classes of the heap by retained size, largest first;
// objects of size 0 are left out, as in DevTools. HS:1922-2024.
func (s *Snapshot) Aggregates() []Aggregate {
	s.domOnce.Do(s.computeDominators)
	s.distanceOnce.Do(s.computeDistances)
	numbers := map[classKey]int32{}
	of := make([]int32, s.NodeCount()) // node -> its aggregate, -1 for none
	keyOf := s.classKeys()
	var all []Aggregate
	for i := range of {
		n := Node(i)
		size := s.self.at(uint32(i))
		if size == 0 {
			of[i] = -1
			continue
		}
		key := keyOf(n)
		a, ok := numbers[key]
		if !ok {
			a = int32(len(all))
			numbers[key] = a
			all = append(all, Aggregate{Class: s.text(key.class), Distance: s.Distance(n)})
			if key.located {
				all[a].Location = s.place(location{n, key.script, key.line, key.column})
			}
		}
		of[i] = a
		all[a].Count++
		all[a].Shallow += size
		all[a].Distance = min(all[a].Distance, s.Distance(n))
	}
	s.retainedByClass(of, all)
	slices.SortStableFunc(all, func(a, b Aggregate) int {
		switch {
		case a.Retained > b.Retained:
			return -1
		case a.Retained < b.Retained:
			return 1
		}
		return 0
	})
	return all
}

// retainedByClass adds up the retained sizes of the objects that have no
// dominator of their own class. It walks the dominator tree depth first and
// counts, per class, how many of its objects are above.
func (s *Snapshot) retainedByClass(of []int32, all []Aggregate) {
	s.dominatedOnce.Do(s.computeDominated)
	above := make([]uint32, len(all))
	type frame struct {
		node Node
		next uint32 // its next child in dominatedNode
	}
	stack := []frame{{s.root, s.firstDominated[s.root]}}
	enter := func(n Node) {
		if a := of[n]; a >= 0 {
			if above[a] == 0 {
				all[a].Retained += s.retained[n]
			}
			above[a]++
		}
	}
	enter(s.root)
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == s.firstDominated[top.node+1] {
			if a := of[top.node]; a >= 0 {
				above[a]--
			}
			stack = stack[:len(stack)-1]
			continue
		}
		child := s.dominatedNode[top.next]
		top.next++
		enter(child)
		stack = append(stack, frame{child, s.firstDominated[child]})
	}
}

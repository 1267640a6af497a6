package heapsnap

import (
	"cmp"
	"slices"
)

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

// classKeys returns a function from node to class key. DevTools' key of a
// located class is text, so that equal names are one class whatever their
// string's number.
func (s *Snapshot) classKeys() func(n Node) classKey {
	s.classOnce.Do(s.computeClasses)
	located := map[string]uint32{}
	first := map[uint32]uint32{} // class -> the first class of the same text
	return func(n Node) classKey {
		class := s.class[n]
		if s.nodeType[n] != Object {
			return classKey{class: class}
		}
		at, ok := s.spotOf(n)
		if !ok {
			return classKey{class: class}
		}
		f, ok := first[class]
		if !ok {
			name := s.text(class)
			if f, ok = located[name]; !ok {
				f = class
				located[name] = f
			}
			first[class] = f
		}
		return classKey{f, true, at.script, at.line, at.column}
	}
}

// Aggregates returns the classes of the heap by retained size, largest first;
// objects of size 0 are left out, as in DevTools. HS:1922-2024.
func (s *Snapshot) Aggregates() []Aggregate {
	s.domOnce.Do(s.computeDominators)
	all, of := s.shallowAggregates()
	s.retainedByClass(of, all)
	return sortAggregates(all)
}

func sortAggregates(all []Aggregate) []Aggregate {
	slices.SortStableFunc(all, func(a, b Aggregate) int { return cmp.Compare(b.Retained, a.Retained) })
	return all
}

// shallowAggregates returns the classes without their retained sizes, and of
// every node its class, -1 for none.
func (s *Snapshot) shallowAggregates() ([]Aggregate, []int32) {
	s.shallowOnce.Do(s.transferShallowSizes)
	s.distanceOnce.Do(s.computeDistances)
	s.classOnce.Do(s.computeClasses)
	numbers := map[classKey]int32{}
	of := newColumn[int32](s.NodeCount())
	keyOf := s.classKeys()
	var all []Aggregate
	// A class and a place, as numbers, tell a key; most nodes are of few.
	byClass := make([]int32, s.strings.count()+len(s.extra)) // class without a place -> aggregate + 1
	type pair struct{ class, place uint32 }
	byPlace := map[pair]int32{}
	for i := range of {
		size := s.self.at(uint32(i))
		if size == 0 {
			of[i] = -1
			continue
		}
		n := Node(i)
		class := s.class[i]
		var at uint32
		if s.place != nil && s.nodeType[i] == Object {
			at = s.place[i]
		}
		a := int32(-1)
		if at == 0 {
			a = byClass[class] - 1
		} else if known, ok := byPlace[pair{class, at}]; ok {
			a = known
		}
		if a < 0 {
			key := keyOf(n)
			known, ok := numbers[key]
			if !ok {
				known = int32(len(all))
				numbers[key] = known
				all = append(all, Aggregate{Class: s.text(key.class), Distance: int(s.distance[i])})
				if key.located {
					at := s.locate(spot{key.script, key.line, key.column})
					all[known].Location = &at
				}
			}
			a = known
			if at == 0 {
				byClass[class] = a + 1
			} else {
				byPlace[pair{class, at}] = a
			}
		}
		of[i] = a
		row := &all[a]
		row.Count++
		row.Shallow += size
		row.Distance = min(row.Distance, int(s.distance[i]))
	}
	return all, of
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
		if s.firstDominated[child] == s.firstDominated[child+1] { // a leaf, as most are
			if a := of[child]; a >= 0 {
				above[a]--
			}
			continue
		}
		stack = append(stack, frame{child, s.firstDominated[child]})
	}
}

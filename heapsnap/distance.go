package heapsnap

import (
	"math"
	"strconv"
)

// Distances at and above SystemDistance are of nodes that only V8's own roots
// reach; Unreachable is the distance of a node that nothing reaches. DevTools
// prints a dash for both.
const (
	SystemDistance = 100_000_000
	Unreachable    = -5
)

// Distance returns the number of references on the shortest way from the
// user's roots to n; HS:1829-1920.
func (s *Snapshot) Distance(n Node) int {
	s.distanceOnce.Do(s.computeDistances)
	return int(s.distance[n])
}

// NearRoot reports whether the distance of n is 2 at most, as it is of the global
// object. It looks no further than that.
func (s *Snapshot) NearRoot(n Node) bool {
	const near = 2
	s.nearOnce.Do(func() {
		s.near = map[Node]bool{}
		s.walkDistances(near, func(n Node, distance int32) { s.near[n] = distance <= near })
	})
	return s.near[n]
}

func (s *Snapshot) computeDistances() {
	if s.load(groupDistances) {
		return
	}
	d := newColumn[int32](s.NodeCount())
	for i := range d {
		d[i] = Unreachable
	}
	s.walkDistances(math.MaxInt32, func(n Node, distance int32) { d[n] = distance })
	s.distance = d
}

// walkDistances calls found with the distance of every node that has one, but
// not with all of those whose distance is greater than limit. The root may come
// twice: the second is its distance.
func (s *Snapshot) walkDistances(limit int32, found func(n Node, distance int32)) {
	n := s.NodeCount()
	var queue []Node
	if limit == math.MaxInt32 {
		queue = newColumn[Node](n)[:0]
	}
	seen := newBitset(n) // what is in the queue or was
	// Which WeakMap entries had one of their two edges seen: the first is
	// passed over, so that a value is as far as the farther of key and table.
	pending := map[uint32]bool{}
	// All nodes of one distance stand together in the queue. They are visited in
	// file order, which is the order of their edges in memory; where they are few
	// that is not worth looking for them in a set.
	const few = 64 // words of the set per node
	level := newBitset(n)
	walk := func(distance int32) {
		end := 0
		for head := 0; head < len(queue); head++ {
			if head == end {
				distance++
				end = len(queue)
				if end-head > len(level)/few {
					level.sort(queue[head:end])
				}
			}
			from := queue[head]
			found(from, distance)
			if distance >= limit {
				continue
			}
			filtered := s.filteredForDistance(from)
			for e := Edge(s.firstEdge[from]); e < Edge(s.firstEdge[from+1]); e++ {
				to := s.edgeTo[e]
				if seen.has(to) {
					continue
				}
				t := s.edgeType[e]
				if t == WeakEdge || (filtered || t == InternalEdge && s.tags[s.edgeName[e]] == tagEphemeron) &&
					!s.countsForDistance(from, e, pending) {
					continue
				}
				seen.add(to)
				queue = append(queue, to)
			}
		}
	}
	first, end := s.EdgeRange(s.root)
	for e := first; e < end; e++ {
		if to := s.edgeTo[e]; s.userRoot(to) {
			seen.add(to)
			queue = append(queue, to)
		}
	}
	any := len(queue) > 0
	walk(0)
	seen.add(s.root)
	queue = append(queue[:0], s.root)
	if any {
		walk(SystemDistance - 1)
	} else {
		walk(-1)
	}
}

// filteredForDistance reports whether some references of from may not count
// whatever their own type and name are.
func (s *Snapshot) filteredForDistance(from Node) bool {
	switch s.nodeType[from] {
	case Hidden:
		return s.tags[s.nodeName[from]] == tagNativeContext
	case Array:
		return s.tags[s.nodeName[from]] == tagMapDescriptors
	}
	return false
}

// countsForDistance is the filter of HS:4327-4370.
func (s *Snapshot) countsForDistance(from Node, e Edge, pending map[uint32]bool) bool {
	switch s.nodeType[from] {
	case Hidden:
		if s.tags[s.nodeName[from]] == tagNativeContext && !s.edgeType[e].indexed() && s.tags[s.edgeName[e]] == tagSloppyFunctionMap {
			return false
		}
	case Array:
		if s.tags[s.nodeName[from]] == tagMapDescriptors {
			i := int(s.edgeName[e])
			if !s.edgeType[e].indexed() {
				var ok bool
				if i, ok = leadingInt(s.strings.at(s.edgeName[e])); !ok {
					return true
				}
			}
			return i < 2 || i%3 != 1
		}
	}
	if s.edgeType[e] == InternalEdge && s.tags[s.edgeName[e]] == tagEphemeron {
		pair := s.ephemerons[s.edgeName[e]].pair
		if !pending[pair] {
			pending[pair] = true
			return false
		}
		delete(pending, pair)
	}
	return true
}

// leadingInt is JavaScript's parseInt(text, 10) for non-negative numbers.
func leadingInt(text string) (int, bool) {
	n := 0
	for n < len(text) && text[n]-'0' <= 9 {
		n++
	}
	v, err := strconv.Atoi(text[:n])
	return v, err == nil
}

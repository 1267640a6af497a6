package heapsnap

import (
	"cmp"
	"slices"
	"strings"
)

// A Census is what DevTools' comparison view needs of an earlier snapshot: id,
// size and class of every object. It takes some 20 bytes per object, and the
// snapshot itself can go.
type Census struct {
	entries []censusEntry // sorted by id
	keys    []censusKey
}

type censusEntry struct {
	id   ObjectID
	size uint64
	key  uint32 // into keys
}

// A censusKey is a class before shapes are known: a comparison names the plain
// objects of both snapshots by the later one's shapes.
type censusKey struct {
	class                string
	located              bool
	script, line, column uint32
	plain                bool
	properties           string // of a plain object, sorted, each ended by propertyEnd
}

// A ClassDelta is a row of DevTools' comparison view. Sizes are shallow sizes.
type ClassDelta struct {
	Class          string
	Added, Removed int
	AddedSize      uint64
	RemovedSize    uint64
}

// Census returns the census of s.
func (s *Snapshot) Census() *Census {
	s.classOnce.Do(s.computeClasses)
	s.shallowOnce.Do(s.transferShallowSizes)
	c := &Census{}
	numbers := map[censusKey]uint32{}
	bySeen := map[classKey]uint32{} // most objects need no text
	keyOf := s.classKeys()
	for i := range s.nodeType {
		size := s.self.at(uint32(i))
		if size == 0 {
			continue
		}
		n := Node(i)
		k := keyOf(n)
		plain := s.plain(n)
		number, ok := bySeen[k]
		if !ok || plain {
			key := censusKey{located: k.located, script: k.script, line: k.line, column: k.column, plain: plain}
			if plain {
				key.properties = s.propertyKey(n)
			} else {
				key.class = s.text(k.class)
			}
			if number, ok = numbers[key]; !ok {
				number = uint32(len(c.keys))
				numbers[key] = number
				c.keys = append(c.keys, key)
			}
			if !plain {
				bySeen[k] = number
			}
		}
		c.entries = append(c.entries, censusEntry{s.ID(n), size, number})
	}
	slices.SortFunc(c.entries, func(a, b censusEntry) int { return cmp.Compare(a.id, b.id) })
	return c
}

// propertyEnd is in no property's name, as names are UTF-8 but for surrogates.
const propertyEnd = "\xff"

// propertyKey is the sorted property names of n.
func (s *Snapshot) propertyKey(n Node) string {
	var names []string
	first, end := s.EdgeRange(n)
	for e := first; e < end; e++ {
		if s.edgeType[e] == PropertyEdge {
			names = append(names, s.strings.at(s.edgeName[e]))
		}
	}
	slices.Sort(names)
	var key strings.Builder
	for _, name := range names {
		key.WriteString(name)
		key.WriteString(propertyEnd)
	}
	return key.String()
}

// Compare returns what changed from c to later, a snapshot of the same
// process, by class: HS:1780-1812 and 3239-3333. An object whose class changed
// counts as removed and added; one that only changed its size does not count.
// Rows are sorted by added size, largest first, as DevTools shows them.
func (c *Census) Compare(later *Snapshot) []ClassDelta {
	now := later.Census()
	m := newShapeMatcher(later.shapes)
	var rows []ClassDelta
	rowOf := map[censusKey]int{}
	resolve := func(keys []censusKey) []int { // key -> row
		rowsOf := make([]int, len(keys))
		for i, k := range keys {
			if k.plain {
				k.class, k.plain, k.properties = m.className(k.properties), false, ""
			}
			at, ok := rowOf[k]
			if !ok {
				at = len(rows)
				rowOf[k] = at
				rows = append(rows, ClassDelta{Class: k.class})
			}
			rowsOf[i] = at
		}
		return rowsOf
	}
	before, after := resolve(c.keys), resolve(now.keys)
	added := func(e censusEntry) {
		r := &rows[after[e.key]]
		r.Added++
		r.AddedSize += e.size
	}
	removed := func(e censusEntry) {
		r := &rows[before[e.key]]
		r.Removed++
		r.RemovedSize += e.size
	}
	i, j := 0, 0
	for i < len(c.entries) || j < len(now.entries) {
		switch {
		case j == len(now.entries) || i < len(c.entries) && c.entries[i].id < now.entries[j].id:
			removed(c.entries[i])
			i++
		case i == len(c.entries) || now.entries[j].id < c.entries[i].id:
			added(now.entries[j])
			j++
		default:
			if before[c.entries[i].key] != after[now.entries[j].key] {
				removed(c.entries[i])
				added(now.entries[j])
			}
			i++
			j++
		}
	}
	rows = slices.DeleteFunc(rows, func(r ClassDelta) bool { return r.Added == 0 && r.Removed == 0 })
	slices.SortStableFunc(rows, func(a, b ClassDelta) int {
		return cmp.Or(cmp.Compare(b.AddedSize, a.AddedSize), cmp.Compare(a.Class, b.Class))
	})
	return rows
}

// className returns the class of a plain object with these properties, as
// propertyKey has them.
func (m *shapeMatcher) className(properties string) string {
	var have []int32
	for name := range strings.SplitAfterSeq(properties, propertyEnd) {
		name, ok := strings.CutSuffix(name, propertyEnd)
		if !ok {
			break // the empty rest
		}
		if p := m.property(name); p >= 0 {
			have = append(have, p)
		}
	}
	if best := m.match(have); best >= 0 {
		return m.shapes[best].name
	}
	return "Object"
}

// Bytes returns the sum of all self sizes.
func (s *Snapshot) Bytes() uint64 {
	if s.index != nil && s.index.file != nil {
		return s.index.facts.Bytes
	}
	s.shallowOnce.Do(s.transferShallowSizes)
	var sum uint64
	for i := range s.nodeType {
		sum += s.self.at(uint32(i))
	}
	return sum
}

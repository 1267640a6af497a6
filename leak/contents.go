package leak

import (
	"math/bits"
	"strconv"
	"strings"

	"heapsnap/heapsnap"
)

// An item is one entry of a collection.
type item struct {
	key   string        // of a Map or object, "" without
	value heapsnap.Node // NoNode for small integers
	born  int           // cohort: the later of key's and value's
}

// contents returns the entries of a collection and what kind it is; kind is
// empty for an object that is none.
func (p *Pass) contents(n heapsnap.Node) (kind string, items []item) {
	s := p.s
	if s.Type(n) != heapsnap.Object {
		return "", nil
	}
	if table := s.Internal(n, "table"); table != heapsnap.NoNode && s.Type(table) == heapsnap.Array {
		return p.tableContents(n, table)
	}
	var named, indexed []item
	for e := range s.Edges(n) {
		switch s.EdgeType(e) {
		case heapsnap.ElementEdge:
			index, _ := s.EdgeIndex(e)
			indexed = append(indexed, item{strconv.Itoa(int(index)), s.To(e), p.d.Cohort(s.To(e))})
		case heapsnap.PropertyEdge:
			if name := s.EdgeName(e); name != "__proto__" {
				named = append(named, item{name, s.To(e), p.d.Cohort(s.To(e))})
			}
		}
	}
	if s.RawName(n) == "Array" || len(indexed) > len(named) {
		return "Array", indexed
	}
	return "Object", named
}

// tableContents reads a Map's or Set's hash table. V8's OrderedHashTable is an
// array: three counts, one field per bucket, then per entry a key, a Map's
// value, and a link (Node 18 to 26). Edges are named by field; small integers
// have none.
func (p *Pass) tableContents(n, table heapsnap.Node) (kind string, items []item) {
	s := p.s
	const counts = 3
	type slot struct {
		field int
		to    heapsnap.Node
	}
	var slots []slot
	var seen [3]bool // which fields modulo 3 have edges
	least := 1 << 31
	for e := range s.Edges(table) {
		if field, err := strconv.Atoi(s.EdgeName(e)); err == nil && s.EdgeType(e) == heapsnap.InternalEdge && field > counts {
			slots = append(slots, slot{field, s.To(e)})
			seen[field%3] = true
			least = min(least, field)
		}
	}
	if strings.HasSuffix(s.RawName(n), "Set") {
		for _, sl := range slots {
			items = append(items, item{"", sl.to, p.d.Cohort(sl.to)})
		}
		return "Set", items
	}
	// Keys stand at one residue, values at the next; where only one of the two
	// has edges, the number of buckets, a power of two, tells which.
	key := (counts + 1<<(bits.Len(uint(least-counts))-1)) % 3
	for r := range 3 {
		if seen[r] && seen[(r+1)%3] && !seen[(r+2)%3] {
			key = r
		}
	}
	byKey := map[int]int{} // field of the key -> index into items
	for _, sl := range slots {
		field, isKey := sl.field, sl.field%3 == key
		if !isKey {
			field--
		}
		i, ok := byKey[field]
		if !ok {
			i = len(items)
			byKey[field] = i
			items = append(items, item{value: heapsnap.NoNode})
		}
		it := &items[i]
		it.born = max(it.born, p.d.Cohort(sl.to))
		if isKey {
			it.key = p.keyText(sl.to)
		} else {
			it.value = sl.to
		}
	}
	return "Map", items
}

// keyText shows a key.
func (p *Pass) keyText(n heapsnap.Node) string {
	switch p.s.Type(n) {
	case heapsnap.String, heapsnap.ConsString, heapsnap.SlicedString:
		return strconv.Quote(p.s.Name(n))
	}
	return p.class(n)
}

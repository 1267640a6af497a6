package heapsnap

import (
	"cmp"
	"iter"
	"slices"
)

// DuplicateStrings are strings of one text, as far as a snapshot has it: V8
// writes the first 1024 UTF-16 units of a text, one unit for a character
// beyond 16 bits, and a question mark per byte of a lone surrogate. Strings
// that are equal here may differ in the program.
type DuplicateStrings struct {
	Text     string
	Nodes    []Node // in file order
	Self     uint64 // sum of their self sizes
	Retained uint64 // sum of their retained sizes, as DevTools has it
	Together uint64 // what they retain together: less than the sum where ropes hold each other

	// Truncated says that V8 said so, and gave a length and a hash of the whole
	// text that are equal too; V8 14.6 (Node 26) and older say nothing.
	Truncated bool
	Length    int // of the whole text if Truncated and known, else -1
}

// DuplicateStrings returns the strings that are in the heap more than once, by
// retained size, largest first: DevTools' getDuplicateStrings, HS:1421. Ropes
// count as strings, but not those that V8 has flattened; strings of no size
// are numbers and the like, not strings of the program. The slice is the
// snapshot's own.
func (s *Snapshot) DuplicateStrings() []DuplicateStrings {
	s.duplicatesOnce.Do(func() {
		if !s.loadDuplicates() {
			s.duplicates = s.findDuplicates()
		}
	})
	return s.duplicates
}

func (s *Snapshot) findDuplicates() []DuplicateStrings {
	s.domOnce.Do(s.computeDominators)
	const none = ^uint32(0)
	type group struct {
		key   stringKey
		count uint32
		order uint32 // DevTools': the group itself, for a truncated string the first of its text
	}
	var (
		groups []group
		byKey  = map[stringKey]uint32{}
		byName = make([]uint32, s.strings.count()) // file's string -> group of whole strings + 1
		of     = make([]uint32, s.NodeCount())     // node -> its group
		first  = map[string]uint32{}               // text -> first group of truncated strings
	)
	for i := range of {
		n := Node(i)
		of[i] = none
		if t := s.nodeType[i]; t != String && t != ConsString || s.self.at(uint32(i)) == 0 || s.flatRope(n) {
			continue
		}
		truncated := s.truncatedString(n)
		plain := s.nodeType[i] == String && !truncated
		if plain && byName[s.nodeName[i]] != 0 {
			of[i] = byName[s.nodeName[i]] - 1
			groups[of[i]].count++
			continue
		}
		key := stringKey{text: s.Name(n), truncated: truncated}
		if truncated {
			key.length, key.hash = s.intField(n, "length"), s.intField(n, "hash")
		}
		g, ok := byKey[key]
		if !ok {
			g = uint32(len(groups))
			byKey[key] = g
			order := g
			if truncated {
				if f, ok := first[key.text]; ok {
					order = f
				} else {
					first[key.text] = g
				}
			}
			groups = append(groups, group{key: key, order: order})
		}
		groups[g].count++
		of[i] = g
		if plain {
			byName[s.nodeName[i]] = g + 1
		}
	}

	var dup []DuplicateStrings
	var order []uint32 // parallel to dup
	at := make([]uint32, len(groups))
	for g := range groups {
		at[g] = none
		if k := groups[g].key; groups[g].count > 1 {
			at[g] = uint32(len(dup))
			d := DuplicateStrings{Text: k.text, Truncated: k.truncated, Length: -1, Nodes: make([]Node, 0, groups[g].count)}
			if k.truncated {
				d.Length = k.length
			}
			dup = append(dup, d)
			order = append(order, groups[g].order)
		}
	}
	for i, g := range of {
		if g == none || at[g] == none {
			continue
		}
		d := &dup[at[g]]
		d.Nodes = append(d.Nodes, Node(i))
		d.Self += s.self.at(uint32(i))
		d.Retained += s.retained[i]
	}
	together := make([]Aggregate, len(dup))
	inDup := make([]int32, len(of)) // node -> its place in dup, -1 for none
	for i, g := range of {
		inDup[i] = -1
		if g != none && at[g] != none {
			inDup[i] = int32(at[g])
		}
	}
	s.retainedByClass(inDup, together)
	for i := range dup {
		dup[i].Together = together[i].Retained
	}
	// DevTools has whole strings first, then truncated ones by text, and sorts
	// that list stably.
	rank := make([]int, len(dup))
	for i := range rank {
		rank[i] = i
	}
	slices.SortFunc(rank, func(a, b int) int {
		x, y := &dup[a], &dup[b]
		whole := func(d *DuplicateStrings) int {
			if d.Truncated {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(y.Retained, x.Retained), cmp.Compare(whole(x), whole(y)),
			cmp.Compare(order[a], order[b]), cmp.Compare(a, b))
	})
	sorted := make([]DuplicateStrings, len(dup))
	for i, r := range rank {
		sorted[i] = dup[r]
	}
	return sorted
}

// stringKey tells strings apart: by the text, and where V8 says that it cut
// the text, by what it says of the rest.
type stringKey struct {
	text         string
	truncated    bool
	length, hash int // -1 if unknown
}

// flatRope reports whether n is a rope of one string and an empty one, which
// is what V8 makes of a rope when its text is asked for; HS:486.
func (s *Snapshot) flatRope(n Node) bool {
	if s.nodeType[n] != ConsString {
		return false
	}
	for e := s.firstEdge[n]; e < s.firstEdge[n+1]; e++ {
		if s.edgeType[e] != InternalEdge {
			continue
		}
		if name := string(s.strings.raw(s.edgeName[e])); (name == "first" || name == "second") && s.Name(s.edgeTo[e]) == "" {
			return true
		}
	}
	return false
}

// truncatedString reports whether V8 marked n as cut: HS:585. A boolean is a
// number node "bool" with a value.
func (s *Snapshot) truncatedString(n Node) bool {
	mark := s.Internal(n, "truncated")
	if mark == NoNode || s.nodeType[mark] != Number || s.RawName(mark) != "bool" {
		return false
	}
	value := s.Internal(mark, "value")
	return value != NoNode && s.RawName(value) == "true"
}

// intField returns the internal field of n that V8 wrote as a number node
// "int" with a value, or -1; HS:560.
func (s *Snapshot) intField(n Node, name string) int {
	field := s.Internal(n, name)
	if field == NoNode || s.nodeType[field] != Number || s.RawName(field) != "int" {
		return -1
	}
	value := s.Internal(field, "value")
	if value == NoNode {
		return -1
	}
	if v, ok := leadingInt(s.RawName(value)); ok {
		return v
	}
	return -1
}

// RetainedTogether returns the bytes that the nodes of set retain, each counted
// once: the sum of the retained sizes of those that no other one dominates.
// Unlike [Snapshot.RetainedBy] it leaves out what only several of them retain.
func (s *Snapshot) RetainedTogether(set []Node) uint64 {
	s.domOnce.Do(s.computeDominators)
	inside := newBitset(s.NodeCount()) // members, and what they dominate
	for _, n := range set {
		inside.add(n)
	}
	var sum uint64
	for _, n := range s.order { // dominators first
		covered := n != s.root && inside.has(s.dom[n])
		if !covered && inside.has(n) {
			sum += s.retained[n]
		}
		if covered {
			inside.add(n)
		}
	}
	return sum
}

// StringCount returns the number of strings in the file: names of objects and
// references, texts.
func (s *Snapshot) StringCount() int { return s.strings.count() }

// Strings yields the strings of the file with their index, in file order. A
// lone surrogate is the three bytes that UTF-8 would use for it.
func (s *Snapshot) Strings() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := range s.strings.count() {
			if !yield(i, s.strings.at(uint32(i))) {
				return
			}
		}
	}
}

// StringUses counts for every string of the file the nodes and the edges that
// it names.
func (s *Snapshot) StringUses() (nodes, edges []uint32) {
	nodes, edges = make([]uint32, s.strings.count()), make([]uint32, s.strings.count())
	for _, name := range s.nodeName {
		nodes[name]++
	}
	for e, name := range s.edgeName {
		if !s.edgeType[e].indexed() {
			edges[name]++
		}
	}
	return nodes, edges
}

// UTF16Len returns the number of UTF-16 units of a text from a snapshot, which
// is its length in JavaScript.
func UTF16Len(text string) int { return utf16Len(text) }

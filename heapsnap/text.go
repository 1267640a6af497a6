package heapsnap

import (
	"context"
	"slices"
)

// TextOf returns the bytes of the text that n refers to in properties and
// variables: strings, and what concatenated ones are made of. Text that several
// refer to counts once. What external and sliced strings refer to does not count.
func (s *Snapshot) TextOf(n Node) uint64 {
	var from []Node
	for e := range s.Edges(n) {
		if holdsText(s.edgeType[e]) && s.nodeType[s.edgeTo[e]].IsString() {
			from = append(from, s.edgeTo[e])
		}
	}
	return s.textFrom(from, func(rope Node) []Node {
		var parts []Node
		for e := range s.Edges(rope) {
			if to := s.edgeTo[e]; s.edgeType[e] == InternalEdge && s.nodeType[to].IsString() {
				parts = append(parts, to)
			}
		}
		return parts
	})
}

// holdsText reports whether an edge is one by which an object or a scope refers to
// a text: the variables of blocks have hidden edges.
func holdsText(t EdgeType) bool { return t == PropertyEdge || t == ContextEdge || t == HiddenEdge }

// textFrom adds up strings; parts are those of a concatenated one.
func (s *Snapshot) textFrom(from []Node, parts func(Node) []Node) uint64 {
	seen := map[Node]bool{}
	bytes := uint64(0)
	for len(from) > 0 {
		n := from[len(from)-1]
		from = from[:len(from)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		bytes += s.self.at(uint32(n))
		if s.nodeType[n] == ConsString {
			from = append(from, parts(n)...)
		}
	}
	return bytes
}

// OpenTexts is [Snapshot.TextOf] for the objects of ids in a file, which may be
// compressed: of the edges it parses only those of these objects and of
// concatenated strings. Objects that are not there are left out.
func OpenTexts(ctx context.Context, path string, ids []ObjectID, opts Options) (map[ObjectID]uint64, error) {
	p := newPopulationParser(ids)
	p.texts = map[Node][]Node{}
	if err := p.open(ctx, path, opts); err != nil {
		return nil, err
	}
	sizes := map[ObjectID]uint64{}
	for _, row := range p.rows {
		n := Node(row)
		if id := ObjectID(p.s.id.at(row)); p.want[uint64(id)] {
			sizes[id] = p.s.textFrom(p.texts[n], func(rope Node) []Node { return p.texts[rope] })
		}
	}
	return sizes, nil
}

// textRows are the nodes whose edges lead to text.
func (p *populationParser) textRows() {
	for i := range p.s.nodeType {
		if p.s.nodeType[i] == ConsString || p.wanted(i) {
			p.rows = append(p.rows, uint32(i))
		}
	}
	slices.Sort(p.rows)
}

// noteText is called with the lock held.
func (p *populationParser) noteText(from uint32, t EdgeType, to Node) {
	if !p.s.nodeType[to].IsString() {
		return
	}
	if rope := p.s.nodeType[from] == ConsString; rope && t == InternalEdge || !rope && holdsText(t) {
		p.texts[Node(from)] = append(p.texts[Node(from)], to)
	}
}

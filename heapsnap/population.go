package heapsnap

import (
	"context"
	"io"
	"sort"
	"sync"
)

// Population returns how many references n has to what it contains: its
// elements and properties or, if those are more, the references of its tables
// and arrays. An array's elements are so counted once, a Map's entries twice,
// as key and value; small integers are not counted, as they have no node. It
// is meant to be compared with the population of the same object in another
// snapshot.
func (s *Snapshot) Population(n Node) int {
	var c contained
	first, end := s.EdgeRange(n)
	for e := first; e < end; e++ {
		c.add(s, s.edgeType[e], s.edgeTo[e])
	}
	return c.population()
}

// A Filling is how full an object is in one capture.
type Filling struct {
	References int    // see [Snapshot.Population]
	Storage    uint64 // bytes of its tables and arrays, small integers included
}

// contained counts the references to what an object contains.
type contained struct {
	direct  int    // elements and properties
	storage int    // references of tables and arrays
	bytes   uint64 // of those
}

func (c *contained) add(s *Snapshot, t EdgeType, to Node) {
	switch t {
	case ElementEdge, PropertyEdge:
		c.direct++
	case InternalEdge:
		if s.nodeType[to] == Array {
			c.storage += int(s.firstEdge[to+1] - s.firstEdge[to])
			c.bytes += s.self.at(uint32(to))
		}
	}
}

func (c contained) population() int { return max(c.direct, c.storage) }

// Populations tells how full the objects of ids are, straight from a snapshot's
// text: it keeps 9 bytes per node while it reads, and parses only
// the edges of the objects asked for. Objects that are not there are left out.
func Populations(ctx context.Context, r io.Reader, ids []ObjectID, opts Options) (map[ObjectID]Filling, error) {
	p := &populationParser{parser: parser{in: newInput(ctx, r, opts.Progress), opts: opts}, want: map[uint64]bool{}}
	for _, id := range ids {
		p.want[uint64(id)] = true
	}
	p.parser.population = p
	if err := p.sections(); err != nil {
		return nil, err
	}
	counts := make(map[ObjectID]Filling, len(p.found))
	for id, c := range p.found {
		counts[id] = Filling{c.population(), c.bytes}
	}
	return counts, nil
}

// OpenPopulations is [Populations] for a file, with the rules of [Open].
func OpenPopulations(ctx context.Context, path string, ids []ObjectID, opts Options) (found map[ObjectID]Filling, err error) {
	_, err = withFile(path, nil, func(r io.Reader, size int64) (err error) {
		if opts.Size == 0 {
			opts.Size = size
		}
		found, err = Populations(ctx, r, ids, opts)
		return err
	})
	return found, err
}

type populationParser struct {
	parser
	want  map[uint64]bool
	found map[ObjectID]*contained
	mu    sync.Mutex
	rows  []uint32 // wanted nodes, ascending
}

// edges counts the edges of the wanted nodes; all other blocks are passed over
// without parsing.
func (p *populationParser) edges() error {
	s := p.s
	p.found = map[ObjectID]*contained{}
	for i := range s.nodeType {
		if id := s.id.at(uint32(i)); p.want[id] {
			p.rows = append(p.rows, uint32(i))
			p.found[ObjectID(id)] = &contained{}
		}
	}
	want := p.h.EdgeCount * uint64(p.l.edgeFields)
	_, err := p.in.numbers("edges", want, func(b block) error {
		fields := uint64(p.l.edgeFields)
		firstRow := uint32(b.first / fields)
		// The first wanted node whose edges do not all end before this block.
		k := sort.Search(len(p.rows), func(k int) bool { return s.firstEdge[p.rows[k]+1] > firstRow })
		if k == len(p.rows) || uint64(s.firstEdge[p.rows[k]]) > firstRowOf(b, fields) {
			return nil
		}
		return p.countBlock(b, k)
	})
	return err
}

// firstRowOf is an upper bound of the last row that b touches: a number takes
// at least two bytes.
func firstRowOf(b block, fields uint64) uint64 {
	return (b.first + uint64(len(b.text))/minFieldBytes) / fields
}

func (p *populationParser) countBlock(b block, k int) error {
	s, l := p.s, p.l
	row, f := uint32(b.first/uint64(l.edgeFields)), int(b.first%uint64(l.edgeFields))
	// The block may begin inside a row. What is missing of it is counted as
	// unknown: one edge in a megabyte.
	var typ EdgeType = OtherEdge
	to := uint64(0)
	for i := 0; i < len(b.text); {
		if k == len(p.rows) {
			return nil
		}
		v, next, err := b.number("edges", i)
		if err != nil {
			return err
		}
		i = next
		switch f {
		case l.edgeType:
			if v < uint64(len(l.edgeTypes)) {
				typ = l.edgeTypes[v]
			}
		case l.edgeTo:
			to = v / uint64(l.nodeFields)
		}
		if f++; f < l.edgeFields {
			continue
		}
		f = 0
		for k < len(p.rows) && row >= s.firstEdge[p.rows[k]+1] {
			k++
		}
		if k < len(p.rows) && row >= s.firstEdge[p.rows[k]] && to < uint64(len(s.nodeType)) {
			p.mu.Lock()
			p.found[ObjectID(s.id.at(p.rows[k]))].add(s, typ, Node(to))
			p.mu.Unlock()
		}
		row++
	}
	return nil
}

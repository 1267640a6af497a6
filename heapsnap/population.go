package heapsnap

import (
	"context"
	"io"
	"maps"
	"slices"
	"sort"
	"sync"
)

// Population returns how many references n has to what it contains: its
// elements and properties or, if those are more, the references of its tables
// and arrays. An array's elements are so counted once, a Map's entries twice,
// as key and value; small integers are not counted, as they have no node, nor is
// V8's hole, see [Snapshot.Holes]. It is meant to be compared with the population
// of the same object in another snapshot.
func (s *Snapshot) Population(n Node) int {
	var c contained
	first, end := s.EdgeRange(n)
	for e := first; e < end; e++ {
		to := s.edgeTo[e]
		if !c.add(s, s.edgeType[e], to) {
			continue
		}
		for e := s.firstEdge[to]; e < s.firstEdge[to+1]; e++ {
			if s.hole(s.edgeTo[e]) {
				c.storage--
			}
		}
	}
	return c.population()
}

// Holes returns V8's values for "nothing is here": what the deleted entries of a
// Map's table and the free places of an array refer to. Before Node 22 they were
// oddballs, which snapshots leave out; since then a Map from which as much is
// deleted as is put in looked as if it grew.
func (s *Snapshot) Holes() []ObjectID {
	var ids []ObjectID
	for i := range s.nodeType {
		if s.hole(Node(i)) {
			ids = append(ids, s.ID(Node(i)))
		}
	}
	return ids
}

func (s *Snapshot) hole(n Node) bool {
	return s.nodeType[n] == Hidden && s.tags[s.nodeName[n]] == tagHole
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

// add counts an edge, and reports whether all references of its target count.
func (c *contained) add(s *Snapshot, t EdgeType, to Node) (storage bool) {
	switch t {
	case ElementEdge, PropertyEdge:
		c.direct++
	case InternalEdge:
		if s.nodeType[to] == Array {
			c.storage += int(s.firstEdge[to+1] - s.firstEdge[to])
			c.bytes += s.self.at(uint32(to))
			return true
		}
	}
	return false
}

func (c contained) population() int { return max(c.direct, c.storage) }

// OpenPopulations tells how full the objects of ids are in a file, which may be
// compressed: it keeps 9 bytes per node while it reads, and parses only the edges
// of the objects asked for. Objects that are not there are left out. holes are
// those of another snapshot of the process: they are the same in all.
func OpenPopulations(ctx context.Context, path string, ids, holes []ObjectID, opts Options) (map[ObjectID]Filling, error) {
	// Where tables and arrays stand is known when the objects that have them were
	// read, and they may stand before: what they have of holes takes a second
	// time.
	p := newPopulationParser(ids)
	if err := p.open(ctx, path, opts); err != nil {
		return nil, err
	}
	if len(holes) > 0 && len(p.storages) > 0 {
		again := newPopulationParser(holes)
		again.storages, again.nodes = p.storages, p.s
		if err := again.open(ctx, path, opts); err != nil {
			return nil, err
		}
	}
	counts := make(map[ObjectID]Filling, len(p.found))
	for id, c := range p.found {
		counts[id] = Filling{c.population(), c.bytes}
	}
	return counts, nil
}

// populationParser counts the references of wanted nodes or, where it is given
// their storages, those that the storages have to wanted nodes, and takes them
// off again.
type populationParser struct {
	parser
	want     map[uint64]bool
	may      bitset // of the wanted ids' middle bits, so that few are looked up
	found    map[ObjectID]*contained
	mu       sync.Mutex
	rows     []uint32                // nodes whose edges are counted, ascending
	storages map[uint32][]*contained // table or array -> what it is counted in
	holes    map[Node]bool           // wanted nodes, where storages are given
	texts    map[Node][]Node         // not nil to ask for text instead, see OpenTexts
	nodes    *Snapshot               // the file's nodes, where they were read before
}

func newPopulationParser(ids []ObjectID) *populationParser {
	p := &populationParser{want: map[uint64]bool{}, may: newBitset(1 << 16), found: map[ObjectID]*contained{}}
	for _, id := range ids {
		p.want[uint64(id)] = true
		p.may.add(middle(uint64(id)))
	}
	return p
}

func middle(id uint64) Node { return Node(id >> 1 & (1<<16 - 1)) } // of V8's, the last bit is 1

func (p *populationParser) wanted(i int) bool {
	id := p.s.id.at(uint32(i))
	return p.may.has(middle(id)) && p.want[id]
}

func (p *populationParser) open(ctx context.Context, path string, opts Options) error {
	_, err := withFile(path, nil, func(r io.Reader, size int64) error {
		if opts.Size == 0 {
			opts.Size = size
		}
		return p.read(ctx, r, opts)
	})
	return err
}

func (p *populationParser) read(ctx context.Context, r io.Reader, opts Options) error {
	p.parser = parser{in: newInput(ctx, r, opts.Progress), opts: opts, population: p}
	return p.sections()
}

// edges counts edges; blocks that have none of those are passed over without
// parsing.
func (p *populationParser) edges() error {
	s := p.s
	if p.texts != nil {
		p.textRows()
	} else if p.storages == nil {
		p.storages = map[uint32][]*contained{}
		for i := range s.nodeType {
			if p.wanted(i) {
				p.rows = append(p.rows, uint32(i))
				p.found[s.ID(Node(i))] = &contained{}
			}
		}
	} else {
		p.rows = slices.Sorted(maps.Keys(p.storages))
		p.holes = map[Node]bool{}
		for i := range s.nodeType {
			if p.wanted(i) {
				p.holes[Node(i)] = true
			}
		}
	}
	want := p.h.EdgeCount * uint64(p.l.edgeFields)
	_, err := p.in.numbers("edges", want, func(b *block) error {
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
func firstRowOf(b *block, fields uint64) uint64 {
	return (b.first + uint64(len(b.text))/minFieldBytes) / fields
}

func (p *populationParser) countBlock(b *block, k int) error {
	s, l := p.s, p.l
	row, f := uint32(b.first/uint64(l.edgeFields)), int(b.first%uint64(l.edgeFields))
	// The block may begin inside a row. What is missing of it is counted as
	// unknown: one edge in a block.
	var typ EdgeType = OtherEdge
	to := uint64(0)
	for {
		values, _, err := b.next("edges")
		if len(values) == 0 {
			return err
		}
		for _, v := range values {
			if k == len(p.rows) {
				return nil
			}
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
				p.count(p.rows[k], typ, Node(to))
			}
			row++
		}
	}
}

// count is called by several goroutines.
func (p *populationParser) count(from uint32, t EdgeType, to Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.texts != nil {
		p.noteText(from, t, to)
		return
	}
	if p.holes == nil {
		c := p.found[ObjectID(p.s.id.at(from))]
		if c.add(p.s, t, to) {
			p.storages[uint32(to)] = append(p.storages[uint32(to)], c)
		}
		return
	}
	if p.holes[to] {
		for _, c := range p.storages[from] {
			c.storage--
		}
	}
}

package heapsnap

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// Options say how to read. The zero value reads everything and tells nothing.
type Options struct {
	// Progress is called now and then with the number of bytes read (of the
	// uncompressed input) while reading.
	Progress func(read int64)
	// Size is the size of the uncompressed input if it is known: counts in the
	// header that cannot fit are then refused before memory is taken.
	Size int64
	// Salvage reads an input that ends too early as far as it goes, see
	// [Snapshot.Salvaged]. [OpenPopulations] knows nothing of it.
	Salvage bool
	// NoHandles leaves out of account that V8's own code refers to an object at the
	// moment, where something else does, too: for who is to say what holds the heap.
	// DevTools counts such references.
	NoHandles bool
	// Indexes is where [Open] and [OpenSummary] look for what was kept of the
	// file, nil for nowhere. Not for standard input and not with Salvage or
	// NoHandles.
	Indexes *Indexes
}

// minRowBytes is the least a row can take in the file: a digit and a comma per
// field.
const minFieldBytes = 2

// parser fills the columns of one snapshot.
type parser struct {
	in   *input
	opts Options
	h    *header
	l    *layout
	s    *Snapshot

	nodesRead, edgesRead uint64 // numbers
	nodesWhole           bool   // the nodes were read to their end

	idsOnly    bool              // fill ids and sizes only, and stop behind the nodes
	population *populationParser // stop behind the edges, which it counts
	maxString  atomic.Uint32
	mu         sync.Mutex
	unchecked  []int // edges whose name was read before its type: at most one in a block, as V8 writes them
	nodeRole   []role
	edgeRole   []role
}

// role is what a field of a row is to us.
type role uint8

const (
	ignore role = iota
	roleType
	roleName
	roleID
	roleSelf
	roleEdges
	roleDetach
	roleTrace
	roleTo
)

// Read reads a snapshot's JSON from r, to its end. A reader whose text is no
// snapshot gives a [*SyntaxError], one that ends early also wraps
// [ErrTruncated]; errors of r come back as they are. Compressed input is for
// [Open] and [Decompress].
func Read(ctx context.Context, r io.Reader, opts Options) (*Snapshot, error) {
	p := newParser(ctx, r, opts)
	if err := p.sections(); err != nil && !p.salvage(err) {
		return nil, err
	}
	if err := p.check(); err != nil {
		return p.s, err
	}
	if opts.NoHandles {
		p.s.dropHandles()
	}
	return p.s, nil
}

func newParser(ctx context.Context, r io.Reader, opts Options) *parser {
	if opts.Salvage {
		r = cutReader{r}
	}
	p := &parser{in: newInput(ctx, r, opts.Progress), opts: opts}
	p.in.salvage = opts.Salvage
	return p
}

// snapshotStart is what a file that is no snapshot lacks first.
const snapshotStart = "the { of a heap snapshot's JSON"

// sections reads the members of the outer object. V8 writes them in one order
// and so can a reader rely on it: the header tells how long the rest is.
func (p *parser) sections() error {
	in := p.in
	c, err := in.peek("header", snapshotStart)
	if err != nil {
		return err
	}
	if c != '{' {
		return in.bad("header", snapshotStart, c)
	}
	in.pos++
	for first := true; ; first = false {
		c, err := in.peek("end", "a key or }")
		if err != nil {
			return p.missing(err)
		}
		if c == '}' {
			in.pos++
			return nil
		}
		if !first {
			if err := in.expect("end", ','); err != nil {
				return err
			}
		}
		at := in.offset()
		key, err := in.key("end")
		if err != nil {
			return p.missing(err)
		}
		if p.h == nil && key != "snapshot" {
			return &SyntaxError{"header", at, `a heap snapshot's key "snapshot" first`, fmt.Sprintf("%q", key)}
		}
		switch key {
		case "snapshot":
			err = p.header()
		case "nodes":
			if p.population != nil && p.population.nodes != nil {
				p.s = p.population.nodes
				err = in.skipNumbers(key)
			} else if err = p.nodes(); err == nil && p.idsOnly {
				return nil
			}
		case "edges":
			if p.population != nil {
				return p.population.edges()
			}
			err = p.edges()
		case "trace_function_infos", "trace_tree", "samples":
			err = p.allocations(key)
		case "locations":
			err = p.locations()
		case "strings":
			p.s.strings, err = in.strings(p.opts.Size - in.offset())
		default:
			err = in.skip(key)
		}
		if err != nil {
			return err
		}
	}
}

// missing tells of an input that ends between two sections.
func (p *parser) missing(err error) error {
	if _, ok := err.(*truncatedError); !ok {
		return err
	}
	next := "}"
	switch {
	case p.h == nil:
		next = "header"
	case p.s.nodeType == nil:
		next = "nodes"
	case p.s.edgeTo == nil:
		next = "edges"
	case p.s.strings == nil:
		next = "strings"
	}
	return truncated(next, p.in.offset(), "this section")
}

func (p *parser) header() error {
	at := p.in.offset()
	raw, err := p.in.value("header", 16<<20)
	if err != nil {
		return err
	}
	p.h, p.l, err = parseHeader(raw, at)
	if err != nil {
		return err
	}
	h, l := p.h, p.l
	need := h.NodeCount*uint64(l.nodeFields)*minFieldBytes + h.EdgeCount*uint64(l.edgeFields)*minFieldBytes
	if p.opts.Size > 0 && need > uint64(p.opts.Size) && !p.opts.Salvage {
		return &truncatedError{SyntaxError{"header", at,
			fmt.Sprintf("a file of at least %d bytes, for its node_count %d and edge_count %d", need, h.NodeCount, h.EdgeCount),
			fmt.Sprintf("%d bytes (cut short: was its writer killed?)", p.opts.Size)}}
	}
	p.nodeRole = make([]role, l.nodeFields)
	p.edgeRole = make([]role, l.edgeFields)
	for r, at := range map[role]int{roleType: l.nodeType, roleName: l.nodeName, roleID: l.nodeID,
		roleSelf: l.nodeSelf, roleEdges: l.nodeEdges, roleDetach: l.nodeDetach} {
		if at >= 0 && (!p.idsOnly || r == roleType || r == roleID || r == roleSelf) {
			p.nodeRole[at] = r
		}
	}
	if at := slices.Index(h.Meta.NodeFields, "trace_node_id"); at >= 0 && p.tracked() {
		p.nodeRole[at] = roleTrace
	}
	for r, at := range map[role]int{roleType: l.edgeType, roleName: l.edgeName, roleTo: l.edgeTo} {
		p.edgeRole[at] = r
	}
	p.s = &Snapshot{
		extraNative:        h.ExtraNativeBytes,
		allocationTracking: h.TraceFunctionCount > 0,
		unknownNodeTypes:   l.unknownNodeTypes,
		unknownEdgeTypes:   l.unknownEdgeTypes,
	}
	return nil
}

func (p *parser) nodes() error {
	s, n := p.s, p.room(p.h.NodeCount, p.l.nodeFields)
	at := p.in.offset()
	p.inSteps(n, p.l.nodeFields, func(rows int) {
		s.id.low, s.self.low = grown(s.id.low, rows), grown(s.self.low, rows)
		s.nodeType = grown(s.nodeType, rows)
		if p.idsOnly {
			return
		}
		s.nodeName = grown(s.nodeName, rows)
		s.firstEdge = grown(s.firstEdge, rows+1)
		if p.l.nodeDetach >= 0 {
			s.detached = grown(s.detached, rows)
		}
		if p.tracked() {
			s.trackAllocations(rows)
		}
	})
	want := p.h.NodeCount * uint64(p.l.nodeFields)
	got, err := p.in.numbers("nodes", uint64(n*p.l.nodeFields), p.nodeBlock)
	if p.nodesRead = got; err != nil {
		return err
	}
	if got != want {
		return p.wrongCount("nodes", got, want, p.h.NodeCount, p.l.nodeFields)
	}
	if p.idsOnly {
		return nil
	}
	// firstEdge[i+1] holds the edge count of node i so far.
	var sum uint64
	for i := 1; i <= n; i++ {
		sum += uint64(s.firstEdge[i])
		if sum > p.h.EdgeCount {
			return &SyntaxError{"nodes", at, fmt.Sprintf("edge counts that add up to %d, as the header says", p.h.EdgeCount),
				fmt.Sprintf("%d at node %d", sum, i-1)}
		}
		s.firstEdge[i] = uint32(sum)
	}
	if sum != p.h.EdgeCount {
		return &SyntaxError{"nodes", at, fmt.Sprintf("edge counts that add up to %d, as the header says", p.h.EdgeCount),
			fmt.Sprintf("%d", sum)}
	}
	p.nodesWhole = true
	return nil
}

// firstRows is how many rows columns have before anything of them was read, if
// the input's size does not tell that it can hold what the header promises.
var firstRows = 1 << 20 // less in tests

// inSteps calls columns with the number of rows that they are to have: all at
// once where the input's size is known, as the header was held to it then. Else
// few, and four times as many whenever those are read, so that a header that
// promises a lot costs nothing.
func (p *parser) inSteps(all, fields int, columns func(rows int)) {
	p.in.grow, p.in.room = nil, 0
	rows := all
	if p.opts.Size == 0 && all > firstRows {
		rows = firstRows
		p.in.room = uint64(rows * fields)
		p.in.grow = func(numbers uint64) uint64 {
			rows = min(all, max(4*rows, int(numbers/uint64(fields))+1))
			columns(rows)
			return uint64(rows) * uint64(fields)
		}
	}
	columns(rows)
}

// grown returns the column with n rows.
func grown[T any](column []T, n int) []T {
	to := newColumn[T](n)
	// Not make and copy in a row: Go then clears what is not copied, all of it here
	// and on one core, and not the system when it is written to.
	if len(column) > 0 {
		copy(to, column)
	}
	return to
}

func (p *parser) wrongCount(section string, got, want, rows uint64, fields int) error {
	return &SyntaxError{section, p.in.offset(), fmt.Sprintf("%d numbers (%d rows of %d, as the header says)", want, rows, fields),
		fmt.Sprintf("%d", got)}
}

// nodeBlock writes the numbers of a block into the node columns, some hundreds at
// a time and column by column: a loop per column has no switch per number.
func (p *parser) nodeBlock(b *block) error {
	const section = "nodes"
	var (
		s         = p.s
		maxString uint32
	)
	for {
		values, first, err := b.next(section)
		if len(values) == 0 {
			p.sawString(maxString)
			return err
		}
		for f, role := range p.nodeRole {
			c := columnOfBlock(values, first, f, len(p.nodeRole))
			switch role {
			case roleType:
				for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
					v := values[i]
					if v >= uint64(len(p.l.nodeTypes)) {
						return b.wrong(section, first+uint64(i), fmt.Sprintf("a node type below %d", len(p.l.nodeTypes)), v)
					}
					s.nodeType[row] = p.l.nodeTypes[v]
				}
			case roleName:
				for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
					v := values[i]
					if v > maxCount {
						return b.wrong(section, first+uint64(i), "the number of a string", v)
					}
					maxString = max(maxString, uint32(v))
					s.nodeName[row] = uint32(v)
				}
			case roleID:
				c.fill(&s.id, values)
			case roleSelf:
				c.fill(&s.self, values)
			case roleEdges:
				for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
					v := values[i]
					if v > p.h.EdgeCount {
						return b.wrong(section, first+uint64(i), fmt.Sprintf("an edge count of at most %d", p.h.EdgeCount), v)
					}
					s.firstEdge[row+1] = uint32(v)
				}
			case roleDetach:
				for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
					s.detached[row] = uint8(values[i])
				}
			case roleTrace:
				for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
					s.allocation.made[row] = uint32(values[i])
				}
			}
		}
	}
}

// A blockColumn tells which of some numbers in a row are those of one field.
type blockColumn struct {
	start int // the first of them
	step  int
	row   int // whose field that is
}

// columnOfBlock returns which of values are of field f of fields, when first is
// the index of values[0] in the section.
func columnOfBlock(values []uint64, first uint64, f, fields int) blockColumn {
	start := (f + fields - int(first%uint64(fields))) % fields
	return blockColumn{start, fields, int((first + uint64(start)) / uint64(fields))}
}

// fill writes the column's values into a wide column.
func (c blockColumn) fill(to *wideColumn, values []uint64) {
	for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
		if v := values[i]; v < wideMark {
			to.low[row] = uint32(v)
		} else {
			to.set(uint32(row), v)
		}
	}
}

func (p *parser) sawString(v uint32) {
	for {
		old := p.maxString.Load()
		if v <= old || p.maxString.CompareAndSwap(old, v) {
			return
		}
	}
}

func (p *parser) nameUnchecked(edge int) {
	p.mu.Lock()
	p.unchecked = append(p.unchecked, edge)
	p.mu.Unlock()
}

func (p *parser) edges() error {
	s := p.s
	if s.nodeType == nil {
		return &SyntaxError{"edges", p.in.offset(), "the nodes before the edges", "edges first"}
	}
	n := p.room(p.h.EdgeCount, p.l.edgeFields)
	p.inSteps(n, p.l.edgeFields, func(rows int) {
		s.edgeType = grown(s.edgeType, rows)
		s.edgeName = grown(s.edgeName, rows)
		s.edgeTo = grown(s.edgeTo, rows)
	})
	want := p.h.EdgeCount * uint64(p.l.edgeFields)
	got, err := p.in.numbers("edges", uint64(n*p.l.edgeFields), p.edgeBlock)
	if p.edgesRead = got; err != nil {
		return err
	}
	if got != want {
		return p.wrongCount("edges", got, want, p.h.EdgeCount, p.l.edgeFields)
	}
	return nil
}

// edgeBlock writes the numbers of a block into the edge columns, as nodeBlock does.
func (p *parser) edgeBlock(b *block) error {
	const section = "edges"
	var (
		s         = p.s
		fields    = len(p.edgeRole)
		nodes     = uint64(len(s.nodeType))
		by        = divisor(uint64(p.l.nodeFields))
		maxString uint32
		named     [edgeTypeCount]uint32 // edge type -> all ones if its name is a string
		// The first row whose type is in this block: what the name of the one before
		// means is not known here.
		typed = int((b.first + uint64(fields-1-p.l.edgeType)) / uint64(fields))
	)
	for t := range edgeTypeCount {
		if !t.indexed() {
			named[t] = 1<<32 - 1
		}
	}
	for {
		values, first, err := b.next(section)
		if len(values) == 0 {
			p.sawString(maxString)
			return err
		}
		c := columnOfBlock(values, first, p.l.edgeType, fields)
		for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
			v := values[i]
			if v >= uint64(len(p.l.edgeTypes)) {
				return b.wrong(section, first+uint64(i), fmt.Sprintf("an edge type below %d", len(p.l.edgeTypes)), v)
			}
			s.edgeType[row] = p.l.edgeTypes[v]
		}
		c = columnOfBlock(values, first, p.l.edgeName, fields)
		for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
			v := values[i]
			if v > wideMark {
				return b.wrong(section, first+uint64(i), "a name or index below 2^32", v)
			}
			s.edgeName[row] = uint32(v)
			if row < typed || p.l.edgeType > p.l.edgeName {
				p.nameUnchecked(row)
				continue
			}
			maxString = max(maxString, uint32(v)&named[s.edgeType[row]])
		}
		c = columnOfBlock(values, first, p.l.edgeTo, fields)
		for i, row := c.start, c.row; i < len(values); i, row = i+c.step, row+1 {
			to := by.quotient(values[i])
			if to >= nodes {
				return b.wrong(section, first+uint64(i),
					fmt.Sprintf("a to_node below %d that is a multiple of %d", nodes*uint64(p.l.nodeFields), p.l.nodeFields), values[i])
			}
			s.edgeTo[row] = Node(to)
		}
	}
}

// An exactDivisor divides numbers that have to be multiples: one multiplication,
// and numbers that are none become larger than any quotient (T. Granlund and P.
// Montgomery, "Division by Invariant Integers using Multiplication", 9).
type exactDivisor struct {
	inverse uint64 // of the odd part, modulo 2^64
	shift   int    // the part that is a power of two
}

func divisor(d uint64) exactDivisor {
	shift := bits.TrailingZeros64(d)
	odd := d >> shift
	inverse := odd // right in its last 3 bits; each step doubles them
	for range 5 {
		inverse *= 2 - odd*inverse
	}
	return exactDivisor{inverse, shift}
}

func (d exactDivisor) quotient(v uint64) uint64 { return bits.RotateLeft64(v*d.inverse, -d.shift) }

// locations fills the location columns. The number of rows is not in the
// header, and a row may stand in two blocks.
func (p *parser) locations() error {
	const section = "locations"
	l := p.l
	if l.locObject < 0 || l.locScript < 0 || l.locLine < 0 || l.locColumn < 0 {
		return p.in.skip(section)
	}
	fields := uint64(l.locFields)
	rows := len(p.s.nodeType)
	if rows == 0 { // V8 writes the nodes first
		if rows = p.room(p.h.NodeCount, p.l.nodeFields); p.opts.Size == 0 && rows > firstRows {
			return &SyntaxError{section, p.in.offset(), "the nodes before the locations, in an input of unknown size", "locations first"}
		}
	}
	p.s.place = newColumn[uint32](rows)
	table := newPlaceTable(p.s)
	var (
		mu    sync.Mutex
		split = map[uint64][]uint64{} // row -> its numbers, for rows in two blocks
	)
	keep := func(row uint64, f int, v uint64) {
		mu.Lock()
		defer mu.Unlock()
		if split[row] == nil {
			split[row] = make([]uint64, fields)
		}
		split[row][f] = v
	}
	store := func(row []uint64, known *placeCache) {
		// An object_index that is no node's is kept by nobody: DevTools has it
		// in its map and never finds it (HS:3190).
		object := row[l.locObject]
		if object%uint64(l.nodeFields) != 0 || object/uint64(l.nodeFields) >= uint64(len(p.s.place)) {
			return
		}
		at := spot{uint32(row[l.locScript]), uint32(row[l.locLine]), uint32(row[l.locColumn])}
		p.s.place[object/uint64(l.nodeFields)] = known.number(at)
	}
	count, err := p.in.numbers(section, 1<<62, func(b *block) error {
		row, f := b.first/fields, int(b.first%fields)
		of := make([]uint64, fields)
		known := &placeCache{table: table}
		whole := f == 0
		for {
			values, _, err := b.next(section)
			if err != nil {
				return err
			}
			if len(values) == 0 {
				break
			}
			for _, v := range values {
				if of[f] = v; !whole {
					keep(row, f, v)
				}
				if f++; f < int(fields) {
					continue
				}
				if whole {
					store(of, known)
				}
				f, whole = 0, true
				row++
			}
		}
		for k := range f {
			keep(row, k, of[k])
		}
		return nil
	})
	if err != nil {
		return err
	}
	if count%fields != 0 {
		return &SyntaxError{section, p.in.offset(), fmt.Sprintf("rows of %d numbers", fields), fmt.Sprintf("%d numbers", count)}
	}
	known := &placeCache{table: table}
	for _, row := range split {
		store(row, known)
	}
	return nil
}

// check holds what only shows when everything is read.
func (p *parser) check() error {
	s, at := p.s, p.in.offset()
	switch {
	case s == nil:
		return &SyntaxError{"header", at, `the key "snapshot"`, "none"}
	case s.nodeType == nil:
		return &SyntaxError{"nodes", at, "this section", "none"}
	case s.edgeTo == nil:
		return &SyntaxError{"edges", at, "this section", "none"}
	case s.strings == nil:
		return &SyntaxError{"strings", at, "this section", "none"}
	}
	limit := uint32(s.strings.count())
	if top := p.maxString.Load(); top >= limit {
		return &SyntaxError{"strings", at, fmt.Sprintf("at least %d strings, as a name refers to string %d", uint64(top)+1, top), fmt.Sprint(limit)}
	}
	for _, e := range p.unchecked {
		if name := s.edgeName[e]; name >= limit && !s.edgeType[e].indexed() {
			return &SyntaxError{"edges", at, fmt.Sprintf("names below %d, the number of strings", limit), fmt.Sprint(name)}
		}
	}
	root := p.h.RootIndex / uint64(p.l.nodeFields)
	if root != 0 && root != p.h.NodeCount-1 {
		return &SyntaxError{"header", at, "a root_index that is the first or the last node", fmt.Sprint(p.h.RootIndex)}
	}
	s.root = Node(root)
	s.prepare()
	return nil
}

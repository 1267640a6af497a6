package heapsnap

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"time"
)

// A Sample is a point of an allocation timeline: V8 writes down now and then
// how far its ids have got.
type Sample struct {
	Time   time.Duration // since tracking began
	LastID ObjectID      // the greatest id given by then
	Size   uint64        // of the objects that got their id since the sample before and are still there
}

// An Allocator is a function that made objects while allocations were tracked.
// Of a recursive function every call counts once, as its callees' objects are
// not counted with it.
type Allocator struct {
	Function         string
	Place            Location // where it is written; line 0 if V8 did not know
	Count, LiveCount int      // objects made, and those of them still there
	Size, LiveSize   uint64   // bytes made, and the shallow sizes of those still there
}

// A Frame is a function in the stack that made an object.
type Frame struct {
	Function string
	Place    Location
}

// allocation holds what a snapshot knows of allocations. It is nil when
// neither samples nor traces were recorded.
type allocation struct {
	sampleTime, sampleID []uint64

	functions []traceFunction
	trace     []traceNode // rows of the trace tree, parents before children
	made      []uint32    // node -> id of the trace node that made it, 0 for none; nil without tracking
}

type traceFunction struct{ name, script, scriptID, line, column uint64 }

type traceNode struct {
	id, function, count, size uint64
	parent                    int32 // into trace, -1 of the root
}

// Samples returns the allocation timeline, or nil if none was recorded. Objects
// that the embedder made, and those after the last sample, are in none of them:
// HS:3163.
func (s *Snapshot) Samples() []Sample {
	a := s.allocation
	if a == nil || len(a.sampleID) == 0 {
		return nil
	}
	s.shallowOnce.Do(s.transferShallowSizes)
	samples := make([]Sample, len(a.sampleID))
	for i := range samples {
		samples[i].Time = time.Duration(min(a.sampleTime[i], 1<<53)) * time.Microsecond
		samples[i].LastID = ObjectID(a.sampleID[i])
	}
	for i := range s.nodeType {
		id := s.id.at(uint32(i))
		if id%2 == 0 {
			continue
		}
		if at := sort.Search(len(samples), func(k int) bool { return a.sampleID[k] >= id }); at < len(samples) {
			samples[at].Size += s.self.at(uint32(i))
		}
	}
	return samples
}

// AllocationProfile returns the functions that made objects, by the bytes they
// made, most first, or nil if allocations were not tracked:
// AllocationProfile.ts, serializeTraceTops. Trace nodes of functions that the
// file does not have, as V8 writes them when a stream's reader itself
// allocates, are left out.
func (s *Snapshot) AllocationProfile() []Allocator {
	a := s.allocation
	if a == nil || a.made == nil {
		return nil
	}
	s.shallowOnce.Do(s.transferShallowSizes)
	type live struct {
		count int
		size  uint64
	}
	lives := map[uint32]live{}
	for i, id := range a.made {
		l := lives[id]
		lives[id] = live{l.count + 1, l.size + s.self.at(uint32(i))}
	}
	sums := make([]Allocator, len(a.functions))
	for _, n := range a.trace {
		if n.count == 0 || n.function >= uint64(len(sums)) {
			continue
		}
		f := &sums[n.function]
		f.Count += int(n.count)
		f.Size += n.size
		if n.id < wideMark {
			l := lives[uint32(n.id)]
			f.LiveCount += l.count
			f.LiveSize += l.size
		}
	}
	var all []Allocator
	for i, f := range sums {
		if f.Count == 0 {
			continue
		}
		frame := s.frame(uint64(i))
		f.Function, f.Place = frame.Function, frame.Place
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Allocator) int {
		switch {
		case a.Size > b.Size:
			return -1
		case a.Size < b.Size:
			return 1
		}
		return 0
	})
	return all
}

// AllocationStack returns the functions that were being called when n was made,
// the innermost first, or nil if that is not known.
func (s *Snapshot) AllocationStack(n Node) []Frame {
	a := s.allocation
	if a == nil || a.made == nil || a.made[n] == 0 {
		return nil
	}
	id := uint64(a.made[n])
	at := int32(-1)
	for i := range a.trace { // of two trace nodes with one id DevTools keeps the last
		if a.trace[i].id == id {
			at = int32(i)
		}
	}
	var stack []Frame
	for ; at >= 0; at = a.trace[at].parent {
		if f := a.trace[at].function; f < uint64(len(a.functions)) {
			stack = append(stack, s.frame(f))
		}
	}
	return stack
}

// frame is the function with a number that the file has.
func (s *Snapshot) frame(number uint64) Frame {
	f := s.allocation.functions[number]
	text := func(i uint64) string {
		if i >= uint64(s.strings.count()) {
			return ""
		}
		return s.strings.at(uint32(i))
	}
	return Frame{text(f.name), Location{ScriptID: uint32(f.scriptID), Script: text(f.script), Line: int(f.line), Column: int(f.column)}}
}

// tracked reports whether the file says which function made an object, and
// whether we want to know.
func (p *parser) tracked() bool {
	return p.h.TraceFunctionCount > 0 && !p.idsOnly && p.population == nil
}

func (s *Snapshot) trackAllocations(nodes int) {
	if s.allocation == nil {
		s.allocation = &allocation{}
	}
	s.allocation.made = grown(s.allocation.made, nodes)
}

// allocations reads one of the sections trace_function_infos, trace_tree and
// samples. The first two are passed over in a snapshot without tracking.
func (p *parser) allocations(section string) error {
	m := &p.h.Meta
	tracking := p.tracked()
	a := p.s.allocation
	if a == nil {
		a = &allocation{}
	}
	switch {
	case section == "samples":
		at := fieldsAt(m.SampleFields, "timestamp_us", "last_assigned_id")
		if at == nil {
			return p.in.skip(section)
		}
		err := p.in.rows(section, len(m.SampleFields), func(row []uint64) {
			a.sampleTime = append(a.sampleTime, row[at[0]])
			a.sampleID = append(a.sampleID, row[at[1]])
		})
		if len(a.sampleID) > 0 {
			p.s.allocation = a
		}
		return err
	case section == "trace_function_infos" && tracking:
		at := fieldsAt(m.TraceFunctionInfoFields, "name", "script_name", "script_id", "line", "column")
		if at == nil {
			return p.in.skip(section)
		}
		p.s.allocation = a
		return p.in.rows(section, len(m.TraceFunctionInfoFields), func(row []uint64) {
			a.functions = append(a.functions, traceFunction{row[at[0]], row[at[1]], row[at[2]], row[at[3]], row[at[4]]})
		})
	case section == "trace_tree" && tracking:
		at := fieldsAt(m.TraceNodeFields, "id", "function_info_index", "count", "size", "children")
		if at == nil {
			return p.in.skip(section)
		}
		p.s.allocation = a
		return p.in.traceTree(at, len(m.TraceNodeFields), a)
	}
	return p.in.skip(section)
}

// fieldsAt returns where names stand in fields, or nil if one is not there.
func fieldsAt(fields []string, names ...string) []int {
	var at []int
	for _, name := range names {
		i := slices.Index(fields, name)
		if i < 0 {
			return nil
		}
		at = append(at, i)
	}
	return at
}

// rows consumes an array of numbers and yields rows of width of them; add must
// not keep row. The section is small: nothing here is fast.
func (in *input) rows(section string, width int, add func(row []uint64)) error {
	if err := in.expect(section, '['); err != nil {
		return err
	}
	row := make([]uint64, 0, width)
	for first := true; ; first = false {
		c, err := in.peek(section, "a number or ]")
		if err != nil {
			return err
		}
		if c == ']' {
			if in.pos++; len(row) > 0 {
				return &SyntaxError{section, in.offset(), fmt.Sprintf("rows of %d numbers", width), fmt.Sprintf("a row of %d", len(row))}
			}
			return nil
		}
		if !first {
			if err := in.expect(section, ','); err != nil {
				return err
			}
		}
		v, err := in.uint(section)
		if err != nil {
			return err
		}
		if row = append(row, v); len(row) == width {
			add(row)
			row = row[:0]
		}
	}
}

// uint consumes a number that something follows.
func (in *input) uint(section string) (uint64, error) {
	c, err := in.peek(section, "a number")
	if err != nil {
		return 0, err
	}
	if c < '0' || c > '9' {
		return 0, in.bad(section, "a number", c)
	}
	var v uint64
	for digits := 0; ; {
		for in.pos < len(in.buf) {
			c := in.buf[in.pos] - '0'
			if c > 9 {
				return v, nil
			}
			if digits++; digits > 19 {
				return 0, &SyntaxError{section, in.offset(), "a number of at most 19 digits", "a longer one"}
			}
			v = v*10 + uint64(c)
			in.pos++
		}
		if err := in.more(); err == io.EOF {
			return 0, truncated(section, in.offset(), "the rest of a number")
		} else if err != nil {
			return 0, err
		}
	}
}

// traceTree consumes the trace tree: rows of width fields, of which one is an
// array of such rows. It nests as deep as the program's stack did.
func (in *input) traceTree(at []int, width int, a *allocation) error {
	const section = "trace_tree"
	const maxTraces = 1<<31 - 2
	children := at[4]
	type level struct {
		parent int32 // the trace node whose children these are, -1 of the root
		row    int32 // the one being read
		field  int   // its next field
	}
	if err := in.expect(section, '['); err != nil {
		return err
	}
	stack := []level{{parent: -1}}
	first := true // nothing stands between here and the last [
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		c, err := in.peek(section, "a number, a bracket or a comma")
		if err != nil {
			return err
		}
		if c == ']' {
			if top.field != 0 {
				return in.bad(section, fmt.Sprintf("rows of %d fields", width), c)
			}
			in.pos++
			stack = stack[:len(stack)-1]
			first = false
			continue
		}
		if !first {
			if err := in.expect(section, ','); err != nil {
				return err
			}
		}
		if first = false; top.field == 0 {
			if len(a.trace) == maxTraces {
				return in.bad(section, fmt.Sprintf("at most %d trace nodes", maxTraces), c)
			}
			top.row = int32(len(a.trace))
			a.trace = append(a.trace, traceNode{parent: top.parent})
		}
		row, field := top.row, top.field
		top.field = (top.field + 1) % width
		if field == children {
			if err := in.expect(section, '['); err != nil {
				return err
			}
			stack = append(stack, level{parent: row})
			first = true
			continue
		}
		v, err := in.uint(section)
		if err != nil {
			return err
		}
		switch n := &a.trace[row]; field {
		case at[0]:
			n.id = v
		case at[1]:
			n.function = v
		case at[2]:
			n.count = v
		case at[3]:
			n.size = v
		}
	}
	return nil
}

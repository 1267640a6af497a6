package heapsnap

import (
	"context"
	"io"
	"slices"
	"sync"
)

// Identities is what a comparison needs of an earlier snapshot: which objects
// were there, of which type, and their self sizes. It takes 4 bytes per node and
// a quarter byte per id up to the greatest, 9 per node while it is read, and the
// types of a sample. It may be asked by several goroutines.
type Identities struct {
	id    wideColumn // in file order; sorted when sort was called
	order sync.Once  // see sort
	even  []uint32   // the embedder's of id, sorted
	count int
	bytes uint64
	maxID ObjectID              // the greatest odd id
	types map[ObjectID]NodeType // of a sample of V8's objects, see SameProcess
	kinds []uint8               // of V8's objects, two in a byte by id, see kindOf; nil for not known
}

// ReadIdentities reads the nodes of a snapshot from r and stops behind them:
// what follows is neither read nor checked.
func ReadIdentities(ctx context.Context, r io.Reader, opts Options) (*Identities, error) {
	p := newParser(ctx, r, opts)
	p.idsOnly = true
	err := p.sections()
	if err != nil && !p.salvage(err) {
		return nil, err
	}
	if p.s == nil || p.s.id.low == nil {
		return nil, &SyntaxError{"nodes", p.in.offset(), "this section", "none"}
	}
	return newIdentities(&p.s.id, &p.s.self, p.s.nodeType, err == nil), nil
}

// Identities returns the identities of s.
func (s *Snapshot) Identities() *Identities {
	s.shallowOnce.Do(s.transferShallowSizes) // or it may be under way
	id := wideColumn{low: slices.Clone(s.id.low), high: s.id.high}
	return newIdentities(&id, &s.self, s.nodeType, s.salvaged == nil)
}

// sampled reports whether an object is in the sample of types: one in 32.
func sampled(id ObjectID) bool { return id&63 == 1 }

// newIdentities takes columns of all nodes or, of a file that was cut, of what is
// left of them.
func newIdentities(id, self *wideColumn, types []NodeType, whole bool) *Identities {
	ids := &Identities{count: len(id.low), types: make(map[ObjectID]NodeType, len(types)/32)}
	for i := range id.low {
		ids.bytes += self.at(uint32(i))
		v := ObjectID(id.at(uint32(i)))
		switch {
		case v&1 == 1:
			ids.maxID = max(ids.maxID, v)
			if sampled(v) {
				ids.types[v] = types[i]
			}
		case v < wideMark:
			ids.even = append(ids.even, uint32(v))
		}
	}
	slices.Sort(ids.even)
	if whole {
		ids.noteKinds(types, id)
	}
	// Ids of 2^32 and more are all wideMark in low; has looks in high for them.
	high := make(map[uint32]uint64, len(id.high))
	n := uint32(0)
	for _, v := range id.high {
		high[n] = v
		n++
	}
	ids.id.low, ids.id.high = id.low, high
	return ids
}

// Has reports whether the object was in the snapshot.
func (ids *Identities) Has(id ObjectID) bool {
	if id >= wideMark {
		for _, v := range ids.id.high {
			if v == uint64(id) {
				return true
			}
		}
		return false
	}
	if id&1 == 0 { // the embedder's, of which there are few
		_, ok := slices.BinarySearch(ids.even, uint32(id))
		return ok
	}
	// Of V8's nobody asks but tests: MaxID tells of nearly all.
	ids.order.Do(func() { slices.Sort(ids.id.low) })
	_, ok := slices.BinarySearch(ids.id.low, uint32(id))
	return ok
}

// sparse is from how many times as many ids as objects on types are not kept:
// nearly all are of what is gone, or the file is none of V8's.
const sparse = 32

// noteKinds notes the types by id.
func (ids *Identities) noteKinds(types []NodeType, id *wideColumn) {
	if uint64(ids.maxID) > sparse*uint64(ids.count)+1<<16 {
		return
	}
	ids.kinds = make([]uint8, ids.maxID/4+1)
	for i := range id.low {
		if v := id.at(uint32(i)); v&1 == 1 {
			ids.kinds[v/4] |= kindOf(types[i]) << (v & 2 * 2)
		}
	}
}

// kindOf is the type as far as an object keeps it for ever, in four bits and never
// 0: V8 flattens ropes in place, and the rare types are one.
func kindOf(t NodeType) uint8 {
	switch {
	case t.IsString():
		t = String
	case t > ObjectShape:
		t = ConsString
	}
	return uint8(t) + 1
}

// Is reports whether the object with this odd id was in the snapshot, for what is
// known. Where an object of another type was, it is not the same: V8 (seen in 24
// and 26) gives an object the id of one that has died at its address since the
// snapshot before, when it did not get there by being moved.
func (ids *Identities) Is(id ObjectID, t NodeType) bool {
	if ids.kinds == nil {
		return id <= ids.maxID
	}
	return id <= ids.maxID && ids.kinds[id/4]>>(id&2*2)&15 == kindOf(t)
}

// Count returns the number of objects.
func (ids *Identities) Count() int { return ids.count }

// Bytes returns the sum of their self sizes.
func (ids *Identities) Bytes() uint64 { return ids.bytes }

// MaxID returns the greatest id of an object in the V8 heap: later objects
// have greater ones. Ids of the embedder's objects, even ones, are in no order.
func (ids *Identities) MaxID() ObjectID { return ids.maxID }

// CountAbove returns how many objects of the V8 heap have greater ids.
func (ids *Identities) CountAbove(id ObjectID) int {
	n := 0
	for _, v := range ids.id.low { // wideMark stands for that or more
		if uint64(v) > uint64(id) && v&1 == 1 {
			n++
		}
	}
	return n
}

// SameProcess reports whether s can be a later snapshot of the same process,
// taken in the same inspector session: an object keeps its id then, and its
// type for ever, but for strings: V8 flattens ropes in place. Ids alone cannot
// tell, as V8 numbers the objects of every process, and of every session anew,
// from 1. Measured on Node 20 and 26: the types of all objects agree in one
// process, of 37 to 58 % in two.
func (ids *Identities) SameProcess(s *Snapshot) bool {
	seen, equal := 0, 0
	for i := range s.nodeType {
		id := ObjectID(s.id.at(uint32(i)))
		if !sampled(id) {
			continue
		}
		if t, ok := ids.types[id]; ok {
			seen++
			if t == s.nodeType[i] || t.IsString() && s.nodeType[i].IsString() {
				equal++
			}
		}
	}
	return seen == 0 && len(ids.types) < 32 || equal*5 >= seen*4 && seen > 0
}

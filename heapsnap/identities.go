package heapsnap

import (
	"context"
	"io"
	"slices"
)

// Identities is what a comparison needs of an earlier snapshot: which objects
// were there, and their self sizes. It takes 8 bytes per node.
type Identities struct {
	id    wideColumn // sorted
	count int
	bytes uint64
	maxID ObjectID // the greatest odd id
}

// ReadIdentities reads the nodes of a snapshot from r and stops behind them:
// what follows is neither read nor checked.
func ReadIdentities(ctx context.Context, r io.Reader, opts Options) (*Identities, error) {
	p := &parser{in: newInput(ctx, r, opts.Progress), opts: opts, idsOnly: true}
	if err := p.sections(); err != nil {
		return nil, err
	}
	if p.s == nil || p.s.id.low == nil {
		return nil, &SyntaxError{"nodes", p.in.offset(), "this section", "none"}
	}
	return newIdentities(&p.s.id, &p.s.self), nil
}

// Identities returns the identities of s.
func (s *Snapshot) Identities() *Identities {
	id := wideColumn{low: slices.Clone(s.id.low), high: s.id.high}
	return newIdentities(&id, &s.self)
}

func newIdentities(id, self *wideColumn) *Identities {
	ids := &Identities{count: len(id.low)}
	for i := range id.low {
		ids.bytes += self.at(uint32(i))
		if v := id.at(uint32(i)); v&1 == 1 && ObjectID(v) > ids.maxID {
			ids.maxID = ObjectID(v)
		}
	}
	slices.Sort(id.low)
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
	_, ok := slices.BinarySearch(ids.id.low, uint32(id))
	return ok
}

// Count returns the number of objects.
func (ids *Identities) Count() int { return ids.count }

// Bytes returns the sum of their self sizes.
func (ids *Identities) Bytes() uint64 { return ids.bytes }

// MaxID returns the greatest id of an object in the V8 heap: later objects
// have greater ones. Ids of the embedder's objects, even ones, are in no order.
func (ids *Identities) MaxID() ObjectID { return ids.maxID }

package diff

import (
	"slices"

	"heapsnap/heapsnap"
)

// maxSeeds is how many seeds are told apart for one survivor. An object that
// more old ones reach is common property, and naming them all helps nobody.
const maxSeeds = 4

// spread finds for every survivor which seeds reach it through survivors: the
// least fix point of set(n) = union of set(m) over strong references m -> n.
// Better ranked seeds go first; a worse one only gets what they do not reach.
func (c *comparison) spread() {
	s := c.s
	c.set = make([]uint32, s.NodeCount())
	c.sets = [][]uint32{nil}
	sets := setTable{sets: &c.sets, unions: map[[2]uint32]uint32{}, known: map[string]uint32{}}
	var taken []bool // node -> a better rank has it
	for rank := range uint8(rankCount) {
		var work []heapsnap.Node
		reach := func(n heapsnap.Node, set uint32) {
			if taken != nil && taken[n] {
				return
			}
			if u := sets.union(c.set[n], set); u != c.set[n] {
				c.set[n] = u
				work = append(work, n)
			}
		}
		for i := range c.seeds {
			if c.seeds[i].rank != rank {
				continue
			}
			one := sets.single(uint32(i))
			for _, r := range c.seeds[i].refs {
				reach(r.to, one)
			}
		}
		for len(work) > 0 {
			n := work[len(work)-1]
			work = work[:len(work)-1]
			first, end := s.EdgeRange(n)
			for e := first; e < end; e++ {
				if to := s.To(e); c.cohort[to] > 0 && s.Strong(n, e) {
					reach(to, c.set[n])
				}
			}
		}
		taken = make([]bool, s.NodeCount())
		for i, set := range c.set {
			taken[i] = set != 0
		}
	}
}

// setTable numbers sets of seeds. Set 0 is empty.
type setTable struct {
	sets   *[][]uint32
	unions map[[2]uint32]uint32
	known  map[string]uint32
}

func (t *setTable) number(members []uint32) uint32 {
	key := make([]byte, 0, 4*len(members))
	for _, m := range members {
		key = append(key, byte(m), byte(m>>8), byte(m>>16), byte(m>>24))
	}
	n, ok := t.known[string(key)]
	if !ok {
		n = uint32(len(*t.sets))
		*t.sets = append(*t.sets, members)
		t.known[string(key)] = n
	}
	return n
}

func (t *setTable) single(seed uint32) uint32 { return t.number([]uint32{seed}) }

// union returns the number of the union; of more than maxSeeds members the
// least numbered stay, so that unions only grow or stay and spread ends.
func (t *setTable) union(a, b uint32) uint32 {
	switch {
	case a == b || b == 0:
		return a
	case a == 0:
		return b
	}
	key := [2]uint32{min(a, b), max(a, b)}
	if u, ok := t.unions[key]; ok {
		return u
	}
	all := append(slices.Clone((*t.sets)[a]), (*t.sets)[b]...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > maxSeeds {
		all = all[:maxSeeds]
	}
	u := t.number(slices.Clip(all))
	t.unions[key] = u
	return u
}

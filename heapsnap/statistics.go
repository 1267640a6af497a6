package heapsnap

// Statistics are the figures of DevTools' Statistics view in bytes; what is in
// none of them is other JavaScript objects. HS:4518-4600.
type Statistics struct {
	Total       uint64
	Native      uint64 // outside the V8 heap, typed arrays included
	TypedArrays uint64
	Code        uint64
	Strings     uint64
	Arrays      uint64 // Array objects with their elements
	System      uint64
}

// Heap returns the size of the V8 heap.
func (st Statistics) Heap() uint64 { return st.Total - st.Native }

// Statistics returns the sizes by kind.
func (s *Snapshot) Statistics() Statistics {
	st := s.statistics()
	st.Total = s.TotalSize()
	return st
}

// statistics are all figures but the total, which takes dominators.
func (s *Snapshot) statistics() Statistics {
	s.shallowOnce.Do(s.transferShallowSizes)
	st := Statistics{Native: s.extraNative}
	st.Arrays = s.ownedElements()
	for i, t := range s.nodeType {
		n := Node(i)
		size := s.self.at(uint32(i))
		switch t {
		case Hidden:
			st.System += size
		case Native:
			st.Native += size
			if s.nameTag(n) == tagArrayBufferData {
				st.TypedArrays += size
			}
		case Code:
			st.Code += size
		case String, ConsString, SlicedString:
			st.Strings += size
		default:
			if s.nameTag(n) == tagArray {
				st.Arrays += size
			}
		}
	}
	return st
}

// ownedElements returns the size of the elements of arrays that nothing else
// refers to. Only references to those are counted, in one pass: all retainers
// would take as much memory as the edges.
func (s *Snapshot) ownedElements() (size uint64) {
	var elements []Node // of all arrays
	candidate := newBitset(s.NodeCount())
	for i, t := range s.nodeType {
		switch t {
		case Hidden, Native, Code, String, ConsString, SlicedString:
			continue
		}
		n := Node(i)
		if s.nameTag(n) != tagArray {
			continue
		}
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if s.edgeType[e] == InternalEdge && s.tags[s.edgeName[e]] == tagElements {
				elements = append(elements, s.edgeTo[e])
				candidate.add(s.edgeTo[e])
				break
			}
		}
	}
	once, twice := newBitset(s.NodeCount()), newBitset(s.NodeCount())
	for _, to := range s.edgeTo {
		if candidate.has(to) {
			if once.has(to) {
				twice.add(to)
			}
			once.add(to)
		}
	}
	for _, to := range elements {
		if !twice.has(to) {
			size += s.self.at(uint32(to))
		}
	}
	return size
}

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
	s.shallowOnce.Do(s.transferShallowSizes)
	st := Statistics{Total: s.TotalSize(), Native: s.extraNative}
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
				st.Arrays += size + s.ownElements(n)
			}
		}
	}
	return st
}

// ownElements returns the size of an array's elements if nothing else refers
// to them.
func (s *Snapshot) ownElements(n Node) uint64 {
	first, end := s.EdgeRange(n)
	for e := first; e < end; e++ {
		if s.edgeType[e] == InternalEdge && s.tags[s.edgeName[e]] == tagElements {
			if to := s.edgeTo[e]; s.RetainerCount(to) == 1 {
				return s.self.at(uint32(to))
			}
			return 0
		}
	}
	return 0
}

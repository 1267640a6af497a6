package memory

// Isolate is what one thread's V8 says of its heap, in bytes.
type Isolate struct {
	ThreadID int    `json:"threadId"` // 0 is the main thread
	Name     string `json:"name,omitempty"`
	// Limit is V8's heap_size_limit: the old spaces and what it sets aside for
	// young objects, see [Isolate.OldLimit].
	Limit        uint64  `json:"limit"`
	Used         uint64  `json:"used"`     // live objects and garbage that was not collected yet
	Total        uint64  `json:"total"`    // what V8 has from the system for it
	Physical     uint64  `json:"physical"` // part of Total that was written to
	External     uint64  `json:"external"` // outside the heap, kept by objects in it; with ArrayBuffers
	ArrayBuffers uint64  `json:"arrayBuffers"`
	Malloced     uint64  `json:"malloced"` // V8's own, such as of its compiler
	Contexts     int     `json:"contexts"`
	Detached     int     `json:"detached"` // contexts that were dropped and are kept
	Spaces       []Space `json:"spaces"`
	// MaxYoung is the young spaces' part of Limit where the thread knows it: a
	// worker does, from its resourceLimits.
	MaxYoung uint64 `json:"maxYoung,omitempty"`
	// Wanted is the old spaces' limit that a worker was given as resourceLimits. An
	// option for the whole process overrides it, in silence (Node 18 to 26).
	Wanted uint64 `json:"wanted,omitempty"`
	// Live is what a full collection left, 0 if none was seen.
	Live uint64 `json:"live,omitempty"`
	// Given is the old spaces' limit where it is known from elsewhere.
	Given uint64 `json:"-"`
}

// Space is one of V8's spaces. The list differs between Node lines.
type Space struct {
	Name      string `json:"name"`
	Size      uint64 `json:"size"`
	Used      uint64 `json:"used"`
	Available uint64 `json:"available"`
	Physical  uint64 `json:"physical"`
}

// Young reports whether the space holds young objects: these do not count
// against the old spaces' limit.
func (s Space) Young() bool { return s.Name == "new_space" || s.Name == "new_large_object_space" }

// Free is what the heap holds and does not use.
func (i Isolate) Free() uint64 { return i.Total - min(i.Total, i.Used) }

// OldUsed is what the old spaces hold.
func (i Isolate) OldUsed() uint64 {
	if len(i.Spaces) == 0 {
		return i.Used
	}
	var n uint64
	for _, s := range i.Spaces {
		if !s.Young() {
			n += s.Used
		}
	}
	return n
}

// Old is what is known to be live in the old spaces, or what they hold.
func (i Isolate) Old() uint64 {
	if i.Live > 0 && i.Live < i.Used {
		return min(i.Live, i.OldUsed())
	}
	return i.OldUsed()
}

// OldLimit is where V8 gives up. heap_size_limit has the young spaces' share on
// top, three semi-spaces (Heap::MaxReserved in V8's src/heap/heap.cc).
func (i Isolate) OldLimit(o Options, nodeMajor int) uint64 {
	if i.Given > 0 {
		return i.Given
	}
	if i.ThreadID != 0 {
		return i.Limit - min(i.Limit, i.MaxYoung)
	}
	line := youngOf(nodeMajor)
	switch {
	case o.HeapSize > 0, o.OldSpaceShare > 0: // a share of a small container has small semi-spaces, too
	case o.OldSpace > 0 && o.OldSpace < i.Limit:
		return o.OldSpace
	case o.SemiSpace > 0:
		return i.Limit - min(i.Limit/2, 3*o.SemiSpace)
	}
	return i.Limit - min(3*line.semi, uint64(float64(i.Limit)*line.share))
}

// young is what a Node line sets aside for young objects on 64-bit machines.
type young struct {
	semi  uint64  // the largest semi-space by default
	share float64 // of heap_size_limit, where that follows from the container's memory
}

// youngOf was measured in control groups of 1 to 8 GiB: heap_size_limit is 524,
// 560 and 536 MiB in 1 GiB, of which 512 are for old objects.
func youngOf(nodeMajor int) young {
	switch {
	case nodeMajor >= 26:
		return young{32 << 20, 24.0 / 536}
	case nodeMajor >= 24:
		return young{64 << 20, 48.0 / 560}
	}
	return young{16 << 20, 12.0 / 524}
}

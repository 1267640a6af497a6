package watch

import (
	"cmp"
	"slices"
	"time"

	"heapsnap/memory"
)

// Point is what one look at a process saw. Sizes are bytes.
type Point struct {
	Time    time.Time
	PID     int
	RSS     uint64
	Main    Thread
	Workers []Thread
	Group   memory.Group // zero where there is none
	// CPU is what the process used since the look before, in cores.
	CPU     float64
	Handles map[string]int // active resources by type; nil where they were not asked for
	// Late is how long the process took to answer.
	Late time.Duration
}

// Thread is one thread of a point.
type Thread struct {
	ID           int // 0 is the main thread
	Name         string
	Limit        uint64 // heap_size_limit
	OldLimit     uint64 // where V8 gives up
	Used         uint64
	Old          uint64 // used in the old spaces
	Total        uint64
	Physical     uint64
	External     uint64
	ArrayBuffers uint64
	Malloced     uint64
	Detached     int
	Spaces       []SpaceFigures
	// Live is what the last full collection left, 0 if there was none yet;
	// LiveOld of it in the old spaces.
	Live, LiveOld uint64
	Allocated     uint64 // in all so far; Node 26 and later
	GC            GC
	Delay         Delay
	Utilization   float64       // of the event loop since the look before
	Active, Idle  time.Duration // of the event loop in all
}

// SpaceFigures are one of V8's spaces.
type SpaceFigures struct {
	Name      string `json:"name"`
	Size      uint64 `json:"size"`
	Used      uint64 `json:"used"`
	Available uint64 `json:"available"`
	Physical  uint64 `json:"physical"`
}

// GC is what a thread's collections took.
type GC struct {
	Share   float64 // of the time since the look before
	Count   int     // since the look before
	Major   int     // full ones of them
	Longest time.Duration
	Kinds   map[string]GCKind // since the probe's start
}

// GCKind sums up the collections of a kind: minor, major, incremental, weakcb.
type GCKind struct {
	Count   int
	Time    time.Duration
	Buckets []int // collections of at most as long as gcBuckets says, each bound with those before
}

// Delay is how late the event loop was since the look before.
type Delay struct {
	P50, P90, P99, Min, Max, Mean, Stddev time.Duration
}

// Live is what a full collection left in a thread's heap.
type Live struct {
	Time     time.Time
	ThreadID int
	Used     uint64
	Old      uint64
	External uint64
}

// Threads are all threads of the point, the main one first.
func (p *Point) Threads() []Thread { return append([]Thread{p.Main}, p.Workers...) }

// Working is what counts against the container: its working set, or the
// process's own memory where there is no container.
func (p *Point) Working() uint64 {
	if p.Group.Limit > 0 {
		return p.Group.Working()
	}
	return p.RSS
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }

func sortThreads(all []Thread) {
	slices.SortFunc(all, func(a, b Thread) int { return cmp.Compare(a.ID, b.ID) })
}

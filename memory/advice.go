package memory

import "fmt"

const (
	mib = 1 << 20
	// reserve is what a container's limit should leave beyond what is known to be
	// needed: what a request takes for a moment, pages of files that are in use.
	reserve = 0.1
	// leastOutside is what Node.js itself takes outside its heap: 10 to 20 MiB were
	// seen idle, and some more under load (Node 18 to 26).
	leastOutside = 32 * mib
	// leastOld is a heap that is hardly worth a process.
	leastOld = 64 * mib
	// smallContainer is where the young spaces of Node 24 and later, up to 192 MiB,
	// take too much of a container.
	smallContainer = 2 << 30
)

// Outside is the process's memory that is not in the main thread's heap and that
// only it has.
func (f Facts) Outside() uint64 {
	own := f.Account().Own()
	heap := f.Main().Physical
	return own - min(own, heap)
}

// Flags are options for a heap that fits into a container.
type Flags struct {
	OldSpace  uint64 // bytes
	SemiSpace uint64 // bytes, 0 for the default
}

// String is the options as NODE_OPTIONS takes them.
func (f Flags) String() string {
	s := fmt.Sprintf("--max-old-space-size=%d", f.OldSpace/mib)
	if f.SemiSpace > 0 {
		s += fmt.Sprintf(" --max-semi-space-size=%d", f.SemiSpace/mib)
	}
	return s
}

// FlagsFor gives options for a container of limit bytes with so much outside the
// heap. ok is false if no useful heap fits.
func FlagsFor(limit, outside uint64, nodeMajor int) (flags Flags, ok bool) {
	semi := youngOf(nodeMajor).semi
	if nodeMajor >= 24 && limit < smallContainer {
		semi = 16 * mib
		flags.SemiSpace = semi
	}
	room := uint64(float64(limit) * (1 - reserve))
	take := max(outside, leastOutside) + 3*semi
	if room < take+leastOld {
		return flags, false
	}
	flags.OldSpace = (room - take) / (16 * mib) * (16 * mib)
	return flags, true
}

// ContainerFor is a limit for a container whose process has so much live in the
// old spaces and so much outside: with room for half as much garbage.
func ContainerFor(old, outside uint64, nodeMajor int) uint64 {
	need := float64(old)*1.5 + float64(max(outside, leastOutside)) + float64(3*youngOf(nodeMajor).semi)
	step := uint64(64 * mib)
	return (uint64(need/(1-reserve)) + step - 1) / step * step
}

// KnowsContainer reports whether a Node.js sizes its heap by the container's
// memory: by version 1 of control groups all do that are looked at here; by
// version 2 those with libuv 1.45 and later, which is 20.3.
func KnowsContainer(nodeMajor, groupVersion int) bool {
	return groupVersion != 2 || nodeMajor == 0 || nodeMajor >= 20
}

// KnowsPercentage reports whether --max-old-space-size-percentage is there: it
// came with 24.6 and 22.21; 20 refuses it.
func KnowsPercentage(nodeMajor int) bool { return nodeMajor >= 22 }

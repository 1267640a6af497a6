package eventloop

import (
	"cmp"
	"slices"
)

// A Cause is one way to keep an event loop from turning, or work from being
// done. Its texts are the documentation of the kind.
type Cause struct {
	Name   string // as in reports and `heapsnap explain`
	Title  string // what goes wrong, one line
	Why    string // why programs do this
	Sign   string // how it shows
	Fix    string // what to do
	Before string // JavaScript that blocks
	After  string // the same, repaired
	Links  []string

	// ofSample says what the time of one sample was spent on, or nil if it is
	// none of this cause's business. Causes are asked in the order of sampled.
	ofSample func(v *sample) *claim
}

// Causes returns all causes, by name.
func Causes() []Cause {
	all := []Cause{
		childProcessCause, consoleCause, cpuCause, cryptoCause, gcCause, jsonCause, microtaskCause, moduleCause, nativeCause, nextTickCause,
		regexpCause, scanCause, serialAwaitCause, syncFSCause, threadpoolCause, workersCause, zlibCause,
	}
	slices.SortFunc(all, func(a, b Cause) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// sampled are the causes that explain samples, the surest sign first: what Node
// function was called, then what the line says, then any code.
var sampled = []*Cause{
	&moduleCause, &childProcessCause, &consoleCause, &syncFSCause, &cryptoCause, &zlibCause,
	&regexpCause, &jsonCause, &scanCause, &cpuCause, &nativeCause,
}

// findLate are the causes that do not block the loop, but make work late.
var findLate = []func(a *analysis) []Finding{findThreadpool, findWorkers, findSerialAwait}

// module is a package by its folder, and a script that has code of it.
type module struct{ script, folder string }

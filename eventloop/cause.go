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

// A claim is a cause's explanation of a sample.
type claim struct {
	cause  *Cause
	site   Site
	detail string   // what was called: "fs.readFileSync", "JSON.parse", a pattern
	in     []module // the packages that did it for the program, innermost first
}

// module is a package by its folder, and a script that has code of it.
type module struct{ script, folder string }

// Site is the function of the program that has to change, and the line in it.
// Line and Column are 1-based, 0 if not known.
type Site struct {
	Function string
	File     string // as the target named it, a file URL made a path; by a source map, what that was compiled from
	Line     int
	Column   int
	Compiled string // "file:line:column" of what ran, where that is not File
	Package  string // "name@version" of the npm package that File belongs to, "" for the program's own

	script string // that ran, as V8 names it
	at     place  // in it, where the function begins
}

// place is a 1-based line and column.
type place struct{ line, column int }

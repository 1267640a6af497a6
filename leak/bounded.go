package leak

import (
	"fmt"

	"heapsnap/diff"
)

// A buffer of Node's own that has a bound, but one that a few rounds of load
// do not come to, looks like a leak in every measure.
type nodeBuffer struct {
	variable string
	script   string
	bound    int // entries
	what     string
}

var nodeBuffers = []nodeBuffer{
	// lib/internal/perf/observe.js: resourceTimingBufferSizeLimit is 250 unless
	// performance.setResourceTimingBufferSize says otherwise (Node 18 to 26).
	// Every fetch adds an entry, Node's and that of the package undici.
	{"resourceTimingBuffer", "node:internal/perf/observe", 250, "timings of the latest fetches"},
}

// bounded says why a site is no leak, whatever it looks like: its holder is a
// buffer of Node's with a bound that is not yet reached. Empty is any other.
func (p *Pass) bounded(g *diff.GrowthSite) string {
	for _, holder := range g.Holders {
		r := p.reference(holder)
		for _, b := range nodeBuffers {
			if r.kind != "variable" || r.name != b.variable || r.script != b.script {
				continue
			}
			if _, items := p.contents(holder); len(items) <= b.bound {
				return fmt.Sprintf("Node keeps the %s, %d at most, and has %d", b.what, b.bound, len(items))
			}
		}
	}
	return ""
}

package eventloop

import "time"

// Options say what counts as blocked. The zero value is the default.
type Options struct {
	Threshold time.Duration // a block is at least this long; MaxBlock, or DefaultThreshold without one
	MaxBlock  time.Duration // a budget: the verdict passes over blocks below it; 0: none
	MaxP99    time.Duration // a budget for the delay's 99th percentile; 0: none
	// Source returns the text of a script that the recording does not have, by
	// V8's name for it; nil reads files.
	Source func(script string) ([]byte, error)
}

// DefaultThreshold is what a person begins to notice, and what a server with
// ten such requests at a time makes half a second of.
const DefaultThreshold = 50 * time.Millisecond

// Analysis is what a recording shows.
type Analysis struct {
	Verdict   Verdict
	Sentence  string
	Threshold time.Duration // from which on a stretch is a block
	Findings  []Finding     // largest total time first
	Blocks    []Block       // in order of time, of the main thread
	Delay     Percentiles
	// Measured says that Delay was measured in the target, and not computed from
	// the profile.
	Measured    bool
	Utilization float64       // of the first phase; without one the profile's share of time that was not idle
	GCShare     float64       // of the profile's time
	Profiled    time.Duration // length of the second phase
	Starved     time.Duration // of it, how long the main thread wanted a core and had none
	Threads     []ThreadSummary
	Causes      []CauseTime // of all blocks, largest first
	Recording   *Recording
	Flames      []Flame // of the busiest threads, the main thread's first
	Warnings    []string
}

// analysis is an Analysis under way.
type analysis struct {
	Analysis
	maxBlock, maxP99 time.Duration
	rec              *Recording
	main             *ledger
	claims           map[stackKey][]part
	ledger           []*ledger
	near             map[claimKey]Site // of the program, for sites in packages
	places
}

// Analyze says what a recording shows. It does not change it.
func Analyze(r *Recording, o Options) *Analysis {
	if o.Threshold <= 0 {
		o.Threshold = DefaultThreshold
		if o.MaxBlock > 0 {
			o.Threshold = o.MaxBlock
		}
	}
	a := &analysis{maxBlock: o.MaxBlock, maxP99: o.MaxP99, rec: r, places: newPlaces(newSources(r, o.Source), r.Packages), claims: map[stackKey][]part{}, near: map[claimKey]Site{}}
	a.Recording, a.Threshold = r, o.Threshold
	a.Warnings = append(a.Warnings, r.Warnings...)
	for i := range r.Threads {
		a.ledger = append(a.ledger, newLedger(&r.Threads[i], r.Interval))
	}
	a.main = a.ledger[0]
	a.figures()
	a.findBlocks()
	a.findFindings()
	a.judge()
	a.Flames = a.flames(flameThreads, flameFrames)
	return &a.Analysis
}

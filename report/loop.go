package report

import (
	"io"
	"slices"
)

// The verdicts of [Loop]; it shares [Inconclusive].
const (
	Blocked Verdict = "blocked"
	Healthy Verdict = "healthy"
)

// Loop is the result of heapsnap loop. Times are milliseconds; those of events
// count from the beginning of the recording. docs/loop.schema.json describes
// the JSON.
type Loop struct {
	Head
	Target      string    `json:"target,omitempty"`
	NodeVersion string    `json:"nodeVersion,omitempty"`
	Verdict     Verdict   `json:"verdict"`
	Sentence    string    `json:"sentence"`
	Delay       LoopDelay `json:"delay"`
	Utilization float64   `json:"utilization"` // share of the time that the loop did not wait for events
	GCShare     float64   `json:"gcShare"`     // of the profile
	ThresholdMS float64   `json:"thresholdMs"` // from which on a stretch is a block
	DurationMS  float64   `json:"durationMs"`
	ProfiledMS  float64   `json:"profiledMs"`
	StarvedMS   float64   `json:"starvedMs"` // of it the main thread wanted a core and had none
	// ProfileStartMS is from where on there is a profile: before it there is a
	// curve and no blocks.
	ProfileStartMS float64       `json:"profileStartMs"`
	Findings       []LoopFinding `json:"findings"` // largest total first
	Blocks         []LoopBlock   `json:"blocks"`   // in order of time
	Causes         []LoopCause   `json:"causes"`
	Threads        []LoopThread  `json:"threads"` // the main thread first
	Curve          []LoopLate    `json:"curve"`   // how late the loop was, over time
	GCs            []LoopGC      `json:"gcs"`     // pauses of a millisecond or more
	Warnings       []string      `json:"warnings"`
	// Flames are the call trees of the threads' profiles, the main thread's first.
	// The JSON is without them: programs find the whole profile in the formats of
	// loop --export, and it would be most of the file.
	Flames []LoopFlame `json:"-"`
}

// LoopFlame is where the time of one thread went: what a flame graph shows.
type LoopFlame struct {
	Thread  int
	Name    string
	TotalMS float64     // that was not idle
	Frames  []LoopFrame // callers before what they call
	Left    int         // lighter frames that are not in Frames
}

// LoopFrame is a function as it was called in one way.
type LoopFrame struct {
	Parent int // index of the caller, -1 for the outermost
	Location
	Kind    string // own, package, node, native, gc
	TotalMS float64
	SelfMS  float64
}

// LoopDelay is how late work is that becomes due at a random moment.
type LoopDelay struct {
	P50 float64 `json:"p50Ms"`
	P90 float64 `json:"p90Ms"`
	P99 float64 `json:"p99Ms"`
	Max float64 `json:"maxMs"`
	// Measured says that it was measured inside the target, without a profiler.
	Measured bool `json:"measured"`
}

// LoopFinding is one cause in one function.
type LoopFinding struct {
	Rule      string     `json:"rule"`
	Title     string     `json:"title"`
	TotalMS   float64    `json:"totalMs"`
	WorstMS   float64    `json:"worstMs"`
	Count     int        `json:"count"` // blocks, or whatever was late
	Share     float64    `json:"share"` // of the time of all blocks; 0 for what only makes work late
	Function  string     `json:"function,omitempty"`
	File      string     `json:"file,omitempty"`
	Line      int        `json:"line,omitempty"`
	Column    int        `json:"column,omitempty"`
	Code      string     `json:"code,omitempty"`
	Compiled  string     `json:"compiled,omitempty"` // see Location
	Package   string     `json:"package,omitempty"`  // "name@version" of the npm package that does it, for the program
	Through   string     `json:"through,omitempty"`  // the package that the program calls, where that is another
	Locations []Location `json:"locations"`          // further lines of the function
	Stack     []Location `json:"stack"`              // the heaviest, from the leaf up
	Evidence  []string   `json:"evidence"`
	Requests  []string   `json:"requests"`
	Fix       string     `json:"fix"`
	// Fingerprint is the same for the same cause in the same function in other
	// runs and on other machines.
	Fingerprint string `json:"fingerprint"`
}

func (f *LoopFinding) location() Location {
	return Location{Function: f.Function, File: f.File, Line: f.Line, Column: f.Column, Code: f.Code, Compiled: f.Compiled}
}

// LoopBlock is one stretch in which the loop did not turn.
type LoopBlock struct {
	StartMS    float64    `json:"startMs"`
	DurationMS float64    `json:"durationMs"` // without waiting for a core
	WallMS     float64    `json:"wallMs"`
	GCMS       float64    `json:"gcMs"`
	Cause      string     `json:"cause"`
	Detail     string     `json:"detail,omitempty"`
	Function   string     `json:"function,omitempty"`
	File       string     `json:"file,omitempty"`
	Line       int        `json:"line,omitempty"`
	Column     int        `json:"column,omitempty"`
	Requests   []string   `json:"requests"`
	Stack      []Location `json:"stack"`
}

// LoopCause is what a cause had of the time of all blocks.
type LoopCause struct {
	Cause   string  `json:"cause"`
	TotalMS float64 `json:"totalMs"`
	Count   int     `json:"count"` // blocks in which it was the first
}

// LoopThread is one event loop of the process.
type LoopThread struct {
	ID          int       `json:"id"` // 0 is the main thread
	Name        string    `json:"name,omitempty"`
	Utilization float64   `json:"utilization"`
	Busy        float64   `json:"busy"` // share of the profile that was not idle
	GCShare     float64   `json:"gcShare"`
	Delay       LoopDelay `json:"delay"`
	Blocks      int       `json:"blocks"`
	LongestMS   float64   `json:"longestMs"`
	Function    string    `json:"function,omitempty"` // where most of its time went
	File        string    `json:"file,omitempty"`
	Line        int       `json:"line,omitempty"`
}

// LoopLate is how late the loop was at most in the time before AtMS.
type LoopLate struct {
	AtMS   float64 `json:"atMs"`
	LateMS float64 `json:"lateMs"`
}

// LoopGC is one pause for garbage collection.
type LoopGC struct {
	StartMS    float64 `json:"startMs"`
	DurationMS float64 `json:"durationMs"`
	Kind       string  `json:"kind"` // minor or major
}

// Normalize sets the schema and replaces nil slices, also inside.
func (r *Loop) Normalize() {
	r.Schema, r.Command = SchemaVersion, "loop"
	r.Findings, r.Blocks, r.Causes, r.Threads = notNil(r.Findings), notNil(r.Blocks), notNil(r.Causes), notNil(r.Threads)
	r.Curve, r.GCs, r.Warnings = notNil(r.Curve), notNil(r.GCs), notNil(r.Warnings)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Locations, f.Stack, f.Evidence, f.Requests = notNil(f.Locations), notNil(f.Stack), notNil(f.Evidence), notNil(f.Requests)
	}
	for i := range r.Blocks {
		b := &r.Blocks[i]
		b.Requests, b.Stack = notNil(b.Requests), notNil(b.Stack)
	}
}

// WriteLoop shows r in the format f. It does not change r.
func WriteLoop(w io.Writer, r *Loop, f Format, o Options) error {
	c := *r
	c.Findings, c.Blocks = slices.Clone(r.Findings), slices.Clone(r.Blocks)
	c.Normalize()
	form, err := find(f)
	if err != nil {
		return err
	}
	return form.loop(w, &c, o)
}

func writeLoopJSON(w io.Writer, r *Loop, _ Options) error { return encode(w, r) }

func plotLoopAs(f Format) func(io.Writer, *Loop, Options) error {
	return func(w io.Writer, r *Loop, _ Options) error { return plotLoop(w, r, f, Size{}) }
}

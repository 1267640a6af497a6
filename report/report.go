// Package report holds the one model of everything heapsnap tells a person or
// a machine, and the formats that show it. It is plain data: it knows nothing
// of snapshots, processes or rules, so a format can be tested with a literal.
//
// The types to know are [Head], [Report], [Finding] and [Capture].
package report

import "time"

// SchemaVersion is the version of the JSON forms. Fields are added, never
// renamed or removed, within one version; the schemas in docs/ describe them.
const SchemaVersion = 1

// Verdict is the answer of a whole run or of one finding.
type Verdict string

// Verdicts of a run are Leak, Clean and Inconclusive; a finding is Leak or,
// where there were too few captures to tell, Growth. On a single capture Leak
// means that something stands out, and each finding is a Suspect. Two captures
// of different processes are More or Clean, and so is each finding: the second
// has more of something; nobody saw it grow.
const (
	Leak         Verdict = "leak"
	Growth       Verdict = "growth"
	Suspect      Verdict = "suspect"
	More         Verdict = "more"
	OverBudget   Verdict = "over-budget" // of check: no leak, but a limit that was set
	Clean        Verdict = "clean"
	Inconclusive Verdict = "inconclusive"
)

// Report is the result of diff, check, suspects or demo. Slices are never nil
// after [Report.Normalize], so readers of the JSON need no null checks.
type Report struct {
	Head
	Target  string  `json:"target,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Sentence is the verdict in words, one line, first thing a person reads.
	Sentence  string       `json:"sentence"`
	Captures  []Capture    `json:"captures"`
	Findings  []Finding    `json:"findings"` // most harmful first
	Quiet     []Quiet      `json:"quiet"`    // growth that was seen and judged harmless
	Accounted Accounted    `json:"accounted"`
	Run       *Run         `json:"run,omitempty"`    // of check only
	Growth    *Trends      `json:"growth,omitempty"` // of diff and check
	Classes   []ClassDelta `json:"classes"`          // first against last capture, as DevTools' comparison view
	Warnings  []string     `json:"warnings"`
	// Threads are the worker threads that were watched, in the order of their ids.
	// All else is about the main thread, but for findings that name a thread.
	Threads []Thread   `json:"threads,omitempty"`
	Loop    *CheckLoop `json:"loop,omitempty"` // of check with a budget for it
	// Budgets are the limits of check, and Ignored what it found and was told to
	// accept.
	Budgets []Budget  `json:"budgets,omitempty"`
	Ignored []Ignored `json:"ignored,omitempty"`
}

// Thread is a worker thread of the program that was checked.
type Thread struct {
	Name string   `json:"name"` // worker thread 2 (thumbnails.js)
	ID   int      `json:"id"`   // worker_threads' threadId
	Used []uint64 `json:"used"` // bytes of its heap and array buffers: after the warm-up, and after each round
	// Captures is how often it was captured, which is done if it grew; Verdict is
	// what they say, "" without.
	Captures int     `json:"captures"`
	Verdict  Verdict `json:"verdict,omitempty"`
}

// Capture is one heap snapshot of the series, in the order taken. Figures that
// were not recorded are 0 and left out of the JSON.
type Capture struct {
	Name         string     `json:"name"` // the file's path, or "round 3"
	Time         *time.Time `json:"time,omitempty"`
	NodeVersion  string     `json:"nodeVersion,omitempty"`
	Mode         string     `json:"mode,omitempty"` // plain, numeric, internals, internals+numeric
	Objects      int        `json:"objects"`        // nodes in the snapshot
	Bytes        uint64     `json:"bytes"`          // sum of self sizes
	HeapUsed     uint64     `json:"heapUsed,omitempty"`
	RSS          uint64     `json:"rss,omitempty"`
	External     uint64     `json:"external,omitempty"`
	ArrayBuffers uint64     `json:"arrayBuffers,omitempty"`
	FileSize     uint64     `json:"fileSize,omitempty"`
}

// Finding is one leak: who holds what, since when, how much, and where to look.
type Finding struct {
	Rule       string   `json:"rule"`  // listener, timer, closure, cache, ..., growth
	Title      string   `json:"title"` // one line, without a trailing period
	Verdict    Verdict  `json:"verdict"`
	Confidence float64  `json:"confidence"` // 0..1
	Holder     Holder   `json:"holder"`
	Holders    []Holder `json:"holders"` // every object that must let go, Holder first
	Path       []Step   `json:"path"`    // root to holder to one survivor
	// Location is where to look first; nil only when nothing in the heap, the
	// sidecar or the sources gave a line. Locations has every other candidate.
	Location  *Location  `json:"location,omitempty"`
	Locations []Location `json:"locations"`
	Survivors Survivors  `json:"survivors"`
	Sample    []string   `json:"sample"` // a few survivors or their keys, escaped by each format
	// Stack are the functions that were being called when most of the survivors
	// were made, the innermost first; empty where that was not recorded.
	Stack       []Location `json:"stack,omitempty"`
	Evidence    []string   `json:"evidence"` // sentences, strongest first
	Fix         string     `json:"fix"`      // what to do, plain sentences
	Fingerprint string     `json:"fingerprint"`
	// Thread is the worker thread that leaks, "" for the main thread.
	Thread string `json:"thread,omitempty"`
}

// Holder is the old object that keeps the survivors.
type Holder struct {
	Class string `json:"class"`
	ID    uint64 `json:"id"`   // DevTools' @id
	Name  string `json:"name"` // in words: `emitter "hub" (EventEmitter), event "message"`
	// PerCapture is the number of entries the holder had in each capture, when
	// the holder is a collection and could be looked up; otherwise empty.
	PerCapture []int `json:"perCapture,omitempty"`
}

// Step is one hop of a retaining path: Edge leads to Node. The first step's
// Edge is empty.
type Step struct {
	Edge string `json:"edge"`
	Node string `json:"node"`
	ID   uint64 `json:"id,omitempty"`
}

// Location is a place in a source file. Line and Column are 1-based; File is
// the path the target saw, or the original one behind a source map.
type Location struct {
	Function string `json:"function,omitempty"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column,omitempty"`
	Role     string `json:"role,omitempty"` // "adds to the holder", "listener", "callback", "constructor"
	Code     string `json:"code,omitempty"` // the line's text, when the file was readable
	// Package is "name@version" of the npm package that the file belongs to;
	// empty for the program's own files.
	Package string `json:"package,omitempty"`
	// Compiled is "file:line:column" of the code that ran, where a source map
	// led from there to File.
	Compiled string `json:"compiled,omitempty"`
}

// Survivors counts the objects that were born after the first capture and
// were alive in the last one.
type Survivors struct {
	Count         int      `json:"count"`
	Bytes         uint64   `json:"bytes"`         // what would be freed if the holder let go
	PerRound      []int    `json:"perRound"`      // by the round in which they were born
	BytesPerRound []uint64 `json:"bytesPerRound"` // likewise
	// Entries is how many of them the holder holds directly, by round: the
	// unit a person counts (listeners, timers, cache entries).
	Entries []int `json:"entries,omitempty"`
	// Unit is what Entries counts, plural: "listeners"; empty for "entries".
	Unit string `json:"unit,omitempty"`
}

// Quiet is growth that is not a leak, with the judgement that says why.
type Quiet struct {
	Judgement string `json:"judgement"` // bounded, warm-up, in-flight, churn, small; usual
	Holder    string `json:"holder"`
	Count     int    `json:"count"`
	Bytes     uint64 `json:"bytes"`
	PerRound  []int  `json:"perRound"`
	Why       string `json:"why"`
}

// Accounted splits the bytes born after the first capture and alive in the
// last one. Its parts add up to Total.
type Accounted struct {
	Total    uint64 `json:"total"`
	Leaks    uint64 `json:"leaks"`
	Bounded  uint64 `json:"bounded"`
	WarmUp   uint64 `json:"warmUp"`
	InFlight uint64 `json:"inFlight"`
	Churn    uint64 `json:"churn"`
	Small    uint64 `json:"small"` // below every threshold, or too few rounds to judge
}

// ClassDelta is one row of DevTools' comparison view.
type ClassDelta struct {
	Class   string `json:"class"`
	New     int    `json:"new"`
	Deleted int    `json:"deleted"`
	Delta   int    `json:"delta"`
	Alloc   uint64 `json:"allocBytes"`
	Freed   uint64 `json:"freedBytes"`
	Size    int64  `json:"deltaBytes"`
}

// Normalize sets the schema and replaces nil slices, also inside findings.
func (r *Report) Normalize() {
	r.Schema = SchemaVersion
	r.Captures = notNil(r.Captures)
	r.Findings = notNil(r.Findings)
	r.Quiet = notNil(r.Quiet)
	r.Classes = notNil(r.Classes)
	r.Warnings = notNil(r.Warnings)
	for i := range r.Findings {
		r.Findings[i].normalize()
	}
	for i := range r.Ignored {
		r.Ignored[i].Finding.normalize()
	}
	for i := range r.Quiet {
		r.Quiet[i].PerRound = notNil(r.Quiet[i].PerRound)
	}
}

func (f *Finding) normalize() {
	f.Holders = notNil(f.Holders)
	f.Path = notNil(f.Path)
	f.Locations = notNil(f.Locations)
	f.Sample = notNil(f.Sample)
	f.Evidence = notNil(f.Evidence)
	f.Survivors.PerRound = notNil(f.Survivors.PerRound)
	f.Survivors.BytesPerRound = notNil(f.Survivors.BytesPerRound)
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

package eventloop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// recordingSchema is the version of the file form; fields are added, never
// renamed.
const recordingSchema = 1

// recordingKind tells the file from other JSON.
const recordingKind = "heapsnap loop recording"

// A Recording is what was seen of a process.
type Recording struct {
	Schema int       `json:"schema"`
	Kind   string    `json:"kind"`
	Tool   string    `json:"tool,omitempty"`
	Time   time.Time `json:"time"`

	Target Process `json:"target"`
	// Start and End are the whole recording's; what is before the first profile
	// is the first phase.
	Start int64 `json:"startUs"`
	End   int64 `json:"endUs"`
	// Interval is the profiler's, in microseconds.
	Interval int64    `json:"intervalUs"`
	Threads  []Thread `json:"threads"` // the main thread first
	// Traced says that a probe or Node's tracing told of the loop's iterations:
	// without them there is no ledger.
	Traced bool `json:"traced"`
	// Requests are those that took 20 ms or longer, or began or ended in an
	// iteration that is in the recording. Older recordings, and those without a
	// probe, have all.
	Requests []Request `json:"requests,omitempty"` // served, by node:http
	Outgoing []Request `json:"outgoing,omitempty"` // sent, by node:http or fetch
	Pool     []PoolJob `json:"pool,omitempty"`
	Memory   []Memory  `json:"memory,omitempty"`    // first and last reading
	Probes   []Probe   `json:"probes,omitempty"`    // of the first phase
	Active   Resources `json:"resources,omitempty"` // at the end of the first phase
	// Submitters gave jobs to a pool whose jobs came back late.
	Submitters []Submitter `json:"submitters,omitempty"`
	// Sources has the text of the scripts in which time was spent.
	Sources map[string]string `json:"sources,omitempty"`
	// Packages has the version of each npm package in which time was spent, by its
	// folder.
	Packages map[string]string `json:"packages,omitempty"`
	Warnings []string          `json:"warnings,omitempty"`
	// Ended says that the program came to its end before the recording did.
	Ended bool `json:"ended,omitempty"`
}

// Process is the target.
type Process struct {
	PID         int     `json:"pid,omitempty"`
	Script      string  `json:"script,omitempty"`
	NodeVersion string  `json:"nodeVersion,omitempty"`
	Cores       float64 `json:"cores,omitempty"`    // that it may use
	PoolSize    int     `json:"poolSize,omitempty"` // threads of libuv's pool
}

// Thread is one event loop: the main thread's or a worker's.
type Thread struct {
	ID     int    `json:"id"` // worker_threads' threadId, 0 for the main thread
	Name   string `json:"name,omitempty"`
	URL    string `json:"url,omitempty"`
	TID    int    `json:"tid,omitempty"` // the kernel's id, 0 if not known
	Vitals Vitals `json:"vitals"`
	// Turns counts the iterations of the loop that were looked at, Iterations has
	// those that took at least 5 ms of wall time, idle or busy.
	Turns      int         `json:"turns"`
	Iterations []Iteration `json:"iterations,omitempty"`
	GCs        []GC        `json:"gcs,omitempty"`
	SyncFS     []SyncCall  `json:"syncFs,omitempty"` // older recordings have it
	Profiles   []*Profile  `json:"profiles"`         // one after the other
	Sched      []Sched     `json:"sched,omitempty"`
}

// Vitals are measured inside the thread in the first phase, while no profiler
// runs.
type Vitals struct {
	Duration    int64      `json:"durationUs,omitempty"`
	Utilization float64    `json:"utilization"` // share of the time that the loop did not wait for events
	Delays      []Delay    `json:"delays,omitempty"`
	Quantiles   []Quantile `json:"quantiles,omitempty"` // of the delay histogram
	Samples     int        `json:"samples,omitempty"`   // in the histogram
	CPU         int64      `json:"cpuUs,omitempty"`     // of the whole process
	Resolution  int64      `json:"resolutionUs,omitempty"`
}

// Delay is how late the loop was at most in the time before At.
type Delay struct {
	At  int64 `json:"at"`
	Max int64 `json:"maxUs"`
}

// Quantile says that Percent of the samples are at most Value.
type Quantile struct {
	Percent float64 `json:"percent"`
	Value   int64   `json:"us"`
}

// Iteration is one turn of the loop, from one check phase to the next.
type Iteration struct {
	Start    int64 `json:"at"`
	Duration int64 `json:"us"`
	CPU      int64 `json:"cpuUs"` // of the thread; -1 if not known
	// Wait is how long the thread was ready to run without a core, nil if not
	// known. With it, CPU may be that of up to 5 ms before the iteration, too.
	Wait *int64 `json:"waitUs,omitempty"`
}

// Crowded is the share of time without a core (see [Thread.Starved]) from which on
// a delay says more of the machine than of the program.
const Crowded = 0.1

// Starved is the share of time for which the thread was ready to run and had no
// core, 0 where that is not known.
func (t *Thread) Starved() float64 {
	var wait, wall int64
	for _, s := range t.Sched {
		if s.TID == t.TID {
			wait, wall = wait+s.Wait, wall+s.Wall
		}
	}
	return float64(wait) / float64(max(wall, 1))
}

// GC is one pause for garbage collection.
type GC struct {
	Start    int64  `json:"at"`
	Duration int64  `json:"us"`
	Kind     string `json:"kind"`             // minor or major
	Before   uint64 `json:"before,omitempty"` // bytes of heap in use
	After    uint64 `json:"after,omitempty"`
}

// Request is a request, served or sent.
type Request struct {
	Start    int64  `json:"at"`
	Duration int64  `json:"us"`
	URL      string `json:"url,omitempty"` // without query
	Status   int    `json:"status,omitempty"`
}

// PoolJob is one job of libuv's thread pool.
type PoolJob struct {
	Start int64  `json:"at"`
	Wait  int64  `json:"waitUs"` // in the queue
	Run   int64  `json:"runUs"`
	Name  string `json:"name"`
}

// Submitter is a place that gives jobs to the thread pool.
type Submitter struct {
	Type  string      `json:"type"` // async_hooks' type, such as PBKDF2REQUEST
	Count int         `json:"count"`
	Over  int64       `json:"overUs"`
	Stack []CallFrame `json:"stack"` // from the leaf up
}

// SyncCall sums up calls of one synchronous function of node:fs.
type SyncCall struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`
	Duration int64  `json:"us"`
}

// Memory is one reading of process.memoryUsage and the heap's limit.
type Memory struct {
	At       int64  `json:"at"`
	RSS      uint64 `json:"rss"`
	HeapUsed uint64 `json:"heapUsed"`
	External uint64 `json:"external"`
	Limit    uint64 `json:"heapLimit"`
}

// Probe is one measurement of how long an immediate and a job of the thread
// pool have to wait.
type Probe struct {
	At   int64 `json:"at"`
	Loop int64 `json:"loopUs"`
	Pool int64 `json:"poolUs"`
	// Pending: the job had not come back when the phase ended, Pool is how long
	// it had waited by then.
	Pending bool `json:"pending,omitempty"`
}

// Resources counts what keeps the loop alive, by type.
type Resources map[string]int

// Sched is what the kernel did with a thread in the first phase.
type Sched struct {
	TID  int    `json:"tid"`
	Name string `json:"name"`
	Run  int64  `json:"runUs"`
	Wait int64  `json:"waitUs"` // ready to run, but no core was free
	Wall int64  `json:"wallUs"`
}

// Main is the main thread, or an empty one.
func (r *Recording) Main() *Thread {
	if len(r.Threads) == 0 {
		return &Thread{}
	}
	return &r.Threads[0]
}

// Write writes the recording as a file.
func (r *Recording) Write(w io.Writer) error {
	c := *r
	c.Schema, c.Kind = recordingSchema, recordingKind
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadRecording reads what Write wrote, or a .cpuprofile of any origin: that
// has no iterations, delays or sources, and what is said from it is less sure.
func ReadRecording(from io.Reader) (*Recording, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("the file is empty: want a recording of heapsnap loop --save, or a .cpuprofile")
	}
	var head struct {
		Kind   string           `json:"kind"`
		Schema int              `json:"schema"`
		Nodes  *json.RawMessage `json:"nodes"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("no recording: %w", jsonError(err))
	}
	var r Recording
	switch {
	case head.Kind == recordingKind && head.Schema > recordingSchema:
		return nil, fmt.Errorf("the recording is of schema %d, this heapsnap reads up to %d: use a newer one", head.Schema, recordingSchema)
	case head.Kind == recordingKind:
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("recording: %w", jsonError(err))
		}
	case head.Nodes != nil:
		p := &Profile{}
		if err := json.Unmarshal(text, p); err != nil {
			return nil, fmt.Errorf(".cpuprofile: %w", jsonError(err))
		}
		r = Recording{Start: p.StartTime, End: p.EndTime, Threads: []Thread{{Profiles: []*Profile{p}}}}
	default:
		return nil, errors.New("neither a recording of heapsnap loop --save nor a .cpuprofile: it has no kind and no nodes")
	}
	if len(r.Threads) == 0 {
		return nil, errors.New("the recording has no threads")
	}
	for i := range r.Threads {
		for _, p := range r.Threads[i].Profiles {
			if err := p.check(); err != nil {
				return nil, fmt.Errorf("profile of thread %d: %w", r.Threads[i].ID, err)
			}
		}
	}
	return &r, nil
}

func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}

package eventloop

import (
	"cmp"
	"encoding/json"
	"slices"

	"heapsnap/cdp"
)

// minIteration is the shortest iteration of the loop that a recording has one
// by one: shorter ones cannot be late, and there may be 10,000 a second.
const minIteration = 5_000

// maxSpans bounds requests and pool jobs of a recording.
const maxSpans = 50_000

// sieve keeps of a trace what the analysis needs. Events of one thread come in
// the order of time, but not those of different threads.
type sieve struct {
	threads  map[int]*sieveThread // by kernel thread id
	serving  map[string]cdp.TraceEvent
	sending  map[string]cdp.TraceEvent
	requests []Request
	outgoing []Request
	queued   []cdp.TraceEvent // pool jobs as the main thread queued them
	jobs     []poolRun
}

type poolRun struct{ start, end int64 }

type sieveThread struct {
	turns      int
	last       *cdp.TraceEvent
	iterations []Iteration
	gcs        []GC
	openGC     []cdp.TraceEvent
	openFS     []cdp.TraceEvent
	openJob    []cdp.TraceEvent
	fs         []fsCall
}

type fsCall struct {
	at, us int64
	name   string
}

func newSieve() *sieve {
	return &sieve{threads: map[int]*sieveThread{}, serving: map[string]cdp.TraceEvent{}, sending: map[string]cdp.TraceEvent{}}
}

func (v *sieve) thread(id int) *sieveThread {
	t := v.threads[id]
	if t == nil {
		t = &sieveThread{}
		v.threads[id] = t
	}
	return t
}

func (v *sieve) add(events []cdp.TraceEvent) {
	for _, e := range events {
		t := v.thread(e.TID)
		switch {
		case e.Name == "CheckImmediate":
			t.turn(e)
		case e.Name == "MinorGC" || e.Name == "MajorGC":
			t.gc(e)
		case e.Category == "node,node.fs,node.fs.sync":
			t.sync(e)
		case e.Name == "http.server.request":
			v.requests = span(v.requests, v.serving, e)
		case e.Name == "http.client.request":
			v.outgoing = span(v.outgoing, v.sending, e)
		case e.Category == "node,node.threadpoolwork,node.threadpoolwork.async":
			if e.Phase == "b" && len(v.queued) < maxSpans {
				v.queued = append(v.queued, e)
			}
		case e.Category == "node,node.threadpoolwork,node.threadpoolwork.sync":
			if e.Phase == "B" {
				t.openJob = append(t.openJob, e)
			} else if n := len(t.openJob); n > 0 {
				v.jobs = append(v.jobs, poolRun{t.openJob[n-1].At, e.At})
				t.openJob = t.openJob[:n-1]
			}
		}
	}
}

func (t *sieveThread) turn(e cdp.TraceEvent) {
	t.turns++
	if t.last != nil {
		if d := e.At - t.last.At; d >= minIteration {
			cpu := int64(-1)
			if t.last.CPUAt > 0 && e.CPUAt >= t.last.CPUAt {
				cpu = e.CPUAt - t.last.CPUAt
			}
			t.iterations = append(t.iterations, Iteration{Start: t.last.At, Duration: d, CPU: cpu})
		}
	}
	t.last = &e
}

// closes keeps an event that begins something, and returns the one that an event
// ends.
func closes(open *[]cdp.TraceEvent, e cdp.TraceEvent) (begin cdp.TraceEvent, ok bool) {
	if e.Phase == "B" {
		*open = append(*open, e)
		return begin, false
	}
	n := len(*open)
	if e.Phase != "E" || n == 0 {
		return begin, false
	}
	begin = (*open)[n-1]
	*open = (*open)[:n-1]
	return begin, true
}

func (t *sieveThread) gc(e cdp.TraceEvent) {
	begin, ok := closes(&t.openGC, e)
	if !ok {
		return
	}
	var before struct {
		Used uint64 `json:"usedHeapSizeBefore"`
	}
	var after struct {
		Used uint64 `json:"usedHeapSizeAfter"`
	}
	_ = json.Unmarshal(begin.Args, &before) // figures that are missing stay 0
	_ = json.Unmarshal(e.Args, &after)
	kind := "minor"
	if begin.Name == "MajorGC" {
		kind = "major"
	}
	t.gcs = append(t.gcs, GC{Start: begin.At, Duration: e.At - begin.At, Kind: kind, Before: before.Used, After: after.Used})
}

func (t *sieveThread) sync(e cdp.TraceEvent) {
	begin, ok := closes(&t.openFS, e)
	if !ok {
		return
	}
	t.fs = append(t.fs, fsCall{begin.At, e.At - begin.At, begin.Name})
}

// calls sums up the synchronous file operations.
func (t *sieveThread) calls() []SyncCall {
	byName := map[string]int{}
	var sums []SyncCall
	for _, c := range t.fs {
		i, known := byName[c.name]
		if !known {
			i = len(sums)
			byName[c.name] = i
			sums = append(sums, SyncCall{Name: c.name})
		}
		sums[i].Count++
		sums[i].Duration += c.us
	}
	slices.SortFunc(sums, func(a, b SyncCall) int {
		return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.Name, b.Name))
	})
	return sums
}

// span adds a request when both its events are there.
func span(spans []Request, open map[string]cdp.TraceEvent, e cdp.TraceEvent) []Request {
	if e.Phase == "b" {
		open[e.ID] = e
		return spans
	}
	begin, ok := open[e.ID]
	if e.Phase != "e" || !ok {
		return spans
	}
	delete(open, e.ID)
	if len(spans) >= maxSpans {
		return spans
	}
	var args struct {
		Data struct {
			URL    string `json:"url"`
			Path   string `json:"path"`
			Status int    `json:"statusCode"`
		} `json:"data"`
	}
	_ = json.Unmarshal(begin.Args, &args) // the client's event has the path here
	_ = json.Unmarshal(e.Args, &args)
	url := args.Data.URL
	if url == "" {
		url = args.Data.Path
	}
	return append(spans, Request{Start: begin.At, Duration: e.At - begin.At, URL: withoutQuery(url), Status: args.Data.Status})
}

// into puts what was kept into the recording.
func (v *sieve) into(r *Recording) {
	for i := range r.Threads {
		t := v.threads[r.Threads[i].TID]
		if t == nil {
			continue
		}
		if t.turns > 0 {
			r.Threads[i].Turns, r.Threads[i].Iterations = t.turns, t.iterations
			r.Threads[i].lastTurn(t)
		}
		r.Threads[i].GCs = append(r.Threads[i].GCs, t.gcs...)
		r.Threads[i].SyncFS = t.calls()
	}
	byStart := func(a, b Request) int { return int(a.Start - b.Start) }
	r.Requests, r.Outgoing = append(r.Requests, v.requests...), append(r.Outgoing, v.outgoing...)
	slices.SortFunc(r.Requests, byStart)
	slices.SortFunc(r.Outgoing, byStart)
	r.Pool = v.poolJobs()
}

// lastTurn adds the iteration that had not ended when the trace did: a loop
// that never comes round again has only this one.
func (t *Thread) lastTurn(s *sieveThread) {
	if s.last != nil && len(t.Profiles) > 0 {
		if end := t.Profiles[len(t.Profiles)-1].EndTime; end-s.last.At >= minIteration {
			t.Iterations = append(t.Iterations, Iteration{Start: s.last.At, Duration: end - s.last.At, CPU: -1})
		}
	}
}

// poolJobs matches jobs with the moment they were begun: the events of the
// pool's threads have no id, but the queue is first in, first out.
func (v *sieve) poolJobs() []PoolJob {
	slices.SortFunc(v.queued, func(a, b cdp.TraceEvent) int { return int(a.At - b.At) })
	slices.SortFunc(v.jobs, func(a, b poolRun) int { return int(a.start - b.start) })
	// Jobs that were in the queue when the trace began were begun first.
	for len(v.jobs) > 0 && len(v.queued) > 0 && v.jobs[0].start < v.queued[0].At {
		v.jobs = v.jobs[1:]
	}
	var out []PoolJob
	for i, q := range v.queued {
		if i >= len(v.jobs) {
			break
		}
		run := v.jobs[i]
		if run.start < q.At {
			continue
		}
		out = append(out, PoolJob{Start: q.At, Wait: run.start - q.At, Run: run.end - run.start, Name: q.Name})
	}
	return out
}

package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heapsnap/cdp"
	"heapsnap/memory"
)

// Connection is a way to a process. Close ends the session and undoes what was
// done to get it.
type Connection struct {
	Session *cdp.Session // of the main thread
	Close   func()
}

// Options say how to watch. The zero value is the default.
type Options struct {
	Interval time.Duration // between two looks; 1 s
	// Once ends with the process, instead of waiting for it to come back.
	Once bool
}

const (
	defaultInterval = time.Second
	// handlesPace is between two counts of the active resources: they are a list
	// of all sockets and timers.
	handlesPace = 10 * time.Second
	// workersPace is between two looks for new worker threads.
	workersPace = 3 * time.Second
	// answerPatience is how long a thread may take to answer one look. One in
	// native code answers when that returns.
	answerPatience = 2 * time.Second
	workerPatience = 500 * time.Millisecond
	// cleanupPatience bounds what is undone at the end.
	cleanupPatience = 2 * time.Second
	maxWorkers      = 32
	retryFirst      = 250 * time.Millisecond
	retryLongest    = 5 * time.Second
)

// EventKind is what happened.
type EventKind string

const (
	Attached EventKind = "attached" // also after a restart
	Seen     EventKind = "point"
	Silent   EventKind = "silent" // it did not answer in time
	Lost     EventKind = "lost"   // the process ended, or the way to it
	Noted    EventKind = "note"
)

// Event is something that a watcher saw.
type Event struct {
	Time time.Time
	Kind EventKind
	Text string // a sentence, but for Seen
	// Point and Session are of Seen; the session is the main thread's, and is the
	// receiver's until its function returns.
	Point   *Point
	Session *cdp.Session
}

// Watcher follows one process.
type Watcher struct {
	Options
	// Connect finds the process and connects to it; it is called again when the
	// process is lost.
	Connect func(ctx context.Context) (*Connection, error)
	Series  Series // of the process that runs, or ran last
	// Restarts counts how often the process came back as another.
	Restarts int

	hello hello
}

// NodeVersion and Script are of the process that runs, or ran last.
func (w *Watcher) NodeVersion() string { return w.hello.NodeVersion }

// Script is the main script of the process that runs, or ran last.
func (w *Watcher) Script() string { return w.hello.Script }

// Run watches until ctx ends, which is no error, and tells each what it sees. It
// fails if the first connection does; with Once, it ends when the process does.
// Nothing of it stays in the process.
func (w *Watcher) Run(ctx context.Context, each func(Event)) error {
	if w.Interval <= 0 {
		w.Interval = defaultInterval
	}
	say := func(kind EventKind, format string, args ...any) {
		each(Event{Time: time.Now(), Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	retry := retryFirst
	for first := true; ctx.Err() == nil; {
		conn, err := w.Connect(ctx)
		if err != nil {
			if first || ctx.Err() != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			if !sleep(ctx, retry) {
				return nil
			}
			retry = min(2*retry, retryLongest)
			continue
		}
		retry = retryFirst
		err = w.follow(ctx, conn, first, each)
		conn.Close()
		switch {
		case ctx.Err() != nil:
			return nil
		case first && w.Series.Last() == nil:
			return err
		}
		say(Lost, "the process was lost: %v", err)
		if w.Once {
			return nil
		}
		first = false
	}
	return nil
}

// sleep waits, and says whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// following is one connection.
type following struct {
	w       *Watcher
	conn    *Connection
	each    func(Event)
	main    *thread
	workers map[*cdp.Session]*thread
	pid     int
	before  *reading // of the main thread, at beforeAt
	group   memory.Group
}

// thread is a thread that is looked at.
type thread struct {
	probe   *probe
	hello   hello
	options memory.Options
	live    Live // of the last full collection
	gc      map[string]gcSums
	at      int64
}

// follow looks at the process until the connection ends; the error says why.
func (w *Watcher) follow(ctx context.Context, conn *Connection, first bool, each func(Event)) error {
	f := &following{w: w, conn: conn, each: each, workers: map[*cdp.Session]*thread{}}
	defer f.cleanUp(ctx)
	if err := f.begin(ctx, first); err != nil {
		return err
	}
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	var handlesAt, workersAt time.Time
	for {
		now := time.Now()
		handles := now.Sub(handlesAt) >= handlesPace
		if now.Sub(workersAt) >= workersPace {
			workersAt = now
			f.findWorkers(ctx)
		}
		ok, err := f.look(ctx, handles)
		if err != nil {
			return err
		}
		if ok && handles {
			handlesAt = now
		}
		select {
		case <-tick.C:
		case <-conn.Session.Done():
			return conn.Session.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// begin puts the probe into the main thread, as soon as its event loop turns.
func (f *following) begin(ctx context.Context, first bool) error {
	said := false
	for {
		t := &thread{probe: newProbe(f.conn.Session)}
		var err error
		t.hello, err = t.probe.start(ctx, f.w.Interval)
		if err == nil {
			f.main = t
			break
		}
		if !errors.Is(err, errNoTurn) {
			return err
		}
		// It will start when the loop turns, and nobody reads it: it ends itself.
		if !said {
			said = true
			f.each(Event{Time: time.Now(), Kind: Silent, Text: "the event loop is blocked: nothing can be measured until it turns (heapsnap stuck says where it is)"})
		}
	}
	h := f.main.hello
	f.main.options = memory.ParseOptions(h.Options, h.Args)
	switch {
	case first:
	case h.Uptime < (f.w.hello.Uptime+h.At-f.w.hello.At) || h.PID != f.w.hello.PID:
		f.w.Series, f.w.Restarts = Series{}, f.w.Restarts+1
	}
	f.w.hello = h
	f.pid = f.conn.Session.Target().PID
	if f.pid == 0 {
		f.pid = cdp.LocalPID(f.conn.Session.Target())
	}
	f.each(Event{Time: time.Now(), Kind: Attached, Text: fmt.Sprintf("process %d, %s, Node %s, up %s", h.PID, h.Script, h.NodeVersion, micros(h.Uptime).Round(time.Second))})
	return nil
}

func major(version string) int { return memory.Facts{NodeVersion: version}.Major() }

// findWorkers puts the probe into worker threads that are new. One whose loop
// does not turn is tried again.
func (f *following) findWorkers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	sessions, err := f.conn.Session.Workers(ctx)
	if err != nil {
		return
	}
	for _, s := range sessions {
		if f.workers[s] != nil || len(f.workers) >= maxWorkers {
			continue
		}
		t := &thread{probe: newProbe(s)}
		patience, cancel := context.WithTimeout(ctx, workerPatience)
		t.hello, err = t.probe.start(patience, f.w.Interval)
		cancel()
		if err == nil {
			f.workers[s] = t
		}
	}
}

// look asks all threads once. ok is false if the main one did not answer.
func (f *following) look(ctx context.Context, handles bool) (ok bool, err error) {
	begun := time.Now()
	patience, cancel := context.WithTimeout(ctx, max(answerPatience, f.w.Interval))
	r, err := f.main.probe.read(patience, handles)
	cancel()
	switch {
	case ctx.Err() != nil:
		return false, nil // the caller sees it
	case f.conn.Session.Err() != nil:
		return false, f.conn.Session.Err()
	case err != nil && patience.Err() != nil:
		f.each(Event{Time: time.Now(), Kind: Silent, Text: fmt.Sprintf("no answer for %s: its thread is in native code", time.Since(begun).Round(100*time.Millisecond))})
		return false, nil
	case err != nil:
		return false, err
	case r == nil: // a suspended machine: the lease was over
		return false, f.begin(ctx, false)
	}
	now := time.Now()
	p := Point{Time: now, PID: f.main.hello.PID, RSS: r.RSS, Handles: r.Handles, Late: now.Sub(begun)}
	var lives []Live
	p.Main, lives = f.main.take(r, now, lives, f.w.hello)
	if f.before != nil && r.At > f.before.At {
		p.CPU = float64(r.CPUUser+r.CPUSystem-f.before.CPUUser-f.before.CPUSystem) / float64(r.At-f.before.At)
	}
	f.before = r
	for s, t := range f.workers {
		patience, cancel := context.WithTimeout(ctx, workerPatience)
		r, err := t.probe.read(patience, false)
		cancel()
		if s.Err() != nil || err == nil && r == nil {
			delete(f.workers, s)
			continue
		}
		if err != nil {
			continue
		}
		var w Thread
		w, lives = t.take(r, now, lives, f.w.hello)
		w.ID, w.Name = s.Worker().ThreadID, s.Worker().Name
		p.Workers = append(p.Workers, w)
	}
	sortThreads(p.Workers)
	f.readGroup(ctx, &p)
	f.w.Series.Add(p, lives)
	f.each(Event{Time: now, Kind: Seen, Point: f.w.Series.Last(), Session: f.conn.Session})
	return true, nil
}

// readGroup reads the container: from here, or by the process itself.
func (f *following) readGroup(ctx context.Context, p *Point) {
	if f.pid > 0 {
		p.Group = memory.GroupOf(memory.System(), f.pid)
	} else if len(f.w.Series.Points)%5 == 0 { // the process does the work
		if read, err := memory.Inside(ctx, f.conn.Session); err == nil {
			f.group = memory.GroupOf(read, 0)
		}
		p.Group = f.group
	} else {
		p.Group = f.group
	}
	p.Group.Procs = nil
}

// take makes a thread of a reading.
func (t *thread) take(r *reading, now time.Time, lives []Live, main hello) (Thread, []Live) {
	when := func(at int64) time.Time { return now.Add(-micros(r.At - at)) }
	for _, l := range r.Live {
		t.live = Live{when(l.At), t.hello.ThreadID, l.Used, l.Old, l.External}
		lives = append(lives, t.live)
	}
	i := memory.Isolate{ThreadID: t.hello.ThreadID, Limit: r.Limit, MaxYoung: t.hello.MaxYoung}
	th := Thread{
		ID: t.hello.ThreadID, Limit: r.Limit, OldLimit: i.OldLimit(t.options, major(main.NodeVersion)), Used: r.Used, Total: r.Total, Physical: r.Physical,
		External: r.External, ArrayBuffers: r.ArrayBuffers, Malloced: r.Malloced, Detached: r.Detached, Spaces: r.Spaces,
		Live: t.live.Used, LiveOld: t.live.Old, Allocated: r.Allocated, Utilization: r.Utilization, Active: micros(r.Active), Idle: micros(r.Idle),
		Delay: Delay{micros(r.Delay.P50), micros(r.Delay.P90), micros(r.Delay.P99), micros(r.Delay.Min), micros(r.Delay.Max), micros(r.Delay.Mean), micros(r.Delay.Stddev)},
		GC:    GC{Longest: micros(r.LongestGC), Kinds: map[string]GCKind{}},
	}
	for _, s := range r.Spaces {
		if !(memory.Space{Name: s.Name}).Young() {
			th.Old += s.Used
		}
	}
	var spent int64
	for kind, g := range r.GC {
		th.GC.Kinds[kind] = GCKind{g.Count, micros(g.US), g.Buckets}
		before := t.gc[kind]
		th.GC.Count += g.Count - before.Count
		spent += g.US - before.US
		if kind == "major" {
			th.GC.Major = g.Count - before.Count
		}
	}
	if since := t.at; since > 0 && r.At > since {
		th.GC.Share = float64(spent) / float64(r.At-since)
	} else if r.At > t.hello.At {
		th.GC.Share = float64(spent) / float64(r.At-t.hello.At)
	}
	t.gc, t.at = r.GC, r.At
	return th, lives
}

// cleanUp takes the probes away, also after ctx has ended.
func (f *following) cleanUp(ctx context.Context) {
	if f.conn.Session.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	for s, t := range f.workers {
		if s.Err() == nil {
			_ = t.probe.stop(ctx)
		}
	}
	if f.main == nil {
		return
	}
	if err := f.main.probe.stop(ctx); err != nil && f.conn.Session.Err() == nil {
		f.each(Event{Time: time.Now(), Kind: Noted, Text: fmt.Sprintf("the probe is still there and ends by itself within %s: %v", minLease, err)})
	}
}

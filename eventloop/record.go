package eventloop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"heapsnap/cdp"
)

// RecordOptions say how long and how closely to look. The zero value is the
// default.
type RecordOptions struct {
	Vitals   time.Duration // the first phase, without a profiler; 3 s
	Profile  time.Duration // the second; 7 s
	Interval time.Duration // between two samples; 1 ms, 2 ms where Profile is above 20 s
	// NoVitals leaves out the first phase, and with it all that runs inside the
	// target. Node's tracing takes the probe's place, which costs a busy service a
	// quarter of its requests.
	NoVitals bool
	// Block is how long an iteration is that is worth a clear profile, see
	// KeepOptimized; DefaultThreshold.
	Block time.Duration
	// KeepOptimized forbids making V8 optimize the program anew where its profile
	// hides functions that were inlined, see [cdp.Session.Deoptimize].
	KeepOptimized bool
	// Until ends the recording early, without an error.
	Until <-chan struct{}
	// Progress is told what is going on, and how far that is.
	Progress func(phase string, passed, whole time.Duration)
}

const (
	longProfile = 20 * time.Second
	// rotation is how long one profile is at most: a target that dies costs only
	// the last one, and V8 keeps the samples of one only.
	rotation = 5 * time.Minute
	// readPace is below the probe's lease.
	readPace = 500 * time.Millisecond
	// stopPatience is how long what was started may take to stop. A thread that
	// is blocked in native code answers when that returns.
	stopPatience = 20 * time.Second
	// cleanupPatience is the same when nobody waits for a result any more.
	cleanupPatience = 3 * time.Second
	// endPatience is how long the news that a program ends may take.
	endPatience = time.Second
	// maxWorkers is how many worker threads are profiled.
	maxWorkers = 16
)

// What Node 18 to 26 trace. With a probe that is only the thread pool's jobs, once
// they are known to be late and so to be few. Where there is none, the iterations
// of the loop, requests and collections are traced, too, which costs a busy
// service more than all the rest together.
//
// Synchronous file operations are never traced: a program that makes 100,000 of
// them a second may end with a segmentation fault when tracing stops, or sends
// events that are no JSON (seen with 20 and 24).
var (
	poolJobs = []string{"node.threadpoolwork"}
	unprobed = append([]string{"node.environment", "node.http", "v8"}, poolJobs...)
)

func (o *RecordOptions) complete() {
	if o.Vitals <= 0 {
		o.Vitals = 3 * time.Second
	}
	if o.Profile <= 0 {
		o.Profile = 7 * time.Second
	}
	if o.Interval <= 0 {
		o.Interval = time.Millisecond
		if o.Profile > longProfile {
			o.Interval = 2 * time.Millisecond
		}
	}
	if o.Block <= 0 {
		o.Block = DefaultThreshold
	}
	if o.Progress == nil {
		o.Progress = func(string, time.Duration, time.Duration) {}
	}
}

// Record watches the process of the main session, or one worker thread, if the
// session is a worker's: that is the recording's only thread then. If it fails
// half way, or ctx ends, nothing of it stays in the target. A program that comes
// to its end is held until it has been asked for the last profile; closing main
// lets it go.
func Record(ctx context.Context, main *cdp.Session, o RecordOptions) (rec *Recording, err error) {
	o.complete()
	r := &recorder{RecordOptions: o, main: main, exit: main.HoldExit(), rec: &Recording{Time: time.Now().UTC()}}
	defer func() {
		r.cleanUp(ctx)
		if err != nil {
			err = fmt.Errorf("record: %w", err)
		}
	}()
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	if !r.NoVitals {
		if err := r.vitals(ctx); err != nil {
			return nil, err
		}
		if err := r.submitters(ctx); err != nil {
			return nil, err
		}
		if err := r.calmDown(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.profile(ctx, r.Profile); err != nil {
		return nil, err
	}
	if !o.KeepOptimized && !r.clear && r.sawBlock() { // there may have been none when it was judged
		if err := r.unclear(ctx); err != nil {
			return nil, err
		}
		if r.clear {
			if err := r.profile(ctx, r.Profile); err != nil {
				return nil, err
			}
		}
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	return r.rec, nil
}

// recorder is one recording under way.
type recorder struct {
	RecordOptions
	main     *cdp.Session
	exit     <-chan struct{} // the program has ended and is held
	threads  []*thread
	trace    *cdp.Trace
	hooked   bool
	judged   bool       // a profile was looked at by unclear
	clear    bool       // see unclear
	meddled  [][2]int64 // see meddle
	calm     bool       // the probe measures no more, it only keeps the ledger
	measured bool       // the first phase is over
	pending  int64      // how long the pool's probe has been out, at the end of the first phase
	sift     *sieve
	rec      *Recording
}

// thread is one event loop that is watched.
type thread struct {
	s         *cdp.Session
	probed    bool
	profiling bool
	asked     chan answer // of the reading that is under way, nil if none is
	turned    int64       // the end of the last turn
	hidden    []*Profile  // that were not clear
	rec       Thread
}

// answer is what the probe said, nil where there is no probe.
type answer struct {
	got *reading
	err error
}

func (r *recorder) warn(format string, args ...any) {
	r.rec.Warnings = append(r.rec.Warnings, fmt.Sprintf(format, args...))
}

// begin asks who the threads are and starts the trace, which runs in both
// phases: it does not disturb what the first one measures.
func (r *recorder) begin(ctx context.Context) error {
	r.Progress("connecting", 0, 0)
	f, err := ask(ctx, r.main)
	switch {
	case errors.Is(err, errNoTurn):
		r.warn("%v, so nothing is measured inside the program: only the profile tells", err)
		r.NoVitals = true
	case err != nil:
		return err
	}
	r.rec.Target = Process{PID: f.PID, Script: f.Script, NodeVersion: f.NodeVersion, Cores: f.Cores, PoolSize: f.PoolSize}
	r.rec.Start = f.Now
	r.rec.Memory = []Memory{f.Memory}
	tid := f.TID
	if tid == 0 {
		tid = f.PID
	}
	own := r.main.Worker()
	r.threads = []*thread{{s: r.main, rec: Thread{ID: own.ThreadID, Name: own.Name, URL: own.URL, TID: tid}}}
	var workers []*cdp.Session
	if own.ThreadID == 0 {
		if workers, err = r.main.Workers(ctx); err != nil {
			r.warn("worker threads are not in the recording: %v", err)
		}
	}
	if len(workers) > maxWorkers {
		r.warn("only %d of %d worker threads are in the recording", maxWorkers, len(workers))
		workers = workers[:maxWorkers]
	}
	for _, w := range workers {
		t := &thread{s: w, rec: Thread{ID: w.Worker().ThreadID, Name: w.Worker().Name, URL: w.Worker().URL}}
		// A worker that does not answer is busy in native code, or at its end.
		patience, cancel := context.WithTimeout(ctx, cleanupPatience)
		f, err := ask(patience, w)
		cancel()
		if errors.Is(err, errNoTurn) || err != nil && ctx.Err() == nil && patience.Err() != nil {
			err = nil // it works, and so is worth a profile
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			r.warn("worker %d is not in the recording: %v", t.rec.ID, err)
			continue
		}
		t.rec.TID = f.TID
		r.threads = append(r.threads, t)
	}
	r.sift = newSieve()
	if r.NoVitals {
		return r.startTrace(ctx, unprobed)
	}
	return nil
}

func (r *recorder) startTrace(ctx context.Context, categories []string) (err error) {
	if r.main.Worker().ThreadID != 0 {
		return nil // Node traces at the main thread's request only
	}
	r.trace, err = r.main.StartTrace(ctx, categories, r.sift.add)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, cdp.ErrClosed):
		return err
	case err != nil && r.NoVitals:
		r.warn("Node's tracing cannot be used, so iterations of the loop are guessed from the profile: %v", err)
	case err != nil:
		r.warn("Node's tracing cannot be used, so the thread pool's jobs are not known: %v", err)
	}
	return nil
}

func (r *recorder) stopTrace(ctx context.Context) error {
	if r.trace == nil {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, stopPatience)
	err := r.trace.Stop(patience)
	cancel()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		r.warn("the trace is not complete: %v", err)
	}
	r.trace = nil
	r.rec.Traced = true
	return nil
}

// gone reports whether the program has ended in the first phase. Its native
// objects are gone, the probe's too: what runs now may crash it.
func (r *recorder) gone() bool {
	if !r.over() || !r.rec.Ended {
		return false
	}
	for _, t := range r.threads {
		t.probed = false
	}
	return true
}

// calmDown leaves only the ledger to the probes.
func (r *recorder) calmDown(ctx context.Context) error {
	if r.gone() {
		return nil
	}
	for _, t := range r.threads {
		if !t.probed || t.rec.Turns == 0 {
			continue
		}
		if err := t.s.EvaluateBare(ctx, calmProbe, nil); err != nil && (ctx.Err() != nil || t.s == r.main && !r.ending()) {
			return fmt.Errorf("probe: %w", err)
		}
	}
	r.calm = true
	return nil
}

// vitals is the first phase.
func (r *recorder) vitals(ctx context.Context) error {
	before, err := ask(ctx, r.main)
	if err != nil && !errors.Is(err, errNoTurn) {
		return err
	}
	for _, t := range r.threads {
		t.probed = true // if it fails it may be there all the same
		err := turn(ctx, t.s, startProbe, nil)
		switch {
		case err == nil:
		case errors.Is(err, errNoTurn):
			r.warn("thread %d: no vitals: %v", t.rec.ID, err)
		case t.s == r.main || ctx.Err() != nil:
			return fmt.Errorf("vitals: %w", err)
		default:
			r.warn("worker %d: no vitals: %v", t.rec.ID, err)
			t.probed = false
		}
	}
	if err := r.wait(ctx, "vitals", r.Vitals, func() error { return r.readAll(ctx) }); err != nil {
		return err
	}
	if r.gone() {
		return nil
	}
	for _, t := range r.threads {
		if err := r.readLast(ctx, t); err != nil {
			return err
		}
	}
	if r.pending > 0 {
		r.rec.Probes = append(r.rec.Probes, Probe{At: r.rec.Start, Pool: r.pending, Pending: true})
	}
	r.measured = true
	after, err := ask(ctx, r.main)
	if err != nil && !errors.Is(err, errNoTurn) {
		return err
	}
	r.rec.Active = after.Resources
	main := &r.threads[0].rec
	for _, a := range after.Sched {
		for _, b := range before.Sched {
			if a.TID == b.TID {
				main.Sched = append(main.Sched, Sched{TID: a.TID, Name: a.Name, Run: a.Run - b.Run, Wait: a.Wait - b.Wait, Wall: after.Now - before.Now})
			}
		}
	}
	return nil
}

// readAll takes what the probes have said and asks them anew. It does not wait:
// a thread that is blocked in native code answers when that returns.
func (r *recorder) readAll(ctx context.Context) error {
	for _, t := range r.threads {
		select {
		case a := <-t.asked:
			t.asked = nil
			if err := r.take(ctx, t, a); err != nil {
				return err
			}
		default:
		}
		t.ask(ctx)
	}
	return nil
}

func (t *thread) ask(ctx context.Context) {
	if !t.probed || t.asked != nil {
		return
	}
	t.asked = make(chan answer, 1)
	go func(to chan<- answer) {
		var a answer
		a.err = t.s.EvaluateBare(ctx, readProbe, &a.got)
		to <- a
	}(t.asked)
}

// readLast waits for what the probe has to say by now.
func (r *recorder) readLast(ctx context.Context, t *thread) error {
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	for range 2 { // one may be under way
		under := t.asked != nil
		t.ask(ctx)
		if t.asked == nil {
			return nil
		}
		select {
		case a := <-t.asked:
			t.asked = nil
			if err := r.take(ctx, t, a); err != nil {
				return err
			}
		case <-patience.C:
			r.warn("thread %d: the probe did not answer, so what it saw last is missing", t.rec.ID)
			return nil
		}
		if !under {
			break
		}
	}
	return nil
}

// take keeps what the probe said. A worker that has ended is no error.
func (r *recorder) take(ctx context.Context, t *thread, a answer) error {
	if a.err != nil {
		if ctx.Err() != nil || t.s == r.main && !r.ending() {
			return fmt.Errorf("probe: %w", a.err)
		}
		t.probed = false
		return nil
	}
	if a.got == nil { // not there yet, or not there any more
		if t.rec.Turns > 0 {
			r.warn("thread %d: the probe ended by itself, as nobody read it for too long", t.rec.ID)
			t.probed = false
		}
		return nil
	}
	t.rec.Turns = max(1, a.got.Count)
	t.rec.Iterations = append(t.rec.Iterations, a.got.Turns...)
	t.turned = a.got.At
	t.rec.GCs = append(t.rec.GCs, a.got.GCs...)
	room := func(list []Request, more []Request) []Request {
		return append(list, more[:min(len(more), maxSpans-len(list))]...)
	}
	for _, list := range [][]Request{a.got.Requests, a.got.Outgoing} {
		for i := range list {
			list[i].URL = withoutQuery(list[i].URL)
		}
	}
	r.rec.Requests, r.rec.Outgoing = room(r.rec.Requests, a.got.Requests), room(r.rec.Outgoing, a.got.Outgoing)
	got := a.got.Vitals
	if got == nil || r.measured {
		return nil
	}
	v := &t.rec.Vitals
	v.Duration, v.Utilization, v.CPU, v.Resolution = got.Duration, got.Utilization, got.CPU, got.Resolution
	v.Samples, v.Quantiles = got.Samples, got.Quantiles
	v.Delays = append(v.Delays, got.Delays...)
	if t.s == r.main {
		r.rec.Probes = append(r.rec.Probes, got.Probes...)
		r.pending = got.Pending
	}
	return nil
}

func (t *thread) unprobe(ctx context.Context) error {
	if !t.probed {
		return nil
	}
	var gone bool
	if err := t.s.EvaluateBare(ctx, stopProbe, &gone); err != nil {
		return err
	}
	if !gone {
		return errors.New("the probe could not be removed")
	}
	t.probed = false
	return nil
}

// wait lets time pass, and calls each at the pace of the probe's reader. It
// ends early where the program does.
func (r *recorder) wait(ctx context.Context, phase string, whole time.Duration, each func() error) error {
	begun := time.Now()
	end := time.NewTimer(whole)
	defer end.Stop()
	tick := time.NewTicker(readPace)
	defer tick.Stop()
	for {
		r.Progress(phase, time.Since(begun), whole)
		select {
		case <-tick.C:
			if err := each(); err != nil {
				return err
			}
		case <-end.C:
			return nil
		case <-r.Until:
			return nil
		case <-r.exit:
			r.rec.Ended = true
			return nil
		case <-r.main.Done():
			return r.main.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// submitters asks, if jobs of the thread pool came back late, who gives it jobs.
// That takes async_hooks, whose price is worth it only then.
func (r *recorder) submitters(ctx context.Context) error {
	late := 0
	for _, p := range r.rec.Probes {
		if us(p.Pool) >= lateJob && p.Pool >= probeFactor*p.Loop {
			late++
		}
	}
	if late == 0 || 2*late < len(r.rec.Probes) || r.threads[0].rec.Vitals.Utilization > idleLoop || r.over() {
		return nil
	}
	if err := r.startTrace(ctx, poolJobs); err != nil {
		return err
	}
	r.hooked = true // if it fails it may be there all the same
	if err := turn(ctx, r.main, startHook, nil); err != nil && !errors.Is(err, errNoTurn) {
		return fmt.Errorf("thread pool: %w", err)
	}
	if err := r.wait(ctx, "thread pool", hookTime, func() error { return r.readAll(ctx) }); err != nil {
		return err
	}
	err := r.main.EvaluateBare(ctx, stopHook, &r.rec.Submitters)
	if err != nil {
		return fmt.Errorf("thread pool: %w", err)
	}
	r.hooked = false
	return r.stopTrace(ctx)
}

// profile is the second phase.
func (r *recorder) profile(ctx context.Context, whole time.Duration) error {
	r.rec.Interval = r.Interval.Microseconds()
	left := whole
	for left > 0 && !r.over() {
		if err := r.meddle(ctx, func() error { return r.startProfiles(ctx) }); err != nil {
			return err
		}
		var from int64
		if r.clear {
			// Code that was optimized before a profile starts does not tell what was
			// inlined into it, even if it was optimized under an earlier one. The profile
			// counts from when that is done.
			if err := r.wait(ctx, "profile", warmUp, func() error { return r.readAll(ctx) }); err != nil {
				return err
			}
			var err error
			if from, err = r.now(ctx); err != nil {
				return err
			}
		}
		begun := time.Now()
		passed := whole - left
		err := r.wait(ctx, "profile", min(left, rotation), func() error {
			r.Progress("profile", passed+time.Since(begun), whole)
			if err := r.readAll(ctx); err != nil {
				return err
			}
			if !r.judged && !r.KeepOptimized && time.Since(begun) >= look && r.blocks() {
				return errEnough
			}
			return nil
		})
		judge := errors.Is(err, errEnough)
		if err != nil && !judge {
			return err
		}
		left -= time.Since(begun)
		stop := func() error {
			if err := r.stopProfiles(ctx); err != nil {
				return err
			}
			if n := len(r.threads[0].rec.Profiles); n > 0 {
				r.threads[0].rec.Profiles[n-1].cutBefore(from)
			}
			if !judge {
				return nil
			}
			r.judged = true
			return r.unclear(ctx)
		}
		if !judge {
			err = stop()
		} else if err = r.meddle(ctx, stop); r.clear {
			left = max(left, whole/2)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startProfiles starts the profilers, and makes V8 optimize the program anew if
// the last profile was not clear.
func (r *recorder) startProfiles(ctx context.Context) error {
	for _, t := range r.threads {
		if err := t.s.StartProfile(ctx, r.Interval); err != nil {
			if t.s == r.main || ctx.Err() != nil {
				return err
			}
			if t.s.Err() == nil {
				r.warn("worker %d: %v", t.rec.ID, err)
			}
			continue
		}
		t.profiling = true
	}
	if r.clear {
		return r.main.Deoptimize(ctx)
	}
	return nil
}

// meddle does what keeps the main thread busy: V8 walks the heap when a profiler
// starts, 140 ms for 200 MB, when a script's text is asked for, and longer when it
// drops what it has optimized. The turns of the loop in which that is most of the
// time are none of the program's.
func (r *recorder) meddle(ctx context.Context, f func() error) error {
	before, err := r.now(ctx)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := r.now(ctx)
	r.meddled = append(r.meddled, [2]int64{before, after})
	return err
}

// ours reports whether most of a turn was heapsnap's doing.
func (r *recorder) ours(it Iteration) bool {
	var sum int64
	for _, m := range r.meddled {
		sum += max(0, min(it.Start+it.Duration, m[1])-max(it.Start, m[0]))
	}
	return 2*sum > it.Duration
}

// errEnough ends a profile that tells whether profiles are clear.
var errEnough = errors.New("enough was seen")

// blocks reports whether the main thread has been blocked, as far as that can be
// said while it is recorded: a healthy program is not worth the price of a clear
// profile. Without a probe it may have been.
func (r *recorder) blocks() bool {
	main := r.threads[0]
	if !main.probed {
		return true
	}
	limit := r.Block.Microseconds()
	return slices.ContainsFunc(main.rec.Iterations, func(it Iteration) bool {
		if r.ours(it) {
			return false
		}
		d := it.Duration
		if it.Wait != nil {
			d -= *it.Wait // the machine was late, not the program
		}
		if d < limit || it.CPU >= limit/2 {
			return d >= limit
		}
		// It waited, for events or for something of the kernel: then work was late.
		return slices.ContainsFunc(main.rec.Vitals.Delays, func(w Delay) bool {
			return w.Max >= limit && w.At >= it.Start+it.Duration && w.At < it.Start+it.Duration+2*probePace.Microseconds()
		})
	})
}

// sawBlock is blocks after the profile, which has seen it.
func (r *recorder) sawBlock() bool {
	l := newLedger(&r.threads[0].rec, r.rec.Interval)
	limit := r.Block.Microseconds()
	return slices.ContainsFunc(l.iterations(), func(it Iteration) bool { return l.busy(it.Start, it.Start+it.Duration) >= limit })
}

// unclear looks whether the profile hides functions that were inlined before it
// began.
func (r *recorder) unclear(ctx context.Context) error {
	main := r.threads[0]
	if r.over() || len(main.rec.Profiles) == 0 || r.rec.Memory[0].HeapUsed > maxDeoptimize {
		return ctx.Err()
	}
	r.rec.Threads = []Thread{main.rec}
	r.sources(ctx, r.threads[:1])
	src := newSources(r.rec, noSource)
	r.clear = slices.ContainsFunc(main.rec.Profiles, func(p *Profile) bool { return unclear(p, src) })
	r.rec.Threads = nil
	if r.clear {
		for _, t := range r.threads {
			t.hidden, t.rec.Profiles = t.rec.Profiles, nil
		}
	}
	return ctx.Err()
}

// now is the time of the target's clock, 0 where the program hides it.
func (r *recorder) now(ctx context.Context) (us int64, err error) {
	err = r.main.EvaluateBare(ctx, "(() => { const t = process.hrtime(); return t[0] * 1e6 + Math.round(t[1] / 1e3); })()", &us)
	var thrown *cdp.JSError
	if errors.As(err, &thrown) || err != nil && ctx.Err() == nil && r.ending() {
		return 0, nil
	}
	return us, err
}

const (
	// maxDeoptimize is the heap up to which the walk over it is short.
	maxDeoptimize = 256 << 20
	// warmUp is how long V8 gets to optimize again what is hot.
	warmUp = time.Second
	// look is how long the first profile is.
	look = time.Second
)

func noSource(string) ([]byte, error) { return nil, errors.ErrUnsupported }

func (r *recorder) over() bool {
	select {
	case <-r.Until:
		return true
	case <-r.exit:
		r.rec.Ended = true
		return true
	default:
		return false
	}
}

// ending waits for the news that the program has ended: what is asked of one that
// comes to its end may fail just before, since its native objects are gone.
func (r *recorder) ending() bool {
	select {
	case <-r.exit:
		r.rec.Ended = true
		return true
	case <-time.After(endPatience):
		return false
	}
}

func (r *recorder) stopProfiles(ctx context.Context) error {
	r.Progress("collecting", 0, 0)
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(r.threads))
	for i, t := range r.threads {
		if !t.profiling {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			text, err := t.s.StopProfile(ctx)
			t.profiling = false
			if err == nil {
				p := &Profile{}
				if err = json.Unmarshal(text, p); err == nil {
					if err = p.check(); err == nil {
						t.rec.Profiles = append(t.rec.Profiles, p)
					}
				}
			}
			errs[i] = err
		}()
	}
	wg.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
		case i == 0:
			return err
		case r.threads[i].s.Err() == nil:
			r.warn("worker %d: %v", r.threads[i].rec.ID, err)
		}
	}
	return nil
}

// finish ends the trace, fetches sources and puts the recording together.
func (r *recorder) finish(ctx context.Context) error {
	r.Progress("collecting", 0, 0)
	if !r.calm {
		r.gone()
	}
	for _, t := range r.threads {
		if err := r.readLast(ctx, t); err != nil {
			return err
		}
		if r.rec.Ended {
			t.probed = false // see gone
		} else if err := t.unprobe(ctx); err != nil && t.s == r.main && !r.ending() {
			return err
		}
		if t.s == r.main {
			t.rec.Iterations = slices.DeleteFunc(t.rec.Iterations, r.ours)
		}
		// A loop that never comes round again has only this iteration.
		if n := len(t.rec.Profiles); t.rec.Turns > 0 && n > 0 {
			if d := t.rec.Profiles[n-1].EndTime - t.turned; d >= minIteration {
				t.rec.Iterations = append(t.rec.Iterations, Iteration{Start: t.turned, Duration: d, CPU: -1})
			}
		}
	}
	if r.clear && !r.sawBlock() { // so the only ones are in what is not clear
		for _, t := range r.threads {
			t.rec.Profiles = append(t.hidden, t.rec.Profiles...)
		}
	}
	if err := r.stopTrace(ctx); err != nil {
		return err
	}
	r.rec.Traced = r.rec.Traced || r.threads[0].rec.Turns > 0
	for _, t := range r.threads {
		r.rec.Threads = append(r.rec.Threads, t.rec)
	}
	r.sift.into(r.rec)
	if !r.rec.Ended { // its loop will not turn any more
		if f, err := ask(ctx, r.main); err == nil {
			r.rec.Memory = append(r.rec.Memory, f.Memory)
		}
	}
	for _, t := range r.rec.Threads {
		for _, p := range t.Profiles {
			r.rec.End = max(r.rec.End, p.EndTime)
		}
	}
	r.sources(ctx, r.threads)
	r.packages(ctx, r.threads)
	return ctx.Err()
}

const (
	// maxSources bounds the text of scripts in a recording, maxSource one of them.
	maxSources = 8 << 20
	maxSource  = 2 << 20
)

// sources fetches the scripts in which time was spent, as the target runs them,
// and those that give jobs to a pool, or start workers.
func (r *recorder) sources(ctx context.Context, threads []*thread) {
	r.rec.Sources = map[string]string{}
	room := maxSources
	for i, t := range threads {
		scripts := hotScripts(t.rec.Profiles)
		if i == 0 && (len(r.rec.Submitters) > 0 || len(threads) > 2 || hidden(t.rec.Profiles)) {
			scripts = append(scripts, r.ownScripts(ctx)...)
		}
		for _, script := range scripts {
			if _, known := r.rec.Sources[script.url]; known || room <= 0 {
				continue
			}
			patience, cancel := context.WithTimeout(ctx, cleanupPatience)
			text, err := t.s.Source(patience, script.id)
			cancel()
			if err != nil {
				if ctx.Err() != nil || t.s.Err() != nil {
					break
				}
				continue // it was collected since
			}
			if len(text) > maxSource || len(text) > room {
				continue
			}
			room -= len(text)
			r.rec.Sources[script.url] = text
		}
	}
}

// ownScripts are the program's own scripts, packages left out.
func (r *recorder) ownScripts(ctx context.Context) []script {
	const enough = 100
	ctx, cancel := context.WithTimeout(ctx, cleanupPatience)
	defer cancel()
	all, err := r.main.Scripts(ctx)
	if err != nil {
		return nil
	}
	var own []script
	for _, s := range all {
		if s.URL != "" && !internal(s.URL) && !isPackage(s.URL) && len(own) < enough {
			own = append(own, script{s.ID, s.URL})
		}
	}
	return own
}

// cleanUp stops what still runs, on every way out and after ctx has ended.
func (r *recorder) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	var wg sync.WaitGroup
	for _, t := range r.threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if t.probed {
				_ = t.unprobe(ctx) // if the target does not answer, the lease ends it
			}
			if t.profiling {
				_, _ = t.s.StopProfile(ctx)
			}
		}()
	}
	if r.hooked {
		_ = r.main.EvaluateBare(ctx, stopHook, nil)
	}
	if r.trace != nil {
		_ = r.trace.Stop(ctx)
	}
	wg.Wait()
}

// withoutQuery takes off a URL what may be secret.
func withoutQuery(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		return url[:i]
	}
	return url
}

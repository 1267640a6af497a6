package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"heapsnap/cdp"
)

// Series is what a run has captured, in order: Captures[0] after the warm-up,
// then one after each measured round.
type Series struct {
	Target   cdp.Target
	Captures []Captured
	Took     map[Phase]time.Duration // how long the run was in each phase
	Warmup   int                     // rounds before the first capture
	Units    int                     // runs of the load in a round
	// Confirmations are what Confirm brought, each time it was asked for.
	Confirmations []Confirmation
	Workers       []*WorkerSeries // worker threads that were there from the first capture on
	Warnings      []string        // what a reader of the result should know
}

// Captured is one complete snapshot file.
type Captured struct {
	Path string
	Meta cdp.Meta
}

// A Confirmation is a capture after so many rounds of load in one go and a rest.
type Confirmation struct {
	Captured
	Rounds int
}

// stopTimeout bounds the end of a target that was started.
const stopTimeout = 15 * time.Second

// exitPatience is how long a target whose connection broke, or whose load
// failed, may take to be seen dead, so that its exit code can be told.
const exitPatience = time.Second

// pollInterval is between two looks at a program that is not up yet.
const pollInterval = 50 * time.Millisecond

// requestTimeout is for one question to a server that may not be up.
const requestTimeout = 5 * time.Second

var errNotReady = errors.New("the program was not up in time")

// Run runs the rounds. All captures come from one session, so object ids mean
// the same in all of them. If it fails half way, the captures so far are
// returned with the error. On every way out a target that was started is
// stopped, and one that was attached to runs on, with its inspector as it was.
func Run(ctx context.Context, o Options) (*Series, error) {
	series := &Series{Took: map[Phase]time.Duration{}}
	if err := o.complete(); err != nil {
		return series, err
	}
	if len(o.Tests) > 0 {
		folder, err := o.launchTests()
		if err != nil {
			return series, fmt.Errorf("check: tests: %w", err)
		}
		defer os.RemoveAll(folder)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return series, errors.Join(fmt.Errorf("check: directory for the captures: %w", err), o.letGo(ctx))
	}
	r := &run{Options: o, series: series, warmup: max(o.Warmup, 0), rounds: o.Rounds, units: max(o.Units, 0)}
	r.output.line = o.Ready.Line
	if len(o.HTTP) > 0 {
		r.http = newHTTPLoad(o.HTTP, o.Concurrency)
	}
	r.event(Event{Phase: Launching})
	err := r.all(ctx)
	r.enter(Ending)
	err = errors.Join(err, r.end(ctx))
	if r.log != nil {
		err = errors.Join(err, r.log.Close())
	}
	if r.http != nil {
		if w := r.http.warning(); w != "" {
			series.Warnings = append(series.Warnings, w)
		}
	}
	r.enter("")
	return series, err
}

// letGo closes the inspector of an attached target if it was opened for us.
func (o *Options) letGo(ctx context.Context) error {
	if !o.Opened {
		return nil
	}
	return cdp.CloseInspector(ctx, o.Target)
}

func (s *Series) paths() []string {
	var paths []string
	for _, c := range s.Captures {
		paths = append(paths, c.Path)
	}
	return paths
}

type run struct {
	Options
	series   *Series
	launched *cdp.Launched // nil if attached
	output   output        // of launched
	log      io.Closer     // of output
	http     *httpLoad     // nil if the load is another
	main     *cdp.Session
	session  *cdp.Session // main, or the worker's
	pid      int
	round    int // the current one, from 1 with the warm-up
	warmup   int // rounds of warm-up there were, or will be as far as is known
	rounds   int // likewise, measured rounds
	units    int // runs of the load in a round, 0 while that is not known
	runs     int // of the load, so far
	// descriptors is what was open at the first capture.
	descriptors cdp.Descriptors
	loading     time.Duration // spent with load since the first capture
	measured    time.Duration // from the first capture to the last
	phase       Phase
	entered     time.Time // phase
}

func (r *run) event(e Event) {
	r.enter(e.Phase)
	e.Round, e.Rounds, e.Warmup = r.round, r.warmup+r.rounds, e.Phase == Loading && r.round <= r.warmup
	e.Captures = r.rounds + 1
	if e.Phase == Settling || e.Phase == Capturing {
		e.Capture = min(len(r.series.Captures)+1, e.Captures)
	}
	r.Progress(e)
}

// enter notes how long the phase before took.
func (r *run) enter(next Phase) {
	now := time.Now()
	if r.phase != "" {
		r.series.Took[r.phase] += now.Sub(r.entered)
	}
	r.phase, r.entered = next, now
}

// end lets the target go: it runs after ctx has ended, too.
func (r *run) end(ctx context.Context) error {
	if r.main != nil {
		_ = r.main.Close() // an open session would hold up the target's exit
	}
	if r.launched == nil {
		return r.letGo(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return r.launched.Stop(ctx)
}

func (r *run) all(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	// Everything below stops when the target dies, but for the judgement.
	whole := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.main.Done():
			cancel(cdp.ErrClosed)
		case <-r.exited():
			cancel(cdp.ErrClosed)
		case <-ctx.Done():
		}
	}()

	r.event(Event{Phase: Waiting})
	if err := r.ready(ctx); err != nil {
		return r.explain(ctx, err)
	}
	if err := r.warmUp(ctx); err != nil {
		return r.explain(ctx, err)
	}
	if r.Stacks {
		stop, err := r.session.TrackAllocations(ctx)
		if err != nil {
			return r.explain(ctx, err)
		}
		defer stop()
	}
	if err := r.measure(ctx, whole); err != nil {
		return err
	}
	if err := r.noteScripts(ctx); err != nil {
		return r.explain(ctx, err)
	}
	if err := r.captureWorkers(ctx); err != nil {
		return r.explain(ctx, err)
	}
	if err := r.recordLoop(ctx); err != nil {
		return r.explain(ctx, err)
	}
	return nil
}

// measure takes the captures, with a round of load before each but the first,
// and goes on as Decide says. whole outlives the target.
func (r *run) measure(ctx, whole context.Context) error {
	if err := r.measureWorkers(ctx, true); err != nil {
		return r.explain(ctx, err)
	}
	if err := r.capture(ctx); err != nil {
		return r.explain(ctx, err)
	}
	var err error
	if r.descriptors, err = r.session.Descriptors(ctx); err != nil {
		return r.explain(ctx, err)
	}
	started := time.Now()
	r.rounds, r.loading = r.Rounds, 0
	for {
		for len(r.series.Captures) <= r.rounds {
			if err := r.oneRound(ctx); err != nil {
				return r.explain(ctx, err)
			}
			if err := r.capture(ctx); err != nil {
				return r.explain(ctx, err)
			}
			r.series.Warmup, r.series.Units = r.warmup, r.units
			if err := r.measureWorkers(ctx, false); err != nil {
				return r.explain(ctx, err)
			}
		}
		if len(r.series.Confirmations) == 0 {
			r.measured = time.Since(started)
		}
		decision := Enough
		if r.Decide != nil {
			r.event(Event{Phase: Deciding})
			if decision, err = r.Decide(whole, r.series); err != nil {
				return err
			}
		}
		switch {
		case decision == More && r.rounds < r.MaxRounds && len(r.series.Confirmations) == 0:
			r.rounds++
		case decision == Confirm:
			if err := r.confirm(ctx); err != nil {
				return r.explain(ctx, err)
			}
		default:
			return nil
		}
	}
}

// noteScripts writes the program's scripts into the last capture's sidecar.
func (r *run) noteScripts(ctx context.Context) error {
	last := &r.series.Captures[len(r.series.Captures)-1]
	var err error
	if last.Meta.Scripts, err = r.session.OwnScripts(ctx); err != nil {
		return err
	}
	return last.Meta.Write(last.Path)
}

// exited is closed when a target that was started has ended, nil otherwise.
func (r *run) exited() <-chan struct{} {
	if r.launched == nil {
		return nil
	}
	return r.launched.Done()
}

// lost is closed when the target has ended the session.
func (r *run) lost() <-chan struct{} {
	if r.phase == Waiting && !errors.Is(r.session.Err(), cdp.ErrClosed) {
		return nil // we did
	}
	return r.session.Done()
}

// explain adds where the run was, and if the target died, how.
func (r *run) explain(ctx context.Context, err error) error {
	where := string(r.phase)
	switch asked := r.warmup + r.rounds; {
	case r.round > asked:
		where = fmt.Sprintf("after %s: %s", plural(asked, "round", "rounds"), r.phase)
	case r.round > 0:
		where = fmt.Sprintf("round %d of %d: %s", r.round, asked, r.phase)
	}
	patience := time.NewTimer(exitPatience)
	defer patience.Stop()
	lost := errors.Is(err, cdp.ErrClosed)
	if r.phase == Waiting {
		// A program that was at its end before we connected neither answers nor
		// goes away until we do.
		_ = r.main.Close()
	}
	if lost || ctx.Err() == nil && (r.phase == Waiting || r.phase == Loading) {
		// The load fails first when the program crashes under it.
		select {
		case <-r.exited():
			lost = true
		case <-r.lost():
			lost = true
			select {
			case <-r.exited():
			case <-patience.C:
			}
		case <-patience.C:
		}
	}
	if !lost {
		return fmt.Errorf("check: %s: %w%s", where, err, r.lastLines(err))
	}
	if !errors.Is(err, cdp.ErrClosed) {
		err = fmt.Errorf("%w; %w", err, cdp.ErrClosed)
	}
	select {
	case <-r.exited():
		exit := r.launched.Exit()
		hint := ""
		if exit.Code == 0 {
			hint = "it must keep running while it is checked; "
		}
		return fmt.Errorf("check: %s: %w: %sthe target ended with %s", where, err, hint, exit)
	default:
		return fmt.Errorf("check: %s: %w", where, err)
	}
}

// lastLines are the end of the program's output, to be seen beside an error.
func (r *run) lastLines(err error) string {
	lines := r.output.lines()
	if len(lines) == 0 || errors.Is(err, context.Canceled) {
		return ""
	}
	return lastLinesAre + strings.Join(lines, "\n  ")
}

const lastLinesAre = "; the program's last lines:\n  "

func (r *run) connect(ctx context.Context) error {
	target := r.Target
	if len(r.Launch.Argv) > 0 {
		log, err := createPlain(filepath.Join(r.Dir, appLog))
		if err != nil {
			return err
		}
		r.output.log, r.log = log, log
		launch := r.Launch
		if launch.Port == 0 {
			launch.Port = r.Ready.port()
		}
		launch.Stdout, launch.Stderr = r.output.to(launch.Stdout), r.output.to(launch.Stderr)
		l, err := cdp.Launch(ctx, launch)
		if err != nil {
			return err
		}
		r.launched, target = l, l.Target
	}
	r.series.Target = target
	s, err := cdp.Dial(ctx, target)
	if err != nil {
		if r.launched != nil {
			select {
			case <-r.launched.Done():
				return fmt.Errorf("%w: the target ended with %s", err, r.launched.Exit())
			case <-time.After(exitPatience):
			}
		}
		return err
	}
	r.main, r.session = s, s
	return nil
}

// appLog is the file in the run's folder that has the program's output.
const appLog = "app.log"

// environment is that of the program, for what loads it.
func (r *run) environment() []string {
	if r.Launch.Env != nil {
		return slices.Clip(r.Launch.Env)
	}
	return os.Environ()
}

// ready waits until the program is up.
func (r *run) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.ReadyTimeout, errNotReady)
	defer cancel()
	if r.Worker != 0 {
		what := fmt.Sprintf("worker thread %d did not appear", r.Worker)
		if err := r.poll(ctx, what, r.findWorker); err != nil {
			return err
		}
	}
	// Node answers before its own startup is done, with exceptions.
	booted := func(ctx context.Context) (bool, error) {
		return r.ask(ctx, cdp.BootedExpression+" && typeof setImmediate === 'function'")
	}
	if err := r.poll(ctx, "Node.js did not finish its startup", booted); err != nil {
		return err
	}
	if err := r.up(ctx); err != nil {
		return err
	}
	if r.LoadFunction != "" {
		what := fmt.Sprintf("globalThis[%q] is not a function: the program must define it", r.LoadFunction)
		if len(r.Tests) > 0 {
			what = "the test files were not loaded"
		}
		defined := func(ctx context.Context) (bool, error) {
			return r.ask(ctx, fmt.Sprintf("typeof globalThis[%s] === 'function'", jsString(r.LoadFunction)))
		}
		if err := r.poll(ctx, what, defined); err != nil {
			return err
		}
	}
	// The main script has run when the event loop turns.
	if _, err := r.session.Settle(ctx, r.Settle); err != nil {
		return err
	}
	m, err := r.session.Memory(ctx)
	if err != nil {
		return err
	}
	if r.pid = r.series.Target.PID; r.pid == 0 {
		r.pid = m.PID
	}
	return nil
}

// poll asks until the answer is yes; missing says what is not so when time is up.
func (r *run) poll(ctx context.Context, missing string, ask func(context.Context) (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		yes, err := ask(ctx)
		if yes {
			return nil
		}
		if err == nil {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		if errors.Is(err, errNotReady) {
			return fmt.Errorf("%s within %s", missing, r.ReadyTimeout)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", missing, err)
		}
		return err
	}
}

// ask evaluates a yes or no question; an exception is a no.
func (r *run) ask(ctx context.Context, expr string) (bool, error) {
	var yes bool
	err := r.session.EvaluateBare(ctx, expr, &yes)
	var thrown *cdp.JSError
	if errors.As(err, &thrown) {
		return false, nil
	}
	return yes, err
}

func (r *run) findWorker(ctx context.Context) (bool, error) {
	workers, err := r.main.Workers(ctx)
	if err != nil {
		return false, err
	}
	for _, w := range workers {
		if w.Worker().ThreadID == r.Worker {
			r.session = w
			return true, nil
		}
	}
	return false, nil
}

// capture writes the next snapshot of the series.
func (r *run) capture(ctx context.Context) error {
	n := len(r.series.Captures)
	c, err := r.take(ctx, fmt.Sprintf("capture-%d", n+1), n)
	if err == nil {
		r.series.Captures = append(r.series.Captures, c)
	}
	return err
}

// take captures the checked thread.
func (r *run) take(ctx context.Context, name string, round int) (Captured, error) {
	return r.takeFrom(ctx, r.session, false, name, round)
}

// takeFrom settles the thread of a session and writes a snapshot of it, after
// the measured round of that number; asleep says that its event loop does not
// turn.
func (r *run) takeFrom(ctx context.Context, session *cdp.Session, asleep bool, name string, round int) (c Captured, err error) {
	path := filepath.Join(r.Dir, name+".heapsnapshot"+r.Suffix)
	r.event(Event{Phase: Settling})
	// Listing the scripts leaves traces in the heap (0.5 MB the first time): it is
	// done before the first capture and after the last, where it does not show.
	var scripts []cdp.Script
	if round == 0 {
		if scripts, err = session.OwnScripts(ctx); err != nil {
			return c, err
		}
	}
	settle := func() (cdp.Settled, error) {
		if asleep {
			used, err := session.CollectedHeap(ctx)
			return cdp.Settled{Passes: 1, HeapUsed: used, Quiet: true}, err
		}
		return session.Settle(ctx, r.Settle)
	}
	settled, err := settle()
	if err != nil {
		return c, err
	}
	if !settled.Quiet {
		r.series.Warnings = append(r.series.Warnings,
			fmt.Sprintf("%s: the heap was not quiet after %d collections: the program was at work, and what was in flight is in the snapshot", name, settled.Passes))
	}
	before, err := session.Memory(ctx)
	if err != nil {
		return c, err
	}
	room, err := session.Headroom(ctx, cdp.HeadroomOptions{})
	if err != nil {
		return c, err
	}
	if err := room.Err(); err != nil {
		if !r.Force {
			return c, err
		}
		r.series.Warnings = append(r.series.Warnings, fmt.Sprintf("%s was forced: %v", name, err))
	}

	r.event(Event{Phase: Capturing})
	o := cdp.CaptureOptions{Numeric: r.Numeric, Internals: r.Internals}
	o.Progress = func(p cdp.Progress) {
		r.event(Event{Phase: Capturing, Done: p.Done, Total: p.Total, Bytes: p.Bytes})
	}
	take := func(w io.Writer) (cdp.CaptureInfo, error) {
		if asleep {
			return r.writtenByTarget(ctx, session, path, w)
		}
		return session.Capture(ctx, w, o)
	}
	info, err := r.writeCapture(path, take)
	if err != nil {
		return c, err
	}
	meta := cdp.Meta{
		Tool:        r.Tool,
		NodeVersion: before.NodeVersion,
		V8Version:   before.V8Version,
		PID:         r.pid,
		ThreadID:    session.Worker().ThreadID,
		Script:      before.Script,
		Mode:        o.Mode(),
		Round:       round,
		Time:        info.Started,
		Duration:    info.Duration,
		Nodes:       info.Nodes,
		Bytes:       info.Bytes,
		Settled:     &settled,
		Before:      &before,
	}
	after, err := session.Memory(ctx)
	if err != nil {
		return c, err
	}
	meta.After = &after
	meta.Scripts = scripts
	return Captured{path, meta}, meta.Write(path)
}

// writeCapture gives the file its name only when it is complete. What a target
// sent before it died is left under the name with ".partial".
func (r *run) writeCapture(path string, take func(io.Writer) (cdp.CaptureInfo, error)) (cdp.CaptureInfo, error) {
	partial := path + ".partial"
	w, err := r.Create(partial)
	if err != nil {
		return cdp.CaptureInfo{}, fmt.Errorf("capture: %w", err)
	}
	info, err := take(w)
	if cerr := w.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("capture: %w", cerr)
	}
	if err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil && !errors.Is(err, cdp.ErrClosed) {
		err = errors.Join(err, os.Remove(partial))
	}
	return info, err
}

// createPlain makes a file that only its owner reads: a heap holds secrets.
func createPlain(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

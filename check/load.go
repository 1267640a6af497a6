package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

var errLoadTimeout = errors.New("the load took longer than its timeout")

// oneRound runs the load as often as a round has it.
func (r *run) oneRound(ctx context.Context) error {
	r.round++
	r.event(Event{Phase: Loading})
	return r.work(ctx)
}

// work is the load of one round.
func (r *run) work(ctx context.Context) error {
	started := time.Now()
	defer func() { r.loading += time.Since(started) }()
	most, within := r.units, time.Duration(0)
	sizing := r.units == 0 && r.round >= min(sizedIn, r.warmup)
	switch {
	case r.units == 0 && r.http != nil:
		most, within = sizedRequests, sizedTime
	case sizing:
		most, within = sizedUnits, sizedTime
	case r.units == 0:
		most = 1
	}
	loads := r.loads
	if sizing && r.http == nil { // of requests, 200 are the most
		loads = r.sized
	}
	done, err := loads(ctx, most, within)
	if sizing && err == nil {
		r.units = done
	}
	return err
}

// sized is loads in batches, each as large as all before it, and ends early when
// the program keeps so many descriptors open that it would soon have no more.
func (r *run) sized(ctx context.Context, most int, within time.Duration) (done int, err error) {
	started := time.Now()
	before, err := r.session.Descriptors(ctx)
	if err != nil {
		return 0, err
	}
	for {
		n, err := r.loads(ctx, min(max(done, 1), most-done), within-time.Since(started))
		done += n
		if err != nil || done >= most || time.Since(started) >= within {
			return done, err
		}
		now, err := r.session.Descriptors(ctx)
		if err != nil || now.Open-before.Open >= mayOpen(before, r.Rounds) {
			return done, err
		}
	}
}

// loads runs the load most times or, where within is not 0, as often as that
// takes no longer; once at least. It returns how often that was.
func (r *run) loads(ctx context.Context, most int, within time.Duration) (int, error) {
	switch {
	case r.LoadFunction != "":
		return r.calls(ctx, most, within)
	case r.http != nil:
		ctx, cancel := r.patience(ctx)
		defer cancel()
		return r.http.round(ctx, r.round, most, within)
	}
	started := time.Now()
	for n := 1; ; n++ {
		if err := r.load(ctx); err != nil {
			return n, err
		}
		next := time.Since(started) * time.Duration(n+1) / time.Duration(n)
		if n == most || within > 0 && (next > within || r.Every > 0) {
			return n, nil
		}
	}
}

// The size of a round where the caller has none in mind.
const (
	// sizedUnits is prime, so that what a round leaves behind is seldom a multiple
	// of it by chance.
	sizedUnits = 101
	// sizedTime is what a round may take: with it, seven rounds and six captures
	// of a small program take some eight seconds.
	sizedTime = 500 * time.Millisecond
	// sizedIn is the round of the warm-up that is timed: the first one is slow,
	// it loads modules and compiles.
	sizedIn = 2
)

// load runs a load once that is not a function.
func (r *run) load(ctx context.Context) error {
	ctx, cancel := r.patience(ctx)
	defer cancel()
	r.runs++
	if r.LoadCommand != "" {
		return r.runCommand(ctx)
	}
	return wait(ctx, r.Every)
}

func (r *run) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.LoadTimeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, r.LoadTimeout, fmt.Errorf("%w of %s", errLoadTimeout, r.LoadTimeout))
}

// calls is loads for a function. The calls are made inside of the target: a
// question and an answer for each would take longer than most functions do, and
// be work for the target. What a call returns is dropped there: it may be large,
// or a cycle.
func (r *run) calls(ctx context.Context, most int, within time.Duration) (int, error) {
	ctx, cancel := r.patience(ctx)
	defer cancel()
	var done int
	err := r.session.Await(ctx, fmt.Sprintf(`(async () => {
		const started = Date.now(), most = %d, within = %d;
		for (let n = 1; ; n++) {
			await globalThis[%s](%d + n);
			if (n >= most || within > 0 && (Date.now() - started) * (n + 1) / n > within) return n;
		}
	})()`, most, within.Milliseconds(), jsString(r.LoadFunction), r.runs), &done)
	r.runs += done
	if err != nil && len(r.Tests) > 0 {
		return done, testFailure(err)
	}
	if err != nil {
		return done, fmt.Errorf("load function %s: %w", r.LoadFunction, err)
	}
	return done, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runCommand runs the load command. What it leaves running is ended with it, and
// so is all of it when ctx ends.
func (r *run) runCommand(ctx context.Context) error {
	var kept output
	out := kept.to(r.LoadOutput)
	cmd := exec.CommandContext(ctx, "sh", "-c", r.LoadCommand)
	cmd.Dir = r.Launch.Dir
	cmd.Env = append(r.environment(), "HEAPSNAP_ROUND="+strconv.Itoa(r.round), "HEAPSNAP_RUN="+strconv.Itoa(r.runs), "HEAPSNAP_PID="+strconv.Itoa(r.pid))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // for a child that keeps the output open
	ownGroup(cmd)
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd.Process.Pid) // what it left in the background
	}
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("load command: %w", context.Cause(ctx))
	}
	text := fmt.Sprintf("load command %q: %v", r.LoadCommand, err)
	if tail := kept.lines(); len(tail) > 0 {
		text += "; its last lines:\n  " + strings.Join(tail, "\n  ")
	} else if r.round == 1 && r.Ready == (Readiness{}) {
		text += ": if the program was not up yet, say which URL to wait for"
	}
	return errors.New(text)
}

// jsString is the text as a JavaScript string literal.
func jsString(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // a Go string always has a JSON form
	}
	return string(b)
}

package check

import (
	"cmp"
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
	"heapsnap/report"
)

// A worker thread has a heap of its own, which no capture of the main thread
// shows. How full each is, is asked after every round, which costs two garbage
// collections of a small heap; only those that grow are captured, in rounds of
// their own behind the others. Workers that come and go with the load are the
// main thread's business: see the rule worker.

const (
	// maxWorkers is how many worker threads are watched: a pool has as many as
	// the machine has cores, and all of a pool do the same.
	maxWorkers = 16
	// maxGrown is how many are captured, those that grew most.
	maxGrown = 3
	// workerRounds follow for those that grew: three tell a leak from a cache
	// that fills.
	workerRounds = 3
	// minWorkerGrowth per round is worth those rounds: clean heaps drift by less.
	minWorkerGrowth = 2 << 10
	// workerPatience is for one question to a worker, which may sleep in
	// Atomics.wait or be at work.
	workerPatience = 5 * time.Second
)

// WorkerSeries is what a run saw of one worker thread.
type WorkerSeries struct {
	Worker cdp.Worker
	// Used is how full its heap was after the warm-up and after each round.
	Used []uint64
	// Captures are there if it grew: one, and one after each round that followed.
	Captures []Captured

	session *cdp.Session
	lost    bool // it ended or did not answer
	asleep  bool // its event loop does not turn while it has no work
}

// grows reports whether a heap grew in every round of the later half.
func (w *WorkerSeries) grows() bool {
	n := len(w.Used)
	if n < 3 || w.lost {
		return false
	}
	from := (n - 1) / 2
	for i := from + 1; i < n; i++ {
		if w.Used[i] <= w.Used[i-1] {
			return false
		}
	}
	return w.Used[n-1]-w.Used[from] >= uint64(n-1-from)*minWorkerGrowth
}

// measureWorkers notes how full the heaps of the worker threads are; first is
// the time that chooses those that are watched.
func (r *run) measureWorkers(ctx context.Context, first bool) error {
	if r.NoWorkers || r.Worker != 0 {
		return nil
	}
	if first {
		sessions, err := r.main.Workers(ctx)
		if err != nil {
			var refused *cdp.CommandError
			if errors.As(err, &refused) {
				return nil // a Node without the domain NodeWorker
			}
			return err
		}
		for _, s := range sessions[:min(len(sessions), maxWorkers)] {
			r.series.Workers = append(r.series.Workers, &WorkerSeries{Worker: s.Worker(), session: s})
		}
	}
	for _, w := range r.series.Workers {
		if w.lost {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, workerPatience)
		used, err := w.session.CollectedHeap(asking)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if w.lost = err != nil; !w.lost {
			w.Used = append(w.Used, used)
		}
	}
	return nil
}

// captureWorkers runs more rounds for those worker threads whose heaps grow, with a
// capture of each before and after every one.
func (r *run) captureWorkers(ctx context.Context) error {
	var grown []*WorkerSeries
	for _, w := range r.series.Workers {
		if w.grows() {
			grown = append(grown, w)
		}
	}
	if len(grown) == 0 {
		return nil
	}
	slices.SortStableFunc(grown, func(a, b *WorkerSeries) int {
		return cmp.Compare(b.Used[len(b.Used)-1]-b.Used[0], a.Used[len(a.Used)-1]-a.Used[0])
	})
	grown = grown[:min(len(grown), maxGrown)]
	for _, w := range grown {
		if err := r.wake(ctx, w); err != nil {
			return err
		}
	}
	r.rounds += workerRounds
	for round := 0; ; round++ {
		for _, w := range grown {
			if w.lost {
				continue
			}
			n := len(w.Captures)
			c, err := r.takeFrom(ctx, w.session, w.asleep, fmt.Sprintf("worker-%d-capture-%d", w.Worker.ThreadID, n+1), n)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				w.lost = true
				r.series.Warnings = append(r.series.Warnings, fmt.Sprintf("%s grew, and could not be captured: %v", threadName(w.Worker), err))
				continue
			}
			w.Captures = append(w.Captures, c)
		}
		if round == workerRounds || !slices.ContainsFunc(grown, func(w *WorkerSeries) bool { return !w.lost }) {
			break
		}
		if err := r.oneRound(ctx); err != nil {
			return err
		}
	}
	for _, w := range grown {
		if w.lost || len(w.Captures) == 0 {
			continue
		}
		last := &w.Captures[len(w.Captures)-1]
		if scripts, err := w.session.OwnScripts(ctx); err == nil { // files have most of them
			last.Meta.Scripts = scripts
			if err := last.Meta.Write(last.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// wake finds out whether a worker's event loop turns.
func (r *run) wake(ctx context.Context, w *WorkerSeries) error {
	asking, cancel := context.WithTimeout(ctx, workerPatience)
	defer cancel()
	_, err := w.session.Settle(asking, r.Settle)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.asleep = err != nil
	return nil
}

// errAsleep is about a worker of a process that was attached to.
var errAsleep = errors.New("it sleeps in Atomics.wait, where no snapshot can be sent; start the program with heapsnap check -- node app.js, and it writes a file")

// writtenByTarget takes the snapshot of a thread that sleeps, by way of a file
// beside path: the target is on this machine if we started it.
func (r *run) writtenByTarget(ctx context.Context, session *cdp.Session, path string, w io.Writer) (cdp.CaptureInfo, error) {
	if r.launched == nil {
		return cdp.CaptureInfo{}, errAsleep
	}
	path, err := filepath.Abs(path + ".plain")
	if err != nil {
		return cdp.CaptureInfo{}, err
	}
	info := cdp.CaptureInfo{Started: time.Now()}
	own, err := createPlain(path) // Node keeps the rights of a file that is there
	if err != nil {
		return info, err
	}
	defer os.Remove(path)
	if err := own.Close(); err != nil {
		return info, err
	}
	if err := session.WriteSnapshot(ctx, path); err != nil {
		return info, err
	}
	info.Duration = time.Since(info.Started)
	f, err := os.Open(path)
	if err != nil {
		return info, err
	}
	defer f.Close()
	n, err := io.Copy(w, f)
	info.Bytes = uint64(n)
	return info, err
}

// JudgeWorkers adds to the report what the series says of worker threads: how
// full they were, and why those grew that did. The verdict is then that of all.
func JudgeWorkers(ctx context.Context, r *report.Report, s *Series, o JudgeOptions) error {
	o.Classes = false
	known := map[string]int{} // fingerprint of a worker's finding -> index in r.Findings
	for _, w := range s.Workers {
		name := threadName(w.Worker)
		thread := report.Thread{Name: name, ID: w.Worker.ThreadID, Used: w.Used, Captures: len(w.Captures)}
		if len(w.Captures) < 2 {
			r.Threads = append(r.Threads, thread)
			continue
		}
		var paths []string
		for _, c := range w.Captures {
			paths = append(paths, c.Path)
		}
		its, err := Judge(ctx, paths, o)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		thread.Verdict = its.Verdict
		r.Threads = append(r.Threads, thread)
		for _, f := range its.Findings {
			if at, ok := known[f.Fingerprint]; ok { // a pool: all do the same
				r.Findings[at].Evidence = append(r.Findings[at].Evidence, "the same grows in "+name)
				continue
			}
			f.Thread = name
			known[f.Fingerprint] = len(r.Findings)
			r.Findings = append(r.Findings, f)
		}
	}
	if len(known) == 0 {
		return nil
	}
	slices.SortStableFunc(r.Findings, func(a, b report.Finding) int { // those that are certain go first
		return cmp.Compare(harm(a), harm(b))
	})
	r.Verdict, r.Sentence = verdict(max(2, len(r.Captures)-1), r.Findings)
	return nil
}

func harm(f report.Finding) int {
	if f.Verdict == report.Leak {
		return 0
	}
	return 1
}

// threadName is what a person calls a worker thread: its number, and its name or
// the file that it runs.
func threadName(w cdp.Worker) string {
	name := w.Name
	if name == "" || name == "WorkerThread" {
		name = filepath.Base(strings.TrimPrefix(w.URL, "file://"))
	}
	if w.URL == "" && (name == "" || name == ".") {
		return fmt.Sprintf("worker thread %d", w.ThreadID)
	}
	return fmt.Sprintf("worker thread %d (%s)", w.ThreadID, name)
}

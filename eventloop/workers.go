package eventloop

import (
	"fmt"
	"math"

	"heapsnap/jssource"
)

var workersCause = Cause{
	Name:  "workers",
	Title: "More worker threads compute than there are cores",
	Why: "A worker thread is a thread of the system: beyond the number of cores they only take turns, each with a heap of its own, " +
		"and the main thread has to wait for its turn, too.",
	Sign: "More threads are busy than the process may use cores, and they are ready to run but not running for much of the time.",
	Fix: "Start os.availableParallelism() - 1 workers and give them the work as a queue; in a container count its CPU limit, not " +
		"the host's cores.",
	Before: `for (let i = 0; i < os.cpus().length * 4; i++) pool.push(new Worker(file));`,
	After:  `for (let i = 0; i < Math.max(1, os.availableParallelism() - 1); i++) pool.push(new Worker(file));`,
	Links:  []string{"https://nodejs.org/api/os.html#osavailableparallelism"},
}

const (
	busyThread = 0.5 // share of the time that a thread wants a core
	longWait   = 0.3 // share of that in which it has none
)

// findWorkers finds threads that take each other's time.
func findWorkers(a *analysis) []Finding {
	isWorker := map[int]bool{}
	for i, t := range a.rec.Threads {
		if i > 0 && t.TID != 0 {
			isWorker[t.TID] = true
		}
	}
	cores := a.rec.Target.Cores
	if len(isWorker) < 2 || cores <= 0 {
		return nil
	}
	var busy int
	var run, wait int64
	for _, s := range a.main.thread.Sched {
		if isWorker[s.TID] && float64(s.Run+s.Wait) >= busyThread*float64(s.Wall) {
			busy++
			run += s.Run
			wait += s.Wait
		}
	}
	if float64(busy) <= math.Ceil(cores) || float64(wait) < longWait*float64(run+wait) {
		return nil
	}
	f := Finding{Cause: &workersCause, Count: busy, Total: us(wait), Worst: us(wait / int64(busy))}
	f.Title = fmt.Sprintf("%d worker threads compute on %g cores", busy, cores)
	f.Evidence = []string{
		fmt.Sprintf("of %d worker threads %d want a core all the time; the process may use %g", len(isWorker), busy, cores),
		fmt.Sprintf("they are ready to run but have no core %.0f %% of that time", 100*float64(wait)/float64(run+wait)),
	}
	f.Site = a.workerStart()
	return []Finding{f}
}

// workerStart finds where the program starts its workers, in its sources.
func (a *analysis) workerStart() Site {
	for script := range a.rec.Sources {
		src := a.src.of(script)
		if src == nil || isPackage(script) {
			continue
		}
		for i := range src.Tokens {
			if src.At(i) != "new" {
				continue
			}
			end := i + 1
			for src.IsName(end) || src.At(end) == "." {
				end++
			}
			if name := src.At(end - 1); name != "Worker" || src.At(end) != "(" {
				continue
			}
			s := Site{File: jssource.Path(script), Line: src.LineOf(i), Column: src.Column(i), script: script}
			if f, ok := src.Enclosing(i); ok {
				s.Function = src.FunctionName(f)
			}
			return s
		}
	}
	return Site{}
}

package eventloop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

var threadpoolCause = Cause{
	Name:  "threadpool",
	Title: "Work waits for a thread of libuv's pool",
	Why: "Files, dns.lookup, and the asynchronous functions of crypto and zlib share a pool of four threads. Some slow jobs at a " +
		"time, and a file that would take a millisecond waits for all of them, while the event loop has nothing to do.",
	Sign: "The loop turns at once, but a trivial job of the pool comes back late.",
	Fix: "Limit how many slow jobs are under way at a time, or give them worker threads. UV_THREADPOOL_SIZE, set before the program " +
		"starts, makes the pool larger: for jobs that wait (files, DNS) more threads than cores help, for jobs that compute they " +
		"do not. For DNS, use dns.resolve or keep connections alive.",
	Before: `await Promise.all(users.map((u) => pbkdf2(u.password, u.salt, 150_000, 64, 'sha512')));`,
	After:  `await pMap(users, (u) => pbkdf2(u.password, u.salt, 150_000, 64, 'sha512'), { concurrency: 2 });`,
	Links:  []string{"https://nodejs.org/api/cli.html#uv_threadpool_sizesize"},
}

const (
	// lateJob is how long a job waits in the queue before it matters.
	lateJob = 50 * time.Millisecond
	// probeFactor is how much later the pool's answer is than the loop's.
	probeFactor = 10
	// idleLoop is the utilization up to which a late answer of the pool is the
	// pool's doing.
	idleLoop = 0.5
)

// findThreadpool finds jobs that wait for a thread while the loop turns.
func findThreadpool(a *analysis) []Finding {
	// Two independent signs: a trivial job of the pool came back late though the
	// loop was on time, and jobs that were traced waited while the pool was full.
	var slow []int64
	for _, p := range a.rec.Probes {
		if us(p.Pool) >= lateJob && p.Pool >= probeFactor*p.Loop {
			slow = append(slow, p.Pool)
		}
	}
	var waits []int64
	var ran int64
	for i, j := range a.rec.Pool {
		ran += j.Run
		if us(j.Wait) >= lateJob && a.poolFull(i) {
			waits = append(waits, j.Wait)
		}
	}
	traced := len(waits) >= 3 && 3*len(waits) >= len(a.rec.Pool)
	probed := 2*len(slow) >= len(a.rec.Probes) && len(slow) > 0
	switch {
	case !probed && !(traced && len(a.rec.Probes) == 0):
		return nil
	case traced:
	case len(a.rec.Submitters) == 0 || a.starved() || a.Threads[0].Utilization > idleLoop:
		return nil // the answer may have waited for a core, or for the loop
	}
	f := Finding{Cause: &threadpoolCause, Title: "work waits for a thread of libuv's pool"}
	for _, w := range waits {
		f.Total += us(w)
		f.Worst = max(f.Worst, us(w))
	}
	f.Count = len(waits)
	if len(slow) > 0 {
		slices.Sort(slow)
		f.Worst = max(f.Worst, us(slow[len(slow)-1]))
		f.Evidence = append(f.Evidence, fmt.Sprintf("fs.stat('/') came back after %s, while the loop itself was on time", round(us(slow[len(slow)/2]))))
		if f.Count == 0 {
			f.Count = len(slow)
			for _, s := range slow {
				f.Total += us(s)
			}
		}
	}
	if len(waits) > 0 {
		slices.Sort(waits)
		f.Evidence = append(f.Evidence, fmt.Sprintf("%d of %d jobs waited in the queue, %s in the median; a job takes %s",
			len(waits), len(a.rec.Pool), round(us(waits[len(waits)/2])), round(us(ran/int64(max(1, len(a.rec.Pool)))))))
	}
	if n := a.rec.Target.PoolSize; n > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("the pool has %d threads", n))
	}
	a.submitter(&f)
	return []Finding{f}
}

// poolFull reports whether the pool's threads had other jobs while job i waited.
func (a *analysis) poolFull(i int) bool {
	job := a.rec.Pool[i]
	var running int64
	for k, other := range a.rec.Pool {
		if k != i {
			from := other.Start + other.Wait
			running += max(0, min(from+other.Run, job.Start+job.Wait)-max(from, job.Start))
		}
	}
	return float64(running) >= 0.6*float64(max(1, a.rec.Target.PoolSize))*float64(job.Wait)
}

// starved reports whether the process waited for cores more than it ran, so that
// a late answer says nothing of the pool.
func (a *analysis) starved() bool {
	var run, wait int64
	for _, s := range a.main.thread.Sched {
		run += s.Run
		wait += s.Wait
	}
	return wait > 2*run
}

// cost estimates how long a submitter's jobs keep the pool: those of crypto are
// traced; of others only the order of magnitude matters.
func (a *analysis) cost(s Submitter) int64 {
	each := int64(1000)
	switch {
	case strings.HasPrefix(s.Type, "FS"), strings.HasPrefix(s.Type, "FILEHANDLE"):
	case strings.HasPrefix(s.Type, "GETADDRINFO"), strings.HasPrefix(s.Type, "GETNAMEINFO"):
		each = 20_000
	case strings.HasPrefix(s.Type, "ZLIB"):
		each = 5000
	default:
		var sum, n int64
		for _, j := range a.rec.Pool {
			if j.Name == "crypto" {
				sum += j.Run
				n++
			}
		}
		each = max(each, sum/max(1, n))
	}
	return int64(s.Count) * each
}

// submitter is the program's function that gives the pool its jobs.
func (a *analysis) submitter(f *Finding) {
	best := -1
	for i, s := range a.rec.Submitters {
		if len(s.Stack) > 0 && (best < 0 || a.cost(s) > a.cost(a.rec.Submitters[best])) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	s := a.rec.Submitters[best]
	for len(s.Stack) > 0 && (s.Stack[0].URL == "" || s.Stack[0].URL == "node:internal/async_hooks") {
		s.Stack = s.Stack[1:] // the hook itself
	}
	at := slices.IndexFunc(s.Stack, func(c CallFrame) bool { return !internal(c.URL) && c.URL != "" && !isPackage(c.URL) })
	if at < 0 {
		at = slices.IndexFunc(s.Stack, func(c CallFrame) bool { return !internal(c.URL) && c.URL != "" })
	}
	for _, c := range s.Stack {
		site := siteOfFrame(&c) // of the call, and not where the function begins
		site.at = place{}
		if len(f.Stack) == at {
			f.Site = site
		}
		f.Stack = append(f.Stack, a.placed(site))
	}
	if at >= 0 {
		f.Title += ", filled by " + cmp.Or(called(f.Stack[at].Function), "a function without a name")
		if below := slices.IndexFunc(f.Stack[:at], func(s Site) bool { return s.Package != "" }); below >= 0 {
			f.Package = f.Stack[below].Package
		}
	}
	f.Details = []string{s.Type}
	f.Evidence = append(f.Evidence, fmt.Sprintf("%d jobs of type %s came from here within %s", s.Count, s.Type, round(us(s.Over))))
}

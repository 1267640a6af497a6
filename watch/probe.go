package watch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"heapsnap/cdp"
)

// The probe runs inside the target, in each of its threads: an observer of
// collections, a histogram of the event loop's delay, and nothing that runs
// often. It keeps all it has below one symbol and nothing alive, is taken away
// at the end, and takes itself away if nobody reads it for the lease: heapsnap
// may be killed. Each connection has a symbol of its own, so two that watch the
// same process do not take each other's away.

const (
	// delayResolution of the histogram: its timer is all that the probe does
	// while nothing happens.
	delayResolution = 20 * time.Millisecond
	// leaseTicks without a reader end the probe. A blocked loop does not tick.
	leaseTicks = 3
	minLease   = 15 * time.Second
	// turnPatience is how long the loop may take for the turn in which the probe
	// starts.
	turnPatience = 5 * time.Second
)

// gcBuckets are the bounds of the histogram of collections in seconds, as
// OpenTelemetry's conventions for v8js.gc.duration advise; JavaScript.
var gcBuckets = []float64{0.01, 0.1, 1, 10}

// probe is the probe of one thread.
type probe struct {
	s   *cdp.Session
	key string // expression of its symbol
}

func newProbe(s *cdp.Session) *probe {
	var id [8]byte
	_, _ = rand.Read(id[:])
	return &probe{s, "Symbol.for('heapsnap.watch." + hex.EncodeToString(id[:]) + "')"}
}

const startProbe = `
	const K = %KEY%, perf = m('perf_hooks'), timers = m('timers'), v8 = m('v8'), proc = m('process'), w = m('worker_threads');
	const us = () => { const t = proc.hrtime(); return t[0] * 1e6 + Math.round(t[1] / 1e3); };
	const kinds = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }, bounds = %BOUNDS%;
	const young = { new_space: 1, new_large_object_space: 1 };
	const gc = {}, delay = perf.monitorEventLoopDelay({ resolution: %RESOLUTION% });
	const observers = typeof perf.PerformanceObserver === 'function';
	let live = [], longest = 0, unread = 0, elu = perf.performance.eventLoopUtilization();
	const old = () => { let n = 0; for (const s of v8.getHeapSpaceStatistics()) if (!young[s.space_name]) n += s.space_used_size; return n; };
	const seen = (list) => {
		let full = false;
		for (const e of list.getEntries()) {
			const kind = kinds[e.detail ? e.detail.kind : e.kind] || 'other';
			const g = gc[kind] || (gc[kind] = { count: 0, us: 0, buckets: bounds.map(() => 0) });
			g.count++; g.us += Math.round(e.duration * 1e3);
			for (let i = 0; i < bounds.length; i++) if (e.duration <= bounds[i] * 1e3) g.buckets[i]++;
			if (e.duration > longest) longest = e.duration;
			if (kind === 'major') full = true;
		}
		if (full && live.length < 500) live.push({ at: us(), used: v8.getHeapStatistics().used_heap_size, old: old(), external: proc.memoryUsage().external });
	};
	const observer = observers ? new perf.PerformanceObserver(seen) : null;
	const timer = timers.setInterval(() => { if (++unread > %TICKS%) stop(); }, %TICK%);
	timer.unref();
	const stop = () => {
		timers.clearInterval(timer);
		delay.disable();
		if (observer) observer.disconnect();
		delete globalThis[K];
	};
	const read = (all) => {
		unread = 0;
		const h = v8.getHeapStatistics(), u = proc.memoryUsage(), e = perf.performance.eventLoopUtilization(), c = proc.cpuUsage();
		const d = perf.performance.eventLoopUtilization(e, elu);
		const n = Number(delay.count), q = (p) => n ? Math.max(0, Math.round(delay.percentile(p) / 1e3) - %RESOLUTION%e3) : 0;
		const r = {
			at: us(), rss: u.rss, external: u.external, arrayBuffers: u.arrayBuffers, limit: h.heap_size_limit, used: h.used_heap_size,
			total: h.total_heap_size, physical: h.total_physical_size, malloced: h.malloced_memory, contexts: h.number_of_native_contexts,
			detached: h.number_of_detached_contexts, allocated: h.total_allocated_bytes || 0,
			spaces: v8.getHeapSpaceStatistics().map((s) => ({ name: s.space_name, size: s.space_size, used: s.space_used_size,
				available: s.space_available_size, physical: s.physical_space_size })),
			gc, longestGCUs: Math.round(longest * 1e3), live, utilization: d.utilization, activeUs: Math.round(e.active * 1e3), idleUs: Math.round(e.idle * 1e3),
			cpuUserUs: c.user, cpuSystemUs: c.system,
			delay: { count: n, p50Us: q(50), p90Us: q(90), p99Us: q(99), minUs: n ? Math.max(0, Math.round(delay.min / 1e3) - %RESOLUTION%e3) : 0,
				maxUs: n ? Math.max(0, Math.round(delay.max / 1e3) - %RESOLUTION%e3) : 0, meanUs: n ? Math.max(0, Math.round(delay.mean / 1e3) - %RESOLUTION%e3) : 0,
				stddevUs: n ? Math.round(delay.stddev / 1e3) : 0 },
		};
		if (all) {
			r.handles = {};
			for (const k of proc.getActiveResourcesInfo()) r.handles[k] = (r.handles[k] || 0) + 1;
		}
		live = []; longest = 0; elu = e;
		delay.reset();
		return r;
	};
	Object.defineProperty(globalThis, K, { value: { read, stop }, configurable: true, enumerable: false });
	delay.enable();
	if (observer) observer.observe({ entryTypes: ['gc'] });
	return {
		at: us(), pid: proc.pid, nodeVersion: proc.version, script: proc.argv[1] || '', threadId: w.threadId, uptimeUs: Math.round(proc.uptime() * 1e6),
		maxYoung: w.isMainThread ? 0 : Math.round((w.resourceLimits.maxYoungGenerationSizeMb || 0) * 1048576),
		options: proc.env.NODE_OPTIONS || '', args: [proc.argv[0]].concat(proc.execArgv),
	};`

// start puts the probe into the thread, in a turn of its event loop: what makes
// native objects inside an interrupt ends a Node 18 with a segmentation fault.
func (p *probe) start(ctx context.Context, interval time.Duration) (hello, error) {
	lease := max(minLease, 5*interval)
	body := strings.NewReplacer(
		"%KEY%", p.key, "%BOUNDS%", strings.Join(strings.Fields(fmt.Sprint(gcBuckets)), ","), "%RESOLUTION%", fmt.Sprint(delayResolution.Milliseconds()),
		"%TICKS%", fmt.Sprint(leaseTicks), "%TICK%", fmt.Sprint((lease / leaseTicks).Milliseconds())).Replace(startProbe)
	expr := cdp.Builtins(`const turns = m('timers');
	return new Promise((done, fail) => turns.setImmediate(() => { try { done((() => {` + body + `
	})()); } catch (e) { fail(e); } }));`)
	ctx, cancel := context.WithTimeoutCause(ctx, turnPatience, errNoTurn)
	defer cancel()
	var h hello
	err := p.s.Await(ctx, expr, &h)
	return h, err
}

var errNoTurn = errors.New("the event loop did not turn for 5 s")

// read takes what the probe has. It answers inside a running loop of the
// program, too. nil says that the probe is gone.
func (p *probe) read(ctx context.Context, handles bool) (*reading, error) {
	var r *reading
	err := p.s.EvaluateBare(ctx, fmt.Sprintf("globalThis[%s] ? globalThis[%s].read(%t) : null", p.key, p.key, handles), &r)
	return r, err
}

// stop takes the probe away, and says whether it is gone.
func (p *probe) stop(ctx context.Context) error {
	var gone bool
	err := p.s.EvaluateBare(ctx, fmt.Sprintf("(() => { const p = globalThis[%s]; if (p) p.stop(); return globalThis[%s] === undefined; })()", p.key, p.key), &gone)
	if err == nil && !gone {
		err = errors.New("the probe could not be removed")
	}
	return err
}

// hello is what the probe says when it starts.
type hello struct {
	At          int64    `json:"at"` // on the target's own clock, as is every time of a reading
	PID         int      `json:"pid"`
	NodeVersion string   `json:"nodeVersion"`
	Script      string   `json:"script"`
	ThreadID    int      `json:"threadId"`
	Uptime      int64    `json:"uptimeUs"`
	MaxYoung    uint64   `json:"maxYoung"`
	Options     string   `json:"options"`
	Args        []string `json:"args"`
}

// reading is what the probe says: collections since its start, delays, live
// sets and utilization since the last reading.
type reading struct {
	At           int64             `json:"at"`
	RSS          uint64            `json:"rss"`
	External     uint64            `json:"external"`
	ArrayBuffers uint64            `json:"arrayBuffers"`
	Limit        uint64            `json:"limit"`
	Used         uint64            `json:"used"`
	Total        uint64            `json:"total"`
	Physical     uint64            `json:"physical"`
	Malloced     uint64            `json:"malloced"`
	Contexts     int               `json:"contexts"`
	Detached     int               `json:"detached"`
	Allocated    uint64            `json:"allocated"`
	Spaces       []SpaceFigures    `json:"spaces"`
	GC           map[string]gcSums `json:"gc"`
	LongestGC    int64             `json:"longestGCUs"`
	Live         []liveReading     `json:"live"`
	Utilization  float64           `json:"utilization"`
	Active       int64             `json:"activeUs"`
	Idle         int64             `json:"idleUs"`
	CPUUser      int64             `json:"cpuUserUs"`
	CPUSystem    int64             `json:"cpuSystemUs"`
	Delay        delayReading      `json:"delay"`
	Handles      map[string]int    `json:"handles"`
}

type gcSums struct {
	Count   int   `json:"count"`
	US      int64 `json:"us"`
	Buckets []int `json:"buckets"`
}

type liveReading struct {
	At       int64  `json:"at"`
	Used     uint64 `json:"used"`
	Old      uint64 `json:"old"`
	External uint64 `json:"external"`
}

type delayReading struct {
	Count  int   `json:"count"`
	P50    int64 `json:"p50Us"`
	P90    int64 `json:"p90Us"`
	P99    int64 `json:"p99Us"`
	Min    int64 `json:"minUs"`
	Max    int64 `json:"maxUs"`
	Mean   int64 `json:"meanUs"`
	Stddev int64 `json:"stddevUs"`
}

package eventloop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heapsnap/cdp"
)

// The probe is what runs inside a thread that is recorded: in the first phase it
// measures, in both it keeps the ledger of the loop's turns and the requests
// that belong to it. It keeps all it has below one symbol, keeps nothing alive,
// and is taken away by [stopProbe]; and if nobody reads it for probeLease it
// takes itself away: heapsnap may be killed.
//
// A turn of the loop is what lies between two check phases. An immediate without
// a reference is called in every check phase, and neither keeps the loop from
// waiting nor the program from ending (lib/internal/timers.js, Immediate.unref,
// Node 18 to 26): what the trace event CheckImmediate tells, for 0.5 us a turn
// instead of an event that has to be buffered, sent and read. Where turns are
// shorter than turnRest/turnsInRow, only some of them are looked at: after
// turnsInRow that took less than turnRest the probe rests for that long. A long
// turn that begins meanwhile is known from its end, its begin to turnRest/2.
const (
	probeURL        = "node:heapsnap/loop" // what profiles name its functions by
	probeKey        = "Symbol.for('heapsnap.loop')"
	probeResolution = 10 * time.Millisecond // of the delay histogram
	probePace       = 200 * time.Millisecond
	probeLease      = 25 // ticks of probePace without a reader; a blocked loop does not tick
	turnsInRow      = 25
	turnRest        = 5 * time.Millisecond
	// keptRequest is how long a request takes that is kept by itself. Shorter ones
	// are kept if they begin or end in a long turn, whose callbacks they tell apart.
	keptRequest = 20 * time.Millisecond
	// maxUnread is how many turns, requests, and requests sent the probe keeps for
	// its reader.
	maxUnread = 2000
)

var startProbe = inTurn(fmt.Sprintf(`
	const K = %s, RESOLUTION = %d, PACE = %d, LEASE = %d, LONG = %d, IN_ROW = %d, REST = %d, SLOW = %d, MANY = %d;
	const perf = m('perf_hooks'), timers = m('timers'), fs = m('fs'), proc = m('process');
	const channels = m('diagnostics_channel'), { Buffer } = m('buffer');
	if (globalThis[K]) globalThis[K].stop();
	const hr = () => { const t = proc.hrtime(); return t[0] * 1e6 + Math.round(t[1] / 1e3); };
	const clock = perf.performance.now.bind(perf.performance), origin = hr() - clock() * 1e3;
	const us = () => Math.round(origin + clock() * 1e3);
	let stopped = false, unread = 0;
	// What goes wrong here must not reach the program.
	const guard = (f) => (x) => { if (!stopped) try { f(x); } catch { stop(); } };

	// What the kernel did with the thread: CPU time, and time ready to run without a core.
	const text = Buffer.alloc(96);
	let fd = -1;
	try { fd = fs.openSync('/proc/thread-self/schedstat'); } catch {}
	const sched = () => {
		if (fd >= 0) try {
			const s = text.latin1Slice(0, fs.readSync(fd, text, 0, 96, 0)).split(' ');
			return { cpu: Math.round(s[0] / 1e3), wait: Math.round(s[1] / 1e3) };
		} catch { fs.closeSync(fd); fd = -1; }
		if (typeof proc.threadCpuUsage !== 'function') return { cpu: -1, wait: -1 };
		const c = proc.threadCpuUsage();
		return { cpu: c.user + c.system, wait: -1 };
	};

	// The ledger.
	let vitals = true, turns = [], count = 0, row = 0, resting = false, restTimer = null;
	let last = us(), rowFrom = last, known = sched(), knownAt = last;
	let begun = [], ended = [], requests = [], outgoing = [];
	const turned = (t) => {
		const rest = resting ? REST * 500 : 0, d = t - last - rest;
		count++;
		if (d - rest >= LONG) {
			const s = sched();
			if (turns.length < MANY) turns.push({
				at: last + rest, us: d, cpuUs: s.cpu < 0 || known.cpu < 0 ? -1 : s.cpu - known.cpu,
				waitUs: s.wait < 0 || known.wait < 0 ? undefined : s.wait - known.wait });
			known = s; knownAt = t;
			for (const r of begun) r.keep = true;
			for (const r of ended) add(requests, r);
		} else if (t - knownAt >= LONG) { known = sched(); knownAt = t; }
		if (begun.length > 0) begun = [];
		if (ended.length > 0) ended = [];
		last = t;
	};
	const turn = guard(() => {
		turned(us());
		if (++row >= IN_ROW) {
			const quick = last - rowFrom < REST * 1000;
			row = 0; rowFrom = last;
			if (quick) {
				resting = true; known = sched(); knownAt = last;
				restTimer = timers.setTimeout(rested, REST);
				return restTimer.unref();
			}
		}
		timers.setImmediate(turn).unref();
	});
	const rested = guard(() => {
		turned(us());
		resting = false; rowFrom = last;
		timers.setImmediate(turn).unref();
	});

	// Requests, served and sent.
	const alive = new WeakMap();
	const add = (list, r) => { if (list.length < MANY) list.push({ at: r.at, us: r.us, url: String(r.url).slice(0, 500), status: r.status }); };
	const begins = ({ request }) => {
		const r = { at: us(), us: 0, url: '', status: 0, keep: false };
		alive.set(request, r);
		if (begun.length < MANY) begun.push(r);
	};
	const ends = ({ request, response }) => {
		const r = alive.get(request);
		if (r === undefined || !alive.delete(request)) return;
		r.us = us() - r.at; r.url = request.url; r.status = response.statusCode;
		if (r.keep || r.us >= SLOW) add(requests, r);
		else if (ended.length < MANY) ended.push(r);
	};
	const sends = ({ request }) => { if (outgoing.length < MANY) alive.set(request, us()); };
	const answered = ({ request, response }) => {
		const at = alive.get(request);
		if (at !== undefined && alive.delete(request)) add(outgoing, { at, us: us() - at, url: request.path ?? '', status: response.statusCode });
	};
	const heard = [
		['http.server.request.start', begins], ['http.server.response.finish', ends],
		['http.client.request.start', sends], ['http.client.response.finish', answered],
		['undici:request:create', sends], ['undici:request:headers', answered],
	].map(([name, f]) => [channels.channel(name), guard(f)]);

	// Collections.
	const { NODE_PERFORMANCE_GC_MINOR: MINOR, NODE_PERFORMANCE_GC_MAJOR: MAJOR } = perf.constants;
	let gcs = [];
	const collections = new perf.PerformanceObserver(guard((list) => {
		for (const { startTime, duration, detail: { kind } } of list.getEntries()) {
			if ((kind === MINOR || kind === MAJOR) && gcs.length < MANY) gcs.push({
				at: Math.round(origin + startTime * 1e3), us: Math.round(duration * 1e3), kind: kind === MAJOR ? 'major' : 'minor' });
		}
	}));
	collections.observe({ entryTypes: ['gc'] });

	// Vitals.
	const all = perf.monitorEventLoopDelay({ resolution: RESOLUTION }), recent = perf.monitorEventLoopDelay({ resolution: RESOLUTION });
	const elu = perf.performance.eventLoopUtilization(), cpu = proc.cpuUsage(), started = us();
	let delays = [], probes = [], pending = 0, loop = 0;
	const probe = () => {
		if (pending) return;
		const t0 = pending = us();
		timers.setImmediate(guard(() => {
			loop = us() - t0;
			const t1 = us();
			fs.stat('/', guard(() => { probes.push({ at: t0, loopUs: loop, poolUs: us() - t1 }); pending = 0; }));
		}));
	};
	const tick = guard(() => {
		if (++unread > LEASE) return stop();
		if (!vitals) return;
		if (recent.max > 0) delays.push({ at: us(), maxUs: Math.max(0, Math.round(recent.max / 1e3) - RESOLUTION * 1000) });
		recent.reset();
		probe();
	});
	const timer = timers.setInterval(tick, PACE);
	timer.unref();
	const calm = () => { if (vitals) { vitals = false; all.disable(); recent.disable(); } };
	const stop = () => {
		if (stopped) return;
		stopped = true;
		if (globalThis[K] === self) delete globalThis[K];
		timers.clearInterval(timer);
		if (restTimer) timers.clearTimeout(restTimer);
		for (const [c, f] of heard) c.unsubscribe(f);
		collections.disconnect();
		calm();
		if (fd >= 0) try { fs.closeSync(fd); } catch {}
	};
	const measured = () => {
		const u = perf.performance.eventLoopUtilization(elu), c = proc.cpuUsage(cpu), quantiles = [];
		for (const [p, v] of all.percentiles) quantiles.push({ percent: p, us: Math.max(0, Math.round(v / 1e3) - RESOLUTION * 1000) });
		const r = {
			durationUs: us() - started, utilization: u.utilization, cpuUs: c.user + c.system, resolutionUs: RESOLUTION * 1000,
			samples: Number(all.count), quantiles: all.count > 0 ? quantiles : [], delays, probes, pendingUs: pending ? us() - pending : 0,
		};
		delays = []; probes = [];
		return r;
	};
	// In the second phase this touches no native object: those of a program that comes to its end are gone.
	const read = () => {
		unread = 0;
		const r = { vitals: vitals ? measured() : null, count, at: last, turns, requests, outgoing, gcs };
		turns = []; gcs = []; requests = []; outgoing = [];
		return r;
	};
	const self = { read, calm, stop };
	Object.defineProperty(globalThis, K, { value: self, configurable: true, enumerable: false });
	for (const [c, f] of heard) c.subscribe(f);
	all.enable(); recent.enable();
	timers.setImmediate(turn).unref();
	return true;
	//# sourceURL=%s`,
	probeKey, probeResolution.Milliseconds(), probePace.Milliseconds(), probeLease, minIteration, turnsInRow, turnRest.Milliseconds(),
	keptRequest.Microseconds(), maxUnread, probeURL))

const (
	readProbe = "globalThis[" + probeKey + "] ? globalThis[" + probeKey + "].read() : null"
	calmProbe = "globalThis[" + probeKey + "] && globalThis[" + probeKey + "].calm()"
	stopProbe = "(() => { const p = globalThis[" + probeKey + "]; if (p) p.stop(); return globalThis[" + probeKey + "] === undefined; })()"
)

// reading is what the probe says: what it keeps in lists since the last reading,
// the rest since the start.
type reading struct {
	Vitals   *vitalsReading `json:"vitals"` // nil in the second phase
	Count    int            `json:"count"`  // of turns
	At       int64          `json:"at"`     // the end of the last turn
	Turns    []Iteration    `json:"turns"`  // that took long
	Requests []Request      `json:"requests"`
	Outgoing []Request      `json:"outgoing"`
	GCs      []GC           `json:"gcs"`
}

type vitalsReading struct {
	Duration    int64      `json:"durationUs"`
	Utilization float64    `json:"utilization"`
	CPU         int64      `json:"cpuUs"`
	Resolution  int64      `json:"resolutionUs"`
	Samples     int        `json:"samples"`
	Quantiles   []Quantile `json:"quantiles"`
	Delays      []Delay    `json:"delays"`
	Probes      []Probe    `json:"probes"`
	Pending     int64      `json:"pendingUs"`
}

// facts is what is asked once per thread. The kernel's thread id is known where
// /proc is: reading a link is done by the thread itself.
type facts struct {
	Now         int64          `json:"now"`
	PID         int            `json:"pid"`
	TID         int            `json:"tid"`
	Script      string         `json:"script"`
	NodeVersion string         `json:"nodeVersion"`
	Cores       float64        `json:"cores"`
	PoolSize    int            `json:"poolSize"`
	Resources   map[string]int `json:"resources"`
	Memory      Memory         `json:"memory"`
	Sched       []struct {
		TID  int    `json:"tid"`
		Name string `json:"name"`
		Run  int64  `json:"run"`
		Wait int64  `json:"wait"`
	} `json:"sched"`
}

var factsExpression = inTurn(`
	const fs = m('fs'), os = m('os'), p = m('process'), v8 = m('v8');
	const quiet = (f, otherwise) => { try { return f(); } catch { return otherwise; } };
	const t = p.hrtime(), u = p.memoryUsage();
	const read = (path) => fs.readFileSync(path, 'utf8').trim();
	const tid = quiet(() => Number(fs.readlinkSync('/proc/thread-self').split('/')[2]), 0);
	const sched = quiet(() => fs.readdirSync('/proc/self/task').map((id) => quiet(() => {
		const s = read('/proc/self/task/' + id + '/schedstat').split(' ');
		return { tid: Number(id), name: read('/proc/self/task/' + id + '/comm'), run: Math.round(s[0] / 1e3), wait: Math.round(s[1] / 1e3) };
	}, null)).filter(Boolean), []);
	const quota = quiet(() => { const q = read('/sys/fs/cgroup/cpu.max').split(' '); return q[0] === 'max' ? 0 : q[0] / q[1]; }, 0)
		|| quiet(() => { const q = Number(read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')); return q > 0 ? q / Number(read('/sys/fs/cgroup/cpu/cpu.cfs_period_us')) : 0; }, 0);
	const cores = typeof os.availableParallelism === 'function' ? os.availableParallelism() : os.cpus().length;
	const resources = {};
	for (const r of quiet(() => p.getActiveResourcesInfo(), [])) resources[r] = (resources[r] || 0) + 1;
	return {
		now: t[0] * 1e6 + Math.round(t[1] / 1e3), pid: p.pid, tid, script: p.argv[1] || '', nodeVersion: p.version,
		cores: quota > 0 ? Math.min(quota, cores) : cores, poolSize: Number(p.env.UV_THREADPOOL_SIZE) || 4, resources, sched,
		memory: { at: t[0] * 1e6 + Math.round(t[1] / 1e3), rss: u.rss, heapUsed: u.heapUsed, external: u.external, heapLimit: v8.getHeapStatistics().heap_size_limit },
	};`)

// bareFacts is what can be asked of a loop that does not turn.
const bareFacts = `(() => {
	const t = process.hrtime(), us = t[0] * 1e6 + Math.round(t[1] / 1e3);
	return { now: us, pid: process.pid, tid: 0, script: process.argv[1] || '', nodeVersion: process.version, memory: { at: us } };
})()`

// askPatience is how long the loop may take for a turn before it is asked only
// what can be asked at any time.
const askPatience = 5 * time.Second

var errNoTurn = errors.New("the event loop did not turn for 5 s")

// inTurn makes an expression of a function body that runs in a turn of the event
// loop. An expression may also interrupt the program, even inside a regular
// expression; but what loads modules or makes native objects there ends a Node
// 18 with a segmentation fault.
func inTurn(body string) string {
	return cdp.Builtins(`const turns = m('timers');
	return new Promise((done, fail) => turns.setImmediate(() => { try { done((() => {` + body + `
	})()); } catch (e) { fail(e); } }));`)
}

// turn runs an expression of inTurn. If the loop does not turn in time it will
// run later all the same.
func turn(ctx context.Context, s *cdp.Session, expr string, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askPatience, errNoTurn)
	defer cancel()
	return s.Await(ctx, expr, into)
}

// ask returns the facts of a thread; the bare ones, with errNoTurn, if its loop
// does not turn.
func ask(ctx context.Context, s *cdp.Session) (facts, error) {
	var f facts
	err := turn(ctx, s, factsExpression, &f)
	if errors.Is(err, errNoTurn) {
		if bare := s.EvaluateBare(ctx, bareFacts, &f); bare != nil {
			return f, bare
		}
	}
	return f, err
}

// hookTime is how long the hook stays; it also ends by itself after hookLease.
const (
	hookTime  = 2 * time.Second
	hookLease = 5 * time.Second
	hookKey   = "Symbol.for('heapsnap.loop.pool')"
)

// startHook counts the places that give jobs to the thread pool, by the types
// of async_hooks (Node 18 to 26).
var startHook = inTurn(fmt.Sprintf(`
	const K = %s, hooks = m('async_hooks'), timers = m('timers'), proc = m('process');
	if (globalThis[K]) globalThis[K].stop();
	const jobs = /^(PBKDF2|SCRYPT|HKDF|RANDOMBYTES|RANDOMPRIME|CHECKPRIME|KEYPAIRGEN|KEYGEN|SIGN|VERIFY|CIPHER|DERIVEBITS|HASH|ARGON2|ZLIB|FSREQ|FILEHANDLE|GETADDRINFO|GETNAMEINFO)/;
	const found = new Map(), started = proc.hrtime();
	const hook = hooks.createHook({ init(id, type) {
		if (!jobs.test(type)) return;
		const limit = Error.stackTraceLimit, prepare = Error.prepareStackTrace, o = {};
		Error.stackTraceLimit = 32;
		Error.prepareStackTrace = (_, sites) => sites.map((s) => ({
			functionName: s.getFunctionName() || '', scriptId: '', url: s.getFileName() || '',
			lineNumber: (s.getLineNumber() || 0) - 1, columnNumber: (s.getColumnNumber() || 0) - 1 }));
		try {
			Error.captureStackTrace(o, this.init);
			const stack = Array.isArray(o.stack) ? o.stack : [];
			const key = type + JSON.stringify(stack);
			const known = found.get(key);
			if (known) known.count++;
			else if (found.size < 200) found.set(key, { type, count: 1, stack });
		} finally { Error.stackTraceLimit = limit; Error.prepareStackTrace = prepare; }
	} });
	const stop = () => {
		hook.disable();
		timers.clearTimeout(lease);
		delete globalThis[K];
		const t = proc.hrtime(started);
		return [...found.values()].map((f) => ({ ...f, overUs: t[0] * 1e6 + Math.round(t[1] / 1e3) }));
	};
	const lease = timers.setTimeout(stop, %d);
	lease.unref();
	Object.defineProperty(globalThis, K, { value: { stop }, configurable: true, enumerable: false });
	hook.enable();
	return true;`, hookKey, hookLease.Milliseconds()))

const stopHook = "(() => { const p = globalThis[" + hookKey + "]; return p ? p.stop() : []; })()"

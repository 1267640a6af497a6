package eventloop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"heapsnap/cdp"
)

// The probe is what runs inside the target in the first phase. It keeps all it
// has below one symbol, keeps nothing alive, and is taken away by [stopProbe];
// and if nobody reads it for probeLease it takes itself away: heapsnap may be
// killed.
const (
	probeKey        = "Symbol.for('heapsnap.loop')"
	probeResolution = 10 * time.Millisecond // of the delay histogram
	probePace       = 200 * time.Millisecond
	probeLease      = 15 // ticks of probePace without a reader; a blocked loop does not tick
)

var startProbe = inTurn(fmt.Sprintf(`
	const K = %s, perf = m('perf_hooks'), timers = m('timers'), fs = m('fs'), proc = m('process');
	if (globalThis[K]) globalThis[K].stop();
	const us = () => { const t = proc.hrtime(); return t[0] * 1e6 + Math.round(t[1] / 1e3); };
	const all = perf.monitorEventLoopDelay({ resolution: %d }), last = perf.monitorEventLoopDelay({ resolution: %d });
	const elu = perf.performance.eventLoopUtilization(), cpu = proc.cpuUsage(), started = us();
	let delays = [], probes = [], unread = 0, pending = 0, loop = 0, stopped = false;
	const probe = () => {
		if (pending || !%t) return;
		const t0 = pending = us();
		timers.setImmediate(() => {
			loop = us() - t0;
			if (stopped) return;
			const t1 = us();
			fs.stat('/', () => { if (!stopped) probes.push({ at: t0, loopUs: loop, poolUs: us() - t1 }); pending = 0; });
		});
	};
	const tick = () => {
		if (++unread > %d) return stop();
		if (last.max > 0) delays.push({ at: us(), maxUs: Math.max(0, Math.round(last.max / 1e3) - %d) });
		last.reset();
		probe();
	};
	const timer = timers.setInterval(tick, %d);
	timer.unref();
	const stop = () => {
		stopped = true;
		timers.clearInterval(timer);
		all.disable(); last.disable();
		delete globalThis[K];
	};
	const read = () => {
		unread = 0;
		const u = perf.performance.eventLoopUtilization(elu), c = proc.cpuUsage(cpu), quantiles = [];
		for (const [p, v] of all.percentiles) quantiles.push({ percent: p, us: Math.max(0, Math.round(v / 1e3) - %d) });
		const r = {
			durationUs: us() - started, utilization: u.utilization, cpuUs: c.user + c.system, resolutionUs: %d,
			samples: Number(all.count), quantiles: all.count > 0 ? quantiles : [], delays, probes, pendingUs: pending ? us() - pending : 0,
		};
		delays = []; probes = [];
		return r;
	};
	Object.defineProperty(globalThis, K, { value: { read, stop }, configurable: true, enumerable: false });
	all.enable(); last.enable();
	return true;`,
	probeKey, probeResolution.Milliseconds(), probeResolution.Milliseconds(), true, probeLease,
	probeResolution.Microseconds(), probePace.Milliseconds(), probeResolution.Microseconds(), probeResolution.Microseconds()))

const (
	readProbe = "globalThis[" + probeKey + "] ? globalThis[" + probeKey + "].read() : null"
	stopProbe = "(() => { const p = globalThis[" + probeKey + "]; if (p) p.stop(); return globalThis[" + probeKey + "] === undefined; })()"
)

// reading is what the probe says; delays and probes since the last reading,
// the rest since the start.
type reading struct {
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
	Done        int64          `json:"done"`
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
	const end = p.hrtime();
	return {
		done: end[0] * 1e6 + Math.ceil(end[1] / 1e3),
		now: t[0] * 1e6 + Math.round(t[1] / 1e3), pid: p.pid, tid, script: p.argv[1] || '', nodeVersion: p.version,
		cores: quota > 0 ? Math.min(quota, cores) : cores, poolSize: Number(p.env.UV_THREADPOOL_SIZE) || 4, resources, sched,
		memory: { at: t[0] * 1e6 + Math.round(t[1] / 1e3), rss: u.rss, heapUsed: u.heapUsed, external: u.external, heapLimit: v8.getHeapStatistics().heap_size_limit },
	};`)

// bareFacts is what can be asked of a loop that does not turn.
const bareFacts = `(() => {
	const t = process.hrtime(), us = t[0] * 1e6 + Math.round(t[1] / 1e3);
	return { now: us, done: us, pid: process.pid, tid: 0, script: process.argv[1] || '', nodeVersion: process.version, memory: { at: us } };
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

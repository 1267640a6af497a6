package memory

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"heapsnap/cdp"
)

// Facts are all that was read of one process at one moment.
type Facts struct {
	NodeVersion string
	Script      string
	PID         int // as the reader numbers it, 0 if it is on another machine
	Process     Process
	Group       Group
	Host        Host
	Isolates    []Isolate // the main thread's first
	// Others are further processes of the group that could be seen, largest first.
	Others []Other
	// Warnings say what could not be read, in a sentence each.
	Warnings []string
}

// Host is the machine's memory.
type Host struct{ Total, Available uint64 }

// Other is a process beside the one that was looked at.
type Other struct {
	PID     int
	Name    string
	Anon    uint64
	Command string
}

// Major is the Node.js line, 0 if unknown.
func (f Facts) Major() int {
	major, _, _ := strings.Cut(strings.TrimPrefix(f.NodeVersion, "v"), ".")
	n, _ := strconv.Atoi(major)
	return n
}

// Main is the main thread's heap.
func (f Facts) Main() Isolate {
	if len(f.Isolates) == 0 {
		return Isolate{}
	}
	return f.Isolates[0]
}

// OldLimit is where V8 gives up on the main thread.
func (f Facts) OldLimit() uint64 { return f.Main().OldLimit(f.Process.Options, f.Major()) }

// isolateExpression is one thread's figures. It collects no garbage.
var isolateExpression = cdp.Builtins(`
	const p = m('process'), v8 = m('v8'), w = m('worker_threads'), h = v8.getHeapStatistics(), u = p.memoryUsage();
	return {
		threadId: w.threadId, nodeVersion: p.version, script: p.argv[1] || '', pid: p.pid,
		limit: h.heap_size_limit, used: h.used_heap_size, total: h.total_heap_size, physical: h.total_physical_size,
		external: u.external, arrayBuffers: u.arrayBuffers, malloced: h.malloced_memory,
		contexts: h.number_of_native_contexts, detached: h.number_of_detached_contexts,
		maxYoung: w.isMainThread ? 0 : Math.round((w.resourceLimits.maxYoungGenerationSizeMb || 0) * 1048576),
		wanted: w.isMainThread ? 0 : Math.round((w.resourceLimits.maxOldGenerationSizeMb || 0) * 1048576),
		spaces: v8.getHeapSpaceStatistics().map((s) => ({ name: s.space_name, size: s.space_size, used: s.space_used_size,
			available: s.space_available_size, physical: s.physical_space_size })),
	};`)

// isolateAnswer is what isolateExpression gives.
type isolateAnswer struct {
	Isolate
	NodeVersion string `json:"nodeVersion"`
	Script      string `json:"script"`
	PID         int    `json:"pid"`
}

// LookOptions say how to look. The zero value changes nothing in the process.
type LookOptions struct {
	Collect bool // all garbage first, for [Isolate.Live]; the threads stand still for it
}

func (o LookOptions) look(ctx context.Context, s *cdp.Session) (a isolateAnswer, err error) {
	if o.Collect {
		if err := s.CollectGarbage(ctx); err != nil {
			return a, err
		}
	}
	err = s.Evaluate(ctx, isolateExpression, &a)
	if o.Collect {
		a.Live = a.Used
	}
	return a, err
}

// Look reads all facts of the process that the main session is of. One with a
// known pid is read from this machine's /proc, any other reads its own.
func Look(ctx context.Context, main *cdp.Session, o LookOptions) (Facts, error) {
	var f Facts
	a, err := o.look(ctx, main)
	if err != nil {
		return f, fmt.Errorf("memory of %s: %w", main.Target(), err)
	}
	f.NodeVersion, f.Script = a.NodeVersion, a.Script
	f.Isolates = append(f.Isolates, a.Isolate)
	workers, err := main.Workers(ctx)
	if err != nil {
		f.Warnings = append(f.Warnings, fmt.Sprintf("worker threads are not in the figures: %v", err))
	}
	for _, w := range workers {
		patience, cancel := context.WithTimeout(ctx, workerPatience)
		a, err := o.look(patience, w)
		cancel()
		switch {
		case ctx.Err() != nil:
			return f, context.Cause(ctx)
		case err != nil:
			f.Warnings = append(f.Warnings, fmt.Sprintf("worker %d (%s) did not say what it has: %v", w.Worker().ThreadID, w.Worker().Name, err))
			continue
		}
		a.Isolate.ThreadID, a.Isolate.Name = w.Worker().ThreadID, w.Worker().Name
		f.Isolates = append(f.Isolates, a.Isolate)
	}
	if f.PID = main.Target().PID; f.PID == 0 {
		f.PID = cdp.LocalPID(main.Target())
	}
	read, err := System(), error(nil)
	if f.PID == 0 {
		if read, err = Inside(ctx, main); err != nil {
			f.Warnings = append(f.Warnings, fmt.Sprintf("nothing of /proc and control groups could be read: %v", err))
			return f, ctx.Err()
		}
	}
	f.ReadSystem(read)
	return f, ctx.Err()
}

// workerPatience is for one worker thread: one in native code does not answer.
const workerPatience = 5 * time.Second

// ReadSystem reads what the kernel knows into f.
func (f *Facts) ReadSystem(read Read) {
	f.Process = ProcessOf(read, f.PID)
	f.Group = GroupOf(read, f.PID)
	if text, err := read("/proc/meminfo"); err == nil {
		total, _ := field(text, "MemTotal:")
		free, _ := field(text, "MemAvailable:")
		f.Host = Host{Total: total << 10, Available: free << 10}
	}
	if f.Process.RSS == 0 {
		f.Warnings = append(f.Warnings, "the process's memory could not be read from /proc: run heapsnap as its user or as root")
	}
	f.Others = othersOf(read, f.Group, f.PID)
}

// maxOthers bounds the processes of a group that are read: a group without
// containers may be a whole machine.
const maxOthers = 200

func othersOf(read Read, g Group, self int) []Other {
	if self == 0 || g.Limit == 0 || len(g.Procs) > maxOthers {
		return nil
	}
	var all []Other
	for _, pid := range g.Procs {
		if pid == self {
			continue
		}
		status, err := read(procDir(pid) + "/status")
		if err != nil {
			continue
		}
		anon, _ := field(status, "RssAnon:")
		o := Other{PID: pid, Anon: anon << 10}
		for line := range strings.Lines(status) {
			if name, ok := strings.CutPrefix(line, "Name:"); ok {
				o.Name = strings.TrimSpace(name)
				break
			}
		}
		if text, err := read(procDir(pid) + "/cmdline"); err == nil {
			o.Command = strings.TrimSpace(strings.ReplaceAll(text, "\x00", " "))
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Other) int { return cmp.Or(cmp.Compare(b.Anon, a.Anon), cmp.Compare(a.PID, b.PID)) })
	return all
}

// System reads this machine's files.
func System() Read {
	return func(name string) (string, error) {
		if path.Base(name) == TaskList {
			entries, err := os.ReadDir(path.Join(path.Dir(name), "task"))
			var all []string
			for _, e := range entries {
				all = append(all, e.Name())
			}
			return strings.Join(all, " "), err
		}
		b, err := os.ReadFile(name)
		return string(b), err
	}
}

// insideExpression reads, in one go, what ReadSystem may ask for: the target's
// own files, a few of which are a megabyte at most.
var insideExpression = cdp.Builtins(`
	const fs = m('fs'), all = {};
	const take = (name) => { try { return all[name] = fs.readFileSync(name, 'utf8'); } catch { return ''; } };
	for (const name of ['status', 'smaps_rollup', 'cmdline', 'oom_score_adj', 'cgroup']) take('/proc/self/' + name);
	// Walking the pages of gigabytes takes a tenth of a second and more.
	if (m('process').memoryUsage().rss < 2 ** 31) take('/proc/self/smaps');
	// The rest of the environment is nobody's business.
	all['/proc/self/environ'] = 'NODE_OPTIONS=' + (m('process').env.NODE_OPTIONS || '');
	take('/proc/meminfo');
	try {
		const tasks = fs.readdirSync('/proc/self/task').slice(0, 500);
		all['/proc/self/task-list'] = tasks.join(' ');
		for (const t of tasks) take('/proc/self/task/' + t + '/syscall');
	} catch {}
	const files = ['memory.limit_in_bytes', 'memory.usage_in_bytes', 'memory.max_usage_in_bytes', 'memory.failcnt', 'memory.oom_control',
		'memory.max', 'memory.high', 'memory.current', 'memory.peak', 'memory.events', 'memory.stat'];
	for (const line of (all['/proc/self/cgroup'] || '').split('\n')) {
		const cols = line.split(':');
		if (cols.length < 3 || cols[1] !== '' && !cols[1].split(',').includes('memory')) continue;
		for (const top of ['/sys/fs/cgroup', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'])
			for (let dir = cols.slice(2).join(':'); ; dir = dir.slice(0, dir.lastIndexOf('/'))) {
				for (const f of files) take(top + (dir === '/' ? '' : dir) + '/' + f);
				if (dir === '' || dir === '/') break;
			}
	}
	return all;`)

// Inside reads the files of a process on another machine, by itself, once.
func Inside(ctx context.Context, s *cdp.Session) (Read, error) {
	var all map[string]string
	if err := s.Evaluate(ctx, insideExpression, &all); err != nil {
		return nil, err
	}
	return func(name string) (string, error) {
		if text, ok := all[name]; ok {
			return text, nil
		}
		return "", fs.ErrNotExist
	}, nil
}

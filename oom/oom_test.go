package oom

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What deaths leave behind. The logs of Node.js were recorded from programs that
// were let die on Linux x64, with Node 18.20.8, 22.23.3 and 26.10.0; the kernel's
// lines are of 6.18 and, in the form of before 5.0, of kubernetes/kubernetes#56891;
// pods and events have the fields of the Kubernetes API v1.
const (
	heapLimit18 = `[16117:0x2251dd00]   293686 ms: Mark-sweep (reduce) 120.8 (158.9) -> 120.8 (127.9) MB, 444.6 / 0.0 ms  (average mu = 0.156, current mu = 0.000) last resort; GC in old space requested
<--- JS stacktrace --->

FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory
 1: 0xb9bbf0 node::Abort() [node]
`
	heapLimit26 = `[4759:0x31678000]    35584 ms: Mark-Compact (reduce) 233.7 (242.6) -> 233.6 (242.6) MB, pooled: 0.0 MB, 423.63 / 0.00 ms (average mu = 0.094, current mu = 0.000)

FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----
`
	workerLimit = `Error [ERR_WORKER_OUT_OF_MEMORY]: Worker terminated due to reaching memory limit: JS heap out of memory
    at [kOnExit] (node:internal/worker:316:26)

Node.js v22.23.3
`
	refused   = "RangeError: Array buffer allocation failed\n    at new ArrayBuffer (<anonymous>)\n\nNode.js v18.20.8\n"
	badAlloc  = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\nAborted (core dumped)\n"
	groupKill = `[  512.1] node invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[  512.2] Memory cgroup out of memory: Killed process 4711 (node) total-vm:11622548kB, anon-rss:252340kB, file-rss:44000kB, shmem-rss:0kB, UID:1000 pgtables:5000kB oom_score_adj:985
`
	oldKernel = `[Thu Dec  7 00:05:15 2017] Memory cgroup out of memory: Kill process 28438 (node) score 0 or sacrifice child
[Thu Dec  7 00:05:15 2017] Killed process 28438 (node) total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB
`
	hostKill = "[ 3099.4] Out of memory: Killed process 5340 (node) total-vm:29869360kB, anon-rss:23500692kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:46100kB oom_score_adj:0\n"
	pod      = `{"kind":"Pod","spec":{"containers":[{"name":"api","command":["node"],"args":["server.js"],"env":[{"name":"NODE_OPTIONS","value":"%s"}],` +
		`"resources":{"limits":{"memory":"256Mi"}}}]},"status":{"containerStatuses":[{"name":"api","restartCount":4,"state":{"running":{}},` +
		`"lastState":{"terminated":{"exitCode":%d,"reason":"%s"}}}]}}`
	probeEvent = `{"kind":"List","items":[{"kind":"Event","reason":"Killing","message":"Container api failed liveness probe, will be restarted"},%s]}`
	point      = `{"schema":1,"type":"point","target":"4711","point":{"time":"2026-11-27T12:00:00Z","pid":4711,"rss":%d,"working":%d,"containerLimit":268435456,"threads":[{"threadId":0,"heapUsed":%d,"heapTotal":%d,"oldLimit":%d,"live":%d,"external":%d,"arrayBuffers":%d}]}}` + "\n"
)

func seen(rss, heap, limit, live, buffers int) string {
	const mib = 1 << 20
	return fmt.Sprintf(point, rss*mib, rss*mib, heap*mib, heap*mib, limit*mib, live*mib, buffers*mib, buffers*mib)
}

// explain writes the files of a death and explains it.
func explain(t *testing.T, files map[string]string, exit int, signal string) (*Evidence, *Death) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Collect([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if exit >= 0 {
		e.Exit = &exit
	}
	e.Signal = signal
	return e, Explain(e)
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		exit   int // -1: not known
		signal string
		kind   Kind
		cause  string
	}{
		{"V8's limit, Node 18", map[string]string{"app.log": heapLimit18}, 134, "", HeapLimit, ""},
		{"V8's limit, Node 26, no exit code", map[string]string{"app.log": heapLimit26}, -1, "", HeapLimit, ""},
		{"V8's limit, a watch beside it", map[string]string{"app.log": heapLimit26, "watch.ndjson": seen(160, 98, 100, 97, 1)}, 134, "", HeapLimit, "js-heap"},
		{"no address space, and V8 calls it its heap", map[string]string{"app.log": "[29694:0x3fb4dd00]     1756 ms: Mark-sweep (reduce) 3.1 (4.6) -> 3.1 (4.6) MB, 5.2 / 0.0 ms  (average mu = 0.593, current mu = 0.002) external memory pressure GC in old space requested\nFATAL ERROR: Committing semi space failed. Allocation failed - JavaScript heap out of memory\n"}, 134, "", Refused, "buffers"},
		{"a worker's limit", map[string]string{"app.log": workerLimit}, 1, "", WorkerLimit, ""},
		{"the container's limit, by the pod", map[string]string{"pod.json": fmt.Sprintf(pod, "", 137, "OOMKilled")}, -1, "", GroupKill, ""},
		{"the container's limit, wrong flags", map[string]string{"pod.json": fmt.Sprintf(pod, "--max-old-space-size=512", 137, "OOMKilled")}, -1, "", GroupKill, "limit-above-container"},
		{"the container's limit, by its files", map[string]string{"memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n", "memory.max": "268435456\n", "memory.peak": "268435456\n"}, 137, "", GroupKill, ""},
		{"the container's limit, version 1", map[string]string{"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "memory.limit_in_bytes": "268435456\n", "memory.max_usage_in_bytes": "268435456\n", "memory.failcnt": "500\n"}, 137, "", GroupKill, ""},
		{"the container's limit, by the kernel", map[string]string{"dmesg.txt": groupKill}, -1, "", GroupKill, ""},
		{"the container's limit, by an old kernel", map[string]string{"dmesg.txt": oldKernel}, 137, "", GroupKill, ""},
		{"Buffers in the container", map[string]string{"dmesg.txt": groupKill, "pod.json": fmt.Sprintf(pod, "--max-old-space-size=150", 137, "OOMKilled"), "watch.ndjson": seen(250, 20, 150, 15, 180)}, -1, "", GroupKill, "buffers"},
		{"fragmentation in the container", map[string]string{"pod.json": fmt.Sprintf(pod, "--max-old-space-size=150", 137, "OOMKilled"), "watch.ndjson": seen(255, 20, 150, 15, 5)}, -1, "", GroupKill, "fragmentation"},
		{"the heap in the container, limit too high", map[string]string{"watch.ndjson": seen(255, 190, 4096, 180, 2), "memory.events": "max 9\noom_kill 1\n", "memory.max": "268435456\n"}, 137, "", GroupKill, "js-heap"},
		{"a child process in the container", map[string]string{"dmesg.txt": strings.ReplaceAll(groupKill, "4711 (node)", "99 (ffmpeg)"), "watch.ndjson": seen(80, 20, 100, 15, 2)}, -1, "", GroupKill, "other-process"},
		{"the machine", map[string]string{"dmesg.txt": hostKill}, 137, "", HostKill, ""},
		{"refused", map[string]string{"app.log": refused}, 1, "", Refused, "buffers"},
		{"native code", map[string]string{"app.log": badAlloc}, 134, "", NativeAbort, ""},
		{"a crash", nil, 139, "", NativeAbort, ""},
		{"a liveness probe", map[string]string{"pod.json": fmt.Sprintf(probeEvent, fmt.Sprintf(pod, "", 137, "Error"))}, -1, "", NotMemory, ""},
		{"killed, and the group counts nothing", map[string]string{"memory.events": "max 0\noom_kill 0\n", "memory.peak": "100\n"}, -1, "SIGKILL", NotMemory, ""},
		{"asked to end", nil, 143, "", NotMemory, ""},
		{"nothing", map[string]string{"app.log": "listening on 3000\n"}, -1, "", Unknown, ""},
		{"docker", map[string]string{"inspect.json": `[{"Name":"/api","State":{"OOMKilled":true,"ExitCode":137},"HostConfig":{"Memory":268435456},"Config":{"Env":["NODE_OPTIONS=--max-old-space-size=512"],"Cmd":["node","a.js"]}}]`}, -1, "", GroupKill, "limit-above-container"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, d := explain(t, c.files, c.exit, c.signal)
			if d.Kind != c.kind || c.cause != "" && d.Cause != c.cause {
				t.Errorf("%s, cause %q, want %s and %q\n%+v", d.Kind, d.Cause, c.kind, c.cause, d)
			}
			if d.Kind != Unknown && d.Title == "" || len(d.Change)+len(d.Collect) == 0 {
				t.Errorf("no words or nothing to do: %+v", d)
			}
		})
	}
}

func TestCollectReadsFigures(t *testing.T) {
	e, d := explain(t, map[string]string{
		"dmesg.txt": groupKill, "app.log": heapLimit18,
		"a.heapsnapshot": `{"snapshot":{},"strings":[]}`, "b.heapsnapshot": `{"snapshot":{},"nodes":[1,2`, "c.heapsnapshot": "", "a.heapsnapshot.meta.json": "{}",
		"status": "VmRSS: 100 kB\nRssAnon: 60 kB\nRssFile: 40 kB\n", "garbage.json": "{not json", "memory.max": "1000\n",
	}, -1, "")
	if len(e.Snapshots) != 3 || !e.Snapshots[0].Whole || e.Snapshots[1].Whole || e.Snapshots[2].Whole {
		t.Errorf("snapshots: %+v", e.Snapshots)
	}
	if k := e.Kills[0]; k.PID != 4711 || k.Anon != 252340<<10 || !k.Group {
		t.Errorf("kill: %+v", k)
	}
	if e.LastGC == nil || e.LastGC.After != 120.8 {
		t.Errorf("gc: %+v", e.LastGC)
	}
	if e.Process == nil || e.Process.Anon != 60<<10 || e.Group == nil || e.Group.Limit != 1000 {
		t.Errorf("process %+v, group %+v", e.Process, e.Group)
	}
	found := false
	for _, c := range d.Collect {
		found = found || strings.Contains(c, "b.heapsnapshot is cut short")
	}
	if !found {
		t.Errorf("no word on the snapshot that is cut short: %q", d.Collect)
	}
	if _, err := Collect([]string{"/no/such/folder"}); err == nil {
		t.Error("a folder that is not there")
	}
}

func TestQuantity(t *testing.T) {
	for s, want := range map[string]uint64{"512Mi": 512 << 20, "1.5Gi": 3 << 29, "500M": 500e6, "1e9": 1e9, "123": 123, "": 0, "Mi": 0, "-5Mi": 0, "5Xi": 0} {
		if got := quantity(s); got != want {
			t.Errorf("quantity(%q) = %d, want %d", s, got, want)
		}
	}
}

// FuzzCollect holds the readers against whatever stands in a file.
func FuzzCollect(f *testing.F) {
	for _, s := range []string{heapLimit18, groupKill, oldKernel, fmt.Sprintf(pod, "-x", 137, "OOMKilled"), fmt.Sprintf(probeEvent, "{}"), seen(1, 1, 1, 1, 1), `{"header":{},"javascriptHeap":{"heapSpaces":{"a":{}}}}`, `{"command":"doctor","heaps":[{}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := Collect([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		Explain(e)
	})
}

package memory

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/report"
)

// tree reads the files of a text: "== /path" and what follows is a file.
func tree(text string) Read {
	files := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "== "); ok {
			name = path
			files[name] = ""
			continue
		}
		files[name] += strings.TrimLeft(line, "\t")
	}
	return func(name string) (string, error) {
		if text, ok := files[name]; ok {
			return text, nil
		}
		return "", fs.ErrNotExist
	}
}

func TestGroupOf(t *testing.T) {
	for _, c := range []struct {
		name, text string
		pid        int
		want       Group
	}{
		{"version 2, in its container", `
			== /proc/self/cgroup
			0::/
			== /sys/fs/cgroup/memory.current
			500000000
			== /sys/fs/cgroup/memory.max
			536870912
			== /sys/fs/cgroup/memory.high
			max
			== /sys/fs/cgroup/memory.peak
			536870912
			== /sys/fs/cgroup/memory.events
			low 0
			high 0
			max 71
			oom 2
			oom_kill 1
			oom_group_kill 0
			== /sys/fs/cgroup/memory.stat
			anon 450000000
			file 40000000
			inactive_file 30000000
			== /sys/fs/cgroup/cgroup.procs
			1
			17
			`, 0, Group{Version: 2, Path: "/", Limit: 536870912, Current: 5e8, Peak: 536870912, Cache: 3e7, Anon: 45e7, AtLimit: 71, Kills: 1, Procs: []int{1, 17}}},
		{"version 2, the limit is the pod's", `
			== /proc/7/cgroup
			0::/kubepods/pod1/c1
			== /sys/fs/cgroup/kubepods/pod1/c1/memory.current
			100
			== /sys/fs/cgroup/kubepods/pod1/c1/memory.max
			max
			== /sys/fs/cgroup/kubepods/pod1/memory.current
			300
			== /sys/fs/cgroup/kubepods/pod1/memory.max
			1000
			`, 7, Group{Version: 2, Path: "/kubepods/pod1", Limit: 1000, Current: 300}},
		{"version 2, another container seen through its root", `
			== /proc/7/cgroup
			0::/../other
			== /proc/7/root/sys/fs/cgroup/memory.current
			300
			== /proc/7/root/sys/fs/cgroup/memory.max
			1000
			== /proc/7/root/sys/fs/cgroup/memory.high
			900
			`, 7, Group{Version: 2, Path: "/", Limit: 1000, High: 900, Current: 300}},
		{"version 1", `
			== /proc/7/cgroup
			4:memory:/docker/0a1b
			1:cpu,cpuacct:/docker/0a1b
			0::/
			== /sys/fs/cgroup/memory/docker/0a1b/memory.usage_in_bytes
			400
			== /sys/fs/cgroup/memory/docker/0a1b/memory.limit_in_bytes
			1000
			== /sys/fs/cgroup/memory/docker/0a1b/memory.max_usage_in_bytes
			990
			== /sys/fs/cgroup/memory/docker/0a1b/memory.failcnt
			3
			== /sys/fs/cgroup/memory/docker/0a1b/memory.oom_control
			oom_kill_disable 0
			under_oom 0
			oom_kill 2
			== /sys/fs/cgroup/memory/docker/0a1b/memory.stat
			total_rss 300
			total_inactive_file 50
			== /sys/fs/cgroup/memory/memory.usage_in_bytes
			4000
			== /sys/fs/cgroup/memory/memory.limit_in_bytes
			9223372036854771712
			`, 7, Group{Version: 1, Path: "/docker/0a1b", Limit: 1000, Current: 400, Peak: 990, Cache: 50, Anon: 300, AtLimit: 3, Kills: 2}},
		{"no limit anywhere: its own", `
			== /proc/7/cgroup
			0::/user.slice/a
			== /sys/fs/cgroup/user.slice/a/memory.current
			100
			== /sys/fs/cgroup/user.slice/a/memory.max
			max
			== /sys/fs/cgroup/user.slice/memory.current
			900
			`, 7, Group{Version: 2, Path: "/user.slice/a", Current: 100}},
		{"no groups", "", 7, Group{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := GroupOf(tree(c.text), c.pid)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
				t.Errorf("GroupOf = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestGroupFromSavedFiles(t *testing.T) {
	g, ok := GroupFrom(map[string]string{"memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n", "memory.peak": "1000\n"})
	if want := (Group{Version: 2, Peak: 1000, AtLimit: 9, Kills: 1}); !ok || fmt.Sprint(g) != fmt.Sprint(want) {
		t.Errorf("GroupFrom = %+v, %v, want %+v", g, ok, want)
	}
	if g, ok := GroupFrom(map[string]string{"memory.failcnt": "4"}); !ok || g.Version != 1 || g.AtLimit != 4 {
		t.Errorf("GroupFrom(memory.failcnt) = %+v, %v", g, ok)
	}
	if g, ok := GroupFrom(map[string]string{"memory.txt": "4"}); ok {
		t.Errorf("GroupFrom(memory.txt) = %+v", g)
	}
}

// A process as the kernel shows it: glibc's first arena and one more, the stacks
// of two threads of three, and a native module.
const processText = `
== /proc/9/status
Name:	node
VmHWM:	  900 kB
VmRSS:	  800 kB
RssAnon:	  600 kB
RssFile:	  190 kB
RssShmem:	   10 kB
VmSwap:	    4 kB
Threads:	3
== /proc/9/smaps_rollup
Rss:                 820 kB
Anonymous:           620 kB
Swap:                  8 kB
== /proc/9/smaps
00400000-00e37000 r--p 00000000 fe:00 5325497    /usr/bin/node
Rss:                 120 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
2cc7e000-2ce93000 rw-p 00000000 00:00 0          [heap]
Rss:                 100 kB
7f1f54000000-7f1f54257000 rw-p 00000000 00:00 0
Rss:                 200 kB
7f1f54257000-7f1f58000000 ---p 00000000 00:00 0
Rss:                   0 kB
7f1f5c100000-7f1f5c1a0000 rw-p 00000000 00:00 0
Rss:                  50 kB
7f1f5d000000-7f1f5d800000 rw-p 00000000 00:00 0
Rss:                  32 kB
7f1f8b644000-7f1f8b79a000 r-xp 00026000 fe:00 326269 /usr/lib/x86_64-linux-gnu/libc.so.6
Rss:                  30 kB
7f1f8b800000-7f1f8b899000 r-xp 00000000 fe:00 326789 /app/node_modules/@img/sharp-linux-x64/lib/sharp.node
Rss:                  30 kB
7ffd37000000-7ffd37100000 rw-p 00000000 00:00 0  [stack]
Rss:                  44 kB
== /proc/9/task-list
9 10 11
== /proc/9/task/9/syscall
281 0x10 0x7ffcd37071d0 0x400 0xea60 0x0 0x8 0x7ffd37010000 0x7fa2c2726cae
== /proc/9/task/10/syscall
202 0x21186500 0x189 0x0 0x0 0x0 0xffffffff 0x7f1f5d7fb000 0x7fa2c26a3f16
== /proc/9/task/11/syscall
running
== /proc/9/oom_score_adj
-5
`

func TestProcessOf(t *testing.T) {
	text := processText + "== /proc/9/cmdline\nnode\x00--max-old-space-size=300\x00/app/server.js\x00--max-old-space-size=9\n== /proc/9/environ\nSECRET=x\x00NODE_OPTIONS=--max_old_space_size=200 --trace-gc\x00A=b"
	p := ProcessOf(tree(text), 9)
	const kib = 1024
	if p.RSS != 820*kib || p.Anon != 620*kib || p.Shared != 10*kib || p.File != 190*kib || p.Swap != 8*kib || p.Peak != 900*kib {
		t.Errorf("sizes: %+v", p)
	}
	if p.Stacks != (44+32)*kib {
		t.Errorf("Stacks = %d kB, want 76", p.Stacks/kib)
	}
	if p.Arenas != 1 || p.ArenaBytes != 300*kib || p.Allocator != "glibc" {
		t.Errorf("malloc: %d arenas of %d kB, %q, want 1 of 300 kB, glibc", p.Arenas, p.ArenaBytes/kib, p.Allocator)
	}
	if fmt.Sprint(p.Addons) != "[/app/node_modules/@img/sharp-linux-x64/lib/sharp.node]" {
		t.Errorf("Addons = %v", p.Addons)
	}
	if p.Threads != 3 || p.ScoreAdj != -5 || p.Options.OldSpace != 300*mib || !p.Options.TraceGC || p.Options.FromScript != "/app/server.js" {
		t.Errorf("%+v", p)
	}
	if fmt.Sprint(p.Options.Conflicts(22)) != "[--max-old-space-size=300 (command line) overrides --max_old_space_size=200 (NODE_OPTIONS)]" {
		t.Errorf("Conflicts = %q", p.Options.Conflicts(22))
	}
}

func TestArenasAreGlibcs(t *testing.T) {
	p := ProcessOf(tree(strings.ReplaceAll(processText, "/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib/ld-musl-x86_64.so.1")), 9)
	if p.Arenas != 0 || p.ArenaBytes != 0 || p.Allocator != "musl" {
		t.Errorf("%d arenas, %q", p.Arenas, p.Allocator)
	}
}

func TestParseOptions(t *testing.T) {
	for _, c := range []struct {
		env, args string
		want      Options
		conflicts int
	}{
		{"", "node app.js --max-old-space-size=5", Options{FromScript: "app.js"}, 0},
		{"", "node -r ./x.js --max-old-space-size=5 app.js", Options{OldSpace: 5 * mib, FromScript: "app.js"}, 0},
		{`--title "a b" --max-heap-size=7`, "node -e 1", Options{HeapSize: 7 * mib}, 0},
		{`"--max-old-space-size=5" --max-old-space-size-percentage=50`, "", Options{OldSpace: 5 * mib, OldSpaceShare: 50}, 1},
		{"--max-old-space-size-percentage=50", "", Options{OldSpaceShare: 50}, 0},
		{"--max-old-space-size=5", "node --max-old-space-size=5 a.js", Options{OldSpace: 5 * mib, FromScript: "a.js"}, 0},
		{"--max-semi-space-size=16 --heapsnapshot-near-heap-limit=2 --report-on-fatalerror", "node -- -a.js", Options{SemiSpace: 16 * mib, NearHeapLimit: 2, ReportOnFatal: true, FromScript: "-a.js"}, 0},
		{"--max-old-space-size=-5", "", Options{}, 0},
		{"--max-old-space-size=5 --max-heap-size=9", "", Options{OldSpace: 5 * mib, HeapSize: 9 * mib}, 1},
	} {
		o := ParseOptions(c.env, strings.Fields(c.args))
		if n := len(o.Conflicts(22)); n != c.conflicts {
			t.Errorf("%q %q: %d conflicts, want %d", c.env, c.args, n, c.conflicts)
		}
		o.Given = nil
		if fmt.Sprint(o) != fmt.Sprint(c.want) {
			t.Errorf("ParseOptions(%q, %q) = %+v, want %+v", c.env, c.args, o, c.want)
		}
	}
	if o := ParseOptions("--max-old-space-size-percentage=50", nil); len(o.Conflicts(20)) != 1 {
		t.Error("Node 20 does not know the percentage, and no word of it")
	}
}

// heap_size_limit and the old spaces' part of it as measured.
func TestOldLimit(t *testing.T) {
	for _, c := range []struct {
		major int
		o     Options
		limit uint64 // MiB
		want  uint64
	}{
		{18, Options{}, 4144, 4096}, {20, Options{}, 4144, 4096}, {24, Options{}, 4288, 4096}, {26, Options{}, 4192, 4096},
		{20, Options{}, 524, 512}, {24, Options{}, 560, 512}, {26, Options{}, 536, 512},
		{22, Options{}, 2096, 2048}, {24, Options{}, 2240, 2048}, {26, Options{}, 2144, 2048},
		{20, Options{OldSpace: 100 * mib}, 148, 100}, {24, Options{OldSpace: 100 * mib}, 292, 100}, {26, Options{OldSpace: 100 * mib, SemiSpace: mib}, 103, 100},
		{22, Options{OldSpaceShare: 10}, 2458, 2410}, {24, Options{OldSpaceShare: 10, OldSpace: 100 * mib}, 2602, 2410}, {26, Options{OldSpaceShare: 10}, 2506, 2410}, {22, Options{OldSpaceShare: 100}, 203, 198},
	} {
		got := Isolate{Limit: c.limit * mib}.OldLimit(c.o, c.major) / mib
		if got < c.want-1 || got > c.want+1 {
			t.Errorf("Node %d, %+v, heap_size_limit %d MiB: OldLimit = %d MiB, want %d", c.major, c.o, c.limit, got, c.want)
		}
	}
	if got := (Isolate{ThreadID: 1, Limit: 98 * mib, MaxYoung: 48 * mib}).OldLimit(Options{OldSpace: 7 * mib}, 22); got != 50*mib {
		t.Errorf("a worker's OldLimit = %d MiB, want 50", got/mib)
	}
}

func TestAccountAddsUp(t *testing.T) {
	p := Process{RSS: 100 * mib, Anon: 60 * mib, File: 40 * mib, Stacks: mib}
	a := AccountOf(p, []Isolate{
		{Physical: 10 * mib, External: 7 * mib, ArrayBuffers: 5 * mib, Malloced: mib},
		{Total: 4 * mib, External: 2 * mib, ArrayBuffers: 3 * mib}})
	want := map[PartName]uint64{PartHeap: 14, PartBuffers: 8, PartExternal: 2, PartMalloced: 1, PartStacks: 1, PartCode: 40, PartUnexplained: 34}
	var sum uint64
	for _, part := range a.Parts {
		sum += part.Bytes
		if part.Bytes != want[part.Name]*mib {
			t.Errorf("%s = %d MiB, want %d", part.Name, part.Bytes/mib, want[part.Name])
		}
	}
	if sum != a.RSS {
		t.Errorf("the parts are %d bytes, RSS is %d", sum, a.RSS)
	}
	// Buffers that were never written to are not in memory.
	a = AccountOf(p, []Isolate{{Physical: 10 * mib, External: 900 * mib, ArrayBuffers: 900 * mib}})
	if got := a.Bytes(PartBuffers); got != 49*mib || a.Bytes(PartUnexplained) != 0 {
		t.Errorf("untouched Buffers: %+v", a.Parts)
	}
}

// service is a process in which nothing is wrong: 512 MiB of container, Node
// 22's default heap, 80 MiB in use.
func service() Facts {
	return Facts{
		NodeVersion: "v22.23.3", PID: 1,
		Process:  Process{RSS: 120 * mib, Anon: 80 * mib, File: 40 * mib, Threads: 11, Allocator: "glibc", ArenaBytes: 6 * mib},
		Group:    Group{Version: 2, Limit: 512 * mib, Current: 130 * mib, Cache: 30 * mib},
		Host:     Host{Total: 16 << 30, Available: 9 << 30},
		Isolates: []Isolate{{Limit: 259 * mib, Used: 50 * mib, Total: 66 * mib, Physical: 64 * mib, External: 5 * mib, ArrayBuffers: 3 * mib}},
	}
}

func TestDiagnose(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(f *Facts)
		rule string // of the first finding, "" for none
		is   Severity
		has  string // in title, evidence or fix
	}{
		{"a healthy service", func(f *Facts) {}, "", Note, ""},
		{"the heap is nearly full", func(f *Facts) { f.Isolates[0].Used = 230 * mib; f.Isolates[0].Live = 225 * mib }, "js-heap", Trouble, "--max-old-space-size="},
		{"the heap was nearly full and is garbage", func(f *Facts) { f.Isolates[0].Used = 230 * mib; f.Isolates[0].Live = 40 * mib }, "", Note, ""},
		{"Buffers fill the container", func(f *Facts) {
			f.Process.RSS, f.Process.Anon = 480*mib, 440*mib
			f.Group.Current = 490 * mib
			f.Isolates[0].External, f.Isolates[0].ArrayBuffers = 360*mib, 359*mib
		}, "buffers", Trouble, "359.0 MiB"},
		{"many Buffers, far from any limit", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Group.Limit = 300*mib, 260*mib, 4<<30
			f.Isolates[0].External, f.Isolates[0].ArrayBuffers = 160*mib, 159*mib
		}, "buffers", Note, "159.0 MiB"},
		{"external without Buffers", func(f *Facts) {
			f.Process.RSS, f.Process.Anon = 480*mib, 440*mib
			f.Group.Current = 490 * mib
			f.Isolates[0].External = 360 * mib
		}, "external", Trouble, "357.0 MiB"},
		{"malloc keeps memory", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Group.Current = 460*mib, 420*mib, 480*mib
			f.Process.ArenaBytes, f.Process.Arenas = 350*mib, 8
		}, "fragmentation", Trouble, "MALLOC_ARENA_MAX"},
		{"a native module has memory", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Group.Current = 460*mib, 420*mib, 480*mib
			f.Process.Addons = []string{"/app/node_modules/@img/sharp/lib/a.node", "/app/node_modules/@img/sharp/lib/b.node"}
		}, "native", Trouble, "native modules: @img/sharp"},
		{"Node 18 goes by the host in version 2", func(f *Facts) { f.NodeVersion = "v18.20.8"; f.Isolates[0].Limit = 4144 * mib }, "limit-above-container", Trouble, "does not read limits of control groups version 2"},
		{"a limit left from a larger container", func(f *Facts) {
			f.Isolates[0].Limit = 1072 * mib
			f.Process.Options = ParseOptions("--max-old-space-size=1024", nil)
		}, "limit-above-container", Trouble, "NODE_OPTIONS says --max-old-space-size=1024"},
		{"a container below Node's least heap", func(f *Facts) { f.Group.Limit = 256 * mib }, "limit-above-container", Trouble, "never below 256 MiB"},
		{"a worker is nearly full", func(f *Facts) {
			f.Isolates = append(f.Isolates, Isolate{ThreadID: 3, Name: "parse", Limit: 98 * mib, MaxYoung: 48 * mib, Used: 47 * mib, Live: 46 * mib, Total: 50 * mib})
		}, "worker", Trouble, "worker 3 (parse)"},
		{"workers fill the container", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Group.Current = 470*mib, 430*mib, 480*mib
			for i := range 4 {
				f.Isolates = append(f.Isolates, Isolate{ThreadID: i + 1, Limit: 4144 * mib, MaxYoung: 48 * mib, Used: 80 * mib, Physical: 85 * mib})
			}
		}, "worker", Trouble, "4 worker threads have"},
		{"a child process fills the container", func(f *Facts) {
			f.Group.Current = 480 * mib
			f.Others = []Other{{PID: 77, Name: "ffmpeg", Anon: 300 * mib}}
		}, "other-process", Trouble, "ffmpeg"},
		{"the heap fills the container before its limit", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Group.Current = 440*mib, 400*mib, 480*mib
			f.Isolates[0].Limit, f.Isolates[0].Used, f.Isolates[0].Physical = 559*mib, 340*mib, 360*mib
			f.Process.Options = ParseOptions("--max-old-space-size=450", nil)
		}, "js-heap", Trouble, "--gc tells"},
		{"V8 gives up in a container that is half empty", func(f *Facts) { f.Group.Limit = 2 << 30; f.Isolates[0].Used = 190 * mib }, "limit-below-container", Trouble, "--max-old-space-size-percentage=75"},
		{"deep stacks", func(f *Facts) {
			f.Process.RSS, f.Process.Anon, f.Process.Stacks, f.Group.Current = 440*mib, 400*mib, 200*mib, 480*mib
			f.Isolates[0].Physical = 180 * mib
		}, "stacks", Trouble, "11 threads"},
		{"shared memory", func(f *Facts) { f.Process.RSS, f.Process.Shared, f.Group.Current = 440*mib, 300*mib, 480*mib }, "shared", Trouble, "300.0 MiB"},
		{"options contradict each other", func(f *Facts) {
			f.Process.Options = ParseOptions("--max-old-space-size=200", []string{"node", "--max-old-space-size=211", "a.js"})
		}, "options", Note, "overrides"},
		{"an option overrides a worker's limit", func(f *Facts) {
			f.Process.Options = ParseOptions("--max-old-space-size=211", nil)
			f.Isolates = append(f.Isolates, Isolate{ThreadID: 3, Name: "parse", Limit: 259 * mib, MaxYoung: 48 * mib, Wanted: 57 * mib, Used: 40 * mib})
		}, "options", Note, "overrides the resourceLimits of worker 3 (parse)"},
		{"most of the heap is garbage", func(f *Facts) {
			f.Isolates[0].Used, f.Isolates[0].Live, f.Isolates[0].Total = 110*mib, 20*mib, 120*mib
			f.Process.RSS = 170 * mib
		}, "gc-drift", Note, "20.0 MiB"},
		{"the container is full of file pages", func(f *Facts) { f.Group.Current, f.Group.Cache = 500*mib, 400*mib }, "page-cache", Note, "working set"},
		{"the machine is out of memory", func(f *Facts) { f.Host.Available = 200 * mib }, "host-memory", Trouble, "16.0 GiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := service()
			c.edit(&f)
			found := Diagnose(f)
			if c.rule == "" {
				for _, x := range found {
					t.Errorf("found %s: %s", x.Rule.Name, x.Title)
				}
				return
			}
			if len(found) == 0 || found[0].Rule.Name != c.rule || found[0].Severity != c.is {
				t.Fatalf("found %+v, want %s first", found, c.rule)
			}
			x := found[0]
			if text := x.Title + strings.Join(x.Evidence, " ") + x.Fix; !strings.Contains(text, c.has) {
				t.Errorf("no %q in %q", c.has, text)
			}
			if x.Fix == "" || x.Trigger.Name == "" || x.Trigger.Value == 0 {
				t.Errorf("a finding without its number or what to do: %+v", x)
			}
		})
	}
}

func TestEveryRuleIsInADiagnosis(t *testing.T) {
	source, err := os.ReadFile("memory_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Rules() {
		if r.Cause == "" || r.Sign == "" || r.Title == "" {
			t.Errorf("rule %s is not documented", r.Name)
		}
		if !strings.Contains(string(source), `"`+r.Name+`", `) {
			t.Errorf("no case of TestDiagnose has rule %s", r.Name)
		}
	}
}

func TestFlagsFit(t *testing.T) {
	for _, limit := range []uint64{256, 512, 1024, 2048, 4096, 16384} {
		for _, major := range []int{18, 20, 22, 24, 26} {
			for _, outside := range []uint64{5, 60, 200} {
				flags, ok := FlagsFor(limit*mib, outside*mib, major)
				if !ok {
					if limit >= 512 {
						t.Errorf("nothing fits into %d MiB with %d outside, Node %d", limit, outside, major)
					}
					continue
				}
				semi := max(flags.SemiSpace, map[bool]uint64{true: youngOf(major).semi}[flags.SemiSpace == 0])
				if whole := flags.OldSpace + 3*semi + outside*mib; whole > limit*mib {
					t.Errorf("%s with %d MiB outside does not fit into %d MiB, Node %d", flags, outside, limit, major)
				}
			}
		}
	}
}

func TestSizesReadAsTheReports(t *testing.T) {
	for _, n := range []uint64{0, 1023, 1024, 1048524, 1 << 20, 260 * mib, 1 << 32, 1<<64 - 1} {
		if got, want := Size(n), report.FormatBytes(n); got != want {
			t.Errorf("Size(%d) = %q, report has %q", n, got, want)
		}
	}
}

// FuzzProcess holds the readers of /proc against whatever stands there.
func FuzzProcess(f *testing.F) {
	f.Add(processText)
	f.Add("== /proc/9/smaps\nf-1 rw-p 0 0 0\n1-0 r r r r\n== /proc/9/task-list\n1\n== /proc/9/task/1/syscall\n1 0x1 0x1")
	f.Fuzz(func(t *testing.T, text string) {
		p := ProcessOf(tree(text), 9)
		if a := AccountOf(p, nil); a.RSS < a.Own() {
			t.Errorf("own memory %d above RSS %d", a.Own(), a.RSS)
		}
	})
}

func TestSystemReadsThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system has no /proc")
	}
	f := Facts{PID: os.Getpid()}
	f.ReadSystem(System())
	if f.Process.RSS == 0 || f.Process.Anon == 0 || f.Process.Threads == 0 || f.Host.Total == 0 || filepath.Base(f.Process.Args[0]) != "memory.test" {
		t.Errorf("%+v, %+v", f.Process, f.Host)
	}
}

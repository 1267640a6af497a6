package memory

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Process is what the kernel has of a process in memory, in bytes. Figures that
// could not be read are 0.
type Process struct {
	RSS, Peak  uint64
	Anon       uint64 // the process's own: heaps, stacks, what malloc and mmap gave
	File       uint64 // pages of files: the program's code, libraries, mapped data
	Shared     uint64 // shared memory
	Swap       uint64
	Threads    int
	Stacks     uint64   // resident, of the threads whose stack could be told
	Arenas     int      // glibc's, besides the first
	ArenaBytes uint64   // resident in all arenas
	Allocator  string   // "glibc", "musl", "jemalloc", "tcmalloc", "mimalloc", "" if unknown
	Addons     []string // native modules of packages that are loaded, as paths
	Options    Options
	Args       []string
	ScoreAdj   int // of the kernel's choice whom to kill
}

// ProcessOf reads a process; pid 0 is the reader itself. Anything that cannot be
// read is left out.
func ProcessOf(read Read, pid int) Process {
	dir := procDir(pid)
	var p Process
	if status, err := read(dir + "/status"); err == nil {
		kib := func(key string) uint64 {
			n, _ := field(status, key)
			return n << 10
		}
		p.RSS, p.Peak, p.Swap = kib("VmRSS:"), kib("VmHWM:"), kib("VmSwap:")
		p.Anon, p.File, p.Shared = kib("RssAnon:"), kib("RssFile:"), kib("RssShmem:")
		threads, _ := field(status, "Threads:")
		p.Threads = int(threads)
	}
	// The figures of status are counted per CPU and may be some MiB off; these are
	// counted page by page (Documentation/filesystems/proc.rst).
	if text, err := read(dir + "/smaps_rollup"); err == nil {
		p.takeRollup(text)
	}
	if text, err := read(dir + "/smaps"); err == nil {
		p.takeMaps(parseMaps(text), stackPointers(read, dir))
	}
	if text, err := read(dir + "/cmdline"); err == nil {
		if text = strings.TrimRight(text, "\x00"); text != "" {
			p.Args = strings.Split(text, "\x00")
		}
	}
	env := ""
	if text, err := read(dir + "/environ"); err == nil {
		for kv := range strings.SplitSeq(text, "\x00") {
			if v, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
				env = v
			}
		}
	}
	p.Options = ParseOptions(env, p.Args)
	if text, err := read(dir + "/oom_score_adj"); err == nil {
		p.ScoreAdj, _ = strconv.Atoi(strings.TrimSpace(text))
	}
	return p
}

// ProcessFrom makes a Process of the text of status, smaps_rollup or smaps files
// that were saved.
func ProcessFrom(files map[string]string) Process {
	return ProcessOf(func(name string) (string, error) {
		if text, ok := files[path.Base(name)]; ok {
			return text, nil
		}
		return "", fs.ErrNotExist
	}, 0)
}

func (p *Process) takeRollup(text string) {
	kib := func(key string) uint64 {
		n, _ := field(text, key)
		return n << 10
	}
	rss := kib("Rss:")
	if rss == 0 {
		return
	}
	anon, swap := kib("Anonymous:"), kib("Swap:")
	p.RSS, p.Anon, p.Swap = rss, anon, swap
	// smaps_rollup does not tell file from shared pages; status does.
	p.Shared = min(p.Shared, rss-min(rss, anon))
	p.File = rss - min(rss, anon+p.Shared)
	p.Peak = max(p.Peak, rss)
}

// mapping is one range of addresses.
type mapping struct {
	start, end uint64
	perms      string
	name       string
	rss, anon  uint64
}

// parseMaps reads smaps: a line per mapping, and "Key: N kB" lines below it.
func parseMaps(text string) []mapping {
	var all []mapping
	for line := range strings.Lines(text) {
		cols := strings.Fields(line)
		if len(cols) < 2 {
			continue
		}
		if from, to, ok := strings.Cut(cols[0], "-"); ok && len(cols) >= 5 {
			start, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			if err1 != nil || err2 != nil || end < start {
				continue
			}
			m := mapping{start: start, end: end, perms: cols[1]}
			if len(cols) > 5 {
				m.name = strings.Join(cols[5:], " ")
			}
			all = append(all, m)
			continue
		}
		if len(all) == 0 {
			continue
		}
		n, _ := strconv.ParseUint(cols[1], 10, 64)
		switch cols[0] {
		case "Rss:":
			all[len(all)-1].rss = n << 10
		case "Anonymous:":
			all[len(all)-1].anon = n << 10
		}
	}
	return all
}

// arenaSize is HEAP_MAX_SIZE of glibc's malloc/arena.c on 64-bit machines: the
// heaps of all arenas but the first begin at a multiple of it, and what is not
// used yet of one is mapped without permissions.
const arenaSize = 64 << 20

func (p *Process) takeMaps(maps []mapping, stacks []uint64) {
	libc := ""
	addons := map[string]bool{}
	for i, m := range maps {
		base := path.Base(m.name)
		switch {
		case m.name == "[heap]":
			p.ArenaBytes += m.rss
		case m.name == "" && m.start%arenaSize == 0 && strings.HasPrefix(m.perms, "rw") && i+1 < len(maps) &&
			maps[i+1].start == m.end && strings.HasPrefix(maps[i+1].perms, "---") && maps[i+1].end <= m.start+arenaSize:
			p.Arenas++
			p.ArenaBytes += m.rss
		case strings.HasPrefix(base, "libjemalloc"):
			p.Allocator = "jemalloc"
		case strings.HasPrefix(base, "libtcmalloc"):
			p.Allocator = "tcmalloc"
		case strings.HasPrefix(base, "libmimalloc"):
			p.Allocator = "mimalloc"
		case strings.HasPrefix(base, "ld-musl"):
			libc = "musl"
		case strings.HasPrefix(base, "libc.so") || strings.HasPrefix(base, "libc-2"):
			libc = "glibc"
		case strings.HasSuffix(base, ".node"):
			addons[strings.TrimSuffix(m.name, " (deleted)")] = true
		}
	}
	if p.Allocator == "" {
		p.Allocator = libc
	}
	if p.Allocator != "glibc" {
		p.Arenas, p.ArenaBytes = 0, 0 // what looks like an arena is none
	}
	for name := range addons {
		p.Addons = append(p.Addons, name)
	}
	slices.Sort(p.Addons)
	of := map[int]bool{}
	for _, sp := range stacks {
		i, ok := slices.BinarySearchFunc(maps, sp, func(m mapping, sp uint64) int {
			switch {
			case sp < m.start:
				return 1
			case sp >= m.end:
				return -1
			}
			return 0
		})
		if ok && !of[i] {
			of[i] = true
			p.Stacks += maps[i].rss
		}
	}
}

// stackPointers are those of the threads that sleep: "NR ARGS... SP PC" in
// /proc/PID/task/TID/syscall. One that runs says only so.
func stackPointers(read Read, dir string) []uint64 {
	tasks, err := read(dir + "/" + TaskList)
	if err != nil {
		return nil
	}
	var all []uint64
	for _, tid := range strings.Fields(tasks) {
		text, err := read(dir + "/task/" + tid + "/syscall")
		if err != nil {
			continue
		}
		cols := strings.Fields(text)
		if len(cols) < 3 {
			continue
		}
		if sp, err := strconv.ParseUint(cols[len(cols)-2], 0, 64); err == nil {
			all = append(all, sp)
		}
	}
	return all
}

// TaskList is no file: a [Read] asked for it in a process's folder gives the
// names in task, one after the other.
const TaskList = "task-list"

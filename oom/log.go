package oom

import (
	"regexp"
	"strconv"
	"strings"

	"heapsnap/memory"
)

// Lines that say why, as Node 18 to 26, V8, glibc, shells and the kernel write
// them; the first that fits counts.
var fatalLines = []struct {
	kind FatalKind
	line *regexp.Regexp
}{
	{FatalWorker, regexp.MustCompile(`ERR_WORKER_OUT_OF_MEMORY|Worker terminated due to reaching memory limit`)},
	{FatalHeapLimit, regexp.MustCompile(`FATAL ERROR: .*JavaScript heap out of memory`)},
	{FatalHeapLimit, regexp.MustCompile(`FATAL ERROR: (Reached heap limit|Ineffective mark-compacts|CALL_AND_RETRY_LAST|MarkCompactCollector|NewSpace::|SemiSpace::|Scavenger:)`)},
	{FatalSystem, regexp.MustCompile(`Fatal process out of memory|FATAL ERROR: (Committing semi space failed|Zone|.*process out of memory)|Fatal process OOM`)},
	{FatalBuffer, regexp.MustCompile(`Array buffer allocation failed|ERR_MEMORY_ALLOCATION_FAILED`)},
	{FatalNative, regexp.MustCompile(`std::bad_alloc|^malloc\(\)|^free\(\)|double free or corruption|corrupted size vs|munmap_chunk\(\)|Segmentation fault|SIGSEGV|^# Fatal error in|FATAL ERROR: `)},
	{FatalKilled, regexp.MustCompile(`^(.*: line \d+:\s+\d+ )?Killed\b`)},
}

var (
	// "[16117:0x2251dd00]   293686 ms: Mark-sweep (reduce) 120.8 (158.9) -> 120.8 (127.9) MB, ..."
	gcLine = regexp.MustCompile(`\d+ ms: (Mark-sweep|Mark-Compact)[^\d]* ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB`)
	// "Memory cgroup out of memory: Killed process 77 (node) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB"
	killLine   = regexp.MustCompile(`(Memory cgroup o|O)ut of memory[^:]*: Kill(?:ed)? process (\d+) \(([^)]*)\)`)
	killedLine = regexp.MustCompile(`Killed process (\d+) \(([^)]*)\).*anon-rss:`)
	killSize   = regexp.MustCompile(`(anon|file|shmem)-rss:(\d+)kB`)
	nodeLine   = regexp.MustCompile(`Node\.js (v\d+\.\d+\.\d+)`)
	exitLine   = regexp.MustCompile(`(?i)^(?:exit(?:ed)?(?: with)?(?: code| status)?|exit[_ ]code)\s*[:=]?\s*(\d{1,3})\s*$`)
)

// takeLog reads what a log says, and returns how many lines of it say why.
func (e *Evidence) takeLog(name, text string) (found int) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > 4096 {
			line = line[:4096]
		}
		if m := gcLine.FindStringSubmatch(line); m != nil {
			before, _ := strconv.ParseFloat(m[2], 64)
			after, _ := strconv.ParseFloat(m[3], 64)
			e.LastGC = &GC{before, after, strings.TrimSpace(line)}
			continue
		}
		if e.takeKill(line) {
			found++
			continue
		}
		if m := nodeLine.FindStringSubmatch(line); m != nil {
			e.know(m[1], memory.Options{})
		}
		if m := exitLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && e.Exit == nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n < 256 {
				e.Exit = &n
			}
		}
		for _, f := range fatalLines {
			if f.line.MatchString(line) {
				e.Fatal = append(e.Fatal, Fatal{f.kind, strings.TrimSpace(line), name})
				found++
				break
			}
		}
	}
	return found
}

func (e *Evidence) takeKill(line string) bool {
	m := killLine.FindStringSubmatch(line)
	group := m != nil && strings.HasPrefix(m[1], "Memory")
	if m == nil {
		// The kernels before 5.0 say "Killed process" in a line of its own.
		k := killedLine.FindStringSubmatch(line)
		if k == nil {
			return false
		}
		m = []string{"", "", k[1], k[2]}
		for _, before := range e.Kills {
			if strconv.Itoa(before.PID) == k[1] {
				group = before.Group
			}
		}
	}
	pid, err := strconv.Atoi(m[2])
	if err != nil {
		return false
	}
	k := Kill{PID: pid, Name: m[3], Group: group, Text: strings.TrimSpace(line)}
	for _, s := range killSize.FindAllStringSubmatch(line, -1) {
		n, _ := strconv.ParseUint(s[2], 10, 54)
		switch s[1] {
		case "anon":
			k.Anon = n << 10
		case "file":
			k.File = n << 10
		case "shmem":
			k.Shared = n << 10
		}
	}
	for i, before := range e.Kills {
		if before.PID == pid {
			if k.Anon > 0 {
				k.Group = k.Group || before.Group
				e.Kills[i] = k
			}
			return true
		}
	}
	e.Kills = append(e.Kills, k)
	return true
}

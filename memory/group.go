package memory

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"heapsnap/cdp"
)

// Read gives the text of a small file, named from the root of the system that
// the process lives in.
type Read func(name string) (string, error)

// Group is the control group that limits a process, or its own if none does.
// Figures are bytes; 0 is unknown, and no limit.
type Group struct {
	Version int // 1 or 2; 0 if there is none to be seen
	Path    string
	Limit   uint64 // where the kernel starts to kill
	High    uint64 // where it slows the processes down; version 2 only
	Current uint64
	Peak    uint64
	Cache   uint64 // part of Current that the kernel drops first: file pages not used lately
	Anon    uint64 // part of Current that it cannot drop without swap
	AtLimit uint64 // times that the limit was met
	Kills   uint64 // processes killed for it
	Procs   []int  // processes in it, as numbered where the files were read
}

// Working is what counts against the limit when it gets tight. Kubernetes calls
// it the working set.
func (g Group) Working() uint64 { return g.Current - min(g.Current, g.Cache) }

// noLimit and above means none: version 1 says 2^63 rounded down to a page.
const noLimit = 1 << 60

// groupFiles are a version's names, of the kernel's documentation
// admin-guide/cgroup-v1/memory.rst and admin-guide/cgroup-v2.rst.
type groupFiles struct {
	version                    int
	limit, high, current, peak string
	cache, anon                string   // keys of memory.stat
	atLimit, kills             []string // file and key; a file of one number has no key
}

var groupVersions = []groupFiles{
	{
		version: 1,
		limit:   "memory.limit_in_bytes", current: "memory.usage_in_bytes", peak: "memory.max_usage_in_bytes",
		cache: "total_inactive_file", anon: "total_rss",
		atLimit: []string{"memory.failcnt", ""}, kills: []string{"memory.oom_control", "oom_kill"},
	},
	{
		version: 2,
		limit:   "memory.max", high: "memory.high", current: "memory.current", peak: "memory.peak",
		cache: "inactive_file", anon: "anon",
		atLimit: []string{"memory.events", "max"}, kills: []string{"memory.events", "oom_kill"},
	},
}

// GroupOf reads the group that limits the process: of its own and those above
// it the one with the lowest limit. pid 0 is the reader itself. A system without
// control groups gives the zero Group.
func GroupOf(read Read, pid int) Group {
	var own, found Group
	for _, c := range cdp.ControlGroups(read, pid) {
		files := groupVersions[c.Version-1]
		if !files.there(read, c.Folder) {
			continue
		}
		g := files.read(read, c.Folder)
		g.Path = c.Name
		if own.Version == 0 {
			own = g
		}
		if g.Limit > 0 && (found.Version == 0 || g.Limit < found.Limit) {
			found = g
		}
	}
	if found.Version == 0 {
		return own
	}
	return found
}

// GroupFrom makes a Group of files that were saved, by their names without a
// folder, such as memory.events. ok is false if none is a group's.
func GroupFrom(files map[string]string) (Group, bool) {
	read := func(name string) (string, error) {
		if text, ok := files[path.Base(name)]; ok {
			return text, nil
		}
		return "", fs.ErrNotExist
	}
	for _, v := range groupVersions {
		for _, name := range []string{v.current, v.limit, v.peak, v.atLimit[0], v.kills[0]} {
			if _, ok := files[name]; ok {
				return v.read(read, ""), true
			}
		}
	}
	return Group{}, false
}

// there reports whether the folder is a group with figures: the root group of
// version 2 has none.
func (f groupFiles) there(read Read, dir string) bool {
	_, err := read(path.Join(dir, f.current))
	return err == nil
}

// read reads the group in a folder.
func (f groupFiles) read(read Read, dir string) Group {
	g := Group{
		Version: f.version,
		Current: number(read, path.Join(dir, f.current)),
		Peak:    number(read, path.Join(dir, f.peak)),
		Limit:   number(read, path.Join(dir, f.limit)),
		AtLimit: f.number(read, dir, f.atLimit),
		Kills:   f.number(read, dir, f.kills),
	}
	if g.Limit >= noLimit {
		g.Limit = 0
	}
	if f.high != "" {
		if g.High = number(read, path.Join(dir, f.high)); g.High >= noLimit {
			g.High = 0
		}
	}
	if stat, err := read(path.Join(dir, "memory.stat")); err == nil {
		g.Cache, _ = field(stat, f.cache)
		g.Anon, _ = field(stat, f.anon)
	}
	if procs, err := read(path.Join(dir, "cgroup.procs")); err == nil {
		for _, p := range strings.Fields(procs) {
			if pid, err := strconv.Atoi(p); err == nil {
				g.Procs = append(g.Procs, pid)
			}
		}
	}
	return g
}

func (f groupFiles) number(read Read, dir string, file []string) uint64 {
	if file[1] == "" {
		return number(read, path.Join(dir, file[0]))
	}
	text, err := read(path.Join(dir, file[0]))
	if err != nil {
		return 0
	}
	n, _ := field(text, file[1])
	return n
}

// number is the number in a file, 0 for "max", for nonsense and for no file.
func number(read Read, name string) uint64 {
	text, err := read(name)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	return n
}

// field is the number after the word at the start of a line.
func field(text, word string) (uint64, bool) {
	for line := range strings.Lines(text) {
		cols := strings.Fields(line)
		if len(cols) >= 2 && cols[0] == word {
			n, err := strconv.ParseUint(cols[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func procDir(pid int) string {
	if pid == 0 {
		return "/proc/self"
	}
	return "/proc/" + strconv.Itoa(pid)
}

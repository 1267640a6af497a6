package cdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoHeadroom says that a capture would probably end in an out-of-memory kill
// of the target.
var ErrNoHeadroom = errors.New("not enough memory for a capture")

// Headroom is what a capture will need in the target, and what there is. V8
// builds the snapshot in native memory beside the heap; that memory is not
// given back afterwards, so a second capture needs only what the heap has grown.
type Headroom struct {
	Nodes int    // expected heap nodes
	Need  uint64 // bytes that the target's RSS will grow by
	Worst uint64 // the same if the reader is slow and the target buffers the file
	File  uint64 // expected size of the snapshot
	Have  uint64 // bytes that the target can grow by; 0 with Limit "" if unknown
	Limit string // what sets Have, such as "cgroup /kubepods/x (512 MiB)" or "host memory"
	// Pause is how long the target's thread will about stand still, with a core
	// for itself; with half of one, twice as long.
	Pause time.Duration
	// Slow says why it may take far longer on this version of Node, "" if nothing
	// is known.
	Slow string
}

// Err is nil if the capture fits or nothing is known of the limits, else an
// error that is [ErrNoHeadroom] and has the numbers.
func (h Headroom) Err() error {
	if h.Limit == "" || h.Need <= h.Have {
		return nil
	}
	return &HeadroomError{h}
}

// HeadroomError is ErrNoHeadroom with its numbers.
type HeadroomError struct{ Headroom }

func (e *HeadroomError) Error() string {
	return fmt.Sprintf("%v: a snapshot of about %d objects needs %s more in the target, %s has %s left: raise the limit, capture at a lower heap, or force it",
		ErrNoHeadroom, e.Nodes, size(e.Need), e.Limit, size(e.Have))
}

func (e *HeadroomError) Is(target error) bool { return target == ErrNoHeadroom }

func size(n uint64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// The model. `make calibrate` holds it to what heaps of five shapes cost on five
// Node lines; the figures are from there (heaps of 30 MiB, half a million to a
// million objects) and from one of 184 MB with 4.5 million objects: RSS grew by
// 470 (records) to 890 bytes (Maps) an object, by 500 in the large heap, and the
// file has 60 to 98 bytes an object.
const (
	bytesPerObject = 40 // of heapUsed without large objects
	rssPerNode     = 600
	filePerNode    = 84
	// slowFrom is the number of objects from which on the time that Node 18 needs
	// for ever new texts (200,000 took 18 to 48 s, 2 to 6 on later ones) is felt.
	slowFrom = 400_000
	// repeatCost is what a second capture of the same heap was seen to add.
	repeatCost = 30 << 20
)

// nodesPerSecond is what V8 does on a core that it has to share a little: two
// thirds of what it was seen to do alone.
func nodesPerSecond(major int) float64 {
	switch {
	case major >= 24:
		return 450_000
	case major >= 22:
		return 300_000
	case major >= 20:
		return 240_000
	}
	return 150_000
}

// HeadroomOptions is for the unusual; its zero value reads this machine's files
// for a target with a known PID, and asks any other target to read its own.
type HeadroomOptions struct {
	Root string // where /proc and /sys are, "/" if empty
}

// Headroom estimates whether the target survives a capture. A limit that cannot
// be read does not count; if none can, Limit is "".
func (s *Session) Headroom(ctx context.Context, o HeadroomOptions) (Headroom, error) {
	m, err := s.Memory(ctx)
	if err != nil {
		return Headroom{}, fmt.Errorf("headroom: %w", err)
	}
	s.mu.Lock()
	before := s.lastNodes
	s.mu.Unlock()
	h := estimate(m, before)
	var read func(name string) (string, error)
	if s.target.PID > 0 {
		read = procFS{o.Root}.read
	} else {
		read = func(name string) (string, error) { return s.readFile(ctx, name) }
	}
	h.Have, h.Limit = memoryLeft(read, s.target.PID)
	return h, ctx.Err()
}

// estimate is what a capture needs when this session has already captured that
// many nodes.
func estimate(m Memory, before int) Headroom {
	nodes := (m.HeapUsed - min(m.LargeObjects, m.HeapUsed)) / bytesPerObject
	major := majorOf(m.NodeVersion)
	h := Headroom{
		Nodes: int(nodes),
		Need:  nodes * rssPerNode,
		File:  nodes * filePerNode,
		Pause: time.Duration(float64(nodes) / nodesPerSecond(major) * float64(time.Second)),
	}
	if major == 18 && nodes > slowFrom {
		h.Slow = "Node 18 takes up to ten times as long for a heap of many texts"
	}
	if before > 0 {
		grown := uint64(max(0, int(nodes)-before))
		h.Need = grown*rssPerNode + repeatCost
	}
	h.Worst = h.Need + h.File
	return h
}

// readFile reads a small text file where the target is.
func (s *Session) readFile(ctx context.Context, name string) (string, error) {
	quoted, err := json.Marshal(name)
	if err != nil {
		return "", err
	}
	var r struct {
		Text  string
		Error string
	}
	err = s.Evaluate(ctx, Builtins(`try { return { Text: m('fs').readFileSync(`+string(quoted)+`, 'utf8') } } catch (e) { return { Error: e.code || String(e) } }`), &r)
	switch {
	case err != nil:
		return "", err
	case r.Error == "ENOENT":
		return "", &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	case r.Error != "":
		return "", &os.PathError{Op: "open", Path: name, Err: errors.New(r.Error)}
	}
	return r.Text, nil
}

// memoryLeft is the smallest room below any limit on the process: of its
// cgroup, of each cgroup above that, and of the host. pid 0 is the reader itself.
func memoryLeft(read func(string) (string, error), pid int) (have uint64, limit string) {
	lower := func(n uint64, what string) {
		if limit == "" || n < have {
			have, limit = n, what
		}
	}
	if text, err := read("/proc/meminfo"); err == nil {
		if kb, ok := field(text, "MemAvailable:"); ok {
			lower(kb<<10, "host memory")
		}
	}
	for _, g := range ControlGroups(read, pid) {
		v := cgroupV2
		if g.Version == 1 {
			v = cgroupV1
		}
		if left, max, ok := v.left(read, g.Folder); ok {
			lower(left, fmt.Sprintf("cgroup %s (%s)", g.Name, size(max)))
		}
	}
	return have, limit
}

// cgroupFiles are the names of one cgroup version.
type cgroupFiles struct {
	limits  []string
	usage   string
	unused  string // key in memory.stat: file cache that the kernel drops first
	noLimit uint64 // and above
}

var (
	cgroupV2 = cgroupFiles{
		limits:  []string{"memory.max", "memory.high"},
		usage:   "memory.current",
		unused:  "inactive_file",
		noLimit: 1 << 60,
	}
	cgroupV1 = cgroupFiles{
		limits:  []string{"memory.limit_in_bytes"},
		usage:   "memory.usage_in_bytes",
		unused:  "total_inactive_file",
		noLimit: 1 << 60, // "none" is 2^63 rounded down to a page
	}
)

// left is the room in one group; ok is false if it has no limit.
func (v cgroupFiles) left(read func(string) (string, error), dir string) (left, limit uint64, ok bool) {
	for _, name := range v.limits {
		text, err := read(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil || n >= v.noLimit { // "max" is not a number
			continue
		}
		if !ok || n < limit {
			limit, ok = n, true
		}
	}
	if !ok {
		return 0, 0, false
	}
	text, err := read(filepath.Join(dir, v.usage))
	if err != nil {
		return 0, 0, false
	}
	used, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if text, err := read(filepath.Join(dir, "memory.stat")); err == nil {
		if cache, ok := field(text, v.unused); ok {
			used -= min(used, cache)
		}
	}
	return limit - min(limit, used), limit, true
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

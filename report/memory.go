package report

import (
	"fmt"
	"slices"
	"strings"
)

// What doctor and oom tell of a process's memory is the same: its parts, its
// container, its heaps, and the rules that apply.

// Trouble is the verdict of doctor where a rule applies that ends in a death.
const Trouble Verdict = "trouble"

// MemoryPart is a part of the resident memory.
type MemoryPart struct {
	Part  string  `json:"part"`  // heap, buffers, external, v8, stacks, files, shared, unexplained
	Bytes uint64  `json:"bytes"` // resident
	Share float64 `json:"share"` // of RSS
}

// partNames are the parts in words.
var partNames = map[string]string{
	"heap": "JavaScript heap", "buffers": "Buffers", "external": "other external", "v8": "V8's own", "stacks": "stacks",
	"files": "code and files", "shared": "shared memory", "unexplained": "unexplained",
}

// ProcessMemory is what the kernel has of a process.
type ProcessMemory struct {
	RSS        uint64 `json:"rss"`                  // resident
	Peak       uint64 `json:"peak"`                 // the most that RSS has been
	Anonymous  uint64 `json:"anonymous"`            // the process's own: heaps, stacks, what malloc and mmap gave
	File       uint64 `json:"file"`                 // pages of files: code, libraries, mapped data
	Shared     uint64 `json:"shared"`               // pages of shared memory
	Swap       uint64 `json:"swap"`                 // swapped out
	Threads    int    `json:"threads"`              // threads of all kinds
	Allocator  string `json:"allocator,omitempty"`  // glibc, musl, jemalloc, ...
	Arenas     int    `json:"arenas,omitempty"`     // of glibc's malloc, besides the first
	ArenaBytes uint64 `json:"arenaBytes,omitempty"` // resident in all of malloc's arenas
}

// Container is the control group that limits the process.
type Container struct {
	CgroupVersion int     `json:"cgroupVersion"`  // 1 or 2
	Path          string  `json:"path,omitempty"` // of the control group
	Limit         uint64  `json:"limit"`          // 0: none
	High          uint64  `json:"high,omitempty"` // where the kernel slows the processes down
	Current       uint64  `json:"current"`        // used, file pages included
	Working       uint64  `json:"working"`        // without file pages that are dropped first
	Peak          uint64  `json:"peak"`           // the most that was used
	AtLimit       uint64  `json:"atLimit"`        // times the limit was met
	Kills         uint64  `json:"kills"`          // processes killed at the limit
	Used          float64 `json:"used"`           // working of limit, 0 without one
}

// HeapFigures is one thread's heap.
type HeapFigures struct {
	ThreadID     int         `json:"threadId"`         // 0: the main thread
	Name         string      `json:"name,omitempty"`   // of a worker thread
	Limit        uint64      `json:"limit"`            // heap_size_limit
	OldLimit     uint64      `json:"oldLimit"`         // of it for old objects: where V8 gives up
	Used         uint64      `json:"used"`             // live objects and garbage that was not collected yet
	OldUsed      uint64      `json:"oldUsed"`          // of that in the old spaces
	Live         uint64      `json:"live,omitempty"`   // after a full collection
	Total        uint64      `json:"total"`            // what V8 has from the system
	Physical     uint64      `json:"physical"`         // part of total that was written to
	External     uint64      `json:"external"`         // outside the heap, kept by objects in it; with arrayBuffers
	ArrayBuffers uint64      `json:"arrayBuffers"`     // of ArrayBuffers, which Buffers are
	Malloced     uint64      `json:"malloced"`         // V8's own, outside the heap
	Contexts     int         `json:"contexts"`         // global objects: 1, and one for each vm context
	Detached     int         `json:"detachedContexts"` // contexts that were dropped and are kept
	Spaces       []HeapSpace `json:"spaces"`           // V8's spaces; the list differs between Node lines
}

func heapsNotNil(all []HeapFigures) []HeapFigures {
	all = notNil(slices.Clone(all))
	for i := range all {
		all[i].Spaces = notNil(all[i].Spaces)
	}
	return all
}

// HeapSpace is one of V8's spaces.
type HeapSpace struct {
	Name     string `json:"name"`     // V8's name
	Size     uint64 `json:"size"`     // what V8 has from the system
	Used     uint64 `json:"used"`     // by objects
	Physical uint64 `json:"physical"` // written to
}

// MemoryOption is an option about memory that the process was started with.
type MemoryOption struct {
	Text string `json:"text"` // as given
	From string `json:"from"` // NODE_OPTIONS or command line
}

// MemoryFinding is a rule that applies.
type MemoryFinding struct {
	Rule     string        `json:"rule"`     // name of the rule
	Severity string        `json:"severity"` // trouble or note
	Title    string        `json:"title"`    // what applies, in a sentence
	Trigger  MemoryTrigger `json:"trigger"`  // the number that made it apply
	Evidence []string      `json:"evidence"` // what else speaks for it
	Fix      string        `json:"fix"`      // what to change
}

func memoryFindingsNotNil(all []MemoryFinding) []MemoryFinding {
	all = notNil(slices.Clone(all))
	for i := range all {
		all[i].Evidence = notNil(all[i].Evidence)
	}
	return all
}

// MemoryTrigger is the number that made a rule apply.
type MemoryTrigger struct {
	Name  string  `json:"name"`  // what the number is
	Value float64 `json:"value"` // the number
	Limit float64 `json:"limit"` // what it was held against
	Unit  string  `json:"unit"`  // bytes, share (of 1), count
}

func (t MemoryTrigger) String() string {
	switch t.Unit {
	case "bytes":
		return fmt.Sprintf("%s: %s against %s", t.Name, FormatBytes(uint64(max(0, t.Value))), FormatBytes(uint64(max(0, t.Limit))))
	case "share":
		return fmt.Sprintf("%s: %.0f %% (threshold %.0f %%)", t.Name, 100*t.Value, 100*t.Limit)
	}
	return fmt.Sprintf("%s: %g (threshold %g)", t.Name, t.Value, t.Limit)
}

// memoryParts shows where the resident memory goes, with a bar each.
func (p *page) memoryParts(parts []MemoryPart, rss uint64, heaps []HeapFigures) {
	if rss == 0 || len(parts) == 0 {
		return
	}
	p.heading(0, fmt.Sprintf("Resident memory, %s", FormatBytes(rss)))
	const width = 24
	rows := []row{}
	for _, m := range parts {
		if m.Bytes == 0 && m.Part != "unexplained" {
			continue
		}
		name := partNames[m.Part]
		if name == "" {
			name = clip(m.Part, 30)
		}
		cells := []string{name, FormatBytes(m.Bytes), fmt.Sprintf("%.0f %%", 100*m.Share)}
		if !p.narrow() {
			bar := strings.Repeat("█", int(m.Share*width+0.5))
			cells = append(cells, bar+strings.Repeat(" ", width-columns(bar)))
		}
		rows = append(rows, row{plain, cells})
	}
	p.table(2, rows)
}

// container shows the group in one or two lines.
func (p *page) container(c *Container) {
	if c == nil {
		return
	}
	var parts []string
	if c.Limit > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s (%.0f %%)", FormatBytes(c.Working), FormatBytes(c.Limit), 100*c.Used))
	} else {
		parts = append(parts, FormatBytes(c.Working)+", no limit")
	}
	if cache := c.Current - min(c.Current, c.Working); cache > 0 && c.Limit > 0 {
		parts = append(parts, "and "+FormatBytes(cache)+" of file pages")
	}
	if c.Peak > 0 {
		parts = append(parts, "peak "+FormatBytes(c.Peak))
	}
	if c.AtLimit > 0 {
		parts = append(parts, fmt.Sprintf("%s at the limit", plural(int(min(c.AtLimit, 1<<40)), "time", "times")))
	}
	if c.Kills > 0 {
		parts = append(parts, plural(int(min(c.Kills, 1<<40)), "process killed", "processes killed"))
	}
	p.pair("container", strings.Join(parts, ", "))
}

// pair is a line of a block of names and values.
func (p *page) pair(name, value string) {
	const w = 11
	p.prose(2, name+strings.Repeat(" ", max(1, w-columns(name))), plain, value)
}

// heaps shows one line for each thread's heap.
func (p *page) heaps(all []HeapFigures) {
	for i, h := range all {
		name := "heap"
		if h.ThreadID != 0 {
			name = fmt.Sprintf("worker %d", h.ThreadID)
		}
		if i == 6 && !p.verbose {
			p.pair("", fmt.Sprintf("and %d more workers (--verbose)", len(all)-i))
			return
		}
		text := fmt.Sprintf("%s used", FormatBytes(h.Used))
		if h.Live > 0 {
			text = fmt.Sprintf("%s live", FormatBytes(h.Live))
		}
		text += fmt.Sprintf(" of %s", FormatBytes(h.Total))
		if h.OldLimit > 0 {
			text += fmt.Sprintf(", old objects at %.0f %% of %s", 100*float64(h.OldUsed)/float64(h.OldLimit), FormatBytes(h.OldLimit))
		}
		if h.Name != "" {
			text += ", " + clip(h.Name, 30)
		}
		p.pair(name, text)
		if p.verbose {
			rows := []row{{dim, []string{"space", "used", "size", "in memory"}}}
			for _, s := range h.Spaces {
				if s.Size > 0 {
					rows = append(rows, row{plain, []string{clip(s.Name, 40), FormatBytes(s.Used), FormatBytes(s.Size), FormatBytes(s.Physical)}})
				}
			}
			p.table(13, rows)
		}
	}
}

// memoryFindings shows what applies, with the number and the fix.
func (p *page) memoryFindings(all []MemoryFinding) {
	for i, f := range all {
		p.line(0, plain, "")
		title := clip(f.Title, maxProse-60) + " [" + clip(f.Rule, 30) + "]"
		if f.Severity == "note" {
			title = "note: " + title
		}
		p.prose(0, fmt.Sprintf("%d. ", i+1), bold, title)
		const in = 3
		p.prose(in, "- ", plain, clip(f.Trigger.String(), 200))
		for _, e := range f.Evidence {
			p.prose(in, "- ", plain, e)
		}
		if f.Fix != "" {
			p.prose(in, "-> ", plain, f.Fix)
		}
	}
}

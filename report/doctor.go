package report

import (
	"fmt"
	"io"
	"strings"
)

// Doctor is the result of `heapsnap doctor`: what a live process's memory is
// made of and what is wrong with it. docs/doctor.schema.json describes its JSON.
type Doctor struct {
	Head
	Verdict  Verdict `json:"verdict"`        // trouble or healthy
	Rule     string  `json:"rule,omitempty"` // the first finding's
	Sentence string  `json:"sentence"`       // the verdict in words

	Target    DoctorTarget    `json:"target"`              // the process
	Memory    []MemoryPart    `json:"memory"`              // adds up to process.rss
	Process   ProcessMemory   `json:"process"`             // what the kernel has of it in memory
	Container *Container      `json:"container,omitempty"` // the control group that limits it
	Host      HostMemory      `json:"host"`                // the machine
	Heaps     []HeapFigures   `json:"heaps"`               // the main thread's first
	Options   []MemoryOption  `json:"options"`             // about memory, that it was started with
	Others    []OtherProcess  `json:"others"`              // of the same container, largest first
	Sites     []SampleSite    `json:"sites"`               // with --sample: who made what stayed meanwhile, largest first
	SampledMS float64         `json:"sampledMs,omitempty"` // how long that was
	Findings  []MemoryFinding `json:"findings"`            // the worst first
	Warnings  []string        `json:"warnings"`            // what could not be read
}

// DoctorTarget is the process that was looked at.
type DoctorTarget struct {
	PID         int    `json:"pid,omitempty"`     // process id on this machine
	Script      string `json:"script,omitempty"`  // main script
	NodeVersion string `json:"nodeVersion"`       // such as v22.23.3
	Address     string `json:"address,omitempty"` // of its inspector
}

// HostMemory is the machine's, 0 if unknown.
type HostMemory struct {
	Total     uint64 `json:"total"`     // of the machine
	Available uint64 `json:"available"` // what programs can still get without swapping
}

// OtherProcess is a process beside the one that was looked at.
type OtherProcess struct {
	PID       int    `json:"pid"`       // process id
	Name      string `json:"name"`      // of the program
	Anonymous uint64 `json:"anonymous"` // its own memory
}

func (r *Doctor) normal() any {
	c := *r
	c.Schema = SchemaVersion
	c.Memory, c.Options, c.Others = notNil(r.Memory), notNil(r.Options), notNil(r.Others)
	c.Heaps, c.Sites, c.Findings = heapsNotNil(r.Heaps), sitesNotNil(r.Sites), memoryFindingsNotNil(r.Findings)
	c.Warnings = notNil(r.Warnings)
	return &c
}

// WriteDoctor shows r as text or JSON. It does not change r.
func WriteDoctor(w io.Writer, r *Doctor, f Format, o Options) error {
	return writeAnswer(w, r, "a diagnosis", f, o)
}

func (r *Doctor) text(p *page) {
	s := green
	if r.Verdict == Trouble {
		s = red
	}
	p.judged(r.Verdict, s, r.Sentence)
	p.about(aboutProcess(r.Target.PID, r.Target.Script, 0, r.Target.NodeVersion))
	p.memoryParts(r.Memory, r.Process.RSS, r.Heaps)
	p.heading(0, "Limits")
	p.container(r.Container)
	if r.Container == nil || r.Container.Limit == 0 || p.verbose {
		p.pair("machine", fmt.Sprintf("%s available of %s", FormatBytes(r.Host.Available), FormatBytes(r.Host.Total)))
	}
	p.heaps(r.Heaps)
	if len(r.Options) > 0 {
		var all []string
		for _, o := range r.Options {
			text := clip(o.Text, 60)
			if o.From != "command line" {
				text += " (" + clip(o.From, 20) + ")"
			}
			all = append(all, text)
		}
		p.pair("options", strings.Join(all, ", "))
	}
	if p.verbose {
		p.pair("process", fmt.Sprintf("peak RSS %s, own %s, swap %s, %d threads, malloc: %s with %d arenas of %s", FormatBytes(r.Process.Peak),
			FormatBytes(r.Process.Anonymous), FormatBytes(r.Process.Swap), r.Process.Threads, clip(r.Process.Allocator, 20), r.Process.Arenas+1, FormatBytes(r.Process.ArenaBytes)))
		for _, o := range r.Others {
			p.pair("beside it", fmt.Sprintf("process %d (%s), %s", o.PID, clip(o.Name, 20), FormatBytes(o.Anonymous)))
		}
	}
	p.memoryFindings(r.Findings)
	if r.SampledMS > 0 {
		p.heading(0, fmt.Sprintf("Who made what stayed, sampled for %s", FormatMS(r.SampledMS)))
		if len(r.Sites) == 0 {
			p.prose(2, "", dim, "nothing of note")
		}
		p.sampleSites(r.Sites, false)
	}
	p.warnings(r.Warnings)
}

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Doctor is the result of `heapsnap doctor`: what a live process's memory is
// made of and what is wrong with it. docs/doctor.schema.json describes its JSON.
type Doctor struct {
	Schema   int     `json:"schema"`         // version of this format
	Command  string  `json:"command"`        // doctor
	Version  string  `json:"version"`        // of heapsnap
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

// Normalize makes every slice of r not nil.
func (r *Doctor) Normalize() {
	r.Schema = SchemaVersion
	r.Memory, r.Heaps, r.Options, r.Others = notNil(r.Memory), notNil(slices.Clone(r.Heaps)), notNil(r.Options), notNil(r.Others)
	for i := range r.Heaps {
		r.Heaps[i].Spaces = notNil(r.Heaps[i].Spaces)
	}
	r.Sites = sitesNotNil(r.Sites)
	r.Findings, r.Warnings = notNil(slices.Clone(r.Findings)), notNil(r.Warnings)
	for i := range r.Findings {
		r.Findings[i].Evidence = notNil(r.Findings[i].Evidence)
	}
}

// WriteDoctor shows r as text or JSON. It does not change r.
func WriteDoctor(w io.Writer, r *Doctor, f Format, o Options) error {
	switch f {
	case Text:
		p := newPage(o)
		r.text(p)
		_, err := p.WriteTo(w)
		return err
	case JSON:
		c := *r
		c.Normalize()
		return encode(w, c)
	}
	return fmt.Errorf("%w: a diagnosis cannot be shown as %s", ErrNoForm, f)
}

func (r *Doctor) text(p *page) {
	s := green
	if r.Verdict == Trouble {
		s = red
	}
	p.marked(0, strings.ToUpper(clip(string(r.Verdict), 20))+"  ", s, bold, r.Sentence)
	var about []string
	if r.Target.PID > 0 {
		about = append(about, fmt.Sprintf("process %d", r.Target.PID))
	}
	if r.Target.Script != "" {
		about = append(about, clip(r.Target.Script, maxPath/4))
	}
	about = append(about, "Node "+clip(r.Target.NodeVersion, 20))
	p.prose(0, "", dim, strings.Join(about, ", "))
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

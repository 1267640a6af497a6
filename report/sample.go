package report

import (
	"fmt"
	"io"
	"slices"
)

// Sample is the result of `heapsnap sample`: which functions made the objects
// that live. docs/sample.schema.json describes its JSON.
type Sample struct {
	Head
	Sentence   string       `json:"sentence"`         // the result in words
	Target     SampleTarget `json:"target"`           // the process and thread
	Kind       string       `json:"kind"`             // live: what was made meanwhile and lives; allocated: with what was collected
	Interval   uint64       `json:"intervalBytes"`    // between two samples, on average
	DurationMS float64      `json:"durationMs"`       // of the profile; 0 if it does not say
	Bytes      uint64       `json:"bytes"`            // of all sites
	Before     *uint64      `json:"before,omitempty"` // of a comparison: of all sites in the first profile
	Sites      []SampleSite `json:"sites"`            // largest first; of a comparison, most growth first
	Warnings   []string     `json:"warnings"`         // what limits the result
}

// SampleTarget is the process and the thread of it.
type SampleTarget struct {
	PID         int    `json:"pid,omitempty"`         // process id
	Script      string `json:"script,omitempty"`      // main script
	NodeVersion string `json:"nodeVersion,omitempty"` // such as v22.23.3
	ThreadID    int    `json:"threadId,omitempty"`    // of a worker thread
}

// SampleSite is a function of the program and what was made in it and in what it
// called outside the program.
type SampleSite struct {
	Function string        `json:"function"`          // its name
	File     string        `json:"file"`              // where it is written, "" for native code
	Line     int           `json:"line"`              // where it begins, from 1; 0 if there is none
	Column   int           `json:"column"`            // from 1
	Package  string        `json:"package,omitempty"` // of npm, that was called from it and made it
	Bytes    uint64        `json:"bytes"`             // estimated from the samples
	Share    float64       `json:"share"`             // of all sites
	Before   *uint64       `json:"before,omitempty"`  // of a comparison: in the first profile
	Stack    []SamplePlace `json:"stack"`             // of what made most, innermost first
}

// SamplePlace is a function of a stack.
type SamplePlace struct {
	Function string `json:"function"`         // its name
	File     string `json:"file,omitempty"`   // where it is written
	Line     int    `json:"line,omitempty"`   // where it begins, from 1
	Column   int    `json:"column,omitempty"` // from 1
}

func (s SamplePlace) location() Location {
	return Location{Function: s.Function, File: s.File, Line: s.Line, Column: s.Column}
}

// growth is by how much the site grew in a comparison.
func (s SampleSite) growth() int64 { return int64(s.Bytes) - int64(before(s.Before)) }

func before(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

func (r *Sample) normal() any {
	c := *r
	c.Schema = SchemaVersion
	c.Sites, c.Warnings = sitesNotNil(r.Sites), notNil(r.Warnings)
	return &c
}

func sitesNotNil(all []SampleSite) []SampleSite {
	all = notNil(slices.Clone(all))
	for i := range all {
		all[i].Stack = notNil(all[i].Stack)
	}
	return all
}

// WriteSample shows r as text or JSON. It does not change r.
func WriteSample(w io.Writer, r *Sample, f Format, o Options) error {
	return writeAnswer(w, r, "a sampling heap profile", f, o)
}

const (
	// sampleRows is how many sites are listed: what they leave is little.
	sampleRows = 15
	// sampleStacks is how many of them are shown with their stack.
	sampleStacks = 3
)

func (r *Sample) text(p *page) {
	mark := "LIVE  "
	switch {
	case r.Before != nil:
		mark = "CHANGE  "
	case r.Kind == "allocated":
		mark = "ALLOCATED  "
	}
	p.marked(0, mark, bold, bold, r.Sentence)
	about := aboutProcess(r.Target.PID, r.Target.Script, r.Target.ThreadID, r.Target.NodeVersion)
	if r.Interval > 0 {
		about = append(about, "a sample every "+FormatBytes(r.Interval))
	}
	p.about(about)
	p.sampleSites(r.Sites, r.Before != nil)
	p.warnings(r.Warnings)
}

// sampleSites lists sites, the first of them with their stacks.
func (p *page) sampleSites(all []SampleSite, compared bool) {
	if len(all) == 0 {
		return
	}
	p.line(0, plain, "")
	head := []string{"function", "bytes", "share"}
	if compared {
		head = []string{"function", "before", "after", "change"}
	}
	rows := []row{{dim, head}}
	for i, s := range all {
		if i == sampleRows && !p.verbose {
			break
		}
		name := clip(s.Function, 50)
		if s.File != "" {
			name += "  " + Location{File: lastName(s.File), Line: s.Line}.position()
		}
		if s.Package != "" {
			name += ", by " + clip(s.Package, 40)
		}
		cells := []string{name, FormatBytes(s.Bytes), fmt.Sprintf("%.0f %%", 100*s.Share)}
		if compared {
			cells = []string{name, FormatBytes(before(s.Before)), FormatBytes(s.Bytes), signedBytes(s.growth())}
		}
		rows = append(rows, row{plain, cells})
	}
	p.table(2, rows)
	if n := len(all) - sampleRows; n > 0 && !p.verbose {
		p.line(2, dim, "and "+plural(n, "more", "more")+" (--verbose)")
	}
	shown := 0
	for _, s := range all {
		if shown == sampleStacks && !p.verbose || compared && s.growth() <= 0 || !compared && s.Share < 0.05 && shown > 0 {
			break
		}
		if len(s.Stack) == 0 {
			continue
		}
		shown++
		p.line(0, plain, "")
		p.prose(0, fmt.Sprintf("%d. ", shown), bold, clip(s.Function, 60)+" made "+FormatBytes(s.Bytes))
		if s.File != "" {
			p.place(3, Location{File: s.File, Line: s.Line, Column: s.Column}, red)
		}
		for i, l := range s.Stack {
			if i == stackLines && !p.verbose {
				p.line(5, dim, "and "+plural(len(s.Stack)-i, "more", "more"))
				break
			}
			text := clip(l.Function, 60)
			if l.File != "" {
				text += "  " + l.location().position()
			}
			p.line(5, plain, clip(text, p.width-5))
		}
	}
}

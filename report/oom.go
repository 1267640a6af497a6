package report

import (
	"fmt"
	"io"
	"strings"
)

// Explained is the verdict of oom where it knows which death it was.
const Explained Verdict = "explained"

// OOM is the result of `heapsnap oom`: what killed a process.
// docs/oom.schema.json describes its JSON.
type OOM struct {
	Head
	Verdict   Verdict         `json:"verdict"`             // explained, or inconclusive where the evidence does not tell
	Death     string          `json:"death"`               // which death it was
	Cause     string          `json:"cause,omitempty"`     // what had filled the memory, as a rule of doctor; missing if it cannot be told
	Sentence  string          `json:"sentence"`            // the verdict in words
	Evidence  []string        `json:"evidence"`            // what speaks for it
	Target    DoctorTarget    `json:"target"`              // the process, as far as it is known
	Figures   string          `json:"figures,omitempty"`   // where the last figures are from
	Memory    []MemoryPart    `json:"memory"`              // the last resident memory in parts
	Process   ProcessMemory   `json:"process"`             // what the kernel had of it in memory
	Container *Container      `json:"container,omitempty"` // the control group that limited it
	Heaps     []HeapFigures   `json:"heaps"`               // the last figures of its heaps
	Options   []MemoryOption  `json:"options"`             // about memory, that it was started with
	Findings  []MemoryFinding `json:"findings"`            // doctor's rules on the last figures
	Suspects  []OOMSuspect    `json:"suspects"`            // what held the heap, of its last snapshot
	Snapshot  string          `json:"snapshot,omitempty"`  // that the suspects are of
	Change    []string        `json:"change"`              // what to change
	Collect   []string        `json:"collect"`             // what to collect next time
	Files     []OOMFile       `json:"files"`               // what was read
	Warnings  []string        `json:"warnings"`            // what limits the result
}

// OOMSuspect is something that held a good part of the heap.
type OOMSuspect struct {
	Rule   string `json:"rule"`             // as of suspects
	Title  string `json:"title"`            // in a sentence
	Holder string `json:"holder"`           // in words
	Bytes  uint64 `json:"bytes"`            // that it kept
	Count  int    `json:"count"`            // objects that it kept
	File   string `json:"file,omitempty"`   // where to look
	Line   int    `json:"line,omitempty"`   // from 1
	Column int    `json:"column,omitempty"` // from 1
	Fix    string `json:"fix"`              // what to do
}

// OOMFile is a file that was read.
type OOMFile struct {
	Path string `json:"path"`           // as given
	Kind string `json:"kind"`           // what it was taken for
	Note string `json:"note,omitempty"` // what it says
}

func (r *OOM) normal() any {
	c := *r
	c.Schema = SchemaVersion
	c.Evidence, c.Memory, c.Options = notNil(r.Evidence), notNil(r.Memory), notNil(r.Options)
	c.Heaps, c.Findings = heapsNotNil(r.Heaps), memoryFindingsNotNil(r.Findings)
	c.Suspects, c.Change, c.Collect, c.Files, c.Warnings = notNil(r.Suspects), notNil(r.Change), notNil(r.Collect), notNil(r.Files), notNil(r.Warnings)
	return &c
}

// WriteOOM shows r as text or JSON. It does not change r.
func WriteOOM(w io.Writer, r *OOM, f Format, o Options) error {
	return writeAnswer(w, r, "a death", f, o)
}

func (r *OOM) text(p *page) {
	s, word := red, strings.ToUpper(clip(r.Death, 30))
	if r.Verdict == Inconclusive {
		s = bold
	}
	p.marked(0, word+"  ", s, bold, r.Sentence)
	p.about(append(aboutProcess(r.Target.PID, "", 0, r.Target.NodeVersion), plural(len(r.Files), "file read", "files read")))
	p.section(0, "Evidence", r.Evidence)
	p.memoryParts(r.Memory, r.Process.RSS, r.Heaps)
	if r.Container != nil || len(r.Heaps) > 0 || len(r.Options) > 0 {
		p.heading(0, "Limits and last figures")
		if r.Figures != "" {
			p.pair("from", clip(r.Figures, 200))
		}
		p.container(r.Container)
		p.heaps(r.Heaps)
		var all []string
		for _, o := range r.Options {
			all = append(all, clip(o.Text, 60))
		}
		if len(all) > 0 {
			p.pair("options", strings.Join(all, ", "))
		}
	}
	for i, f := range r.Findings {
		if i == 0 {
			p.heading(0, "What had filled the memory")
		}
		p.prose(2, "- ", plain, clip(f.Title, maxProse-60)+" ["+clip(f.Rule, 30)+"]; "+clip(f.Trigger.String(), 200))
	}
	if len(r.Suspects) > 0 {
		p.heading(0, "What held the heap, of "+clip(lastName(r.Snapshot), 80))
		for i, x := range r.Suspects {
			if i == fullFindings && !p.verbose {
				p.line(2, dim, "and "+plural(len(r.Suspects)-i, "more", "more")+" (--verbose)")
				break
			}
			p.prose(2, fmt.Sprintf("%d. ", i+1), bold, clip(x.Title, maxProse-60)+" ["+clip(x.Rule, 30)+"], "+FormatBytes(x.Bytes))
			if x.File != "" {
				p.place(5, Location{File: x.File, Line: x.Line, Column: x.Column}, red)
			}
			if x.Fix != "" && i == 0 {
				p.prose(5, "-> ", plain, x.Fix)
			}
		}
	}
	p.section(0, "What to change", r.Change)
	p.section(0, "What to collect next time", r.Collect)
	if p.verbose {
		p.heading(0, "Files")
		for _, f := range r.Files {
			p.prose(2, "", plain, clip(f.Path, maxPath)+"  "+clip(f.Kind, 20)+"  "+clip(f.Note, 200))
		}
	}
	p.warnings(r.Warnings)
}

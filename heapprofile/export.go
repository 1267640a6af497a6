package heapprofile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/google/pprof/profile"
)

// exports are the forms of [Export].
var exports = map[string]func(io.Writer, *Profile) error{
	"heapprofile": func(w io.Writer, p *Profile) error { return p.Write(w) },
	"pprof":       writePprof,
	"speedscope":  writeSpeedscope,
	"collapsed":   writeCollapsed,
}

// ExportFormats lists the formats of [Export]: V8's own for DevTools and VS
// Code, pprof (gzipped), and two that flame graphs are made of.
func ExportFormats() []string { return []string{"heapprofile", "pprof", "speedscope", "collapsed"} }

// Export writes p for another tool.
func Export(w io.Writer, p *Profile, format string) error {
	write := exports[format]
	if write == nil {
		return fmt.Errorf("export format %q is unknown: it is one of %s", format, strings.Join(ExportFormats(), ", "))
	}
	return write(w, p)
}

// writePprof names the values as Go's own heap profiles do.
func writePprof(w io.Writer, p *Profile) error {
	kind := "inuse_space"
	if p.Info != nil && p.Info.Collected {
		kind = "alloc_space"
	}
	out := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: kind, Unit: "bytes"}},
		PeriodType: &profile.ValueType{Type: "space", Unit: "bytes"},
	}
	if i := p.Info; i != nil {
		out.Period = int64(i.Interval)
		out.DurationNanos = i.Duration.Nanoseconds()
		if !i.Started.IsZero() {
			out.TimeNanos = i.Started.UnixNano()
		}
	}
	locations := map[Frame]*profile.Location{}
	locate := func(f Frame) *profile.Location {
		f.ScriptID = "" // the same script has another id after a restart
		if l := locations[f]; l != nil {
			return l
		}
		fn := &profile.Function{ID: uint64(len(out.Function) + 1), Name: f.Name(), SystemName: f.Name(), Filename: f.File(), StartLine: int64(f.Line + 1)}
		out.Function = append(out.Function, fn)
		l := &profile.Location{ID: fn.ID, Line: []profile.Line{{Function: fn, Line: int64(f.Line + 1)}}}
		out.Location = append(out.Location, l)
		locations[f] = l
		return l
	}
	for s := range p.stacks() {
		frames := s.frames
		if len(frames) == 0 {
			frames = []Frame{{Function: "(V8)", Line: -1}}
		}
		sample := &profile.Sample{Value: []int64{int64(s.self)}}
		for i := len(frames) - 1; i >= 0; i-- {
			sample.Location = append(sample.Location, locate(frames[i]))
		}
		out.Sample = append(out.Sample, sample)
	}
	if err := out.CheckValid(); err != nil {
		return fmt.Errorf("pprof: %w", err)
	}
	return out.Write(w)
}

// writeSpeedscope follows https://www.speedscope.app/file-format-schema.json.
func writeSpeedscope(w io.Writer, p *Profile) error {
	type frame struct {
		Name string `json:"name"`
		File string `json:"file,omitempty"`
		Line int    `json:"line,omitempty"`
		Col  int    `json:"col,omitempty"`
	}
	type sampled struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Unit    string   `json:"unit"`
		Start   uint64   `json:"startValue"`
		End     uint64   `json:"endValue"`
		Samples [][]int  `json:"samples"`
		Weights []uint64 `json:"weights"`
	}
	frames, known := []frame{}, map[Frame]int{}
	of := sampled{Type: "sampled", Name: "heap", Unit: "bytes", Samples: [][]int{}, Weights: []uint64{}}
	for s := range p.stacks() {
		ids := make([]int, 0, len(s.frames))
		for _, f := range s.frames {
			f.ScriptID = ""
			id, ok := known[f]
			if !ok {
				id = len(frames)
				known[f] = id
				frames = append(frames, frame{f.Name(), f.File(), f.Line + 1, f.Column + 1})
			}
			ids = append(ids, id)
		}
		of.Samples, of.Weights = append(of.Samples, ids), append(of.Weights, uint64(s.self))
		of.End += uint64(s.self)
	}
	text, err := json.Marshal(map[string]any{
		"$schema": "https://www.speedscope.app/file-format-schema.json", "exporter": "heapsnap",
		"shared": map[string]any{"frames": frames}, "profiles": []sampled{of},
	})
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// writeCollapsed writes a line per stack, as flamegraph.pl and inferno take it.
func writeCollapsed(w io.Writer, p *Profile) error {
	b := bufio.NewWriter(w)
	for s := range p.stacks() {
		for i, f := range s.frames {
			if i > 0 {
				b.WriteByte(';')
			}
			// What separates must not be in a name.
			name := f.Name()
			if file := f.File(); file != "" {
				name += fmt.Sprintf(" (%s:%d)", file[strings.LastIndexByte(file, '/')+1:], f.Line+1)
			}
			b.WriteString(collapsedName.Replace(name))
		}
		if len(s.frames) == 0 {
			b.WriteString("(V8)")
		}
		fmt.Fprintf(b, " %.0f\n", s.self)
	}
	return b.Flush()
}

var collapsedName = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

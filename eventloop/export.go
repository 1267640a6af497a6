package eventloop

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"heapsnap/jssource"
)

// exports are the formats of other tools that a recording's profiles can be
// written in.
var exports = map[string]func(io.Writer, *Recording) error{
	"cpuprofile": writeCPUProfile, "pprof": writePprof, "speedscope": writeSpeedscope,
}

// ExportFormats lists the formats of [Export].
func ExportFormats() []string { return []string{"cpuprofile", "pprof", "speedscope"} }

// Export writes the profiles of a recording in the format of another tool: a
// .cpuprofile has the main thread's, for DevTools and VS Code; pprof (gzipped)
// and speedscope have those of all threads.
func Export(w io.Writer, r *Recording, format string) error {
	write := exports[format]
	if write == nil {
		return fmt.Errorf("export format %q is unknown: it is cpuprofile, pprof or speedscope", format)
	}
	return write(w, r)
}

func writeCPUProfile(w io.Writer, r *Recording) error {
	text, err := json.Marshal(merged(r.Main().Profiles))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// merged makes one profile of several that follow one another. What lies
// between them was not seen, and is shown as idle.
func merged(profiles []*Profile) *Profile {
	if len(profiles) == 1 {
		return profiles[0]
	}
	root := ProfileNode{ID: 1, CallFrame: CallFrame{FunctionName: "(root)", ScriptID: "0", LineNumber: -1, ColumnNumber: -1}}
	root.Children = []int{2}
	idle := ProfileNode{ID: 2, CallFrame: CallFrame{FunctionName: idleName, ScriptID: "0", LineNumber: -1, ColumnNumber: -1}}
	out := &Profile{Nodes: []ProfileNode{root, idle}}
	type step struct {
		parent int
		frame  CallFrame
	}
	at := map[step]int{{0, idle.CallFrame}: 1}
	for i, p := range profiles {
		t := newCallTree(p)
		to := make([]int, len(t.nodes)) // index in p -> index in out
		// Parents may come behind their children.
		var place func(n int) int
		place = func(n int) int {
			if t.parent[n] < 0 {
				return 0
			}
			if to[n] > 0 {
				return to[n]
			}
			up := place(t.parent[n])
			key := step{up, t.nodes[n].CallFrame}
			k, known := at[key]
			if !known {
				k = len(out.Nodes)
				at[key] = k
				out.Nodes = append(out.Nodes, ProfileNode{ID: k + 1, CallFrame: key.frame})
				out.Nodes[up].Children = append(out.Nodes[up].Children, k+1)
			}
			out.Nodes[k].HitCount += t.nodes[n].HitCount
			out.Nodes[k].PositionTicks = append(out.Nodes[k].PositionTicks, t.nodes[n].PositionTicks...)
			to[n] = k
			return k
		}
		for n := range t.nodes {
			place(n)
		}
		if i == 0 {
			out.StartTime = p.StartTime
		} else {
			out.Samples = append(out.Samples, idle.ID)
			out.TimeDeltas = append(out.TimeDeltas, max(0, profiles[i-1].EndTime-last(out)))
		}
		for k, id := range p.Samples {
			d := p.TimeDeltas[k]
			if k == 0 {
				d += p.StartTime - last(out)
			}
			out.Samples = append(out.Samples, to[t.index[id]]+1)
			out.TimeDeltas = append(out.TimeDeltas, d)
		}
		out.EndTime = p.EndTime
	}
	return out
}

// last is the time of a profile's last sample.
func last(p *Profile) int64 {
	at := p.StartTime
	for _, d := range p.TimeDeltas {
		at += d
	}
	return at
}

func threadName(t *Thread) string {
	if t.ID == 0 {
		return "main"
	}
	if t.Name == "" {
		return fmt.Sprintf("worker %d", t.ID)
	}
	return fmt.Sprintf("worker %d %s", t.ID, t.Name)
}

// writePprof writes what was not idle, weighted by time.
func writePprof(w io.Writer, r *Recording) error {
	p := &profile.Profile{
		SampleType:    []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "wall", Unit: "nanoseconds"}},
		PeriodType:    &profile.ValueType{Type: "wall", Unit: "nanoseconds"},
		Period:        r.Interval * 1000,
		TimeNanos:     r.Time.UnixNano(),
		DurationNanos: (r.End - r.Start) * 1000,
	}
	type place struct {
		frame CallFrame
		line  int
	}
	functions := map[CallFrame]*profile.Function{}
	locations := map[place]*profile.Location{}
	locate := func(f CallFrame, line int) *profile.Location {
		at := place{f, line}
		if l := locations[at]; l != nil {
			return l
		}
		fn := functions[f]
		if fn == nil {
			name := f.FunctionName
			if name == "" {
				name = "(anonymous)"
			}
			fn = &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, SystemName: name, Filename: jssource.Path(f.URL), StartLine: int64(f.LineNumber + 1)}
			functions[f] = fn
			p.Function = append(p.Function, fn)
		}
		l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: fn, Line: int64(line)}}}
		locations[at] = l
		p.Location = append(p.Location, l)
		return l
	}
	for i := range r.Threads {
		t := &r.Threads[i]
		l := newLedger(t, r.Interval)
		sums := map[stackKey]*profile.Sample{}
		for _, s := range l.segments {
			if l.idle(s) {
				continue
			}
			k := stackKey{s.profile, s.node}
			sample := sums[k]
			if sample == nil {
				tree := l.trees[s.profile]
				sample = &profile.Sample{Value: []int64{0, 0}, Label: map[string][]string{"thread": {threadName(t)}}}
				for depth, n := range tree.stack(s.node) {
					line := tree.frame(n).LineNumber + 1
					if depth == 0 && topLine(tree, n) > 0 {
						line = topLine(tree, n)
					}
					sample.Location = append(sample.Location, locate(*tree.frame(n), line))
				}
				sums[k] = sample
				p.Sample = append(p.Sample, sample)
			}
			sample.Value[0]++
			sample.Value[1] += (s.to - s.from) * 1000
		}
	}
	if err := p.CheckValid(); err != nil {
		return fmt.Errorf("pprof: %w", err)
	}
	return p.Write(w)
}

// writeSpeedscope follows https://www.speedscope.app/file-format-schema.json.
func writeSpeedscope(w io.Writer, r *Recording) error {
	type frame struct {
		Name string `json:"name"`
		File string `json:"file,omitempty"`
		Line int    `json:"line,omitempty"`
		Col  int    `json:"col,omitempty"`
	}
	type sampled struct {
		Type    string  `json:"type"`
		Name    string  `json:"name"`
		Unit    string  `json:"unit"`
		Start   int64   `json:"startValue"`
		End     int64   `json:"endValue"`
		Samples [][]int `json:"samples"`
		Weights []int64 `json:"weights"`
	}
	var file struct {
		Schema string `json:"$schema"`
		Shared struct {
			Frames []frame `json:"frames"`
		} `json:"shared"`
		Profiles []sampled `json:"profiles"`
		Exporter string    `json:"exporter"`
	}
	file.Schema, file.Exporter = "https://www.speedscope.app/file-format-schema.json", "heapsnap"
	file.Shared.Frames, file.Profiles = []frame{}, []sampled{}
	known := map[CallFrame]int{}
	for i := range r.Threads {
		t := &r.Threads[i]
		if len(t.Profiles) == 0 {
			continue
		}
		l := newLedger(t, r.Interval)
		p := sampled{Type: "sampled", Name: threadName(t), Unit: "microseconds", Samples: [][]int{}, Weights: []int64{}}
		stacks := map[stackKey][]int{}
		for _, s := range l.segments {
			k := stackKey{s.profile, s.node}
			stack, seen := stacks[k]
			if !seen {
				tree := l.trees[s.profile]
				up := tree.stack(s.node)
				stack = make([]int, 0, len(up))
				for d := len(up) - 1; d >= 0; d-- {
					f := *tree.frame(up[d])
					at, ok := known[f]
					if !ok {
						at = len(file.Shared.Frames)
						known[f] = at
						name := f.FunctionName
						if name == "" {
							name = "(anonymous)"
						}
						file.Shared.Frames = append(file.Shared.Frames, frame{name, jssource.Path(f.URL), f.LineNumber + 1, f.ColumnNumber + 1})
					}
					stack = append(stack, at)
				}
				stacks[k] = stack
			}
			p.Samples, p.Weights = append(p.Samples, stack), append(p.Weights, s.to-s.from)
			p.End += s.to - s.from
		}
		file.Profiles = append(file.Profiles, p)
	}
	text, err := json.Marshal(file)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

package eventloop

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"

	"heapsnap/jssource"
)

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
			name := f.name()
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

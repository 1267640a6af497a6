package heapprofile

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

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

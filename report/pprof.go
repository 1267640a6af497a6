package report

import (
	"fmt"
	"io"

	"github.com/google/pprof/profile"
)

// Retained is a heap by who keeps it alive, for `go tool pprof`.
type Retained struct {
	Comments []string
	Paths    []RetainedPath // parents first
}

// RetainedPath is the objects of a class that are kept alive by the same classes.
type RetainedPath struct {
	Parent int // -1 for the outermost
	Class  string
	Count  int
	Bytes  uint64 // shallow
}

// maxClass is where a class name is cut in a profile.
const maxClass = 200

// WritePprof writes r as a profile with two figures, objects and bytes: flat is
// what the objects of a class have themselves, cum what they retain. gzipped is
// pprof's own compression, for what is not compressed on its way.
func WritePprof(w io.Writer, r *Retained, gzipped bool) error {
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "objects", Unit: "count"}, {Type: "space", Unit: "bytes"}},
		DefaultSampleType: "space",
	}
	for _, c := range r.Comments {
		p.Comments = append(p.Comments, clip(c, maxProse))
	}
	locations := map[string]*profile.Location{}
	at := make([]*profile.Location, len(r.Paths))
	for i, path := range r.Paths {
		l := locations[path.Class]
		if l == nil {
			name := clip(path.Class, maxClass)
			if name == "" {
				name = "(no name)"
			}
			id := uint64(len(p.Location) + 1)
			f := &profile.Function{ID: id, Name: name, SystemName: name}
			l = &profile.Location{ID: id, Line: []profile.Line{{Function: f}}}
			locations[path.Class] = l
			p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		}
		at[i] = l
		if path.Count == 0 {
			continue
		}
		s := &profile.Sample{Value: []int64{int64(path.Count), int64(path.Bytes)}}
		for k := i; k >= 0; k = r.Paths[k].Parent {
			s.Location = append(s.Location, at[k])
		}
		p.Sample = append(p.Sample, s)
	}
	if err := p.CheckValid(); err != nil {
		return fmt.Errorf("pprof: %w", err)
	}
	if gzipped {
		return p.Write(w)
	}
	return p.WriteUncompressed(w)
}

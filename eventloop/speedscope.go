package eventloop

import (
	"encoding/json"
	"io"

	"heapsnap/jssource"
)

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
						file.Shared.Frames = append(file.Shared.Frames, frame{f.name(), jssource.Path(f.URL), f.LineNumber + 1, f.ColumnNumber + 1})
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

package heapprofile

import (
	"encoding/json"
	"io"
)

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

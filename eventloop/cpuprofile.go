package eventloop

import (
	"encoding/json"
	"io"
)

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

package eventloop

import (
	"cmp"
	"errors"
	"fmt"
)

// Profile is a CPU profile as V8's inspector gives it and .cpuprofile files
// have it. Times are microseconds.
type Profile struct {
	Nodes      []ProfileNode `json:"nodes"` // the root first
	StartTime  int64         `json:"startTime"`
	EndTime    int64         `json:"endTime"`
	Samples    []int         `json:"samples"`    // node ids
	TimeDeltas []int64       `json:"timeDeltas"` // before each sample
}

// ProfileNode is a function called from one place: a node of the call tree.
type ProfileNode struct {
	ID            int            `json:"id"`
	CallFrame     CallFrame      `json:"callFrame"`
	HitCount      int            `json:"hitCount"`
	Children      []int          `json:"children,omitempty"`
	PositionTicks []PositionTick `json:"positionTicks,omitempty"`
}

// CallFrame is where a function is written. Line and column are 0-based, and
// -1 for what has no source.
type CallFrame struct {
	FunctionName string `json:"functionName"`
	ScriptID     string `json:"scriptId"`
	URL          string `json:"url"`
	LineNumber   int    `json:"lineNumber"`
	ColumnNumber int    `json:"columnNumber"`
}

// nameless stands for the name of a function without one, as V8 has it in stack
// traces.
const nameless = "(anonymous)"

func (f *CallFrame) name() string { return cmp.Or(f.FunctionName, nameless) }

// PositionTick says how many samples of a node were taken in a line, which is
// 1-based.
type PositionTick struct {
	Line  int `json:"line"`
	Ticks int `json:"ticks"`
}

// check refuses what the rest of the package could not walk.
func (p *Profile) check() error {
	if p == nil || len(p.Nodes) == 0 {
		return errors.New("it has no nodes")
	}
	if len(p.Samples) != len(p.TimeDeltas) {
		return fmt.Errorf("it has %d samples and %d time deltas: record it with samples", len(p.Samples), len(p.TimeDeltas))
	}
	parent := make(map[int]int, len(p.Nodes))
	for _, n := range p.Nodes {
		if _, twice := parent[n.ID]; twice {
			return fmt.Errorf("node %d is there twice", n.ID)
		}
		parent[n.ID] = 0
	}
	for _, n := range p.Nodes {
		for _, c := range n.Children {
			old, known := parent[c]
			switch {
			case !known:
				return fmt.Errorf("node %d has the child %d, which is not there", n.ID, c)
			case old != 0 || c == p.Nodes[0].ID:
				return fmt.Errorf("node %d has two parents", c)
			}
			parent[c] = n.ID
		}
	}
	for i, id := range p.Samples {
		if _, known := parent[id]; !known {
			return fmt.Errorf("sample %d is of node %d, which is not there", i, id)
		}
	}
	// With one parent each and none for the root, only a ring apart from the
	// root could still go round.
	reached := 1
	byID := make(map[int]*ProfileNode, len(p.Nodes))
	for i := range p.Nodes {
		byID[p.Nodes[i].ID] = &p.Nodes[i]
	}
	for todo := []*ProfileNode{&p.Nodes[0]}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, c := range n.Children {
			reached++
			todo = append(todo, byID[c])
		}
	}
	if reached != len(p.Nodes) {
		return fmt.Errorf("%d of its %d nodes are not below the root", len(p.Nodes)-reached, len(p.Nodes))
	}
	return nil
}

// cutBefore drops the samples before a time.
func (p *Profile) cutBefore(at int64) {
	if at <= p.StartTime {
		return
	}
	t := p.StartTime
	for i, d := range p.TimeDeltas {
		t += d
		if t < at {
			continue
		}
		p.Samples, p.TimeDeltas = p.Samples[i:], p.TimeDeltas[i:]
		p.TimeDeltas[0] = t - at
		p.StartTime = at
		return
	}
	p.Samples, p.TimeDeltas, p.StartTime = nil, nil, min(at, p.EndTime)
}

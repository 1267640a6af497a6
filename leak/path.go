package leak

import (
	"fmt"
	"strings"

	"heapsnap/heapsnap"
)

// path is the shortest way from the root to holder and on to survivor, in
// words: V8's own storage is folded away, a closure's scope and its variable
// become one hop.
func (p *Pass) path(holder, survivor heapsnap.Node) []Hop {
	if p.paths == nil {
		p.paths = p.s.Paths(p.pathCost)
	}
	steps := p.paths.To(holder)
	hops := p.words(steps, holder)
	if survivor != 0 && survivor != holder {
		hops = append(hops, p.below(holder, survivor)...)
	}
	return fold(hops)
}

// pathCost keeps ways through V8's and Node's catch-all tables for the last:
// they lead to nearly everything, and explain nothing.
func (p *Pass) pathCost(from heapsnap.Node, e heapsnap.Edge) int {
	s := p.s
	if !s.Strong(from, e) && from != s.Root() {
		return -1
	}
	switch s.Type(from) {
	case heapsnap.Synthetic:
		if from != s.Root() {
			return 2
		}
		if s.Type(s.To(e)) == heapsnap.Synthetic {
			return 2
		}
	case heapsnap.Native:
		if strings.HasPrefix(s.RawName(from), "Node / ") {
			return 3
		}
	case heapsnap.Code, heapsnap.ObjectShape:
		return 2
	case heapsnap.Closure:
		if s.EdgeType(e) == heapsnap.InternalEdge && s.EdgeName(e) != "context" && s.EdgeName(e) != "bound_this" && s.EdgeName(e) != "bound_function" {
			return 1
		}
	case heapsnap.Object:
		if s.EdgeType(e) == heapsnap.InternalEdge && s.EdgeName(e) == "map" {
			return 2
		}
	}
	if p.d.Cohort(s.To(e)) > 0 && p.d.Cohort(from) == 0 {
		return 1 // old objects first: the holder is one
	}
	return 0
}

// words turns steps into hops; the last step leads to end.
func (p *Pass) words(steps []heapsnap.Step, end heapsnap.Node) []Hop {
	s := p.s
	var hops []Hop
	edge := ""
	for i, st := range steps {
		if i == 0 && st.From == s.Root() {
			edge = ""
		} else {
			edge = p.joinEdge(edge, st)
		}
		to := end
		if i+1 < len(steps) {
			to = steps[i+1].From
		}
		if i+1 < len(steps) && p.folded(to) {
			continue
		}
		if edge == "" && p.isContext(to) {
			edge = "scope"
		}
		hops = append(hops, Hop{Edge: edge, Node: p.class(to), ID: s.ID(to)})
		edge = ""
	}
	return hops
}

// folded reports whether a path does not stop at n: storage, and scopes, which
// show as the variable that is read from them.
func (p *Pass) folded(n heapsnap.Node) bool {
	switch p.s.Type(n) {
	case heapsnap.Array, heapsnap.Hidden, heapsnap.Code, heapsnap.ObjectShape:
		return true
	}
	return p.isContext(n)
}

// joinEdge adds one reference to the name of a hop.
func (p *Pass) joinEdge(edge string, st heapsnap.Step) string {
	s := p.s
	name := ""
	switch s.EdgeType(st.Edge) {
	case heapsnap.PropertyEdge:
		name = "." + s.EdgeName(st.Edge)
	case heapsnap.ContextEdge:
		name = fmt.Sprintf("variable %q", s.EdgeName(st.Edge))
		return name
	case heapsnap.ElementEdge:
		name = anyEntry
	case heapsnap.InternalEdge, heapsnap.HiddenEdge:
		switch internal := s.EdgeName(st.Edge); {
		case s.Type(st.From) == heapsnap.Array:
			name = anyEntry
		case p.isContext(st.From) && s.EdgeType(st.Edge) == heapsnap.HiddenEdge:
			name = "a block's variable"
		case internal == "context", internal == "table", internal == "elements", internal == "properties", internal == "previous":
			return edge
		case s.EdgeType(st.Edge) == heapsnap.HiddenEdge:
			return edge
		default:
			name = internal
		}
	}
	if edge == "" || name == "" || edge == name {
		return edge + strings.TrimPrefix(name, edge)
	}
	if edge == anyEntry || name == anyEntry {
		return edge + name
	}
	return edge + " " + name
}

// below is the way from holder to one survivor, through survivors only where
// there is such a way: links of a list may stand behind old ones.
func (p *Pass) below(holder, survivor heapsnap.Node) []Hop {
	if hops := p.wayBelow(holder, survivor, false); hops != nil {
		return hops
	}
	return p.wayBelow(holder, survivor, true)
}

func (p *Pass) wayBelow(holder, survivor heapsnap.Node, throughOld bool) []Hop {
	const maxNodes = 200_000
	parent := map[heapsnap.Node]heapsnap.Step{}
	queue := []heapsnap.Node{holder}
	for head := 0; head < len(queue) && len(queue) < maxNodes; head++ {
		from := queue[head]
		if from == survivor {
			break
		}
		for e := range p.s.Edges(from) {
			to := p.s.To(e)
			if _, seen := parent[to]; seen || to == holder || !p.s.Strong(from, e) {
				continue
			}
			if p.d.Cohort(to) == 0 && !p.folded(to) && !throughOld {
				continue
			}
			parent[to] = heapsnap.Step{From: from, Edge: e}
			queue = append(queue, to)
		}
	}
	var steps []heapsnap.Step
	for n := survivor; n != holder; {
		st, ok := parent[n]
		if !ok {
			return nil
		}
		steps = append([]heapsnap.Step{st}, steps...)
		n = st.From
	}
	if len(steps) == 0 {
		return nil
	}
	// words treats the first step's edge like any other here.
	edge := ""
	var hops []Hop
	for i, st := range steps {
		edge = p.joinEdge(edge, st)
		to := survivor
		if i+1 < len(steps) {
			to = steps[i+1].From
			if p.folded(to) {
				continue
			}
		}
		hops = append(hops, Hop{Edge: edge, Node: p.class(to), ID: p.s.ID(to)})
		edge = ""
	}
	return hops
}

// fold shortens runs of the same hop, as a list's: three times .next is once,
// with "...".
func fold(hops []Hop) []Hop {
	var out []Hop
	for i := 0; i < len(hops); {
		n := 1
		for i+n < len(hops) && hops[i+n].Edge == hops[i].Edge && hops[i+n].Node == hops[i].Node {
			n++
		}
		out = append(out, hops[i])
		if n > 2 {
			out = append(out, Hop{Edge: fmt.Sprintf("... %d more times %s", n-2, hops[i].Edge), Node: hops[i].Node})
		}
		if n > 1 {
			out = append(out, hops[i+n-1])
		}
		i += n
	}
	return out
}

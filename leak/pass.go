package leak

import (
	"cmp"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
	"heapsnap/sourcemap"
)

// A Pass is what rules look around with: one diff, its last snapshot, and the
// sources of the program.
type Pass struct {
	d     *diff.Diff
	s     *heapsnap.Snapshot
	opts  Options
	paths *heapsnap.PathTree
	texts map[string][]byte  // script -> its text, nil if it cannot be had
	files map[string]*source // script -> the same as tokens
	// untokenized are those of which only lines were asked, see lines.
	untokenized map[string]*jssource.Source
	maps        map[string]*sourcemap.Map
	// originals are the texts that source maps lead to; a file compiled in memory
	// has the name of what it was compiled to.
	originals map[string]*jssource.Source

	opened map[*diff.GrowthSite][]handle // see openHandles
}

func newPass(d *diff.Diff, opts Options) *Pass {
	if opts.Source == nil {
		opts.Source = jssource.ReadFile
	}
	return &Pass{d: d, s: d.Last, opts: opts, texts: map[string][]byte{}, files: map[string]*source{}, untokenized: map[string]*jssource.Source{}, maps: map[string]*sourcemap.Map{}, originals: map[string]*jssource.Source{}}
}

// userScript reports whether a script is the program's and not Node's own:
// Node 15 and later name their scripts node:internal/..., V8 its own "".
func userScript(script string) bool {
	return script != "" && !strings.HasPrefix(script, "node:") && !strings.HasPrefix(script, "internal/") &&
		!strings.HasPrefix(script, "evalmachine.<anonymous>") && script != "native"
}

// closure returns the function that n stands for: n itself, what a bound
// function calls, the callback inside a once-wrapper, a Listener or a Timeout.
func (p *Pass) closure(n heapsnap.Node) heapsnap.Node {
	const maxHops = 4 // a bound once-wrapper of a bound function
	for range maxHops {
		next := heapsnap.NoNode
		for _, name := range []string{"listener", "callback", "_onTimeout", "_onImmediate"} {
			if to := p.s.Property(n, name); to != heapsnap.NoNode && p.s.Type(to) == heapsnap.Closure || to != heapsnap.NoNode && p.s.Type(to) == heapsnap.Object && name != "callback" {
				next = to
				break
			}
		}
		if next == heapsnap.NoNode && p.s.Type(n) == heapsnap.Closure {
			next = p.s.Internal(n, "bound_function")
		}
		if next == heapsnap.NoNode {
			break
		}
		n = next
	}
	if p.s.Type(n) == heapsnap.Closure {
		return n
	}
	return heapsnap.NoNode
}

// functionAt is where the closure is written, if V8 says and it is the
// program's own.
func (p *Pass) functionAt(closure heapsnap.Node, role string) *Location {
	l := p.s.Location(closure)
	if l == nil {
		return nil
	}
	if l.Script == "" {
		l.Script = p.s.Script(closure)
	}
	if !userScript(l.Script) {
		return nil
	}
	return &Location{Function: p.functionName(closure), File: l.Script, Line: l.Line, Column: l.Column, Role: role}
}

func (p *Pass) functionName(closure heapsnap.Node) string {
	name := p.s.RawName(closure)
	if name == "" || name == "native_bind" {
		return "(anonymous)"
	}
	return name
}

// A place is a location with how often it was seen.
type place struct {
	Location
	count int
	node  heapsnap.Node // one that has it
}

// places counts where the closures, or the constructors, of nodes are written,
// most frequent first. Nodes beyond a fair sample are not looked at.
func (p *Pass) places(nodes []heapsnap.Node, role string) []place {
	const sample = 1000
	var all []place
	step := max(1, len(nodes)/sample)
	for i := 0; i < len(nodes); i += step {
		l := p.functionAt(nodes[i], role)
		if l == nil {
			continue
		}
		at := slices.IndexFunc(all, func(o place) bool { return o.File == l.File && o.Line == l.Line && o.Column == l.Column })
		if at < 0 {
			at = len(all)
			all = append(all, place{Location: *l, node: nodes[i]})
		}
		all[at].count++
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(b.count, a.count) })
	return all
}

// closures maps nodes to the functions they stand for, leaving out the rest.
func (p *Pass) closures(nodes []heapsnap.Node) []heapsnap.Node {
	var all []heapsnap.Node
	for _, n := range nodes {
		if c := p.closure(n); c != heapsnap.NoNode {
			all = append(all, c)
		}
	}
	return all
}

// holdersOf returns the strong references to n, in snapshot order.
func (p *Pass) holdersOf(n heapsnap.Node) []heapsnap.Step {
	var steps []heapsnap.Step
	for from, e := range p.s.Retainers(n) {
		if p.s.Strong(from, e) {
			steps = append(steps, heapsnap.Step{From: from, Edge: e})
		}
	}
	return steps
}

// isContext reports whether n holds the variables of a function or block. V8's
// native context, which holds the language's own objects, is none.
func (p *Pass) isContext(n heapsnap.Node) bool {
	name := p.s.RawName(n)
	return name == "system / Context" || strings.HasPrefix(name, "system / Context / ")
}

// contextScript returns the script in which the context's variables are
// written: that of the closures that see them.
func (p *Pass) contextScript(ctx heapsnap.Node) string {
	const maxDepth = 3 // contexts of blocks hang below that of their function
	queue := []heapsnap.Node{ctx}
	for depth := 0; depth < maxDepth && len(queue) > 0; depth++ {
		var inner []heapsnap.Node
		for _, n := range queue {
			looked := 0
			for from, e := range p.s.Retainers(n) {
				if p.s.EdgeType(e) != heapsnap.InternalEdge {
					continue
				}
				switch p.s.EdgeName(e) {
				case "context":
					if script := p.s.Script(from); script != "" {
						return script
					}
				case "previous":
					inner = append(inner, from)
				}
				if looked++; looked > 1000 {
					break
				}
			}
		}
		queue = inner
	}
	return ""
}

// count adds one per node to the round it was born in, leaving out those of
// the first capture.
func (p *Pass) count(nodes []heapsnap.Node) []int {
	per := make([]int, p.d.Captures-1)
	for _, n := range nodes {
		if c := p.d.Cohort(n); c > 0 {
			per[c-1]++
		}
	}
	return per
}

// countIn is count, or what the holder gained where nothing new was put in.
func (p *Pass) countIn(g *diff.GrowthSite, nodes []heapsnap.Node) []int {
	if g.Swelling {
		return g.Count
	}
	return p.count(nodes)
}

func total(per []int) int {
	t := 0
	for _, n := range per {
		t += n
	}
	return t
}

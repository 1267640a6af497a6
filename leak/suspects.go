package leak

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// Suspects explains what holds the heap of a single capture, most bytes first,
// and divides it into what stands out and what a program of its size may well
// have. The rules are those of growth: only what they say of time, which one
// capture knows nothing of, is left out.
func Suspects(ctx context.Context, s *heapsnap.Snapshot, opts Options) (stand, usual []Finding, err error) {
	look := newPass(diff.Nothing(s), opts)
	d, err := diff.Alone(ctx, s, diff.AloneOptions{Usual: look.ofTheRuntime})
	if err != nil {
		return nil, nil, err
	}
	p := newPass(d, opts)
	p.texts, p.files = look.texts, look.files
	for _, g := range d.Sites {
		if err := ctx.Err(); err != nil {
			return nil, nil, context.Cause(ctx)
		}
		f, specific := p.explain(g)
		p.timeless(&f)
		switch {
		case p.standsOut(g, &f, specific):
			stand = append(stand, f)
		case float64(g.Survivors().Bytes) >= worthAWord*float64(s.TotalSize()):
			usual = append(usual, f)
		}
	}
	return stand, usual, nil
}

// What stands out. A program has lists, caches and tables of a few hundred
// entries in good health (seen: catalogues of 200, an LRU of 200), but not of
// listeners on one event, timers or functions that keep each other; Node warns
// of the eleventh listener. All thresholds are of one holder.
const (
	manyOfMechanism  = 100
	manyInCollection = 250
	manyOfThreads    = 10 // threads and processes, whose cost is not in this heap
	// In a large heap hundreds are nothing: there a suspect has this part of
	// it, or is a crowd without example.
	partOfHeap     = 0.01
	withoutExample = 10_000
	worthAWord     = 0.0005
	// A part of this size is told whatever it is made of, unless the heap is
	// smaller than a program that does nothing may have.
	largePart = 0.2
	smallHeap = 16 << 20
)

func (p *Pass) standsOut(g *diff.GrowthSite, f *Finding, specific int) bool {
	bytes, heap := float64(g.Survivors().Bytes), float64(p.s.TotalSize())
	if bytes >= largePart*heap && heap >= smallHeap {
		return true
	}
	count := total(f.Entries)
	least := manyInCollection
	switch {
	case f.Rule == workerRule.Name, f.Rule == childProcessRule.Name:
		return count >= manyOfThreads
	case specific >= content:
		least = manyOfMechanism
	}
	if specific >= mechanism && count >= withoutExample {
		return true
	}
	return count >= least && bytes >= partOfHeap*heap
}

// timeless takes out of a finding what only a series of captures can tell.
func (p *Pass) timeless(f *Finding) {
	n, unit := f.counted()
	f.Title = fmt.Sprintf("%s holds %d %s", f.Holder.Name, n, unit)
	f.Evidence = slices.DeleteFunc(f.Evidence, func(e string) bool {
		return strings.Contains(e, "capture") || strings.Contains(e, "round") || strings.Contains(e, "there before")
	})
}

// counted is how many a finding has of what a person counts, and what that is.
func (f *Finding) counted() (int, string) {
	if f.Unit == "" {
		return f.Site.Survivors().Count, "objects"
	}
	return total(f.Entries), f.Unit
}

// ofTheRuntime reports whether a crowd is Node's or V8's own: neither is its
// holder in a variable or property of the program, nor are its entries
// functions of the program, or objects of its classes.
func (p *Pass) ofTheRuntime(holder heapsnap.Node, entries []heapsnap.Node) bool {
	const sample = 20
	step := max(1, len(entries)/sample)
	own := 0
	looked := 0
	for i := 0; i < len(entries); i += step {
		looked++
		if p.ofTheProgram(entries[i]) {
			own++
		}
	}
	if looked > 0 && 2*own >= looked {
		return false
	}
	return !p.programHolds(holder)
}

// programHolds is userHeld without what programs merely use: process, exports
// of Node's modules, the tables of its module system, which every variable
// require leads to.
func (p *Pass) programHolds(n heapsnap.Node) bool {
	const maxHops = 6
	for range maxHops {
		if p.isContext(n) {
			return userScript(p.contextScript(n))
		}
		name := p.s.RawName(n)
		if name == "process" || strings.HasPrefix(name, "global") && p.s.NearRoot(n) || p.exportOfNode(n) {
			return false
		}
		r := p.reference(n)
		switch r.kind {
		case "variable":
			return userScript(r.script)
		case "global":
			return !strings.HasPrefix(r.name, "<symbol node:")
		case "property", "element":
			l := p.s.Location(r.owner)
			if l != nil && userScript(l.Script) {
				return true
			}
			if p.s.Type(r.owner) == heapsnap.Closure { // a function of Node, such as require and its .cache
				return false
			}
			if p.s.RawName(r.owner) == "Module" && l != nil {
				return r.name == "exports"
			}
			n = r.owner
		default:
			return false
		}
	}
	return false
}

// exportOfNode reports whether n is what require gives for a module of Node's.
func (p *Pass) exportOfNode(n heapsnap.Node) bool {
	for from, e := range p.s.Retainers(n) {
		if p.s.EdgeType(e) == heapsnap.PropertyEdge && p.s.EdgeName(e) == "exports" && p.s.RawName(from) == "BuiltinModule" {
			return true
		}
	}
	return false
}

// ofTheProgram reports whether n is a function of the program, an object of one
// of its classes, or an object of Node's that keeps such: a timer its callback,
// a socket its listeners. A module keeps all of its program, which says nothing.
func (p *Pass) ofTheProgram(n heapsnap.Node) bool {
	if name := p.s.RawName(n); name == "Module" || name == "ModuleWrap" {
		return false
	}
	const most = 300 // objects, nearest first
	queue := []heapsnap.Node{n}
	if c := p.closure(n); c != heapsnap.NoNode && c != n {
		queue = append(queue, c)
	}
	seen := map[heapsnap.Node]bool{n: true}
	for head := 0; head < len(queue); head++ {
		n := queue[head]
		switch p.s.Type(n) {
		case heapsnap.Closure:
			if userScript(p.s.Script(n)) {
				return true
			}
		case heapsnap.Object:
			if l := p.s.Location(n); l != nil && userScript(l.Script) {
				return true
			}
		}
		for e := range p.s.Edges(n) {
			if to := p.s.To(e); len(queue) < most && !seen[to] && p.partOf(n, e) {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return false
}

// partOf reports whether a reference leads to what n is about: its properties
// and entries, who waits for a promise, and not its class, or all that a
// function of Node's could see.
func (p *Pass) partOf(n heapsnap.Node, e heapsnap.Edge) bool {
	s := p.s
	if !s.Strong(n, e) {
		return false
	}
	switch s.Type(n) {
	case heapsnap.Object, heapsnap.Array:
	case heapsnap.Hidden:
		return s.RawName(n) == "system / PromiseReaction"
	case heapsnap.Closure:
		return s.EdgeType(e) == heapsnap.InternalEdge && (s.EdgeName(e) == "bound_function" || s.EdgeName(e) == "bound_this" ||
			s.EdgeName(e) == "context" && s.Script(n) == "")
	default:
		return false
	}
	switch s.EdgeType(e) {
	case heapsnap.PropertyEdge:
		name := s.EdgeName(e)
		return name != "__proto__" && name != "constructor"
	case heapsnap.InternalEdge:
		name := s.EdgeName(e)
		return name != "map" && name != "previous" && name != "scope_info"
	}
	return true
}

package leak

import (
	"strings"

	"heapsnap/heapsnap"
	"heapsnap/jssource"
)

// A waiter is what a promise does when it settles: a reaction, in V8's word.
type waiter struct {
	callback heapsnap.Node // the function given to then, catch or finally; NoNode without
	call     heapsnap.Node // the suspended call of an async function or generator; NoNode without
	derived  heapsnap.Node // the promise made of it, or settled by it; NoNode without
	born     int
}

// suspended returns the function of a call that is suspended at await or
// yield. V8's JSGeneratorObject, with the fields function and
// parameters_and_registers, stands for calls of async functions too; a
// generator's own is named after the function (Node 18 to 26).
func (p *Pass) suspended(n heapsnap.Node) heapsnap.Node {
	if p.s.Type(n) != heapsnap.Object || p.s.Internal(n, "parameters_and_registers") == heapsnap.NoNode {
		return heapsnap.NoNode
	}
	return p.s.Internal(n, "function")
}

func (p *Pass) isPromise(n heapsnap.Node) bool {
	return p.s.Type(n) == heapsnap.Object && p.s.Internal(n, "reactions_or_result") != heapsnap.NoNode
}

// reactions returns the first reaction of a pending promise, NoNode of another.
func (p *Pass) reactions(promise heapsnap.Node) heapsnap.Node {
	if p.s.Type(promise) != heapsnap.Object {
		return heapsnap.NoNode
	}
	first := p.s.Internal(promise, "reactions_or_result")
	if first == heapsnap.NoNode || p.s.RawName(first) != "system / PromiseReaction" {
		return heapsnap.NoNode
	}
	return first
}

// waiters returns what waits for a promise, newest first. A reaction refers by
// numbered edges to the next reaction, two handlers and a promise, in this
// order; Node 22 and later have the async context before them, so that what an
// edge leads to says what it is.
func (p *Pass) waiters(promise heapsnap.Node) []waiter {
	const most = 1_000_000
	s := p.s
	var all []waiter
	for r := p.reactions(promise); r != heapsnap.NoNode && len(all) < most; {
		w := waiter{heapsnap.NoNode, heapsnap.NoNode, heapsnap.NoNode, 0}
		next := heapsnap.NoNode
		for e := range s.Edges(r) {
			if s.EdgeType(e) != heapsnap.HiddenEdge {
				continue
			}
			to := s.To(e)
			switch {
			case s.RawName(to) == "system / PromiseReaction":
				next = to
				continue
			case p.suspended(to) != heapsnap.NoNode: // the capability of an async function is its generator
				w.call = to
			case s.Type(to) == heapsnap.Closure && p.functionAt(to, "") != nil:
				w.callback = to
			case s.Type(to) == heapsnap.Closure:
				p.readHandler(to, &w)
			case p.isPromise(to) || s.RawName(to) == "Promise":
				if w.derived == heapsnap.NoNode {
					w.derived = to
				}
			default:
				continue
			}
			w.born = max(w.born, p.d.Cohort(to))
		}
		if w.call != heapsnap.NoNode {
			w.born = p.d.Cohort(w.call)
		}
		all = append(all, w)
		r = next
	}
	return all
}

// readHandler finds out what one of V8's own functions goes on with: its scope
// has a suspended call (await) or a promise (race, any, then of a promise that
// another was resolved with).
func (p *Pass) readHandler(handler heapsnap.Node, w *waiter) {
	ctx := p.s.Internal(handler, "context")
	if ctx == heapsnap.NoNode || !p.isContext(ctx) {
		return
	}
	for e := range p.s.Edges(ctx) {
		to := p.s.To(e)
		switch {
		case p.suspended(to) != heapsnap.NoNode:
			w.call = to
		case p.s.EdgeType(e) == heapsnap.HiddenEdge && p.s.RawName(to) == "Promise":
			w.derived = to
		}
	}
}

// settles returns the promise that a resolve or reject function settles: a
// function of V8's own whose scope has just that (Node 18 to 26).
func (p *Pass) settles(closure heapsnap.Node) heapsnap.Node {
	s := p.s
	if s.Type(closure) != heapsnap.Closure || s.RawName(closure) != "" || s.Location(closure) != nil {
		return heapsnap.NoNode
	}
	ctx := s.Internal(closure, "context")
	if ctx == heapsnap.NoNode || !p.isContext(ctx) {
		return heapsnap.NoNode
	}
	for e := range s.Edges(ctx) {
		if to := s.To(e); s.EdgeType(e) == heapsnap.HiddenEdge && s.RawName(to) == "Promise" {
			return to
		}
	}
	return heapsnap.NoNode
}

// settledThrough returns the pending promise that an entry of a collection can
// settle: it is the resolve function, has it as a property, or is a function
// that sees it.
func (p *Pass) settledThrough(entry heapsnap.Node) heapsnap.Node {
	s := p.s
	if promise := p.settles(entry); promise != heapsnap.NoNode {
		return promise
	}
	from, kind := entry, heapsnap.PropertyEdge
	if s.Type(entry) == heapsnap.Closure {
		if from, kind = s.Internal(entry, "context"), heapsnap.ContextEdge; from == heapsnap.NoNode || p.d.Cohort(from) == 0 {
			return heapsnap.NoNode
		}
	}
	for e := range s.Edges(from) {
		if t := s.EdgeType(e); t != kind && (kind != heapsnap.PropertyEdge || t != heapsnap.ElementEdge) {
			continue
		}
		if promise := p.settles(s.To(e)); promise != heapsnap.NoNode {
			return promise
		}
	}
	return heapsnap.NoNode
}

// firstOf returns the promise at which a wait begins: the promise that n waits
// for, the one that this waits for, and so on.
func (p *Pass) firstOf(n heapsnap.Node) heapsnap.Node {
	const maxHops = 100_000
	seen := map[heapsnap.Node]bool{n: true}
	for range maxHops {
		above := p.waitsFor(n)
		if above == heapsnap.NoNode || seen[above] {
			return n
		}
		seen[above] = true
		n = above
	}
	return n
}

// waitsFor returns the pending promise among whose reactions is one that goes
// on with the promise n: by then, by an async function that is suspended, or
// because n was resolved with it.
func (p *Pass) waitsFor(n heapsnap.Node) heapsnap.Node {
	const maxNodes = 50
	s := p.s
	queue := []heapsnap.Node{n}
	for head := 0; head < len(queue) && len(queue) < maxNodes; head++ {
		for from, e := range s.Retainers(queue[head]) {
			if t := s.EdgeType(e); t != heapsnap.HiddenEdge && t != heapsnap.InternalEdge {
				continue
			}
			switch {
			case from != n && p.reactions(from) != heapsnap.NoNode:
				return from
			case s.RawName(from) == "system / PromiseReaction", p.suspended(from) != heapsnap.NoNode,
				p.isContext(from) && s.Internal(from, "previous") != heapsnap.NoNode && !p.isContext(s.Internal(from, "previous")) && head > 0,
				p.isContext(from) && s.EdgeType(e) == heapsnap.HiddenEdge && head == 0,
				s.Type(from) == heapsnap.Closure && s.Location(from) == nil:
				queue = append(queue, from)
			}
		}
	}
	return heapsnap.NoNode
}

// settler says in words who could settle a promise.
func (p *Pass) settler(promise heapsnap.Node) string {
	s := p.s
	for _, st := range p.holdersOf(promise) {
		if s.RawName(st.From) == "system / PromiseReaction" || p.suspended(st.From) != heapsnap.NoNode {
			return "" // made by then or an async function: it settles when that does
		}
		if !p.isContext(st.From) || s.EdgeType(st.Edge) != heapsnap.HiddenEdge {
			continue
		}
		for _, f := range p.holdersOf(st.From) {
			if s.EdgeType(f.Edge) != heapsnap.InternalEdge || s.EdgeName(f.Edge) != "context" || p.settles(f.From) != promise {
				continue
			}
			if name := p.referenceName(f.From, 3); name != "" {
				return "what would settle it is the function " + name
			}
		}
	}
	for _, st := range p.holdersOf(promise) {
		if p.isContext(st.From) && s.EdgeType(st.Edge) == heapsnap.HiddenEdge {
			return ""
		}
	}
	return "nothing in the heap refers to its resolve function any more: it can never settle"
}

// awaits returns the lines of a function at which it may be suspended, those
// first that await something called name.
func (p *Pass) awaits(function Location, name string) []Location {
	src := p.file(function.File)
	if src == nil {
		return nil
	}
	from, to := src.body(function)
	var named, all []Location
	for i := from; i < to; i++ {
		t := src.Tokens[i]
		if t.Text != "await" && t.Text != "yield" || t.Within != function.Function && function.Function != "(anonymous)" {
			continue
		}
		end := i + 1
		for end < to && src.Tokens[end].Text != ";" && src.Tokens[end].Text != "await" && src.Tokens[end].Text != "}" {
			if m := src.Tokens[end].Match; m > end {
				end = m
			}
			end++
		}
		l := src.location(function.File, i, "waits here")
		all = append(all, l)
		if name != "" && (mentions(src.Tokens[i:min(end, to)], name) || src.callsReaderOf(src.Tokens[i:min(end, to)], name)) {
			named = append(named, l)
		}
	}
	if len(named) > 0 {
		return named
	}
	if all = p.compact(all); len(all) == 1 {
		return all
	}
	return nil
}

// callsReaderOf reports whether tokens call a function of this file that
// mentions name.
func (src *source) callsReaderOf(tokens []jssource.Token, name string) bool {
	called := map[string]bool{}
	for i, t := range tokens {
		if i+1 < len(tokens) && tokens[i+1].Text == "(" {
			called[t.Text] = true
		}
	}
	for _, t := range src.Tokens {
		if t.Text == name && called[t.Within] {
			return true
		}
	}
	return false
}

// body returns the tokens of the function whose parameters, or name, stand at
// l: from its head to its closing bracket, or to the end of an arrow
// function's expression.
func (src *source) body(l Location) (from, to int) {
	at := src.Offset(l.Line, l.Column)
	for from < len(src.Tokens) && src.Tokens[from].Offset < at {
		from++
	}
	for i := from; i < len(src.Tokens); i++ {
		switch src.Tokens[i].Text {
		case "(", "[":
			if m := src.Tokens[i].Match; m > i {
				i = m
			}
		case "{":
			if m := src.Tokens[i].Match; m > i {
				return from, m
			}
		case ";", ")", "]", "}":
			return from, i
		}
	}
	return from, len(src.Tokens)
}

// promiseName is the variable or property that a promise is in, alone, free of
// what marks a private name.
func (p *Pass) promiseName(promise heapsnap.Node) string {
	return strings.TrimPrefix(p.shortName(promise), ".")
}

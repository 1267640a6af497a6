package leak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var promiseRule = Rule{
	Name:  "promise",
	Title: "More and more waits for promises that do not settle",
	Cause: "An async function that awaits a promise keeps all its variables until the promise settles. If that never " +
		"happens (an answer that is lost, a lock that is not given back, an event that does not come) every call stays. " +
		"Promise.race and any add to each of their promises; one that lives as long as the process collects all of it. " +
		"An async function that returns its own next call makes a chain, in which each promise waits for the next.",
	Sign: "A pending Promise has PromiseReactions of every round, behind them Generators (suspended calls) or " +
		"functions given to then; or a Map or Set has resolve functions of every round.",
	Fix: "Settle every promise: reject it after a time (AbortSignal.timeout), and take its resolve function out of the " +
		"list that has it. Do not race against a promise that lives long: use an AbortSignal or an event, and remove the " +
		"listener. Write loops as loops.",
	Before: `const stopped = new Promise((resolve) => process.once('SIGTERM', resolve));
async function run(job) {
  return Promise.race([job.result(), stopped]);      // stopped keeps what is raced
}`,
	After: `let stop;
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
async function run(job) {
  return job.result({ signal: stopping.signal });
}`,
	Links: []string{
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/Promise/race",
		"https://developer.mozilla.org/en-US/docs/Web/API/AbortSignal/timeout_static",
	},
	explain: explainPromise,
}

func explainPromise(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if p.reactions(holder) != heapsnap.NoNode {
		if c := explainPending(p, holder); c != nil {
			return c
		}
	}
	if c := explainResolvers(p, g, holder); c != nil {
		return c
	}
	return explainPromiseChain(p, g, holder)
}

// explainPending is one old promise that more and more waits for.
func explainPending(p *Pass, promise heapsnap.Node) *claim {
	var calls, callbacks, others []waiter
	for _, w := range p.waiters(promise) {
		switch {
		case w.born == 0:
		case w.call != heapsnap.NoNode:
			calls = append(calls, w)
		case w.callback != heapsnap.NoNode:
			callbacks = append(callbacks, w)
		default:
			others = append(others, w)
		}
	}
	const minWaiters = 2 // one is a program that waits
	if len(calls)+len(callbacks)+len(others) < minWaiters {
		return nil
	}
	o := p.describe(promise)
	name := p.promiseName(promise)
	c := &claim{specific: mechanism, holder: o, node: promise}
	if text := p.settler(promise); text != "" {
		c.evidence = append(c.evidence, text)
	}
	switch {
	case len(calls) >= max(len(callbacks), len(others)):
		function := p.explainCalls(c, waitingCalls(calls), name)
		c.title = fmt.Sprintf("calls of %s wait for %s, which does not settle", function, o.Name)
		c.identity = []string{"await", o.Name, function}
		c.fix = fmt.Sprintf("Let the wait end: settle the promise, or give up after a time (Promise of a timeout, AbortSignal.timeout), so that %s goes on and its variables can go.", function)
	case len(callbacks) >= len(others):
		var closures []heapsnap.Node
		for _, w := range callbacks {
			closures = append(closures, w.callback)
		}
		c.title = fmt.Sprintf("functions are given to %s with then, and it does not settle", o.Name)
		c.identity = []string{"then", o.Name}
		c.entries, c.unit = p.count(closures), "functions"
		c.survivor = closures[len(closures)/4]
		for _, pl := range p.places(closures, "function that waits") {
			around := p.calls(pl.File, []string{"then", "catch", "finally"}, "waits here", func(src *source, open int) bool { return src.spans(open, pl.Location) })
			c.where = append(append(c.where, around...), pl.Location)
		}
		if text := p.captured(closures[0]); text != "" {
			c.evidence = append(c.evidence, text)
		}
		c.fix = "A function given to then cannot be taken back. Use an EventEmitter or an AbortSignal for what is told to many, and remove the listener when its owner ends."
	default:
		per := make([]int, p.d.Captures-1)
		for _, w := range others {
			per[w.born-1]++
			if w.derived != heapsnap.NoNode && c.survivor == 0 {
				c.survivor = w.derived
			}
		}
		c.title = fmt.Sprintf("Promise.race or any is called with %s again and again, and it does not settle", o.Name)
		c.identity = []string{"race", o.Name}
		c.entries, c.unit = per, "reactions"
		c.where = p.combinators(promise, name)
		c.fix = "Each race adds reactions to all its promises, and they stay until that promise settles. Do not race against a promise that lives long: listen for an event or on an AbortSignal, and remove the listener when the other side has won."
	}
	c.where = p.compact(c.where)
	return c
}

// combinators returns the lines that pass the promise to race, any, all or
// allSettled.
func (p *Pass) combinators(promise heapsnap.Node, name string) []Location {
	const maxFiles, most = 100, 3
	scripts := p.scripts(promise, nil)
	scripts = scripts[:min(len(scripts), maxFiles)]
	find := func(accept func(src *source, open int) bool) []Location {
		for _, script := range scripts {
			found := p.calls(script, []string{"race", "any", "allSettled", "all"}, "adds to the promise", func(src *source, open int) bool {
				return open >= 3 && src.Tokens[open-3].Text == "Promise" && src.Tokens[open].Match > open && accept(src, open)
			})
			if len(found) > 0 {
				return found[:min(len(found), most)]
			}
		}
		return nil
	}
	if name != "" {
		if found := find(func(src *source, open int) bool { return mentions(src.Tokens[open:src.Tokens[open].Match], name) }); found != nil {
			return found
		}
	}
	return find(func(src *source, open int) bool {
		return src.Tokens[open-1].Text == "race" || src.Tokens[open-1].Text == "any"
	})
}

func waitingCalls(waiters []waiter) []heapsnap.Node {
	var calls []heapsnap.Node
	for _, w := range waiters {
		if w.call != heapsnap.NoNode {
			calls = append(calls, w.call)
		}
	}
	return calls
}

// explainCalls fills in what suspended calls tell: how many, of which function
// and at which line. It returns the function's name.
func (p *Pass) explainCalls(c *claim, calls []heapsnap.Node, awaited string) string {
	var functions []heapsnap.Node
	for _, call := range calls {
		functions = append(functions, p.suspended(call))
	}
	c.entries, c.unit = p.count(calls), "suspended calls"
	c.survivor = calls[len(calls)/4]
	name := ""
	for _, pl := range p.places(functions, "function that waits") {
		if name == "" {
			name = pl.Function + "()"
		}
		c.where = append(append(c.where, p.awaits(pl.Location, awaited)...), pl.Location)
	}
	if variable, bytes := p.largestLocal(calls[len(calls)/4]); bytes > 0 {
		c.evidence = append(c.evidence, fmt.Sprintf("each call keeps %s of its variables alive, about %d bytes", variable, bytes))
	}
	if name == "" {
		name = p.functionName(functions[0]) + "()"
	}
	return name
}

// largestLocal returns what a suspended call keeps most of: V8 has no names
// for locals, so it is the class.
func (p *Pass) largestLocal(call heapsnap.Node) (what string, bytes uint64) {
	registers := p.s.Internal(call, "parameters_and_registers")
	if registers == heapsnap.NoNode {
		return "", 0
	}
	for e := range p.s.Edges(registers) {
		to := p.s.To(e)
		switch p.s.Type(to) {
		case heapsnap.Object, heapsnap.Array, heapsnap.String:
		default:
			continue
		}
		if p.d.Cohort(to) > 0 && !p.isContext(to) && p.suspended(to) == heapsnap.NoNode && p.s.RetainedSize(to) > bytes {
			what, bytes = p.class(to), p.s.RetainedSize(to)
		}
	}
	return what, bytes
}

// explainResolvers is a collection of resolve functions that nobody calls.
func explainResolvers(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if g.Holder == holder && g.Label != anyEntry || p.isContext(holder) {
		return nil
	}
	kind, items := p.contents(holder)
	if kind == "" || !p.userHeld(holder) {
		return nil
	}
	var entries, promises, calls []heapsnap.Node
	fresh := 0
	for _, it := range items {
		if it.born == 0 || it.value == heapsnap.NoNode {
			continue
		}
		fresh++
		promise := p.settledThrough(it.value)
		if promise == heapsnap.NoNode {
			continue
		}
		// Somebody waits for it, or it would be no loss.
		waiters := p.waiters(promise)
		if len(waiters) == 0 {
			continue
		}
		entries = append(entries, it.value)
		promises = append(promises, promise)
		calls = append(calls, waitingCalls(waiters)...)
	}
	if len(entries) < 2 || len(entries)*5 < fresh*4 {
		return nil
	}
	o := p.describe(holder)
	c := &claim{
		specific: special,
		title:    fmt.Sprintf("promises are waited for that are never settled: their resolve functions stay in %s", o.Name),
		holder:   o,
		node:     holder,
		identity: []string{"resolvers", o.Name},
	}
	adders := p.addersOf(holder, anyEntry, entries)
	if len(calls) > 0 {
		function := p.explainCalls(c, calls, "")
		c.evidence = append([]string{fmt.Sprintf("%d calls of async functions, such as %s, are suspended until then", len(calls), function)}, c.evidence...)
	}
	c.where = p.compact(append(adders, c.where...))
	c.entries, c.unit = p.count(promises), "promises"
	c.survivor = entries[len(entries)*3/4]
	name := strings.TrimSpace(kind + " " + p.shortName(holder))
	c.fix = fmt.Sprintf("Settle every promise once, also when no answer comes: reject it after a time or when the connection ends, and take it out of %s in the same place.", name)
	return c
}

// explainPromiseChain is a promise that waits for a promise that waits for a
// promise: on the way to the oldest survivors promises repeat.
func explainPromiseChain(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	const minChain = 8 // a few async functions that call each other are no chain
	const maxHops = 200_000
	n := p.deepest(g)
	if n == heapsnap.NoNode {
		return nil
	}
	var promises, calls, callbacks []heapsnap.Node // deepest first
	hops := 0
	for ; hops < maxHops && n != p.s.Root() && p.d.Cohort(n) > 0; hops++ {
		switch {
		case p.s.RawName(n) == "Promise" && p.s.Type(n) == heapsnap.Object:
			promises = append(promises, n)
			for _, w := range p.waiters(n) {
				if w.callback != heapsnap.NoNode {
					callbacks = append(callbacks, w.callback)
				}
			}
		case p.suspended(n) != heapsnap.NoNode:
			calls = append(calls, n)
		}
		n = p.s.Dominator(n)
	}
	links := max(len(promises), len(calls))
	if links < minChain || links*12 < hops {
		return nil // something else makes it deep
	}
	o := p.describeFor(g, holder)
	first := promises[len(promises)-1]
	if p.isPromise(holder) {
		first = holder
	}
	first = p.firstOf(first)
	if p.isPromise(holder) {
		o = p.describe(first)
	}
	c := &claim{
		specific: special,
		title:    fmt.Sprintf("a chain of promises, each waiting for the next, hangs on %s", o.Name),
		holder:   o,
		node:     holder,
		identity: []string{"chain", o.Name},
	}
	const newest = 4 // tails are kept where the chain is added to
	tails := slices.Clone(promises[:min(len(promises), newest)])
	for _, promise := range tails {
		for _, w := range p.waiters(promise) {
			tails = append(tails, w.derived)
		}
	}
	for _, tail := range tails {
		if tail == heapsnap.NoNode || !p.userHeld(tail) {
			continue
		}
		if r := p.reference(tail); r.kind == "variable" && p.d.Cohort(r.owner) == 0 || r.kind == "property" {
			name := p.referenceName(tail, 3)
			c.title = fmt.Sprintf("promises are chained through %s, and the first of them does not settle", name)
			c.identity[1] = name
			break
		}
	}
	for i := range p.s.NodeCount() { // the last call may be suspended beside the chain
		n := heapsnap.Node(i)
		if len(calls) == 0 && p.d.Cohort(n) > 0 && p.d.SiteOf(n) == g && p.suspended(n) != heapsnap.NoNode {
			calls = append(calls, n)
		}
	}
	function := ""
	var functions []heapsnap.Node
	for _, call := range calls {
		functions = append(functions, p.suspended(call))
	}
	for _, pl := range p.places(functions, "function that waits for its next call") {
		again := p.calls(pl.File, []string{pl.Function}, "waits for its own next call", func(src *source, open int) bool {
			return src.Tokens[open].Within == pl.Function
		})
		if len(again) > 0 && function == "" {
			function = pl.Function + "()"
			c.title = fmt.Sprintf("each call of %s waits for the next: a chain of promises that never ends", function)
		}
		c.where = append(append(c.where, again...), pl.Location)
	}
	for _, pl := range p.places(callbacks, "function that waits") {
		around := p.calls(pl.File, []string{"then", "catch", "finally"}, "waits for the promise before", func(src *source, open int) bool { return src.spans(open, pl.Location) })
		c.where = append(append(c.where, around...), pl.Location)
	}
	c.where = p.compact(c.where)
	c.identity = append(c.identity, function)
	c.evidence = append(c.evidence, fmt.Sprintf("%d promises in a row, each settled only when the one before it is", len(promises)))
	if text := p.settler(first); text != "" {
		c.evidence = append(c.evidence, "of the first, "+text)
	}
	slices.SortStableFunc(promises, func(a, b heapsnap.Node) int { return cmp.Compare(p.d.Cohort(a), p.d.Cohort(b)) })
	c.entries, c.unit = p.count(promises), "promises"
	c.survivor = promises[len(promises)*3/4]
	if function != "" {
		c.fix = fmt.Sprintf("Write %s as a loop (for (;;) { await ... }), or start the next call without returning or awaiting it.", function)
	} else {
		c.fix = "The first promise of the chain never settles, so none does. Let every step end, also when it fails or hangs: give it a time limit before the next is chained to it."
	}
	return c
}

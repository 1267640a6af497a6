package leak

import (
	"fmt"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var closureRule = Rule{
	Name:  "closure",
	Title: "Functions are kept, and with them all variables they could see",
	Cause: "A function is stored for every request or job; or each new function sees the one before through a variable " +
		"of its scope, so that a chain grows. All functions written in one scope share its variables: a variable " +
		"that only one of them reads is kept by every other.",
	Sign: "Survivors are reached through closure, context and a variable, again and again; or an old collection has closures of every round.",
	Fix: "Let the kept function see less: set the variable to null when it is done with, take what is needed into a " +
		"variable of its own in an outer function, or drop the function from where it is kept.",
	Before: `function reconnect() {
  const previous = current;                            // seen by explain() ...
  const explain = () => previous && previous.name;
  current = { onMessage() { return hello; } };         // ... and so kept by onMessage() too
}`,
	After: `function reconnect() {
  const name = current && current.name;
  const explain = () => name;
  current = { onMessage() { return hello; } };
}`,
	Links:   []string{"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Guide/Closures#performance_considerations"},
	explain: explainClosure,
}

// minLinks is how often a variable must lead from one closure's scope to the
// next before it counts as a chain.
const minLinks = 3

func explainClosure(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if c := explainChain(p, g, holder); c != nil {
		return c
	}
	return explainKept(p, g, holder)
}

// explainChain looks at the dominators of the oldest survivors: where a scope
// keeps a variable that keeps a function that keeps a scope, they repeat.
func explainChain(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	const maxHops = 100_000
	deepest := p.deepest(g)
	if deepest == heapsnap.NoNode {
		return nil
	}
	links := map[string]int{} // variable -> how often it leads from a scope to the next
	functions := map[heapsnap.Node]bool{}
	var closures []heapsnap.Node
	n := deepest
	for hops := 0; hops < maxHops && n != p.s.Root() && p.d.Cohort(n) > 0; hops++ {
		above := p.s.Dominator(n)
		if p.isContext(above) && p.d.Cohort(above) > 0 {
			for e := range p.s.Edges(above) {
				if p.s.To(e) == n && p.s.EdgeType(e) == heapsnap.ContextEdge {
					links[p.s.EdgeName(e)]++
				}
			}
		}
		if p.s.Type(above) == heapsnap.Closure && !functions[above] {
			functions[above] = true
			closures = append(closures, above)
		}
		n = above
	}
	best := ""
	for name, count := range links {
		if count > links[best] || count == links[best] && name < best {
			best = name
		}
	}
	if links[best] < minLinks {
		return nil
	}
	o := p.describeFor(g, holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("each function keeps the one before it through its variable %q", best),
		holder:   o,
		node:     holder,
		survivor: p.secondLink(closures),
		identity: []string{o.Name, best},
	}
	for _, pl := range p.places(closures, "keeps the scope alive") {
		c.where = append(c.where, pl.Location)
	}
	if len(c.where) > 0 {
		c.where = append(c.where, p.declarations(c.where[0].File, best)...)
	}
	c.where = append(c.where, p.addersOf(holder, g.Label, g.Entries)...)
	c.where = p.compact(c.where)
	c.entries, c.unit = p.countFunctions(g, closures)
	c.evidence = append(c.evidence,
		fmt.Sprintf("a chain of %d scopes, each keeping the next through variable %q", links[best], best))
	c.fix = fmt.Sprintf("All functions written in one scope share its variables, also those they do not read. Take %q out of that scope: "+
		"copy what is needed of it into another variable, set it to null when done, or move the function that is kept to a function of its own.", best)
	return c
}

// explainKept is a collection of functions that are nobody's listeners.
func explainKept(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	kind, items := p.contents(holder)
	if kind == "" || g.Holder == holder && g.Label != anyEntry {
		return nil
	}
	var closures []heapsnap.Node
	fresh := 0
	for _, it := range items {
		if it.born == 0 || it.value == heapsnap.NoNode {
			continue
		}
		fresh++
		if p.s.Type(it.value) == heapsnap.Closure {
			closures = append(closures, it.value)
		}
	}
	if len(closures) < 2 || len(closures)*5 < fresh*4 {
		return nil
	}
	o := p.describe(holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("functions are put into %s and stay there", o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(closures),
		unit:     "functions",
		identity: []string{o.Name},
		survivor: closures[len(closures)*3/4],
	}
	places := p.places(closures, "function that is kept")
	for _, pl := range places {
		c.where = append(c.where, pl.Location)
	}
	c.where = p.compact(append(c.where, p.addersOf(holder, anyEntry, closures)...))
	if text := p.captured(closures[len(closures)-1]); text != "" {
		c.evidence = append(c.evidence, text)
	}
	c.fix = fmt.Sprintf("Take functions out of %s %s when they are done with, or keep only the last few; and let them see no more than they need.", kind, p.shortName(holder))
	return c
}

// deepest returns a survivor far down: one of the first cohort that retains
// nearly nothing and has the longest row of dominators among a sample.
func (p *Pass) deepest(g *diff.GrowthSite) heapsnap.Node {
	depth := make([]int32, p.s.NodeCount()) // node -> how many of its dominators are of the site
	best, bestDepth := heapsnap.NoNode, int32(0)
	for _, n := range p.s.DominatorOrder() {
		if p.d.Cohort(n) == 0 || p.d.SiteOf(n) != g {
			continue
		}
		d := depth[p.s.Dominator(n)] + 1
		depth[n] = d
		if d > bestDepth {
			best, bestDepth = n, d
		}
	}
	return best
}

func (p *Pass) secondLink(closures []heapsnap.Node) heapsnap.Node {
	// closures are deepest first: the last is nearest to the holder.
	if n := len(closures); n > 1 {
		return closures[n-2]
	}
	return 0
}

// countFunctions counts the survivors written where the chain's functions are.
func (p *Pass) countFunctions(g *diff.GrowthSite, chain []heapsnap.Node) ([]int, string) {
	places := p.places(chain, "")
	if len(places) == 0 {
		return nil, ""
	}
	want := places[0]
	var nodes []heapsnap.Node
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.d.Cohort(n) == 0 || p.s.Type(n) != heapsnap.Closure || p.d.SiteOf(n) != g {
			continue
		}
		if l := p.s.Location(n); l != nil && l.Script == want.File && l.Line == want.Line && l.Column == want.Column {
			nodes = append(nodes, n)
		}
	}
	return p.count(nodes), "functions"
}

// declarations returns where a variable is declared in a script.
func (p *Pass) declarations(script, name string) []Location {
	src := p.file(script)
	if src == nil {
		return nil
	}
	var found []Location
	for i, t := range src.Tokens {
		if t.Text == name && i > 0 && (src.Tokens[i-1].Text == "const" || src.Tokens[i-1].Text == "let" || src.Tokens[i-1].Text == "var") {
			found = append(found, src.location(script, i, "declares the variable"))
		}
	}
	return found
}

package leak

import (
	"fmt"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var symbolRule = Rule{
	Name:  "symbol",
	Title: "Symbol.for is called with ever new names",
	Cause: "Symbol.for keeps each symbol under its name for ever, for the whole process: V8 does not collect its registry. " +
		"A name that is made of a request, a user or a file makes a new one each time.",
	Sign: "V8's strong roots have symbols of every round.",
	Fix: "Use Symbol.for with names that are written in the program. For a key of one's own use Symbol(), a string, or a " +
		"Map by object.",
	Before: "const key = Symbol.for(`session:${id}`);",
	After:  "const SESSION = Symbol('session');\nrequest[SESSION] = id;",
	Links: []string{
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/Symbol/for",
	},
	explain: explainSymbol,
}

// explainSymbol recognises growth of V8's roots by symbols: the table of
// Symbol.for is one of the strong roots (Node 18 to 26).
func explainSymbol(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if p.s.Type(holder) != heapsnap.Synthetic {
		return nil
	}
	byRound := make([][]heapsnap.Node, p.d.Captures)
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if c := p.d.Cohort(n); c > 0 && p.s.Type(n) == heapsnap.Symbol && p.d.SiteOf(n) == g {
			byRound[c] = append(byRound[c], n)
		}
	}
	var symbols []heapsnap.Node
	for _, nodes := range byRound {
		symbols = append(symbols, nodes...)
	}
	// Each symbol has a name, and that may be of several parts.
	if all := g.Survivors().Count; len(symbols) < 2 || len(symbols)*4 < all {
		return nil
	}
	c := &claim{
		specific: mechanism,
		title:    "Symbol.for is called with ever new names, and V8 keeps them all",
		holder:   Object{Class: p.class(holder), ID: p.s.ID(holder), Name: "the registry of Symbol.for"},
		node:     holder,
		entries:  p.count(symbols),
		unit:     "symbols",
		identity: []string{"Symbol.for"},
		survivor: symbols[len(symbols)*3/4],
		fix:      "Call Symbol.for only with names that are written in the program; for anything made of data use a string or a Map that is bounded.",
	}
	for _, n := range symbols[max(0, len(symbols)-3):] {
		if name := p.s.Internal(n, "name"); name != heapsnap.NoNode {
			c.sample = append(c.sample, fmt.Sprintf("%q", p.s.Name(name)))
		}
	}
	c.where = p.callsInProgram([]string{"for"}, "makes the symbol", func(src *source, open int) bool {
		return open >= 3 && src.Tokens[open-3].Text == "Symbol" && src.isComputed(open)
	})
	return c
}

// callsInProgram returns the calls in the first of the program's scripts that
// has one: files of its own before those of packages.
func (p *Pass) callsInProgram(names []string, role string, accept func(src *source, open int) bool) []Location {
	const maxFiles = 300
	scripts := p.scripts(p.s.Root(), nil)
	for _, script := range scripts[:min(len(scripts), maxFiles)] {
		if found := p.calls(script, names, role, accept); len(found) > 0 {
			return found
		}
	}
	return nil
}

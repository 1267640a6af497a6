package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var globalRule = Rule{
	Name:  "global",
	Title: "A global collects",
	Cause: "Something is hung on globalThis: under ever new names, or into a collection that is global, often because a " +
		"declaration was forgotten. A global lives as long as the process and no module owns it, so nobody cleans up.",
	Sign: "The global object, or a collection that is a property of it, has entries of every round.",
	Fix: "Declare it in the module that owns it, with 'use strict', so that a forgotten declaration is an error; and give " +
		"it a bound, or delete what is done with.",
	Before: `function record(visit) {
  visits = globalThis.visits || [];
  visits.push(visit);
}`,
	After: `'use strict';
const visits = [];
function record(visit) {
  if (visits.push(visit) > 1000) visits.shift();
}`,
	Links: []string{
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/globalThis",
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Strict_mode",
	},
	explain: explainGlobal,
}

func explainGlobal(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if p.isGlobal(holder) {
		return explainGlobalNames(p, g, holder)
	}
	r := p.reference(holder)
	if r.kind != "global" || !p.isGlobal(r.owner) {
		return nil
	}
	c := explainCache(p, g, holder)
	if c == nil {
		return nil
	}
	c.specific = content
	c.title = fmt.Sprintf("the global %s only grows", r.name)
	c.identity = []string{r.name}
	made := p.globalMade(holder, r.name)
	if made != nil && made.Role == undeclared {
		c.evidence = append(c.evidence, fmt.Sprintf("%q is global because it is assigned without const, let or var at line %d", r.name, made.Line))
	}
	if made != nil {
		c.where = p.compact(append(c.where, *made))
	}
	return c
}

func (p *Pass) isGlobal(n heapsnap.Node) bool {
	return p.s.Type(n) == heapsnap.Object && strings.HasPrefix(p.s.RawName(n), "global") && p.s.NearRoot(n)
}

// explainGlobalNames is the global object itself as a collection.
func explainGlobalNames(p *Pass, g *diff.GrowthSite, global heapsnap.Node) *claim {
	if g.Holder == global && g.Label != anyEntry {
		// One global from which something hangs: what that is, is not known.
		made := p.globalMade(global, g.Label)
		if made == nil || g.Swelling {
			return nil
		}
		c := explainGrowth(p, g, global)
		c.specific = container
		c.title = fmt.Sprintf("the global %s keeps more and more %s", g.Label, p.topClass(g))
		c.holder.Name = "globalThis." + g.Label
		c.identity = []string{g.Label}
		c.where = p.compact(append(c.where, *made))
		return c
	}
	c := explainCache(p, g, global)
	if c == nil || g.Swelling {
		return nil
	}
	c.specific = content
	c.title = "globals are made under ever new names, and stay"
	c.holder.Name = "globalThis"
	c.unit = "globals"
	c.identity = []string{"globalThis"}
	constructors := c.where
	c.where = nil
	scripts := p.scripts(global, g.Entries)
	const maxFiles = 300
	for _, name := range []string{"globalThis", "global"} {
		for _, script := range scripts[:min(len(scripts), maxFiles)] {
			for _, u := range p.adders(script, name, false, true) {
				if u.how == usesIndex {
					c.where = append(c.where, u.Location)
				}
			}
		}
	}
	c.where = p.compact(append(c.where, constructors...))
	c.fix = "Put them into a Map of the module that makes them, and delete each when it is done with; or bound the Map."
	return c
}

const undeclared = "makes the global, undeclared"

// globalMade returns the line that makes a global: an assignment to a property
// of globalThis, or to a name that the file does not declare.
func (p *Pass) globalMade(holder heapsnap.Node, name string) *Location {
	const maxFiles = 300
	scripts := p.scripts(holder, nil)
	for _, script := range scripts[:min(len(scripts), maxFiles)] {
		src := p.file(script)
		if src == nil {
			continue
		}
		var found *Location
		declared := false
		for i, t := range src.Tokens {
			if t.Text != name || i+1 >= len(src.Tokens) {
				continue
			}
			before := ""
			if i > 0 {
				before = src.Tokens[i-1].Text
			}
			switch {
			case before == "const" || before == "let" || before == "var" || before == "function" || before == "class":
				declared = true
			case !isAssignment(src.Tokens[i+1].Text):
			case before == "." && i > 1 && (src.Tokens[i-2].Text == "globalThis" || src.Tokens[i-2].Text == "global"):
				l := src.location(script, i, "makes the global")
				return &l
			case before != "." && before != "," && before != "{" && before != "(" && found == nil:
				l := src.location(script, i, undeclared)
				found = &l
			}
		}
		if found != nil && !declared {
			return found
		}
	}
	return nil
}

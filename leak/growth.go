package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// growthRule explains what no other rule knows: it names the holder, the
// reference that grows and the line that writes it.
var growthRule = Rule{
	Name:  "growth",
	Title: "An object keeps more and more others alive",
	Cause: "Something old refers to objects that are made all the time, and nothing takes them out again. " +
		"No rule knows this kind of holder: a list of one's own, a tree, a chain of records, a field that is added to.",
	Sign: "One object of the first capture refers to survivors of every round, or is the head of a chain of them.",
	Fix:  "Find the line that adds, and give it a counterpart that removes, or a bound.",
	Before: `append(record) {
  this.last.next = record;
  this.last = record;
}`,
	After: `append(record) {
  this.last.next = record;
  this.last = record;
  if (++this.length > MAX) this.first = this.first.next;
}`,
	Links:   []string{"https://developer.chrome.com/docs/devtools/memory-problems"},
	explain: explainGrowth,
}

func explainGrowth(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	o := p.describe(holder)
	survivor := typical(p, g)
	c := &claim{
		specific: fallback,
		holder:   o,
		node:     holder,
		survivor: survivor,
		identity: []string{o.Name, g.Label},
	}
	if p.linksOf(holder, g) {
		c.identity = c.identity[:1] // whether .left or .right leads to more is chance
	}
	what := p.topClass(g)
	label := g.Label
	switch {
	case p.isContext(holder) && label != anyEntry:
		c.title = fmt.Sprintf("variable %q keeps more and more %s", label, what)
		c.holder.Name = p.variable(holder, label)
		c.identity[0] = c.holder.Name
	case p.s.Type(holder) == heapsnap.Synthetic:
		c.title = fmt.Sprintf("more and more %s are held by nothing but V8's and Node's own %s", what, strings.Trim(p.class(holder), "()"))
	case label == anyEntry:
		c.title = fmt.Sprintf("%s keeps more and more %s", o.Name, what)
	default:
		c.title = fmt.Sprintf("%s keeps more and more %s through .%s", o.Name, what, label)
	}
	c.where = p.addersOf(holder, label, g.Entries)
	if len(c.where) == 0 || !p.isContext(holder) && label == anyEntry {
		c.where = append(c.where, p.entryPlaces(g)...)
	}
	c.entries, c.unit = p.topUnit(g)
	c.fix = "Look at the line that adds: what should take the object out again, and when? Call that, or keep at most a fixed number."
	return c
}

// linksOf reports whether the holder is of the class of what it holds: of a list
// or tree of one's own.
func (p *Pass) linksOf(holder heapsnap.Node, g *diff.GrowthSite) bool {
	class := p.class(holder)
	return telling(class) && p.s.Type(holder) == heapsnap.Object && len(g.Entries) > 0 && p.class(g.Entries[0]) == class
}

// entryPlaces is where the survivors' functions or constructors are written:
// the second best answer to where they come from.
func (p *Pass) entryPlaces(g *diff.GrowthSite) []Location {
	nodes := g.Entries
	for _, k := range g.Classes {
		nodes = append(nodes[:len(nodes):len(nodes)], k.Sample)
	}
	const most = 3
	var where []Location
	for _, pl := range p.places(nodes, "") {
		pl.Role = "constructor"
		if p.s.Type(pl.node) == heapsnap.Closure {
			pl.Role = "function"
		}
		if where = append(where, pl.Location); len(where) == most {
			break
		}
	}
	return where
}

// telling reports whether a class name says something about a program: V8's
// groups in parentheses and the language's own containers do not.
func telling(class string) bool {
	switch class {
	case "Object", "Array", "Map", "Set", "Function", "Promise", "system / Context", "Error", "Date":
		return false
	}
	return class != "" && class[0] != '('
}

// mainClass is the class of a site's survivors that a person should hear of:
// the most frequent one with a name of its own, else the most frequent.
// The entries' own class goes before what hangs on them.
func (p *Pass) mainClass(g *diff.GrowthSite) *diff.ClassCount {
	if len(g.Entries) > 0 {
		name := p.s.ClassName(g.Entries[len(g.Entries)-1])
		for i := range g.Classes {
			if k := &g.Classes[i]; k.Class == name && telling(name) && 2*k.Total >= g.Classes[0].Total/4 {
				return k
			}
		}
	}
	var best *diff.ClassCount
	for i := range g.Classes {
		k := &g.Classes[i]
		switch {
		case best == nil:
			best = k
		case telling(k.Class) && k.Class[0] != '{' && (!telling(best.Class) || best.Class[0] == '{'):
			best = k
		case telling(k.Class) && !telling(best.Class):
			best = k
		}
	}
	return best
}

func (p *Pass) topClass(g *diff.GrowthSite) string {
	if k := p.mainClass(g); k != nil {
		return k.Class + " objects"
	}
	return "objects"
}

func (p *Pass) topUnit(g *diff.GrowthSite) ([]int, string) {
	if k := p.mainClass(g); k != nil {
		return k.PerRound, k.Class + " objects"
	}
	return nil, ""
}

// typical returns a survivor that stands for many: an entry of the last round
// that is not the newest, or one of the main class where the holder has few.
func typical(p *Pass, g *diff.GrowthSite) heapsnap.Node {
	if n := len(g.Entries); n >= 8 {
		return g.Entries[n*3/4]
	}
	if k := p.mainClass(g); k != nil {
		return k.Sample
	}
	if len(g.Entries) > 0 {
		return g.Entries[0]
	}
	return 0
}

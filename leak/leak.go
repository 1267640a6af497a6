// Package leak explains growth: given a site that package diff found, a rule
// says what kind of thing holds the survivors, which line of the program adds
// to it, and how to mend that. A rule cannot invent a leak, as it is only
// asked about growth that is there; and growth that no rule knows is told by
// the last rule, "growth", with holder, path and line all the same. What stands
// out of a single capture ([Suspects]), and what one process has more of than
// another ([Across]), is explained by the same rules.
//
// The types to know are [Rule], [Pass], which a rule looks around with, and
// [Finding]. To add a rule, add a file with a value of type Rule, name it in
// [Rules], and give it a leaking and a repaired program under fixtures/.
package leak

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// A Rule knows one kind of leak. Its texts are the documentation of the kind.
type Rule struct {
	Name   string // as in reports and `heapsnap explain`
	Title  string // what goes wrong, one line
	Cause  string // why programs do this
	Sign   string // how it shows in a heap
	Fix    string // what to do
	Before string // JavaScript that leaks
	After  string // the same, repaired
	Links  []string

	// explain returns what holder, one of the site's holders, is to this rule,
	// or nil if it is none of its business.
	explain func(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim
}

// Rules returns all rules, by name.
func Rules() []Rule {
	rules := []Rule{
		asyncContextRule,
		bufferRule,
		cacheRule,
		childProcessRule,
		closureRule,
		codeRule,
		errorRule,
		globalRule,
		growthRule,
		listenerRule,
		moduleRule,
		promiseRule,
		socketRule,
		streamRule,
		stringRule,
		symbolRule,
		timerRule,
		weakRule,
		workerRule,
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Name, b.Name) })
	return rules
}

// How specific a claim is; the most specific one explains the site.
const (
	fallback  = 1 // any growth
	container = 2 // a collection of the language
	content   = 3 // a collection, and what is in it matters more
	special   = 4 // a collection of things that have a way of their own to let go
	mechanism = 5 // a mechanism of Node with its own way to let go
)

// A claim is a rule's explanation of a site through one holder.
type claim struct {
	specific   int
	title      string
	holder     Object // as a person names it: the emitter, not its array
	node       heapsnap.Node
	entries    []int  // per round: what a person counts, nil for the site's own
	unit       string // what is counted, plural: "listeners"
	perCapture []int  // entries of the holder in each capture, nil if not known
	where      []Location
	sample     []string
	evidence   []string
	fix        string
	identity   []string      // parts of the fingerprint, free of ids and sizes
	survivor   heapsnap.Node // a typical survivor, the end of the path
	end        string        // see Finding
}

// A Finding is one leak, explained.
type Finding struct {
	Rule        string
	Title       string
	Site        *diff.GrowthSite
	Holder      Object
	Also        []Object // other objects that must let go too
	Path        []Hop
	Location    *Location // nil if nothing gave a line
	Locations   []Location
	Stack       []Location // functions that were being called when most survivors were made; nil without tracking
	Entries     []int      // per round
	Unit        string     // of Entries
	PerCapture  []int      // entries of the holder in each capture, nil if not known
	Sample      []string
	Evidence    []string
	Fix         string
	Fingerprint string

	resource bool   // something of the operating system that must be closed
	lineless bool   // neither heap nor source had a line for it by themselves
	through  string // the package that it is reached through, "" for none
	end      string // of connections: made or accepted, where one process may have both ends
}

// An Object is a heap object in words.
type Object struct {
	Class string
	ID    heapsnap.ObjectID
	Name  string // PriceFeed "feed", event "price"
}

// A Location is a line of the program. Line and Column are 1-based.
type Location struct {
	Function string
	File     string // as the target saw it, or what that was compiled from
	Line     int
	Column   int
	Role     string // what the line does: "adds to the holder", "listener", ...
	Code     string // its text, if the file could be read
	Compiled string // "dist/app.js:1:2345", where a source map led to File from; "" without
	Package  string // "name@version" of the npm package the file belongs to, "" for the program's own
}

// A Hop of a retaining path: Edge leads to Node. The first has no Edge.
type Hop struct {
	Edge string
	Node string
	ID   heapsnap.ObjectID
}

// Options are what an explanation may use besides the heap.
type Options struct {
	// Source returns the text of a script by the name V8 has for it; nil reads
	// files. An error means that there is no source: lines are then told
	// without code, and only where the heap itself knows them.
	Source func(script string) ([]byte, error)
}

// maxExplained is how many sites are explained, the largest first: each is looked
// for in the whole heap, and of what has thousands of places to grow in, such as
// every widget's list, the smallest tell nothing that the others do not.
const maxExplained = 100

// Run explains the sites of d that are leaks or growth, the largest maxExplained of
// them, most harmful first.
func Run(ctx context.Context, d *diff.Diff, opts Options) ([]Finding, error) {
	p := newPass(d, opts)
	var findings []Finding
	for _, g := range d.Sites {
		if g.Judgement != diff.Leak && g.Judgement != diff.Growth {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if why := p.bounded(g); why != "" {
			d.Rejudge(g, diff.Bounded, why)
			continue
		}
		if len(findings) == maxExplained {
			continue
		}
		f, _ := p.explain(g)
		findings = append(findings, f)
	}
	return p.withoutConsequences(findings), nil
}

// explain asks all rules about all holders of a site. The most specific claim
// wins; among equals the holder of the user's own code, then the site's order.
// It returns how specific that claim is.
func (p *Pass) explain(g *diff.GrowthSite) (f Finding, specific int) {
	type answer struct {
		rule *Rule
		c    *claim
		user bool
	}
	const maxHolders = 8 // more are alike
	var best *answer
	rules := Rules()
	byHolder := map[heapsnap.Node]*answer{}
	for _, holder := range g.Holders[:min(len(g.Holders), maxHolders)] {
		user := p.userHeld(holder)
		for i := range rules {
			c := rules[i].explain(p, g, holder)
			if c == nil {
				continue
			}
			a := &answer{&rules[i], c, user}
			if old := byHolder[holder]; old == nil || c.specific > old.c.specific {
				byHolder[holder] = a
			}
			if best == nil || c.specific > best.c.specific || c.specific == best.c.specific && user && !best.user {
				best = a
			}
		}
	}
	c := best.c
	f = Finding{
		Rule: best.rule.Name, Title: c.title, Site: g, Holder: c.holder, Entries: c.entries, Unit: c.unit, PerCapture: c.perCapture,
		Sample: c.sample, Evidence: c.evidence, Fix: c.fix,
		resource: c.specific == resource, lineless: !slices.ContainsFunc(c.where, func(l Location) bool { return ownScript(l.File) }), end: c.end,
	}
	if f.Entries == nil || slices.Contains(f.Entries, 0) && !slices.Contains(g.Count, 0) {
		// What is counted is made anew while what hangs on it stays, as a timer
		// that starts itself again: then all survivors tell more.
		f.Entries, f.Unit = g.Count, "objects"
	}
	for _, holder := range g.Holders {
		if a := byHolder[holder]; a != nil && a.c.holder.ID != c.holder.ID && a.c.holder.Name != c.holder.Name && len(f.Also) < maxHolders &&
			!slices.ContainsFunc(f.Also, func(o Object) bool { return o.ID == a.c.holder.ID }) {
			f.Also = append(f.Also, a.c.holder)
		}
	}
	f.Path = p.path(c.node, c.survivor)
	if len(c.where) > 0 && !ownScript(c.where[0].File) { // the program's own line that adds tells more
		slices.SortStableFunc(c.where, func(a, b Location) int { return cmp.Compare(b2i(ownAdder(b)), b2i(ownAdder(a))) })
	}
	if len(c.where) == 0 || !ownScript(c.where[0].File) {
		own, through := p.callers(g, c.node, c.where)
		c.where = p.compact(append(own, c.where...))
		f.through = through
		if len(own) > 0 && through != "" && c.specific <= content {
			f.Fix = fmt.Sprintf("What grows is inside %s, and this line feeds it. Look for the option that bounds it there (a maximum, an age), or for the call "+
				"that takes back what the line adds (remove, off, unsubscribe, dispose, close), and make that call when the request, connection or job ends.", through)
		}
		if len(own) > 0 && through != "" {
			f.Evidence = append(f.Evidence, fmt.Sprintf("it is reached through the package %s; the first line is the program's own that is nearest to it", through))
		}
	}
	f.Stack = p.allocated(g)
	if len(f.Stack) > 0 && (len(c.where) == 0 || !ownScript(c.where[0].File)) {
		c.where = append([]Location{f.Stack[0]}, c.where...)
	}
	for i := range f.Stack {
		p.addCode(&f.Stack[i])
	}
	for i := range c.where {
		p.addCode(&c.where[i])
		c.where[i].Package = p.packageLabel(c.where[i].File)
	}
	// Of a bundle only its source map tells which lines are the program's own.
	slices.SortStableFunc(c.where, func(a, b Location) int {
		return cmp.Compare(foreign(a), foreign(b))
	})
	if len(c.where) > 0 {
		f.Location, f.Locations = &c.where[0], c.where[1:]
	}
	f.Fingerprint = fingerprint(best.rule.Name, c.identity)
	return f, c.specific
}

// ownAdder reports whether a line is the program's own, and adds to the holder.
func ownAdder(l Location) bool { return l.Role == roleAdds && ownScript(l.File) }

// foreign is 1 for a line that a bundler took from a package, and 0 for others.
func foreign(l Location) int {
	if l.Compiled != "" && !ownScript(l.File) {
		return 1
	}
	return 0
}

// fingerprint is equal for the same leak in another run, process or machine:
// it is made of names, never of ids, sizes or lines.
func fingerprint(rule string, identity []string) string {
	h := sha256.New()
	h.Write([]byte(rule))
	for _, part := range identity {
		h.Write([]byte{0})
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

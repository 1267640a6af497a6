package leak

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var weakRule = Rule{
	Name:  "weak",
	Title: "Weak references that keep something all the same",
	Cause: "A WeakRef lets its object go, but is an object itself, and so is its key: a Map of WeakRefs grows until entries " +
		"are deleted. What is given to FinalizationRegistry.register besides the object is kept until the object is gone: " +
		"if it leads to the object, that is never. A WeakMap keeps a value as long as its key lives, and some keys live " +
		"as long as the process.",
	Sign: "A collection has WeakRefs of every round; a FinalizationRegistry has cells of every round that lead to their own " +
		"targets; a collection that grows is a WeakMap's value under an old key.",
	Fix: "Delete entries whose deref() is undefined, by a FinalizationRegistry or from time to time. Give register() an id " +
		"or a path, not the object nor a function that sees it. Bound what a WeakMap has for an object that lives long.",
	Before: `registry.register(file, () => file.close());          // the function sees the file`,
	After:  `registry.register(file, file.descriptor, file);       // the callback closes the descriptor`,
	Links: []string{
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/FinalizationRegistry",
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/WeakRef",
	},
	explain: explainWeak,
}

func explainWeak(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if p.s.RawName(holder) == "FinalizationRegistry" {
		return explainRegistry(p, g, holder)
	}
	if c := explainWeakRefs(p, g, holder); c != nil {
		return c
	}
	return explainWeakValue(p, g, holder)
}

// explainWeakRefs is a collection of WeakRefs.
func explainWeakRefs(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	c, values := p.collection(g, holder)
	if c == nil {
		return nil
	}
	var refs []heapsnap.Node
	for _, v := range values {
		if p.s.RawName(v) == "WeakRef" && p.s.Type(v) == heapsnap.Object {
			refs = append(refs, v)
			continue
		}
		if p.s.Type(v) != heapsnap.Object {
			continue
		}
		for e := range p.s.Edges(v) {
			if to := p.s.To(e); p.s.EdgeType(e) == heapsnap.PropertyEdge && p.d.Cohort(to) > 0 && p.s.RawName(to) == "WeakRef" {
				refs = append(refs, to)
				break
			}
		}
	}
	if len(refs) < 2 || len(refs)*5 < len(values)*4 {
		return nil
	}
	empty := 0
	for _, ref := range refs {
		if to := p.s.Target(ref, heapsnap.WeakEdge, "target"); to == heapsnap.NoNode || p.s.Type(to) == heapsnap.Hidden {
			empty++
		}
	}
	c.specific = content
	c.title = fmt.Sprintf("WeakRefs stay in %s when what they refer to is gone", c.holder.Name)
	c.entries, c.unit = p.count(refs), "WeakRefs"
	c.survivor = refs[len(refs)*3/4]
	c.evidence = append(c.evidence, fmt.Sprintf("of %d new WeakRefs %d refer to nothing any more", len(refs), empty))
	c.fix = fmt.Sprintf("Delete what deref() answers with undefined from %s: in the callback of a FinalizationRegistry, or whenever it is walked.", c.holder.Name)
	return c
}

// explainRegistry is a FinalizationRegistry. Its cells are a list; a cell has
// its target weakly, and by numbered edges the registry, the held value and its
// neighbours (Node 18 to 26).
func explainRegistry(p *Pass, g *diff.GrowthSite, registry heapsnap.Node) *claim {
	const maxNodes = 300 // a held value leads to its target soon, or by chance
	var held []heapsnap.Node
	leading, cells := 0, 0
	for i := range p.s.NodeCount() {
		cell := heapsnap.Node(i)
		if p.s.RawName(cell) != "system / WeakCell" {
			continue
		}
		mine := false
		value := heapsnap.NoNode
		for e := range p.s.Edges(cell) {
			to := p.s.To(e)
			if p.s.EdgeType(e) != heapsnap.HiddenEdge || p.s.RawName(to) == "system / WeakCell" {
				continue
			}
			if to == registry {
				mine = true
			} else if p.d.Cohort(to) > 0 {
				value = to
			}
		}
		if !mine {
			continue
		}
		cells++
		if value == heapsnap.NoNode {
			continue
		}
		held = append(held, value)
		target := p.s.Target(cell, heapsnap.WeakEdge, "target")
		if target != heapsnap.NoNode && p.reaches(value, maxNodes, func(n heapsnap.Node) bool { return n == target }) {
			leading++
		}
	}
	if len(held) < 2 {
		return nil
	}
	o := p.describe(registry)
	c := &claim{
		specific: mechanism,
		title:    fmt.Sprintf("what is registered with %s stays", o.Name),
		holder:   o,
		node:     registry,
		entries:  p.count(held),
		unit:     "registrations",
		identity: []string{o.Name},
		survivor: held[len(held)*3/4],
		evidence: []string{fmt.Sprintf("it has %d cells", cells)},
		fix:      "Call unregister with a token when the object's work is done, or see that the object is let go.",
	}
	if 2*leading > len(held) {
		c.title = fmt.Sprintf("what is given to %s keeps the registered objects alive", o.Name)
		c.evidence = append(c.evidence, fmt.Sprintf("%d of %d held values lead to their own target, which so cannot be let go", leading, len(held)))
		c.fix = "Give register() a value that does not lead to the object: an id, a path, a descriptor; not the object, nor a function that sees it."
	}
	name := strings.TrimPrefix(p.shortName(registry), ".")
	c.where = p.callsInProgram([]string{"register"}, "registers the object", func(src *source, open int) bool {
		return open >= 3 && (name == "" || src.Tokens[open-3].Text == name)
	})
	for _, pl := range p.places(p.closures(held), "function that is kept") {
		c.where = append(c.where, pl.Location)
	}
	c.where = p.compact(c.where)
	return c
}

// explainWeakValue is a collection that an old key has in a WeakMap.
func explainWeakValue(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	table, key := p.weakMapOf(holder)
	if table == heapsnap.NoNode || p.d.Cohort(key) > 0 {
		return nil
	}
	for _, st := range p.holdersOf(holder) { // what a variable or property keeps too would stay without the WeakMap
		if t := p.s.EdgeType(st.Edge); (t == heapsnap.ContextEdge || t == heapsnap.PropertyEdge) && p.d.Cohort(st.From) == 0 {
			return nil
		}
	}
	c, _ := p.collection(g, holder)
	if c == nil {
		return nil
	}
	keyName := p.describe(key).Name
	c.specific = content
	c.holder.Name = fmt.Sprintf("%s for %s in %s", c.holder.Class, keyName, p.describe(table).Name)
	c.title = fmt.Sprintf("%s only grows, as its key lives on", c.holder.Name)
	c.identity = []string{c.holder.Name}
	if found := p.nestedAdders(holder, table, nil); len(found) > 0 {
		c.where = p.compact(append(found, c.where...))
	}
	c.fix = fmt.Sprintf("A WeakMap lets a value go with its key, and %s lives as long as the process: bound what is kept for it, or take out what is done with.", keyName)
	return c
}

var ephemeron = regexp.MustCompile(` pair in WeakMap \(table @(\d+)\)$`)

// weakMapOf returns the WeakMap that has n as a value, and the key.
func (p *Pass) weakMapOf(n heapsnap.Node) (weakMap, key heapsnap.Node) {
	for _, st := range p.holdersOf(n) {
		m := ephemeron.FindStringSubmatch(p.s.EdgeName(st.Edge))
		if p.s.EdgeType(st.Edge) != heapsnap.InternalEdge || m == nil {
			continue
		}
		id, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			continue
		}
		table, ok := p.s.Find(heapsnap.ObjectID(id))
		if !ok || table == st.From {
			continue
		}
		if owner := p.storageOwner(table); p.s.RawName(owner) == "WeakMap" {
			return owner, st.From
		}
	}
	return heapsnap.NoNode, heapsnap.NoNode
}

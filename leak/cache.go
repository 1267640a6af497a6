package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var cacheRule = Rule{
	Name:  "cache",
	Title: "A Map, Set, object or array only grows",
	Cause: "Something is put into a collection for every request, session or key, and nothing takes it out: a memoize " +
		"map keyed by something unbounded (a full URL, a token), a registry without a way to leave, a log kept in memory.",
	Sign: "An old Map, Set, Array or plain object has entries of every round, and has more references in every capture.",
	Fix: "Bound it (an LRU with a maximum, an age), key it by something finite, delete the entry when its owner ends, " +
		"or use a WeakMap when the key is an object whose life should decide.",
	Before: `const results = new Map();
function search(url) {
  if (!results.has(url)) results.set(url, query(url));   // one entry per URL ever seen
  return results.get(url);
}`,
	After: `const results = new LRUCache({ max: 500 });
function search(url) {
  if (!results.has(url)) results.set(url, query(url));
  return results.get(url);
}`,
	Links: []string{
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/WeakMap",
		"https://github.com/isaacs/node-lru-cache",
	},
	explain: explainCache,
}

func explainCache(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	// A collection holds its survivors as entries; one property of an object
	// that has survivors below is no collection.
	if g.Holder == holder && g.Label != anyEntry {
		return nil
	}
	if p.isContext(holder) {
		return nil
	}
	kind, items := p.contents(holder)
	if kind == "" {
		return nil
	}
	// Collections of one role (a Map per tenant) are one finding: count all.
	alike := 0
	for _, other := range g.Holders {
		if other == holder || p.s.ClassName(other) != p.s.ClassName(holder) || p.referenceName(other, 3) != p.referenceName(holder, 3) {
			continue
		}
		if k, more := p.contents(other); k == kind {
			items = append(items, more...)
			alike++
		}
	}
	per := make([]int, p.d.Captures-1)
	var sample []string
	var values []heapsnap.Node
	for _, it := range items {
		if it.born == 0 {
			continue
		}
		per[it.born-1]++
		if it.value != heapsnap.NoNode {
			values = append(values, it.value)
		}
	}
	if g.Swelling {
		per = g.Count
	} else if total(per) < 2 {
		return nil
	}
	const wanted = 3
	for i := len(items) - 1; i >= 0 && len(sample) < wanted; i-- {
		it := items[i]
		if it.born == 0 && !g.Swelling {
			continue
		}
		switch {
		case it.value == heapsnap.NoNode:
			sample = append(sample, it.key)
		case it.key == "" || kind == "Array":
			sample = append(sample, p.valueText(it.value))
		default:
			sample = append(sample, it.key+": "+p.valueText(it.value))
		}
	}
	o := p.describe(holder)
	c := &claim{
		specific: container,
		title:    fmt.Sprintf("%s only grows", o.Name),
		holder:   o,
		node:     holder,
		entries:  per,
		unit:     "entries",
		sample:   sample,
		identity: []string{kind, p.referenceName(holder, 3)},
		survivor: typicalOf(values, g, p),
	}
	c.where = p.addersOf(holder, anyEntry, values)
	c.where = append(c.where, p.entryPlaces(&diff.GrowthSite{Entries: values, Classes: g.Classes})...)
	if g.Swelling {
		c.where = p.addersOf(holder, anyEntry, nil)
		c.evidence = append(c.evidence, fmt.Sprintf("it takes %d bytes itself: small numbers, or objects that were there before, are put in", p.s.SelfSize(holder)))
		if total(per) == 0 {
			c.entries, c.unit = nil, ""
		}
	} else {
		c.evidence = append(c.evidence, fmt.Sprintf("it has %d entries now, %d of them newer than the first capture", len(items), total(per)))
	}
	if alike > 0 {
		c.evidence = append(c.evidence, fmt.Sprintf("there are %d of its kind that grow in the same way; the figures are of all", alike+1))
	}
	if holder == g.Holder && alike == 0 {
		c.perCapture = entriesPerCapture(g.Population, len(items))
	}
	name := strings.TrimSpace(kind + " " + p.shortName(holder))
	switch kind {
	case "Map", "Object":
		c.fix = fmt.Sprintf("Delete entries of %s when they are no longer needed, key it by something finite, or bound it: an LRU with a maximum or an age. If keys are objects, a WeakMap lets them go by itself.", name)
	case "Set":
		c.fix = fmt.Sprintf("Delete members of %s when they are done with, or bound it by number or age. For objects, a WeakSet lets them go by itself.", name)
	default:
		c.fix = fmt.Sprintf("Take elements out of %s when they are done with, or keep only the last N (shift, or a ring buffer).", name)
	}
	return c
}

// entriesPerCapture turns references per capture into entries: an entry of a
// Map is two references, and what it is in the last capture is known.
func entriesPerCapture(population []int, last int) []int {
	if len(population) == 0 || population[len(population)-1] == 0 {
		return nil
	}
	now := population[len(population)-1]
	var per []int
	for _, n := range population {
		per = append(per, (n*last+now/2)/now)
	}
	return per
}

// shortName is the variable or property that n is in, alone.
func (p *Pass) shortName(n heapsnap.Node) string {
	r := p.reference(n)
	switch r.kind {
	case "variable", "global":
		return r.name
	case "property":
		return "." + r.name
	}
	return ""
}

// valueText shows a value in a few words.
func (p *Pass) valueText(n heapsnap.Node) string {
	const most = 60
	text := ""
	switch p.s.Type(n) {
	case heapsnap.String, heapsnap.ConsString, heapsnap.SlicedString:
		text = fmt.Sprintf("%q", p.s.Name(n))
	case heapsnap.Object:
		text = p.s.Name(n)
	default:
		text = p.class(n)
	}
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}

func typicalOf(nodes []heapsnap.Node, g *diff.GrowthSite, p *Pass) heapsnap.Node {
	if len(nodes) > 0 {
		return nodes[len(nodes)*3/4]
	}
	return typical(p, g)
}

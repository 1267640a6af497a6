package leak

import (
	"fmt"
	"slices"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var stringRule = Rule{
	Name:  "string",
	Title: "Text is kept: large ones by parts of them, or one that only grows",
	Cause: "V8 copies no text that it can refer to. A part of 13 characters or more (slice, substring, split, a match) keeps " +
		"all of the text it is a part of; and text that is added to (log += line) keeps every piece until somebody reads it.",
	Sign: "Sliced strings of every round whose parents are much larger than they are; or an old object's property is a concatenated string with pieces of every round, or a text that is longer in every capture.",
	Fix:  "Copy a part that is kept: Buffer.from(part).toString(). Write what only grows to a file or stream, or keep the last lines of it.",
	Before: `function onBody(body) {
  seen.add(body.slice(7, 43));                         // 36 characters keep all of body
}`,
	After: `function onBody(body) {
  seen.add(Buffer.from(body.slice(7, 43)).toString());
}`,
	Links:   []string{"https://issues.chromium.org/issues/41480525"},
	explain: explainString,
}

func explainString(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if g.Text != nil {
		return explainLonger(p, g, holder)
	}
	if c := explainParts(p, g, holder); c != nil {
		return c
	}
	return explainRope(p, g, holder)
}

// explainParts is about sliced strings, which V8 makes of parts of 13
// characters or more (src/objects/string.h: SlicedString::kMinLength).
func explainParts(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	var parts []heapsnap.Node
	var sizes []uint64
	bytes := uint64(0)
	whole := map[heapsnap.Node]bool{}
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.s.Type(n) != heapsnap.SlicedString || p.d.Cohort(n) == 0 || p.d.SiteOf(n) != g {
			continue
		}
		parent := p.s.Internal(n, "parent")
		if parent == heapsnap.NoNode || p.d.SiteOf(parent) != g {
			continue
		}
		parts = append(parts, n)
		if !whole[parent] {
			whole[parent] = true
			bytes += p.textBytes(parent)
			sizes = append(sizes, p.textBytes(parent))
		}
	}
	// How long a part is, snapshots do not tell. Where a text has so many parts
	// that little of it falls to each, they may well be all of it.
	const wasted = 256
	if len(parts) < 2 || 2*bytes < g.Survivors().Bytes || bytes < wasted*uint64(len(parts)) {
		return nil
	}
	slices.SortStableFunc(parts, func(a, b heapsnap.Node) int { return p.d.Cohort(a) - p.d.Cohort(b) })
	o := p.describeFor(g, holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("parts of texts are put into %s, and keep the whole texts", o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(parts),
		unit:     "parts of texts",
		identity: []string{"parts", o.Name},
		survivor: parts[len(parts)*3/4],
	}
	c.where = p.addersOf(holder, g.Label, g.Entries)
	c.where = p.compact(append(c.where, p.partCalls(c.where, nil,
		[]string{"slice", "substring", "substr", "split", "match", "matchAll", "exec"})...))
	if len(c.where) == 0 {
		c.where = p.knownBy(holder)
	}
	c.evidence = append(c.evidence, fmt.Sprintf("%d parts keep %d texts of %d bytes, one mostly of %d", len(parts), len(whole), bytes, median(sizes)))
	c.sample = append(c.sample, "a part of "+p.valueText(p.s.Internal(parts[len(parts)-1], "parent")))
	c.fix = "Copy the part before it is kept: Buffer.from(part).toString(). It then no longer keeps the text that it is a part of. And bound how many are kept."
	return c
}

// textBytes is the memory of a string's characters, which for an external one
// are outside the heap.
func (p *Pass) textBytes(n heapsnap.Node) uint64 {
	bytes := p.s.SelfSize(n)
	for e := range p.s.Edges(n) {
		if to := p.s.To(e); p.s.Type(to) == heapsnap.Native && p.s.EdgeType(e) != heapsnap.WeakEdge {
			bytes += p.s.SelfSize(to)
		}
	}
	return bytes
}

// explainRope is about concatenated strings: what += makes refers to the text
// before and to what was added, as "first" and "second" (Node 18 to 26).
func explainRope(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	pieces, bytes := 0, uint64(0)
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.d.Cohort(n) == 0 || p.d.SiteOf(n) != g {
			continue
		}
		switch p.s.Type(n) {
		case heapsnap.ConsString, heapsnap.String, heapsnap.SlicedString:
			pieces++
			bytes += p.s.SelfSize(n)
		}
	}
	if 4*bytes < 3*g.Survivors().Bytes {
		return nil
	}
	// The spine: from the newest text back through those it was before.
	var spine []heapsnap.Node
	for _, n := range g.Entries {
		for p.s.Type(n) == heapsnap.ConsString && p.d.Cohort(n) > 0 {
			spine = append(spine, n)
			n = p.s.Internal(n, "first")
			if n == heapsnap.NoNode {
				break
			}
		}
	}
	slices.SortStableFunc(spine, func(a, b heapsnap.Node) int { return p.d.Cohort(a) - p.d.Cohort(b) })
	per := p.count(spine)
	const minLinks = 2 // one text that was put together
	if len(spine) < minLinks*len(g.Entries) || slices.Min(per) == 0 {
		return nil
	}
	name := p.textName(g, holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("text is added to %s, and none is taken away", name),
		holder:   p.describe(holder),
		node:     holder,
		entries:  per,
		unit:     "additions",
		identity: []string{"text", name},
		survivor: spine[len(spine)*3/4],
	}
	c.holder.Name = name
	c.where = p.addersOf(holder, g.Label, nil)
	if len(c.where) == 0 {
		c.where = p.knownBy(holder)
	}
	c.evidence = append(c.evidence, fmt.Sprintf("the text hangs together of %d pieces, none of them freed while it grows", pieces))
	if second := p.s.Internal(spine[len(spine)-1], "second"); second != heapsnap.NoNode {
		c.sample = append(c.sample, p.valueText(second))
	}
	c.fix = "Write what only grows to a file or a stream, or keep at most the last lines or characters of it."
	return c
}

// explainLonger is about a text that is longer in every capture: += made it, and
// reading it put it together.
func explainLonger(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	name := p.textName(g, holder)
	c := &claim{
		specific: mechanism,
		title:    fmt.Sprintf("text is added to %s, and none is taken away", name),
		holder:   p.describe(holder),
		node:     holder,
		identity: []string{"text", name},
		fix:      "Write what only grows to a file or a stream, or keep at most the last lines or characters of it.",
	}
	c.holder.Name = name
	c.where = p.addersOf(holder, g.Label, nil)
	if len(c.where) == 0 {
		c.where = p.knownBy(holder)
	}
	for e := range p.s.Edges(holder) {
		if to := p.s.To(e); p.s.Type(to).IsString() && p.s.EdgeName(e) == g.Label {
			c.sample = append(c.sample, p.valueText(to))
		}
	}
	c.evidence = append(c.evidence, "each addition copies all of it, as soon as somebody reads it")
	return c
}

// textName is the variable or property that a text is in.
func (p *Pass) textName(g *diff.GrowthSite, holder heapsnap.Node) string {
	switch name := p.describe(holder).Name; {
	case p.isContext(holder) && g.Label != anyEntry:
		return p.variable(holder, g.Label)
	case g.Label != anyEntry:
		return fmt.Sprintf(".%s of %s", g.Label, name)
	default:
		return name
	}
}

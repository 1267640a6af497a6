package leak

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
)

var bufferRule = Rule{
	Name:  "buffer",
	Title: "Buffers are kept, and with them memory outside the heap",
	Cause: "Buffers are put somewhere and stay: bodies, files, frames. Or a few bytes of each are: what subarray or slice of a " +
		"Buffer returns, and every small Buffer, is a window on a larger block of memory, and keeps all of it.",
	Sign: "Most of what an old object gained is backing stores of ArrayBuffers, which count as external memory and RSS and not as heap.",
	Fix: "Copy what is small before it is kept: Buffer.from(part) or Uint8Array.prototype.slice.call(part); bound what is large by " +
		"number and bytes, or write it to a file.",
	Before: `function onUpload(name, body) {
  signatures.set(name, body.subarray(0, 8));           // keeps all of body
}`,
	After: `function onUpload(name, body) {
  signatures.set(name, Buffer.from(body.subarray(0, 8)));
}`,
	Links: []string{
		"https://nodejs.org/api/buffer.html#bufsubarraystart-end",
		"https://nodejs.org/api/buffer.html#class-property-bufferpoolsize",
	},
	explain: explainBuffer,
}

// backingStore is the name of the memory of an ArrayBuffer: src/objects/
// js-array-buffer.cc, as src/profiler/heap-snapshot-generator.cc has it (V8 of
// Node 18 to 26). Its shallow size is its length.
const backingStore = "system / JSArrayBufferData"

func explainBuffer(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	stores, views, bytes := p.backingStores(g)
	if 2*bytes < g.Survivors().Bytes || len(stores) < 2 {
		return nil
	}
	if explainClosure(p, g, holder) != nil {
		return nil // which tells the variable that keeps them
	}
	o := p.describeFor(g, holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("buffers are put into %s and stay there", o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(views),
		unit:     "buffers",
		identity: []string{o.Name},
		survivor: views[len(views)*3/4],
	}
	c.where = p.addersOf(holder, g.Label, g.Entries)
	if len(c.where) == 0 {
		c.where = p.knownBy(holder)
	}
	each := median(stores)
	c.evidence = append(c.evidence, fmt.Sprintf("%d buffers have %d blocks of memory outside the heap, %d bytes, one mostly of %d", len(views), len(stores), bytes, each))
	parts := p.partCalls(c.where, []string{"subarray"}, []string{"slice", "read"})
	if len(parts) > 0 {
		c.title = fmt.Sprintf("parts of buffers are put into %s, and keep the whole buffers", o.Name)
		if used := p.literalLength(parts[0]); used > 0 && uint64(used*len(views)) < bytes {
			c.evidence = append(c.evidence, fmt.Sprintf("the parts are of %d bytes each, %d in all, and keep %d", used, used*len(views), bytes))
		}
		c.where = p.compact(append(c.where, parts...))
		c.fix = "Copy the part before it is kept, Buffer.from(part): it then no longer keeps the buffer that it is a part of. And bound how many are kept."
		return c
	}
	c.fix = "Bound what is kept by number and bytes, or delete it when it is done with. If only a part of each is needed, copy that part: Buffer.from(part)."
	if each == 8<<10 || each == 64<<10 {
		c.evidence = append(c.evidence, fmt.Sprintf("%d bytes is the size of a slab of Buffer's pool: a small Buffer keeps all of its slab", each))
		c.fix += " A small Buffer that lives long is better made with Buffer.allocUnsafeSlow(n), which takes no slab."
	}
	return c
}

// backingStores returns the sizes of the backing stores among the survivors of
// a site, the views of them in the order of their cohorts, and all bytes.
func (p *Pass) backingStores(g *diff.GrowthSite) (sizes []uint64, views []heapsnap.Node, bytes uint64) {
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.s.Type(n) != heapsnap.Native || p.d.SiteOf(n) != g || p.s.RawName(n) != backingStore {
			continue
		}
		size := p.s.SelfSize(n)
		sizes = append(sizes, size)
		bytes += size
		for array := range p.s.Retainers(n) {
			seen := false
			for view, e := range p.s.Retainers(array) {
				if p.s.EdgeType(e) == heapsnap.InternalEdge && p.s.EdgeName(e) == "buffer" && p.d.Cohort(view) > 0 {
					views, seen = append(views, view), true
				}
			}
			if !seen && p.d.Cohort(array) > 0 {
				views = append(views, array)
			}
		}
	}
	slices.SortStableFunc(views, func(a, b heapsnap.Node) int { return p.d.Cohort(a) - p.d.Cohort(b) })
	if len(views) == 0 {
		return nil, nil, 0
	}
	return sizes, views, bytes
}

func median(of []uint64) uint64 {
	sorted := slices.Clone(of)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// partCalls returns the calls of methods that take a part: in the functions
// that add to the holder, in those that these call, or, of sure ones, anywhere
// in their scripts.
func (p *Pass) partCalls(adders []Location, sure, other []string) []Location {
	var found, elsewhere []Location
	for _, adder := range adders {
		src := p.file(adder.File)
		if src == nil {
			continue
		}
		at, known := src.tokenAt(adder)
		body, called := -1, map[string]bool{}
		if known {
			body = src.bodyAround(at)
		}
		for i := max(body, 0); body >= 0 && i < src.Tokens[body].Match; i++ {
			if src.At(i+1) == "(" {
				called[src.At(i)] = true
			}
		}
		for i, t := range src.Tokens {
			if src.At(i+1) != "(" || src.At(i-1) != "." && src.At(i-1) != "?." || src.Tokens[i+1].Match < 0 {
				continue
			}
			l := src.location(adder.File, i, "takes a part, which keeps the whole")
			isSure := slices.Contains(sure, t.Text)
			switch {
			case !isSure && !slices.Contains(other, t.Text):
			case l.Line == adder.Line || body >= 0 && src.bodyAround(i) == body:
				found = append(found, l)
			case isSure || called[l.Function]:
				elsewhere = append(elsewhere, l)
			}
		}
	}
	if len(found) == 0 {
		found = elsewhere
	}
	const most = 3
	return p.compactTo(found, most)
}

// tokenAt returns the token that stands at a place.
func (src *source) tokenAt(l Location) (int, bool) {
	offset := src.Offset(l.Line, l.Column)
	return slices.BinarySearchFunc(src.Tokens, offset, func(t jssource.Token, offset int) int { return t.Offset - offset })
}

// literalLength is how long a part is whose bounds are written as numbers: 8
// for body.subarray(0, 8); else 0.
func (p *Pass) literalLength(call Location) int {
	src := p.file(call.File)
	if src == nil {
		return 0
	}
	i, ok := src.tokenAt(call)
	if !ok || src.At(i+1) != "(" {
		return 0
	}
	bound := func(n int) (int, bool) {
		arg := src.argument(i+1, n)
		if len(arg) != 1 {
			return 0, false
		}
		v, err := strconv.ParseInt(strings.ReplaceAll(arg[0].Text, "_", ""), 0, 32)
		return int(v), err == nil
	}
	from, ok1 := bound(0)
	to, ok2 := bound(1)
	if !ok1 || !ok2 || to <= from {
		return 0
	}
	return to - from
}

package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var streamRule = Rule{
	Name:  "stream",
	Title: "Streams and file watchers are opened and never closed",
	Cause: "A stream is made for every session or job and neither ended nor destroyed: it stays in a registry, with its file, its " +
		"buffers or its zlib state; or it stays piped into something that lives longer, whose listeners keep it. A watcher " +
		"is started for a while and never closed.",
	Sign: "A long-lived stream has listeners of pipe() for streams of every round; an old collection has streams of every round; or survivors have open FSEvent handles.",
	Fix: "end() or destroy() each stream when its owner ends: that also takes it off what it is piped into. Use pipeline(), which " +
		"cleans up after an error. close() watchers.",
	Before: `session.on('start', () => {
  session.log = new PassThrough();
  session.log.pipe(auditLog, { end: false });          // auditLog keeps it
});`,
	After: `session.on('start', () => {
  session.log = new PassThrough();
  session.log.pipe(auditLog, { end: false });
  session.on('end', () => session.log.end());          // unpipes it, too
});`,
	Links: []string{
		"https://nodejs.org/api/stream.html#readableunpipedestination",
		"https://nodejs.org/api/stream.html#streampipelinesource-transforms-destination-callback",
	},
	explain: explainStream,
}

// openers are the calls that make a stream which has to be closed.
var openers = []string{
	"fs.createReadStream", "fs.createWriteStream", "zlib.createGzip", "zlib.createGunzip", "zlib.createDeflate", "zlib.createInflate",
	"zlib.createDeflateRaw", "zlib.createInflateRaw", "zlib.createUnzip", "zlib.createBrotliCompress", "zlib.createBrotliDecompress",
	"zlib.Gzip", "zlib.Deflate", "crypto.createCipheriv", "crypto.createDecipheriv", "stream.PassThrough", "stream.Transform",
	"stream.Readable", "stream.Writable", "stream.Duplex", "readline.createInterface",
}

func explainStream(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if f, handles := p.leadingFamily(g, holder); f != nil {
		if f.rule != "stream" {
			return nil
		}
		c := p.handleClaim(holder, f, handles)
		p.madeBy(c, ownersOf(handles), f.api, "starts it")
		c.fix = "Call close() on the watcher when its owner ends, or pass { signal } and abort it; one watcher for all may do."
		return c
	}
	if c := explainPiped(p, g, holder); c != nil {
		return c
	}
	return explainKeptStreams(p, g, holder)
}

// streamPlaces is how many places a finding about streams has: those behind are
// less likely.
const streamPlaces = 5

// explainPiped is about the listeners that pipe() puts on its destination and
// takes off when the source ends. lib/internal/streams/readable.js and
// legacy.js (Node 18 to 26) write them in a function that sees the source as
// src or source.
func explainPiped(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	sub, ok := p.emitterOf(holder)
	if !ok {
		return nil
	}
	closures := p.closures(p.listenersOf(g, holder, sub))
	var sources []heapsnap.Node
	for _, fn := range closures {
		if !strings.Contains(p.s.Script(fn), "internal/streams/") {
			continue
		}
		ctx := p.s.Internal(fn, "context")
		for range 3 { // ondrain is made in a function of its own
			if ctx == heapsnap.NoNode {
				break
			}
			if src := p.s.Target(ctx, heapsnap.ContextEdge, "src"); src != heapsnap.NoNode && p.d.Cohort(src) > 0 {
				sources = append(sources, src)
				break
			}
			ctx = p.s.Internal(ctx, "previous")
		}
	}
	if len(sources) < 2 || 5*len(sources) < 4*len(closures) {
		return nil
	}
	o := p.describe(sub.target)
	c := &claim{
		specific: resource,
		title:    fmt.Sprintf("streams are piped into %s and never end", o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(sources),
		unit:     "streams",
		identity: []string{o.Name},
		survivor: sources[len(sources)*3/4],
	}
	c.where = p.pipeCalls(sub.target, sources)
	for _, pl := range p.hanging(sources) {
		c.where = append(c.where, pl.Location)
	}
	c.where = p.compactTo(c.where, streamPlaces)
	c.evidence = append(c.evidence, p.streamStates(sources)...)
	c.fix = "end() or destroy() the stream that is piped when its owner ends, which takes the listeners off again; or call unpipe(). pipeline() does so after an error, too."
	return c
}

// pipeCalls returns the calls of pipe into target, or those where the streams
// come from.
func (p *Pass) pipeCalls(target heapsnap.Node, sources []heapsnap.Node) []Location {
	methods := []string{"pipe", "pipeline"}
	name := strings.TrimPrefix(p.shortName(target), ".")
	var files []string
	for _, pl := range p.hanging(sources) {
		files = append(files, pl.File)
	}
	scripts := append(files, p.scripts(target, nil)...)
	const maxFiles = 50
	scripts = scripts[:min(len(scripts), maxFiles)]
	for _, script := range scripts {
		named := p.calls(script, methods, "pipes the stream", func(src *source, open int) bool {
			return name != "" && mentions(src.Tokens[open:max(open, src.Tokens[open].Match)], name)
		})
		if len(named) > 0 {
			return named
		}
	}
	for _, script := range scripts {
		if any := p.calls(script, methods, "pipes the stream", func(*source, int) bool { return true }); len(any) > 0 {
			return any
		}
	}
	return nil
}

// explainKeptStreams is a collection of streams, or of objects that have one.
func explainKeptStreams(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	kind, items := p.contents(holder)
	if kind == "" || g.Holder == holder && g.Label != anyEntry {
		return nil
	}
	var streams []heapsnap.Node
	fresh := 0
	for _, it := range items {
		if it.born == 0 || it.value == heapsnap.NoNode {
			continue
		}
		fresh++
		if s := p.streamIn(it.value); s != heapsnap.NoNode {
			streams = append(streams, s)
		}
	}
	if len(streams) < 2 || 5*len(streams) < 4*fresh {
		return nil
	}
	o := p.describe(holder)
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("streams are put into %s and never closed", o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(streams),
		unit:     "streams",
		identity: []string{o.Name},
		survivor: streams[len(streams)*3/4],
	}
	c.where = p.addersOf(holder, anyEntry, g.Entries)
	hanging := p.hanging(streams)
	c.where = append(c.where, p.firstMakers(hanging, openers, "makes the stream")...)
	if len(c.where) == 0 {
		for _, pl := range hanging {
			c.where = append(c.where, pl.Location)
		}
	}
	c.where = p.compactTo(c.where, streamPlaces)
	c.evidence = append(c.evidence, p.streamStates(streams)...)
	c.fix = "Call end(), close() or destroy() on each stream when its owner ends, and take it out there: what it has outside the heap (a file, zlib's state) goes only then."
	return c
}

// streamIn returns n if it is an open stream, or an open stream that it has.
func (p *Pass) streamIn(n heapsnap.Node) heapsnap.Node {
	if p.openStream(n) {
		return n
	}
	if p.s.Type(n) != heapsnap.Object {
		return heapsnap.NoNode
	}
	for e := range p.s.Edges(n) {
		if to := p.s.To(e); p.s.EdgeType(e) == heapsnap.PropertyEdge && p.d.Cohort(to) > 0 && p.openStream(to) {
			return to
		}
	}
	return heapsnap.NoNode
}

// openStream reports whether n is a stream of Node's that was not destroyed.
// lib/internal/streams/destroy.js sets [kDestroyed] or a bit of state; what
// shows on all lines is that a destroyed one has let go of its file or zlib
// handle, so those without one count as open.
func (p *Pass) openStream(n heapsnap.Node) bool {
	if p.s.Type(n) != heapsnap.Object {
		return false
	}
	if p.s.Property(n, "_readableState") == heapsnap.NoNode && p.s.Property(n, "_writableState") == heapsnap.NoNode {
		return false
	}
	if handle := p.s.Property(n, "_handle"); handle != heapsnap.NoNode && p.s.Type(handle) != heapsnap.Object {
		return false
	}
	return true
}

// streamStates says of what classes the streams are, and what memory their
// buffers have.
func (p *Pass) streamStates(streams []heapsnap.Node) []string {
	classes := map[string]int{}
	zlib := 0
	for _, n := range streams {
		classes[p.class(n)]++
		if handle := p.s.Property(n, "_handle"); handle != heapsnap.NoNode && p.native(handle) == "ZlibStream" {
			zlib++
		}
	}
	var told []string
	for class, count := range classes {
		if 2*count > len(streams) {
			told = append(told, fmt.Sprintf("most of them are of class %s", class))
		}
	}
	if zlib > 0 {
		told = append(told, fmt.Sprintf("%d of them have memory of zlib's outside the heap, some 10 to 260 KB each", zlib))
	}
	return told
}

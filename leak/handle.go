package leak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// A handle is an object of Node's C++ side that keeps itself alive until it is
// closed: an open connection, a worker thread, a child process. What hangs on
// it needs nobody else to live, so nobody in the program holds it.
type handle struct {
	native string        // as node::MemoryRetainer::MemoryInfoName has it: "TCPSocketWrap"
	node   heapsnap.Node // what stands for it in JavaScript: TCP
	owner  heapsnap.Node // what programs work with: Socket
}

// A family is what a person calls a kind of handle.
type family struct {
	rule    string
	one     string   // "connection"
	many    string   // "connections"
	api     []string // calls that make one: module.function
	natives []string
}

// families in the order in which they explain a site: what is made of others
// goes first, as a child process has pipes and a worker has message ports. The
// names are those of Node 18 to 26.
var families = []family{
	{"child-process", "child process", "child processes",
		[]string{"child_process.spawn", "child_process.fork", "child_process.exec", "child_process.execFile"}, []string{"ProcessWrap"}},
	{"worker", "worker thread", "worker threads", []string{"worker_threads.Worker"}, []string{"Worker"}},
	{"worker", "message port", "message ports", []string{"worker_threads.MessageChannel", "worker_threads.BroadcastChannel"}, []string{"MessagePort"}},
	{"socket", "HTTP/2 session", "HTTP/2 sessions", []string{"http2.connect"}, []string{"Http2Session"}},
	{"socket", "UDP socket", "UDP sockets", []string{"dgram.createSocket"}, []string{"UDPWrap"}},
	{"socket", "connection", "connections", []string{
		"net.connect", "net.createConnection", "net.Socket", "tls.connect", "tls.TLSSocket", "http.request", "http.get", "https.request", "https.get", ".fetch",
	}, []string{"TCPSocketWrap", "TLSWrap", "PipeWrap"}},
	{"socket", "listening server", "listening servers", []string{
		"net.createServer", "net.Server", "http.createServer", "http.Server", "https.createServer", "tls.createServer", "http2.createServer",
	}, []string{"TCPServerWrap", "PipeServerWrap"}},
	{"stream", "file watcher", "file watchers", []string{"fs.watch", "fs.watchFile", "fs/promises.watch"}, []string{"FSEventWrap", "StatWatcher"}},
}

// resource claims explain a site by what has to be closed: listeners, timers
// and entries of what is open go with it.
const resource = mechanism + 1

// openHandles returns the open handles among the survivors of a site, in the
// order of their cohorts.
func (p *Pass) openHandles(g *diff.GrowthSite) []handle {
	if found, ok := p.opened[g]; ok {
		return found
	}
	if p.opened == nil {
		p.opened = map[*diff.GrowthSite][]handle{}
		for i := range p.s.NodeCount() {
			n := heapsnap.Node(i)
			if p.s.Type(n) != heapsnap.Object || p.d.Cohort(n) == 0 {
				continue
			}
			site := p.d.SiteOf(n)
			if site == nil {
				continue
			}
			if native := p.native(n); native != "" && p.selfHeld(n) {
				p.opened[site] = append(p.opened[site], handle{native, n, p.handleOwner(n)})
			}
		}
		for _, all := range p.opened {
			slices.SortStableFunc(all, func(a, b handle) int { return cmp.Compare(p.d.Cohort(a.node), p.d.Cohort(b.node)) })
		}
	}
	return p.opened[g]
}

// native returns the class of C++ that n stands for, or "". src/base_object.cc
// wraps an object by an internal field, which snapshots show as the edge
// javascript_to_native (Node 18 to 26).
func (p *Pass) native(n heapsnap.Node) string {
	to := p.s.Internal(n, "javascript_to_native")
	if to == heapsnap.NoNode {
		return ""
	}
	name, _ := strings.CutPrefix(p.s.RawName(to), "Node / ")
	return name
}

// selfHeld reports whether V8's global handles hold n strongly: its C++ side
// does not let it be collected.
func (p *Pass) selfHeld(n heapsnap.Node) bool {
	for from, e := range p.s.Retainers(n) {
		if p.s.Type(from) == heapsnap.Synthetic && p.s.Strong(from, e) {
			return true
		}
	}
	return false
}

// handleOwner returns the object that has the handle: HandleWrap's has the
// property [owner_symbol] (lib/internal/async_hooks.js), a Worker has
// its in [kHandle]; a MessagePort is its own.
func (p *Pass) handleOwner(n heapsnap.Node) heapsnap.Node {
	if owner := p.s.Property(n, "<symbol owner_symbol>"); owner != heapsnap.NoNode && p.s.Type(owner) == heapsnap.Object {
		return owner
	}
	for from, e := range p.s.Retainers(n) {
		if p.s.EdgeType(e) == heapsnap.PropertyEdge && p.s.Type(from) == heapsnap.Object {
			switch p.s.EdgeName(e) {
			case "_handle", "<symbol kHandle>", "<symbol handle>":
				return from
			}
		}
	}
	return n
}

// leadingFamily returns the family of handles that explains a site, and the
// site's handles of it; nil if handles do not explain it.
func (p *Pass) leadingFamily(g *diff.GrowthSite, holder heapsnap.Node) (*family, []handle) {
	all := p.openHandles(g)
	if len(all) == 0 {
		return nil, nil
	}
	byFamily := make([][]handle, len(families))
	most := 0
	for _, h := range all {
		for i, f := range families {
			if slices.Contains(f.natives, h.native) {
				byFamily[i] = append(byFamily[i], h)
				most = max(most, len(byFamily[i]))
			}
		}
	}
	// A child process has up to four pipes, a worker three ports.
	const parts = 6
	for i, handles := range byFamily {
		if len(handles) == 0 || parts*len(handles) < most {
			continue
		}
		// A collection of which a few entries have something open is explained
		// better as a collection.
		const fewOfMany = 4
		if p.s.Type(holder) != heapsnap.Synthetic && holder == g.Holder && fewOfMany*len(handles) < len(g.Entries) {
			return nil, nil
		}
		if per := p.count(nodesOf(handles)); slices.Min(per) == 0 && g.Judgement == diff.Leak {
			return nil, nil
		}
		return &families[i], handles
	}
	return nil, nil
}

func nodesOf(handles []handle) []heapsnap.Node {
	var nodes []heapsnap.Node
	for _, h := range handles {
		nodes = append(nodes, h.node)
	}
	return nodes
}

func ownersOf(handles []handle) []heapsnap.Node {
	var nodes []heapsnap.Node
	for _, h := range handles {
		nodes = append(nodes, h.owner)
	}
	return nodes
}

// handleClaim is what the rules about handles have in common.
func (p *Pass) handleClaim(holder heapsnap.Node, f *family, handles []handle) *claim {
	sample := handles[len(handles)*3/4]
	o := p.describe(holder)
	if p.s.Type(holder) == heapsnap.Synthetic || !p.userHeld(holder) {
		o = Object{Class: p.class(sample.owner), ID: p.s.ID(sample.owner), Name: fmt.Sprintf("open %s (%s)", f.many, p.class(sample.owner))}
	}
	c := &claim{
		specific: resource,
		title:    fmt.Sprintf("%s are opened and never closed", f.many),
		holder:   o,
		node:     holder,
		entries:  p.count(nodesOf(handles)),
		unit:     f.many,
		identity: []string{f.many},
		survivor: sample.owner,
	}
	if o.Name != "" && p.s.Type(holder) != heapsnap.Synthetic && p.userHeld(holder) {
		c.evidence = append(c.evidence, fmt.Sprintf("%s keeps them", o.Name))
	}
	return c
}

// madeBy adds the lines that make what handles stand for, and those of the
// program's functions and classes that hang on them.
func (p *Pass) madeBy(c *claim, owners []heapsnap.Node, api []string, role string) {
	hanging := p.hanging(owners)
	for _, owner := range owners[len(owners)-1:] { // of a class of the program's own
		if l := p.s.Location(owner); l != nil && userScript(l.Script) {
			class := p.class(owner)
			for _, script := range p.userScripts() {
				c.where = append(c.where, p.calls(script, []string{class}, role, func(src *source, open int) bool {
					return open > 1 && src.Tokens[open-2].Text == "new"
				})...)
			}
		}
	}
	c.where = append(c.where, p.firstMakers(hanging, api, role)...)
	if len(c.where) == 0 {
		const most = 4 // more are no answer
		var found []Location
		for _, script := range p.userScripts() {
			if strings.Contains(script, "/node_modules/") && len(found) > 0 {
				break
			}
			found = append(found, p.apiCalls(script, api, role, nil)...)
		}
		c.where = append(c.where, found[:min(len(found), most)]...)
	}
	const mostPlaces = 4
	for _, pl := range hanging[:min(len(hanging), mostPlaces)] {
		c.where = append(c.where, pl.Location)
	}
	c.where = p.compact(c.where)
	if len(c.where) > 0 {
		c.identity = append(c.identity, shortScript(c.where[0].File), c.where[0].Function)
	}
}

// hanging returns where the program's functions and classes are written that
// survivors hang on nodes: those that hang on most of them first, and of these
// the nearest.
func (p *Pass) hanging(nodes []heapsnap.Node) []place {
	const (
		sample   = 40
		maxDepth = 12
		maxNodes = 3000
	)
	type seen struct {
		place
		depth int
	}
	var all []*seen
	step := max(1, len(nodes)/sample)
	for i := 0; i < len(nodes); i += step {
		depth := map[heapsnap.Node]int{nodes[i]: 0}
		queue := []heapsnap.Node{nodes[i]}
		here := map[*seen]bool{}
		for head := 0; head < len(queue) && len(queue) < maxNodes; head++ {
			n := queue[head]
			if l := p.userPlace(n); l != nil {
				at := slices.IndexFunc(all, func(o *seen) bool { return o.File == l.File && o.Line == l.Line && o.Column == l.Column })
				if at < 0 {
					at = len(all)
					all = append(all, &seen{place{Location: *l, node: n}, depth[n]})
				}
				if s := all[at]; !here[s] {
					here[s] = true
					s.count++
					s.depth = min(s.depth, depth[n])
				}
			}
			if depth[n] == maxDepth {
				continue
			}
			for e := range p.s.Edges(n) {
				to := p.s.To(e)
				if _, known := depth[to]; known || p.d.Cohort(to) == 0 || !p.s.Strong(n, e) {
					continue
				}
				depth[to] = depth[n] + 1
				queue = append(queue, to)
			}
		}
	}
	most := 0
	for _, s := range all {
		most = max(most, s.count)
	}
	common := func(s *seen) int { // on nearly all of them, or only on some
		if 5*s.count >= 4*most {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(all, func(a, b *seen) int {
		return cmp.Or(cmp.Compare(common(a), common(b)), cmp.Compare(a.depth, b.depth), cmp.Compare(b.count, a.count))
	})
	places := make([]place, len(all))
	for i, s := range all {
		places[i] = s.place
	}
	return places
}

// userPlace is where n's function, or its class, is written, if that is the
// program's own.
func (p *Pass) userPlace(n heapsnap.Node) *Location {
	role := ""
	switch p.s.Type(n) {
	case heapsnap.Closure:
		role = "function that hangs on it"
	case heapsnap.Object:
		role = "class that hangs on it"
	default:
		return nil
	}
	return p.functionAt(n, role)
}

// userScripts returns the program's scripts, those of packages last.
func (p *Pass) userScripts() []string { return p.scripts(p.s.Root(), nil) }

// Native is a kind of objects of Node's C++ side that survive in a site.
type Native struct {
	Name     string // as node::MemoryRetainer::MemoryInfoName has it: ZlibStream
	Site     *diff.GrowthSite
	PerRound []int
}

// Natives counts the survivors that stand for objects of Node's C++ side, by
// site and kind: those of which every round left some.
func Natives(d *diff.Diff) []Native {
	p := newPass(d, Options{})
	var all []Native
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		born := d.Cohort(n)
		if born == 0 || p.s.Type(n) != heapsnap.Object {
			continue
		}
		name := p.native(n)
		if name == "" {
			continue
		}
		site := d.SiteOf(n)
		at := slices.IndexFunc(all, func(o Native) bool { return o.Name == name && o.Site == site })
		if at < 0 {
			at = len(all)
			all = append(all, Native{name, site, make([]int, d.Captures-1)})
		}
		all[at].PerRound[born-1]++
	}
	return slices.DeleteFunc(all, func(n Native) bool { return slices.Contains(n.PerRound, 0) })
}

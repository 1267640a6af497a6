package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var asyncContextRule = Rule{
	Name:  "async-context",
	Title: "What belongs to an asynchronous context is kept",
	Cause: "The store of an AsyncLocalStorage lives as long as anything that was started in it: a store that is entered once, " +
		"by a worker or at the start, collects what every request adds; enterWith in a loop can link each store to the one " +
		"before. A map by asyncId of async_hooks grows unless destroy deletes. A domain keeps every emitter added to it.",
	Sign: "A collection that grows hangs on <symbol kResourceStore> or an AsyncContextFrame; or it is filled by createHook's " +
		"init; or it is a Domain's members.",
	Fix: "Give each request a store of its own with run(), and put nothing into a store that outlives it. Delete in destroy " +
		"what init remembers. Use AsyncLocalStorage instead of domains.",
	Before: `storage.enterWith({ spans: [] });                   // once, at the start
queue.on('job', (job) => storage.getStore().spans.push(job.name));`,
	After: `queue.on('job', (job) => storage.run({ spans: [job.name] }, () => work(job)));`,
	Links: []string{
		"https://nodejs.org/api/async_context.html#asynclocalstoragerunstore-callback-args",
		"https://nodejs.org/api/async_hooks.html",
	},
	explain: explainAsyncContext,
}

func explainAsyncContext(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if c := explainStores(p, g, holder); c != nil {
		return c
	}
	c, _ := p.collection(g, holder)
	if c == nil {
		return nil
	}
	if way, ok := p.inStore(holder); ok {
		c.specific = content
		c.holder.Name = fmt.Sprintf("%s%s", p.storageName(), way)
		c.title = fmt.Sprintf("%s only grows", c.holder.Name)
		c.identity = []string{c.holder.Name}
		c.fix = "Give each request a store of its own (run), or take out what is done with: this store is entered once, and lives as long as what was started in it."
		return c
	}
	if owner := p.reference(holder).owner; owner != heapsnap.NoNode && p.s.RawName(owner) == "Domain" {
		o := p.describe(owner)
		c.specific = mechanism
		c.holder = o
		c.title = fmt.Sprintf("members are added to %s and never removed", o.Name)
		c.identity = []string{o.Name}
		name := strings.TrimPrefix(p.shortName(owner), ".")
		c.where = p.compact(append(p.callsInProgram([]string{"add"}, "adds the member", func(src *source, open int) bool {
			return open >= 3 && (name == "" || src.Tokens[open-3].Text == name)
		}), c.where...))
		c.fix = fmt.Sprintf("Call %s.remove(emitter) when it ends. Domains are deprecated: AsyncLocalStorage carries what belongs to a request.", name)
		return c
	}
	if len(c.where) > 0 && p.inHook(c.where[0]) {
		c.specific = content
		c.title = fmt.Sprintf("the hook's init puts every asynchronous resource into %s", c.holder.Name)
		c.fix = fmt.Sprintf("Delete the id from %s in the hook's destroy; promises are only destroyed when they are collected, so keep nothing of the resource itself. To carry data, use AsyncLocalStorage.", c.holder.Name)
		return c
	}
	return nil
}

// inStore reports whether n is the store of an AsyncLocalStorage, or a part of
// one, and which. lib/internal/async_local_storage: up to Node 22 each resource
// has the store behind a symbol kResourceStore; from 24 on (or with a flag)
// stores are the values of an AsyncContextFrame, a Map by storage.
func (p *Pass) inStore(n heapsnap.Node) (way string, ok bool) {
	const maxHops = 4
	for range maxHops {
		for _, st := range p.holdersOf(n) {
			if p.s.EdgeType(st.Edge) == heapsnap.PropertyEdge && p.s.EdgeName(st.Edge) == "<symbol kResourceStore>" {
				return way, true
			}
			if p.s.Type(st.From) == heapsnap.Array && p.s.RawName(p.storageOwner(st.From)) == "AsyncContextFrame" {
				return way, true
			}
		}
		r := p.reference(n)
		if r.kind != "property" {
			return "", false
		}
		way = "." + r.name + way
		n = r.owner
	}
	return "", false
}

// storageName is the AsyncLocalStorage that is meant, if the program has one.
func (p *Pass) storageName() string {
	found := heapsnap.NoNode
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.s.Type(n) != heapsnap.Object || p.s.RawName(n) != "AsyncLocalStorage" || !p.userHeld(n) {
			continue
		}
		if found != heapsnap.NoNode {
			return "the store of an AsyncLocalStorage"
		}
		found = n
	}
	if found == heapsnap.NoNode {
		return "the store of an AsyncLocalStorage"
	}
	return "the store of " + p.describe(found).Name
}

// explainStores is a chain of stores, each entered within the one before.
func explainStores(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	class := ""
	if k := p.mainClass(g); k != nil {
		class = k.Class
	}
	chain, label := p.chainOf(g, func(n heapsnap.Node) bool { return p.s.ClassName(n) == class })
	if len(chain) < minLinks || label == "" {
		return nil
	}
	entered := false
	for _, n := range chain[max(0, len(chain)-minLinks):] { // the newest is what is current
		if _, ok := p.inStore(n); ok {
			entered = true
		}
	}
	if !entered {
		return nil
	}
	o := p.describe(holder)
	o.Name = p.storageName()
	c := &claim{
		specific: special,
		title:    fmt.Sprintf("each store keeps the one before it through .%s: %s", label, o.Name),
		holder:   o,
		node:     holder,
		entries:  p.count(chain),
		unit:     "stores",
		identity: []string{o.Name, label},
		survivor: chain[len(chain)-2],
		evidence: []string{fmt.Sprintf("a chain of %d stores", len(chain))},
		fix:      fmt.Sprintf("Enter each context with run(), which ends, instead of enterWith(), and do not refer to the store before through .%s.", label),
	}
	c.where = p.callsInProgram([]string{"enterWith"}, "enters the context", func(*source, int) bool { return true })
	if len(c.where) == 0 {
		c.where = p.callsInProgram([]string{"run"}, "enters the context", func(src *source, open int) bool { return len(src.argument(open, 1)) > 0 })
	}
	c.where = p.compact(append(c.where, p.setters(holder, label)...))
	return c
}

// inHook reports whether a line is part of what is given to createHook, or of a
// method init.
func (p *Pass) inHook(l Location) bool {
	src := p.file(l.File)
	if src == nil {
		return false
	}
	if l.Function == "init" {
		for _, t := range src.Tokens {
			if t.Text == "createHook" {
				return true
			}
		}
	}
	return len(p.calls(l.File, []string{"createHook"}, "", func(src *source, open int) bool { return src.spans(open, l) })) > 0
}

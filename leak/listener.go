package leak

import (
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
)

var listenerRule = Rule{
	Name:  "listener",
	Title: "Listeners are added and never removed",
	Cause: "Every request, connection or job adds a listener to something that lives longer: a shared EventEmitter, an " +
		"AbortSignal, the process. The listener keeps everything its function refers to.",
	Sign: "An emitter's _events (an EventTarget's list of Listener objects) has functions of every round, written in one place.",
	Fix: "Remove the listener when its owner ends: keep the function and call off (removeEventListener), or pass " +
		"{ signal } and abort it. For once(), remove it when the event can no longer come.",
	Before: `server.on('request', (req, res) => {
  feed.on('price', (p) => res.write(p));            // stays when the response is done
});`,
	After: `server.on('request', (req, res) => {
  const send = (p) => res.write(p);
  feed.on('price', send);
  res.on('close', () => feed.off('price', send));
});`,
	Links: []string{
		"https://nodejs.org/api/events.html#emitterremovelistenereventname-listener",
		"https://nodejs.org/api/events.html#eventtargetaddeventlistenertype-listener-options",
	},
	explain: explainListener,
}

// A subscription is a list of listeners for one event of one object.
type subscription struct {
	target heapsnap.Node // the emitter
	event  string        // "" if there are many
	dom    bool          // addEventListener, not on
	// channel says that it is of node:diagnostics_channel: subscribe, not on.
	channel bool
}

func explainListener(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if c := p.compositeSignals(g, holder); c != nil {
		return c
	}
	sub, ok := p.emitterOf(holder)
	if !ok {
		sub, ok = p.channelOf(g, holder)
	}
	if !ok {
		if sub, ok = p.eventTargetOf(holder); !ok {
			return nil
		}
	}
	listeners := p.listenersOf(g, holder, sub)
	closures := p.closures(listeners)
	if len(closures) == 0 {
		closures = p.wrapped(listeners)
	}
	if len(closures) == 0 {
		return nil
	}
	o := p.describe(sub.target)
	event := fmt.Sprintf("%q", sub.event)
	if sub.event == "" {
		event = "many events"
	}
	c := &claim{
		specific: mechanism,
		title:    fmt.Sprintf("listeners for %s on %s are added and never removed", event, o.Name),
		holder:   o,
		node:     holder,
		entries:  p.countIn(g, listeners),
		unit:     "listeners",
		identity: []string{o.Name, sub.event},
		survivor: closures[len(closures)*3/4],
	}
	c.holder.Name = fmt.Sprintf("%s, event %s", o.Name, event)
	for _, pl := range p.places(closures, "listener") {
		c.where = append(c.where, p.registration(pl, sub)...)
	}
	c.where = p.compact(c.where)
	if captured := p.captured(closures[len(closures)-1]); captured != "" {
		c.evidence = append(c.evidence, captured)
	}
	off := "off"
	if sub.dom {
		off = "removeEventListener"
	}
	if sub.channel {
		off = "unsubscribe"
	}
	name := p.shortName(sub.target)
	if strings.Contains(name, "<symbol") {
		name = ""
	}
	if name == "" || strings.HasPrefix(name, ".") {
		name = strings.ToLower(p.class(sub.target)[:1]) + p.class(sub.target)[1:] + name
	}
	c.fix = fmt.Sprintf("Keep the function in a variable and call %s.%s(%s, fn) when the request, connection or job ends", name, off, event)
	if sub.dom {
		c.fix += ", or pass { signal } and abort it."
	} else {
		c.fix += "; or listen on something that ends with it."
	}
	return c
}

// emitterOf recognises an EventEmitter's lists. lib/events.js: _events maps a
// name to one function or to an array of them (Node 18 to 26).
func (p *Pass) emitterOf(holder heapsnap.Node) (subscription, bool) {
	isEvents := func(n heapsnap.Node) heapsnap.Node {
		for from, e := range p.s.Retainers(n) {
			if p.s.EdgeType(e) == heapsnap.PropertyEdge && p.s.EdgeName(e) == "_events" {
				return from
			}
		}
		return heapsnap.NoNode
	}
	if target := isEvents(holder); target != heapsnap.NoNode {
		return subscription{target: target}, true
	}
	if p.s.Property(holder, "_events") != heapsnap.NoNode {
		return subscription{}, false
	}
	for from, e := range p.s.Retainers(holder) {
		if p.s.EdgeType(e) != heapsnap.PropertyEdge {
			continue
		}
		if target := isEvents(from); target != heapsnap.NoNode {
			return subscription{target: target, event: p.s.EdgeName(e)}, true
		}
	}
	return subscription{}, false
}

// compositeSignals is about signals of AbortSignal.any: as long as they have a
// listener and a source that lives, lib/internal/abort_controller.js keeps them
// in gcPersistentSignals (Node 20 to 26).
func (p *Pass) compositeSignals(g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if !p.referenceNameIs(holder, "gcPersistentSignals") || len(g.Entries) < 2 {
		return nil
	}
	c := &claim{
		specific: mechanism,
		title:    "listeners are added to signals of AbortSignal.any and never removed",
		holder:   Object{Class: p.class(holder), ID: p.s.ID(holder), Name: "Node's list of signals of AbortSignal.any with listeners"},
		node:     holder,
		entries:  p.count(g.Entries),
		unit:     "signals",
		identity: []string{"AbortSignal.any"},
		survivor: g.Entries[len(g.Entries)*3/4],
		fix: "Remove the listener when the work is done (removeEventListener, or { once: true } and abort the signal of the work itself): " +
			"a signal of AbortSignal.any with a listener lives as long as the signals that it was made of.",
	}
	for _, pl := range p.hanging(g.Entries) {
		if p.s.Type(pl.node) == heapsnap.Closure {
			c.where = append(c.where, p.registration(pl, subscription{target: pl.node, dom: true})...)
		}
	}
	const most = 4
	c.where = p.compactTo(c.where, most)
	if len(c.where) == 0 {
		return nil
	}
	c.identity = append(c.identity, shortScript(c.where[0].File), c.where[0].Function)
	return c
}

// channelOf recognises a channel of node:diagnostics_channel, which has its
// listeners in _subscribers and makes that array anew for each
// (lib/diagnostics_channel.js, Node 18 to 26).
func (p *Pass) channelOf(g *diff.GrowthSite, holder heapsnap.Node) (subscription, bool) {
	for from, e := range p.s.Retainers(holder) { // between processes, the array is a holder
		if p.s.EdgeType(e) == heapsnap.PropertyEdge && p.s.EdgeName(e) == "_subscribers" && p.s.RawName(holder) == "Array" {
			return subscription{target: from, event: p.textOf(from, "name"), channel: true}, true
		}
	}
	if holder != g.Holder || g.Label != "_subscribers" || p.s.Type(holder) != heapsnap.Object {
		return subscription{}, false
	}
	subscribers := p.s.Property(holder, "_subscribers")
	if subscribers == heapsnap.NoNode || p.s.RawName(subscribers) != "Array" {
		return subscription{}, false
	}
	return subscription{target: holder, event: p.textOf(holder, "name"), channel: true}, true
}

// eventTargetOf recognises an EventTarget's list. lib/internal/event_target.js:
// the property [kEvents] is a Map of event name to a root { size, next }, from
// which Listener objects hang in a list (Node 18 to 26).
func (p *Pass) eventTargetOf(holder heapsnap.Node) (subscription, bool) {
	s := p.s
	root := holder
	const maxHops = 100_000 // listeners before this one
	for range maxHops {
		previous := s.Property(root, "previous")
		if previous == heapsnap.NoNode || s.Property(previous, "next") == heapsnap.NoNode {
			break
		}
		root = previous
	}
	var table heapsnap.Node = heapsnap.NoNode
	event := ""
	if s.Type(root) == heapsnap.Object && strings.HasSuffix(s.RawName(root), "Map") {
		table = root
	} else {
		if s.Property(root, "next") == heapsnap.NoNode {
			return subscription{}, false
		}
		for from := range s.Retainers(root) {
			if s.Type(from) != heapsnap.Array {
				continue
			}
			if owner := p.storageOwner(from); s.Type(owner) == heapsnap.Object && strings.HasSuffix(s.RawName(owner), "Map") {
				table = owner
				_, items := p.contents(owner)
				for _, it := range items {
					if it.value == root {
						event = strings.Trim(it.key, `"`)
					}
				}
			}
		}
	}
	if table == heapsnap.NoNode {
		return subscription{}, false
	}
	for from, e := range s.Retainers(table) {
		if s.EdgeType(e) == heapsnap.PropertyEdge && strings.Contains(s.EdgeName(e), "kEvents") {
			return subscription{target: from, event: event, dom: true}, true
		}
	}
	return subscription{}, false
}

// listenersOf returns the surviving listeners of a subscription.
func (p *Pass) listenersOf(g *diff.GrowthSite, holder heapsnap.Node, sub subscription) []heapsnap.Node {
	var all []heapsnap.Node
	if sub.channel {
		for e := range p.s.Edges(p.s.Property(sub.target, "_subscribers")) {
			if to := p.s.To(e); p.s.EdgeType(e) == heapsnap.ElementEdge && p.d.Cohort(to) > 0 {
				all = append(all, to)
			}
		}
		return all
	}
	if !sub.dom {
		if holder == g.Holder && !g.Swelling {
			return g.Entries
		}
		for e := range p.s.Edges(holder) {
			if t := p.s.EdgeType(e); t == heapsnap.ElementEdge || t == heapsnap.PropertyEdge {
				if to := p.s.To(e); p.d.Cohort(to) > 0 || g.Swelling {
					all = append(all, to)
				}
			}
		}
		return all
	}
	for n := p.s.Property(holder, "next"); n != heapsnap.NoNode; n = p.s.Property(n, "next") {
		if p.d.Cohort(n) > 0 {
			all = append(all, n)
		}
	}
	if len(all) == 0 { // the Map, or a list that cannot be walked
		return g.Entries
	}
	return all
}

// wrapped returns the functions that emitters of packages put into a record of
// their own, beside what to call it with.
func (p *Pass) wrapped(records []heapsnap.Node) []heapsnap.Node {
	var closures []heapsnap.Node
	for _, n := range records {
		for _, name := range []string{"fn", "handler", "cb", "func"} {
			if to := p.s.Property(n, name); to != heapsnap.NoNode && p.s.Type(to) == heapsnap.Closure {
				closures = append(closures, to)
				break
			}
		}
	}
	return closures
}

// registration returns the line that registers the listener at pl, if the
// source shows one, and the listener's own line.
func (p *Pass) registration(pl place, sub subscription) []Location {
	methods := []string{"on", "addListener", "once", "prependListener", "prependOnceListener"}
	if sub.dom {
		methods = []string{"addEventListener"}
	}
	if sub.channel {
		methods = []string{"subscribe"}
	}
	scripts := p.scripts(sub.target, nil)
	scripts = append([]string{pl.File}, slices.DeleteFunc(scripts, func(s string) bool { return s == pl.File })...)
	const maxFiles = 50
	isEvent := func(src *source, open int) bool {
		return sub.event == "" || isString(src.argument(open, 0), sub.event)
	}
	// Whether the event is told when the program runs only, as this one may then be.
	isComputed := func(src *source, open int) bool {
		arg := src.argument(open, 0)
		return len(arg) > 1 || len(arg) == 1 && !arg[0].IsString()
	}
	// Best the call that contains the function, then one that names it, then
	// any for this event.
	around := p.calls(pl.File, methods, "adds the listener", func(src *source, open int) bool {
		return src.spans(open, pl.Location)
	})
	if len(around) > 0 {
		return append(around[len(around)-1:], pl.Location)
	}
	for _, event := range []func(*source, int) bool{isEvent, isComputed} {
		for _, script := range scripts[:min(len(scripts), maxFiles)] {
			named := p.calls(script, methods, "adds the listener", func(src *source, open int) bool {
				return event(src, open) && pl.Function != "(anonymous)" && mentions(src.argument(open, 1), pl.Function)
			})
			if len(named) > 0 {
				return append(named, pl.Location)
			}
		}
	}
	if sub.event != "" {
		for _, script := range scripts[:min(len(scripts), maxFiles)] {
			any := p.calls(script, methods, "adds the listener", func(src *source, open int) bool {
				arg := src.argument(open, 1)
				// A function written here would be the listener itself.
				return isEvent(src, open) && !slices.ContainsFunc(arg, func(t jssource.Token) bool { return t.Text == "=>" || t.Text == "function" })
			})
			if len(any) > 0 {
				return append(any, pl.Location)
			}
		}
	}
	return []Location{pl.Location}
}

// compact drops repeated lines, of what a person wrote: compiled code may have all
// of a program in one.
func (p *Pass) compact(all []Location) []Location {
	var out []Location
	seen := map[string]bool{}
	for _, l := range all {
		if key := p.lineKey(l); !seen[key] {
			seen[key] = true
			out = append(out, l)
		}
	}
	return out
}

// compactTo is compact, and at most so many of it.
func (p *Pass) compactTo(all []Location, most int) []Location {
	all = p.compact(all)
	return all[:min(len(all), most)]
}

// lineKey is equal for places in one line of what a person wrote.
func (p *Pass) lineKey(l Location) string {
	if l.Compiled == "" {
		p.original(&l)
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}

// captured says which variable of a function's scope keeps most alive.
func (p *Pass) captured(closure heapsnap.Node) string {
	name, bytes := p.largestVariable(closure)
	if name == "" {
		return ""
	}
	return fmt.Sprintf("each function keeps its variable %q alive, about %d bytes", name, bytes)
}

// largestVariable returns the survivor variable that a closure's scopes retain
// most through.
func (p *Pass) largestVariable(closure heapsnap.Node) (name string, bytes uint64) {
	const maxScopes = 5
	ctx := p.s.Internal(closure, "context")
	for range maxScopes {
		if ctx == heapsnap.NoNode || !p.isContext(ctx) || p.d.Cohort(ctx) == 0 {
			break
		}
		for e := range p.s.Edges(ctx) {
			if p.s.EdgeType(e) != heapsnap.ContextEdge {
				continue
			}
			if to := p.s.To(e); p.d.Cohort(to) > 0 && p.s.RetainedSize(to) > bytes {
				name, bytes = p.s.EdgeName(e), p.s.RetainedSize(to)
			}
		}
		ctx = p.s.Internal(ctx, "previous")
	}
	return name, bytes
}

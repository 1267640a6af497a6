package leak

import (
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var timerRule = Rule{
	Name:  "timer",
	Title: "Timers are started and never cleared",
	Cause: "Every request, connection or job starts an interval, or a timeout far in the future, and nothing clears it " +
		"when the owner ends. The timer keeps its callback and everything that refers to.",
	Sign: "Node's timer lists have Timeout objects of every round, whose callbacks are written in one place.",
	Fix: "Keep what setInterval or setTimeout returned, and clear it when its owner ends. unref() lets the process exit, " +
		"but does not let the callback go.",
	Before: `connection.on('open', () => {
  setInterval(() => connection.ping(), 30_000);
});`,
	After: `connection.on('open', () => {
  const heartbeat = setInterval(() => connection.ping(), 30_000);
  connection.on('close', () => clearInterval(heartbeat));
});`,
	Links:   []string{"https://nodejs.org/api/timers.html#clearintervaltimeout"},
	explain: explainTimer,
}

// explainTimer recognises lib/internal/timers.js: Timeout objects of one
// duration hang in a TimersList, the lists are in an object by duration and in
// a PriorityQueue; immediates hang in an ImmediateList (Node 18 to 26).
func explainTimer(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	switch p.s.RawName(holder) {
	case "TimersList", "Timeout", "PriorityQueue", "ImmediateList", "Immediate":
	default:
		if p.referenceNameIs(holder, "timerListMap") || p.heapOfQueue(holder) {
			break
		}
		return nil
	}
	timers := p.survivorsOfClass(g, "Timeout")
	kind, start := "Timeout", []string{"setInterval", "setTimeout"}
	if len(timers) == 0 {
		if timers = p.survivorsOfClass(g, "Immediate"); len(timers) == 0 {
			return nil
		}
		kind, start = "Immediate", []string{"setImmediate"}
	}
	closures := p.closures(timers)
	places := p.places(closures, "callback")
	function := kind
	if repeats := p.repeats(timers[len(timers)-1]); kind == "Timeout" && repeats {
		function, start = "setInterval", start[:1]
	} else if kind == "Timeout" {
		function, start = "setTimeout", start[1:]
	} else {
		function = "setImmediate"
	}
	o := Object{Class: p.class(holder), ID: p.s.ID(holder), Name: "Node's timer lists"}
	c := &claim{
		specific: mechanism,
		title:    fmt.Sprintf("timers of %s are started and never cleared", function),
		holder:   o,
		node:     holder,
		entries:  p.count(timers),
		unit:     "timers",
		identity: []string{function},
		survivor: timers[len(timers)*3/4],
	}
	if len(closures) > 0 && len(places) == 0 {
		// Only Node's own functions: the time-outs of sockets, say. They are
		// there because of what else keeps the sockets.
		c.specific = content
	}
	if duration := p.duration(holder); duration != "" {
		c.holder.Name += ", " + duration + " ms"
		c.evidence = append(c.evidence, fmt.Sprintf("they run every %s ms", duration))
		if function != "setInterval" {
			c.evidence[0] = fmt.Sprintf("they run %s ms after they were started", duration)
		}
	}
	for i, pl := range places {
		if i == 0 {
			c.identity = append(c.identity, shortScript(pl.File), pl.Function)
		}
		c.where = append(c.where, p.startOf(pl, start)...)
	}
	c.where = p.compact(c.where)
	if len(closures) > 0 {
		if text := p.captured(closures[len(closures)-1]); text != "" {
			c.evidence = append(c.evidence, text)
		}
	}
	clear := map[string]string{"setInterval": "clearInterval", "setTimeout": "clearTimeout", "setImmediate": "clearImmediate"}[function]
	c.fix = fmt.Sprintf("Keep what %s returns and call %s with it when the session, request or job ends.", function, clear)
	return c
}

// survivorsOfClass returns the survivors of a site whose V8 name is class, in
// the order of their cohorts.
func (p *Pass) survivorsOfClass(g *diff.GrowthSite, class string) []heapsnap.Node {
	var byRound = make([][]heapsnap.Node, p.d.Captures)
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if c := p.d.Cohort(n); c > 0 && p.d.SiteOf(n) == g && p.s.Type(n) == heapsnap.Object && p.s.RawName(n) == class {
			byRound[c] = append(byRound[c], n)
		}
	}
	var all []heapsnap.Node
	for _, nodes := range byRound {
		all = append(all, nodes...)
	}
	return all
}

// referenceNameIs reports whether n is the variable name of one of Node's own
// modules.
func (p *Pass) referenceNameIs(n heapsnap.Node, name string) bool {
	r := p.reference(n)
	return r.kind == "variable" && r.name == name && strings.HasPrefix(r.script, "node:")
}

// heapOfQueue reports whether n is the array inside a PriorityQueue.
func (p *Pass) heapOfQueue(n heapsnap.Node) bool {
	for from := range p.s.Retainers(n) {
		if p.s.RawName(from) == "PriorityQueue" {
			return true
		}
	}
	return false
}

// repeats reports whether a Timeout is an interval: _repeat is null for a
// timeout and the period for an interval. A small integer has no edge, and V8
// leaves out null as well, so what the heap tells is whether the period is a
// number object; when it is not, the callback's source decides.
func (p *Pass) repeats(timer heapsnap.Node) bool {
	if to := p.s.Property(timer, "_repeat"); to != heapsnap.NoNode && p.s.Type(to) == heapsnap.Number {
		return true
	}
	closure := p.closure(timer)
	if closure == heapsnap.NoNode {
		return false
	}
	l := p.functionAt(closure, "")
	if l == nil {
		return false
	}
	found := p.startOf(place{Location: *l}, []string{"setInterval"})
	return len(found) > 1
}

// startOf returns the call that starts the timer whose callback is at pl, if
// the source shows it, and the callback's own line.
func (p *Pass) startOf(pl place, functions []string) []Location {
	around := p.calls(pl.File, functions, "starts the timer", func(src *source, open int) bool { return src.spans(open, pl.Location) })
	if len(around) > 0 {
		return append(around[len(around)-1:], pl.Location)
	}
	named := p.calls(pl.File, functions, "starts the timer", func(src *source, open int) bool {
		return pl.Function != "(anonymous)" && mentions(src.argument(open, 0), pl.Function)
	})
	return append(named, pl.Location)
}

// duration returns the milliseconds of a TimersList: its key among the lists.
func (p *Pass) duration(holder heapsnap.Node) string {
	for from, e := range p.s.Retainers(holder) {
		if t := p.s.EdgeType(e); t != heapsnap.PropertyEdge && t != heapsnap.ElementEdge {
			continue
		}
		if name := p.s.EdgeName(e); name != "" && strings.Trim(name, "0123456789") == "" && p.referenceNameIs(from, "timerListMap") {
			return name
		}
	}
	return ""
}

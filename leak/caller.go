package leak

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
)

// When a leak is reached through a package, the line that adds to the holder
// is not one that the developer can change. caller.go finds the line of the
// program's own that is nearest to it:
//
//  1. functions of the program among the survivors: the call that gives such
//     a function away is written around it;
//  2. variables and properties of the program that lead to the holder: calls
//     of their methods;
//  3. what the program imports of the packages on that way: calls of it.
//
// Every place gets points for how well it fits; the best one is told first,
// with the package's lines behind it.

// A call is a place in the program's own source and how well it fits.
type call struct {
	Location
	points int
	how    int // of givesAway, leads and imported those that hold
}

// How a call was found.
const (
	givesAway = 1 << iota
	leads
	imported
)

// Points of a call.
const (
	ofVariable  = 6 // a method of a variable that leads to the holder
	ofArgument  = 4 // such a variable is an argument
	ofImport    = 4 // something imported from the package is called
	ofSurvivor  = 6 // a survivor's function is written in it
	sameName    = 6 // the package's line is in a function of this name
	namesAdding = 3 // methods of this name add, register, subscribe
	namesOther  = -4
	inFunction  = 3  // it can be called again and again; the module's own code runs once
	samePackage = 2  // the variable's object is of the package that the holder is of
	perHop      = -1 // between variable and holder, beyond near
	near        = 2  // a collection in an object of the package's is as near as it gets
	sameText    = 4  // the call writes a part of the keys
	sameClass   = 5  // the method is called after what is kept: iterator() and MemoryIterator
	agreeing    = 4  // a survivor's function is given away in a call that leads to the holder
)

// subscribing are methods that, besides addingMethods, keep what they are given.
var subscribing = map[string]bool{
	"on": true, "once": true, "addListener": true, "addEventListener": true, "prependListener": true, "use": true,
	"addHook": true, "hook": true, "schedule": true, "observe": true, "watch": true, "listenTo": true, "acquire": true,
	"enter": true, "bind": true, "extend": true, "define": true, "create": true, "load": true, "child": true, "inc": true,
}

// releasing are methods that let go, only look, or set up.
var releasing = map[string]bool{
	"off": true, "removeListener": true, "removeEventListener": true, "removeAllListeners": true, "unsubscribe": true,
	"delete": true, "remove": true, "del": true, "clear": true, "reset": true, "release": true, "dispose": true, "destroy": true,
	"close": true, "end": true, "quit": true, "stop": true, "get": true, "has": true, "peek": true, "keys": true, "values": true,
	"entries": true, "toString": true, "toJSON": true, "listen": true, "address": true, "setMaxListeners": true, "emit": true,
	"log": true, "info": true, "warn": true, "error": true, "debug": true, "then": true, "catch": true, "finally": true,
}

// callers returns the program's own places that lead to what grows, best
// first, and the package they lead through, "" if there is none. where is what
// the rule found: lines of packages.
func (p *Pass) callers(g *diff.GrowthSite, holder heapsnap.Node, where []Location) (own []Location, through string) {
	const told = 3
	variables := p.wayUp(holder)
	names := map[string]bool{} // functions of the package that add
	var packages []string
	note := func(script string) {
		if name, _ := jssource.Package(script); name != "" && !slices.Contains(packages, name) {
			packages = append(packages, name)
			if through == "" {
				through = p.packageLabel(script)
			}
		}
	}
	for _, l := range where {
		if l.Role != "constructor" {
			names[strings.TrimPrefix(l.Function, "#")] = true
		}
		note(l.File)
	}
	if len(variables) > 0 {
		for _, script := range variables[0].via {
			note(script)
		}
	}
	role := "leads to the holder"
	if through != "" {
		role = "calls " + through
	}
	var calls []call
	for _, pl := range p.ownFunctions(g) {
		calls = append(calls, p.givenAway(pl)...)
	}
	for _, v := range variables {
		if v.seenBy != nil && p.file(v.script) == nil {
			v.seenBy.Role = "sees the holder"
			calls = append(calls, call{*v.seenBy, 0, leads})
		}
		for _, c := range p.callsOf(v, names, role) {
			if v.of != "" && len(packages) > 0 && v.of == packages[0] {
				c.points += samePackage
			}
			calls = append(calls, c)
		}
	}
	for _, script := range p.ownScripts() {
		for i, name := range packages {
			for _, local := range p.imports(script, name) {
				for _, c := range p.callsOf(variable{name: local, script: script}, names, role) {
					c.points += ofImport - ofVariable - min(i, 2)
					c.how = imported
					calls = append(calls, c)
				}
			}
		}
	}
	keys := p.sampleKeys(g, holder)
	class := ""
	if len(g.Entries) > 0 {
		class = p.s.ClassName(g.Entries[len(g.Entries)-1])
	}
	for i, c := range calls {
		src := p.file(c.File)
		if src == nil {
			continue
		}
		if src.writes(c.Location, keys) {
			calls[i].points += sameText
		}
		if telling(class) && namedAfter(src.At(src.First(src.Offset(c.Line, c.Column))), class) {
			calls[i].points += sameClass
		}
	}
	best := map[string]*call{} // line -> its best call
	var order []*call
	for _, c := range calls {
		key := p.lineKey(c.Location)
		known := best[key]
		if known == nil {
			known = &c
			best[key] = known
			order = append(order, known)
			continue
		}
		c.how |= known.how
		if c.points > known.points {
			*known = c
		}
		known.how = c.how
	}
	for _, c := range order { // what two ways lead to is surer than what one does
		switch {
		case c.how&givesAway != 0 && c.how != givesAway:
			c.points += agreeing
		case c.how == leads|imported:
			c.points++
		}
	}
	slices.SortStableFunc(order, func(a, b *call) int { return cmp.Compare(b.points, a.points) })
	for _, c := range order[:min(len(order), told)] {
		if c.points <= 0 && len(own) > 0 {
			break
		}
		own = append(own, c.Location)
	}
	return own, through
}

// A variable of the program, or a property of one of its objects.
type variable struct {
	name     string
	script   string
	property bool
	hops     int       // objects between it and the holder
	of       string    // package of its object
	via      []string  // scripts of its object and of those on the way to the holder
	seenBy   *Location // a function that reads it, for want of sources
}

// wayUp goes from holder over what refers to it up to variables of the
// program's own scripts, nearest first.
func (p *Pass) wayUp(holder heapsnap.Node) []variable {
	const (
		maxNodes = 20_000 // a module's scope is seen by all of its functions
		maxHops  = 14
		further  = 4 // hops beyond the nearest variable that others may be away
	)
	s := p.s
	var variables []variable
	type at struct {
		node  heapsnap.Node
		hops  int
		below int // index into queue of the object that led here, -1 for the holder
	}
	newest := p.d.Cohort(holder)
	seen := map[heapsnap.Node]bool{holder: true}
	queue := []at{{holder, 0, -1}}
	last := maxHops
	note := func(head int, name, script string, property bool, seenBy *Location) {
		v := variable{name: name, script: script, property: property, hops: queue[head].hops, seenBy: seenBy}
		if slices.ContainsFunc(variables, func(o variable) bool {
			return o.name == v.name && o.script == v.script && o.property == v.property
		}) {
			return
		}
		for i := head; i >= 0; i = queue[i].below {
			if l := s.Location(queue[i].node); l != nil {
				if name, _ := jssource.Package(l.Script); name != "" {
					v.via = append(v.via, l.Script)
					if i == head {
						v.of = name
					}
				}
			}
		}
		slices.Reverse(v.via)
		variables = append(variables, v)
		if !property {
			last = min(last, v.hops+further)
		}
	}
	for head := 0; head < len(queue) && len(queue) < maxNodes; head++ {
		n, hops := queue[head].node, queue[head].hops
		if hops > last {
			break
		}
		for from, e := range s.Retainers(n) {
			if seen[from] || !s.Strong(from, e) || p.d.Cohort(from) > newest || !p.leadsUp(from, e) {
				continue
			}
			step := hops + 1
			switch {
			case p.isContext(from):
				script := p.contextScript(from)
				if ownScript(script) {
					name := s.EdgeName(e)
					if s.EdgeType(e) == heapsnap.HiddenEdge {
						name = p.blockVariable(from, e, script)
					}
					if s.EdgeType(e) != heapsnap.InternalEdge && name != "" && name != "this" {
						note(head, name, script, false, p.seenBy(from))
						continue
					}
				}
			case s.EdgeType(e) == heapsnap.PropertyEdge:
				if strings.HasPrefix(s.RawName(from), "global") && s.NearRoot(from) {
					if s.Type(n) != heapsnap.Closure || userScript(s.Script(n)) { // Node's own say nothing: setTimeout, fetch
						note(head, s.EdgeName(e), "", false, nil)
					}
					continue
				}
				if l := s.Location(from); l != nil && ownScript(l.Script) {
					note(head, s.EdgeName(e), l.Script, true, nil)
				}
			case s.RawName(from) == "system / Cell":
				if name, script := p.exported(from); ownScript(script) {
					note(head, name, script, false, nil)
					continue
				}
			}
			if t := s.Type(from); t == heapsnap.Array || t == heapsnap.Hidden {
				step = hops // storage is no object of its own
			}
			seen[from] = true
			queue = append(queue, at{from, step, head})
		}
	}
	slices.SortStableFunc(variables, func(a, b variable) int { return cmp.Compare(a.hops, b.hops) })
	return variables
}

// sampleKeys returns some of the keys under which survivors were put into the
// holder.
func (p *Pass) sampleKeys(g *diff.GrowthSite, holder heapsnap.Node) []string {
	const most = 12
	if g.Label != anyEntry || p.s.Type(holder) != heapsnap.Object || p.isContext(holder) {
		return nil
	}
	kind, items := p.contents(holder)
	if kind != "Map" && kind != "Object" {
		return nil
	}
	var keys []string
	for _, it := range items {
		if it.born > 0 && it.key != "" {
			keys = append(keys, strings.Trim(it.key, `"`))
		}
	}
	step := max(1, len(keys)/most)
	var some []string
	for i := 0; i < len(keys); i += step {
		some = append(some, keys[i])
	}
	return some
}

// namedAfter reports whether a method says in its name that it makes a class.
func namedAfter(method, class string) bool {
	const minName = 5 // shorter ones are in many names
	method, class = strings.ToLower(strings.TrimPrefix(method, "#")), strings.ToLower(class)
	for _, verb := range []string{"create", "make", "open", "new", "add", "get"} {
		if rest, ok := strings.CutPrefix(method, verb); ok && len(rest) >= minName {
			method = rest
		}
	}
	return len(method) >= minName && strings.HasSuffix(class, method)
}

// writes reports whether the arguments of the call at l have a text in them
// that all keys have: `session-${id}`.
func (src *source) writes(l Location, keys []string) bool {
	const (
		minText = 3 // shorter ones are in many keys by chance
		minKeys = 4
	)
	if len(keys) < minKeys {
		return false
	}
	at := src.Offset(l.Line, l.Column)
	for i, t := range src.Tokens {
		if t.Offset != at {
			continue
		}
		if src.At(i+1) != "(" || src.Tokens[i+1].Match < 0 {
			return false
		}
		for _, arg := range src.Tokens[i+1 : src.Tokens[i+1].Match] {
			if arg.Text == "" || !strings.ContainsRune("`'\"", rune(arg.Text[0])) {
				continue
			}
			text := strings.Trim(strings.TrimSuffix(arg.Text, "${"), "`'\"")
			if len(text) >= minText && !slices.ContainsFunc(keys, func(k string) bool { return !strings.Contains(k, text) }) {
				return true
			}
		}
		return false
	}
	return false
}

// seenBy returns where a function is written that sees the variables of ctx.
func (p *Pass) seenBy(ctx heapsnap.Node) *Location {
	for from, e := range p.s.Retainers(ctx) {
		if p.s.EdgeType(e) == heapsnap.InternalEdge && p.s.EdgeName(e) == "context" && p.s.Type(from) == heapsnap.Closure {
			if l := p.functionAt(from, ""); l != nil {
				return l
			}
		}
	}
	return nil
}

// leadsUp reports whether a reference says who has an object, and not only of
// which kind it is.
func (p *Pass) leadsUp(from heapsnap.Node, e heapsnap.Edge) bool {
	s := p.s
	switch s.Type(from) {
	case heapsnap.Object, heapsnap.Closure, heapsnap.Array, heapsnap.Hidden:
	default:
		return false
	}
	name := s.EdgeName(e)
	switch s.EdgeType(e) {
	case heapsnap.PropertyEdge:
		return name != "__proto__" && name != "constructor" && s.RawName(from) != "Module"
	case heapsnap.InternalEdge:
		if s.Type(from) == heapsnap.Closure {
			return name == "context" || name == "bound_this" || name == "bound_function" || strings.HasPrefix(name, "bound_argument")
		}
		return name != "map"
	}
	return true
}

// ownScripts returns the program's own scripts, in order of name.
func (p *Pass) ownScripts() []string {
	var own []string
	for _, script := range p.s.Scripts() {
		if ownScript(script) {
			own = append(own, script)
		}
	}
	slices.Sort(own)
	return slices.Compact(own)
}

// ownFunctions returns where functions of the program's own scripts that are
// survivors of a site are written, and constructors of such objects, as far as
// there are nearly as many as the rounds have brought entries.
func (p *Pass) ownFunctions(g *diff.GrowthSite) []place {
	counts := map[heapsnap.Location]*place{}
	var order []*place
	for i := range p.s.NodeCount() {
		n := heapsnap.Node(i)
		if p.d.Cohort(n) == 0 || p.d.SiteOf(n) != g || p.s.Type(n) != heapsnap.Closure {
			continue
		}
		l := p.functionAt(n, "function that is kept")
		if l == nil || !ownScript(l.File) {
			continue
		}
		key := heapsnap.Location{Script: l.File, Line: l.Line, Column: l.Column}
		pl := counts[key]
		if pl == nil {
			pl = &place{Location: *l, node: n}
			counts[key] = pl
			order = append(order, pl)
		}
		pl.count++
	}
	most := 0
	for _, pl := range order {
		most = max(most, pl.count)
	}
	var all []place
	for _, pl := range order {
		if 2*pl.count >= most {
			all = append(all, *pl)
		}
	}
	return all
}

// givenAway returns the call that a function is written in as an argument, or
// that it is named in, else the function's own place.
func (p *Pass) givenAway(pl place) []call {
	src := p.file(pl.File)
	if src == nil {
		return []call{{pl.Location, ofSurvivor - inFunction, givesAway}}
	}
	open := -1 // innermost call around the function
	at := src.Offset(pl.Line, pl.Column)
	for i, t := range src.Tokens {
		if t.Offset > at {
			break
		}
		if t.Text == "(" && src.spans(i, pl.Location) && src.isCall(i) {
			open = i
		}
	}
	if open < 0 || src.functionBetween(open, at) {
		return []call{{pl.Location, ofSurvivor - inFunction, givesAway}}
	}
	c := call{src.location(pl.File, open-1, "gives away the function that is kept"), ofSurvivor, givesAway}
	c.points += p.namePoints(src.Tokens[open-1].Text, nil)
	if src.Tokens[open-1].Within != "" {
		c.points += inFunction
	}
	return []call{c}
}

// isCall reports whether the bracket at open is that of a call's arguments.
func (src *source) isCall(open int) bool {
	if open == 0 {
		return false
	}
	switch t := src.Tokens[open-1]; t.Text {
	case ")", "]":
		return true
	case "if", "for", "while", "switch", "catch", "with", "function", "return", "await", "typeof":
		return false
	default:
		if !t.IsName() && !t.IsPrivate() {
			return false
		}
		// The parameters of a method's declaration are followed by its body.
		end := src.Tokens[open].Match
		return end < 0 || end+1 >= len(src.Tokens) || src.Tokens[end+1].Text != "{"
	}
}

// functionBetween reports whether a function's body opens between the bracket
// at open and the offset: what is written there is not the call's argument.
func (src *source) functionBetween(open, offset int) bool {
	for i := open + 1; i < len(src.Tokens) && src.Tokens[i].Offset < offset; i++ {
		if t := src.Tokens[i]; t.Text == "{" && t.Match > 0 && src.Tokens[t.Match].Offset > offset {
			if _, ok := src.FunctionBefore(i); ok {
				return true
			}
		}
	}
	return false
}

// namePoints judges a method by its name.
func (p *Pass) namePoints(method string, adding map[string]bool) int {
	method = strings.TrimPrefix(method, "#")
	switch {
	case adding[method]:
		return sameName
	case releasing[method]:
		return namesOther
	case method == "pipe": // adds to a stream of Node's, but rxjs only puts together what is subscribed to
		return namesAdding - 1
	case addingMethods[method] || subscribing[method]:
		return namesAdding
	}
	for _, verb := range []string{"add", "register", "set", "create", "define", "subscribe", "push", "put", "append"} {
		if rest, ok := strings.CutPrefix(method, verb); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return namesAdding
		}
	}
	return 0
}

// callsOf returns the places where something is done with a variable that
// may make what it leads to grow.
func (p *Pass) callsOf(v variable, adding map[string]bool, role string) []call {
	scripts := []string{v.script}
	if v.property || v.script == "" {
		scripts = p.ownScripts()
	}
	var all []call
	for _, script := range scripts {
		if !bytes.Contains(p.text(script), []byte(v.name)) {
			continue
		}
		src := p.file(script)
		for i, t := range src.Tokens {
			if t.Text != v.name || !t.IsName() && !t.IsPrivate() {
				continue
			}
			member := src.At(i-1) == "." || src.At(i-1) == "?."
			if member != v.property || !member && src.At(i+1) == ":" {
				continue
			}
			at, points := src.use(i)
			if at < 0 {
				continue
			}
			for ; at >= 0; at = src.nextInChain(at) {
				// name().then().subscribe(): every call of the chain may be it.
				points := points + perHop*max(0, v.hops-near)
				method, again := src.Tokens[at].Text, src.Tokens[at].Within != ""
				switch {
				case at > i && (again || !adding[method]):
					points += p.namePoints(method, adding)
				case adding[method] && again:
					points += sameName
				}
				if again {
					points += inFunction
				}
				all = append(all, call{src.location(script, at, role), points, leads})
			}
		}
	}
	return all
}

// use looks at how the variable at token i is used: it returns the name that
// is called, of a method or its own, or that of the call it is an argument of,
// and points; -1 if it is not used in a call.
func (src *source) use(i int) (at, points int) {
	k := i
	if src.At(k+1) == ")" && src.Tokens[k+1].Match >= 0 && src.At(k-1) == "await" { // (await name).method()
		k++
	}
	for {
		switch next := src.At(k + 1); {
		case (next == "." || next == "?.") && k+2 < len(src.Tokens) && src.At(k+2) != "(":
			k += 2
		case next == "(":
			if src.Tokens[k].Text == ")" {
				return -1, 0
			}
			return k, ofVariable
		case next == "[" && src.Tokens[k+1].Match > 0 && isAssignment(src.At(src.Tokens[k+1].Match+1)):
			return k, ofVariable
		case next == "[" && src.Tokens[k+1].Match > 0:
			k = src.Tokens[k+1].Match
		case isAssignment(next) && k > i:
			return k, ofVariable
		default:
			// An argument? The nearest bracket around it that is a call's.
			depth := 0
			for b := i - 1; b > 0; b-- {
				switch src.At(b) {
				case ")", "]", "}":
					if m := src.Tokens[b].Match; m >= 0 {
						b = m
					}
				case "[", "{":
					if _, isFunction := src.FunctionBefore(b); isFunction && src.At(b) == "{" {
						return -1, 0
					}
				case "(":
					if src.isCall(b) && src.At(b-1) != ")" && src.At(b-1) != "]" {
						return b - 1, ofArgument
					}
					if depth++; depth > 1 {
						return -1, 0
					}
				case ";":
					return -1, 0
				}
			}
			return -1, 0
		}
	}
}

// nextInChain returns the name of the method that is called on what the call of
// the name at token at returns, -1 if there is none.
func (src *source) nextInChain(at int) int {
	if src.At(at+1) != "(" || src.Tokens[at+1].Match < 0 {
		return -1
	}
	end := src.Tokens[at+1].Match
	if next := src.At(end + 1); (next == "." || next == "?.") && src.At(end+3) == "(" {
		return end + 2
	}
	return -1
}

// imports returns the names under which a script has what it imports from a
// package or from a file in it, in order.
func (p *Pass) imports(script, name string) []string {
	if !bytes.Contains(p.text(script), []byte(name)) {
		return nil
	}
	var names []string
	for local, b := range p.file(script).Bindings() {
		if b.Module == name || strings.HasPrefix(b.Module, name+"/") {
			names = append(names, local)
		}
	}
	slices.Sort(names)
	return names
}

package leak

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/jssource"
)

// A reference is how the program gets at an object: the variable or property
// that it is in.
type reference struct {
	kind   string // variable, property, element, global; "" if nothing is known
	name   string
	script string        // where the variable's scope is written
	owner  heapsnap.Node // the context, object or collection
}

// reference finds the best name for n: a variable of the user's code, then a
// property, then an element of something that has a name.
func (p *Pass) reference(n heapsnap.Node) reference {
	best, bestRank := reference{owner: heapsnap.NoNode}, 100
	for _, st := range p.holdersOf(n) {
		r, rank := p.referenceBy(st)
		if p.d.Cohort(st.From) > 0 {
			rank += 20 // a survivor's view of it is no name for others
		}
		if rank < bestRank {
			best, bestRank = r, rank
		}
	}
	return best
}

func (p *Pass) referenceBy(st heapsnap.Step) (reference, int) {
	s := p.s
	switch s.EdgeType(st.Edge) {
	case heapsnap.ContextEdge:
		script := p.contextScript(st.From)
		r := reference{"variable", s.EdgeName(st.Edge), script, st.From}
		switch {
		case !userScript(script):
			return r, 4
		case r.name == "this":
			return r, 6
		case !ownScript(script): // the program's name for it says more
			return r, 1
		}
		return r, 0
	case heapsnap.PropertyEdge:
		name := s.EdgeName(st.Edge)
		if name == "__proto__" || name == "constructor" {
			return reference{"property", name, "", st.From}, 30
		}
		if strings.HasPrefix(s.RawName(st.From), "global") && s.NearRoot(st.From) {
			return reference{"global", name, "", st.From}, 1
		}
		r := reference{"property", name, "", st.From}
		if s.Type(st.From) == heapsnap.Closure {
			r.script = s.Script(st.From)
			return r, 3
		}
		if strings.HasPrefix(name, "<symbol ") {
			return r, 3
		}
		return r, 2
	case heapsnap.ElementEdge:
		return reference{"element", anyEntry, "", st.From}, 5
	case heapsnap.InternalEdge, heapsnap.HiddenEdge:
		switch s.Type(st.From) {
		case heapsnap.Array:
			return reference{"element", anyEntry, "", p.storageOwner(st.From)}, 6
		case heapsnap.Object:
			if p.isContext(st.From) && s.EdgeType(st.Edge) == heapsnap.HiddenEdge {
				script := p.contextScript(st.From)
				return reference{"variable", p.blockVariable(st.From, st.Edge, script), script, st.From}, 7
			}
		case heapsnap.Hidden:
			switch s.RawName(st.From) {
			case "system / Cell":
				name, script := p.exported(st.From)
				return reference{"variable", name, script, st.From}, 1
			case "system / JSProxy": // what the proxy stands for is known by the proxy's name
				return p.reference(st.From), 3
			}
		}
	}
	return reference{owner: st.From}, 50
}

// exported names the variable that an ES module exports through cell: the
// module's table of exports has the name in the field before the cell's (Node
// 18 to 26), and the ModuleWrap knows the module's URL.
func (p *Pass) exported(cell heapsnap.Node) (name, script string) {
	s := p.s
	for table, e := range s.Retainers(cell) {
		if s.Type(table) != heapsnap.Array || s.EdgeType(e) != heapsnap.InternalEdge {
			continue
		}
		field, err := strconv.Atoi(s.EdgeName(e))
		if err != nil {
			continue
		}
		key := s.Internal(table, strconv.Itoa(field-1))
		if key == heapsnap.NoNode || s.Type(key) != heapsnap.String {
			continue
		}
		for module := range s.Retainers(table) {
			for wrap := range s.Retainers(module) {
				if url := s.Property(wrap, "url"); s.RawName(wrap) == "ModuleWrap" && url != heapsnap.NoNode {
					script = s.RawName(url)
				}
			}
		}
		return s.RawName(key), script
	}
	return "", ""
}

// blockVariable names a variable of a block, which V8 writes as a numbered
// edge. The names are in the scope's ScopeInfo, in the same order, but with
// those of variables that hold small integers, which have no edge: of several
// that are possible, the one is meant that the source adds to.
func (p *Pass) blockVariable(ctx heapsnap.Node, edge heapsnap.Edge, script string) string {
	s := p.s
	info := s.Internal(ctx, "scope_info")
	if info == heapsnap.NoNode {
		return ""
	}
	var names []string
	for e := range s.Edges(info) {
		if s.EdgeType(e) == heapsnap.HiddenEdge && s.Type(s.To(e)) == heapsnap.String {
			names = append(names, s.RawName(s.To(e)))
		}
	}
	at, values := 0, 0
	for e := range s.Edges(ctx) {
		if s.EdgeType(e) == heapsnap.HiddenEdge {
			if e == edge {
				at = values
			}
			values++
		}
	}
	missing := len(names) - values
	if missing < 0 {
		return ""
	}
	possible := names[at : at+missing+1]
	if len(possible) == 1 {
		return possible[0]
	}
	found := ""
	for _, name := range possible {
		if uses := p.adders(script, name, false, true); len(uses) > 0 && uses[0].how >= usesIndex {
			if found != "" {
				return ""
			}
			found = name
		}
	}
	return found
}

// anyEntry stands for one of many: elements, entries, list hops.
const anyEntry = diff.AnyEntry

// storageOwner returns the object that n is the storage of.
func (p *Pass) storageOwner(n heapsnap.Node) heapsnap.Node {
	const maxHops = 8
	for range maxHops {
		switch p.s.Type(n) {
		case heapsnap.Array, heapsnap.Hidden:
			n = p.s.Dominator(n)
		default:
			return n
		}
	}
	return n
}

// class is the word for what n is.
func (p *Pass) class(n heapsnap.Node) string {
	s := p.s
	switch s.Type(n) {
	case heapsnap.Closure:
		return "function " + p.functionName(n)
	case heapsnap.Object:
		if p.isContext(n) {
			if script := p.contextScript(n); script != "" {
				return "scope in " + shortScript(script)
			}
			return "scope"
		}
		switch s.RawName(n) {
		case "Object":
			return "Object"
		case "EventTarget":
			// lib/internal/abort_controller.js makes signals of EventTargets and
			// gives them their class afterwards (Node 18 to 22).
			if s.Property(n, "<symbol kAborted>") != heapsnap.NoNode {
				return "AbortSignal"
			}
		}
	case heapsnap.Synthetic:
		if n == s.Root() {
			return "(root)"
		}
	case heapsnap.String, heapsnap.ConsString, heapsnap.SlicedString:
		return "string"
	}
	return strings.TrimSuffix(s.RawName(n), " / ") // Node 20: "global / "
}

// describe names an object as a person would: class, and the variable or
// property it is in.
func (p *Pass) describe(n heapsnap.Node) Object {
	o := Object{Class: p.class(n), ID: p.s.ID(n)}
	o.Name = o.Class
	if p.isContext(n) {
		return o
	}
	if name := p.referenceName(n, 3); name != "" {
		o.Name = o.Class + " " + name
	}
	return o
}

// describeFor is describe for the holder of a site: of the variables of a
// function it is the one that the site is about.
func (p *Pass) describeFor(g *diff.GrowthSite, holder heapsnap.Node) Object {
	o := p.describe(holder)
	if p.isContext(holder) {
		o.Name = p.variable(holder, g.Label)
	}
	return o
}

// variable names a variable by the script of the context that it is in.
func (p *Pass) variable(context heapsnap.Node, name string) string {
	return fmt.Sprintf("variable %q in %s", name, shortScript(p.contextScript(context)))
}

// referenceName is `"feed" in app.js` for a variable, `.sessions of Registry
// "registry" in app.js` for a property, at most depth objects up.
func (p *Pass) referenceName(n heapsnap.Node, depth int) string {
	r := p.reference(n)
	switch r.kind {
	case "variable":
		switch {
		case r.name == "":
			if userScript(r.script) {
				return "in a variable of " + shortScript(r.script)
			}
			return ""
		case r.script == "":
			return fmt.Sprintf("%q", r.name)
		}
		return fmt.Sprintf("%q in %s", r.name, shortScript(r.script))
	case "global":
		return fmt.Sprintf("globalThis.%s", r.name)
	case "property":
		if depth == 0 {
			return "." + r.name
		}
		owner := p.class(r.owner)
		if more := p.referenceName(r.owner, depth-1); more != "" {
			owner += " " + more
		}
		return fmt.Sprintf(".%s of %s", r.name, owner)
	case "element":
		if depth == 0 {
			return ""
		}
		owner := p.class(r.owner)
		if more := p.referenceName(r.owner, depth-1); more != "" {
			owner += " " + more
		}
		return "in " + owner
	}
	return ""
}

// shortScript is the last part of a script's name, with the package's name and
// the way below it for a script of a package: many are called index.js.
func shortScript(script string) string {
	if !userScript(script) {
		return script
	}
	if name, folder := jssource.Package(script); name != "" {
		return name + script[len(folder):]
	}
	return filepath.Base(script)
}

// userHeld reports whether user code has n in a variable or a property that
// leads to one, and not only Node's own modules.
func (p *Pass) userHeld(n heapsnap.Node) bool {
	const maxHops = 6
	for range maxHops {
		if p.isContext(n) {
			return userScript(p.contextScript(n))
		}
		r := p.reference(n)
		switch r.kind {
		case "variable":
			return userScript(r.script)
		case "global":
			return true
		case "property", "element":
			if l := p.s.Location(r.owner); l != nil && userScript(l.Script) {
				return true // an instance of the user's class
			}
			n = r.owner
		default:
			return false
		}
	}
	return false
}

// scripts returns the user's scripts in which something about n could be
// written, nearest first: the scope of its variable, the class of the object
// it is a property of, the places of entries, and then all others.
func (p *Pass) scripts(n heapsnap.Node, entries []heapsnap.Node) []string {
	var all []string
	known := map[string]bool{} // a leak of modules has thousands
	add := func(script string) {
		if !known[script] && userScript(script) {
			all = append(all, script)
		}
		known[script] = true
	}
	at := n
	const maxHops = 4
	for range maxHops {
		if l := p.s.Location(at); l != nil {
			add(l.Script)
		}
		r := p.reference(at)
		add(r.script)
		if r.owner == heapsnap.NoNode || r.kind == "" || r.kind == "variable" || r.kind == "global" {
			break
		}
		at = r.owner
	}
	if p.isContext(n) {
		add(p.contextScript(n))
	}
	for _, pl := range p.places(entries, "") {
		add(pl.File)
	}
	// What a package's own object keeps, the package's own lines most likely put
	// there: the same name in another file may mean something else.
	folder := ""
	if len(all) > 0 {
		_, folder = jssource.Package(all[0])
	}
	var rest []string
	for _, script := range p.s.Scripts() {
		if userScript(script) {
			rest = append(rest, script)
		}
	}
	far := func(script string) int {
		switch _, in := jssource.Package(script); in {
		case folder:
			return 0
		case "":
			return 1
		}
		return 2
	}
	rank := make(map[string]int, len(rest))
	for _, script := range rest {
		rank[script] = far(script)
	}
	slices.SortFunc(rest, func(a, b string) int { return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b)) })
	for _, script := range rest {
		add(script)
	}
	return all
}

// knownBy returns where functions are written that see the variable n is in, or
// the class of the object it is a property of: the best there is without
// sources for a holder of what is no object of the program's.
func (p *Pass) knownBy(n heapsnap.Node) []Location {
	const (
		maxHops = 4
		most    = 3
	)
	var where []Location
	for range maxHops {
		if p.isContext(n) {
			break
		}
		r := p.reference(n)
		if r.kind == "" || r.owner == heapsnap.NoNode {
			return nil
		}
		n = r.owner
		if l := p.functionAt(n, "class that has it"); l != nil && p.s.Type(n) == heapsnap.Object {
			return []Location{*l}
		}
	}
	for from, e := range p.s.Retainers(n) {
		if p.s.EdgeType(e) == heapsnap.InternalEdge && p.s.EdgeName(e) == "context" && len(where) < most {
			if l := p.functionAt(from, "function that sees it"); l != nil {
				where = append(where, *l)
			}
		}
	}
	return where
}

// addersOf returns the lines that add to holder under the site's label.
func (p *Pass) addersOf(holder heapsnap.Node, label string, entries []heapsnap.Node) []Location {
	const maxFiles = 300 // of a large program; nearest come first
	name, property := label, true
	if label == anyEntry {
		r := p.reference(holder)
		if r.kind == "element" {
			return p.nestedAdders(holder, r.owner, entries)
		}
		name, property = r.name, r.kind == "property" || r.kind == "global"
	} else if p.isContext(holder) {
		property = false
	}
	scripts := p.scripts(holder, entries)
	for _, script := range scripts[:min(len(scripts), maxFiles)] {
		uses := p.adders(script, name, property, label == anyEntry)
		if len(uses) == 0 {
			continue
		}
		// Where something adds to a collection, assignments to its variable are
		// not what is looked for.
		least := min(uses[0].how, usesIndex)
		var found []Location
		for _, u := range uses {
			if u.how >= least {
				found = append(found, u.Location)
			}
		}
		return p.preferConstructors(found, entries)
	}
	return nil
}

// nestedAdders returns the lines that add to a collection that is itself an
// entry of outer: calls of the method that a collection of its kind has, on a
// name of its own, in a function that reads outer.
func (p *Pass) nestedAdders(holder, outer heapsnap.Node, entries []heapsnap.Node) []Location {
	const maxFiles = 50
	r := p.reference(outer)
	kind, _ := p.contents(holder)
	methods := map[string][]string{"Map": {"set"}, "Set": {"add"}, "Array": {"push", "unshift"}}[kind]
	if r.name == "" || r.name == anyEntry {
		return nil
	}
	scripts := p.scripts(outer, entries)
	for _, script := range scripts[:min(len(scripts), maxFiles)] {
		src := p.file(script)
		if src == nil {
			continue
		}
		readers := map[string]bool{}
		for _, t := range src.Tokens {
			if t.Text == r.name && t.Within != "" {
				readers[t.Within] = true
			}
		}
		var found []Location
		for i, t := range src.Tokens {
			if i < 2 || i+1 >= len(src.Tokens) || !readers[t.Within] {
				continue
			}
			owner := src.Tokens[i-2].Text
			switch {
			case src.Tokens[i+1].Text == "(" && slices.Contains(methods, t.Text) && (src.Tokens[i-1].Text == "." || src.Tokens[i-1].Text == "?.") && owner != r.name:
				found = append(found, src.location(script, i, roleAdds))
			case kind == "Object" && t.Text == "=" && src.Tokens[i-1].Text == "]":
				if open := src.Tokens[i-1].Match; open > 0 && src.Tokens[open-1].Text != r.name {
					found = append(found, src.location(script, i, roleAdds))
				}
			}
		}
		if len(found) > 0 {
			return p.preferConstructors(found, entries)
		}
	}
	return nil
}

// preferConstructors puts lines first that make an object of the survivors'
// class.
func (p *Pass) preferConstructors(found []Location, entries []heapsnap.Node) []Location {
	if len(found) < 2 || len(entries) == 0 {
		return found
	}
	made := "new " + p.s.RawName(entries[len(entries)-1])
	slices.SortStableFunc(found, func(a, b Location) int {
		return strings.Count(p.codeOf(b), made) - strings.Count(p.codeOf(a), made)
	})
	return found
}

func (p *Pass) codeOf(l Location) string {
	if src := p.file(l.File); src != nil {
		return src.Line(l.Line)
	}
	return ""
}

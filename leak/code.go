package leak

import (
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var codeRule = Rule{
	Name:  "code",
	Title: "Code is compiled at run time and kept",
	Cause: "A function, script or context is made from text for every request or user (new Function, eval, vm, a template " +
		"engine) and remembered. Each has its source, bytecode and feedback; a vm context has all built-in objects once more.",
	Sign: "A collection has functions of every round, each with a script of its own; or vm.Script objects, or vm contexts.",
	Fix: "Compile once and pass what differs as arguments. Bound what is remembered (an LRU by text), and let a vm context go " +
		"with what ran in it.",
	Before: `filters.set(text, new Function('row', 'return ' + text));`,
	After: `function filter(column, least) {
  return (row) => row[column] > least;               // one script for all
}`,
	Links: []string{
		"https://nodejs.org/api/vm.html#vmcreatecontextcontextobject-options",
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/Function/Function",
	},
	explain: explainCode,
}

func explainCode(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	c, values := p.collection(g, holder)
	if c == nil {
		return nil
	}
	scripts := map[heapsnap.Node]bool{}
	var compiled []heapsnap.Node
	contexts := 0
	for _, v := range values {
		script, context := p.compiledIn(v)
		if context {
			contexts++
		}
		if context || script != heapsnap.NoNode && !scripts[script] {
			scripts[script] = true
			compiled = append(compiled, v)
		}
	}
	if len(compiled) < 2 || len(compiled)*5 < len(values)*4 {
		return nil
	}
	what, unit := "functions and scripts that are compiled at run time", "compiled functions and scripts"
	calls := []string{"Function", "eval", "Script", "compileFunction", "runInThisContext", "runInContext", "runInNewContext", "compile"}
	if 2*contexts > len(compiled) {
		what, unit = "vm contexts", "contexts"
		calls = []string{"createContext", "runInNewContext"}
		c.evidence = append(c.evidence, "each context has the language's built-in objects once more, about half a megabyte")
	}
	c.specific = special
	c.title = fmt.Sprintf("%s are kept in %s", what, c.holder.Name)
	c.entries, c.unit = p.count(compiled), unit
	c.survivor = compiled[len(compiled)*3/4]
	// Constructors and functions of code that was made are no lines of a file.
	c.where = slices.DeleteFunc(c.where, func(l Location) bool { return p.text(l.File) == nil })
	c.where = p.compact(append(c.where, p.callsInProgram(calls, "compiles it", func(src *source, open int) bool {
		before := ""
		if open >= 2 {
			before = src.Tokens[open-2].Text
		}
		switch src.Tokens[open-1].Text {
		case "Function":
			return before != "." && len(src.argument(open, 0)) > 0
		case "eval":
			return before != "."
		case "Script":
			return true
		}
		return before == "."
	})...))
	c.fix = fmt.Sprintf("Compile once and pass what differs as arguments; or bound %s, and let the oldest go.", c.holder.Name)
	return c
}

// compiledIn returns the script that an entry of a collection, or a function or
// vm.Script that it has as a property, is compiled in; context says that it is
// the global object of a vm context.
func (p *Pass) compiledIn(entry heapsnap.Node) (script heapsnap.Node, context bool) {
	if script := p.scriptOf(entry); script != heapsnap.NoNode {
		return script, false
	}
	if p.s.Type(entry) != heapsnap.Object {
		return heapsnap.NoNode, false
	}
	for e := range p.s.Edges(entry) {
		if p.s.EdgeType(e) != heapsnap.PropertyEdge {
			continue
		}
		to := p.s.To(e)
		if strings.Contains(p.s.EdgeName(e), "contextify:context") {
			return heapsnap.NoNode, true
		}
		if p.d.Cohort(to) == 0 {
			continue
		}
		if found := p.scriptOf(to); found != heapsnap.NoNode {
			script = found
		}
		for inner := range p.s.Edges(to) {
			if strings.Contains(p.s.EdgeName(inner), "contextify:context") && p.s.EdgeType(inner) == heapsnap.PropertyEdge {
				return heapsnap.NoNode, true
			}
		}
	}
	return script, false
}

// scriptOf returns the Script that a closure was compiled in, or that a
// vm.Script stands for: lib/vm.js, a ContextifyScript, whose native part has
// the compiled code.
func (p *Pass) scriptOf(n heapsnap.Node) heapsnap.Node {
	s := p.s
	field := func(code heapsnap.Node) heapsnap.Node {
		if code == heapsnap.NoNode {
			return heapsnap.NoNode
		}
		for _, name := range []string{"script", "script_or_debug_info"} {
			if script := s.Internal(code, name); script != heapsnap.NoNode && s.Type(script) == heapsnap.Code {
				return script
			}
		}
		return heapsnap.NoNode
	}
	switch {
	case s.Type(n) == heapsnap.Closure:
		return field(s.Internal(n, "shared"))
	case s.RawName(n) == "Node / ContextifyScript": // Node 26: one object with the native part
		return n
	case s.Type(n) != heapsnap.Object || s.RawName(n) != "Script" && s.RawName(n) != "ContextifyScript":
		return heapsnap.NoNode
	}
	for e := range s.Edges(n) {
		if to := s.To(e); s.Type(to) == heapsnap.Code || s.Type(to) == heapsnap.Native {
			if script := field(to); script != heapsnap.NoNode {
				return script
			}
		}
	}
	return n
}

// Package textgraph turns object graphs that a person can read into V8 heap
// snapshots, for tests. A graph is text, one object a line:
//
//	# an emitter with a new listener in each of three rounds
//	@1 synthetic "": shortcut global -> @3, element 1 -> @5
//	@3 object "global" 16: property feed -> @7
//	@5 synthetic "(GC roots)"
//	@7 object "PriceFeed" 32 at 4:9:1: property listeners -> @9
//	@9 object "Array" 16: element j -> @101+2*j j<3
//	@101+2*i i<3 +1+i closure "onPrice" 64
//
// A line has, in this order:
//
//	@7             the object's id: odd in V8's heap, even for the embedder's
//	i<3            the line stands for 3 objects; see below
//	+1 -3          its life: captures 1 and 2. Without +, from capture 0 on;
//	               without -, to the last
//	object "Map"   V8's node type and name
//	32             self size, 0 if left out
//	detached       or attached: the embedder's mark
//	at 4:9:1       location: script id, line and column, both counted from 1
//	: EDGE, EDGE   edge type, name or index, -> @target, and the edge's own life
//
// Lines that begin with white space go on with the line before; # begins a
// comment line. Names with spaces, commas or quotes stand in double quotes.
//
// A number may be an integer expression without spaces. In i<300 a line is
// repeated for i from 0 to 299, and an edge likewise by j<300 behind its
// target: @101+2*i, +1+i/100. In names {i} and {2*j} are replaced.
//
// A text is a series of captures of one process, counted from 0: up to the
// last in which something is born, or as many as the line "captures 5" says.
// An edge is in a capture when both its ends are and it lives itself.
package textgraph

import "testing"

// Snapshot returns the last capture of a text as V8 would write it.
func Snapshot(tb testing.TB, text string) []byte {
	tb.Helper()
	all := Series(tb, text)
	return all[len(all)-1]
}

// Series returns all captures of a text, oldest first.
func Series(tb testing.TB, text string) [][]byte {
	tb.Helper()
	g, err := Parse(text)
	if err != nil {
		tb.Fatalf("text graph: %v", err)
	}
	all := make([][]byte, g.Captures)
	for i := range all {
		all[i] = g.JSON(i)
	}
	return all
}

// A Graph is a parsed text.
type Graph struct {
	Captures int
	objects  []object
}

type object struct {
	life
	id, size     uint64
	kind         int // index into nodeTypes
	name         string
	detachedness int
	location     []uint64 // script id, line, column as in the text; nil for none
	edges        []edge
	line         int
}

type edge struct {
	life
	kind  int // index into edgeTypes
	name  string
	index uint64 // in place of name for elements and hidden edges
	to    uint64 // id
	loose bool   // may lead nowhere, as the last link of a repeated line does
}

// A life is from capture born until capture dead, exclusively; dead 0 is never.
type life struct{ born, dead int }

func (l life) in(capture int) bool { return l.born <= capture && (l.dead == 0 || capture < l.dead) }

var nodeTypes = []string{"hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native",
	"synthetic", "concatenated string", "sliced string", "symbol", "bigint", "object shape", "wasm object"}

var edgeTypes = []string{"context", "element", "property", "internal", "hidden", "shortcut", "weak"}

func indexed(kind int) bool { return edgeTypes[kind] == "element" || edgeTypes[kind] == "hidden" }

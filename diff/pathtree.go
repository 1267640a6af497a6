package diff

import (
	"path"
	"strings"

	"heapsnap/heapsnap"
)

// A pathTree says of every object how the heap gets to it, without identity:
// the row of its dominators, each with its kind and the reference that leads
// to it. Objects that are reached alike share a tree node, so a node's count is
// how many there are of a role: 900 functions in the array .price of ._events
// of a PriceFeed.
//
// The idea is that of Shark's heap growth (square/leakcanary), with dominators
// in place of shortest paths: they do not depend on the order in which V8
// writes references, nor on which of two equal ways was walked first. As there,
// links of a structure (a list, a tree, functions that keep the one before)
// are collapsed into its first link: how long it is makes no new roles.
type pathTree struct {
	s     *heapsnap.Snapshot
	names *nameTable
	roles []role
	index map[roleKey]uint32

	of     []uint32        // node -> its role, that of the owner for storage
	anchor []heapsnap.Node // node -> its owner or, for a collapsed link, the first link
	label  []uint32        // node -> name of the reference from its dominator, see labels
	kinds  []uint32        // string -> kind, 0 for not asked
}

// A role is a node of the tree.
type role struct {
	roleKey
	count int    // objects
	links int    // of them, those collapsed into another
	bytes uint64 // their shallow sizes, and those of their storage
}

type roleKey struct{ parent, label, kind uint32 }

// nameTable numbers names, for all trees that are to be compared.
type nameTable struct {
	number map[string]uint32
	text   []string
}

// The first names of every table.
const (
	noName    = 0
	entryName = 1
)

func newNameTable() *nameTable {
	t := &nameTable{number: map[string]uint32{}}
	t.intern("")
	t.intern(AnyEntry)
	return t
}

func (t *nameTable) intern(name string) uint32 {
	n, ok := t.number[name]
	if !ok {
		n = uint32(len(t.text))
		t.number[name] = n
		t.text = append(t.text, name)
	}
	return n
}

// newPathTree walks the dominator tree of s from the root down.
func newPathTree(s *heapsnap.Snapshot, names *nameTable) *pathTree {
	n := s.NodeCount()
	t := &pathTree{
		s: s, names: names, roles: []role{{}}, index: map[roleKey]uint32{},
		of: make([]uint32, n), anchor: make([]heapsnap.Node, n),
		kinds: make([]uint32, s.StringCount()),
	}
	t.findLabels()
	var children, stack []heapsnap.Node
	for _, owner := range s.DominatorOrder() {
		if isStorage(s, owner) && owner != s.Root() {
			continue // its owner has seen to it
		}
		children, stack = children[:0], append(stack[:0], owner)
		for len(stack) > 0 {
			from := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for to := range s.Dominated(from) {
				if isStorage(s, to) {
					t.of[to], t.anchor[to] = t.of[owner], owner
					t.roles[t.of[owner]].bytes += s.SelfSize(to)
					stack = append(stack, to)
				} else {
					children = append(children, to)
				}
			}
		}
		t.place(owner, children)
	}
	return t
}

// findLabels names the references from dominators.
func (t *pathTree) findLabels() {
	s := t.s
	t.label = make([]uint32, s.NodeCount())
	known := make([]uint32, s.StringCount())
	var text []string
	for _, name := range s.Strings() {
		text = append(text, name)
	}
	for i := range s.NodeCount() {
		from := heapsnap.Node(i)
		first, end := s.EdgeRange(from)
		for e := first; e < end; e++ {
			to := s.To(e)
			if t.label[to] > entryName || s.Dominator(to) != from || !s.Strong(from, e) {
				continue
			}
			switch s.EdgeType(e) {
			case heapsnap.PropertyEdge, heapsnap.ContextEdge:
			case heapsnap.InternalEdge:
				if s.Type(from) == heapsnap.Array {
					t.label[to] = entryName
					continue
				}
			case heapsnap.ElementEdge, heapsnap.HiddenEdge:
				t.label[to] = entryName
				continue
			default:
				continue
			}
			name, ok := s.EdgeNameIndex(e)
			if !ok {
				continue
			}
			if known[name] == 0 {
				known[name] = t.names.intern(text[name])
			}
			t.label[to] = known[name]
		}
	}
}

// manyAlike is how many objects of one kind make names for them say nothing of
// a role: they are keys of a dictionary or, of a class of the program, the ends
// of a list.
const manyAlike = 16

// place gives the objects that owner dominates their roles.
func (t *pathTree) place(owner heapsnap.Node, children []heapsnap.Node) {
	s := t.s
	alike := map[uint32]int{} // kind -> objects of a named class, others only if they have a name here
	named := func(n heapsnap.Node, kind uint32) bool {
		return s.Type(n) == heapsnap.Object && !generic(t.names.text[kind])
	}
	if len(children) > manyAlike {
		for _, n := range children {
			if kind := t.kind(n); t.label[n] > entryName || named(n, kind) {
				alike[kind]++
			}
		}
	}
	for _, n := range children {
		kind, label := t.kind(n), t.label[n]
		if alike[kind] > manyAlike && (label > entryName || named(n, kind)) {
			label = entryName
		}
		at, link := t.collapse(owner, n, label, kind)
		if link == heapsnap.NoNode {
			key := roleKey{t.of[owner], label, kind}
			var ok bool
			if at, ok = t.index[key]; !ok {
				at = uint32(len(t.roles))
				t.index[key] = at
				t.roles = append(t.roles, role{roleKey: key})
			}
			t.anchor[n] = owner
		} else {
			t.anchor[n] = link
			t.roles[at].links++
		}
		t.of[n] = at
		t.roles[at].count++
		t.roles[at].bytes += s.SelfSize(n)
	}
}

// maxLink is how many objects may stand between two links of a structure: a
// function keeps its scope, that a variable, that an object with the next
// function.
const maxLink = 4

// collapse returns the role of a link like n above it, and the structure's
// first link; or NoNode.
func (t *pathTree) collapse(owner, n heapsnap.Node, label, kind uint32) (uint32, heapsnap.Node) {
	s := t.s
	if typ := s.Type(n); typ != heapsnap.Object && typ != heapsnap.Closure {
		return 0, heapsnap.NoNode
	}
	class := t.names.text[kind]
	any := s.Type(n) == heapsnap.Object && (!generic(class) || asynchronous(class))
	if !any && label <= entryName || class == "system / Context" {
		return 0, heapsnap.NoNode
	}
	above := owner
	for range maxLink {
		if above == s.Root() {
			break
		}
		at := t.of[above]
		if r := &t.roles[at]; r.kind == kind && (any || r.label == label) {
			first := above
			if a := t.anchor[above]; t.of[a] == at { // a link itself
				first = a
			}
			return at, first
		}
		above = t.ownerOf(above)
	}
	return 0, heapsnap.NoNode
}

// ownerOf returns the object that dominates n.
func (t *pathTree) ownerOf(n heapsnap.Node) heapsnap.Node {
	n = t.s.Dominator(n)
	for n != t.s.Root() && isStorage(t.s, n) {
		n = t.s.Dominator(n)
	}
	return n
}

// generic reports whether a class is one of the language's own, of which any
// two objects may have nothing to do with each other.
func generic(class string) bool {
	switch class {
	case "Object", "Array", "Map", "Set", "Promise", "Function", "Generator", "Error", "Date", "Arguments", "":
		return true
	}
	return strings.HasPrefix(class, "system / ") || class[0] == '('
}

// asynchronous reports whether a class is of what waits for each other: chained
// promises, calls of async functions.
func asynchronous(class string) bool { return class == "Promise" || class == "Generator" }

// isStar reports whether most links hang on the first one: a promise that many
// wait for is no chain of promises, though each of them has one to give.
func (t *pathTree) isStar(k *crowd) bool {
	on := 0
	for _, n := range k.entries {
		above := t.ownerOf(n)
		for range maxLink {
			if t.of[above] == k.role {
				break
			}
			above = t.ownerOf(above)
		}
		if above == k.holder {
			on++
		}
	}
	return 2*on >= len(k.entries)
}

// stringKind is the kind of all text, however it is stored.
const stringKind = "(string)"

// kind is what n is: its class, for a function its name and file, for all else
// the type alone. Inferred shapes depend on what else is in the heap and are
// no kind.
func (t *pathTree) kind(n heapsnap.Node) uint32 {
	s := t.s
	switch typ := s.Type(n); typ {
	case heapsnap.Object, heapsnap.Native:
		name := s.NameIndex(n)
		if t.kinds[name] == 0 {
			t.kinds[name] = t.names.intern(s.RawName(n))
		}
		return t.kinds[name]
	case heapsnap.Closure:
		return t.names.intern("function " + s.RawName(n) + " in " + path.Base(s.Script(n)))
	case heapsnap.String, heapsnap.ConsString, heapsnap.SlicedString:
		return t.names.intern(stringKind)
	default:
		return t.names.intern("(" + typ.String() + ")")
	}
}

package heapsnap

import (
	"bytes"
	"fmt"
	"iter"
	"math/bits"
	"sync"
)

// A Snapshot is one heap: objects, the references between them and the strings
// that name them. Nothing in it changes after [Read] returned it.
type Snapshot struct {
	nodeType  []NodeType // node -> type
	nodeName  []uint32   // node -> string, see name
	id        wideColumn // node -> object id
	self      wideColumn // node -> self size; after shallowOnce with what it owns, see shallow.go
	detached  []uint8    // node -> 0 unknown, 1 attached, 2 detached; nil if the file has no such field
	firstEdge []uint32   // node -> its first edge; edges of n are firstEdge[n]:firstEdge[n+1]

	edgeType []EdgeType // edge -> type
	edgeName []uint32   // edge -> string, or the number itself if the type is indexed
	edgeTo   []Node     // edge -> target

	strings *stringTable
	tags    []tag // string -> what its text means to the algorithms

	place []uint32 // node -> where it is written, an index into spots; 0 for unknown. nil without the section
	spots []spot

	root               Node
	salvaged           *Salvaged // nil if the file is whole
	index              *indexed  // nil without one
	extraNative        uint64
	allocationTracking bool
	allocation         *allocation // nil if the file has neither samples nor traces
	unknownNodeTypes   []string
	unknownEdgeTypes   []string
	userRoots          bool                 // a root edge leads to a user root, see userRoot
	ephemerons         map[uint32]ephemeron // string -> entry, for strings tagged tagEphemeron
	ephemeronPairs     map[string]uint32

	namesOnce    sync.Once
	detachedName map[uint32]uint32 // string -> extra string "Detached "+it
	renamed      []bool            // node -> its name is detachedName's; nil if none is
	extraMu      sync.RWMutex
	extra        []string // strings that are not in the file; numbers follow those of strings

	shallowOnce sync.Once

	page bitset // nodes reachable from the user's roots, see visitRoot; set with dom

	retainersOnce sync.Once
	firstRetainer []uint32 // node -> its first entry in retainerEdge
	retainerEdge  []Edge   // references to n, in file order: firstRetainer[n]:firstRetainer[n+1]
	source        []Node   // edge / sourceStep -> the node that has the first of those edges, see from

	domOnce  sync.Once
	dom      []Node   // node -> immediate dominator; the root's is itself
	order    []Node   // depth-first order of the essential graph: order[0] is the root
	reached  int      // how many of order are not in cycles that nothing reaches
	orphans  []Node   // nodes that nothing refers to, where the walk started anew
	retained []uint64 // node -> retained size

	dominatedOnce  sync.Once
	firstDominated []uint32
	dominatedNode  []Node

	distanceOnce sync.Once
	distance     []int32
	nearOnce     sync.Once
	near         map[Node]bool // see NearRoot

	classOnce sync.Once
	class     []uint32 // node -> string or extra string
	shapes    []shape  // inferred interfaces, most frequent first

	duplicatesOnce sync.Once
	duplicates     []DuplicateStrings

	keptMu sync.Mutex
	kept   map[string]*PathTree // see KeptPaths

	scriptsOnce sync.Once
	scripts     map[uint32]string
}

// NodeCount returns the number of objects; ordinals are below it.
func (s *Snapshot) NodeCount() int { return len(s.self.low) }

// EdgeCount returns the number of references.
func (s *Snapshot) EdgeCount() int { return len(s.edgeTo) }

// Root returns the node from which everything alive is reached.
func (s *Snapshot) Root() Node { return s.root }

// Type returns V8's kind of n.
func (s *Snapshot) Type(n Node) NodeType { return s.nodeType[n] }

// ID returns the object id of n.
func (s *Snapshot) ID(n Node) ObjectID { return ObjectID(s.id.at(uint32(n))) }

// Find returns the node with the given id.
func (s *Snapshot) Find(id ObjectID) (Node, bool) {
	for i := range s.nodeType {
		if s.id.at(uint32(i)) == uint64(id) {
			return Node(i), true
		}
	}
	return NoNode, false
}

// Detachedness returns 0 (unknown), 1 (attached) or 2 (detached) for n, as
// DevTools has it after spreading the embedder's marks to what they hold.
func (s *Snapshot) Detachedness(n Node) int {
	s.namesOnce.Do(s.propagateDetached)
	if s.detached == nil {
		return 0
	}
	return int(s.detached[n])
}

// RawName returns V8's name of n, untouched.
func (s *Snapshot) RawName(n Node) string { return s.strings.at(s.nodeName[n]) }

// EdgeRange returns the first edge of n and the one behind its last.
func (s *Snapshot) EdgeRange(n Node) (first, end Edge) {
	return Edge(s.firstEdge[n]), Edge(s.firstEdge[n+1])
}

// Edges yields the references of n to others, in snapshot order, weak ones
// included.
func (s *Snapshot) Edges(n Node) iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if !yield(e) {
				return
			}
		}
	}
}

// To returns the target of e.
func (s *Snapshot) To(e Edge) Node { return s.edgeTo[e] }

// EdgeType returns V8's kind of e.
func (s *Snapshot) EdgeType(e Edge) EdgeType { return s.edgeType[e] }

// EdgeName returns the name of e: a property, a variable, or a number.
func (s *Snapshot) EdgeName(e Edge) string {
	if s.edgeType[e].indexed() {
		return fmt.Sprint(s.edgeName[e])
	}
	return s.strings.at(s.edgeName[e])
}

// EdgeIndex returns the index of an element or hidden edge, and false for
// edges that have a name.
func (s *Snapshot) EdgeIndex(e Edge) (uint32, bool) {
	return s.edgeName[e], s.edgeType[e].indexed()
}

// EdgeNamed returns the first edge of n with this type and name, if any.
func (s *Snapshot) EdgeNamed(n Node, t EdgeType, name string) (Edge, bool) {
	first, end := s.EdgeRange(n)
	for e := first; e < end; e++ {
		if s.edgeType[e] != t {
			continue
		}
		if raw := s.strings.raw(s.edgeName[e]); len(raw) == len(name) && string(raw) == name {
			return e, true
		}
	}
	return 0, false
}

// Target returns where the first edge of n with this type and name leads, or
// NoNode.
func (s *Snapshot) Target(n Node, t EdgeType, name string) Node {
	if e, ok := s.EdgeNamed(n, t, name); ok {
		return s.edgeTo[e]
	}
	return NoNode
}

// Property returns the object that n's property of this name holds, or NoNode;
// small integers have no node.
func (s *Snapshot) Property(n Node, name string) Node { return s.Target(n, PropertyEdge, name) }

// Internal returns the target of n's internal field of this name, or NoNode.
func (s *Snapshot) Internal(n Node, name string) Node { return s.Target(n, InternalEdge, name) }

// Mode tells how a snapshot was captured; figures of two modes cannot be
// compared.
type Mode struct {
	Internals bool // V8's internals were exposed: no user roots, no shallow-size transfer
	Numbers   bool // numbers have nodes of their own
}

// String returns plain, numeric, internals or internals+numeric.
func (m Mode) String() string {
	switch {
	case m.Internals && m.Numbers:
		return "internals+numeric"
	case m.Internals:
		return "internals"
	case m.Numbers:
		return "numeric"
	}
	return "plain"
}

// Mode returns how s was captured, as far as the file tells: user roots are
// missing when internals are exposed, and "smi number" nodes exist only with
// captureNumericValue (Node 20 to 26).
func (s *Snapshot) Mode() Mode {
	if s.index != nil && s.index.file != nil {
		return s.index.facts.Mode
	}
	m := Mode{Internals: !s.userRoots}
	for i, t := range s.nodeType {
		if t == Number && s.tags[s.nodeName[i]] == tagSmi {
			m.Numbers = true
			break
		}
	}
	return m
}

// Warnings tells what of the file this program does not know.
func (s *Snapshot) Warnings() []string {
	var w []string
	if s.salvaged != nil {
		w = append(w, s.salvaged.String())
	}
	if len(s.unknownNodeTypes) > 0 {
		w = append(w, fmt.Sprintf("node types %q are newer than this program: counted as %s", s.unknownNodeTypes, OtherNode))
	}
	if len(s.unknownEdgeTypes) > 0 {
		w = append(w, fmt.Sprintf("edge types %q are newer than this program: taken as strong references", s.unknownEdgeTypes))
	}
	return w
}

// tag marks strings whose text an algorithm asks for, so that it compares a
// byte and not a text per node or edge.
type tag uint8

const (
	tagNone tag = iota
	tagObject
	tagArray
	tagNativeContext
	tagExternalString
	tagArrayBufferData
	tagMapDescriptors
	tagDOMTrees
	tagProto
	tagElements
	tagSloppyFunctionMap
	tagSmi
	tagEphemeron
	tagHole
)

// tagsOfLength has the texts by their length: most strings have one that none
// of them has.
var tagsOfLength = func() (by [len("system / ExternalStringData") + 1][]taggedText) {
	for _, t := range []taggedText{
		{"Object", tagObject},
		{"Array", tagArray},
		{"system / NativeContext", tagNativeContext},
		{"system / ExternalStringData", tagExternalString},
		{"system / JSArrayBufferData", tagArrayBufferData},
		{"(map descriptors)", tagMapDescriptors},
		{"(Document DOM trees)", tagDOMTrees},
		{"__proto__", tagProto},
		{"elements", tagElements},
		{"sloppy_function_map", tagSloppyFunctionMap},
		{"smi number", tagSmi},
		{"system / Hole", tagHole},
	} {
		by[len(t.text)] = append(by[len(t.text)], t)
	}
	return by
}()

type taggedText struct {
	text string
	tag  tag
}

var partOfKey = []byte(" / part of key ")

// prepare computes what every question needs.
func (s *Snapshot) prepare() {
	s.tags = make([]tag, s.strings.count())
	for i := range s.tags {
		raw := s.strings.raw(uint32(i))
		if len(raw) < len(tagsOfLength) {
			for _, known := range tagsOfLength[len(raw)] {
				if string(raw) == known.text {
					s.tags[i] = known.tag
					break
				}
			}
			continue
		}
		if raw[0]-'0' <= 9 && bytes.Contains(raw, partOfKey) {
			s.addEphemeron(uint32(i))
		}
	}
	first, end := s.EdgeRange(s.root)
	for e := first; e < end; e++ {
		if s.userRoot(s.edgeTo[e]) {
			s.userRoots = true
			break
		}
	}
}

// userRoot is isUserRoot of HS:4372 for the target of a root edge.
func (s *Snapshot) userRoot(n Node) bool {
	return s.nodeType[n] != Synthetic || s.tags[s.nodeName[n]] == tagDOMTrees
}

// bitset is a set of nodes.
type bitset []uint64

func newBitset(n int) bitset     { return newColumn[uint64]((n + 63) / 64) }
func (b bitset) has(n Node) bool { return b[n/64]&(1<<(n%64)) != 0 }
func (b bitset) add(n Node)      { b[n/64] |= 1 << (n % 64) }
func (b bitset) remove(n Node)   { b[n/64] &^= 1 << (n % 64) }

// sort sorts nodes by number, by means of b, which is empty before and after.
func (b bitset) sort(nodes []Node) {
	low, high := nodes[0], nodes[0]
	for _, n := range nodes {
		b.add(n)
		low, high = min(low, n), max(high, n)
	}
	i := 0
	for w := low / 64; w <= high/64; w++ {
		for set := b[w]; set != 0; set &= set - 1 {
			nodes[i] = w*64 + Node(bits.TrailingZeros64(set))
			i++
		}
		b[w] = 0
	}
}

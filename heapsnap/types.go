package heapsnap

// Node is the ordinal of an object in its snapshot: 0 is the first row of the
// file's node table. It means nothing in another snapshot; see [ObjectID].
type Node uint32

// Edge is the ordinal of a reference in its snapshot.
type Edge uint32

// NoNode is no node.
const NoNode = ^Node(0)

// ObjectID is V8's number for an object, DevTools' @id: the same in every
// snapshot of one isolate, odd for objects in the V8 heap and even for those
// of the embedder. It means nothing in another process.
type ObjectID uint64

// NodeType is V8's kind of heap object.
type NodeType uint8

// The node types of V8 10.2 to 14.6 (Node 18 to 26): HeapEntry::Type in
// src/profiler/heap-snapshot-generator.h.
const (
	Hidden NodeType = iota
	Array
	String
	Object
	Code
	Closure
	RegExp
	Number
	Native
	Synthetic
	ConsString
	SlicedString
	Symbol
	BigInt
	ObjectShape
	WasmObject
	OtherNode // a type of a V8 newer than this program
	nodeTypeCount
)

var nodeTypeNames = [nodeTypeCount]string{"hidden", "array", "string", "object", "code", "closure", "regexp",
	"number", "native", "synthetic", "concatenated string", "sliced string", "symbol", "bigint", "object shape",
	"wasm object", "(other)"}

// String is V8's name of the type, as in the file.
func (t NodeType) String() string { return nodeTypeNames[min(t, OtherNode)] }

// IsString reports whether t is one of the ways in which V8 keeps a string.
func (t NodeType) IsString() bool { return t == String || t == ConsString || t == SlicedString }

// EdgeType is V8's kind of reference.
type EdgeType uint8

// The edge types: HeapGraphEdge::Type. A Weak edge does not keep its target
// alive; a Shortcut repeats another way to it.
const (
	ContextEdge EdgeType = iota
	ElementEdge
	PropertyEdge
	InternalEdge
	HiddenEdge
	ShortcutEdge
	WeakEdge
	InvisibleEdge
	OtherEdge // a type of a V8 newer than this program
	edgeTypeCount
)

var edgeTypeNames = [edgeTypeCount]string{"context", "element", "property", "internal", "hidden", "shortcut", "weak",
	"invisible", "(other)"}

// String is V8's name of the type, as in the file.
func (t EdgeType) String() string { return edgeTypeNames[min(t, OtherEdge)] }

// indexed reports whether the edge's name is a number and not a string.
func (t EdgeType) indexed() bool { return t == ElementEdge || t == HiddenEdge }

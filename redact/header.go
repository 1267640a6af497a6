package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// kind is what a node's name is, which its type tells.
type kind uint8

const (
	classKind   kind = iota // a constructor's name; also of types newer than this program
	contentKind             // a text of the program's
	wordKind                // one of V8's words for what it has no text of, such as "heap number"
	codeKind                // a function's or script's name, or V8's word
	engineKind              // V8's or the embedder's word
)

// kinds are the node types of V8 10.2 to 14.6 (Node 18 to 26).
var kinds = map[string]kind{
	"object": classKind,
	"string": contentKind, "regexp": contentKind,
	"number": wordKind, "symbol": wordKind, "bigint": wordKind, "concatenated string": wordKind, "sliced string": wordKind,
	"closure": codeKind, "code": codeKind,
	"hidden": engineKind, "array": engineKind, "native": engineKind, "synthetic": engineKind, "object shape": engineKind,
	"wasm object": engineKind,
}

// header is what of a snapshot's header is needed here; see SerializeSnapshot
// in V8's src/profiler/heap-snapshot-generator.cc.
type header struct {
	Meta struct {
		NodeFields []string          `json:"node_fields"`
		NodeTypes  []json.RawMessage `json:"node_types"`
		EdgeFields []string          `json:"edge_fields"`
		EdgeTypes  []json.RawMessage `json:"edge_types"`

		TraceFunctionInfoFields []string `json:"trace_function_info_fields"`
		ScopeVariableFields     []string `json:"scope_context_var_fields"`
	} `json:"meta"`
	NodeCount uint64 `json:"node_count"`
	EdgeCount uint64 `json:"edge_count"`
}

// layout is where in a row each field stands that is needed.
type layout struct {
	nodeFields, nodeType, nodeName, nodeEdges int
	edgeFields, edgeType, edgeName, edgeTo    int

	kinds     []kind // the file's number of a node type -> what its name is
	object    []bool // the same -> whether it is a JavaScript object
	code      []bool
	synthetic []bool
	edges     []edgeKind
}

type edgeKind uint8

const (
	propertyEdge edgeKind = iota // also of types newer than this program
	variableEdge
	engineEdge // named by V8 or the embedder
	elementEdge
	hiddenEdge // numbered by V8
)

var edgeKinds = map[string]edgeKind{
	"context": variableEdge, "element": elementEdge, "property": propertyEdge, "internal": engineEdge,
	"hidden": hiddenEdge, "shortcut": engineEdge, "weak": engineEdge, "invisible": engineEdge,
}

// maxRows bounds the counts of a header, as in package heapsnap.
const maxRows = 1<<32 - 2

func parseHeader(raw []byte) (*header, *layout, error) {
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, nil, err
	}
	m := h.Meta
	l := &layout{
		nodeFields: len(m.NodeFields),
		nodeType:   slices.Index(m.NodeFields, "type"),
		nodeName:   slices.Index(m.NodeFields, "name"),
		nodeEdges:  slices.Index(m.NodeFields, "edge_count"),
		edgeFields: len(m.EdgeFields),
		edgeType:   slices.Index(m.EdgeFields, "type"),
		edgeName:   slices.Index(m.EdgeFields, "name_or_index"),
		edgeTo:     slices.Index(m.EdgeFields, "to_node"),
	}
	if min(l.nodeType, l.nodeName, l.nodeEdges, l.edgeType, l.edgeName, l.edgeTo) < 0 {
		return nil, nil, fmt.Errorf("fields are missing (is this a V8 heap snapshot?)")
	}
	if l.edgeTo < l.edgeName || l.edgeName < l.edgeType || l.edgeTo != l.edgeFields-1 {
		return nil, nil, fmt.Errorf("edge fields in another order than type, name_or_index, to_node: %q", m.EdgeFields)
	}
	if h.NodeCount > maxRows || h.EdgeCount > maxRows {
		return nil, nil, fmt.Errorf("%d nodes, %d edges", h.NodeCount, h.EdgeCount)
	}
	names, err := enum(m.NodeTypes, l.nodeType)
	if err != nil {
		return nil, nil, fmt.Errorf("meta.node_types: %w", err)
	}
	for _, name := range names {
		l.kinds = append(l.kinds, kinds[name])
		l.object = append(l.object, name == "object")
		l.code = append(l.code, name == "code")
		l.synthetic = append(l.synthetic, name == "synthetic")
	}
	if names, err = enum(m.EdgeTypes, l.edgeType); err != nil {
		return nil, nil, fmt.Errorf("meta.edge_types: %w", err)
	}
	for _, name := range names {
		l.edges = append(l.edges, edgeKinds[name])
	}
	return &h, l, nil
}

func enum(types []json.RawMessage, at int) ([]string, error) {
	var names []string
	if at >= len(types) {
		return nil, fmt.Errorf("%d entries", len(types))
	}
	if err := json.Unmarshal(types[at], &names); err != nil {
		return nil, err
	}
	if len(names) == 0 || len(names) > 255 {
		return nil, fmt.Errorf("%d types", len(names))
	}
	return names, nil
}

// plainHeader is the header without texts other than meta's: a browser may have
// written a title. It is raw where there is none.
func plainHeader(raw []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	plain := true
	for key, value := range members {
		if key != "meta" && !isNumber(value) {
			delete(members, key)
			plain = false
		}
	}
	if plain {
		return raw, nil
	}
	// Sorted by key, which puts meta before the counts as V8 does.
	return json.Marshal(members)
}

func isNumber(raw json.RawMessage) bool {
	return len(raw) > 0 && bytes.Trim(raw, "-+.eE0123456789") == nil || string(raw) == "true" || string(raw) == "false" || string(raw) == "null"
}

package heapsnap

import (
	"encoding/json"
	"fmt"
	"slices"
)

// header is the value of the "snapshot" key: V8's HeapSnapshotJSONSerializer::
// SerializeSnapshot. Fields are looked up by name, because their number and
// order changed over the years (Node 18-22 have trace_node_id, 24 and 26 only
// with allocation tracking).
type header struct {
	Meta struct {
		NodeFields     []string          `json:"node_fields"`
		NodeTypes      []json.RawMessage `json:"node_types"`
		EdgeFields     []string          `json:"edge_fields"`
		EdgeTypes      []json.RawMessage `json:"edge_types"`
		LocationFields []string          `json:"location_fields"`
		SampleFields   []string          `json:"sample_fields"`

		TraceFunctionInfoFields []string `json:"trace_function_info_fields"`
		TraceNodeFields         []string `json:"trace_node_fields"`
	} `json:"meta"`
	NodeCount          uint64 `json:"node_count"`
	EdgeCount          uint64 `json:"edge_count"`
	TraceFunctionCount uint64 `json:"trace_function_count"`
	ExtraNativeBytes   uint64 `json:"extra_native_bytes"`
	RootIndex          uint64 `json:"root_index"`
}

// layout is where each field stands in a row of the three flat arrays; -1 is
// a field that this snapshot does not have.
type layout struct {
	nodeFields                                                  int
	nodeType, nodeName, nodeID, nodeSelf, nodeEdges, nodeDetach int
	edgeFields                                                  int
	edgeType, edgeName, edgeTo                                  int
	locFields, locObject, locScript, locLine, locColumn         int
	nodeTypes                                                   []NodeType // file's number -> ours
	edgeTypes                                                   []EdgeType // file's number -> ours
	unknownNodeTypes, unknownEdgeTypes                          []string
}

// maxCount bounds the counts of a header: ordinals are 32 bits, with one value
// left over as "none".
const maxCount = 1<<32 - 2

func parseHeader(raw []byte, offset int64) (*header, *layout, error) {
	bad := func(want, got string) (*header, *layout, error) {
		return nil, nil, &SyntaxError{"header", offset, want, got}
	}
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return bad("the snapshot's meta object", err.Error())
	}
	m := h.Meta
	l := &layout{
		nodeFields: len(m.NodeFields),
		nodeType:   slices.Index(m.NodeFields, "type"),
		nodeName:   slices.Index(m.NodeFields, "name"),
		nodeID:     slices.Index(m.NodeFields, "id"),
		nodeSelf:   slices.Index(m.NodeFields, "self_size"),
		nodeEdges:  slices.Index(m.NodeFields, "edge_count"),
		nodeDetach: slices.Index(m.NodeFields, "detachedness"),
		edgeFields: len(m.EdgeFields),
		edgeType:   slices.Index(m.EdgeFields, "type"),
		edgeName:   slices.Index(m.EdgeFields, "name_or_index"),
		edgeTo:     slices.Index(m.EdgeFields, "to_node"),
		locFields:  len(m.LocationFields),
		locObject:  slices.Index(m.LocationFields, "object_index"),
		locScript:  slices.Index(m.LocationFields, "script_id"),
		locLine:    slices.Index(m.LocationFields, "line"),
		locColumn:  slices.Index(m.LocationFields, "column"),
	}
	for _, field := range []struct {
		name string
		at   int
	}{
		{"node_fields: type", l.nodeType}, {"node_fields: name", l.nodeName}, {"node_fields: id", l.nodeID},
		{"node_fields: self_size", l.nodeSelf}, {"node_fields: edge_count", l.nodeEdges},
		{"edge_fields: type", l.edgeType}, {"edge_fields: name_or_index", l.edgeName}, {"edge_fields: to_node", l.edgeTo},
	} {
		if field.at < 0 {
			return bad("a field in meta."+field.name, "none (is this a V8 heap snapshot?)")
		}
	}
	if h.NodeCount == 0 {
		return bad("a node_count above 0", "0")
	}
	if h.NodeCount > maxCount || h.EdgeCount > maxCount {
		return bad(fmt.Sprintf("at most %d nodes and edges", uint64(maxCount)),
			fmt.Sprintf("%d nodes, %d edges", h.NodeCount, h.EdgeCount))
	}
	nodeNames, err := enum(m.NodeTypes, l.nodeType)
	if err != nil {
		return bad("the list of node types in meta.node_types", err.Error())
	}
	edgeNames, err := enum(m.EdgeTypes, l.edgeType)
	if err != nil {
		return bad("the list of edge types in meta.edge_types", err.Error())
	}
	for _, name := range nodeNames {
		t := slices.Index(nodeTypeNames[:], name)
		if t < 0 {
			t = int(OtherNode)
			l.unknownNodeTypes = append(l.unknownNodeTypes, name)
		}
		l.nodeTypes = append(l.nodeTypes, NodeType(t))
	}
	for _, name := range edgeNames {
		t := slices.Index(edgeTypeNames[:], name)
		if t < 0 {
			t = int(OtherEdge)
			l.unknownEdgeTypes = append(l.unknownEdgeTypes, name)
		}
		l.edgeTypes = append(l.edgeTypes, EdgeType(t))
	}
	return &h, l, nil
}

func enum(types []json.RawMessage, at int) ([]string, error) {
	if at >= len(types) {
		return nil, fmt.Errorf("%d entries", len(types))
	}
	var names []string
	if err := json.Unmarshal(types[at], &names); err != nil {
		return nil, err
	}
	if len(names) == 0 || len(names) > 255 {
		return nil, fmt.Errorf("%d types", len(names))
	}
	return names, nil
}

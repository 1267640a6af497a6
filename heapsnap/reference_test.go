package heapsnap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// A model is what a file says, in the plainest of forms: what the fast parser
// and the slow reader below have to agree on.
type model struct {
	root       int
	extra      uint64
	nodes      []modelNode
	edges      []modelEdge
	places     map[int]spot
	timeline   [][2]uint64
	functions  []traceFunction
	traces     []traceNode
	traced     bool
	textNumber int
}

type modelNode struct {
	kind     NodeType
	name     string
	id, self uint64
	edges    int
	detached uint8
	made     uint32
}

type modelEdge struct {
	kind  EdgeType
	index uint32 // of an element or hidden edge
	name  string
	to    int
}

// modelOf returns the model of a snapshot that was asked nothing yet: questions
// rename nodes and move sizes.
func modelOf(s *Snapshot) *model {
	m := &model{root: int(s.root), extra: s.extraNative, places: map[int]spot{}, textNumber: s.strings.count()}
	for i := range s.NodeCount() {
		n := Node(i)
		first, end := s.EdgeRange(n)
		node := modelNode{s.nodeType[i], s.strings.at(s.nodeName[i]), s.id.at(uint32(i)), s.self.at(uint32(i)), int(end - first), 0, 0}
		if s.detached != nil {
			node.detached = s.detached[i]
		}
		if a := s.allocation; a != nil && a.made != nil {
			node.made = a.made[i]
		}
		m.nodes = append(m.nodes, node)
		if at, ok := s.spotOf(n); ok {
			m.places[i] = at
		}
	}
	for i := range s.EdgeCount() {
		e := modelEdge{kind: s.edgeType[i], to: int(s.edgeTo[i])}
		if e.kind.indexed() {
			e.index = s.edgeName[i]
		} else {
			e.name = s.strings.at(s.edgeName[i])
		}
		m.edges = append(m.edges, e)
	}
	if a := s.allocation; a != nil {
		for i := range a.sampleID {
			m.timeline = append(m.timeline, [2]uint64{a.sampleTime[i], a.sampleID[i]})
		}
		m.functions, m.traces, m.traced = a.functions, a.trace, a.made != nil
	}
	return m
}

// difference returns the first part in which two models differ, or "".
func (m *model) difference(other *model) string {
	a, b := reflect.ValueOf(*m), reflect.ValueOf(*other)
	for i := range a.NumField() {
		if got, want := fmt.Sprintf("%+v", a.Field(i)), fmt.Sprintf("%+v", b.Field(i)); got != want {
			return fmt.Sprintf("%s %s, want %s", a.Type().Field(i).Name, got, want)
		}
	}
	return ""
}

// write writes the model as V8 would, except that it has all columns and
// that every name has a string of its own.
func (m *model) write() []byte {
	var text []string
	name := func(t string) int { text = append(text, t); return len(text) - 1 }
	quoted := func(list []string) string { b, _ := json.Marshal(list); return string(b) }
	var nodes, edges, locations, functions, timeline []string
	for _, n := range m.nodes {
		nodes = append(nodes, fmt.Sprintf("%d,%d,%d,%d,%d,%d,%d", n.kind, name(n.name), n.id, n.self, n.edges, n.made, n.detached))
	}
	for _, e := range m.edges {
		number := int(e.index)
		if !e.kind.indexed() {
			number = name(e.name)
		}
		edges = append(edges, fmt.Sprintf("%d,%d,%d", e.kind, number, 7*e.to))
	}
	for _, n := range slices.Sorted(maps.Keys(m.places)) {
		at := m.places[n]
		locations = append(locations, fmt.Sprintf("%d,%d,%d,%d", 7*n, at.script, at.line, at.column))
	}
	for _, f := range m.functions {
		functions = append(functions, fmt.Sprintf("0,%d,%d,%d,%d,%d", f.name, f.script, f.scriptID, f.line, f.column))
	}
	for _, row := range m.timeline {
		timeline = append(timeline, fmt.Sprintf("%d,%d", row[0], row[1]))
	}
	children := map[int32][]int32{}
	for i, n := range m.traces {
		children[n.parent] = append(children[n.parent], int32(i))
	}
	var tree func(parent int32) string
	tree = func(parent int32) string {
		var rows []string
		for _, i := range children[parent] {
			n := m.traces[i]
			rows = append(rows, fmt.Sprintf("%d,%d,%d,%d,%s", n.id, n.function, n.count, n.size, tree(i)))
		}
		return "[" + strings.Join(rows, ",") + "]"
	}
	tracked := 0
	if m.traced {
		tracked = max(1, len(m.functions))
	}
	for len(text) < m.textNumber {
		text = append(text, "unused")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],`+
		`"node_types":[%s,"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],`+
		`"edge_types":[%s,"string_or_number","node"],"location_fields":["object_index","script_id","line","column"],`+
		`"trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],`+
		`"trace_node_fields":["id","function_info_index","count","size","children"],"sample_fields":["timestamp_us","last_assigned_id"]},`+
		`"node_count":%d,"edge_count":%d,"trace_function_count":%d,"extra_native_bytes":%d,"root_index":%d},`,
		quoted(nodeTypeNames[:]), quoted(edgeTypeNames[:]), len(m.nodes), len(m.edges), tracked, m.extra, 7*m.root)
	fmt.Fprintf(&b, "\n\"nodes\":[%s],\n\"edges\":[%s],\n\"trace_function_infos\":[%s],\n\"trace_tree\":%s,\n\"samples\":[%s],\n\"locations\":[%s],\n\"strings\":[",
		strings.Join(nodes, "\n,"), strings.Join(edges, "\n,"), strings.Join(functions, "\n,"), tree(-1), strings.Join(timeline, "\n,"), strings.Join(locations, "\n,"))
	for i, t := range text {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(quoteJSON(t))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

// reference reads a file with encoding/json. ok is false where it has no
// opinion: the text is no JSON (the parser forgives some of that in sections it
// passes over), or a section is there twice.
//
// A file is accepted if
//   - it is an object whose first key is "snapshot", with a header as
//     parseHeader wants it and counts that fit into the file;
//   - nodes, edges and strings are there, the edges behind the nodes;
//   - nodes and edges are arrays of as many unsigned numbers of up to 19 digits
//     as the header says; types are below the number of types, names below that
//     of strings, edge counts add up to the header's, to_node is a node;
//   - locations, samples, trace_function_infos and trace_tree consist of whole
//     rows, if the header names the fields that are wanted of them, and the
//     last two only with a trace_function_count;
//   - the root is the first node or the last.
//
// Other sections may hold any JSON.
func reference(data []byte) (m *model, err error, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if refused, is := r.(refusal); is {
				m, err, ok = nil, refused, true
				return
			}
			panic(r)
		}
	}()
	sections, keys, ok := outer(data)
	if !ok {
		return nil, nil, false
	}
	if keys == nil || keys[0] != "snapshot" {
		return nil, refusal("no header first"), true
	}
	h, l, err := parseHeader(sections["snapshot"], 0)
	if err != nil {
		return nil, err, true
	}
	if h.NodeCount*uint64(l.nodeFields)*2+h.EdgeCount*uint64(l.edgeFields)*2 > uint64(len(data)) {
		return nil, refusal("counts that cannot fit"), true
	}
	r := &referenceReader{sections: sections, h: h, l: l, m: &model{places: map[int]spot{}, extra: h.ExtraNativeBytes}}
	for _, key := range []string{"nodes", "edges", "strings"} {
		if sections[key] == nil {
			return nil, refusal("no " + key), true
		}
	}
	if slices.Index(keys, "edges") < slices.Index(keys, "nodes") {
		return nil, refusal("edges before nodes"), true
	}
	r.text()
	r.nodes()
	r.edges()
	r.locations()
	r.allocations()
	root := h.RootIndex / uint64(l.nodeFields)
	if root != 0 && root != h.NodeCount-1 {
		return nil, refusal("a root in the middle"), true
	}
	r.m.root = int(root)
	return r.m, nil, true
}

type refusal string

func (r refusal) Error() string { return string(r) }

// outer returns the members of the outer object; ok is false if the text is no
// JSON, has a key twice or one that is written with escapes.
func outer(data []byte) (sections map[string]json.RawMessage, keys []string, ok bool) {
	if !json.Valid(data) {
		return nil, nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, true
	}
	sections = map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, false
		}
		key := t.(string)
		if !bytes.Contains(data[:d.InputOffset()], []byte(`"`+key+`"`)) || len(key) > 1000 || sections[key] != nil {
			return nil, nil, false
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, nil, false
		}
		sections[key] = raw
		keys = append(keys, key)
	}
	return sections, keys, true
}

type referenceReader struct {
	sections map[string]json.RawMessage
	h        *header
	l        *layout
	m        *model
	strings  []string
}

// list returns the elements of a section.
func (r *referenceReader) list(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		panic(refusal("no array"))
	}
	return list
}

func (r *referenceReader) number(raw json.RawMessage) uint64 {
	if len(raw) > 19 || strings.Trim(string(raw), "0123456789") != "" {
		panic(refusal("no number: " + string(raw)))
	}
	v, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		panic(refusal(err.Error()))
	}
	return v
}

// rows returns a section's numbers, width to a row.
func (r *referenceReader) rows(section string, width int) [][]uint64 {
	list := r.list(r.sections[section])
	if len(list)%width != 0 {
		panic(refusal("a broken row in " + section))
	}
	var rows [][]uint64
	for i, raw := range list {
		if i%width == 0 {
			rows = append(rows, nil)
		}
		rows[i/width] = append(rows[i/width], r.number(raw))
	}
	return rows
}

func (r *referenceReader) text() {
	for _, raw := range r.list(r.sections["strings"]) {
		if raw[0] != '"' {
			panic(refusal("no string"))
		}
		r.strings = append(r.strings, decode(string(raw[1:len(raw)-1])))
	}
	r.m.textNumber = len(r.strings)
}

// decode is unescape with other means: units of UTF-16 first.
func decode(raw string) string {
	short := map[byte]string{'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", '/': "/", '\\': "\\", '"': `"`}
	var out []byte
	high := rune(0) // a surrogate that waits for its other half
	flush := func() {
		if high != 0 {
			out = append(out, byte(0xE0|high>>12), byte(0x80|high>>6&0x3F), byte(0x80|high&0x3F))
			high = 0
		}
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			flush()
			out = append(out, raw[i])
			continue
		}
		if i++; raw[i] != 'u' {
			flush()
			out = append(out, short[raw[i]]...)
			continue
		}
		v, err := strconv.ParseUint(raw[i+1:i+5], 16, 16)
		if err != nil {
			panic(err) // json.Valid saw it
		}
		i += 4
		switch unit := rune(v); {
		case unit>>10 == 0xDC00>>10 && high != 0:
			out = utf8.AppendRune(out, 0x10000+(high-0xD800)<<10+(unit-0xDC00))
			high = 0
		case unit>>10 == 0xD800>>10:
			flush()
			high = unit
		case unit>>10 == 0xDC00>>10:
			flush()
			high = unit
			flush()
		default:
			flush()
			out = utf8.AppendRune(out, unit)
		}
	}
	flush()
	return string(out)
}

func (r *referenceReader) name(v uint64) string {
	if v >= uint64(len(r.strings)) {
		panic(refusal("a name that is not there"))
	}
	return r.strings[v]
}

func (r *referenceReader) nodes() {
	made := -1
	if r.h.TraceFunctionCount > 0 {
		r.m.traced = true
		made = slices.Index(r.h.Meta.NodeFields, "trace_node_id")
	}
	rows := r.rows("nodes", r.l.nodeFields)
	if uint64(len(rows)) != r.h.NodeCount {
		panic(refusal("not as many nodes as the header says"))
	}
	sum := uint64(0)
	for _, row := range rows {
		if row[r.l.nodeType] >= uint64(len(r.l.nodeTypes)) {
			panic(refusal("a node type that is not there"))
		}
		if row[r.l.nodeEdges] > r.h.EdgeCount {
			panic(refusal("too many edges"))
		}
		sum += row[r.l.nodeEdges]
		n := modelNode{r.l.nodeTypes[row[r.l.nodeType]], r.name(row[r.l.nodeName]), row[r.l.nodeID], row[r.l.nodeSelf], int(row[r.l.nodeEdges]), 0, 0}
		if r.l.nodeDetach >= 0 {
			n.detached = uint8(row[r.l.nodeDetach])
		}
		if made >= 0 {
			n.made = uint32(row[made])
		}
		r.m.nodes = append(r.m.nodes, n)
	}
	if sum != r.h.EdgeCount {
		panic(refusal("edge counts do not add up"))
	}
}

func (r *referenceReader) edges() {
	rows := r.rows("edges", r.l.edgeFields)
	if uint64(len(rows)) != r.h.EdgeCount {
		panic(refusal("not as many edges as the header says"))
	}
	for _, row := range rows {
		if row[r.l.edgeType] >= uint64(len(r.l.edgeTypes)) {
			panic(refusal("an edge type that is not there"))
		}
		e := modelEdge{kind: r.l.edgeTypes[row[r.l.edgeType]]}
		to, fields := row[r.l.edgeTo], uint64(r.l.nodeFields)
		if to%fields != 0 || to/fields >= r.h.NodeCount {
			panic(refusal("an edge to no node"))
		}
		if e.to = int(to / fields); e.kind.indexed() {
			if row[r.l.edgeName] > 1<<32-1 {
				panic(refusal("an index above 32 bits"))
			}
			e.index = uint32(row[r.l.edgeName])
		} else {
			e.name = r.name(row[r.l.edgeName])
		}
		r.m.edges = append(r.m.edges, e)
	}
}

func (r *referenceReader) locations() {
	if r.sections["locations"] == nil || r.l.locObject < 0 || r.l.locScript < 0 || r.l.locLine < 0 || r.l.locColumn < 0 {
		return
	}
	fields := uint64(r.l.nodeFields)
	for _, row := range r.rows("locations", r.l.locFields) {
		if at := row[r.l.locObject]; at%fields == 0 && at/fields < r.h.NodeCount {
			r.m.places[int(at/fields)] = spot{uint32(row[r.l.locScript]), uint32(row[r.l.locLine]), uint32(row[r.l.locColumn])}
		}
	}
}

func (r *referenceReader) allocations() {
	meta := &r.h.Meta
	if at := fieldsAt(meta.SampleFields, "timestamp_us", "last_assigned_id"); at != nil && r.sections["samples"] != nil {
		for _, row := range r.rows("samples", len(meta.SampleFields)) {
			r.m.timeline = append(r.m.timeline, [2]uint64{row[at[0]], row[at[1]]})
		}
	}
	if !r.m.traced {
		return
	}
	if at := fieldsAt(meta.TraceFunctionInfoFields, "name", "script_name", "script_id", "line", "column"); at != nil && r.sections["trace_function_infos"] != nil {
		for _, row := range r.rows("trace_function_infos", len(meta.TraceFunctionInfoFields)) {
			r.m.functions = append(r.m.functions, traceFunction{row[at[0]], row[at[1]], row[at[2]], row[at[3]], row[at[4]]})
		}
	}
	at := fieldsAt(meta.TraceNodeFields, "id", "function_info_index", "count", "size", "children")
	if at == nil || r.sections["trace_tree"] == nil {
		return
	}
	var walk func(raw json.RawMessage, parent int32)
	walk = func(raw json.RawMessage, parent int32) {
		list := r.list(raw)
		width := len(meta.TraceNodeFields)
		if len(list)%width != 0 {
			panic(refusal("a broken row in trace_tree"))
		}
		for ; len(list) > 0; list = list[width:] {
			row := int32(len(r.m.traces))
			r.m.traces = append(r.m.traces, traceNode{parent: parent})
			for f, raw := range list[:width] {
				if f == at[4] {
					walk(raw, row)
					continue
				}
				v := r.number(raw)
				switch n := &r.m.traces[row]; f {
				case at[0]:
					n.id = v
				case at[1]:
					n.function = v
				case at[2]:
					n.count = v
				case at[3]:
					n.size = v
				}
			}
		}
	}
	walk(r.sections["trace_tree"], -1)
}

// full has every section and every field.
var full = fmt.Sprintf(strings.NewReplacer(
	`"trace_node_id"]`, `"trace_node_id","detachedness"]`, `"number"],"edge`, `"number","number"],"edge`,
	`"sample_fields"`, `"location_fields":["object_index","script_id","line","column"],"sample_fields"`,
	`"node_count":5`, `"root_index":0,"extra_native_bytes":99,"node_count":5`,
	"[0,0,1,0,4,0, 1,1,3,16,0,3, 1,1,5,24,0,3, 1,1,7,100,0,2, 1,1,8,1000,0,77]",
	"[0,0,1,0,4,0,0, 1,1,3,16,0,3,1, 1,1,5,24,0,3,2, 1,1,7,100,0,2,0, 1,1,8,1000,0,77,0]",
	"[1,0,6, 1,0,12, 1,0,18, 1,0,24]", "[1,0,7, 0,4000000000,14, 1,6,21, 1,7,28]",
	`"strings":["",`, `"locations":[7,1,2,3, 14,4,5,6],"x":{"y":[null]},"strings":["\u0000\ud83d\ude00\ud83d",`,
	`"app.js"]`, `"app.js","\"\\\/\b\f\n\r\t","é\u00e9"]`).Replace(tracked), traceFunctions, traceTree, samples)

func addSnapshots(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(full))
	f.Add(fmt.Appendf(nil, tracked, traceFunctions, traceTree, samples))
	for _, change := range [][2]string{
		{`"root_index":0`, `"root_index":28`}, {`"type","name"`, `"name","type"`}, {`1,1,3,16`, `1,1,9999999999999999999,9999999999`},
		{"[1,0,7", "[1.0,0,7"}, {"[1,0,7", "[1,-0,7"}, {",[]],", ",[]]],"}, {`"edges":`, `"edges":[],"edges":`}, {`[7,1,2,3`, `[7,1,2`},
		{`"sample_fields"`, `"sample_field"`}, {`"trace_function_count":3`, `"trace_function_count":0`}, {"\\ud83d\"", "\\uDFFF\""},
	} {
		f.Add([]byte(strings.Replace(full, change[0], change[1], 1)))
	}
}

// FuzzReadReference holds the parser to the reference: the same files are
// accepted, and the same is read.
func FuzzReadReference(f *testing.F) {
	addSnapshots(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		want, refused, ok := reference(data)
		s, err := Read(context.Background(), bytes.NewReader(data), Options{Size: int64(len(data))})
		switch {
		case !ok:
		case refused == nil && err != nil:
			t.Fatalf("Read = %v, the reference accepts", err)
		case refused != nil && err == nil:
			t.Fatalf("Read accepts, the reference refuses: %v", refused)
		case err == nil:
			if diff := modelOf(s).difference(want); diff != "" {
				t.Fatalf("Read gives %s", diff)
			}
		}
	})
}

// FuzzReadWrite writes what was read and reads that again.
func FuzzReadWrite(f *testing.F) {
	addSnapshots(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(context.Background(), bytes.NewReader(data), Options{Size: int64(len(data))})
		if err != nil {
			return
		}
		want := modelOf(s)
		text := want.write()
		again, err := Read(context.Background(), bytes.NewReader(text), Options{Size: int64(len(text))})
		if err != nil {
			t.Fatalf("Read of what was written: %v\n%s", err, text)
		}
		got := modelOf(again)
		got.textNumber = want.textNumber // every name was given a string of its own
		if diff := got.difference(want); diff != "" {
			t.Fatalf("read, written and read again: %s", diff)
		}
	})
}

// Both of a fuzz test's sides refusing everything would look like agreement.
func TestReferenceAccepts(t *testing.T) {
	m, err, ok := reference([]byte(full))
	if err != nil || !ok {
		t.Fatalf("reference(full) = %v, %v, want it to be accepted\n%s", err, ok, full)
	}
	if len(m.nodes) != 5 || len(m.edges) != 4 || len(m.places) != 2 || len(m.functions) != 3 || len(m.traces) != 4 || len(m.timeline) != 3 ||
		m.nodes[0].name != "\x00😀\xed\xa0\xbd" || m.nodes[2].detached != 2 || m.nodes[4].made != 77 || m.extra != 99 {
		t.Errorf("reference(full) = %+v", m)
	}
}

// randomModel is a small heap with some of everything.
func randomModel(r *rand.Rand) *model {
	names := []string{"", "Object", "a", "\xed\xa0\xbd", "😀", "\x00\n\"\\", "é", "12 / part of key (K @1) -> value (V @3) pair in WeakMap (table @5)"}
	name := func() string { return names[r.IntN(len(names))] }
	wide := func() uint64 {
		if r.IntN(8) == 0 {
			return 1<<32 - 3 + r.Uint64N(5)
		}
		return r.Uint64N(1000)
	}
	m := &model{extra: r.Uint64N(3), places: map[int]spot{}, traced: r.IntN(2) == 0}
	count := 1 + r.IntN(8)
	m.root = r.IntN(2) * (count - 1)
	for i := range count {
		n := modelNode{NodeType(r.IntN(int(nodeTypeCount))), name(), wide(), wide(), r.IntN(4), uint8(r.IntN(3)), 0}
		if m.traced {
			n.made = r.Uint32N(4)
		}
		for range n.edges {
			e := modelEdge{kind: EdgeType(r.IntN(int(edgeTypeCount))), to: r.IntN(count)}
			if e.kind.indexed() {
				e.index = uint32(wide())
			} else {
				e.name = name()
			}
			m.edges = append(m.edges, e)
		}
		if r.IntN(3) == 0 {
			m.places[i] = spot{r.Uint32N(3), r.Uint32N(1000), r.Uint32()}
		}
		m.nodes = append(m.nodes, n)
	}
	for range r.IntN(3) {
		m.timeline = append(m.timeline, [2]uint64{wide(), wide()})
	}
	if m.traced {
		for range r.IntN(4) {
			m.functions = append(m.functions, traceFunction{wide(), wide(), wide(), wide(), wide()})
		}
		for i := range int32(r.IntN(6)) {
			// In the order of a walk, as they stand in the file.
			parent := int32(-1)
			if i > 0 {
				for parent = i - 1; parent >= 0 && r.IntN(3) == 0; parent = m.traces[parent].parent {
				}
			}
			m.traces = append(m.traces, traceNode{wide(), wide(), wide(), wide(), parent})
		}
	}
	return m
}

// Mutations of bytes seldom come to the numbers and never fit the header to
// them: random heaps, whole and with a part replaced.
func TestReadReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	token := regexp.MustCompile(`\d+|[\[\],]|"[a-z_]+"`)
	parts := []string{"0", "1", "7", "14", "16", "4294967294", "4294967295", "4294967296", "9999999999999999999", "99999999999999999999",
		"-1", "1.5", "1e2", "null", `"x"`, "[]", "[1,2]", "{}", ",", "", `"nodes"`, " 3 ", "\n5"}
	const count = 3000 // 20000 were tried
	accepted := 0
	for i := range count {
		m := randomModel(r)
		text := m.write()
		if i%4 > 0 {
			body := text
			if r.IntN(4) > 0 { // rather the rows than the header
				body = text[bytes.Index(text, []byte(`"nodes":`)):]
			}
			at := token.FindAllIndex(body, -1)
			place := at[r.IntN(len(at))]
			rest := text[len(text)-len(body)+place[1]:]
			text = slices.Concat(text[:len(text)-len(body)+place[0]], []byte(parts[r.IntN(len(parts))]), rest)
		}
		want, refused, ok := reference(text)
		s, err := Read(context.Background(), bytes.NewReader(text), Options{Size: int64(len(text))})
		switch {
		case i%4 == 0 && (!ok || err != nil || refused != nil):
			t.Fatalf("heap %d: Read = %v, reference = %v, %v, want both to accept\n%s", i, err, refused, ok, text)
		case !ok:
		case refused == nil && err != nil:
			t.Fatalf("heap %d: Read = %v, the reference accepts\n%s", i, err, text)
		case refused != nil && err == nil:
			t.Fatalf("heap %d: Read accepts, the reference refuses: %v\n%s", i, refused, text)
		case err == nil:
			accepted++
			got := modelOf(s)
			if diff := got.difference(want); diff != "" {
				t.Fatalf("heap %d: Read gives %s\n%s", i, diff, text)
			}
			if i%4 == 0 {
				got.textNumber = m.textNumber
				if diff := got.difference(m); diff != "" {
					t.Fatalf("heap %d: written and read: %s\n%s", i, diff, text)
				}
			}
		}
	}
	if accepted < count/3 {
		t.Errorf("%d of %d heaps were accepted: too few to tell much", accepted, count)
	}
}

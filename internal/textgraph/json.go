package textgraph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// JSON returns a capture as V8 of Node 20 would write it.
func (g *Graph) JSON(capture int) []byte {
	const nodeFields, edgeFields, locationFields = 7, 3, 4
	var alive []object
	ordinal := map[uint64]int{} // id -> row
	for _, o := range g.objects {
		if o.in(capture) {
			ordinal[o.id] = len(alive)
			alive = append(alive, o)
		}
	}
	texts := []string{"<dummy>"}
	numbers := map[string]uint64{}
	text := func(s string) uint64 {
		if numbers[s] == 0 {
			numbers[s] = uint64(len(texts))
			texts = append(texts, s)
		}
		return numbers[s]
	}
	var nodes, edges, locations []uint64
	for i, o := range alive {
		count := uint64(0)
		for _, e := range o.edges {
			to, ok := ordinal[e.to]
			if !ok || !e.in(capture) {
				continue
			}
			count++
			name := e.index
			if !indexed(e.kind) {
				name = text(e.name)
			}
			edges = append(edges, uint64(e.kind), name, uint64(to*nodeFields))
		}
		nodes = append(nodes, uint64(o.kind), text(o.name), o.id, o.size, count, 0, uint64(o.detachedness))
		if l := o.location; l != nil {
			locations = append(locations, uint64(i*nodeFields), l[0], l[1]-1, l[2]-1)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],`+
		`"node_types":[%s,"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],`+
		`"edge_types":[%s,"string_or_number","node"],"location_fields":["object_index","script_id","line","column"]},`+
		"\"node_count\":%d,\"edge_count\":%d,\"trace_function_count\":0},\n",
		texted(nodeTypes), texted(edgeTypes), len(alive), len(edges)/edgeFields)
	fmt.Fprintf(&b, "\"nodes\":[%s],\n\"edges\":[%s],\n", rows(nodes, nodeFields), rows(edges, edgeFields))
	fmt.Fprintf(&b, "\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[%s],\n", rows(locations, locationFields))
	fmt.Fprintf(&b, "\"strings\":%s}\n", texted(texts))
	return b.Bytes()
}

// rows writes numbers as V8 does, a row per line.
func rows(numbers []uint64, fields int) []byte {
	var b []byte
	for i, v := range numbers {
		if i > 0 {
			if i%fields == 0 {
				b = append(b, '\n')
			}
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, v, 10)
	}
	return b
}

func texted(texts []string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(texts); err != nil {
		panic(err) // strings can always be encoded
	}
	return bytes.TrimSpace(b.Bytes())
}

package cdp

import (
	"strings"
	"testing"
)

func TestCensusHoldsASnapshotToItsHeader(t *testing.T) {
	const header = `{"snapshot":{"meta":{"node_fields":["type","name"],"edge_fields":["type","name_or_index","to_node"]},"node_count":2,"edge_count":1,"trace_function_count":0},` + "\n"
	const whole = header + `"nodes":[1,2` + "\n" + `,3,4],` + "\n" + `"edges":[0,1,2],"locations":[1,2,3,4,5],"strings":["\"nodes\":[","1,2,3]"]}`
	for _, c := range []struct{ name, text, says string }{
		{"whole", whole, ""},
		{"no edges", strings.Replace(strings.Replace(whole, `"edge_count":1`, `"edge_count":0`, 1), "[0,1,2]", "[]", 1), ""},
		{"a node is lost", strings.Replace(whole, "\n,3,4", "", 1), "2 numbers of nodes came, the header promises 4"},
		{"an edge too many", strings.Replace(whole, "[0,1,2]", "[0,1,2,0,1,2]", 1), "6 numbers of edges came"},
		{"the edges are lost", strings.Replace(whole, `"edges":[0,1,2],`, "", 1), "0 numbers of edges"},
		{"no header", "[]", "no header"},
		{"half a header", `{"snapshot":{"meta":`, "its header"},
	} {
		for _, piece := range []int{1, 3, 7, len(c.text)} {
			census := newCensus()
			for at := 0; at < len(c.text); at += piece {
				census.add([]byte(c.text[at:min(len(c.text), at+piece)]))
			}
			err := census.check([]byte(c.text))
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s, in pieces of %d: %v, want %q", c.name, piece, err, c.says)
			}
		}
	}
}

package heapsnap

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// tracked is a snapshot with allocation tracking: f (1:2:3) calls g, which made
// @3 and @5, and itself made @7. The sections are filled in by a test.
const tracked = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id"],` +
	`"node_types":[["synthetic","object"],"string","number","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property"],"string_or_number","node"],` +
	`"trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],` +
	`"trace_node_fields":["id","function_info_index","count","size","children"],` +
	`"sample_fields":["timestamp_us","last_assigned_id"]},"node_count":5,"edge_count":4,"trace_function_count":3},
"nodes":[0,0,1,0,4,0, 1,1,3,16,0,3, 1,1,5,24,0,3, 1,1,7,100,0,2, 1,1,8,1000,0,77],
"edges":[1,0,6, 1,0,12, 1,0,18, 1,0,24],
"trace_function_infos":%s,
"trace_tree":%s,
"samples":%s,
"strings":["","A","(root)","f","g","app.js"]}`

const (
	traceFunctions = `[0,2,0,0,0,0, 9,3,5,7,2,3, 11,4,5,7,20,1]`
	traceTree      = `[1,0,0,0,[2,1,3,300,[3,2,5,500,[]],4,2,1,40,[]]]`
	samples        = `[0,4, 250000,5, 500000,6]`
)

func TestAllocationProfile(t *testing.T) {
	s := mustRead(t, fmt.Appendf(nil, tracked, traceFunctions, traceTree, samples))
	want := []Allocator{
		{Function: "g", Place: Location{7, "app.js", 20, 1}, Count: 6, LiveCount: 2, Size: 540, LiveSize: 40},
		{Function: "f", Place: Location{7, "app.js", 2, 3}, Count: 3, LiveCount: 1, Size: 300, LiveSize: 100},
	}
	if got := s.AllocationProfile(); !slices.Equal(got, want) {
		t.Errorf("AllocationProfile() = %+v, want %+v", got, want)
	}
	var stack []string
	for _, f := range s.AllocationStack(node(t, s, 5)) {
		stack = append(stack, f.Function)
	}
	if want := []string{"g", "f", "(root)"}; !slices.Equal(stack, want) {
		t.Errorf("AllocationStack(@5) = %q, want %q", stack, want)
	}
	if got := s.AllocationStack(node(t, s, 8)); got != nil { // trace node 77 is not there
		t.Errorf("AllocationStack(@8) = %v, want none", got)
	}
	if got := s.AllocationStack(s.Root()); got != nil {
		t.Errorf("AllocationStack(root) = %v, want none", got)
	}
}

func TestSamples(t *testing.T) {
	s := mustRead(t, fmt.Appendf(nil, tracked, traceFunctions, traceTree, samples))
	// @7 is later than the last sample, @8 is not V8's.
	want := []Sample{{0, 4, 16}, {250 * time.Millisecond, 5, 24}, {500 * time.Millisecond, 6, 0}}
	if got := s.Samples(); !reflect.DeepEqual(got, want) {
		t.Errorf("Samples() = %v, want %v", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	s := mustRead(t, []byte(valid))
	if p, samples, stack := s.AllocationProfile(), s.Samples(), s.AllocationStack(1); p != nil || samples != nil || stack != nil {
		t.Errorf("AllocationProfile(), Samples(), AllocationStack(1) = %v, %v, %v, want none", p, samples, stack)
	}
}

// A trace node whose function is not in the table, as V8 writes them when the
// stream's reader itself allocates: DevTools cannot open such a file.
func TestAllocationProfileOutside(t *testing.T) {
	s := mustRead(t, fmt.Appendf(nil, tracked, traceFunctions, `[1,0,0,0,[2,99,3,300,[3,2,5,500,[]]]]`, samples))
	want := []Allocator{{Function: "g", Place: Location{7, "app.js", 20, 1}, Count: 5, LiveCount: 2, Size: 500, LiveSize: 40}}
	if got := s.AllocationProfile(); !slices.Equal(got, want) {
		t.Errorf("AllocationProfile() = %+v, want %+v", got, want)
	}
	if got := s.AllocationStack(node(t, s, 3)); len(got) != 2 {
		t.Errorf("AllocationStack(@3) = %v, want g and (root)", got)
	}
}

// A recursive program's tree is as deep as its stack.
func TestTraceTreeDeep(t *testing.T) {
	const depth = 300_000
	var b strings.Builder
	b.WriteString(`[1,0,0,0,[`)
	for i := range depth {
		fmt.Fprintf(&b, "%d,1,1,8,[", i+2)
	}
	b.WriteString(strings.Repeat("]", depth) + "]]")
	s := mustRead(t, fmt.Appendf(nil, tracked, traceFunctions, b.String(), samples))
	if p := s.AllocationProfile(); len(p) != 1 || p[0].Count != depth || p[0].Size != 8*depth {
		t.Errorf("AllocationProfile() = %+v, want f with %d objects", p, depth)
	}
}

func TestTraceSectionsRefused(t *testing.T) {
	for _, test := range []struct{ functions, tree, samples, section string }{
		{`[0,2,0,0,0]`, traceTree, samples, "trace_function_infos"},
		{traceFunctions, `[1,0,0,0,[2,1,3,300]]`, samples, "trace_tree"},
		{traceFunctions, `[1,0,0,0,7]`, samples, "trace_tree"},
		{traceFunctions, `[1,0,[],0,[]]`, samples, "trace_tree"},
		{traceFunctions, `[1,0,0,0,[],]`, samples, "trace_tree"},
		{traceFunctions, `{"id":1}`, samples, "trace_tree"},
		{traceFunctions, `[1,0,0,0 0,[]]`, samples, "trace_tree"},
		{traceFunctions, `[12345678901234567890123,0,0,0,[]]`, samples, "trace_tree"},
		{traceFunctions, traceTree, `[1,2,3]`, "samples"},
		{traceFunctions, traceTree, `[1,,3]`, "samples"},
		{traceFunctions, traceTree, `[-1,3]`, "samples"},
	} {
		_, err := read(fmt.Sprintf(tracked, test.functions, test.tree, test.samples))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Section != test.section {
			t.Errorf("Read with %s %s %s: error %v, want one in %s", test.functions, test.tree, test.samples, err, test.section)
		}
	}
	for _, tree := range []string{`[]`, "[ 1 ,\n0, 0,0, [ ] ]", traceTree} {
		if _, err := read(fmt.Sprintf(tracked, `[]`, tree, `[]`)); err != nil {
			t.Errorf("Read with the trace tree %s: %v", tree, err)
		}
	}
}

package heapsnap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// What a snapshot takes, in bytes per node and per edge: the table that
// docs/performance.md has in words. A column that is not here fails the test,
// and so does one that has room for more than it holds.
var budget = []struct {
	step    string // that makes these columns
	columns map[string]perRow
}{
	{"reading", map[string]perRow{
		"nodeType": {1, 0}, "nodeName": {4, 0}, "id": {4, 0}, "self": {4, 0}, "detached": {1, 0}, "firstEdge": {4, 0},
		"place":    {4, 0}, // in files that have locations
		"edgeType": {0, 1}, "edgeName": {0, 4}, "edgeTo": {0, 4},
	}},
	{"dominators and retained sizes", map[string]perRow{"dom": {4, 0}, "order": {4, 0}, "retained": {8, 0}, "page": {1. / 8, 0}}},
	{"distances", map[string]perRow{"distance": {4, 0}}},
	{"classes", map[string]perRow{"class": {4, 0}}},
	{"dominated", map[string]perRow{"firstDominated": {4, 0}, "dominatedNode": {4, 0}}},
	{"retainers", map[string]perRow{"firstRetainer": {4, 0}, "retainerEdge": {0, 4}, "source": {0, 4. / sourceStep}}},
}

type perRow struct{ node, edge float64 }

// budgetShape is a heap of 100,000 objects with 6 references each, all of which
// have a place, with few strings.
func budgetShape(nodes, edges int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b, e, l bytes.Buffer
	fmt.Fprintf(&b, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","detachedness"],`+
		`"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic"],"string","number","number","number","number"],`+
		`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],`+
		`"location_fields":["object_index","script_id","line","column"]},"node_count":%d,"edge_count":%d},"nodes":[`, nodes, edges)
	for i := range nodes {
		each := edges / nodes
		if i == 0 {
			each += edges % nodes
			fmt.Fprintf(&b, "9,0,1,0,%d,0", each)
		} else {
			fmt.Fprintf(&b, ",%d,%d,%d,%d,%d,0", []int{3, 2, 1, 5, 8, 0}[i%6], 1+i%4, 2*i+1, 8*(1+i%9), each)
		}
		for k := range each {
			to := r.IntN(nodes)
			if k == 0 && i+1 < nodes {
				to = i + 1 // everything is reached
			}
			kind := 1 + (i+k)%3
			name := 1 + k%4
			if k == 0 && i == 0 {
				kind = 5 // the user's root
			}
			fmt.Fprintf(&e, ",%d,%d,%d", kind, name, 6*to)
		}
		fmt.Fprintf(&l, ",%d,%d,%d,%d", 6*i, i%3, i%5, 0)
	}
	fmt.Fprintf(&b, `],"edges":[%s],"locations":[%s],"strings":["","Object","next","A \"quoted\" name","<b c>"]}`, e.Bytes()[1:], l.Bytes()[1:])
	return b.Bytes()
}

// columnBytes returns the bytes of every slice of numbers in v, by field, as
// they are in memory: their capacity.
func columnBytes(v any) map[string]int {
	found := map[string]int{}
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		f, name := s.Field(i), s.Type().Field(i).Name
		if f.Kind() == reflect.Struct && f.Type() == reflect.TypeFor[wideColumn]() {
			f = f.FieldByName("low")
		}
		if f.Kind() != reflect.Slice || f.Cap() == 0 {
			continue
		}
		found[name] = f.Cap() * int(f.Type().Elem().Size())
	}
	return found
}

func TestMemoryBudget(t *testing.T) {
	const nodes, edges = 100_000, 600_000
	data := budgetShape(nodes, edges)
	s := mustRead(t, data)
	steps := map[string]func(){
		"reading":                       func() {},
		"dominators and retained sizes": func() { s.Dominator(0) },
		"distances":                     func() { s.Distance(0) },
		"classes":                       func() { s.ClassName(0) },
		"dominated":                     func() { s.Dominated(0) },
		"retainers":                     func() { s.RetainerCount(0) },
	}
	// These are as long as there are texts, places, shapes: none of them grows
	// with nodes or edges here.
	few := []string{"spots", "tags", "extra", "shapes", "orphans", "unknownNodeTypes", "unknownEdgeTypes"}
	before := map[string]int{}
	var all perRow
	for _, b := range budget {
		steps[b.step]()
		now := columnBytes(s)
		for name, got := range now {
			if _, known := before[name]; known || slices.Contains(few, name) {
				continue
			}
			per, ok := b.columns[name]
			// One row more where an entry says where the next one's begin, one less
			// for the root; bits and entries for several edges are whole words.
			want := int(per.node*nodes + per.edge*edges)
			if !ok || got < want-8 || got > want+8 {
				t.Errorf("%s: %s takes %d bytes, want %d: %v per node, %v per edge", b.step, name, got, want, per.node, per.edge)
			}
		}
		for name, per := range b.columns {
			if now[name] == 0 {
				t.Errorf("%s: there is no column %s", b.step, name)
			}
			all.node += per.node
			all.edge += per.edge
		}
		before = now
	}
	for _, name := range few {
		if before[name] > 4096 {
			t.Errorf("%s takes %d bytes: it is a column", name, before[name])
		}
	}
	if want := (perRow{58.125, 13 + 4./sourceStep}); all != want {
		t.Errorf("everything takes %v, which docs/performance.md does not say", all)
	}

	// An earlier capture of a comparison.
	ids, err := ReadIdentities(t.Context(), bytes.NewReader(data), Options{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	if got := cap(ids.id.low) * 4; got != 4*nodes {
		t.Errorf("Identities take %d bytes, want 4 per node", got)
	}
	if got, want := cap(ids.kinds), int(ids.maxID/4)+1; got != want {
		t.Errorf("Identities take %d bytes for types, want %d: half a byte for each odd id", got, want)
	}
}

// work is what a step allocates in all, and in how many pieces.
type work struct{ bytes, count uint64 }

// allocated runs f without the collector.
func allocated(f func()) work {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return work{after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs}
}

// No step allocates per node or per edge: a heap of twice the size takes as many
// allocations, but for the blocks that its text is cut into.
func TestNoAllocationPerRow(t *testing.T) {
	const nodes, edges = 60_000, 360_000
	small, large := budgetShape(nodes, edges), budgetShape(2*nodes, 2*edges)
	var s *Snapshot
	for _, step := range []struct {
		name string
		do   func(data []byte)
		most uint64 // allocations more
	}{
		{"Read", func(data []byte) { s = mustRead(t, data) }, 400},
		{"ReadIdentities", func(data []byte) {
			if _, err := ReadIdentities(t.Context(), bytes.NewReader(data), Options{Size: int64(len(data))}); err != nil {
				t.Fatal(err)
			}
		}, 400},
		{"Dominator", func(data []byte) { s.Dominator(0) }, 100},
		{"Distance", func(data []byte) { s.Distance(0) }, 100},
		{"ClassName", func(data []byte) { s.ClassName(0) }, 100},
		{"Dominated", func(data []byte) { s.Dominated(0) }, 20},
		{"Retainers", func(data []byte) { s.RetainerCount(0) }, 20},
		{"Aggregates", func(data []byte) { s.Aggregates() }, 100},
		{"Summarize", func(data []byte) { mustRead(t, data).Summarize() }, 1000},
	} {
		one := mustRead(t, small)
		if s == nil {
			s = one
		}
		var counts []uint64
		for _, data := range [][]byte{small, large} {
			if step.name != "Read" {
				s = mustRead(t, data)
				// What the step needs is there before it.
				s.SelfSize(0)
				if step.name == "Dominated" || step.name == "Aggregates" {
					s.Dominator(0)
				}
				if step.name == "Aggregates" {
					s.Dominated(0)
					s.Distance(0)
					s.ClassName(0)
				}
			}
			counts = append(counts, allocated(func() { step.do(data) }).count)
		}
		if counts[1] > counts[0]+step.most {
			t.Errorf("%s of %d nodes and %d edges takes %d allocations, of twice as many %d", step.name, nodes, edges, counts[0], counts[1])
		}
	}
}

// Summarize's peak, and what the dominators take on the way, in bytes of live
// heap per node and edge. Live heap is looked at whenever the collector ran,
// which it does all the time here.
func TestSummarizePeak(t *testing.T) {
	const nodes, edges = 100_000, 600_000
	data := budgetShape(nodes, edges)
	s := mustRead(t, data)
	peak := livePeak(func() { s.Summarize() })
	const most = 60*nodes + 15*edges
	t.Logf("peak %d bytes, %.1f %% of the budget", peak, float64(peak)*100/most)
	if peak > most {
		t.Errorf("Summarize has %d bytes at most, want %d", peak, most)
	}
	if peak < most*3/4 {
		t.Errorf("Summarize has %d bytes at most: the budget of %d can be lowered", peak, most)
	}
}

// livePeak returns how far f raises the bytes that are in use, over those that
// were before f's own input.
func livePeak(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	peak := m.HeapAlloc
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			runtime.Gosched()
		}
	}()
	f()
	close(stop)
	<-done
	return peak
}

// Package heapsnap reads V8 heap snapshots and answers questions about the
// object graph in them: sizes, distances, dominators, retainers, class names,
// source locations. The figures are those of Chrome DevTools' Memory panel,
// node by node. It knows nothing of leaks, of Node's own objects or of
// processes: see packages diff and leak for those.
//
// The types to know are [Snapshot], which owns everything, and the two handles
// [Node] and [Edge], small integers that mean something only together with
// their snapshot:
//
//	s, err := heapsnap.Open(ctx, "app.heapsnapshot", heapsnap.Options{})
//	for e := range s.Edges(s.Root()) {
//		fmt.Println(s.EdgeName(e), s.Name(s.To(e)), s.RetainedSize(s.To(e)))
//	}
//
// A snapshot is stored as columns, one slice per field, about 18 bytes per
// node and 9 per edge; nothing is allocated per node or per edge. What costs
// more than a look (retainers, dominators, distances) is computed on first use
// and kept. A Snapshot may be used by several goroutines at a time.
//
// References of the form HS:line are to front_end/entrypoints/
// heap_snapshot_worker/HeapSnapshot.ts of chrome-devtools-frontend 1.0.1705227.
package heapsnap

package heapsnap

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
)

// strongEdges returns the edges that keep their target alive as far as their
// type and name tell: what is left of essential is whether they lead to
// themselves or into the page objects. Walks then ask one bit, in a set that
// stays in the cache, and neither type nor name.
func (s *Snapshot) strongEdges() bitset {
	strong := newBitset(s.EdgeCount())
	var strongType [1 << 8]uint64
	for t := range strongType {
		if t := EdgeType(t); t != WeakEdge && t != ShortcutEdge {
			strongType[t] = 1
		}
	}
	low, high := NoNode, Node(0) // strings that are names of WeakMaps' entries are among these
	for name := range s.ephemerons {
		low, high = min(low, Node(name)), max(high, Node(name))
	}
	const stretch = 1 << 10 // words
	onAllCores((len(strong)+stretch-1)/stretch, func(_, i int) {
		for w := i * stretch; w < min((i+1)*stretch, len(strong)); w++ {
			first := w * 64
			end := min(first+64, len(s.edgeType))
			types, names := s.edgeType[first:end], s.edgeName[first:end]
			var set uint64
			for k, t := range types {
				set |= strongType[t] << k
				if name := names[k]; Node(name)-low <= high-low && t == InternalEdge && s.tags[name] == tagEphemeron &&
					s.ephemerons[name].table == s.id.at(uint32(s.holder(Edge(first+k)))) {
					set &^= 1 << k
				}
			}
			strong[w] = set
		}
	})
	first, end := s.EdgeRange(s.root)
	for e := first; e < end; e++ {
		if s.edgeType[e] == ShortcutEdge {
			strong.add(Node(e))
		}
	}
	return strong
}

// holder returns the node that has e, by looking for it: for the few edges of
// which that is asked without.
func (s *Snapshot) holder(e Edge) Node {
	return Node(sort.Search(s.NodeCount(), func(n int) bool { return s.firstEdge[n+1] > uint32(e) }))
}

// Predecessors are sorted by target in two steps, so that both write to memory
// that stays in the cache: first into buckets of neighbouring nodes, then each
// bucket by node. Filling the lists at once is one write per edge to memory that
// no cache holds.
const (
	bucketBits = 16
	runLength  = 4094 // a run fills one of the sizes that Go has: 24 KiB
)

// A run is a stretch of references into one bucket.
type run struct {
	n    int
	to   [runLength]uint16 // within the bucket
	from [runLength]uint32 // vertex
}

// references are the essential references of a graph but those that the walk
// came by, whose source is the parent.
type references struct {
	nodes int
	runs  [][][]*run // worker -> bucket -> its runs
}

func (r *references) buckets() int { return (r.nodes + 1<<bucketBits - 1) >> bucketBits }

// onAllCores calls work for 0 to count-1 on all cores, telling which of them
// it is.
func onAllCores(count int, work func(worker, i int)) {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for worker := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				work(worker, i)
			}
		})
	}
	wg.Wait()
}

// references takes the edges from the walk, which needs them no more.
func (w *domWalk) references() *references {
	s, tree, strong := w.s, w.tree, w.strong
	w.tree, w.strong = nil, nil
	r := &references{nodes: w.n, runs: make([][][]*run, runtime.GOMAXPROCS(0))}
	for worker := range r.runs {
		r.runs[worker] = make([][]*run, r.buckets())
	}
	number := newColumn[uint32](w.n) // node -> vertex
	for v, n := range w.order {
		number[n] = uint32(v)
	}
	const stretch = 1 << 14 // nodes
	onAllCores((w.n+stretch-1)/stretch, func(worker, i int) {
		runs := r.runs[worker]
		open := make([]*run, len(runs))
		for b, all := range runs {
			if len(all) > 0 {
				open[b] = all[len(all)-1]
			}
		}
		for from := Node(i * stretch); from < Node(min((i+1)*stretch, w.n)); from++ {
			v := number[from]
			if v == 0 && from != s.root { // nothing reaches it
				continue
			}
			page := s.page.has(from) || from == s.root
			first, end := s.EdgeRange(from)
			for e := first; e < end; e++ {
				to := s.edgeTo[e]
				if !strong.has(Node(e)) || tree.has(Node(e)) || to == from || !page && s.page.has(to) {
					continue
				}
				b := to >> bucketBits
				at := open[b]
				if at == nil || at.n == runLength {
					at = new(run)
					open[b], runs[b] = at, append(runs[b], at)
				}
				at.to[at.n], at.from[at.n] = uint16(to), v
				at.n++
			}
		}
	})
	return r
}

// byTarget sorts the references: pred[first[node]:first[node+1]] are the
// vertices that refer to a node, and some has the nodes that have any. It uses r
// up.
func (r *references) byTarget() (first, pred []uint32, some bitset) {
	base := make([]uint32, r.buckets()+1)
	for b := range r.buckets() {
		base[b+1] = base[b]
		for _, runs := range r.runs {
			for _, at := range runs[b] {
				base[b+1] += uint32(at.n)
			}
		}
	}
	first = newColumn[uint32](r.nodes + 1)
	pred = newColumn[uint32](int(base[r.buckets()]))
	first[r.nodes] = uint32(len(pred))
	some = newBitset(r.nodes) // a bucket has words of its own
	counts := make([][1 << bucketBits]uint32, len(r.runs))
	onAllCores(r.buckets(), func(worker, b int) {
		count := &counts[worker]
		clear(count[:])
		for _, runs := range r.runs {
			for _, at := range runs[b] {
				for _, to := range at.to[:at.n] {
					count[to]++
				}
			}
		}
		place, low := base[b], b<<bucketBits
		for i := range min(1<<bucketBits, r.nodes-low) {
			first[low+i] = place
			if count[i] > 0 {
				some.add(Node(low + i))
			}
			place, count[i] = place+count[i], place
		}
		for _, runs := range r.runs {
			for _, at := range runs[b] {
				for i, to := range at.to[:at.n] {
					pred[count[to]] = at.from[i]
					count[to]++
				}
			}
			runs[b] = nil
		}
	})
	r.runs = nil
	return first, pred, some
}

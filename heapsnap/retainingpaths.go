package heapsnap

import "slices"

// PathLimits bound a search for retaining paths. A limit of 0 is DevTools'
// own: 30, 5000, 100.
type PathLimits struct {
	Depth    int // references on a path
	Nodes    int // objects looked at, those looked at again included
	Siblings int // retainers of one object
}

// RetainingPaths are the ways by which an object is held, as a forest that
// grows from the object towards the roots.
type RetainingPaths struct {
	Paths []RetainingEdge // the references to the object itself, nearest to the root first

	// Which limits cut something off.
	DepthReached, NodesReached, SiblingsReached bool
}

// A RetainingEdge is a reference on a retaining path.
type RetainingEdge struct {
	From    Node // who refers
	Edge    Edge
	Holders []RetainingEdge // the references to From; none at the end of a path
}

// RetainingPaths returns the ways to n that DevTools finds: getRetainingPaths,
// HS:3434. An object is met once for every shorter way to it, so that shared
// parts of ways are in the forest once.
//
// A path ends at distance 2, which is a root like (Stack roots) where internals
// are exposed. Where they are not, it is what global refers to, so that the
// forest of such an object is empty; so is that of objects that only V8's own
// roots reach, at [SystemDistance]. See [Snapshot.Paths] for those.
func (s *Snapshot) RetainingPaths(n Node, limits PathLimits) *RetainingPaths {
	s.retainersOnce.Do(s.computeRetainers)
	s.distanceOnce.Do(s.computeDistances)
	w := &retainingWalk{s: s, limits: limits, onPath: map[Node]bool{}, done: map[Node]int{}}
	for _, l := range []struct {
		limit    *int
		standard int
	}{{&w.limits.Depth, 30}, {&w.limits.Nodes, 5000}, {&w.limits.Siblings, 100}} {
		if *l.limit == 0 {
			*l.limit = l.standard
		}
	}
	w.Paths = w.forest(n, 0)
	return &w.RetainingPaths
}

// pathEnd is the distance where a path ends.
const pathEnd = 2

type retainingWalk struct {
	RetainingPaths
	s      *Snapshot
	limits PathLimits
	looked int           // objects looked at so far
	onPath map[Node]bool // the path from the object to the one looked at
	done   map[Node]int  // node -> depth at which it was looked at last
}

// forest returns the references to n, an object depth references away from the
// one asked for. It recurses limits.Depth deep at most.
func (w *retainingWalk) forest(n Node, depth int) []RetainingEdge {
	s := w.s
	if w.looked++; w.looked > w.limits.Nodes {
		w.NodesReached = true
		return nil
	}
	if depth >= w.limits.Depth {
		w.DepthReached = true
		return nil
	}
	if s.distance[n] <= pathEnd || w.onPath[n] {
		return nil
	}
	// A shorter way may have room for an end that a longer one had not.
	if before, ok := w.done[n]; ok && depth >= before {
		return nil
	}
	w.onPath[n] = true

	var refs []RetainingEdge
	// DevTools has the retainers of a node in descending order of edges.
	for i := s.firstRetainer[n+1]; i > s.firstRetainer[n]; i-- {
		e := s.retainerEdge[i-1]
		from := s.from(e)
		if s.edgeType[e] == WeakEdge || s.distance[from] < 0 {
			continue
		}
		if int(s.distance[from])-pathEnd >= w.limits.Depth-depth {
			w.DepthReached = true
			continue
		}
		refs = append(refs, RetainingEdge{From: from, Edge: e})
	}
	slices.SortStableFunc(refs, func(a, b RetainingEdge) int { return int(s.distance[a.From] - s.distance[b.From]) })
	if len(refs) > w.limits.Siblings {
		w.SiblingsReached = true
		refs = refs[:w.limits.Siblings]
	}
	kept := refs[:0]
	for _, r := range refs {
		if s.distance[r.From] == pathEnd {
			if w.looked++; w.looked > w.limits.Nodes {
				w.NodesReached = true
				break
			}
		} else if r.Holders = w.forest(r.From, depth+1); len(r.Holders) == 0 {
			continue
		}
		kept = append(kept, r)
	}
	delete(w.onPath, n)
	w.done[n] = depth
	return kept
}

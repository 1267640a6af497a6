package heapsnap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// forest writes retaining paths as name(distance).edge[holders].
func forest(s *Snapshot, refs []RetainingEdge) string {
	var parts []string
	for _, r := range refs {
		text := fmt.Sprintf("%s(%d).%s", s.Name(r.From), s.Distance(r.From), s.EdgeName(r.Edge))
		if len(r.Holders) > 0 {
			text += "[" + forest(s, r.Holders) + "]"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func reachedLimits(p *RetainingPaths) string {
	var names []string
	for _, l := range []struct {
		name    string
		reached bool
	}{{"depth", p.DepthReached}, {"nodes", p.NodesReached}, {"siblings", p.SiblingsReached}} {
		if l.reached {
			names = append(names, l.name)
		}
	}
	return strings.Join(names, " ")
}

// gcRoots is the graph of DevTools' own tests for getRetainingPaths,
// HeapSnapshot.test.ts of devtools-frontend 183d0d7.
const gcRoots = `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 synthetic "(Stack roots)": element 1 -> @7, element 2 -> @13
@7 object "A": property a1 -> @9
@9 object "A1": property a2 -> @11
@11 object "A2": property a2c -> @15
@13 object "B": property bc -> @15, property bd -> @17
@15 object "C": property ce -> @19
@17 object "D"
@19 object "E"
`

func TestRetainingPaths(t *testing.T) {
	const (
		viaB = "B(3).bc[(Stack roots)(2).2]"
		viaA = "A2(5).a2c[A1(4).a2[A(3).a1[(Stack roots)(2).1]]]"
	)
	for _, test := range []struct {
		name          string
		text          string
		id            ObjectID
		limits        PathLimits
		want, reached string
	}{
		{"all ways, shared part once", gcRoots, 19, PathLimits{}, "C(4).ce[" + viaB + " " + viaA + "]", ""},
		{"the limits spelled out", gcRoots, 19, PathLimits{30, 5000, 100}, "C(4).ce[" + viaB + " " + viaA + "]", ""},
		{"too few nodes", gcRoots, 19, PathLimits{Nodes: 4}, "C(4).ce[" + viaB + "]", "nodes"},
		{"no node", gcRoots, 19, PathLimits{Nodes: 1}, "", "nodes"},
		{"not deep enough for one", gcRoots, 19, PathLimits{Depth: 3}, "C(4).ce[" + viaB + "]", "depth"},
		{"not deep enough", gcRoots, 19, PathLimits{Depth: 2}, "", "depth"},
		{"one sibling", gcRoots, 15, PathLimits{Siblings: 1}, viaB, "siblings"},
		{"right below a path's end", gcRoots, 7, PathLimits{}, "(Stack roots)(2).1", ""},
		{"the end itself", gcRoots, 5, PathLimits{}, "", ""},
		{"the root", gcRoots, 1, PathLimits{}, "", ""},
		{"weak references and shortcuts", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 synthetic "(Stack roots)": element 1 -> @7, weak w -> @9, shortcut s -> @9
@7 object "A": weak w -> @9
@9 object "B"
`, 9, PathLimits{}, "(Stack roots)(2).s", ""},
		{"a cycle", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 synthetic "(Stack roots)": element 1 -> @7
@7 object "A": property b -> @9
@9 object "B": property a -> @7, property b -> @9
`, 9, PathLimits{}, "A(3).b[(Stack roots)(2).1]", ""},
		{"nothing reaches it", "@1 synthetic \"\": element 1 -> @3\n@3 object \"A\"\n@5 object \"B\"", 5, PathLimits{}, "", ""},
		{"what global refers to", `
@1 synthetic "": shortcut global -> @3
@3 object "global": property a -> @5
@5 object "A": property b -> @7
@7 object "B"
`, 5, PathLimits{}, "", ""},
		{"one more reference", `
@1 synthetic "": shortcut global -> @3
@3 object "global": property a -> @5
@5 object "A": property b -> @7
@7 object "B"
`, 7, PathLimits{}, "A(2).b", ""},
		{"only V8's roots, with user roots", `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global"
@5 synthetic "(GC roots)": element 1 -> @7
@7 synthetic "(Stack roots)": element 1 -> @9
@9 object "A"
`, 9, PathLimits{}, "", "depth"},
		{"of equal retainers the last first", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 synthetic "(Stack roots)": element j -> @101+2*j j<105
@7 object "shared": property x -> @9
@9 object "target"
@101+2*i i<105 object "Parent{i}": property p -> @7
`, 9, PathLimits{Siblings: 2}, "shared(4).x[Parent104(3).p[(Stack roots)(2).104] Parent103(3).p[(Stack roots)(2).103]]", "siblings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := graph(t, test.text)
			p := s.RetainingPaths(node(t, s, test.id), test.limits)
			if got := forest(s, p.Paths); got != test.want {
				t.Errorf("RetainingPaths(@%d, %+v) = %s\nwant %s", test.id, test.limits, got, test.want)
			}
			if got := reachedLimits(p); got != test.reached {
				t.Errorf("RetainingPaths(@%d, %+v) reached the limits %q, want %q", test.id, test.limits, got, test.reached)
			}
		})
	}
}

// DevTools shows 100 retainers of an object, or as many as it is told.
func TestRetainingPathsSiblings(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 synthetic "(Stack roots)": element j -> @101+2*j j<105
@9 object "target"
@101+2*i i<105 object "Parent{i}": property p -> @9
`)
	for _, test := range []struct {
		siblings, want int
		reached        string
	}{{0, 100, "siblings"}, {5, 5, "siblings"}, {104, 104, "siblings"}, {105, 105, ""}} {
		p := s.RetainingPaths(node(t, s, 9), PathLimits{Siblings: test.siblings})
		if len(p.Paths) != test.want || reachedLimits(p) != test.reached {
			t.Errorf("with Siblings %d: %d paths, limits %q, want %d, %q", test.siblings, len(p.Paths), reachedLimits(p), test.want, test.reached)
		}
		if got := s.Name(p.Paths[0].From); got != "Parent104" {
			t.Errorf("with Siblings %d: the first path is from %s, want Parent104", test.siblings, got)
		}
	}
}

// Every path of a random graph is one: it starts at the object, every edge
// leads on to the one before, no object is on it twice, and it ends where
// paths end. With room enough there is a path whenever there is a distance.
func TestRetainingPathsRandom(t *testing.T) {
	for seed := range uint64(300) {
		text := byteGraph(randomBytes(seed + 9000))
		s := graph(t, text)
		for i := range s.NodeCount() {
			n := Node(i)
			p := s.RetainingPaths(n, PathLimits{Nodes: 1 << 20})
			var check func(to Node, refs []RetainingEdge, path []Node)
			check = func(to Node, refs []RetainingEdge, path []Node) {
				for _, r := range refs {
					first, end := s.EdgeRange(r.From)
					bad := s.To(r.Edge) != to || r.Edge < first || r.Edge >= end || s.EdgeType(r.Edge) == WeakEdge ||
						slices.Contains(path, r.From) || (len(r.Holders) == 0) != (s.Distance(r.From) == pathEnd)
					if bad {
						t.Fatalf("RetainingPaths(@%d) = %s, wrong at @%d in\n%s", s.ID(n), forest(s, p.Paths), s.ID(r.From), text)
					}
					check(r.From, r.Holders, append(path, r.From))
				}
			}
			check(n, p.Paths, []Node{n})
			if d := s.Distance(n); n != s.Root() && reachedLimits(p) == "" && (len(p.Paths) > 0) != (d > pathEnd && d < SystemDistance) {
				t.Fatalf("RetainingPaths(@%d) = %q at distance %d in\n%s", s.ID(n), forest(s, p.Paths), d, text)
			}
		}
	}
}

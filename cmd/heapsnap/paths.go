package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/heapsnap"
	"heapsnap/report"
)

func newPaths(a *app) *cobra.Command {
	v := &view{output: output{app: a}}
	limits := heapsnap.PathLimits{}
	shortest := false
	cmd := &cobra.Command{
		Use:   "paths FILE @ID",
		Short: "Why an object is alive: the paths from it to the roots",
		Long: `Show the retaining paths of an object in a heap snapshot, from the object
towards the roots, as DevTools finds them: an object that several paths share
is on the first of them only.

DevTools finds none for an object that only V8's own roots hold, that is
directly on the global object, or that is further away than --depth. For those
the shortest way from the root is shown, and ways through V8's and Node's
catch-all tables last, because they explain nothing.`,
		Args: arguments(2, 2, "FILE @ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, l := range []struct {
				flag        string
				value, most int
			}{{"depth", limits.Depth, maxPathDepth}, {"nodes", limits.Nodes, maxPathNodes}, {"siblings", limits.Siblings, maxPathNodes}} {
				if l.value < 1 || l.value > l.most {
					return usagef("--%s %d: want 1 to %d", l.flag, l.value, l.most)
				}
			}
			return v.run(cmd, args, func(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead) report.View {
				return pathsOf(s, n, head, limits, shortest)
			})
		},
	}
	v.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&limits.Depth, "depth", 30, "references on a path at most")
	f.IntVar(&limits.Nodes, "nodes", 5000, "objects to look at, at most")
	f.IntVar(&limits.Siblings, "siblings", 100, "retainers of one object to follow, the nearest to the root")
	f.BoolVar(&shortest, "shortest", false, "only the shortest way from the root")
	a.fileFlags(cmd)
	return cmd
}

// The search recurses as deep as a path is long, and its answer is nested as
// deep: readers of JSON give up at some hundreds or thousands.
const (
	maxPathDepth = 1000
	maxPathNodes = 10_000_000
)

func pathsOf(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead, limits heapsnap.PathLimits, shortest bool) report.View {
	view := &report.PathsView{
		ViewHead: head, Object: object(s, n),
		Limits: report.PathLimits{Depth: limits.Depth, Nodes: limits.Nodes, Siblings: limits.Siblings},
	}
	if !shortest {
		found := s.RetainingPaths(n, limits)
		view.Paths = pathEdges(s, found.Paths)
		for _, l := range []struct {
			name    string
			reached bool
		}{{"depth", found.DepthReached}, {"nodes", found.NodesReached}, {"siblings", found.SiblingsReached}} {
			if l.reached {
				view.Reached = append(view.Reached, l.name)
			}
		}
	}
	if len(view.Paths) == 0 {
		view.Shortest = shortestPath(s, n)
	}
	return view
}

func pathEdges(s *heapsnap.Snapshot, refs []heapsnap.RetainingEdge) []report.PathEdge {
	var edges []report.PathEdge
	for _, r := range refs {
		e := report.PathEdge{Type: s.EdgeType(r.Edge).String(), Edge: s.EdgeName(r.Edge), Object: object(s, r.From)}
		if e.Retainers = pathEdges(s, r.Holders); len(r.Holders) == 0 {
			e.Root = rootReference(s, r.From)
		}
		edges = append(edges, e)
	}
	return edges
}

// rootReference is the first reference to the end of a path from what is one
// step nearer to the root: DevTools leaves it out.
func rootReference(s *heapsnap.Snapshot, end heapsnap.Node) *report.Reference {
	for from, e := range s.Retainers(end) {
		if s.EdgeType(e) != heapsnap.WeakEdge && s.Distance(from) == s.Distance(end)-1 {
			ref := reference(s, e, from)
			return &ref
		}
	}
	return nil
}

func shortestPath(s *heapsnap.Snapshot, n heapsnap.Node) []report.PathStep {
	steps := s.KeptPaths("detours last", func(from heapsnap.Node, e heapsnap.Edge) int { return detour(s, from, e) }).To(n)
	if steps == nil && n != s.Root() {
		// Not over strong references: better this way than none.
		if steps = s.KeptPaths("any", nil).To(n); steps == nil {
			return nil
		}
	}
	way := []report.PathStep{{Object: object(s, s.Root())}}
	for _, st := range steps {
		way = append(way, report.PathStep{Type: s.EdgeType(st.Edge).String(), Edge: s.EdgeName(st.Edge), Object: object(s, s.To(st.Edge))})
	}
	return way
}

// detour says how late a reference is to be followed: V8's and Node's
// catch-all tables hold nearly everything, some of them weakly, although their
// references look strong.
func detour(s *heapsnap.Snapshot, from heapsnap.Node, e heapsnap.Edge) int {
	if !s.Strong(from, e) && from != s.Root() {
		return -1
	}
	switch s.Type(from) {
	case heapsnap.Synthetic:
		if slices.Contains(weakTables, s.RawName(from)) {
			return 3
		}
		if from != s.Root() || s.Type(s.To(e)) == heapsnap.Synthetic {
			return 1
		}
	case heapsnap.Native:
		if strings.HasPrefix(s.RawName(from), "Node / ") {
			return 2
		}
	}
	return 0
}

// weakTables are roots of V8 whose references do not keep their targets alive
// (seen in Node 18 to 26).
var weakTables = []string{"(Internalized strings)", "(Weak roots)", "(External strings)", "(Traced handles)"}

package main

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"heapsnap/heapsnap"
	"heapsnap/report"
)

func newRetainers(a *app) *cobra.Command {
	v := &view{output: output{app: a}}
	weak := false
	cmd := &cobra.Command{
		Use:   "retainers FILE @ID",
		Short: "Who refers to an object, nearest to the root first",
		Long: `Show the objects of a heap snapshot that refer to one of them, nearest to the
root first. The object lives as long as one of those references that are not
weak is reached from the root. See also heapsnap paths.`,
		Args: arguments(2, 2, "FILE @ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.run(cmd, args, func(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead) report.View {
				return v.retainers(s, n, head, weak)
			})
		},
	}
	v.flags(cmd)
	v.pageFlags(cmd, 50)
	cmd.Flags().BoolVar(&weak, "weak", false, "also weak references, which do not keep the object alive")
	a.fileFlags(cmd)
	return cmd
}

func (v *view) retainers(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead, weak bool) report.View {
	view := &report.RetainersView{ViewHead: head, Object: object(s, n), Listed: weak}
	view.Count, view.Weak = retainerCounts(s, n)
	var refs []heapsnap.Step
	for from, e := range s.Retainers(n) {
		if weak || s.EdgeType(e) != heapsnap.WeakEdge {
			refs = append(refs, heapsnap.Step{From: from, Edge: e})
		}
	}
	slices.SortStableFunc(refs, func(a, b heapsnap.Step) int { return cmp.Compare(nearness(s, a.From), nearness(s, b.From)) })
	refs, view.Skipped = page(v, refs)
	for _, r := range refs {
		view.Retainers = append(view.Retainers, reference(s, r.Edge, r.From))
	}
	return view
}

// nearness is a distance by which to sort: what nothing reaches is last.
func nearness(s *heapsnap.Snapshot, n heapsnap.Node) int {
	if d := s.Distance(n); d >= 0 {
		return d
	}
	return 2 * heapsnap.SystemDistance // DevTools' baseUnreachableDistance
}

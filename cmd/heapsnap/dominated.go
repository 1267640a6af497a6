package main

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"heapsnap/heapsnap"
	"heapsnap/report"
)

func newDominated(a *app) *cobra.Command {
	v := &view{output: output{app: a}}
	cmd := &cobra.Command{
		Use:   "dominated FILE @ID",
		Short: "What would be freed with an object, and with what it would be",
		Long: `Show what an object of a heap snapshot dominates: the objects that are reached
only through it, largest retained size first, and the chain of its own
dominators up to the root. Freeing an object frees everything it dominates.`,
		Args: arguments(2, 2, "FILE @ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return v.run(cmd, args, v.dominated)
		},
	}
	v.flags(cmd)
	v.pageFlags(cmd, 50)
	a.fileFlags(cmd)
	return cmd
}

func (v *view) dominated(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead) report.View {
	view := &report.DominatedView{ViewHead: head, Object: object(s, n)}
	children := slices.Collect(s.Dominated(n))
	slices.SortStableFunc(children, func(a, b heapsnap.Node) int { return cmp.Compare(s.RetainedSize(b), s.RetainedSize(a)) })
	view.Count = len(children)
	children, view.Skipped = page(v, children)
	for _, c := range children {
		view.Dominated = append(view.Dominated, object(s, c))
	}
	for d := n; d != s.Root(); {
		d = s.Dominator(d)
		view.Dominators = append(view.Dominators, object(s, d))
	}
	return view
}

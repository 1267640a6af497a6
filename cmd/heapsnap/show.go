package main

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/heapsnap"
	"heapsnap/report"
)

// The orders of `heapsnap show --sort`. retained is DevTools' own.
const (
	byRetained = "retained"
	bySelf     = "self"
	byName     = "name"
	byFile     = "file"
)

func newShow(a *app) *cobra.Command {
	v := &view{output: output{app: a}}
	order := ""
	cmd := &cobra.Command{
		Use:   "show FILE @ID",
		Short: "One object: sizes, class, where it is made, what it refers to",
		Long: `Show one object of a heap snapshot: its class and sizes, its distance from the
root, where it is made, and what it refers to. @ID is DevTools' number of the
object, with or without the @; reports and the other views print it.`,
		Example: `  heapsnap show app.heapsnapshot @12345
  heapsnap show app.heapsnapshot 12345 --sort name --limit 20 --skip 20`,
		Args: arguments(2, 2, "FILE @ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{byRetained, bySelf, byName, byFile}, order) {
				return usagef("--sort %s: there is no such order: it is one of %s, %s, %s, %s", order, byRetained, bySelf, byName, byFile)
			}
			return v.run(cmd, args, func(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead) report.View {
				return v.object(s, n, head, order)
			})
		},
	}
	v.flags(cmd)
	v.pageFlags(cmd, 50)
	cmd.Flags().StringVar(&order, "sort", byRetained, "order of the references: retained, self, name, file")
	a.fileFlags(cmd)
	return cmd
}

func (v *view) object(s *heapsnap.Snapshot, n heapsnap.Node, head report.ViewHead, order string) report.View {
	view := &report.ObjectView{ViewHead: head, Object: object(s, n), Sort: order}
	view.Retainers, view.Weak = retainerCounts(s, n)
	if n != s.Root() {
		d := object(s, s.Dominator(n))
		view.Dominator = &d
	}
	edges := slices.Collect(s.Edges(n))
	sortEdges(s, edges, order)
	view.Count = len(edges)
	edges, view.Skipped = page(v, edges)
	for _, e := range edges {
		view.References = append(view.References, reference(s, e, s.To(e)))
	}
	return view
}

// sortEdges puts the edges of one object into an order; equal ones stay as in
// the file.
func sortEdges(s *heapsnap.Snapshot, edges []heapsnap.Edge, order string) {
	name := func(a, b heapsnap.Edge) int { return compareEdgeNames(s, a, b) }
	size := func(of func(heapsnap.Node) uint64) func(a, b heapsnap.Edge) int {
		return func(a, b heapsnap.Edge) int { return cmp.Or(cmp.Compare(of(s.To(b)), of(s.To(a))), name(a, b)) }
	}
	switch order {
	case byRetained:
		slices.SortStableFunc(edges, size(s.RetainedSize))
	case bySelf:
		slices.SortStableFunc(edges, size(s.SelfSize))
	case byName:
		slices.SortStableFunc(edges, name)
	}
}

// compareEdgeNames is DevTools' order: names, then numbers, and __proto__ last;
// but numbers by value.
func compareEdgeNames(s *heapsnap.Snapshot, a, b heapsnap.Edge) int {
	i, aIndexed := s.EdgeIndex(a)
	j, bIndexed := s.EdgeIndex(b)
	switch {
	case aIndexed && bIndexed:
		return cmp.Compare(i, j)
	case aIndexed || bIndexed:
		return cmp.Compare(rank(aIndexed), rank(bIndexed))
	}
	const proto = "__proto__"
	x, y := s.EdgeName(a), s.EdgeName(b)
	return cmp.Or(cmp.Compare(rank(x == proto), rank(y == proto)), strings.Compare(x, y))
}

func rank(later bool) int {
	if later {
		return 1
	}
	return 0
}

// view is what the commands that look around in a snapshot share.
type view struct {
	output
	limit, skip int
}

// flags adds --format, -o and --verbose.
func (v *view) flags(cmd *cobra.Command) {
	v.output.flags(cmd)
	cmd.Flags().Lookup("format").Usage = "format on stdout: " + joinFormats(viewFormats)
	cmd.Flags().Lookup("verbose").Usage = "in text: paths and chains in full"
}

var viewFormats = []report.Format{report.Text, report.JSON}

func (v *view) pageFlags(cmd *cobra.Command, limit int) {
	cmd.Flags().IntVar(&v.limit, "limit", limit, "how many rows to show; 0: all")
	cmd.Flags().IntVar(&v.skip, "skip", 0, "how many rows to leave out before them")
}

// open checks the flags and creates the files; whoever calls it owes close.
func (v *view) open() error {
	if v.limit < 0 || v.skip < 0 {
		return usagef("--limit and --skip cannot be negative")
	}
	return v.output.open(viewFormats...)
}

// run reads the snapshot of args, finds the object and writes what look says
// about it.
func (v *view) run(cmd *cobra.Command, args []string, look func(*heapsnap.Snapshot, heapsnap.Node, report.ViewHead) report.View) error {
	id, err := parseID(args[1])
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.open(); err != nil {
		return err
	}
	s, err := v.app.openSnapshot(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	n, ok := s.Find(id)
	if !ok {
		least, most := s.ID(0), s.ID(0)
		for i := range s.NodeCount() {
			least, most = min(least, s.ID(heapsnap.Node(i))), max(most, s.ID(heapsnap.Node(i)))
		}
		return usagef("%s has no object @%d: its ids are from @%d to @%d", args[0], id, least, most)
	}
	if err := v.show(look(s, n, viewHead(s, cmd.Name(), args[0]))); err != nil {
		return err
	}
	v.app.keepIndex(cmd.Context(), s)
	return nil
}

func (v *view) show(shown report.View) error {
	return v.write(func(w io.Writer, f report.Format, opts report.Options) error {
		return report.WriteView(w, shown, f, opts)
	})
}

// parseID reads @123 or 123.
func parseID(text string) (heapsnap.ObjectID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(text, "@"), 10, 64)
	if err != nil {
		return 0, usagef("%q is no object id: want a number such as @12345", text)
	}
	return heapsnap.ObjectID(id), nil
}

func viewHead(s *heapsnap.Snapshot, command, path string) report.ViewHead {
	return report.ViewHead{Head: head(command), Capture: check.Describe(s, path), Warnings: s.Warnings()}
}

// page cuts a list to what --skip and --limit say.
func page[T any](v *view, all []T) (rows []T, skipped int) {
	skipped = min(v.skip, len(all))
	rows = all[skipped:]
	if v.limit > 0 {
		rows = rows[:min(v.limit, len(rows))]
	}
	return rows, skipped
}

// object describes n.
func object(s *heapsnap.Snapshot, n heapsnap.Node) report.Object {
	o := report.Object{
		ID: uint64(s.ID(n)), Class: s.ClassName(n), Name: s.Name(n), Type: s.Type(n).String(),
		Self: s.SelfSize(n), Retained: s.RetainedSize(n), Distance: shownDistance(s, n),
		Detached: []string{"", "attached", "detached"}[min(s.Detachedness(n), 2)],
	}
	if l := s.Location(n); l != nil {
		o.Location = &report.Place{File: scriptName(l), Line: l.Line, Column: l.Column}
	}
	return o
}

// shownDistance is -1 where DevTools prints a dash.
func shownDistance(s *heapsnap.Snapshot, n heapsnap.Node) int {
	if d := s.Distance(n); d >= 0 && d < heapsnap.SystemDistance {
		return d
	}
	return -1
}

// reference describes e with the object at one of its ends.
func reference(s *heapsnap.Snapshot, e heapsnap.Edge, n heapsnap.Node) report.Reference {
	return report.Reference{Type: s.EdgeType(e).String(), Edge: s.EdgeName(e), Object: object(s, n)}
}

// retainerCounts counts the references to n, weak ones apart.
func retainerCounts(s *heapsnap.Snapshot, n heapsnap.Node) (strong, weak int) {
	for _, e := range s.Retainers(n) {
		if s.EdgeType(e) == heapsnap.WeakEdge {
			weak++
		} else {
			strong++
		}
	}
	return strong, weak
}

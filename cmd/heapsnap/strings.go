package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/heapsnap"
	"heapsnap/report"
)

func newStrings(a *app) *cobra.Command {
	v := &view{output: output{app: a}}
	least, order := uint64(0), ""
	cmd := &cobra.Command{
		Use:   "strings FILE",
		Short: "Texts that are in the heap more than once",
		Long: `Show the texts that a heap holds more than once, by the bytes that their
strings retain: DevTools' duplicated strings. Wasted is what would be free if
only the largest copy of each text were left; where strings are ropes that hold
each other, that is less than the sum of what the others retain.`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if order != byRetained && order != byWasted {
				return usagef("--sort %s: there is no such order: it is one of %s, %s", order, byRetained, byWasted)
			}
			defer v.close()
			if err := v.open(); err != nil {
				return err
			}
			s, err := a.openSnapshot(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := v.show(v.duplicates(s, viewHead(s, cmd.Name(), args[0]), least, order)); err != nil {
				return err
			}
			a.keepIndex(cmd.Context(), s)
			return nil
		},
	}
	v.flags(cmd)
	v.pageFlags(cmd, 20)
	cmd.Flags().Uint64Var(&least, "min-bytes", 0, "only texts whose strings retain at least this many bytes")
	cmd.Flags().StringVar(&order, "sort", byRetained, "order of the texts: retained, wasted")
	a.fileFlags(cmd)
	return cmd
}

// cutAt is where V8 cuts a string in a snapshot: its flag
// --heap-snapshot-string-limit, in UTF-16 units.
const cutAt = 1024

// sampleStrings is how many ids of a text's strings are shown: enough to look
// at who holds them.
const sampleStrings = 5

// slice is all that V8 writes of the text of a slice of another string.
const slice = "(sliced string)"

// The orders of `heapsnap strings --sort`. retained is DevTools'.
const byWasted = "wasted"

func (v *view) duplicates(s *heapsnap.Snapshot, head report.ViewHead, least uint64, order string) report.View {
	view := &report.StringsView{ViewHead: head, Sort: order}
	var (
		groups       []report.StringGroup
		all, certain []heapsnap.Node // the strings, those of certain texts
		kept         []heapsnap.Node // the largest of each text
	)
	for _, d := range s.DuplicateStrings() {
		if d.Retained < least {
			break // they are sorted
		}
		g := report.StringGroup{
			Text: d.Text, Length: heapsnap.UTF16Len(d.Text), Count: len(d.Nodes), Self: d.Self, Retained: d.Retained,
			Smallest: s.RetainedSize(d.Nodes[0]), Certain: true,
		}
		largest, rope := d.Nodes[0], false
		for i, n := range d.Nodes {
			rope = rope || s.Type(n) == heapsnap.ConsString
			g.Smallest = min(g.Smallest, s.RetainedSize(n))
			if s.RetainedSize(n) > s.RetainedSize(largest) {
				largest = n
			}
			if i < sampleStrings {
				g.Objects = append(g.Objects, uint64(s.ID(n)))
			}
		}
		g.Largest = s.RetainedSize(largest)
		g.Wasted = d.Together - g.Largest
		switch {
		case d.Truncated: // V8 knows more than it wrote
			g.Cut = true
			g.Length = max(g.Length, d.Length)
		case g.Length >= cutAt:
			g.Cut, g.Certain = true, false
		case rope && strings.Contains(d.Text, slice):
			g.Certain = false
		}
		all, kept = append(all, d.Nodes...), append(kept, largest)
		if g.Certain {
			certain = append(certain, d.Nodes...)
		}
		view.Total.Count += g.Count
		groups = append(groups, g)
	}
	view.Total.Groups = len(groups)
	view.Total.Retained = s.RetainedTogether(all)
	// What a largest copy holds is in use, whichever text it is of.
	used := s.RetainedTogether(kept)
	view.Total.Wasted = s.RetainedTogether(append(certain, kept...)) - used
	view.Total.Uncertain = view.Total.Retained - used - view.Total.Wasted
	if order == byWasted {
		slices.SortStableFunc(groups, func(a, b report.StringGroup) int { return cmp.Compare(b.Wasted, a.Wasted) })
	}
	view.Groups, view.Skipped = page(v, groups)
	if slices.ContainsFunc(groups, func(g report.StringGroup) bool { return !g.Certain }) {
		view.Warnings = append(view.Warnings, "Texts with ? may differ where the snapshot does not show: V8 writes the first 1024 characters of a string, and nothing of a slice within another string.")
	}
	if len(groups) > 0 {
		view.Warnings = append(view.Warnings, "V8 writes one unit for a character beyond 16 bits, such as an emoji, and ? for halves of pairs: texts that differ only there look the same.")
	}
	return view
}

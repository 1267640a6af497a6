package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/heapsnap"
	"heapsnap/report"
)

func newSummary(a *app) *cobra.Command {
	o := &output{app: a}
	cmd := &cobra.Command{
		Use:   "summary FILE",
		Short: "What is in one snapshot: classes by retained size, statistics",
		Long: `Show what is in one heap snapshot, with the figures of DevTools' Summary and
Statistics views. FILE may be compressed with gzip or zstd; - is stdin.`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			defer o.close()
			if err := o.open(report.Text, report.JSON); err != nil {
				return err
			}
			s, err := a.openSnapshot(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sum := summarize(s, args[0])
			return o.write(func(w io.Writer, f report.Format, opts report.Options) error {
				return report.WriteSummary(w, sum, f, opts)
			})
		},
	}
	o.flags(cmd)
	a.salvageFlag(cmd)
	return cmd
}

// openSnapshot reads a snapshot and shows how far it is.
func (a *app) openSnapshot(ctx context.Context, path string) (*heapsnap.Snapshot, error) {
	line := a.progress()
	s, err := heapsnap.Open(ctx, path, heapsnap.Options{
		Progress: func(read int64) { line.show("reading %s: %s", path, report.FormatBytes(uint64(read))) },
		Salvage:  a.salvage,
	})
	line.clear()
	switch {
	case err != nil && errors.Is(err, heapsnap.ErrTruncated) && !a.salvage:
		err = fmt.Errorf("%w: --salvage opens it as far as it goes", err)
	case err == nil && s.Salvaged() != nil:
		for _, w := range s.Warnings() {
			a.note("warning: %s", w)
		}
	}
	return s, err
}

// salvageFlag adds --salvage to a command that reads snapshots.
func (a *app) salvageFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.salvage, "salvage", false, "open a file that was cut short as far as it goes")
}

func summarize(s *heapsnap.Snapshot, path string) *report.Summary {
	capture := check.Describe(s, path) // before s is used up
	got := s.Summarize()
	st := got.Statistics
	sum := &report.Summary{
		Command: "summary",
		Version: thisBuild().Version,
		Capture: capture,
		Nodes:   got.Nodes,
		Edges:   got.Edges,
		Total:   st.Total,
		Statistics: report.Statistics{
			Native: st.Native, TypedArray: st.TypedArrays, Code: st.Code, Strings: st.Strings, Arrays: st.Arrays, System: st.System,
			Other: st.Heap() - st.Code - st.Strings - st.Arrays - st.System,
		},
		Warnings: got.Warnings,
	}
	for _, c := range got.Classes {
		d := c.Distance
		if d < 0 || d >= heapsnap.SystemDistance {
			d = -1
		}
		sum.Classes = append(sum.Classes, report.Class{Name: c.Class, Count: c.Count, Shallow: c.Shallow, Retained: c.Retained, Distance: d})
	}
	return sum
}

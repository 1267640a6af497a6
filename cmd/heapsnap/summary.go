package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

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
			got, err := a.openSummary(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			sum := summarize(got, args[0])
			return o.write(func(w io.Writer, f report.Format, opts report.Options) error {
				return report.WriteSummary(w, sum, f, opts)
			})
		},
	}
	o.flags(cmd)
	a.fileFlags(cmd)
	return cmd
}

// openSnapshot reads a snapshot and shows how far it is. What it returns is for
// keepIndex when the answer is out.
func (a *app) openSnapshot(ctx context.Context, path string) (*heapsnap.Snapshot, error) {
	s, err := opened(a, path, func(opts heapsnap.Options) (*heapsnap.Snapshot, error) { return heapsnap.Open(ctx, path, opts) })
	if err == nil && s.Salvaged() != nil {
		a.warn(s.Warnings())
	}
	return s, err
}

func (a *app) openSummary(ctx context.Context, path string) (*heapsnap.Summary, error) {
	// Columns live until Summarize lets them go, and it collects them itself: what
	// Go collects on its own, whenever the heap has doubled, finds nothing and
	// costs a seventh of the time.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	sum, err := opened(a, path, func(opts heapsnap.Options) (*heapsnap.Summary, error) {
		return heapsnap.OpenSummary(ctx, path, opts)
	})
	if err == nil && sum.Salvaged != nil {
		a.warn(sum.Warnings)
	}
	return sum, err
}

// opened calls open with the options that the flags ask for.
func opened[T any](a *app, path string, open func(heapsnap.Options) (T, error)) (T, error) {
	line := a.progress()
	opts := heapsnap.Options{
		Progress: func(read int64) { line.show("reading %s: %s", path, report.FormatBytes(uint64(read))) },
		Salvage:  a.salvage,
	}
	if !a.noIndex {
		opts.Indexes, _ = heapsnap.UserIndexes() // no folder, no index
	}
	got, err := open(opts)
	line.clear()
	if err != nil && errors.Is(err, heapsnap.ErrTruncated) && !a.salvage {
		err = fmt.Errorf("%w: --salvage opens it as far as it goes", err)
	}
	return got, err
}

func (a *app) warn(warnings []string) {
	for _, w := range warnings {
		a.note("warning: %s", w)
	}
}

// keepIndex leaves the next command what this one has computed. The answer is
// out by then: neither an error here nor an interruption changes how the
// command ends.
func (a *app) keepIndex(ctx context.Context, s *heapsnap.Snapshot) {
	if a.noIndex {
		return
	}
	_ = s.WriteIndex(ctx)
}

// fileFlags adds --salvage and --no-index to a command that reads a snapshot.
func (a *app) fileFlags(cmd *cobra.Command) {
	a.salvageFlag(cmd)
	cmd.Flags().BoolVar(&a.noIndex, "no-index", false, "keep nothing of the file for the next command, and use nothing kept")
}

// salvageFlag adds --salvage.
func (a *app) salvageFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.salvage, "salvage", false, "open a file that was cut short as far as it goes")
}

func summarize(got *heapsnap.Summary, path string) *report.Summary {
	st := got.Statistics
	sum := &report.Summary{
		Head:    head("summary"),
		Capture: check.DescribeSummary(got, path),
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

package main

import (
	"github.com/spf13/cobra"

	"heapsnap/check"
)

func newSuspects(a *app) *cobra.Command {
	o := &output{app: a}
	cmd := &cobra.Command{
		Use:   "suspects FILE",
		Short: "What holds the heap of a single snapshot, such as one of an OOM",
		Long: `Tell what holds the heap of one snapshot: hundreds of objects of one kind under
one holder (listeners, timers, entries, links of a list), and objects that
retain a good part of it by themselves. What Node.js and V8 have in every
program is left out.

One snapshot cannot tell whether something grows: a large cache may be meant.
Where you can take several, heapsnap check or diff knows. Exit code 1 says that
something stands out, 0 that nothing does.`,
		Example: `  node --heapsnapshot-near-heap-limit=1 app.js
  heapsnap suspects Heap.20260101.120000.4242.0.001.heapsnapshot`,
		Args: arguments(1, 1, "a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			defer o.close()
			if err := o.open(); err != nil {
				return err
			}
			line := a.progress()
			defer line.clear()
			r, err := check.Suspects(cmd.Context(), args[0], check.JudgeOptions{Progress: line.judging, Salvage: a.salvage})
			if err != nil {
				return err
			}
			line.clear()
			r.Command, r.Version = "suspects", thisBuild().Version
			return o.report(r)
		},
	}
	o.flags(cmd)
	a.salvageFlag(cmd)
	return cmd
}

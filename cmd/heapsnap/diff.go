package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/report"
)

func newDiff(a *app) *cobra.Command {
	o := &output{app: a}
	classes, across := false, false
	cmd := &cobra.Command{
		Use:   "diff FIRST SECOND [MORE...]",
		Short: "What grew between snapshots of one process, and who holds it",
		Long: `Compare heap snapshots of one process, oldest first, and tell which objects
keep being born and never die, and who holds them.

Take the first after a warm-up, and one after each round of the same work. Two
snapshots show what grew, three or more whether it goes on growing. They must
come from one inspector session or from the program itself
(v8.writeHeapSnapshot): V8 forgets the identities of objects when the session
that took a snapshot ends.

With --across, the two snapshots are of different processes: of two builds, two
pods, last week and today. Ids say nothing then. Objects are compared by the
ways that lead to them, by names of variables, properties, classes, functions
and files, and told is what the second has more of than the first (MORE, exit
code 1), or that it has nothing notable more (CLEAN, 0). It does not tell what
the second has less of. Take both snapshots after the same work.`,
		Example: `  heapsnap diff warm.heapsnapshot 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot
  heapsnap diff *.heapsnapshot.zst -o svg=growth.svg -o json=report.json
  heapsnap diff --across yesterday.heapsnapshot today.heapsnapshot`,
		Args: arguments(2, -1, "a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			defer o.close()
			if err := o.open(); err != nil {
				return err
			}
			// Nearly all of the heap are columns, which the collector does not look
			// into: it may run often, and memory is what there may be little of.
			defer debug.SetGCPercent(debug.SetGCPercent(20))
			line := a.progress()
			defer line.clear()
			j := check.JudgeOptions{Progress: line.judging, Classes: classes || len(args) == 2, Salvage: a.salvage}
			var r *report.Report
			var err error
			switch {
			case !across:
				r, err = check.Judge(cmd.Context(), args, j)
			case len(args) != 2:
				return usagef("diff --across: %d snapshots: it compares two", len(args))
			default:
				r, err = check.Across(cmd.Context(), args[0], args[1], j)
			}
			if err != nil {
				return err
			}
			line.clear()
			r.Command, r.Version = "diff", thisBuild().Version
			return o.report(r)
		},
	}
	o.flags(cmd)
	a.salvageFlag(cmd)
	cmd.Flags().BoolVar(&across, "across", false, "two snapshots of different processes, builds or machines: what the second has more of")
	cmd.Flags().BoolVar(&classes, "classes", false, "also the classes that changed, first against last, as DevTools compares (always so with two snapshots)")
	return cmd
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/leak"
	"heapsnap/report"
)

func newDiff(a *app) *cobra.Command {
	o := &output{app: a}
	cmd := &cobra.Command{
		Use:   "diff FIRST SECOND [MORE...]",
		Short: "What grew between snapshots of one process, and who holds it",
		Long: `Compare heap snapshots of one process, oldest first, and tell which objects
keep being born and never die, and who holds them.

Take the first after a warm-up, and one after each round of the same work. Two
snapshots show what grew, three or more whether it goes on growing. They must
come from one inspector session or from the program itself
(v8.writeHeapSnapshot): V8 forgets the identities of objects when the session
that took a snapshot ends.`,
		Example: `  heapsnap diff warm.heapsnapshot 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot
  heapsnap diff *.heapsnapshot.zst -o svg=growth.svg -o json=report.json`,
		Args: arguments(2, -1, "a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			defer o.close()
			if err := o.open(); err != nil {
				return err
			}
			r, err := a.diffFiles(cmd.Context(), args)
			if err != nil {
				return err
			}
			return o.report(r)
		},
	}
	o.flags(cmd)
	return cmd
}

// diffFiles compares the snapshots in files. Of all but the last only the
// objects' ids are read.
func (a *app) diffFiles(ctx context.Context, paths []string) (*report.Report, error) {
	r := &report.Report{Command: "diff", Version: thisBuild().Version}
	warnings, err := comparable(paths)
	if err != nil {
		return nil, err
	}
	r.Warnings = warnings
	line := a.progress()
	defer line.clear()
	var earlier []*heapsnap.Identities
	for _, path := range paths[:len(paths)-1] {
		ids, err := heapsnap.OpenIdentities(ctx, path, heapsnap.Options{
			Progress: func(read int64) { line.show("reading %s: %s", path, report.FormatBytes(uint64(read))) },
		})
		if err != nil {
			return nil, err
		}
		earlier = append(earlier, ids)
		c := report.Capture{Name: path, Objects: ids.Count(), Bytes: ids.Bytes()}
		withSidecar(&c, path)
		r.Captures = append(r.Captures, c)
	}
	path := paths[len(paths)-1]
	last, err := a.openSnapshot(ctx, path)
	if err != nil {
		return nil, err
	}
	r.Captures = append(r.Captures, describe(last, path))
	line.show("comparing")
	d, err := diff.Compare(ctx, earlier, last, diff.Options{
		Populations: func(ctx context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]int, error) {
			return heapsnap.OpenPopulations(ctx, paths[capture], ids, heapsnap.Options{})
		},
	})
	if err != nil {
		return nil, err
	}
	line.show("explaining")
	found, err := leak.Run(ctx, d, leak.Options{})
	if err != nil {
		return nil, err
	}
	r.Warnings = append(r.Warnings, last.Warnings()...)
	fill(r, d, found)
	return r, nil
}

// comparable says, from their sidecars, what speaks against comparing the
// snapshots. Object ids mean nothing in another process, and little in another
// capture mode.
func comparable(paths []string) (warnings []string, err error) {
	var first cdp.Meta
	before, firstPath := time.Time{}, ""
	for _, path := range paths {
		m, err := cdp.ReadMeta(path)
		if err != nil {
			continue // a snapshot needs no sidecar
		}
		if firstPath == "" {
			first, firstPath = m, path
		}
		switch {
		case m.PID != first.PID || m.ThreadID != first.ThreadID || m.Script != first.Script:
			return nil, usagef("%s is of process %d (%s), %s of process %d (%s): only snapshots of one process can be compared",
				firstPath, first.PID, first.Script, path, m.PID, m.Script)
		case m.Mode != first.Mode:
			return nil, usagef("%s was captured %s, %s %s: capture both in the same way", firstPath, first.Mode, path, m.Mode)
		case m.Time.Before(before):
			warnings = append(warnings, fmt.Sprintf("%s is older than the snapshot before it: name the oldest first", path))
		}
		before = m.Time
	}
	return warnings, nil
}

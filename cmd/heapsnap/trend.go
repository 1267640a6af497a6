package main

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/report"
)

func newTrend(a *app) *cobra.Command {
	scenario := ""
	out := &output{app: a}
	cmd := &cobra.Command{
		Use:   "trend FILE",
		Short: "Growth over commits, from the history that check keeps",
		Long: `Print how the heap of each scenario grew per round in each run that
heapsnap check --history FILE has appended, and since which commit each leak of
the last run is there. Its formats are text, json, svg and png.`,
		Example: "  heapsnap check --history heapsnap.ndjson --scenario search\n  heapsnap trend heapsnap.ndjson -o svg=trend.svg",
		Args:    arguments(1, 1, "a history"),
		RunE: func(_ *cobra.Command, args []string) error {
			defer out.close()
			if err := out.open(report.Text, report.JSON, report.SVG, report.PNG); err != nil {
				return err
			}
			es, err := check.ReadHistory(args[0])
			if err != nil {
				return usageError{err}
			}
			if len(es) == 0 {
				return usagef("%s: there is no run in it yet: heapsnap check --history %s appends one", args[0], args[0])
			}
			if scenario != "" {
				es = slices.DeleteFunc(es, func(e check.HistoryEntry) bool { return e.Scenario != scenario })
				if len(es) == 0 {
					return usagef("--scenario %s: %s has no run of it", scenario, args[0])
				}
			}
			r := &report.History{Head: head("trend"), Scenarios: check.Scenarios(es)}
			return out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteHistory(w, r, f, o) })
		},
	}
	cmd.Flags().StringVar(&scenario, "scenario", "", "of this scenario only")
	out.flags(cmd)
	return cmd
}

// currentCommit is what a CI system, or git in the current folder, says; "" if
// neither does.
func currentCommit() string {
	for _, name := range []string{"GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

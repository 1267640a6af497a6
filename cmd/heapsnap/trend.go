package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/report"
)

func newTrend(a *app) *cobra.Command {
	scenario := ""
	cmd := &cobra.Command{
		Use:   "trend FILE",
		Short: "Growth over commits, from the history that check keeps",
		Long: `Print how the heap of each scenario grew per round in each run that
heapsnap check --history FILE has appended, and since which commit each leak of
the last run is there.`,
		Example: "  heapsnap check --history heapsnap.ndjson --scenario search\n  heapsnap trend heapsnap.ndjson",
		Args:    arguments(1, 1, "a history"),
		RunE: func(_ *cobra.Command, args []string) error {
			es, err := check.ReadHistory(args[0])
			if err != nil {
				return usageError{err}
			}
			if len(es) == 0 {
				return usagef("%s: there is no run in it yet: heapsnap check --history %s appends one", args[0], args[0])
			}
			var names []string
			groups := map[string][]check.HistoryEntry{}
			for _, e := range es {
				if scenario != "" && e.Scenario != scenario {
					continue
				}
				if groups[e.Scenario] == nil {
					names = append(names, e.Scenario)
				}
				groups[e.Scenario] = append(groups[e.Scenario], e)
			}
			if len(names) == 0 {
				return usagef("--scenario %s: %s has no run of it", scenario, args[0])
			}
			var b bytes.Buffer
			for i, name := range names {
				if i > 0 {
					b.WriteString("\n")
				}
				writeTrend(&b, name, groups[name])
			}
			_, err = a.out.Write(b.Bytes())
			return err
		},
	}
	cmd.Flags().StringVar(&scenario, "scenario", "", "of this scenario only")
	return cmd
}

// trendBar is how long the longest bar is, so that a line has 80 columns.
const trendBar = 30

func writeTrend(w io.Writer, name string, es []check.HistoryEntry) {
	if name == "" {
		name = es[len(es)-1].Target
	}
	fmt.Fprintf(w, "%s: growth per round of the heap\n", report.Printable(name))
	most := 1.0
	for _, e := range es {
		most = max(most, e.Heap)
	}
	for _, e := range es {
		bar := strings.Repeat("█", int(trendBar*max(e.Heap, 0)/most+0.5))
		fmt.Fprintf(w, "  %s  %-10s %10s %-12s %s\n", e.Time.Format("2006-01-02"), shortCommit(e.Commit), signed(e.Heap), report.Printable(string(e.Verdict)), bar)
	}
	if at, before, after, ok := check.Step(es); ok {
		fmt.Fprintf(w, "It rose from %s to %s with %s.\n", signed(before), signed(after), commitAt(es, at))
	}
	for _, s := range check.Starts(es) {
		where := "in every run of this history"
		if s.Since {
			where = "since " + commitAt(es, s.At)
		}
		fmt.Fprintf(w, "  %s, %s a round: %s\n", report.Printable(s.Leak.Title), signed(s.Leak.Bytes), where)
	}
}

// commitAt names the run and the one before it: between the two it began.
func commitAt(es []check.HistoryEntry, at int) string {
	return fmt.Sprintf("%s of %s (the run before was of %s)", shortCommit(es[at].Commit), es[at].Time.Format("2006-01-02"), shortCommit(es[at-1].Commit))
}

func shortCommit(commit string) string {
	switch {
	case commit == "":
		return "no commit"
	case len(commit) > 10:
		commit = commit[:10]
	}
	return report.Printable(commit)
}

func signed(bytes float64) string {
	if bytes < 0 {
		return "-" + report.FormatBytes(uint64(-bytes))
	}
	return "+" + report.FormatBytes(uint64(bytes))
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

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"heapsnap/check"
	"heapsnap/report"
)

const baselineName = "heapsnap-baseline.yaml"

func newBaseline(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Accept the leaks that are known, so that only new ones fail",
		Long: `A baseline is a file of findings that are accepted, to be looked through in
review; heapsnap check --baseline FILE, or the key baseline of ` + check.ConfigName + `,
uses it. A finding that is not in it fails, and one that has grown to more than
twice of what was accepted.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	file := baselineName
	write := &cobra.Command{
		Use:     "write REPORT.json",
		Short:   "Write the findings of a check's JSON report as the baseline",
		Example: "  heapsnap check -o json=report.json -- node app.js\n  heapsnap baseline write report.json",
		Args:    arguments(1, 1, "a report of check as JSON"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			before, err := check.ReadBaseline(file)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return usageError{err}
			}
			out, err := createFinal(file, 0o644)
			if err != nil {
				return usageError{err}
			}
			defer out.abandon()
			if err := check.WriteBaseline(out, r, before); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := out.complete(); err != nil {
				return err
			}
			a.note("wrote %s: say in it why each is accepted", file)
			return nil
		},
	}
	compare := &cobra.Command{
		Use:   "check REPORT.json",
		Short: "Tell which findings of a report the baseline does not accept, and which of its are gone",
		Args:  arguments(1, 1, "a report of check as JSON"),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := readReport(args[0])
			if err != nil {
				return err
			}
			p, err := policy(nil, file)
			if err != nil {
				return err
			}
			seen := map[string]bool{}
			for _, f := range r.Findings {
				seen[f.Fingerprint] = true
			}
			for _, i := range r.Ignored {
				seen[i.Finding.Fingerprint] = true
			}
			p.Apply(r)
			for _, f := range r.Findings {
				where := ""
				if f.Location != nil {
					where = fmt.Sprintf(", at %s:%d", f.Location.File, f.Location.Line)
				}
				fmt.Fprintf(a.out, "new   %s  %s\n", f.Fingerprint, report.Printable(f.Title+where))
			}
			for _, k := range p.Accepted {
				if !seen[k.Fingerprint] {
					fmt.Fprintf(a.out, "gone  %s  %s (%s)\n", k.Fingerprint, report.Printable(k.Title), report.Printable(k.Where))
				}
			}
			if len(r.Findings) > 0 {
				return verdictError(report.Leak)
			}
			return nil
		},
	}
	for _, c := range []*cobra.Command{write, compare} {
		c.Flags().StringVar(&file, "baseline", baselineName, "the baseline's `FILE`")
		cmd.AddCommand(c)
	}
	return cmd
}

func readReport(name string) (*report.Report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, usagef("%s: it is no JSON report: %v", name, err)
	}
	if r.Schema != report.SchemaVersion || r.Command != "check" && r.Command != "diff" {
		return nil, usagef("%s: it is no report of heapsnap check: write one with -o json=%s", name, name)
	}
	return &r, nil
}

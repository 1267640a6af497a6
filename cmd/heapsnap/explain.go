package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/leak"
	"heapsnap/report"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "What a rule looks for, why it leaks, and how to mend it",
		Args:  arguments(0, 1, ""),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listRules()
			}
			for _, r := range leak.Rules() {
				if r.Name == args[0] {
					return a.explainRule(r)
				}
			}
			return usagef("explain: no rule is called %q: there are %s", args[0], strings.Join(ruleNames(), ", "))
		},
	}
}

func ruleNames() []string {
	var names []string
	for _, r := range leak.Rules() {
		names = append(names, r.Name)
	}
	return names
}

func (a *app) listRules() error {
	var b strings.Builder
	for _, r := range leak.Rules() {
		fmt.Fprintf(&b, "%-10s  %s\n", r.Name, r.Title)
	}
	b.WriteString("\nheapsnap explain RULE says more.\n")
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func (a *app) explainRule(r leak.Rule) error {
	width := a.width
	if width == 0 {
		width = 80
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Name, r.Title)
	part := func(heading string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", heading)
		for _, l := range lines {
			fmt.Fprintln(&b, strings.TrimRight("  "+l, " "))
		}
	}
	code := func(text string) []string {
		if text = strings.Trim(text, "\n"); text == "" {
			return nil
		}
		return strings.Split(text, "\n")
	}
	part("Why it happens", report.Wrap(r.Cause, width-2))
	part("How it shows", report.Wrap(r.Sign, width-2))
	part("What to do", report.Wrap(r.Fix, width-2))
	part("Leaks", code(r.Before))
	part("Mended", code(r.After))
	part("More", r.Links)
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

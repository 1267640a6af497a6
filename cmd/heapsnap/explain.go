package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/eventloop"
	"heapsnap/leak"
	"heapsnap/report"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE | CAUSE]",
		Short: "What a rule or a cause is, why programs have it, and how to mend it",
		Args:  arguments(0, 1, ""),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listRules()
			}
			known := false // a leak and a cause may have one name
			for _, r := range leak.Rules() {
				if r.Name == args[0] {
					if err := a.explainRule(r); err != nil {
						return err
					}
					known = true
				}
			}
			for _, c := range eventloop.Causes() {
				if c.Name != args[0] {
					continue
				}
				if known {
					fmt.Fprintln(a.out)
				}
				return a.explainCause(c)
			}
			if known {
				return nil
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
	for _, c := range eventloop.Causes() {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

func (a *app) listRules() error {
	var b strings.Builder
	b.WriteString("Leaks:\n")
	for _, r := range leak.Rules() {
		fmt.Fprintf(&b, "%-13s  %s\n", r.Name, r.Title)
	}
	b.WriteString("\nBlocked event loops:\n")
	for _, c := range eventloop.Causes() {
		fmt.Fprintf(&b, "%-13s  %s\n", c.Name, c.Title)
	}
	b.WriteString("\nheapsnap explain NAME says more.\n")
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func (a *app) explainRule(r leak.Rule) error {
	return a.explain(r.Name+": "+r.Title, r.Cause, r.Sign, r.Fix, "Leaks", r.Before, r.After, r.Links)
}

func (a *app) explainCause(c eventloop.Cause) error {
	return a.explain(c.Name+": "+c.Title, c.Why, c.Sign, c.Fix, "Blocks", c.Before, c.After, c.Links)
}

func (a *app) explain(title, cause, sign, fix, bad, before, after string, links []string) error {
	width := a.width
	if width == 0 {
		width = 80
	}
	var b strings.Builder
	fmt.Fprintln(&b, title)
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
		var lines []string
		for _, line := range strings.Split(text, "\n") {
			lines = append(lines, foldComment(line, width-2)...)
		}
		return lines
	}

	part("Why it happens", report.Wrap(cause, width-2))
	part("How it shows", report.Wrap(sign, width-2))
	part("What to do", report.Wrap(fix, width-2))
	part(bad, code(before))
	part("Mended", code(after))
	part("More", links)
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// foldComment moves the comment behind a line that is too long closer, or to a
// line above.
func foldComment(line string, width int) []string {
	at := strings.LastIndex(line, " // ")
	if len(line) <= width || at < 0 || strings.TrimSpace(line[:at]) == "" {
		return []string{line}
	}
	code, comment := strings.TrimRight(line[:at], " "), strings.TrimLeft(line[at:], " ")
	if short := code + "  " + comment; len(short) <= width {
		return []string{short}
	}
	indent := code[:len(code)-len(strings.TrimLeft(code, " "))]
	return []string{indent + comment, code}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan is for `make dist`. cobra/doc writes man pages too, but takes a text of
// help for Markdown, which ours is not, and brings a Markdown parser for it.
func newMan(*app) *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write a man page of each command into a folder",
		Args:   arguments(1, 1, "a folder"),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return eachPage(cmd.Root(), func(cmd *cobra.Command) error {
				var b bytes.Buffer
				writePage(&b, cmd)
				return os.WriteFile(filepath.Join(args[0], pageName(cmd)+".1"), b.Bytes(), 0o644)
			})
		},
	}
}

// eachPage calls page with every command that has one.
func eachPage(cmd *cobra.Command, page func(*cobra.Command) error) error {
	if err := page(cmd); err != nil {
		return err
	}
	for _, c := range subcommands(cmd) {
		if err := eachPage(c, page); err != nil {
			return err
		}
	}
	return nil
}

// subcommands are those that can be run by their users.
func subcommands(cmd *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() {
			out = append(out, c)
		}
	}
	return out
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// writePage writes a page in the man macros (man(7)). It has no date: the same
// build gives the same bytes.
func writePage(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, ".TH \"%s\" 1 \"\" \"%s\" \"heapsnap\"\n", roff(strings.ToUpper(pageName(cmd))), roff("heapsnap "+thisBuild().Version))
	// Text is told from code by its lines, as in the terminal: neither hyphens nor
	// a stretched line.
	fmt.Fprint(w, ".nh\n.ad l\n")
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(pageName(cmd)), roff(cmd.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	writeText(w, text)
	if children := subcommands(cmd); len(children) > 0 {
		fmt.Fprint(w, ".SH COMMANDS\n")
		for _, c := range children {
			fmt.Fprintf(w, ".TP\n\\fB%s\\fR(1)\n%s\n", roff(pageName(c)), roffLine(c.Short))
		}
	}
	writeFlags(w, "OPTIONS", cmd.NonInheritedFlags())
	writeFlags(w, "GLOBAL OPTIONS", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprint(w, ".SH EXAMPLES\n")
		writeText(w, cmd.Example)
	}
	fmt.Fprint(w, ".SH EXIT STATUS\n")
	for _, c := range exitCodes {
		fmt.Fprintf(w, ".TP\n%d\n%s\n", c.code, roffLine(c.means))
	}
	if cmd.HasParent() {
		fmt.Fprintf(w, ".SH SEE ALSO\n\\fB%s\\fR(1)\n", roff(pageName(cmd.Parent())))
	}
}

func writeFlags(w io.Writer, heading string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, ".SH %s\n", heading)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "\\fB" + roff("--"+f.Name) + "\\fR"
		if f.Shorthand != "" {
			name = "\\fB" + roff("-"+f.Shorthand) + "\\fR, " + name
		}
		if value != "" {
			name += " \\fI" + roff(value) + "\\fR"
		}
		switch f.DefValue {
		case "", "0", "0s", "[]", "false":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, ".TP\n%s\n%s\n", name, roffLine(usage))
	})
}

// writeText keeps paragraphs, and of what is indented the lines.
func writeText(w io.Writer, text string) {
	asIs := false
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if indented := strings.HasPrefix(line, " "); indented != asIs && line != "" {
			asIs = indented
			fmt.Fprint(w, map[bool]string{true: ".nf\n", false: ".fi\n"}[asIs])
		}
		if line == "" {
			fmt.Fprint(w, ".PP\n")
			continue
		}
		fmt.Fprintln(w, roffLine(line))
	}
	if asIs {
		fmt.Fprint(w, ".fi\n")
	}
}

// roff is text with nothing in it that a formatter would obey: a backslash is an
// escape, and a minus sign a hyphen that cannot be copied into a shell.
func roff(text string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `"`, `\(dq`, `'`, `\(aq`, "`", `\(ga`, `~`, `\(ti`, `^`, `\(ha`).Replace(text)
}

// roffLine is a line of text of its own: one that begins with a dot is no request.
func roffLine(text string) string {
	if strings.HasPrefix(text, ".") {
		return `\&` + roff(text)
	}
	return roff(text)
}

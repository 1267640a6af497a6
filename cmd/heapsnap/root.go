package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"heapsnap/report"
)

// app is what the commands share: the streams and the global flags.
type app struct {
	in       io.Reader
	out      io.Writer // data
	err      io.Writer // messages and progress
	terminal bool      // err is a terminal
	width    int       // of out, 0 if it is no terminal
	color    bool      // on out
	github   *github   // the workflow that it runs in, nil outside of one
	self     string    // this program, to start it again; "" in tests

	quiet   bool
	timeout time.Duration
	salvage bool // of the commands that have the flag
	noIndex bool // of the commands that have the flag
}

func newApp(in, out, errs *os.File) *app {
	a := &app{in: in, out: out, err: errs, terminal: term.IsTerminal(int(errs.Fd()))}
	tty := term.IsTerminal(int(out.Fd()))
	if tty {
		a.width = terminalWidth(out)
	}
	a.color = wantsColor(tty, os.Getenv)
	a.github = inGitHub(os.Getenv)
	return a
}

// widest is the width that text is laid out for at most: longer lines are
// harder to read, not easier.
const widest = 120

func terminalWidth(f *os.File) int {
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return min(w, widest)
	}
	if w, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && w > 0 {
		return min(w, widest)
	}
	return 0
}

// wantsColor follows https://no-color.org and https://bixense.com/clicolors.
func wantsColor(tty bool, getenv func(string) string) bool {
	force := getenv("CLICOLOR_FORCE")
	switch {
	case getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	case getenv("CLICOLOR") == "0", getenv("TERM") == "dumb":
		return false
	}
	return tty
}

// note writes a message for people, unless they asked for silence.
func (a *app) note(format string, args ...any) {
	if a.quiet {
		return
	}
	fmt.Fprintln(a.err, report.Printable(fmt.Sprintf(format, args...)))
}

// run is the whole program but for the exit.
func run(ctx context.Context, a *app, args []string) int {
	started := false
	stop := func() {}
	defer func() { stop() }()
	root := newRoot(a)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		started = true
		if a.timeout < 0 {
			return usagef("--timeout %s: want a duration above 0", a.timeout)
		}
		if a.timeout > 0 {
			ctx, stop = context.WithTimeoutCause(cmd.Context(), a.timeout, errTimeout)
			cmd.SetContext(ctx)
		}
		return nil
	}
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if text := message(ctx, err); text != "" {
		fmt.Fprintln(a.err, text)
	}
	return exitCode(ctx, err, started)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "heapsnap",
		Short: "Which line of a Node.js program leaks, or blocks its event loop",
		Long: `heapsnap takes heap snapshots of Node.js programs and tells which objects are
never freed, who holds them, and which line to look at; and it watches their
event loop and tells what blocks it.`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2, // letters
		SilenceUsage:               true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := "see heapsnap help"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "?"
			}
			return usagef("unknown command %q: %s", args[0], hint)
		},
	}
	root.PersistentFlags().BoolVar(&a.quiet, "quiet", false, "no messages and no progress on stderr, errors only")
	root.PersistentFlags().DurationVar(&a.timeout, "timeout", 0, "give up after this long, with exit code 124 (for example 90s; 0: never)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w (see %s --help)", err, cmd.CommandPath())
	})
	root.AddCommand(
		newSummary(a),
		newDiff(a),
		newSuspects(a),
		newCheck(a),
		newBaseline(a),
		newConfig(a),
		newTrend(a),
		newDemo(a),
		newLoop(a),
		newCapture(a),
		newRedact(a),
		newTargets(a),
		newStuck(a),
		newDoctor(a),
		newSample(a),
		newWatch(a),
		newOOM(a),
		newCloseInspector(a),
		newShow(a),
		newRetainers(a),
		newPaths(a),
		newDominated(a),
		newStrings(a),
		newExport(a),
		newExplain(a),
		newVersion(a),
		newMan(a),
		newExitCodesTopic(),
	)
	return root
}

// arguments is cobra.RangeArgs with a message that says what to type.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: %s is missing: heapsnap %s", cmd.Name(), what, cmd.Use)
		case most >= 0 && len(args) > most:
			return usagef("%s: %q is one argument too many: heapsnap %s", cmd.Name(), args[most], cmd.Use)
		}
		return nil
	}
}

var errNotTerminal = errors.New("this is no text: write it to a file with -o, or pipe it")

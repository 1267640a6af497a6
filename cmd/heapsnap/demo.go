package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/check"
	"heapsnap/fixtures"
	"heapsnap/report"
)

type demoCommand struct {
	app   *app
	out   *output
	fixed bool
	node  string
}

func newDemo(a *app) *cobra.Command {
	c := &demoCommand{app: a, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "demo [NAME]",
		Short: "Let a small program leak, and find the line",
		Long: `Run one of the leaking programs that heapsnap comes with through rounds of
load, take snapshots, and tell which line leaks; growth.svg and growth.png in
the current folder show the growth. Without a NAME it is "listener". Finding
the leak is success: exit code 0.

The programs:
` + demoList(),
		Example: "  heapsnap demo\n  heapsnap demo timer\n  heapsnap demo --fixed cache",
		Args:    arguments(0, 1, ""),
		ValidArgs: func() (names []string) {
			for _, f := range fixtures.All() {
				names = append(names, f.Name)
			}
			return names
		}(),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "listener"
			if len(args) > 0 {
				name = args[0]
			}
			return c.run(cmd.Context(), name)
		},
	}
	cmd.Flags().BoolVar(&c.fixed, "fixed", false, "run the repaired program: nothing is found")
	cmd.Flags().StringVar(&c.node, "node", "node", "the Node.js to run, a `PATH` or a name on PATH")
	c.out.flags(cmd)
	return cmd
}

func demoList() string {
	var b strings.Builder
	for _, f := range fixtures.All() {
		fmt.Fprintf(&b, "  %-22s %s\n", f.Name, firstComment(f))
	}
	return b.String()
}

// firstComment is what a program says of itself in its first lines.
func firstComment(f fixtures.Fixture) string {
	source := f.Fixed.Source
	if f.Leaks() {
		source = f.Leak.Source
	}
	text, ok := strings.CutPrefix(string(source), "//")
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	sentence, _, _ := strings.Cut(strings.TrimSpace(line), ". ")
	return strings.TrimSuffix(sentence, ".")
}

func (c *demoCommand) run(ctx context.Context, name string) error {
	f, ok := fixtures.Find(name)
	if !ok {
		return usagef("demo: no program %q: heapsnap demo --help lists them", name)
	}
	c.plots()
	defer c.out.close()
	if err := c.out.open(); err != nil {
		return err
	}
	program := f.Leak
	if c.fixed || !f.Leaks() {
		program = f.Fixed
	}
	node, err := exec.LookPath(c.node)
	if err != nil {
		return c.recorded(ctx, f)
	}
	r, err := c.live(ctx, node, program)
	if err != nil {
		return err
	}
	return c.show(r, f.Leaks() && !c.fixed)
}

// plots adds growth.svg and growth.png to what was asked for.
func (c *demoCommand) plots() {
	for _, plot := range []string{"svg=growth.svg", "png=growth.png"} {
		format, _, _ := strings.Cut(plot, "=")
		if !slices.ContainsFunc(c.out.files, func(spec string) bool { return strings.HasPrefix(spec, format+"=") }) {
			c.out.files = append(c.out.files, plot)
		}
	}
}

// show prints the report. A demo that finds the leak it is to find has done
// what it should: that is success here, and findings for every other command.
func (c *demoCommand) show(r *report.Report, leaks bool) error {
	r.Command, r.Version = "demo", thisBuild().Version
	err := c.out.report(r)
	var verdict verdictError
	if leaks && (err == nil || errors.As(err, &verdict)) {
		if err = nil; r.Verdict != report.Leak {
			err = verdictError(report.Inconclusive)
		}
	}
	for _, f := range c.out.opened {
		if f.done {
			c.app.note("wrote %s", f.path)
		}
	}
	return err
}

// live runs the program for real.
func (c *demoCommand) live(ctx context.Context, node string, program fixtures.Program) (*report.Report, error) {
	const rounds, warmup = 4, 2
	path, err := writeProgram(program)
	if err != nil {
		return nil, usageError{err}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the demo took longer than %s", patience))
	defer cancel()
	c.app.note("$ heapsnap check --load-fn load --rounds %d -- node %s", rounds, path)
	o := check.Options{
		Launch:       cdp.LaunchOptions{Argv: []string{node, path}, Stdout: c.app.err, Stderr: c.app.err},
		LoadFunction: "load",
		Warmup:       warmup,
		Rounds:       rounds,
		MaxRounds:    2 * rounds,
		Progress:     c.steps(),
	}
	return c.app.check(ctx, &o, "", check.JudgeOptions{Classes: true})
}

// writeProgram puts the program where it stays, so that the line that is found
// can be looked at, and returns its path. The marks that say where the leak is
// are for our tests: they are taken out.
func writeProgram(program fixtures.Program) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		if dir, err = os.MkdirTemp("", "heapsnap-"); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "heapsnap", "demo", filepath.FromSlash(program.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, marks.ReplaceAll(program.Source, nil), 0o644)
}

var marks = regexp.MustCompile(`(?m) *//@ .*$`)

// steps tells each step once, also off a terminal: a demo is to be watched.
func (c *demoCommand) steps() func(check.Event) {
	last := ""
	return func(e check.Event) {
		e.Done, e.Total = 0, 0
		text := runText(e)
		if e.Phase == check.Settling || text == last {
			return
		}
		last = text
		c.app.note("  %s", text)
	}
}

// recorded shows the analysis where there is no Node.js: on snapshots that were
// recorded from the listener program.
func (c *demoCommand) recorded(ctx context.Context, f fixtures.Fixture) error {
	c.app.note("%s is not on PATH: get Node.js from https://nodejs.org, or name it with --node", c.node)
	rec := fixtures.Recorded()
	if f.Name != rec.Fixture.Name || c.fixed {
		return usagef("demo: without Node.js there is only the recording of %q: heapsnap demo %s", rec.Fixture.Name, rec.Fixture.Name)
	}
	c.app.note("showing snapshots that were recorded from %s under Node.js %s instead", rec.Fixture.Leak.Path, rec.NodeVersion)
	dir, err := os.MkdirTemp("", "heapsnap-demo-")
	if err != nil {
		return usageError{err}
	}
	defer os.RemoveAll(dir)
	var paths []string
	for i, snapshot := range rec.Snapshots {
		path := filepath.Join(dir, fmt.Sprintf("capture-%d.heapsnapshot.zst", i+1))
		if err := os.WriteFile(path, snapshot, 0o600); err != nil {
			return usageError{err}
		}
		paths = append(paths, path)
	}
	r, err := check.Judge(ctx, paths, check.JudgeOptions{Classes: true, Source: rec.Source})
	if err != nil {
		return err
	}
	r.Target = rec.Fixture.Leak.Path
	for i := range r.Captures {
		r.Captures[i].Name, r.Captures[i].NodeVersion = roundName(i), rec.NodeVersion
	}
	return c.show(r, true)
}

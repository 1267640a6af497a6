package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heapsnap/cdp"
	"heapsnap/check"
	"heapsnap/report"
)

type checkCommand struct {
	app     *app
	out     *output
	target  targetFlags
	options check.Options
	dir     string
	zstd    bool
	classes bool
	load    loadFlags
	program programFlags

	baseline  string
	history   string
	scenarios []string
	scenario  *check.Scenario
	config    *check.Config
}

// loadFlags say what a round of load is, where that takes more than a word.
type loadFlags struct {
	http     []string // METHOD URL
	requests int
	headers  []string
	body     string
	repeat   int
	runner   string // of test files
}

// programFlags say how the program is started.
type programFlags struct {
	ready      string
	env        []string
	cwd        string
	process    string
	showOutput bool
}

func newCheck(a *app) *cobra.Command {
	c := &checkCommand{app: a, out: &output{app: a}, target: targetFlags{app: a}}
	return c.command()
}

func (c *checkCommand) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a program through rounds of load, and tell whether it leaks and where",
		Long: `Start a Node.js program (or attach to one), run the same load again and again,
take a heap snapshot after each round, and tell what grew in every round, who
holds it, and which line to look at. Exit code 1 is a leak, 0 is none.

Load is one of: HTTP requests, with {{round}} and {{request}} as numbers in them;
a shell command, which finds the round's number in HEAPSNAP_ROUND, and in
HEAPSNAP_RUN a number of its own; a function of the program, on globalThis, that
is called with a number of its own and awaited; or just time, for a program that
is busy anyway. A round is several runs of the load where they are short. Or it
is the tests of --test: the files are loaded once into one process, and a run of
the load is a run of all their tests (node:test, Jest 29 and 30, Vitest 1 to 4).
A command behind -- is then the node to use, with its flags.

What grows in every round gets as much load again and more in one go, and a
rest, before it is called a leak: a cache that fills stops growing then, and
what expires is gone.

The command may be a package script (npm run start): the process that is checked
is the one that runs your program, and of several the one that listens on the
port of the requests, or that --process names.`,
		Example: `  heapsnap check --http 'GET http://127.0.0.1:3000/search?q={{request}}' -- node app.js
  heapsnap check --load 'npx autocannon -a 200 http://127.0.0.1:3000' -- npm run start
  heapsnap check --load-fn load --rounds 7 -o json=report.json -- node app.js
  heapsnap check --test test/cart.test.js --test test/stock.test.js
  heapsnap check --every 60s --port 9229`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return c.start(cmd.Context(), cmd, args) },
	}
	o := &c.options
	f := cmd.Flags()
	f.StringArrayVar(&c.load.http, "http", nil, "send this request, as `'METHOD URL'`; repeated: in turn")
	f.IntVar(&c.load.requests, "requests", 0, "how many a round sends (0: up to 200, as long as that takes half a second)")
	f.IntVar(&o.Concurrency, "concurrency", 8, "how many are under way at a time")
	f.StringArrayVar(&c.load.headers, "header", nil, "header of the requests, as `'NAME: VALUE'`; may be repeated")
	f.StringVar(&c.load.body, "body", "", "body of the requests other than GET and HEAD, or `@FILE` with it")
	f.StringArrayVar(&o.Tests, "test", nil, "run the tests of this `FILE` as the load; may be repeated")
	f.StringVar(&c.load.runner, "test-runner", "", "what the test files are for: node, jest or vitest (default: what they import)")
	f.StringVar(&o.LoadCommand, "load", "", "shell `COMMAND` that loads the program")
	f.StringVar(&o.LoadFunction, "load-fn", "", "`NAME` of a function on globalThis that does one round of work")
	f.DurationVar(&o.Every, "every", 0, "no load, just wait: the length of a round")
	f.IntVar(&o.Warmup, "warmup", 2, "rounds before the first snapshot, at least")
	f.IntVar(&o.MaxWarmup, "max-warmup", 10, "go on to this many while the heap has not settled")
	f.IntVar(&o.Rounds, "rounds", 5, "rounds that are measured; a verdict takes 3")
	f.IntVar(&o.MaxRounds, "max-rounds", 10, "go on to this many rounds while what was measured does not decide")
	f.IntVar(&c.load.repeat, "repeat", 0, "how often a round runs the load (0: up to 101 times, as long as that takes half a second)")
	f.DurationVar(&o.LoadTimeout, "load-timeout", 10*time.Minute, "give up if the load takes longer (0: never)")
	f.StringVar(&c.program.ready, "ready", "", "wait until a `URL` answers, a port (3000 or HOST:3000) is listened on, or line:REGEXP is printed")
	f.DurationVar(&o.ReadyTimeout, "ready-timeout", 30*time.Second, "how long that may take")
	f.StringArrayVar(&c.program.env, "env", nil, "set a variable for the program and the load, as `NAME=VALUE`; may be repeated")
	f.StringVar(&c.program.cwd, "cwd", "", "start the program and the load in this `FOLDER`")
	f.StringVar(&c.program.process, "process", "", "check the process that runs a script of this `NAME`, or NAME#2 for the second of them")
	f.BoolVar(&c.program.showOutput, "show-output", false, "pass the program's output on to stderr (else its end is shown if something fails)")
	f.BoolVar(&o.Stacks, "stacks", false, "also record the call stacks that make what stays: the program is 5 to 8 times slower")
	f.BoolVar(&o.NoWorkers, "no-workers", false, "leave worker threads alone; else those that grow are captured in three more rounds")
	f.BoolVar(&o.Force, "force", false, "capture even if the target's memory limit is likely exceeded")
	f.StringVar(&c.dir, "dir", "", "keep the snapshots in this folder, and app.log, the program's output")
	f.BoolVar(&c.zstd, "zstd", false, "compress the snapshots that --dir keeps: they are a tenth of the size then")
	f.BoolVar(&c.classes, "classes", true, "also the classes that changed, first against last, as DevTools compares")
	f.StringVar(&c.baseline, "baseline", "", "accept the findings in this `FILE` (see heapsnap baseline)")
	f.StringVar(&c.history, "history", "", "append what this run found as a line to `FILE`, for heapsnap trend")
	f.StringArrayVar(&c.scenarios, "scenario", nil, "run this scenario of the configuration; may be repeated (default: all, if no load is given)")
	addConfigFlag(cmd)
	c.target.flags(cmd)
	c.out.flags(cmd)
	return cmd
}

// loads are the flags that say what the load is: with one of them, scenarios are
// not asked.
var loads = []string{"http", "test", "load", "load-fn", "every"}

// start runs what the command line says, or the scenarios of the configuration.
func (c *checkCommand) start(ctx context.Context, cmd *cobra.Command, args []string) (err error) {
	if c.config, err = readConfig(cmd); err != nil {
		return err
	}
	names := c.scenarios
	given := len(args) > 0 || slices.ContainsFunc(loads, func(name string) bool {
		_, set := os.LookupEnv(variable("check", name))
		return set || cmd.Flags().Changed(name)
	})
	if given && len(names) > 0 {
		return usagef("check: --scenario %s and a load or command of its own: give one of them", names[0])
	}
	if len(names) == 0 && !given && c.config != nil {
		for _, s := range c.config.Scenarios {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		if _, err := configure(cmd, c.config, nil); err != nil {
			return err
		}
		return c.run(ctx, cmd, args)
	}
	var chosen []*check.Scenario
	for _, name := range names {
		s, err := findScenario(c.config, name)
		if err != nil {
			return err
		}
		chosen = append(chosen, s)
	}
	var worst error
	for _, s := range chosen {
		err := c.runScenario(ctx, cmd, s, len(chosen) > 1)
		var verdict verdictError
		if err != nil && !errors.As(err, &verdict) {
			return fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		worst = worse(worst, err)
	}
	return worst
}

// worse is the verdict that decides the exit code: what fails goes before what
// is undecided.
func worse(a, b error) error {
	var verdict verdictError
	if a == nil || errors.As(a, &verdict) && report.Verdict(verdict) == report.Inconclusive && b != nil {
		return b
	}
	return a
}

// runScenario runs one in a command of its own, with the flags of this one. Of
// several each has files of its own: out.json is out-NAME.json.
func (c *checkCommand) runScenario(ctx context.Context, cmd *cobra.Command, s *check.Scenario, several bool) error {
	one := &checkCommand{app: c.app, config: c.config, scenario: s, out: &output{app: c.app}, target: targetFlags{app: c.app}}
	own := one.command()
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		into := own.Flags().Lookup(f.Name)
		if into == nil || slices.Contains(notSettings, f.Name) || err != nil {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			err = errors.Join(err, own.Flags().Set(f.Name, v))
		}
	})
	if err != nil {
		return err
	}
	if _, err := configure(own, c.config, s); err != nil {
		return err
	}
	if several {
		for i, spec := range one.out.files {
			format, path, _ := strings.Cut(spec, "=")
			ext := filepath.Ext(path)
			one.out.files[i] = format + "=" + strings.TrimSuffix(path, ext) + "-" + s.Name + ext
		}
		if one.dir != "" {
			one.dir = filepath.Join(one.dir, s.Name)
		}
	}
	return one.run(ctx, own, s.Command)
}

func (c *checkCommand) run(ctx context.Context, cmd *cobra.Command, args []string) (err error) {
	o := &c.options
	command := args
	var script []string // what names a running process
	if c.scenario != nil {
		command = args
	} else if at := cmd.ArgsLenAtDash(); at >= 0 {
		script, command = args[:at], args[at:]
	} else {
		script, command = args, nil
	}
	if err := c.load.options(o); err != nil {
		return err
	}
	switch {
	case o.Every < 0:
		return usagef("--every %s: want a duration above 0", o.Every)
	case o.Rounds < 1:
		return usagef("--rounds %d: want 3 or more (fewer show growth, but cannot tell a leak)", o.Rounds)
	case o.MaxRounds < 0:
		return usagef("--max-rounds %d: want a number of rounds, 0 for no more than --rounds", o.MaxRounds)
	case o.Warmup < 0 || o.MaxWarmup < 0:
		return usagef("check: --warmup and --max-warmup want 0 or more")
	case o.Concurrency < 1:
		return usagef("--concurrency %d: want 1 or more", o.Concurrency)
	case o.ReadyTimeout <= 0:
		return usagef("--ready-timeout %s: want a duration above 0", o.ReadyTimeout)
	case len(command) > 0 && len(script) > 0:
		return usagef("check: %q before -- names a running process, and -- a command to start: give one of them", script[0])
	}
	if o.Warmup == 0 {
		o.Warmup = -1 // zero is check's default
	}
	accept, err := policy(c.config, c.baseline)
	if err != nil {
		return err
	}
	if o.Stacks && accept.Budgets.Loop.Given() {
		return usagef("--stacks makes the program several times slower, and there is a budget for its event loop: leave one of them out")
	}
	defer c.out.close()
	if err := c.out.open(); err != nil {
		return err
	}
	if c.zstd {
		o.Suffix, o.Create = ".zst", createCompressed
	}
	if len(command) > 0 || len(o.Tests) > 0 {
		if len(script) > 0 {
			return usagef("check: %q: tests are run in a process of their own", script[0])
		}
		if o.Launch, err = c.program.launch(c.app, command); err != nil {
			return err
		}
	} else {
		if c.program.env != nil || c.program.cwd != "" || c.program.process != "" || c.program.showOutput {
			return usagef("check: --env, --cwd, --process and --show-output are for a command that is started: put it behind --")
		}
		if len(script) > 1 {
			return usagef("check: %q is one argument too many: put -- before a command", script[1])
		}
		if o.Target, o.Opened, err = c.target.find(ctx, script); err != nil {
			return err
		}
		o.Opened = o.Opened && !c.target.keep
		if c.target.worker != "" {
			if o.Worker, err = strconv.Atoi(c.target.worker); err != nil {
				return usagef("--worker %s: check wants a thread id (see heapsnap targets --workers)", c.target.worker)
			}
		}
	}
	if c.program.ready != "" {
		if o.Ready, err = check.ParseReadiness(c.program.ready); err != nil {
			return usagef("--ready %w", err)
		}
		if o.Ready.Line != nil && len(command) == 0 {
			return usagef("--ready %s: the output of a program that runs already is not seen", c.program.ready)
		}
	}
	r, err := c.app.check(ctx, o, c.dir, check.JudgeOptions{Classes: c.classes, Loop: accept.Budgets.Loop})
	if err != nil {
		return err
	}
	c.target.guard.over() // check.Run has closed the inspector
	r.Command = "check"
	if c.scenario != nil && r.Run != nil {
		r.Run.Scenario = c.scenario.Name
	}
	accept.Apply(r)
	if c.history != "" {
		if err := check.AppendHistory(c.history, check.NewHistoryEntry(r, currentCommit(), time.Now())); err != nil {
			return usagef("--history: %w", err)
		}
	}
	return c.out.report(r)
}

// options sets the load, of which there has to be one.
func (l *loadFlags) options(o *check.Options) error {
	loads := 0
	for _, given := range []bool{o.LoadCommand != "", o.LoadFunction != "", o.Every != 0, len(l.http) > 0, len(o.Tests) > 0} {
		if given {
			loads++
		}
	}
	switch {
	case loads != 1:
		return usagef("check: name the load: one of --http REQUEST, --test FILE, --load COMMAND, --load-fn NAME and --every DURATION")
	case l.runner != "" && len(o.Tests) == 0:
		return usagef("--test-runner %s: it goes with --test", l.runner)
	case l.runner != "" && !slices.Contains(check.TestRunners(), check.TestRunner(l.runner)):
		return usagef("--test-runner %s: it is one of node, jest and vitest", l.runner)
	case len(l.http) == 0 && (l.requests != 0 || l.headers != nil || l.body != ""):
		return usagef("check: --requests, --header and --body go with --http")
	case len(l.http) > 0 && l.repeat != 0:
		return usagef("--repeat %d: the number of HTTP requests is --requests", l.repeat)
	case l.repeat < 0:
		return usagef("--repeat %d: want a number of runs, or 0 for as many as fit", l.repeat)
	case l.requests < 0:
		return usagef("--requests %d: want a number, or 0 for as many as fit", l.requests)
	}
	if o.Units = max(l.repeat, l.requests); o.Units == 0 {
		o.Units = -1
	}
	o.TestRunner = check.TestRunner(l.runner)
	header := http.Header{}
	for _, h := range l.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return usagef("--header %q: want NAME: VALUE", h)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	body := l.body
	if file, ok := strings.CutPrefix(body, "@"); ok {
		text, err := os.ReadFile(file)
		if err != nil {
			return usagef("--body: %w", err)
		}
		body = string(text)
	}
	for _, text := range l.http {
		r, err := check.ParseRequest(text)
		if err != nil {
			return usagef("--http %q: %w", text, err)
		}
		r.Header = header
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			r.Body = body
		} else if body != "" && len(l.http) == 1 {
			return usagef("--body: a %s request has none", r.Method)
		}
		o.HTTP = append(o.HTTP, r)
	}
	return nil
}

// launch is how the command is started.
func (p *programFlags) launch(a *app, command []string) (cdp.LaunchOptions, error) {
	o := cdp.LaunchOptions{Argv: command, Dir: p.cwd, Process: p.process}
	if p.cwd != "" {
		if info, err := os.Stat(p.cwd); err != nil {
			return o, usagef("--cwd: %w", err)
		} else if !info.IsDir() {
			return o, usagef("--cwd %s: it is no folder", p.cwd)
		}
	}
	if p.showOutput {
		o.Stdout, o.Stderr = a.err, a.err
	}
	if len(p.env) == 0 {
		return o, nil
	}
	o.Env = os.Environ()
	for _, kv := range p.env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			return o, usagef("--env %s: want NAME=VALUE", kv)
		}
		o.Env = append(o.Env, kv) // the last one counts
	}
	return o, nil
}

// check runs the rounds and judges them. The snapshots stay only in a folder
// that was asked for.
func (a *app) check(ctx context.Context, o *check.Options, dir string, j check.JudgeOptions) (r *report.Report, err error) {
	if o.Dir = dir; dir == "" {
		if o.Dir, err = os.MkdirTemp("", "heapsnap-check-"); err != nil {
			return nil, usageError{err}
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	line := a.progress()
	defer line.clear()
	o.Tool = "heapsnap " + thisBuild().Version
	if o.LoadOutput == nil {
		o.LoadOutput = a.err
	}
	if o.Progress == nil {
		o.Progress = line.running
	}
	j.Progress = line.judging
	r, err = check.Examine(ctx, *o, j)
	line.clear()
	var run *check.RunError
	if errors.As(err, &run) {
		return nil, trouble(err)
	}
	if err != nil {
		return nil, err
	}
	r.Version = thisBuild().Version
	if dir == "" { // names of files that are gone help nobody
		for i := range r.Captures {
			r.Captures[i].Name = roundName(i)
		}
	}
	return r, nil
}

// createCompressed makes a file that only its owner reads, compressed by zstd.
func createCompressed(path string) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := compressor(f, ".zst")
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return compressedFile{w, f}, nil
}

type compressedFile struct {
	io.WriteCloser
	file *os.File
}

func (c compressedFile) Close() error { return errors.Join(c.WriteCloser.Close(), c.file.Close()) }

func roundName(i int) string {
	if i == 0 {
		return "after warm-up"
	}
	return fmt.Sprintf("round %d", i)
}

// running shows what a run is doing.
func (p *progress) running(e check.Event) {
	p.show("%s", runText(e))
}

func runText(e check.Event) string {
	switch e.Phase {
	case check.Launching:
		return "connecting"
	case check.Waiting:
		return "waiting for the program to be up"
	case check.Loading:
		if e.Warmup {
			return fmt.Sprintf("round %d of %d: warm-up", e.Round, e.Rounds)
		}
		return fmt.Sprintf("round %d of %d: load", e.Round, e.Rounds)
	case check.Settling:
		return roundText(e) + ": collecting garbage"
	case check.Repeating:
		return fmt.Sprintf("something grew: a second look, load %d of %d", e.Repetition, e.Repetitions)
	case check.Resting:
		return "something grew: a second look, rest"
	case check.Recording:
		return "recording the event loop under load"
	case check.Deciding:
		return roundText(e) + ": judging"
	case check.Capturing:
		if e.Total > 0 {
			return fmt.Sprintf("%s, %d %%, %s", snapshotText(e), 100*e.Done/e.Total, report.FormatBytes(e.Bytes))
		}
		return snapshotText(e)
	}
	return string(e.Phase)
}

// roundText is where a run is: a second look, and worker threads that grew, come
// after the rounds that were asked for.
func roundText(e check.Event) string {
	if e.Round > e.Rounds {
		return "after the rounds"
	}
	return fmt.Sprintf("round %d of %d", e.Round, e.Rounds)
}

func snapshotText(e check.Event) string {
	if e.Round > e.Rounds {
		return roundText(e) + ": one more snapshot"
	}
	return fmt.Sprintf("%s: snapshot %d of %d", roundText(e), e.Capture, e.Captures)
}

// patience is how long a demo may take before something is wrong.
const patience = 5 * time.Minute

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/eventloop"
	"heapsnap/report"
)

type loopCommand struct {
	app     *app
	target  targetFlags
	out     *output
	options eventloop.Options
	record  eventloop.RecordOptions

	duration time.Duration
	warmup   time.Duration
	save     string
	exports  []string
}

// The defaults of a recording; a third of it are vitals, at most maxVitals.
const (
	loopDuration = 10 * time.Second
	loopWarmup   = time.Second
	maxVitals    = 5 * time.Second
	minDuration  = 2 * time.Second
)

func newLoop(a *app) *cobra.Command {
	c := &loopCommand{app: a, target: targetFlags{app: a}, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "loop [flags] [SCRIPT | FILE | -- COMMAND ...]",
		Short: "What blocks the event loop, on which line, and what to do instead",
		Long: `Watch the event loop of a Node.js process: how late it is, which stretches block
it, which function and line does so, and why. The process is one that runs
(SCRIPT is a part of its script's name), one that is started by the COMMAND
behind --, or a FILE: a recording that --save wrote, or any .cpuprofile.

First the delay and utilization of the loop are measured inside the process,
without a profiler; then a CPU profile is taken, and the loop's turns are noted.
Nothing of it stays in the process, however the recording ends. The program needs
to be at work meanwhile: send it requests.

Blocked is exit code 1, healthy 0; with a budget, 1 only if that is exceeded.`,
		Example: `  heapsnap loop --pid 4242
  heapsnap loop --pid 4242 --worker 3    # that worker thread's own loop
  heapsnap loop --duration 60s --save rec.json -o html=loop.html server.js
  heapsnap loop --max-block 100ms --max-p99 50ms -- node app.js`,
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := readConfig(cmd)
			if err != nil {
				return err
			}
			if _, err := configure(cmd, config, nil); err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd, args)
		},
	}
	addConfigFlag(cmd)
	f := cmd.Flags()
	f.DurationVar(&c.duration, "duration", loopDuration, "how long to watch, vitals and profile together")
	f.DurationVar(&c.record.Interval, "interval", 0, "time between two samples (default 1ms, 2ms if it is a long recording)")
	f.DurationVar(&c.warmup, "warmup", loopWarmup, "with a COMMAND: how long it runs before it is watched")
	f.DurationVar(&c.options.Threshold, "threshold", 0, "a stretch of this length is a block (default 50ms, or --max-block)")
	f.DurationVar(&c.options.MaxBlock, "max-block", 0, "a budget: blocks up to this long are accepted")
	f.DurationVar(&c.options.MaxP99, "max-p99", 0, "a budget: the delay's 99th percentile may be this much")
	f.BoolVar(&c.record.NoVitals, "no-vitals", false, "profile only: nothing is measured inside the process")
	f.BoolVar(&c.record.KeepOptimized, "keep-optimized", false, "never make V8 optimize the program anew, even where inlining hides the line")
	f.StringVar(&c.save, "save", "", "write the recording to `FILE`, for heapsnap loop FILE")
	f.StringArrayVar(&c.exports, "export", nil, "also write the profile as `FORMAT=PATH`, for other tools: "+strings.Join(eventloop.ExportFormats(), ", ")+"; may be repeated")
	c.target.flags(cmd)
	c.target.remote(cmd)
	c.out.flags(cmd)
	return cmd
}

func (c *loopCommand) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	var named, command []string
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		named, command = args[:at], args[at:]
	} else {
		named = args
	}
	switch {
	case len(command) > 0 && len(named) > 0:
		return usagef("loop: %q before -- names a running process or a file, and -- a command to start: give one of them", named[0])
	case len(named) > 1:
		return usagef("loop: %q is one argument too many: put -- before a command", named[1])
	case c.duration < minDuration:
		return usagef("--duration %s: want %s or more", c.duration, minDuration)
	case c.options.Threshold < 0 || c.options.MaxBlock < 0 || c.options.MaxP99 < 0:
		return usagef("loop: --threshold, --max-block and --max-p99 want a duration above 0")
	case c.record.Interval < 0 || c.record.Interval > 0 && c.record.Interval < 100*time.Microsecond:
		return usagef("--interval %s: want 100us or more", c.record.Interval)
	case c.warmup < 0:
		return usagef("--warmup %s: want 0s or more", c.warmup)
	}
	defer c.out.close()
	if err := c.out.open(report.Text, report.JSON, report.HTML, report.SVG, report.PNG, report.Markdown, report.GitHub, report.JUnit, report.SARIF); err != nil {
		return err
	}
	files, err := c.open()
	if err != nil {
		return err
	}
	defer files.abandon()
	rec, err := c.recording(ctx, named, command)
	if err != nil {
		return err
	}
	if err := files.write(rec); err != nil {
		return err
	}
	a := eventloop.Analyze(rec, c.options)
	r := loopReport(a)
	c.out.rules = causeRules()
	if err := c.out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteLoop(w, r, f, o) }); err != nil {
		return err
	}
	return byVerdict(r.Verdict)
}

// open creates the files of --save and --export, before anything is recorded.
func (c *loopCommand) open() (exportFiles[*eventloop.Recording], error) {
	var saved exportFiles[*eventloop.Recording]
	if c.save != "" {
		// Only the owner: it has source code.
		f, err := createFinal(c.save, 0o600)
		if err != nil {
			return nil, usagef("--save %s: %w", c.save, err)
		}
		saved = append(saved, exportFile[*eventloop.Recording]{f, func(w io.Writer, r *eventloop.Recording) error { return r.Write(w) }})
	}
	files, err := openExports(c.exports, eventloop.ExportFormats(), eventloop.Export)
	if err != nil {
		saved.abandon()
		return nil, err
	}
	return append(saved, files...), nil
}

// recording makes or reads what is to be analysed.
func (c *loopCommand) recording(ctx context.Context, named, command []string) (*eventloop.Recording, error) {
	if len(named) == 1 && !c.target.named() {
		if info, err := os.Stat(named[0]); err == nil && info.Mode().IsRegular() && recordingName(named[0]) {
			return readProfile(named[0], eventloop.ReadRecording)
		} else if err != nil && recordingName(named[0]) {
			return nil, usageError{err}
		}
	}
	c.record.Block = cmp.Or(c.options.Threshold, c.options.MaxBlock)
	if c.record.NoVitals {
		c.record.Profile = c.duration
	} else {
		c.record.Vitals = min(c.duration/3, maxVitals)
		c.record.Profile = c.duration - c.record.Vitals
	}
	line := c.app.progress()
	defer line.clear()
	c.record.Progress = func(phase string, passed, whole time.Duration) {
		if whole == 0 {
			line.show("%s", phase)
			return
		}
		line.show("%s: %s of %s", phase, passed.Round(time.Second), whole.Round(time.Second))
	}
	if len(command) > 0 {
		return c.launch(ctx, command)
	}
	conn, err := c.target.connect(ctx, named)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	rec, err := eventloop.Record(ctx, conn.session, c.record)
	return c.recorded(rec, err)
}

func (c *loopCommand) recorded(rec *eventloop.Recording, err error) (*eventloop.Recording, error) {
	if err != nil {
		return nil, trouble(err)
	}
	rec.Tool = "heapsnap " + thisBuild().Version
	return rec, nil
}

// recordingName reports whether a name is a recording's and not a script's.
func recordingName(name string) bool {
	return strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".cpuprofile")
}

// startPatience is how long a program may take until its event loop turns for
// the first time.
const startPatience = time.Minute

// launch records a program from its first turn of the loop on: what it does
// before, it does once.
func (c *loopCommand) launch(ctx context.Context, command []string) (rec *eventloop.Recording, err error) {
	l, err := cdp.Launch(ctx, cdp.LaunchOptions{Argv: command, Stdout: c.app.err, Stderr: c.app.err})
	if err != nil {
		return nil, trouble(err)
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		err = errors.Join(err, trouble(l.Stop(stop)))
	}()
	s, err := cdp.Dial(ctx, l.Target)
	if err != nil {
		return nil, trouble(err)
	}
	defer s.Close()
	start, cancel := context.WithTimeoutCause(ctx, startPatience, errNoTurn)
	defer cancel()
	ended := s.HoldExit()
	if err := s.Await(start, "new Promise((done) => setTimeout(() => setImmediate(done)))", nil); err != nil && !errors.Is(err, errNoTurn) {
		return nil, trouble(fmt.Errorf("loop: the program did not start: %w", c.exited(l, err)))
	}
	select {
	case <-time.After(c.warmup):
	case <-ended:
	case <-s.Done():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	rec, err = eventloop.Record(ctx, s, c.record)
	if err != nil {
		return c.recorded(nil, c.exited(l, err))
	}
	if rec.Ended {
		_ = s.Close() // lets it go
		select {
		case <-l.Done():
			if exit := l.Exit(); exit.Code != 0 {
				rec.Warnings = append(rec.Warnings, fmt.Sprintf("the program ended with %s", exit))
			}
		case <-time.After(time.Second):
		}
	}
	return c.recorded(rec, nil)
}

var errNoTurn = errors.New("the event loop did not turn")

// stopPatience bounds the end of a program that was started.
const stopPatience = 15 * time.Second

// exited adds how a program ended, if that is why it was lost.
func (c *loopCommand) exited(l *cdp.Launched, err error) error {
	if !errors.Is(err, cdp.ErrClosed) {
		return err
	}
	select {
	case <-l.Done():
		return fmt.Errorf("%w: it ended with %s", err, l.Exit())
	case <-time.After(time.Second):
		return err
	}
}

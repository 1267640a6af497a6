package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/report"
)

// The exit codes. They are part of the interface: a script relies on them.
const (
	exitClean        = 0
	exitFindings     = 1
	exitUsage        = 2
	exitTarget       = 3
	exitInconclusive = 4
	exitTimeout      = 124
	exitInterrupted  = 130
)

// exitCodes is what `heapsnap help exit-codes` prints.
var exitCodes = []struct {
	code  int
	means string
}{
	{exitClean, "done; where a verdict was asked for, it is clean"},
	{exitFindings, "findings: a leak, a blocked event loop, a stuck process, memory near a limit, or a budget that was exceeded"},
	{exitUsage, "usage, or bad input: an unknown flag, a file that is no snapshot, an output that cannot be written"},
	{exitTarget, "trouble with the target or a capture: not found, refused, lost, died, too little memory"},
	{exitInconclusive, "inconclusive: too little data for a verdict"},
	{exitTimeout, "--timeout was over"},
	{exitInterrupted, "interrupted, by Ctrl-C or SIGTERM"},
}

var (
	errInterrupted = errors.New("interrupted")
	errTimeout     = errors.New("--timeout is over")
)

// A usageError is the caller's: wrong flags, arguments or names.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// A targetError came up while talking with a target.
type targetError struct{ error }

func (e targetError) Unwrap() error { return e.error }

// trouble marks what a target caused.
func trouble(err error) error {
	if err == nil {
		return nil
	}
	return targetError{err}
}

// verdictError carries a verdict that is not clean to the exit code. It is no
// message: the report has said it.
type verdictError report.Verdict

func (e verdictError) Error() string { return "verdict: " + string(e) }

// byVerdict is what a command with a verdict returns when its report is out.
func byVerdict(v report.Verdict) error {
	if v == report.Clean || v == report.Healthy || v == report.Steady {
		return nil
	}
	return verdictError(v)
}

// exitCode decides how the program ends. started says that the command line
// was understood.
func exitCode(ctx context.Context, err error, started bool) int {
	var (
		verdict verdictError
		usage   usageError
		target  targetError
		syntax  *heapsnap.SyntaxError
		file    *fs.PathError
	)
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &verdict):
		switch report.Verdict(verdict) {
		case report.Inconclusive:
			return exitInconclusive
		}
		return exitFindings
	// The context tells why even where an error says only that it ended.
	case errors.Is(err, errInterrupted), errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.Is(err, errTimeout), errors.Is(context.Cause(ctx), errTimeout):
		return exitTimeout
	case !started, errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &target), errors.Is(err, cdp.ErrClosed), errors.Is(err, cdp.ErrNoHeadroom):
		return exitTarget
	case errors.As(err, &syntax), errors.As(err, &file):
		return exitUsage
	}
	return exitUsage
}

// message is the line on stderr, "" for a verdict.
func message(ctx context.Context, err error) string {
	var verdict verdictError
	if err == nil || errors.As(err, &verdict) {
		return ""
	}
	text := err.Error()
	switch cause := context.Cause(ctx); cause {
	case errInterrupted: // by someone who knows
		text = cause.Error()
	case errTimeout: // what was under way says why
		text = cause.Error() + ": " + strings.ReplaceAll(text, ": "+cause.Error(), "")
	}
	// The last lines of a program's stderr may be in it.
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = report.Printable(l)
	}
	return "heapsnap: " + strings.Join(lines, "\n")
}

func newExitCodesTopic() *cobra.Command {
	var b strings.Builder
	b.WriteString("Exit codes of heapsnap:\n\n")
	for _, c := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", c.code, c.means)
	}
	b.WriteString("\nA finding of `heapsnap diff` on two captures only is growth, not yet a leak: that is 4.")
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: b.String()}
}

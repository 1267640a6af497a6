package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/redact"
	"heapsnap/report"
)

type captureCommand struct {
	app      *app
	target   targetFlags
	file     string
	options  cdp.CaptureOptions
	force    bool
	noSettle bool
	redact   bool
	redactor redactFlags
}

func newCapture(a *app) *cobra.Command {
	c := &captureCommand{app: a, target: targetFlags{app: a}}
	cmd := &cobra.Command{
		Use:   "capture [SCRIPT] -o FILE",
		Short: "Take one heap snapshot of a running process",
		Long: `Take one heap snapshot of a running Node.js process and write it to a file of
this machine; the process needs no writable disk. SCRIPT is a part of its
script's name; without it, and without a flag that names the process, the only
process with an open inspector is taken.

The program stands still while V8 walks its heap. A capture that would exceed
the memory limit of the target is refused.`,
		Example: `  heapsnap capture --pid 4242 -o heap.heapsnapshot.zst
  heapsnap capture --pid 4242 --redact -o to-share.heapsnapshot.zst
  heapsnap capture --port 9229 -o - | gzip > heap.heapsnapshot.gz`,
		Args: arguments(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	c.target.flags(cmd)
	cmd.Flags().StringVarP(&c.file, "output", "o", "", "`FILE` to write, compressed if it ends in .gz or .zst; - is stdout")
	cmd.Flags().BoolVar(&c.options.Numeric, "numeric", false, "with the values of numbers")
	cmd.Flags().BoolVar(&c.options.Internals, "internals", false, "with V8's own objects under their names")
	cmd.Flags().BoolVar(&c.force, "force", false, "capture even if the target's memory limit is likely exceeded")
	cmd.Flags().BoolVar(&c.noSettle, "no-settle", false, "do not wait for a quiet moment first, for a program that is stuck")
	cmd.Flags().BoolVar(&c.redact, "redact", false, "replace the program's texts on their way, before anything is written; see heapsnap redact --help")
	c.redactor.flags(cmd.Flags(), "redact-")
	return cmd
}

func (c *captureCommand) run(ctx context.Context, args []string) error {
	if c.file == "" {
		return usagef("capture: where to? -o FILE, such as -o heap.heapsnapshot.zst, or -o - for stdout")
	}
	var r *redact.Redactor
	if c.redact {
		var err error
		if r, err = c.redactor.redactor(); err != nil {
			return err
		}
	}
	var file *finalFile
	out := c.app.out
	if c.file == "-" {
		if c.app.width > 0 {
			return usageError{fmt.Errorf("capture -o -: %w", errNotTerminal)}
		}
	} else {
		var err error
		// Only the owner: a heap holds passwords. Node's own snapshots are so, too.
		if file, err = createFinal(c.file, 0o600); err != nil {
			return usagef("-o %s: %w", c.file, err)
		}
		defer file.abandon()
		out = file
	}

	conn, err := c.target.connect(ctx, args)
	if err != nil {
		return err
	}
	defer conn.close()
	meta, err := c.capture(ctx, conn.session, out, r)
	if err != nil {
		// What came before the target was lost may still answer a question.
		if file != nil && meta.Bytes > 0 && errors.Is(err, cdp.ErrClosed) {
			file.done = true
			_ = file.Close()
			return trouble(fmt.Errorf("%w; %s has what arrived", err, file.partial))
		}
		return trouble(err)
	}
	if file == nil {
		return nil
	}
	if err := file.complete(); err != nil {
		return err
	}
	if file.partial != "" {
		if err := meta.Write(c.file); err != nil {
			return err
		}
	}
	c.app.note("%s: %s, %s objects, the program stood still for %s", c.file,
		report.FormatBytes(meta.Bytes), report.FormatCount(meta.Nodes), meta.Duration.Round(10*time.Millisecond))
	return nil
}

// capture writes the snapshot to w and returns what is known about it. With r,
// neither has the program's texts.
func (c *captureCommand) capture(ctx context.Context, s *cdp.Session, w io.Writer, r *redact.Redactor) (cdp.Meta, error) {
	if err := c.app.headroom(ctx, s, c.force); err != nil {
		return cdp.Meta{}, err
	}
	line := c.app.progress()
	defer line.clear()

	meta := cdp.Meta{Schema: 1, Tool: "heapsnap " + thisBuild().Version, Mode: c.options.Mode(), ThreadID: s.Worker().ThreadID}
	if !c.noSettle {
		line.show("waiting for a quiet moment")
		settled, err := s.Settle(ctx, cdp.SettleOptions{})
		if err != nil {
			return meta, fmt.Errorf("%w (with --no-settle, heapsnap does not wait)", err)
		}
		meta.Settled = &settled
		if !settled.Quiet {
			line.clear()
			c.app.note("warning: the program is at work: what is in flight is in the snapshot")
		}
	}
	before, err := s.Memory(ctx)
	if err != nil {
		return meta, err
	}
	meta.Before = &before
	meta.NodeVersion, meta.V8Version, meta.PID, meta.Script = before.NodeVersion, before.V8Version, before.PID, before.Script

	options := c.options
	options.Progress = func(p cdp.Progress) {
		switch {
		case p.Bytes > 0:
			line.show("writing: %s", report.FormatBytes(p.Bytes))
		case p.Total > 0:
			line.show("walking the heap: %d %% of %s objects", 100*p.Done/p.Total, report.FormatCount(p.Total))
		}
	}
	compressed, err := compressor(w, c.file)
	if err != nil {
		return meta, err
	}
	var sink io.Writer = compressed
	var redacted *redact.Writer
	if r != nil {
		redacted = r.Writer(ctx, compressed)
		sink = redacted
	}
	info, err := s.Capture(ctx, sink, options)
	meta.Time, meta.Duration, meta.Nodes, meta.Bytes = info.Started, info.Duration, info.Nodes, info.Bytes
	if redacted != nil {
		if rerr := redacted.Close(); err == nil && rerr != nil {
			err = fmt.Errorf("capture: redact: %w", rerr)
		}
		meta.Bytes = redacted.Counts().Bytes
	}
	if cerr := compressed.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("capture: write: %w", cerr)
	}
	if err != nil {
		return meta, err
	}
	line.clear()

	// The snapshot is complete: what is missing below is a pity, no failure.
	if after, err := s.Memory(ctx); err == nil {
		meta.After = &after
	}
	if meta.Scripts, err = s.OwnScripts(ctx); err != nil {
		c.app.note("warning: the sidecar has no scripts: %v", err)
	}
	if r != nil {
		meta = redactMeta(r, meta)
	}
	return meta, nil
}

// compressor compresses what is written to it as the file's name says. Closing
// it does not close w.
func compressor(w io.Writer, name string) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case strings.HasSuffix(name, ".zst"):
		// The fastest level is also the smallest for snapshots.
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	return plainWriter{w}, nil
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
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
	probe    probeBudget
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
the memory limit of the target is refused, with the numbers; so is one that
would take longer than --probe allows. With --worker all, the main thread and
each worker are captured, one after the other.

The file gets its name when it is complete, and is readable by you only.`,
		Example: `  heapsnap capture --pid 4242 -o heap.heapsnapshot.zst
  heapsnap capture --pid 4242 --redact -o to-share.heapsnapshot.zst
  heapsnap capture --pid 4242 --probe 10s*3 -o "$PRESIGNED_URL"
  heapsnap capture --k8s shop/api-7d9c/app -o heap.heapsnapshot.zst
  heapsnap capture --port 9229 -o - | gzip > heap.heapsnapshot.gz`,
		Args: arguments(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	c.target.flags(cmd)
	c.target.remote(cmd)
	cmd.Flags().StringVarP(&c.file, "output", "o", "", "`FILE` to write, compressed if it ends in .gz or .zst; - is stdout; or a URL that a PUT was signed for")
	cmd.Flags().BoolVar(&c.options.Numeric, "numeric", false, "with the values of numbers")
	cmd.Flags().BoolVar(&c.options.Internals, "internals", false, "with V8's own objects under their names")
	cmd.Flags().BoolVar(&c.force, "force", false, "capture even if the target's memory limit, its probe's patience or the disk is likely exceeded")
	cmd.Flags().Var(&c.probe, "probe", "what a liveness probe forgives, as periodSeconds*failureThreshold (10s*3): no capture that takes longer")
	cmd.Flags().BoolVar(&c.noSettle, "no-settle", false, "do not wait for a quiet moment first, for a program that is stuck")
	cmd.Flags().BoolVar(&c.redact, "redact", false, "replace the program's texts on their way, before anything is written; see heapsnap redact --help")
	c.redactor.flags(cmd.Flags(), "redact-")
	return cmd
}

func (c *captureCommand) run(ctx context.Context, args []string) error {
	if c.file == "" {
		return usagef("capture: where to? -o FILE, such as -o heap.heapsnapshot.zst, or -o - for stdout")
	}
	all := c.target.worker == everyWorker
	if all && (c.file == "-" || isUpload(c.file)) {
		return usagef("--worker all writes a file for each thread: -o FILE, such as -o heap.heapsnapshot.zst")
	}
	var r *redact.Redactor
	if c.redact {
		var err error
		if r, err = c.redactor.redactor(); err != nil {
			return err
		}
	}
	to, err := c.app.createDestination(c.file)
	if err != nil {
		return err
	}
	defer func() { to.abandon() }()
	if all {
		c.target.worker = ""
	}
	conn, err := c.target.connect(ctx, args)
	if err != nil {
		return err
	}
	defer conn.close()
	if err := c.one(ctx, conn.session, to, r); err != nil || !all {
		return err
	}
	workers, err := conn.main.Workers(ctx)
	if err != nil {
		return trouble(err)
	}
	for _, s := range workers {
		if to, err = c.app.createDestination(workerPath(c.file, s.Worker().ThreadID)); err != nil {
			return err
		}
		if err := c.one(ctx, s, to, r); err != nil {
			to.abandon()
			return fmt.Errorf("worker %d: %w", s.Worker().ThreadID, err)
		}
	}
	return nil
}

// pullFrom is the Node line from which on V8 takes a snapshot as a task of the
// event loop, which a blocked one does not get to.
const pullFrom = 22

// everyWorker stands for the main thread and all its workers.
const everyWorker = "all"

// workerPath is the file for a worker's snapshot beside the main thread's:
// heap.worker-3.heapsnapshot.zst.
func workerPath(path string, thread int) string {
	dir, name := filepath.Split(path)
	stem, rest, dot := strings.Cut(name, ".")
	if dot {
		rest = "." + rest
	}
	return fmt.Sprintf("%s%s.worker-%d%s", dir, stem, thread, rest)
}

// one captures one thread.
func (c *captureCommand) one(ctx context.Context, s *cdp.Session, to *destination, r *redact.Redactor) error {
	meta, err := c.capture(ctx, s, to, r)
	if err != nil {
		// What came before the target was lost may still answer a question.
		if to.file != nil && meta.Bytes > 0 && errors.Is(err, cdp.ErrClosed) {
			to.file.done = true
			_ = to.file.Close()
			return trouble(fmt.Errorf("%w; %s has what arrived", err, to.file.partial))
		}
		if errors.As(err, new(*fs.PathError)) { // the output's, not the target's
			return err
		}
		return trouble(err)
	}
	if err := to.complete(ctx); err != nil {
		return err
	}
	if to.file != nil && to.file.partial != "" {
		if err := meta.Write(to.path); err != nil {
			return err
		}
	}
	if to.path != "-" {
		c.app.note("%s: %s, %s objects, the program stood still for %s", to.place(),
			report.FormatBytes(meta.Bytes), report.FormatCount(meta.Nodes), meta.Duration.Round(10*time.Millisecond))
	}
	return nil
}

// A destination is where a snapshot goes: a file, stdout or an object store.
type destination struct {
	io.Writer
	path   string
	file   *finalFile
	upload *upload
}

func (a *app) createDestination(path string) (*destination, error) {
	switch {
	case path == "-":
		if a.width > 0 {
			return nil, usageError{fmt.Errorf("capture -o -: %w", errNotTerminal)}
		}
		return &destination{Writer: a.out, path: path}, nil
	case isUpload(path):
		up, err := newUpload(path)
		if err != nil {
			return nil, usagef("-o: %w", err)
		}
		return &destination{Writer: up, path: path, upload: up}, nil
	}
	// Only the owner: a heap holds passwords. Node's own snapshots are so, too.
	file, err := createFinal(path, 0o600)
	if err != nil {
		return nil, usagef("-o %s: %w", path, err)
	}
	return &destination{Writer: file, path: path, file: file}, nil
}

// name is what tells how the snapshot is compressed.
func (d *destination) name() string {
	if d.upload != nil {
		return d.upload.name()
	}
	return d.path
}

// place is the destination for messages.
func (d *destination) place() string {
	if d.upload != nil {
		return d.upload.place()
	}
	return d.path
}

func (d *destination) complete(ctx context.Context) error {
	switch {
	case d.upload != nil:
		defer d.upload.close()
		return d.upload.send(ctx)
	case d.file != nil:
		return d.file.complete()
	}
	return nil
}

// abandon lets go of what is not complete.
func (d *destination) abandon() {
	switch {
	case d.upload != nil:
		d.upload.close()
	case d.file != nil:
		d.file.abandon()
	}
}

// capture writes the snapshot to w and returns what is known about it. With r,
// neither has the program's texts.
func (c *captureCommand) capture(ctx context.Context, s *cdp.Session, to *destination, r *redact.Redactor) (cdp.Meta, error) {
	if err := c.preflight(ctx, s, to); err != nil {
		return cdp.Meta{}, err
	}
	line := c.app.progress()
	defer line.clear()

	meta := cdp.Meta{Schema: 1, Tool: "heapsnap " + thisBuild().Version, Mode: c.options.Mode(), ThreadID: s.Worker().ThreadID}
	take := s.Capture
	turns, err := s.LoopTurns(ctx)
	if err == nil && !turns {
		line.clear()
		c.app.note("warning: the event loop is blocked (see heapsnap stuck): captured as it stands, with its garbage")
		if s.Target().Major() >= pullFrom {
			take = s.Pull
		}
	}
	if !c.noSettle && (turns || err != nil) {
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
	compressed, err := compressor(to, to.name())
	if err != nil {
		return meta, err
	}
	var sink io.Writer = compressed
	var redacted *redact.Writer
	if r != nil {
		redacted = r.Writer(ctx, compressed)
		sink = redacted
	}
	info, err := take(ctx, sink, options)
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

// preflight refuses a capture that would do harm, and says what it will cost
// where that matters.
func (c *captureCommand) preflight(ctx context.Context, s *cdp.Session, to *destination) error {
	h, err := s.Headroom(ctx, cdp.HeadroomOptions{})
	if err != nil {
		return err
	}
	refuse := func(err error) error {
		if err != nil && c.force {
			c.app.note("warning: %v", err)
			return nil
		}
		return err
	}
	if err := refuse(h.Err()); err != nil {
		return err
	}
	if budget := c.probe.total(); budget > 0 && h.Pause > budget {
		err := fmt.Errorf("the program would stand still for too long: %s objects take about %s, and the probe (%s) restarts it before: take it out of service first, capture at a lower heap, or force it",
			report.FormatCount(h.Nodes), h.Pause.Round(100*time.Millisecond), c.probe.String())
		if err := refuse(err); err != nil {
			return err
		}
	}
	if to.file != nil && to.file.partial != "" {
		// Compressed, a tenth is left.
		need := h.File
		if name := to.name(); strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst") {
			need /= 4
		}
		if free, ok := diskFree(filepath.Dir(to.path)); ok && free < need {
			err := &fs.PathError{Op: "write", Path: to.path, Err: fmt.Errorf("the disk has %s left, the snapshot needs about %s: compress it (.zst), choose another place, or force it",
				report.FormatBytes(free), report.FormatBytes(need))}
			if err := refuse(err); err != nil {
				return err
			}
		}
	}
	// Below that nobody notices.
	const worthSaying = 2 * time.Second
	if h.Pause >= worthSaying {
		left := ""
		if h.Limit != "" {
			left = fmt.Sprintf(" of %s that %s has left", report.FormatBytes(h.Have), h.Limit)
		}
		c.app.note("the program will stand still for about %s and its RSS will grow by about %s%s", h.Pause.Round(time.Second), report.FormatBytes(h.Need), left)
		if h.Slow != "" {
			c.app.note("warning: %s", h.Slow)
		}
	}
	return nil
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

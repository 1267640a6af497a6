package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"heapsnap/cdp"
	"heapsnap/heapprofile"
	"heapsnap/report"
	"heapsnap/watch"
)

// watchActions are what watch does besides looking.
type watchActions struct {
	when      []string
	do        string
	pace      time.Duration
	keep      int
	dir       string
	sampleFor time.Duration
	nearLimit int
	metrics   string

	conditions []watch.Condition
}

const (
	doCapture = "capture"
	doSample  = "sample"
	// actionPace is how often something is taken at most: a capture is a pause.
	actionPace = 30 * time.Minute
)

// check reads the conditions.
func (a *watchActions) check() error {
	for _, text := range a.when {
		c, err := watch.ParseCondition(text)
		if err != nil {
			return usagef("--when: %w", err)
		}
		a.conditions = append(a.conditions, c)
	}
	switch {
	case a.do != doCapture && a.do != doSample:
		return usagef("--do %s: it is capture or sample", a.do)
	case a.pace < 0 || a.sampleFor <= 0:
		return usagef("watch: --every and --sample-for want a duration above 0")
	case a.keep < 1:
		return usagef("--keep %d: want 1 or more files", a.keep)
	case a.nearLimit < 0:
		return usagef("--near-heap-limit %d: want a number of snapshots", a.nearLimit)
	case len(a.conditions) > 0:
		if info, err := os.Stat(a.dir); err != nil {
			return usagef("--dir: %w", err)
		} else if !info.IsDir() {
			return usagef("--dir %s: is no folder", a.dir)
		}
	}
	return nil
}

// act looks whether a trigger of the target fires, and does what it says. It runs
// in the goroutine of the target's watcher.
func (c *watchCommand) act(ctx context.Context, t *watched, e watch.Event) {
	for i := range t.triggers {
		trigger := &t.triggers[i]
		value, fires, held := trigger.Look(e.Point, &t.last)
		if held || fires && !t.acted.IsZero() && time.Since(t.acted) < c.actions.pace {
			c.happened(t, report.WatchEvent{Time: e.Time, Kind: "note", Text: fmt.Sprintf("%s holds (%s); nothing is taken more often than every %s", trigger.Text, value, c.actions.pace)})
			continue
		}
		if !fires {
			continue
		}
		c.happened(t, report.WatchEvent{Time: e.Time, Kind: "trigger", Text: fmt.Sprintf("%s holds: %s", trigger.Text, value)})
		t.acted = time.Now()
		if c.actions.do == doCapture && c.capture(ctx, t, e) {
			continue
		}
		if ctx.Err() == nil {
			c.sample(ctx, t, e)
		}
	}
}

// capture takes a snapshot, if it fits, and reports whether it did.
func (c *watchCommand) capture(ctx context.Context, t *watched, e watch.Event) bool {
	quiet := *c.app
	quiet.quiet, quiet.terminal = true, false
	take := captureCommand{app: &quiet, noSettle: true}
	path := c.fileOf(t, e.Point, "heapsnapshot.zst")
	to, err := quiet.createDestination(path)
	if err == nil {
		defer to.abandon()
		err = take.one(ctx, e.Session, to, nil)
	}
	if err != nil {
		kind := "note"
		if errors.Is(err, cdp.ErrNoHeadroom) {
			kind = "refused"
		}
		c.happened(t, report.WatchEvent{Time: time.Now(), Kind: kind, Text: fmt.Sprintf("no snapshot: %v", err)})
		return false
	}
	now := time.Now()
	t.watcher.Series.Disturb(now)
	c.happened(t, report.WatchEvent{Time: now, Kind: doCapture, Text: "a snapshot was taken (heapsnap suspects FILE)", File: path})
	c.rotate(t, path)
	return true
}

// sample takes a sampling heap profile while the watching goes on.
func (c *watchCommand) sample(ctx context.Context, t *watched, e watch.Event) {
	path := c.fileOf(t, e.Point, "heapprofile")
	c.pending.Add(1)
	go func() {
		defer c.pending.Done()
		err := c.sampleTo(ctx, e.Session, path)
		now := time.Now()
		if err != nil {
			c.happened(t, report.WatchEvent{Time: now, Kind: "note", Text: fmt.Sprintf("no heap profile: %v", err)})
			return
		}
		c.happened(t, report.WatchEvent{Time: now, Kind: doSample, Text: "a sampling heap profile was taken (heapsnap sample FILE)", File: path})
		c.rotate(t, path)
	}()
}

func (c *watchCommand) sampleTo(ctx context.Context, s *cdp.Session, path string) error {
	p, err := sampleHeap(ctx, s, cdp.SamplingOptions{}, c.actions.sampleFor, func(time.Duration) {})
	if err != nil {
		return err
	}
	f, err := createFinal(path, 0o600)
	if err != nil {
		return err
	}
	defer f.abandon()
	if err := heapprofile.Export(f, p, "heapprofile"); err != nil {
		return err
	}
	return f.complete()
}

func (c *watchCommand) fileOf(t *watched, p *watch.Point, suffix string) string {
	return filepath.Join(c.actions.dir, fmt.Sprintf("heapsnap-%d-%s.%s", p.PID, time.Now().Format("20060102-150405.000"), suffix))
}

// rotate removes the oldest of the files that were taken of a target.
func (c *watchCommand) rotate(t *watched, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.taken = append(t.taken, path)
	for len(t.taken) > c.actions.keep {
		old := t.taken[0]
		t.taken = t.taken[1:]
		_ = os.Remove(old)
		_ = os.Remove(cdp.MetaPath(old))
	}
}

// armExpression asks Node.js to write snapshots near the heap's limit, if it
// could: to the folder of --diagnostic-dir, or to the current one.
var armExpression = `
	const v8 = m('v8'), fs = m('fs'), path = m('path'), p = m('process');
	if (typeof v8.setHeapSnapshotNearHeapLimit !== 'function') return { error: 'Node.js ' + p.version + ' cannot: it takes 18.10 or later' };
	const words = (p.env.NODE_OPTIONS || '').split(/\s+/).concat(p.execArgv);
	let dir = p.cwd();
	for (let i = 0; i < words.length; i++) {
		if (words[i].startsWith('--diagnostic-dir=')) dir = path.resolve(words[i].slice(17));
		else if (words[i] === '--diagnostic-dir' && words[i + 1]) dir = path.resolve(words[i + 1]);
		if (words[i].startsWith('--heapsnapshot-near-heap-limit')) return { error: 'it was started with ' + words[i] };
	}
	try { fs.accessSync(dir, fs.constants.W_OK); } catch (e) { return { error: dir + ' is not writable: start it with --diagnostic-dir=DIR' }; }
	v8.setHeapSnapshotNearHeapLimit(%d);
	return { dir };`

// arm makes the process write snapshots by itself before V8 gives up.
func (c *watchCommand) arm(ctx context.Context, t *watched, s *cdp.Session) {
	var r struct {
		Dir   string `json:"dir"`
		Error string `json:"error"`
	}
	err := s.Evaluate(ctx, cdp.Builtins(fmt.Sprintf(armExpression, c.actions.nearLimit)), &r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err != nil {
		c.happened(t, report.WatchEvent{Time: time.Now(), Kind: "refused", Text: fmt.Sprintf("not armed: %v", err)})
		return
	}
	c.happened(t, report.WatchEvent{Time: time.Now(), Kind: "armed", Text: fmt.Sprintf(
		"near its heap limit Node.js will write up to %d snapshots to %s, as Heap.DATE.TIME.PID.0.NNN.heapsnapshot; it stays so until the process ends", c.actions.nearLimit, r.Dir)})
}

// serve offers the metrics by HTTP. The address is loopback's unless a host is named.
func (c *watchCommand) serve(ctx context.Context) (stop func(), err error) {
	host, port, err := net.SplitHostPort(c.actions.metrics)
	if err != nil {
		return nil, usagef("--metrics %s: want [HOST]:PORT, such as :9464", c.actions.metrics)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, usagef("--metrics: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		c.app.note("warning: the metrics are open to everybody who reaches %s", l.Addr())
	}
	c.app.note("metrics at http://%s/metrics", l.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		all := make([]watch.Exposed, 0, len(c.targets))
		for _, t := range c.targets {
			all = append(all, t.exposed)
		}
		c.mu.Unlock()
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		_ = watch.WriteMetrics(w, all)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() { _ = server.Serve(l) }()
	return func() { _ = server.Close() }, nil
}

// conditionHelp lists what a condition may be about.
func conditionHelp() string {
	return "take something when `CONDITION` holds, such as heap>80%limit, container>80%, growth>1MiB/s, left<10m, loop>200ms; of " +
		strings.Join(watch.Metrics(), ", ") + "; may be repeated"
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/report"
	"heapsnap/watch"
)

type watchCommand struct {
	app    *app
	target targetFlags
	out    *output

	interval time.Duration
	duration time.Duration
	horizon  time.Duration
	once     bool
	lines    bool // NDJSON on stdout
	actions  watchActions

	mu      sync.Mutex // of what is written while it runs, and of the targets
	targets []*watched
	begun   time.Time
	screen  *screen
	pending sync.WaitGroup // profiles that are being taken
}

// watched is one target of the command.
type watched struct {
	name     string
	flags    targetFlags
	args     []string     // a script's name, as target.connect takes it
	identity *cdp.Process // of a target named by its id, once it was reached
	watcher  *watch.Watcher
	events   []report.WatchEvent
	peaks    report.WatchPeaks
	last     watch.Outlook
	told     watch.Verdict // the verdict that was last told as an event

	triggers []watch.Trigger
	acted    time.Time // when something was taken last
	taken    []string  // files
	arm      bool      // at the next look
	exposed  watch.Exposed
	view     report.WatchTarget // for the screen
}

const (
	// watchHorizon is how far ahead a limit is an alarm: a process that reaches it
	// later is restarted by the next release.
	watchHorizon = 24 * time.Hour
	// curvePoints is how many points of a target are in the report.
	curvePoints = 240
	// mostEvents bounds the events that are kept of a target.
	mostEvents = 1000
)

func newWatch(a *app) *cobra.Command {
	c := &watchCommand{app: a, target: targetFlags{app: a}, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "watch [TARGET ...]",
		Short: "Memory, collections and event loop over time, and when a limit is reached",
		Long: `Watch Node.js processes: heaps, what is outside them, collections, the event loop's
delay and utilization, of every thread, at a cost that does not show. A TARGET is
a process id, a port, HOST:PORT, or a part of a script's name. On a terminal the
view is refreshed in place; elsewhere each look is a line, or with --format
ndjson a JSON object. A process that is restarted is found again.

From what full collections leave, heapsnap says whether memory grows, how fast,
how sure that is, and when the nearer of the heap's and the container's limit is
reached. At the end, by --duration or Ctrl-C, comes a report, and with
-o svg=FILE a plot.

Nothing of it stays in the process, however the watching ends. The exit code is 1
if a limit will be reached within --horizon, 4 if too little was seen to tell.`,
		Example: `  heapsnap watch --pid 4242
  heapsnap watch --duration 10m -o svg=growth.svg server.js worker.js
  heapsnap watch --when 'heap>80%limit' --when 'container>80%' --dir /dumps --metrics :9464 server.js
  heapsnap watch --format ndjson --interval 10s :9229 >> watch.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.DurationVar(&c.interval, "interval", time.Second, "time between two looks")
	f.DurationVar(&c.duration, "duration", 0, "how long to watch (0: until Ctrl-C)")
	f.DurationVar(&c.horizon, "horizon", watchHorizon, "how far ahead reaching a limit is an alarm")
	f.BoolVar(&c.once, "once", false, "end when the processes do, instead of waiting for them to come back")
	f.StringArrayVar(&c.actions.when, "when", nil, conditionHelp())
	f.StringVar(&c.actions.do, "do", doCapture, "what --when takes: capture, a snapshot if it fits (else a sample), or sample, a sampling heap profile")
	f.DurationVar(&c.actions.pace, "every", actionPace, "take something this often at most")
	f.IntVar(&c.actions.keep, "keep", 3, "keep the last `N` files that were taken")
	f.StringVar(&c.actions.dir, "dir", ".", "`FOLDER` for what is taken")
	f.DurationVar(&c.actions.sampleFor, "sample-for", 20*time.Second, "how long a sampling heap profile takes")
	f.IntVar(&c.actions.nearLimit, "near-heap-limit", 0, "have Node.js write `N` snapshots by itself before V8 gives up, in its --diagnostic-dir or current folder; it cannot be taken back")
	f.StringVar(&c.actions.metrics, "metrics", "", "serve OpenMetrics at `[HOST]:PORT`/metrics, on loopback unless a host is named (such as :9464)")
	c.target.flags(cmd)
	f.Lookup("worker").Hidden = true // all workers are watched
	c.out.flags(cmd)
	f.Lookup("format").Usage = "format on stdout: text, json (the report), ndjson (all of it), svg, png"
	f.Lookup("verbose").Usage = "in text: all trends, all events"
	return cmd
}

func (c *watchCommand) run(ctx context.Context, args []string) error {
	switch {
	case c.interval < 100*time.Millisecond:
		return usagef("--interval %s: want 100ms or more", c.interval)
	case c.duration < 0 || c.horizon < 0:
		return usagef("watch: --duration and --horizon want a duration above 0")
	case c.target.worker != "":
		return usagef("watch: --worker: all worker threads are watched, leave the flag out")
	}
	if c.lines = c.out.format == "ndjson"; c.lines {
		c.out.format = string(report.JSON)
	}
	if err := c.actions.check(); err != nil {
		return err
	}
	defer c.out.close()
	if err := c.out.open(report.Text, report.JSON, report.SVG, report.PNG); err != nil {
		return err
	}
	if err := c.name(args); err != nil {
		return err
	}
	if c.actions.metrics != "" {
		stop, err := c.serve(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	c.begun = time.Now()
	live := c.app.width > 0 && c.out.stdout == report.Text
	if live {
		c.screen = newScreen(c.app)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if c.duration > 0 {
		watching, stop = context.WithTimeout(watching, c.duration)
		defer stop()
	}
	errs := make(chan error, len(c.targets))
	for _, t := range c.targets {
		go func() { errs <- t.watcher.Run(watching, func(e watch.Event) { c.see(watching, t, e) }) }()
	}
	var failed error
	for range c.targets {
		if err := <-errs; err != nil {
			failed = errors.Join(failed, err)
			if len(c.targets) == 1 {
				stop()
			}
		}
	}
	c.pending.Wait()
	c.screen.over()
	if failed != nil && !c.seen() {
		var usage usageError
		if errors.As(failed, &usage) {
			return failed
		}
		return trouble(failed)
	}
	r := c.report(failed)
	err := c.tell(r)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx) // interrupted, or --timeout: the report is out
	}
	return byVerdict(r.Verdict)
}

// name makes the targets of what stands on the command line.
func (c *watchCommand) name(args []string) error {
	if c.target.named() || len(args) == 0 {
		if c.target.named() && len(args) > 0 {
			return usagef("watch: name a target by a flag or as an argument: several are arguments")
		}
		c.add("", c.target, nil)
	}
	for _, arg := range args {
		t := targetFlags{app: c.app, keep: c.target.keep}
		n, err := strconv.Atoi(strings.TrimPrefix(arg, ":"))
		switch {
		case err == nil && strings.HasPrefix(arg, ":"):
			t.port = n
		case err == nil:
			t.pid = n
		case strings.HasPrefix(arg, "ws://"), strings.Count(arg, ":") == 1 && !strings.Contains(arg, "/"):
			t.url = arg
		default:
			c.add(arg, t, []string{arg})
			continue
		}
		c.add(arg, t, nil)
	}
	return nil
}

func (c *watchCommand) add(name string, flags targetFlags, args []string) {
	t := &watched{name: name, flags: flags, args: args}
	t.view.Name = name
	if name == "" {
		switch {
		case flags.pid != 0:
			t.name = strconv.Itoa(flags.pid)
		case flags.port != 0:
			t.name = ":" + strconv.Itoa(flags.port)
		case flags.url != "":
			t.name = flags.url
		default:
			t.name = "the open inspector"
		}
	}
	for _, condition := range c.actions.conditions {
		t.triggers = append(t.triggers, watch.Trigger{Condition: condition, Pace: c.actions.pace})
	}
	t.exposed.Target = t.name
	t.watcher = &watch.Watcher{Options: watch.Options{Interval: c.interval, Once: c.once}, Connect: t.connect}
	c.targets = append(c.targets, t)
}

// connect finds the target: the first time as it was named, and later, where that
// was by its id, one that runs the same: a process that was restarted has another.
func (t *watched) connect(ctx context.Context) (*watch.Connection, error) {
	if t.flags.pid > 0 && t.identity != nil {
		if err := t.successor(ctx); err != nil {
			return nil, trouble(err)
		}
	}
	flags := t.flags
	conn, err := flags.connect(ctx, t.args)
	if err != nil {
		return nil, err
	}
	if t.flags.pid > 0 && t.identity == nil {
		if all, err := cdp.Local(ctx); err == nil {
			if i := slices.IndexFunc(all, func(p cdp.Process) bool { return p.PID == flags.pid }); i >= 0 {
				t.identity = &all[i]
			}
		}
	}
	return &watch.Connection{Session: conn.main, Close: conn.close}, nil
}

// successor makes the flags name the process itself if it still runs, or else
// the youngest that was started with the same words.
func (t *watched) successor(ctx context.Context) error {
	all, err := cdp.Local(ctx)
	if err != nil {
		return err
	}
	found := 0
	for _, p := range all {
		if p.PID == t.flags.pid {
			return nil
		}
		if slices.Equal(p.Args, t.identity.Args) {
			found = max(found, p.PID)
		}
	}
	if found == 0 {
		return fmt.Errorf("process %d has not come back", t.flags.pid)
	}
	t.flags.pid = found
	return nil
}

// see takes an event of a target. It runs in the goroutine of its watcher.
func (c *watchCommand) see(ctx context.Context, t *watched, e watch.Event) {
	if e.Kind != watch.Seen {
		c.mu.Lock()
		switch e.Kind {
		case watch.Attached:
			t.peaks, t.last, t.arm = report.WatchPeaks{}, watch.Outlook{}, c.actions.nearLimit > 0
		case watch.Lost:
			t.exposed.Up = false
		}
		c.mu.Unlock()
		c.happened(t, report.WatchEvent{Time: e.Time, Kind: string(e.Kind), Text: e.Text})
		return
	}
	outlook := t.watcher.Series.Outlook()
	point := watchPoint(e.Point)
	c.mu.Lock()
	t.last = outlook
	t.takePeaks(e.Point)
	t.exposed = watch.Exposed{Target: t.name, Script: t.watcher.Script(), Up: true, Point: new(watch.Point), Next: outlook.Next, Restarts: t.watcher.Restarts}
	*t.exposed.Point = *e.Point
	turned := ""
	if v := t.verdict(c.horizon); v != t.told {
		if v == watch.Growing || t.told == watch.Growing {
			turned = t.sentence(c.horizon)
		}
		t.told = v
	}
	if c.screen != nil {
		t.view = c.reportOf(t, 60)
	}
	switch {
	case c.lines:
		_ = report.WriteWatchLine(c.app.out, report.WatchLine{Type: "point", Target: t.name, Point: &point, Forecasts: watchForecasts(t.last)})
	case c.screen != nil:
		c.draw()
	case c.out.stdout == report.Text:
		fmt.Fprintln(c.app.out, c.line(t, &point))
	}
	arm := t.arm
	t.arm = false
	c.mu.Unlock()
	if turned != "" {
		c.happened(t, report.WatchEvent{Time: e.Time, Kind: "note", Text: turned})
	}
	if arm {
		c.arm(ctx, t, e.Session)
	}
	c.act(ctx, t, e)
}

// happened keeps and tells an event.
func (c *watchCommand) happened(t *watched, e report.WatchEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.events = append(t.events, e); len(t.events) > mostEvents {
		t.events = t.events[len(t.events)-mostEvents:]
	}
	switch {
	case c.lines:
		_ = report.WriteWatchLine(c.app.out, report.WatchLine{Type: "event", Target: t.name, Event: &e})
	case c.screen != nil:
		t.view.Events = t.events
		c.draw()
	default:
		text := e.Text
		if e.File != "" {
			text += ": " + e.File
		}
		if len(c.targets) > 1 {
			text = t.name + ": " + text
		}
		c.app.note("%s  %s", e.Time.Local().Format("15:04:05"), text)
	}
}

func (t *watched) takePeaks(p *watch.Point) {
	k := &t.peaks
	k.RSS, k.HeapUsed, k.External = max(k.RSS, p.RSS), max(k.HeapUsed, p.Main.Used), max(k.External, p.Main.External)
	k.DelayMS, k.GCShare, k.GCMS = max(k.DelayMS, inMS(p.Main.Delay.Max)), max(k.GCShare, p.Main.GC.Share), max(k.GCMS, inMS(p.Main.GC.Longest))
}

// verdict is the outlook's, but for limits that are too far to matter.
func (t *watched) verdict(horizon time.Duration) watch.Verdict {
	v := t.last.Verdict
	if v == watch.Growing && (t.last.Next == nil || t.last.Next.Left > horizon) {
		if t.last.Forecasts[0].Verdict == watch.Undecided { // the heap may still reach one
			return watch.Undecided
		}
		return watch.Steady
	}
	return v
}

func (t *watched) sentence(horizon time.Duration) string {
	next := t.last.Next
	switch {
	case next != nil && next.Left <= horizon:
		return next.String()
	case t.last.Verdict == watch.Growing:
		for _, f := range t.last.Forecasts {
			if f.Verdict == watch.Growing {
				return f.String()
			}
		}
	case t.last.Verdict == watch.Undecided:
		return "too little seen yet to tell: a trend takes some full collections"
	}
	return "steady"
}

// line is a look in one line.
func (c *watchCommand) line(t *watched, p *report.WatchPoint) string {
	m := p.Threads[0]
	live := "-"
	if m.Live > 0 {
		live = report.FormatBytes(m.Live)
	}
	s := fmt.Sprintf("%s  heap %s live %s of %s  rss %s", p.Time.Local().Format("15:04:05"), report.FormatBytes(m.HeapUsed), live, report.FormatBytes(m.OldLimit), report.FormatBytes(p.RSS))
	if p.Container > 0 {
		s += fmt.Sprintf(" (%.0f %% of container)", 100*float64(p.Working)/float64(p.Container))
	}
	s += fmt.Sprintf("  ext %s  gc %.1f %%  loop p99 %s busy %.0f %%", report.FormatBytes(m.External), 100*m.GCShare, report.FormatMS(m.DelayP99MS), 100*m.Utilization)
	if t.verdict(c.horizon) == watch.Growing {
		s += "  " + t.sentence(c.horizon)
	}
	if len(c.targets) > 1 {
		s = t.name + "  " + s
	}
	return report.Printable(s)
}

// draw shows all targets on the terminal.
func (c *watchCommand) draw() {
	var lines []string
	for i, t := range c.targets {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, report.WatchScreen(&t.view, report.Options{Width: c.app.width, Color: c.app.color})...)
	}
	c.screen.show(lines)
}

func (c *watchCommand) seen() bool {
	for _, t := range c.targets {
		if t.watcher.Series.Last() != nil {
			return true
		}
	}
	return false
}

// tell writes the report in every format that was asked for.
func (c *watchCommand) tell(r *report.Watch) error {
	if c.lines {
		stdout := c.app.out
		c.app.out = io.Discard // the report is the last line
		defer func() { c.app.out = stdout }()
		if err := report.WriteWatchLine(stdout, report.WatchLine{Type: "report", Report: r}); err != nil {
			return err
		}
	}
	return c.out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteWatch(w, r, f, o) })
}

// report maps what was seen to what is told.
func (c *watchCommand) report(failed error) *report.Watch {
	r := &report.Watch{Head: head("watch"), Verdict: report.Inconclusive, Started: c.begun.UTC(), DurationMS: inMS(time.Since(c.begun))}
	if failed != nil {
		r.Warnings = append(r.Warnings, failed.Error())
	}
	for _, t := range c.targets {
		rt := c.reportOf(t, curvePoints)
		r.Targets = append(r.Targets, rt)
		switch {
		case rt.Verdict == report.Growing && r.Verdict != report.Growing:
			r.Verdict = report.Growing
			r.Sentence = rt.Sentence
			if rt.Script != "" {
				r.Sentence = path.Base(rt.Script) + ": " + rt.Sentence
			}
		case rt.Verdict == report.Steady && r.Verdict == report.Inconclusive:
			r.Verdict = report.Steady
		}
	}
	if r.Sentence == "" {
		r.Sentence = fmt.Sprintf("no limit is reached within %g hours", c.horizon.Hours())
		if r.Verdict == report.Inconclusive {
			r.Sentence = "too little was seen to tell: a trend takes some full collections; watch longer, or under load"
		}
	}
	return r
}

func (c *watchCommand) reportOf(t *watched, points int) report.WatchTarget {
	s := &t.watcher.Series
	r := report.WatchTarget{
		Name: t.name, Script: t.watcher.Script(), NodeVersion: t.watcher.NodeVersion(), Restarts: t.watcher.Restarts,
		Verdict: report.Inconclusive, Sentence: t.sentence(c.horizon), Forecasts: watchForecasts(t.last), Peaks: t.peaks, Events: t.events,
	}
	switch t.verdict(c.horizon) {
	case watch.Growing:
		r.Verdict = report.Growing
	case watch.Steady:
		r.Verdict = report.Steady
	}
	for _, p := range s.Thin(points) {
		r.Curve = append(r.Curve, watchPoint(&p))
	}
	if last := s.Last(); last != nil {
		r.PID = last.PID
	}
	step := max(1, (len(s.Lives)+points-1)/points)
	for i := 0; i < len(s.Lives); i += step {
		l := s.Lives[i]
		r.Live = append(r.Live, report.WatchLive{Time: l.Time.UTC(), ThreadID: l.ThreadID, Used: l.Used, Old: l.Old})
	}
	return r
}

func watchForecasts(o watch.Outlook) []report.WatchForecast {
	var all []report.WatchForecast
	for _, f := range o.Forecasts {
		all = append(all, report.WatchForecast{
			Of: f.Of, ThreadID: f.ThreadID, Verdict: string(f.Verdict), Now: f.Now, Limit: f.Limit, Rate: f.Rate, Low: f.Low, High: f.High, P: f.P,
			Values: f.Values, Left: f.Left.Seconds(), Early: f.Early.Seconds(), Late: f.Late.Seconds(), Text: f.String(),
		})
	}
	return all
}

func watchPoint(p *watch.Point) report.WatchPoint {
	r := report.WatchPoint{
		Time: p.Time.UTC(), PID: p.PID, RSS: p.RSS, Working: p.Working(), Container: p.Group.Limit, CPU: p.CPU, LateMS: inMS(p.Late), Handles: p.Handles,
	}
	for _, t := range p.Threads() {
		w := report.WatchThread{
			ThreadID: t.ID, Name: t.Name, HeapUsed: t.Used, HeapTotal: t.Total, Old: t.Old, OldLimit: t.OldLimit, Live: t.Live, External: t.External,
			ArrayBuffers: t.ArrayBuffers, Malloced: t.Malloced, Detached: t.Detached, Allocated: t.Allocated, GCShare: t.GC.Share, GCCount: t.GC.Count,
			GCMajor: t.GC.Major, GCLongestMS: inMS(t.GC.Longest), DelayP50MS: inMS(t.Delay.P50), DelayP99MS: inMS(t.Delay.P99), DelayMaxMS: inMS(t.Delay.Max),
			Utilization: t.Utilization, Spaces: map[string]uint64{},
		}
		for _, s := range t.Spaces {
			w.Spaces[s.Name] = s.Used
		}
		r.Threads = append(r.Threads, w)
	}
	return r
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
	"heapsnap/heapprofile"
	"heapsnap/report"
)

type sampleCommand struct {
	app      *app
	target   targetFlags
	out      *output
	duration time.Duration
	interval int
	all      bool
	diff     bool
	exports  []string
}

const sampleDuration = 30 * time.Second

func newSample(a *app) *cobra.Command {
	c := &sampleCommand{app: a, target: targetFlags{app: a}, out: &output{app: a}}
	cmd := &cobra.Command{
		Use:   "sample [SCRIPT | FILE | --diff A B]",
		Short: "Which functions make the objects that stay, by V8's sampling heap profiler",
		Long: `Sample the allocations of a running Node.js process, and say which functions made
what was made meanwhile and still lives: bytes by the program's own function
nearest to it, with its stack. With --all, what was collected counts too: who
allocates most. A FILE is a .heapprofile that was saved, also by DevTools;
--diff compares two of them.

The cost is too small to measure at the default interval. At the end V8 collects
all garbage, for which the program stands still. Line numbers are those where the
functions begin, and what V8 has inlined counts for the caller: V8 notes no more.`,
		Example: `  heapsnap sample --pid 4242
  heapsnap sample --duration 60s --export pprof=heap.pb.gz --export heapprofile=a.heapprofile server.js
  heapsnap sample --diff a.heapprofile b.heapprofile`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.DurationVar(&c.duration, "duration", sampleDuration, "how long to sample")
	f.IntVar(&c.interval, "interval", 0, "`BYTES` between two samples on average (default 65536)")
	f.BoolVar(&c.all, "all", false, "count also what was collected meanwhile (Node 20 and later)")
	f.BoolVar(&c.diff, "diff", false, "compare two files: what the second has more of")
	f.StringArrayVar(&c.exports, "export", nil, "also write the profile as `FORMAT=PATH`: "+strings.Join(heapprofile.ExportFormats(), ", ")+"; may be repeated")
	c.target.flags(cmd)
	c.target.remote(cmd)
	c.out.flags(cmd)
	f.Lookup("format").Usage = "format on stdout: text, json"
	f.Lookup("verbose").Usage = "in text: all functions, all stacks"
	return cmd
}

func (c *sampleCommand) run(ctx context.Context, args []string) error {
	switch {
	case c.duration <= 0:
		return usagef("--duration %s: want a duration above 0", c.duration)
	case c.interval < 0:
		return usagef("--interval %d: want a number of bytes above 0", c.interval)
	case c.diff && len(args) != 2:
		return usagef("sample: --diff compares two files: heapsnap sample --diff A B")
	case c.diff && c.target.named():
		return usagef("sample: --diff compares two files, and no process")
	case c.diff && len(c.exports) > 0:
		return usagef("sample: --export writes one profile, and --diff has two: go tool pprof -diff_base compares two of pprof's")
	case !c.diff && len(args) > 1:
		return usagef("sample: %q is one argument too many: to compare two files, say --diff", args[1])
	}
	defer c.out.close()
	if err := c.out.open(report.Text, report.JSON); err != nil {
		return err
	}
	if c.diff {
		return c.compare(args[0], args[1])
	}
	files, err := openExports(c.exports, heapprofile.ExportFormats(), heapprofile.Export)
	if err != nil {
		return err
	}
	defer files.abandon()
	var p *heapprofile.Profile
	var original heapprofile.Original
	if len(args) == 1 && !c.target.named() && strings.HasSuffix(strings.TrimSuffix(args[0], ".gz"), ".heapprofile") {
		p, err = readProfile(args[0], heapprofile.Read)
		original = heapprofile.SourceMaps(os.ReadFile, nil)
	} else {
		p, original, err = c.record(ctx, args)
	}
	if err != nil {
		return err
	}
	if err := files.write(p); err != nil {
		return err
	}
	r := sampleReport(p, original)
	if c.all && r.Kind == "live" && p.Info != nil {
		r.Warnings = append(r.Warnings, "Node 18 does not count what was collected: this is what lives")
	}
	return c.tell(r)
}

func (c *sampleCommand) tell(r *report.Sample) error {
	return c.out.write(func(w io.Writer, f report.Format, o report.Options) error { return report.WriteSample(w, r, f, o) })
}

// record samples a running process.
func (c *sampleCommand) record(ctx context.Context, args []string) (*heapprofile.Profile, heapprofile.Original, error) {
	conn, err := c.target.connect(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	defer conn.close()
	line := c.app.progress()
	defer line.clear()
	o := cdp.SamplingOptions{Interval: uint64(c.interval), Collected: c.all}
	p, err := sampleHeap(ctx, conn.session, o, c.duration, func(passed time.Duration) {
		line.show("sampling: %s of %s", passed.Round(time.Second), c.duration)
	})
	if err != nil {
		return nil, nil, trouble(err)
	}
	p.Info.Tool = "heapsnap " + thisBuild().Version
	return p, originals(ctx, conn.session), nil
}

// sampleHeap samples a session's thread for a while.
func sampleHeap(ctx context.Context, s *cdp.Session, o cdp.SamplingOptions, d time.Duration, progress func(passed time.Duration)) (*heapprofile.Profile, error) {
	m, err := s.Memory(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.StartSampling(ctx, o); err != nil {
		return nil, err
	}
	begun := time.Now()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for waiting := true; waiting; {
		progress(time.Since(begun))
		select {
		case <-tick.C:
		case <-end.C:
			waiting = false
		case <-s.Done():
			return nil, fmt.Errorf("sample: %w", s.Err())
		case <-ctx.Done():
			s.DropSampling(ctx)
			return nil, fmt.Errorf("sample: %w", context.Cause(ctx))
		}
	}
	text, err := s.StopSampling(ctx)
	if err != nil {
		return nil, err
	}
	p, err := heapprofile.Parse(text)
	if err != nil {
		return nil, err
	}
	p.Info = &heapprofile.Info{
		NodeVersion: m.NodeVersion, Script: m.Script, PID: m.PID, ThreadID: s.Worker().ThreadID, Started: begun.UTC(), Duration: time.Since(begun),
		Interval: o.Interval, Collected: o.Collected && majorVersion(m.NodeVersion) >= 20,
	}
	if p.Info.Interval == 0 {
		p.Info.Interval = cdp.SamplingInterval
	}
	return p, nil
}

func majorVersion(node string) int {
	major, _, _ := strings.Cut(strings.TrimPrefix(node, "v"), ".")
	n, _ := strconv.Atoi(major)
	return n
}

// originals reads the source maps of the target's scripts, where the target has
// its files.
func originals(ctx context.Context, s *cdp.Session) heapprofile.Original {
	texts := map[string]string{}
	if scripts, err := s.OwnScripts(ctx); err == nil {
		for _, script := range scripts {
			if script.Source != "" {
				texts[script.URL] = script.Source
			}
		}
	}
	return heapprofile.SourceMaps(readWhereItRuns(s.Target()), texts)
}

// readWhereItRuns reads files as the target sees them, which may be in a
// container.
func readWhereItRuns(t cdp.Target) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if t.PID > 0 {
			if text, err := os.ReadFile(path.Join("/proc", strconv.Itoa(t.PID), "root", name)); err == nil || errors.Is(err, fs.ErrNotExist) {
				return text, err
			}
		}
		return os.ReadFile(name)
	}
}

// sampleReport maps a profile to what is told.
func sampleReport(p *heapprofile.Profile, original heapprofile.Original) *report.Sample {
	r := newSampleReport(p)
	r.Bytes = p.Bytes()
	r.Sites = sampleSites(p.Sites(original), r.Bytes)
	r.Sentence = report.FormatBytes(r.Bytes) + " are in the profile"
	if d := time.Duration(r.DurationMS) * time.Millisecond; d > 0 {
		what := "were made in %s and live on"
		if r.Kind == "allocated" {
			what = "were made in %s"
		}
		r.Sentence = fmt.Sprintf("%s "+what+", %s a second", report.FormatBytes(r.Bytes), d.Round(100*time.Millisecond),
			report.FormatBytes(uint64(float64(r.Bytes)/d.Seconds())))
	}
	if len(r.Sites) > 0 {
		s := r.Sites[0]
		r.Sentence += fmt.Sprintf(", %.0f %% in %s", 100*s.Share, s.Function)
		if s.File != "" {
			r.Sentence += fmt.Sprintf(" (%s:%d)", path.Base(s.File), s.Line)
		}
	}
	return r
}

func newSampleReport(p *heapprofile.Profile) *report.Sample {
	r := &report.Sample{Head: head("sample"), Kind: "live"}
	if i := p.Info; i != nil {
		r.Target = report.SampleTarget{PID: i.PID, Script: i.Script, NodeVersion: i.NodeVersion, ThreadID: i.ThreadID}
		r.Interval, r.DurationMS = i.Interval, float64(i.Duration.Milliseconds())
		if i.Collected {
			r.Kind = "allocated"
		}
	}
	return r
}

func sampleSites(sites []heapprofile.Site, whole uint64) []report.SampleSite {
	var all []report.SampleSite
	for _, s := range sites {
		site := report.SampleSite{Function: s.Function, File: s.File, Line: s.Line, Column: s.Column, Package: s.Package, Bytes: s.Bytes}
		if whole > 0 {
			site.Share = float64(s.Bytes) / float64(whole)
		}
		for _, f := range s.Stack[:min(len(s.Stack), maxStack)] {
			site.Stack = append(site.Stack, report.SamplePlace{Function: f.Function, File: f.File, Line: f.Line, Column: f.Column})
		}
		all = append(all, site)
	}
	return all
}

// compare tells what the second profile has more of.
func (c *sampleCommand) compare(first, second string) error {
	before, err := readProfile(first, heapprofile.Read)
	if err != nil {
		return err
	}
	after, err := readProfile(second, heapprofile.Read)
	if err != nil {
		return err
	}
	return c.tell(sampleComparison(before, after, heapprofile.SourceMaps(os.ReadFile, nil)))
}

func sampleComparison(before, after *heapprofile.Profile, original heapprofile.Original) *report.Sample {
	r := newSampleReport(after)
	sites := heapprofile.Growth(before, after, original)
	whole := before.Bytes()
	r.Bytes, r.Before = after.Bytes(), &whole
	r.Sites = sampleSites(sites, r.Bytes)
	for i, s := range sites {
		r.Sites[i].Before = &s.Before
	}
	r.Sentence = fmt.Sprintf("%s before, %s after", report.FormatBytes(whole), report.FormatBytes(r.Bytes))
	if len(r.Sites) > 0 && sites[0].Bytes > sites[0].Before {
		r.Sentence += fmt.Sprintf("; most of the growth in %s: %s more", sites[0].Function, report.FormatBytes(sites[0].Bytes-sites[0].Before))
	}
	a, b := before.Info, after.Info
	switch {
	case a == nil || b == nil:
	case a.Interval != b.Interval || a.Collected != b.Collected:
		r.Warnings = append(r.Warnings, "the two were not sampled in the same way")
	case a.Duration > 0 && (b.Duration < a.Duration*9/10 || b.Duration > a.Duration*11/10):
		r.Warnings = append(r.Warnings, fmt.Sprintf("the first is of %s, the second of %s", a.Duration.Round(time.Second), b.Duration.Round(time.Second)))
	}
	return r
}

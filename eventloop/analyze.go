package eventloop

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"heapsnap/jssource"
)

// Verdict is the answer of an analysis.
type Verdict string

const (
	Blocked      Verdict = "blocked" // or work is late for another reason that was found
	Healthy      Verdict = "healthy"
	Inconclusive Verdict = "inconclusive"
)

// Options say what counts as blocked. The zero value is the default.
type Options struct {
	Threshold time.Duration // a block is at least this long; 50 ms
	MaxBlock  time.Duration // a budget: blocks below it do not count; 0 is Threshold
	MaxP99    time.Duration // a budget for the delay's 99th percentile; 0: none
	// Source returns the text of a script that the recording does not have, by
	// V8's name for it; nil reads files.
	Source func(script string) ([]byte, error)
}

// DefaultThreshold is what a person begins to notice, and what a server with
// ten such requests at a time makes half a second of.
const DefaultThreshold = 50 * time.Millisecond

// Analysis is what a recording shows.
type Analysis struct {
	Verdict   Verdict
	Sentence  string
	Threshold time.Duration // from which on a stretch is a block
	Findings  []Finding     // largest total time first
	Blocks    []Block       // in order of time, of the main thread
	Delay     Percentiles
	// Measured says that Delay was measured in the target, and not computed from
	// the profile.
	Measured    bool
	Utilization float64       // of the first phase; without one the profile's share of time that was not idle
	GCShare     float64       // of the profile's time
	Profiled    time.Duration // length of the second phase
	Starved     time.Duration // of it, how long the main thread wanted a core and had none
	Threads     []ThreadSummary
	Causes      []CauseTime // of all blocks, largest first
	Recording   *Recording
	Flames      []Flame // of the busiest threads, the main thread's first
	Warnings    []string
}

// Percentiles of how late work is that becomes due at a random moment.
type Percentiles struct{ P50, P90, P99, Max time.Duration }

// CauseTime is the share of the blocks' time that a cause has.
type CauseTime struct {
	Cause string
	Time  time.Duration
	Count int // blocks in which it was the first cause
}

// ThreadSummary is one event loop in figures.
type ThreadSummary struct {
	ID          int
	Name        string
	Utilization float64
	Delay       Percentiles
	Busy        float64 // share of the profile that was not idle
	GCShare     float64
	Blocks      int
	Longest     time.Duration
	Top         Site // where most of its time went
}

// Finding is one cause in one function, over the whole recording.
type Finding struct {
	Cause     *Cause
	Title     string
	Total     time.Duration
	Count     int // blocks, or jobs and requests that were late
	Worst     time.Duration
	Share     float64 // of the time of all blocks
	Site      Site
	Code      string // the line's text
	Package   string // "name@version" of the npm package in which the time is spent, "" for the program itself
	Through   string // the package that the program calls, where that is another one
	Also      []Site
	Stack     []Site // the heaviest, from the leaf up
	Details   []string
	Evidence  []string
	Requests  []string // what was asked for meanwhile
	Fix       string
	late      bool // does not block the loop
	near      bool // Site is not on the stack; see nearestUse
	perBlock  []time.Duration
	detailUs  map[string]int64
	leaf      stackKey
	leafTimes map[stackKey]int64
	modules   map[module]int64
}

// Block is one uninterrupted stretch in which the loop did not turn.
type Block struct {
	Start    int64         // microseconds of the target's clock
	Duration time.Duration // that the thread was busy
	Wall     time.Duration
	CPU      time.Duration // -1: not known
	Starved  time.Duration // part of Duration without a core
	Cause    *Cause
	Detail   string
	Site     Site
	Stack    []Site // the heaviest, from the leaf up
	Requests []string
	GC       time.Duration
	claims   map[claimKey]*claimTime
	total    int64
}

type stackKey struct{ profile, node int }

type claimKey struct {
	cause *Cause
	functionKey
}

// functionKey tells functions apart, those without a name and with the short
// names of a minifier too.
type functionKey struct {
	function, file string
	at             place
}

func (s Site) key() functionKey { return functionKey{s.Function, s.File, s.at} }

type claimTime struct {
	queue  bool // of microtasks or ticks
	us     int64
	lines  map[Site]int64
	detail map[string]int64
	leaves map[stackKey]int64
	in     map[module]int64 // packages on the stack
}

// analysis is an Analysis under way.
type analysis struct {
	Analysis
	maxBlock, maxP99 time.Duration
	rec              *Recording
	main             *ledger
	claims           map[stackKey][]part
	ledger           []*ledger
	near             map[claimKey]Site // of the program, for sites in packages
	places
}

// part is a share of a call tree node's time and what it was spent on.
type part struct {
	share float64
	*claim
	line int
}

// Analyze says what a recording shows. It does not change it.
func Analyze(r *Recording, o Options) *Analysis {
	if o.Threshold <= 0 {
		o.Threshold = DefaultThreshold
		if o.MaxBlock > 0 {
			o.Threshold = o.MaxBlock
		}
	}
	a := &analysis{maxBlock: o.MaxBlock, maxP99: o.MaxP99, rec: r, places: newPlaces(newSources(r, o.Source), r.Packages), claims: map[stackKey][]part{}, near: map[claimKey]Site{}}
	a.Recording, a.Threshold = r, o.Threshold
	a.Warnings = append(a.Warnings, r.Warnings...)
	for i := range r.Threads {
		a.ledger = append(a.ledger, newLedger(&r.Threads[i], r.Interval))
	}
	a.main = a.ledger[0]
	a.figures()
	a.findBlocks()
	a.findFindings()
	a.judge()
	a.Flames = a.flames(flameThreads, flameFrames)
	return &a.Analysis
}

func us(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// figures sums up every thread.
func (a *analysis) figures() {
	for i, l := range a.ledger {
		t := l.thread
		s := ThreadSummary{ID: t.ID, Name: t.Name, Utilization: t.Vitals.Utilization}
		var profiled, busy, gc int64
		for _, p := range t.Profiles {
			profiled += p.EndTime - p.StartTime
		}
		top := map[stackKey]int64{}
		for _, seg := range l.segments {
			tree := l.trees[seg.profile]
			if tree.idle(seg.node) {
				continue
			}
			busy += seg.to - seg.from
			if tree.gc(seg.node) {
				gc += seg.to - seg.from
			}
			top[stackKey{seg.profile, seg.node}] += seg.to - seg.from
		}
		if profiled > 0 {
			s.Busy, s.GCShare = float64(busy)/float64(profiled), float64(gc)/float64(profiled)
		}
		s.Top = a.topSite(l, top)
		if t.Vitals.Samples > 0 {
			s.Delay = t.Vitals.percentiles()
		} else {
			s.Delay = a.percentilesOf(l)
		}
		if t.Vitals.Duration == 0 {
			s.Utilization = s.Busy
		}
		for _, it := range l.iterations() {
			if i == 0 {
				break // see findBlocks
			}
			d := l.busy(it.Start, it.Start+it.Duration)
			if it.Wait != nil {
				d -= min(d, *it.Wait)
			}
			if us(d) >= a.Threshold {
				s.Blocks++
				s.Longest = max(s.Longest, us(d))
			}
		}
		if i == 0 {
			a.Profiled = us(profiled)
			a.Delay, a.Measured = s.Delay, t.Vitals.Samples > 0
			a.Utilization, a.GCShare = s.Utilization, s.GCShare
		}
		a.Threads = append(a.Threads, s)
	}
}

// topSite is the program's function in which most of a thread's time went.
func (a *analysis) topSite(l *ledger, times map[stackKey]int64) Site {
	bySite := map[Site]int64{}
	for k, t := range times {
		tree := l.trees[k.profile]
		if tree.meta(k.node) {
			continue
		}
		v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src}
		if at := v.caller(0); at >= 0 {
			f := v.frame(at)
			site := siteOfFrame(f)
			site.Function = cmp.Or(f.FunctionName, "(anonymous)")
			bySite[site] += t
		}
	}
	var best Site
	for s, t := range bySite {
		if t > bySite[best] || t == bySite[best] && s.Function < best.Function {
			best = s
		}
	}
	return a.placed(best)
}

// percentiles are of the delay that work has which becomes due at a random
// moment. The histogram has one sample for each block however long that is, so
// a sample that is late by d stands for d during which others would have been
// late, too, by all that was left of it.
func (v *Vitals) percentiles() Percentiles {
	type late struct{ delay, count float64 }
	var all []late
	last := 0.0
	for _, q := range v.Quantiles {
		if n := float64(v.Samples) * (q.Percent - last) / 100; n > 0 {
			all = append(all, late{float64(q.Value), n})
		}
		last = q.Percent
	}
	whole := float64(v.Duration)
	beyond := func(x float64) float64 { // time in which the delay is more than x
		sum := 0.0
		for _, l := range all {
			sum += l.count * max(0, l.delay-x)
		}
		return sum
	}
	return percentilesBy(beyond, whole, v.max())
}

// max is the largest delay of the first phase.
func (v *Vitals) max() int64 {
	var most int64
	if n := len(v.Quantiles); n > 0 {
		most = v.Quantiles[n-1].Value
	}
	for _, d := range v.Delays {
		most = max(most, d.Max)
	}
	return most
}

func percentilesBy(beyond func(x float64) float64, whole float64, most int64) Percentiles {
	at := func(p float64) time.Duration {
		lo, hi := 0.0, float64(most)
		for hi-lo > 10 {
			if mid := (lo + hi) / 2; beyond(mid) > (1-p)*whole {
				lo = mid
			} else {
				hi = mid
			}
		}
		return us(int64(lo))
	}
	return Percentiles{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: us(most)}
}

// percentilesOf computes the delays from the iterations of the second phase.
func (a *analysis) percentilesOf(l *ledger) Percentiles {
	var busy []float64
	var most, whole int64
	for _, p := range l.thread.Profiles {
		whole += p.EndTime - p.StartTime
	}
	for _, it := range l.iterations() {
		d := l.busy(it.Start, it.Start+it.Duration)
		most = max(most, d)
		busy = append(busy, float64(d))
	}
	return percentilesBy(func(x float64) float64 {
		sum := 0.0
		for _, d := range busy {
			sum += max(0, d-x)
		}
		return sum
	}, float64(whole), most)
}

// partly is how many thresholds long an iteration has to be that the profile has
// seen in part only.
const partly = 5

// cpuTick is how late the kernel's figure of a thread's CPU time may be: it is
// brought up to date when the thread stops running, and by the clock's tick.
const cpuTick = 10_000

// waitsInKernel are the causes whose time may pass without CPU.
func waitsInKernel(c *Cause) bool {
	switch c {
	case &childProcessCause, &syncFSCause, &consoleCause, &moduleCause:
		return true
	}
	return false
}

// shortCallback is what one callback may take: an iteration that is long because
// very many short callbacks were due is load and not a block.
func (a *analysis) shortCallback() int64 { return a.Threshold.Microseconds() / 5 }

// findBlocks makes blocks of the iterations that took too long.
func (a *analysis) findBlocks() {
	l := a.main
	for _, it := range l.iterations() {
		from, to := it.Start, it.Start+it.Duration
		busy := l.busy(from, to)
		if us(busy) < a.Threshold {
			continue
		}
		if l.exact && l.covered(from, to) < it.Duration*9/10 && us(busy) < partly*a.Threshold {
			continue // the profiler's own beginning is in it
		}
		b := a.block(l, it, busy)
		if it.CPU >= 0 {
			var kernel int64
			for k, c := range b.claims {
				if waitsInKernel(k.cause) {
					kernel += c.us
				}
			}
			starved := max(0, busy-it.CPU-kernel)
			if it.Wait != nil {
				// What neither ran nor waited for a core waited for events, and the profiler
				// was late to see it.
				if starved <= cpuTick {
					starved = 0
				}
				starved = max(starved, min(busy, *it.Wait))
			}
			b.CPU, b.Starved = us(it.CPU), us(starved)
			a.Starved += us(starved)
			if us(busy-starved) < a.Threshold {
				continue // the machine was late, not the program
			}
			b.scale(busy - starved) // what it would have taken with a core of its own
		}
		if a.longestCallback(it) < a.shortCallback() {
			continue
		}
		a.Blocks = append(a.Blocks, b)
		a.Threads[0].Blocks++
		a.Threads[0].Longest = max(a.Threads[0].Longest, b.Duration)
	}
}

// scale makes the block's times add up to another total.
func (b *Block) scale(total int64) {
	by := float64(total) / float64(max(1, b.total))
	b.total, b.Duration = total, us(total)
	scaled := func(n int64) int64 { return int64(by * float64(n)) }
	b.GC = us(scaled(b.GC.Microseconds()))
	for _, c := range b.claims {
		c.us = scaled(c.us)
	}
}

// longestCallback is the longest part of an iteration between requests that
// begin or end in it: there another callback begins.
func (a *analysis) longestCallback(it Iteration) int64 {
	from, to := it.Start, it.Start+it.Duration
	cuts := []int64{from, to}
	for _, r := range a.rec.Requests {
		for _, at := range []int64{r.Start, r.Start + r.Duration} {
			if at > from && at < to {
				cuts = append(cuts, at)
			}
		}
	}
	slices.Sort(cuts)
	var longest int64
	for i := 1; i < len(cuts); i++ {
		longest = max(longest, a.main.busy(cuts[i-1], cuts[i]))
	}
	return longest
}

// block explains one iteration.
func (a *analysis) block(l *ledger, it Iteration, busy int64) Block {
	b := Block{Start: it.Start, Duration: us(busy), Wall: us(it.Duration), CPU: -1, claims: map[claimKey]*claimTime{}, total: busy}
	first := true
	leaves := map[stackKey]int64{}
	var gc int64
	var last *claimTime // who made the garbage
	gcBy := map[*claimTime]int64{}
	l.between(it.Start, it.Start+it.Duration, func(s segment, t int64) {
		tree := l.trees[s.profile]
		if tree.idle(s.node) {
			return
		}
		if first {
			b.Start, first = max(s.from, it.Start), false
		}
		if tree.gc(s.node) {
			gc += t
			if last != nil {
				gcBy[last] += t
			}
			return
		}
		key := stackKey{s.profile, s.node}
		leaves[key] += t
		for _, p := range a.explain(l, key) {
			if p.cause == &nativeCause && last != nil && last.queue {
				last.us += int64(p.share * float64(t)) // the queue's own work
				continue
			}
			k := claimKey{p.cause, p.site.key()}
			c := b.claims[k]
			if c == nil {
				c = &claimTime{lines: map[Site]int64{}, detail: map[string]int64{}, leaves: map[stackKey]int64{}, in: map[module]int64{}}
				c.queue = p.cause == &microtaskCause || p.cause == &nextTickCause || p.cause == &serialAwaitCause
				b.claims[k] = c
			}
			share := int64(p.share * float64(t))
			c.us += share
			c.lines[p.site] += share
			c.leaves[key] += share
			for _, m := range p.in {
				c.in[m] += share
			}
			if p.detail != "" {
				c.detail[p.detail] += share
			}
			if p.cause != &nativeCause || last == nil {
				last = c
			}
		}
	})
	b.GC = us(gc)
	a.settleGC(&b, gc, gcBy)
	a.foldCopies(&b)
	a.foldSending(&b)
	a.decide(l, &b)
	b.Requests = a.requestsIn(it.Start, it.Start+it.Duration)
	return b
}

// gcDominates is the share of a block from which on its collections are the
// thing to tell; below, they are a cost of what makes the garbage.
const gcDominates = 0.5

// gcTells is the same where what makes the garbage does nothing else of note.
const gcTells = 0.2

// allocates reports whether most of the garbage is made by a line of plain
// JavaScript that makes objects: then it is that which takes the time, too.
func (a *analysis) allocates(b *Block, by map[*claimTime]int64) bool {
	var maker *claimTime
	for c, t := range by {
		if maker == nil || t > by[maker] {
			maker = c
		}
	}
	for k, c := range b.claims {
		if c != maker || k.cause != &cpuCause || len(c.in) > 0 {
			continue // what a package does on the line is not on it
		}
		site := heaviestBy(c.lines, bySite)
		src := a.src.of(site.script)
		if src == nil {
			continue
		}
		from, to := src.OnLine(site.Line)
		for i := from; i < to; i++ {
			switch t := src.At(i); {
			case t == "new", t == "...":
				return true
			case t == "{" && (src.At(i-1) == "(" || src.At(i-1) == "=" || src.At(i-1) == "return" || src.At(i-1) == ","):
				return true
			case src.At(i-1) == "." && src.At(i+1) == "(" && (t == "push" || t == "split" || t == "map" || t == "concat" || t == "slice"):
				return true
			}
		}
	}
	return false
}

// settleGC gives the collections' time to who made the garbage, or makes them
// the cause.
func (a *analysis) settleGC(b *Block, gc int64, by map[*claimTime]int64) {
	if gc == 0 {
		return
	}
	limit := gcDominates
	if a.allocates(b, by) {
		limit = gcTells
	}
	if float64(gc) < limit*float64(b.total) {
		for c, t := range by {
			c.us += t
		}
		return
	}
	// The site is where most was allocated: where most collections began.
	var best *claimTime
	for c, t := range by {
		if best == nil || t > by[best] || t == by[best] && c.us > best.us {
			best = c
		}
	}
	c := &claimTime{us: gc, lines: map[Site]int64{}, detail: map[string]int64{}, leaves: map[stackKey]int64{}, in: map[module]int64{}}
	site := Site{Function: gcName}
	if best != nil {
		site = heaviestBy(best.lines, bySite)
		c.lines, c.leaves, c.in = best.lines, best.leaves, best.in
	} else {
		c.lines[site] = gc
	}
	b.claims[claimKey{&gcCause, site.key()}] = c
}

// foldCopies: a function that searches a collection and copies what it finds
// copies because it searches, and the copy is the larger the more there is.
func (a *analysis) foldCopies(b *Block) {
	for k, scan := range b.claims {
		if k.cause != &scanCause {
			continue
		}
		for other, c := range b.claims {
			if other.cause == &jsonCause && other.functionKey == k.functionKey && c.detail[deepCopy]+c.detail["structuredClone"] > 0 {
				scan.us += c.us
				for d, t := range c.detail {
					scan.detail[d] += t
				}
				delete(b.claims, other)
			}
		}
	}
}

// foldSending: a function that makes a large text and sends it is long in sending
// because the text is large.
func (a *analysis) foldSending(b *Block) {
	for k, made := range b.claims {
		if k.cause != &jsonCause {
			continue
		}
		other := claimKey{&cpuCause, k.functionKey}
		if c := b.claims[other]; c != nil && 2*c.detail[sending] > c.us {
			made.us += c.us
			delete(b.claims, other)
		}
	}
}

func heaviest[K cmp.Ordered](m map[K]int64) K { return heaviestBy(m, cmp.Compare[K]) }

func heaviestBy[K comparable](m map[K]int64, order func(a, b K) int) K {
	var best K
	first := true
	for k, t := range m {
		if first || t > m[best] || t == m[best] && order(k, best) < 0 {
			best, first = k, false
		}
	}
	return best
}

func bySite(a, b Site) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Function, b.Function))
}

// decide chooses the block's cause: the one with most time, and in it the
// function with most.
func (a *analysis) decide(l *ledger, b *Block) {
	byCause := map[*Cause]int64{}
	for k, c := range b.claims {
		byCause[k.cause] += c.us
	}
	order := func(x, y *Cause) int { return cmp.Compare(x.Name, y.Name) }
	// Native time without a frame is nobody's: it only counts alone.
	if len(byCause) > 1 {
		if known := b.total - byCause[&nativeCause]; known > b.total/3 {
			delete(byCause, &nativeCause)
		}
	}
	if len(byCause) == 0 {
		b.Cause, b.Site = &nativeCause, Site{Function: programName}
		return
	}
	b.Cause = heaviestBy(byCause, order)
	times := map[claimKey]int64{}
	for k, c := range b.claims {
		if k.cause == b.Cause {
			times[k] = c.us
		}
	}
	key := heaviestBy(times, func(x, y claimKey) int {
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.function, y.function), x.at.line-y.at.line, x.at.column-y.at.column)
	})
	c := b.claims[key]
	b.Site = heaviestBy(c.lines, bySite)
	b.Detail = heaviest(c.detail)
	leaf := heaviestBy(c.leaves, func(x, y stackKey) int { return cmp.Or(x.profile-y.profile, x.node-y.node) })
	b.Stack = a.stackOf(l, leaf)
}

func (a *analysis) stackOf(l *ledger, k stackKey) []Site {
	if k.profile >= len(l.trees) {
		return nil
	}
	tree := l.trees[k.profile]
	if len(tree.nodes) <= k.node {
		return nil
	}
	v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src, line: topLine(tree, k.node)}
	var out []Site
	for i := range v.stack {
		out = append(out, a.placed(v.siteOf(i)))
	}
	return out
}

// topLine is the line of a node with most samples.
func topLine(t *callTree, n int) int {
	best, ticks := 0, 0
	for _, p := range t.nodes[n].PositionTicks {
		if p.Ticks > ticks {
			best, ticks = p.Line, p.Ticks
		}
	}
	return best
}

// explain asks the causes what a node's time was spent on, line by line.
func (a *analysis) explain(l *ledger, k stackKey) []part {
	if l == a.main {
		if parts, known := a.claims[k]; known {
			return parts
		}
	}
	tree := l.trees[k.profile]
	v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src}
	if tree.meta(k.node) {
		v.stack = nil
	}
	var parts []part
	total := 0
	ticks := tree.nodes[k.node].PositionTicks
	if len(v.stack) > 0 && v.user(0) {
		for _, t := range ticks {
			total += t.Ticks
		}
	}
	if total == 0 {
		parts = []part{{1, a.claim(v), 0}}
	} else {
		for _, t := range ticks {
			v.line = t.Line
			parts = append(parts, part{float64(t.Ticks) / float64(total), a.claim(v), t.Line})
		}
	}
	if l == a.main {
		a.claims[k] = parts
	}
	return parts
}

func (a *analysis) claim(v *sample) *claim {
	for _, c := range sampled {
		if len(v.stack) == 0 && c != &nativeCause {
			continue
		}
		if found := c.ofSample(v); found != nil {
			found.cause = c
			found.in = v.modules()
			if queue := a.storm(v, found); queue != nil {
				return queue
			}
			return found
		}
	}
	return nil // nativeCause claims everything
}

// requestsIn lists the URLs that were served at a time.
func (a *analysis) requestsIn(from, to int64) []string {
	var urls []string
	for _, r := range a.rec.Requests {
		if r.Start < to && r.Start+r.Duration > from && r.URL != "" && !slices.Contains(urls, r.URL) {
			urls = append(urls, r.URL)
		}
	}
	return urls
}

// findFindings groups the blocks by cause and function.
func (a *analysis) findFindings() {
	byKey := map[claimKey]*Finding{}
	causes := map[*Cause]*CauseTime{}
	var whole int64
	requests := map[claimKey]map[string]int{}
	for i := range a.Blocks {
		b := &a.Blocks[i]
		whole += b.total
		for k, c := range b.claims {
			ct := causes[k.cause]
			if ct == nil {
				ct = &CauseTime{Cause: k.cause.Name}
				causes[k.cause] = ct
			}
			ct.Time += us(c.us)
			if k.cause == b.Cause && k.functionKey == b.Site.key() {
				ct.Count++
			}
			f := byKey[k]
			if f == nil {
				f = &Finding{Cause: k.cause, detailUs: map[string]int64{}, leafTimes: map[stackKey]int64{}, modules: map[module]int64{}}
				byKey[k] = f
				requests[k] = map[string]int{}
			}
			f.Total += us(c.us)
			f.perBlock = append(f.perBlock, us(c.us))
			for leaf, t := range c.leaves {
				f.leafTimes[leaf] += t
			}
			for d, t := range c.detail {
				f.detailUs[d] += t
			}
			for m, t := range c.in {
				f.modules[m] += t
			}
			if k.cause == b.Cause && k.functionKey == b.Site.key() {
				f.Count++
				f.Worst = max(f.Worst, b.Duration)
				for _, u := range b.Requests {
					requests[k][u]++
				}
			}
		}
	}
	for k, f := range byKey {
		f.Share = float64(f.Total.Microseconds()) / float64(max(whole, 1))
		if f.Count == 0 && f.Share < worthTelling {
			continue
		}
		lines := map[Site]int64{}
		for i := range a.Blocks {
			if c := a.Blocks[i].claims[k]; c != nil {
				for s, t := range c.lines {
					lines[s] += t
				}
			}
		}
		f.Site = heaviestBy(lines, bySite)
		f.Also = furtherSites(lines, f.Site)
		f.leaf = heaviestBy(f.leafTimes, func(x, y stackKey) int { return cmp.Or(x.profile-y.profile, x.node-y.node) })
		f.Stack = a.stackOf(a.main, f.leaf)
		f.Details = heaviestFirst(f.detailUs)
		f.Requests = mostFrequent(requests[k])
		a.Findings = append(a.Findings, *f)
	}
	a.foldAllocation()
	a.findNearest()
	for i := range a.Findings {
		a.describe(&a.Findings[i])
	}
	slices.SortFunc(a.Findings, func(x, y Finding) int {
		return cmp.Or(order(x.Cause == &nativeCause, y.Cause == &nativeCause), cmp.Compare(y.Total, x.Total), bySite(x.Site, y.Site), cmp.Compare(x.Cause.Name, y.Cause.Name))
	})
	a.foldSameFunction()
	// What is a small part of every block is in the table of causes, and so is time
	// that nobody can do anything about.
	var first time.Duration
	if len(a.Findings) > 0 {
		first = a.Findings[0].Total
	}
	a.Findings = slices.DeleteFunc(a.Findings, func(f Finding) bool {
		small := f.Share < worthTelling && f.Worst < 2*a.Threshold || f.Cause == &nativeCause && f.Count == 0
		return small && f.Total != first
	})
	for _, c := range causes {
		a.Causes = append(a.Causes, *c)
	}
	slices.SortFunc(a.Causes, func(x, y CauseTime) int { return cmp.Or(cmp.Compare(y.Time, x.Time), cmp.Compare(x.Cause, y.Cause)) })
	for _, find := range findLate {
		for _, f := range find(a) {
			f.late = true
			if f.Fix == "" {
				f.Fix = f.Cause.Fix
			}
			f.Code = a.code(f.Site)
			f.Site = a.placed(f.Site)
			a.Findings = append(a.Findings, f)
		}
	}
	for i := range a.Blocks {
		b := &a.Blocks[i]
		if near, ok := a.near[claimKey{b.Cause, b.Site.key()}]; ok {
			b.Site = near
		}
		b.Site = a.placed(b.Site)
	}
}

// foldAllocation makes one finding of a function whose garbage is the first cause
// of some blocks while making it is that of others.
func (a *analysis) foldAllocation() {
	for i := range a.Findings {
		gc := &a.Findings[i]
		if gc.Cause != &gcCause || gc.Count == 0 {
			continue
		}
		for k := range a.Findings {
			cpu := &a.Findings[k]
			if cpu.Cause == &cpuCause && cpu.Site.key() == gc.Site.key() && 4*gc.Total > cpu.Total+gc.Total {
				gc.Total += cpu.Total
				gc.Count += cpu.Count
				gc.Share += cpu.Share
				gc.Worst = max(gc.Worst, cpu.Worst)
				a.Findings = slices.Delete(a.Findings, k, k+1)
				return
			}
		}
	}
}

// foldSameFunction mentions what else a function does with a smaller part of the
// time: who mends it for the first reason reads of the others there.
func (a *analysis) foldSameFunction() {
	var kept []Finding
	others := map[int][]string{}
	for _, f := range a.Findings {
		i := slices.IndexFunc(kept, func(k Finding) bool {
			return k.Site.script != "" && k.Site.script == f.Site.script && k.Site.at == f.Site.at && k.Site.at.line > 0 && 2*f.Total <= k.Total
		})
		if i < 0 || f.Cause == &nativeCause {
			kept = append(kept, f)
			continue
		}
		kept[i].Worst = max(kept[i].Worst, f.Worst)
		others[i] = append(others[i], fmt.Sprintf("%s %s (line %d)", f.Cause.Name, round(f.Total), f.Site.Line))
	}
	for i, also := range others {
		kept[i].Evidence = append(kept[i].Evidence, "the same function also blocks by "+strings.Join(also, ", "))
	}
	a.Findings = kept
}

// order puts what is true behind what is not.
func order(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// worthTelling is the share of the blocks' time from which on a cause is told
// even where it is nowhere the first.
const worthTelling = 0.2

func furtherSites(lines map[Site]int64, but Site) []Site {
	var total int64
	for _, t := range lines {
		total += t
	}
	var out []Site
	for s, t := range lines {
		if (s.Line != but.Line || s.File != but.File) && float64(t) > 0.1*float64(total) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y Site) int { return cmp.Or(cmp.Compare(lines[y], lines[x]), bySite(x, y)) })
	return out
}

func heaviestFirst(m map[string]int64) []string {
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(x, y string) int { return cmp.Compare(m[y], m[x]) })
	return keys
}

func mostFrequent(m map[string]int) []string {
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(x, y string) int { return cmp.Compare(m[y], m[x]) })
	const some = 5
	return keys[:min(len(keys), some)]
}

// describe puts a finding into words.
func (a *analysis) describe(f *Finding) {
	if f.Cause == &cpuCause { // what a small part of the time went into is no name for it
		f.Details = slices.DeleteFunc(f.Details, func(d string) bool { return 2*f.detailUs[d] < f.sampledUs() })
	}
	what := f.Cause.Title
	for _, d := range f.Details {
		if f.Cause != &scanCause || d != deepCopy && !strings.HasPrefix(d, "JSON.") && d != "structuredClone" {
			what = d
			break
		}
	}
	if f.near {
		f.Evidence = append(f.Evidence, "no line of the program is on the stack; the nearest is where it calls "+f.Through)
	}
	f.Code = a.code(f.Site)
	f.Site = a.placed(f.Site)
	for i := range f.Also {
		f.Also[i] = a.placed(f.Also[i])
	}
	f.Fix = f.Cause.Fix
	a.describePackage(f)
	if f.Package != "" {
		f.Fix = packageFix(f)
	}
	f.Title = title(f, what)
	if f.Count > 1 {
		slices.Sort(f.perBlock)
		f.Evidence = append(f.Evidence, fmt.Sprintf("%d blocks, %s in the median and %s at worst", f.Count, round(f.perBlock[len(f.perBlock)/2]), round(f.Worst)))
	}
	if f.Count == 0 && len(f.perBlock) > 0 {
		f.Worst = slices.Max(f.perBlock) // a part of blocks that have another first cause
	}
	if f.Count == 1 {
		f.Evidence = append(f.Evidence, "one block of "+round(f.Worst))
	}
	if f.Share < 0.95 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%.0f %% of the time of all blocks", 100*f.Share))
	}
	if len(f.Requests) > 0 {
		f.Evidence = append(f.Evidence, "requests meanwhile: "+strings.Join(f.Requests, ", "))
	}
	switch f.Cause {
	case &syncFSCause:
		f.Evidence = append(f.Evidence, a.syncCalls()...)
	case &regexpCause:
		if len(f.Details) > 0 && backtracks(f.Details[0]) {
			f.Evidence = append(f.Evidence, "the pattern repeats what is repeated already, so some texts take exponential time: "+f.Details[0])
		}
		if n := len(f.perBlock); n > 1 && f.perBlock[n-1] > 10*f.perBlock[0] {
			f.Evidence = append(f.Evidence, fmt.Sprintf("the same line takes from %s to %s, depending on the text", round(f.perBlock[0]), round(f.perBlock[n-1])))
		}
	case &gcCause:
		f.Evidence = append(f.Evidence, a.collections()...)
	case &scanCause:
		if slices.Contains(f.Details, deepCopy) {
			f.Evidence = append(f.Evidence, "and what is found is copied by "+deepCopy)
		}
	}
}

// sampledUs is the time of the samples that the finding is made of.
func (f *Finding) sampledUs() int64 {
	var sum int64
	for _, t := range f.leafTimes {
		sum += t
	}
	return sum
}

// describePackage says in which package the time was spent, if it was in one for
// at least half of the time: the innermost of those that the program depends on
// by itself, whose name its developers know, or else the innermost.
func (a *analysis) describePackage(f *Finding) {
	whole := f.sampledUs()
	times, script := map[string]int64{}, map[string]string{}
	for m, t := range f.modules {
		times[m.folder] += t
		script[m.folder] = m.script
	}
	maps.DeleteFunc(times, func(_ string, t int64) bool { return 2*t < whole })
	if len(times) == 0 {
		return
	}
	label := func(folder string) string { return a.packageLabel(script[folder], folder+"/package.json") }
	inner := slices.Collect(maps.Keys(times)) // innermost first
	slices.SortFunc(inner, func(x, y string) int {
		at := func(folder string) int {
			return slices.IndexFunc(f.Stack, func(s Site) bool { return s.Package == label(folder) })
		}
		return cmp.Or(cmp.Compare(times[x], times[y]), cmp.Compare(at(x), at(y)), cmp.Compare(x, y))
	})
	best := inner[0]
	direct := a.directDependencies(f.Site.script)
	if i := slices.IndexFunc(inner, func(folder string) bool { name, _ := jssource.Package(folder + "/"); return direct[name] }); i >= 0 {
		best = inner[i]
	}
	f.Package = label(best)
	if f.Through == f.Package {
		f.Through = ""
	}
	if outer := label(inner[len(inner)-1]); f.Through == "" && outer != f.Package {
		f.Through = outer
	}
	if len(inner) > 1 {
		var names []string
		for _, folder := range inner {
			names = append(names, label(folder))
		}
		const most = 6
		if n := len(names); n > most {
			names = append(names[:most-1], "...", names[n-1])
		}
		f.Evidence = append(f.Evidence, "packages on the stack, innermost first: "+strings.Join(names, ", "))
	}
}

// packageFix is what to do about time that a package takes: its code is not the
// developer's to change, the call of it is.
func packageFix(f *Finding) string {
	name := f.Package
	if i := strings.LastIndex(name, "@"); i > 0 {
		name = name[:i]
	}
	switch f.Cause {
	case &regexpCause:
		return fmt.Sprintf("The pattern is in %s and not yours: see whether a newer version has mended it (npm audit, npm outdated %s). Until then check, "+
			"before this line, how long the text is, and refuse or cut what no honest user would send.", name, name)
	case &cpuCause, &gcCause:
		return fmt.Sprintf("Call %s less on this line: once at the start instead of for every request, with less data, or keep what it has returned "+
			"(a compiled template, a parsed file, a finished picture). What has to be done each time belongs into a worker thread (piscina keeps a pool of them).", name)
	case &syncFSCause, &cryptoCause, &zlibCause, &childProcessCause:
		return fmt.Sprintf("Look for the asynchronous form of this call in %s (a promise, a callback, a stream), or do it once at the start. %s", name, f.Cause.Fix)
	}
	return f.Cause.Fix
}

func title(f *Finding, what string) string {
	who := called(f.Site.Function)
	in := ""
	if who != "" {
		in = " in " + who
	}
	if f.Package != "" {
		by := ""
		if who != "" {
			by = ", called by " + who
		}
		switch f.Cause {
		case &regexpCause:
			return "a regular expression of " + f.Package + " takes too long" + by
		case &cpuCause:
			if len(f.Details) == 0 {
				return f.Package + " computes" + by
			}
		}
		in += ", through " + f.Package
	}
	switch f.Cause {
	case &gcCause:
		return "garbage collection, for what is allocated" + in
	case &regexpCause:
		return "a regular expression takes too long" + in
	case &cpuCause:
		if len(f.Details) == 0 {
			return "JavaScript computes" + in
		}
	case &scanCause:
		return what + " looks at every element" + in
	case &nativeCause:
		if f.Site.Function == programName {
			return "native code, with no JavaScript on the stack"
		}
		return "Node's own code" + in
	case &moduleCause:
		return "modules are loaded" + in
	case &microtaskCause:
		return "promises follow one another without a turn of the loop" + in
	case &nextTickCause:
		return "process.nextTick without a turn of the loop" + in
	case &serialAwaitCause:
		return "await in a loop, for one thing after the other" + in
	}
	return what + in
}

// called is how a function is spoken of: total(), the callback of list.filter();
// "" for one without a name.
func called(function string) string {
	if function == "" || function == nameless || strings.HasPrefix(function, "(") {
		return ""
	}
	if i := strings.LastIndexByte(function, '.'); i > 0 && (searches[function[i+1:]] || visits[function[i+1:]]) {
		return "the callback of " + function + "()"
	}
	return function + "()"
}

// round is a duration for people: 0.4 ms, 12 ms, 1.25 s.
func round(d time.Duration) string {
	switch {
	case d >= 9995*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 999500*time.Microsecond:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 9950*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func (a *analysis) syncCalls() []string {
	var calls int
	for _, c := range a.main.thread.SyncFS {
		calls += c.Count
	}
	if calls == 0 {
		return nil
	}
	n := len(a.rec.Requests)
	if n == 0 {
		return []string{fmt.Sprintf("%d synchronous file operations in the recording", calls)}
	}
	return []string{fmt.Sprintf("%d synchronous file operations, %.0f for each request", calls, math.Round(float64(calls)/float64(n)))}
}

func (a *analysis) collections() []string {
	var minor, major int
	var longest int64
	for _, g := range a.main.thread.GCs {
		if g.Kind == "major" {
			major++
		} else {
			minor++
		}
		longest = max(longest, g.Duration)
	}
	if minor+major == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d minor and %d major collections in the recording, the longest pause %s", minor, major, round(us(longest)))}
}

// threadName is the thread whose loop is judged.
func (a *analysis) threadName() string {
	if a.main.thread.ID != 0 {
		return "worker thread"
	}
	return "main thread"
}

// minProfile is how much has to be seen before a program is called healthy.
const minProfile = time.Second

// judge decides the verdict.
func (a *analysis) judge() {
	var worst time.Duration
	over := 0
	for _, b := range a.Blocks {
		worst = max(worst, b.Duration)
		if b.Duration >= a.maxBlock {
			over++
		}
	}
	var samples int
	for _, p := range a.main.thread.Profiles {
		samples += len(p.Samples)
	}
	late := slices.IndexFunc(a.Findings, func(f Finding) bool { return f.late })
	p99 := a.maxP99 > 0 && a.Delay.P99 > a.maxP99
	a.Verdict = Blocked
	switch {
	case over > 0:
		f := a.Findings[0]
		a.Sentence = fmt.Sprintf("The event loop is blocked: %s, for up to %s at a time.", f.Title, round(worst))
		if a.maxBlock > 0 {
			a.Sentence = fmt.Sprintf("The event loop is blocked for up to %s, the budget is %s: %s.", round(worst), round(a.maxBlock), f.Title)
		}
	case p99:
		a.Sentence = fmt.Sprintf("The event loop is late: 99 %% of the time by up to %s, the budget is %s.", round(a.Delay.P99), round(a.maxP99))
	case late >= 0:
		f := a.Findings[late]
		a.Sentence = fmt.Sprintf("The event loop turns, but work is late: %s.", f.Title)
	case (samples < 2 || a.Profiled < minProfile) && a.rec.Ended:
		a.Verdict = Inconclusive
		a.Sentence = fmt.Sprintf("The program ended by itself, after %s of profile: too early to call its event loop healthy.", round(a.Profiled))
	case samples < 2 || a.Profiled < minProfile:
		a.Verdict = Inconclusive
		a.Sentence = fmt.Sprintf("Too little was seen to call the event loop healthy: %s of profile. Record for longer.", round(a.Profiled))
	default:
		if d := a.unseen(); d > 0 {
			a.Verdict = Inconclusive
			a.Sentence = fmt.Sprintf("The event loop was blocked once for %s before the profile began, and not again: record for longer to see by what.", round(d))
			return
		}
		a.Verdict = Healthy
		a.Sentence = fmt.Sprintf("The event loop is healthy: nothing kept it for %s or longer.", round(a.Threshold))
		if len(a.Blocks) > 0 {
			a.Sentence = fmt.Sprintf("The event loop keeps to its budget of %s: the longest block is %s.", round(a.maxBlock), round(worst))
		}
		a.Sentence += a.lateAllTheSame()
	}
	if a.Starved > a.Profiled/10 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("the %s was ready to run but had no core for %s of %s: the machine is busy, or the container's CPU limit is low", a.threadName(), round(a.Starved), round(a.Profiled)))
	}
}

// lateAllTheSame says why work was late although no callback is long: a delay that
// is told beside "healthy" needs a reason.
func (a *analysis) lateAllTheSame() string {
	if a.Delay.P99 < a.Threshold {
		return ""
	}
	late := fmt.Sprintf(" Work was late all the same, by up to %s for 99 %% of the time: ", round(a.Delay.P99))
	var wait, wall int64
	for _, s := range a.main.thread.Sched {
		if s.TID == a.main.thread.TID {
			wait, wall = wait+s.Wait, wall+s.Wall
		}
	}
	switch {
	case wall > 0 && 10*wait > wall:
		return late + fmt.Sprintf("the machine's doing, not the program's, whose %s was ready to run but had no core for %.0f %% of the time.", a.threadName(), 100*float64(wait)/float64(wall))
	case a.Starved > a.Profiled/10:
		return late + fmt.Sprintf("the machine's doing, not the program's, whose %s was ready to run but had no core.", a.threadName())
	case a.Utilization > manyCallbacks:
		return late + fmt.Sprintf("very many short callbacks keep the loop busy for %.0f %% of the time. That is load: spread it over more processes.", 100*a.Utilization)
	}
	return ""
}

// manyCallbacks is the utilization from which on work waits for other work.
const manyCallbacks = 0.8

// unseen is the longest block of the first phase if it was clearly one, by CPU
// time, while the second had none.
func (a *analysis) unseen() time.Duration {
	if len(a.main.thread.Profiles) == 0 {
		return 0
	}
	begin := a.main.thread.Profiles[0].StartTime
	var worst int64
	for _, it := range a.main.thread.Iterations {
		if it.Start+it.Duration > begin {
			break
		}
		worst = max(worst, it.CPU)
	}
	if us(worst) < 2*a.Threshold {
		return 0
	}
	return us(worst)
}

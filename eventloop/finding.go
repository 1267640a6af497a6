package eventloop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

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

// CauseTime is the share of the blocks' time that a cause has.
type CauseTime struct {
	Cause string
	Time  time.Duration
	Count int // blocks in which it was the first cause
}

// worthTelling is the share of the blocks' time from which on a cause is told
// even where it is nowhere the first.
const worthTelling = 0.2

// findFindings makes findings of the blocks, and of what else makes work late.
func (a *analysis) findFindings() {
	a.groupClaims()
	a.foldAllocation()
	a.findNearest()
	for i := range a.Findings {
		a.describe(&a.Findings[i])
	}
	slices.SortFunc(a.Findings, func(x, y Finding) int {
		return cmp.Or(order(x.Cause == &nativeCause, y.Cause == &nativeCause), cmp.Compare(y.Total, x.Total), bySite(x.Site, y.Site), cmp.Compare(x.Cause.Name, y.Cause.Name))
	})
	a.foldSameFunction()
	a.dropSmall()
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

// groupClaims sums up what the blocks were spent on by cause and function, and by
// cause alone.
func (a *analysis) groupClaims() {
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
			f := byKey[k]
			if f == nil {
				f = &Finding{Cause: k.cause, detailUs: map[string]int64{}, leafTimes: map[stackKey]int64{}, modules: map[module]int64{}}
				byKey[k] = f
				requests[k] = map[string]int{}
			}
			ct.Time += us(c.us)
			f.add(c)
			if k.cause == b.Cause && k.functionKey == b.Site.key() {
				ct.Count++
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
		lines := a.linesOf(k)
		f.Site = heaviestBy(lines, bySite)
		f.Also = furtherSites(lines, f.Site)
		f.leaf = heaviestBy(f.leafTimes, func(x, y stackKey) int { return cmp.Or(x.profile-y.profile, x.node-y.node) })
		f.Stack = a.stackOf(a.main, f.leaf)
		f.Details = heaviestFirst(f.detailUs)
		f.Requests = mostFrequent(requests[k])
		a.Findings = append(a.Findings, *f)
	}
	slices.SortFunc(a.Findings, func(x, y Finding) int { return cmp.Or(bySite(x.Site, y.Site), cmp.Compare(x.Cause.Name, y.Cause.Name)) })
	for _, c := range causes {
		a.Causes = append(a.Causes, *c)
	}
	slices.SortFunc(a.Causes, func(x, y CauseTime) int { return cmp.Or(cmp.Compare(y.Time, x.Time), cmp.Compare(x.Cause, y.Cause)) })
}

// add adds the time of one block that went into the finding.
func (f *Finding) add(c *claimTime) {
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
}

// linesOf is how the time of a finding falls to lines, in all blocks.
func (a *analysis) linesOf(k claimKey) map[Site]int64 {
	lines := map[Site]int64{}
	for i := range a.Blocks {
		if c := a.Blocks[i].claims[k]; c != nil {
			for s, t := range c.lines {
				lines[s] += t
			}
		}
	}
	return lines
}

// dropSmall leaves out what is a small part of every block, which is in the table
// of causes, and time that nobody can do anything about.
func (a *analysis) dropSmall() {
	var first time.Duration
	if len(a.Findings) > 0 {
		first = a.Findings[0].Total
	}
	a.Findings = slices.DeleteFunc(a.Findings, func(f Finding) bool {
		small := f.Share < worthTelling && f.Worst < 2*a.Threshold || f.Cause == &nativeCause && f.Count == 0
		return small && f.Total != first
	})
}

// foldAllocation makes one finding of a function whose garbage is the first cause
// of some blocks while making it is that of others.
func (a *analysis) foldAllocation() {
	var folded []int
	for i := range a.Findings {
		gc := &a.Findings[i]
		if gc.Cause != &gcCause || gc.Count == 0 {
			continue
		}
		k := slices.IndexFunc(a.Findings, func(cpu Finding) bool {
			return cpu.Cause == &cpuCause && cpu.Site.key() == gc.Site.key() && 4*gc.Total > cpu.Total+gc.Total
		})
		if k < 0 || slices.Contains(folded, k) {
			continue
		}
		cpu := &a.Findings[k]
		gc.Total += cpu.Total
		gc.Count += cpu.Count
		gc.Share += cpu.Share
		gc.Worst = max(gc.Worst, cpu.Worst)
		folded = append(folded, k)
	}
	slices.Sort(folded)
	for _, k := range slices.Backward(folded) {
		a.Findings = slices.Delete(a.Findings, k, k+1)
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

// join adds another finding of the same cause and line.
func (f *Finding) join(o *Finding) {
	if o.Total > f.Total {
		f.Stack, f.leaf = o.Stack, o.leaf
	}
	f.Total += o.Total
	f.Count += o.Count
	f.Share += o.Share
	f.Worst = max(f.Worst, o.Worst)
	f.Also = append(f.Also, o.Also...)
	f.Details = append(f.Details, o.Details...)
	f.perBlock = append(f.perBlock, o.perBlock...)
	for k, t := range o.leafTimes {
		f.leafTimes[k] += t
	}
	for k, t := range o.modules {
		f.modules[k] += t
	}
	for k, t := range o.detailUs {
		f.detailUs[k] += t
	}
	for _, r := range o.Requests {
		if !slices.Contains(f.Requests, r) {
			f.Requests = append(f.Requests, r)
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

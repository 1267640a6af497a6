package eventloop

import "time"

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
			site.Function = f.name()
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

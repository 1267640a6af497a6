package eventloop

import (
	"fmt"
	"slices"
	"time"
)

var serialAwaitCause = Cause{
	Name:  "serial-await",
	Title: "A long loop awaits one thing after the other",
	Why: "An await in a loop waits for each answer before the next question is asked. Where each takes a while, a request takes " +
		"all of them together; where they are there already, as in a cache, the loop runs in microtasks and nothing else does.",
	Sign: "Many requests go out for one that came in and no two at a time; or one iteration of the event loop is made of the steps " +
		"of one async function.",
	Fix: "Ask for all at once (one query, one batch request), or for a bounded number at a time with Promise.all or p-map. Where " +
		"the answer is there already, do not await it; in a long loop let the event loop turn every few hundred steps with " +
		"await new Promise(setImmediate).",
	Before: `for (const id of ids) sum += await price(id);`,
	After:  `const prices = await priceList(ids); // one request`,
	Links:  []string{"https://eslint.org/docs/latest/rules/no-await-in-loop"},
}

const (
	// serialRequests is how many requests one request sends before it matters that
	// they are one after the other.
	serialRequests = 10
	// slowRequest is how long such a request takes at least.
	slowRequest = 50 * time.Millisecond
)

// findSerialAwait finds requests that are late because they send others one
// after the other, while the loop is idle.
func findSerialAwait(a *analysis) []Finding {
	var slow []Request
	for _, r := range a.rec.Requests {
		if us(r.Duration) >= slowRequest {
			slow = append(slow, r)
		}
	}
	if len(slow) == 0 || len(a.rec.Outgoing) < serialRequests {
		return nil
	}
	var many, waiting []int64
	for _, r := range slow {
		n, sum := 0, int64(0)
		for _, o := range a.rec.Outgoing {
			if o.Start >= r.Start && o.Start+o.Duration <= r.Start+r.Duration {
				n++
				sum += o.Duration
			}
		}
		// Requests that are served at the same time share what is sent.
		at := 1
		for _, other := range slow {
			if other != r && other.Start < r.Start+r.Duration && other.Start+other.Duration > r.Start {
				at++
			}
		}
		// One after the other, they fill the time once for each that is served.
		if n/at >= serialRequests && sum <= r.Duration*int64(at)*11/10 && sum >= r.Duration/2 {
			many = append(many, int64(n/at))
			waiting = append(waiting, r.Duration)
		}
	}
	if len(many) < max(1, len(slow)/3) {
		return nil
	}
	slices.Sort(many)
	slices.Sort(waiting)
	f := Finding{Cause: &serialAwaitCause, Count: len(many), Worst: us(waiting[len(waiting)-1])}
	for _, w := range waiting {
		f.Total += us(w)
	}
	f.Site, f.Stack = a.awaitLoop()
	f.Title = title(&f, f.Cause.Title)
	f.Evidence = []string{
		fmt.Sprintf("a request sends %d others, one after the other, and takes %s", many[len(many)/2], round(us(waiting[len(waiting)/2]))),
		fmt.Sprintf("the event loop is idle %.0f %% of the time meanwhile", 100*(1-a.Threads[0].Busy)),
	}
	return []Finding{f}
}

// awaitLoop is the async function with an await in a loop that most samples came
// through.
func (a *analysis) awaitLoop() (Site, []Site) {
	type found struct {
		site Site
		leaf stackKey
		us   int64
	}
	best := map[Site]*found{}
	for _, s := range a.main.segments {
		tree := a.main.trees[s.profile]
		if tree.meta(s.node) {
			continue
		}
		v := &sample{tree: tree, stack: tree.stack(s.node), src: a.src, line: topLine(tree, s.node)}
		for i := range v.stack {
			if !v.user(i) {
				continue
			}
			src := a.src.of(v.frame(i).URL)
			if src == nil {
				continue
			}
			f, ok := src.FunctionAt(v.frame(i).LineNumber, v.frame(i).ColumnNumber)
			if !ok {
				continue
			}
			for k := f.Body; k < f.End && k < len(src.Tokens); k++ {
				if src.At(k) != "await" || src.LoopAround(f, k) < 0 {
					continue
				}
				if inner, ok := src.Enclosing(k); ok && inner.Head != f.Head {
					continue // another function's
				}
				site := v.siteOf(i)
				site.Line, site.Column = src.LineOf(k), src.Column(k)
				if best[site] == nil {
					best[site] = &found{site: site, leaf: stackKey{s.profile, s.node}}
				}
				best[site].us += s.to - s.from
				break
			}
		}
	}
	var top *found
	for _, f := range best {
		if top == nil || f.us > top.us || f.us == top.us && bySite(f.site, top.site) < 0 {
			top = f
		}
	}
	if top == nil {
		return Site{}, nil
	}
	return top.site, a.stackOf(a.main, top.leaf)
}

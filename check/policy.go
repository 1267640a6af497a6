package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"heapsnap/report"
)

// A Policy says what of a report fails a build. The zero value is: every leak.
type Policy struct {
	Budgets Budgets
	Ignore  []Ignore
	// Accepted are the findings of a baseline.
	Accepted []Accepted
	// Today decides what has expired; the zero time is never.
	Today time.Time
}

// Budgets are limits, most of them per round. A finding within one that names it is accepted;
// what has no finding, such as a class, fails when it is over.
type Budgets struct {
	Growth      *Limit // of the whole heap
	Unexplained *Limit // of it what nothing explains
	External    *Limit // memory outside the heap
	Rules       map[string]Limit
	Holders     map[string]Limit // by a part of the holder's name
	Classes     map[string]Limit // objects or bytes, by DevTools' comparison
	Loop        LoopBudget       // not per round
}

// A Limit is a number of objects, or of bytes, per round.
type Limit struct {
	Value float64
	Bytes bool
	Where string // FILE:LINE that sets it, "" if that is none
}

func (l Limit) String() string {
	if l.Bytes {
		return report.FormatBytes(uint64(l.Value))
	}
	return report.FormatCount(int(l.Value)) + " objects"
}

// An Ignore accepts findings that fit all that it names.
type Ignore struct {
	Fingerprint string
	Rule        string
	Class       string    // of the holder
	Path        string    // of the first line, as path.Match has it; or a folder that ends in /
	Reason      string    // never empty
	Expires     time.Time // the first day it does not hold; zero is never
	Where       string    // FILE:LINE
}

func (i Ignore) fits(f report.Finding) bool {
	switch {
	case i.Fingerprint != "" && i.Fingerprint != f.Fingerprint,
		i.Rule != "" && i.Rule != f.Rule,
		i.Class != "" && i.Class != f.Holder.Class:
		return false
	case i.Path != "":
		return f.Location != nil && pathFits(i.Path, f.Location.File)
	}
	return i.Fingerprint != "" || i.Rule != "" || i.Class != ""
}

// pathFits reports whether a pattern fits the end of a file's path, segment by
// segment; one that ends in / fits all that is below such a folder.
func pathFits(pattern, file string) bool {
	segments := strings.Split(strings.ReplaceAll(file, `\`, "/"), "/")
	folder := strings.HasSuffix(pattern, "/")
	want := strings.Split(strings.Trim(pattern, "/"), "/")
	last := len(segments) - len(want)
	for at := last; at >= 0; at-- {
		fits := true
		for i, w := range want {
			ok, err := path.Match(w, segments[at+i])
			fits = fits && ok && err == nil
		}
		if fits && (at == last) != folder {
			return true
		}
		if !folder {
			return false
		}
	}
	return false
}

// Apply takes out of r what the policy accepts, adds the budgets that are over,
// and sets the verdict anew. It does nothing to a report that was not decided,
// except that what is accepted goes.
func (p Policy) Apply(r *report.Report) {
	rounds := max(1, len(r.Captures)-1)
	kept := r.Findings[:0:0]
	for _, f := range r.Findings {
		if why, by, expires, ok := p.accepts(&f, rounds); ok {
			r.Ignored = append(r.Ignored, report.Ignored{Finding: f, Reason: why, By: by, Expires: expires})
			continue
		}
		kept = append(kept, f)
	}
	accepted := len(r.Findings) - len(kept)
	r.Findings = kept
	r.Budgets = append(r.Budgets, p.Budgets.check(r, rounds)...)
	over := slices.IndexFunc(r.Budgets, func(b report.Budget) bool { return b.Exceeded })
	if accepted > 0 && rounds >= leastRounds {
		if r.Verdict, r.Sentence = verdict(rounds, r.Findings); r.Verdict == report.Clean {
			r.Sentence = fmt.Sprintf("nothing else kept growing over %d rounds; accepted: %s", rounds, plural(accepted, "finding", "findings"))
		}
	}
	switch {
	case over >= 0 && (r.Verdict == report.Clean || r.Verdict == report.Inconclusive && len(r.Findings) == 0):
		r.Verdict, r.Sentence = report.OverBudget, r.Budgets[over].Sentence
	case over < 0 && r.Verdict == report.Clean && r.Loop != nil && r.Loop.Verdict == report.Inconclusive:
		r.Verdict, r.Sentence = report.Inconclusive, r.Sentence+"; but of its budgets: "+r.Loop.Sentence
	}
}

// accepts says why a finding does not fail, and who says so.
func (p Policy) accepts(f *report.Finding, rounds int) (why, by, expires string, ok bool) {
	for _, i := range p.Ignore {
		if !i.fits(*f) {
			continue
		}
		if i.Expires.IsZero() {
			return i.Reason, i.Where, "", true
		}
		day := i.Expires.Format(time.DateOnly)
		if p.Today.Before(i.Expires) {
			return i.Reason, i.Where, day, true
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s ignored it until %s, because: %s", i.Where, day, i.Reason))
	}
	rate := rates(*f, rounds)
	for _, a := range p.Accepted {
		if a.Fingerprint != f.Fingerprint {
			continue
		}
		if rate.count <= grownBeyond*a.PerRound || a.PerRound == 0 {
			return a.Reason, a.Where, "", true
		}
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s accepts %s a round, and it is %s", a.Where, few(a.PerRound), few(rate.count)))
	}
	within := func(l Limit) bool {
		if l.Bytes {
			return rate.bytes <= l.Value
		}
		return rate.count <= l.Value
	}
	if l, found := p.Budgets.Rules[f.Rule]; found && within(l) {
		return fmt.Sprintf("within the budget of the rule %s, %s a round", f.Rule, l), l.Where, "", true
	}
	for _, name := range slices.Sorted(maps.Keys(p.Budgets.Holders)) {
		if l := p.Budgets.Holders[name]; strings.Contains(f.Holder.Name, name) && within(l) {
			return fmt.Sprintf("within the budget of %q, %s a round", name, l), l.Where, "", true
		}
	}
	return "", "", "", false
}

// check holds the figures that are no findings against their limits.
func (b Budgets) check(r *report.Report, rounds int) (out []report.Budget) {
	add := func(name string, l Limit, value float64, certain bool) {
		is := report.Budget{Name: name, Limit: l.Value, Value: tenths(value), Unit: "objects", By: l.Where, Exceeded: certain && value > l.Value}
		shown := Limit{Value: max(value, 0)}
		if l.Bytes {
			is.Unit, shown.Bytes = "bytes", true
		}
		is.Sentence = fmt.Sprintf("%s: %s a round, the budget is %s", name, shown, l)
		out = append(out, is)
	}
	if g := r.Growth; g != nil {
		// By chance a figure may rise once; a limit of growth needs growth.
		trend := func(name string, l *Limit, t report.Trend) {
			if l != nil {
				add(name, *l, t.PerRound, t.P < decides)
			}
		}
		trend("growth of the heap", b.Growth, g.Heap)
		trend("growth that nothing explains", b.Unexplained, g.Unexplained)
		if g.External != nil {
			trend("growth outside the heap", b.External, *g.External)
		}
	}
	if r.Loop != nil {
		out = append(out, b.Loop.check(r.Loop)...)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Classes)) {
		l, value := b.Classes[name], 0.0
		for _, c := range r.Classes {
			if c.Class == name {
				if value = float64(c.Delta); l.Bytes {
					value = float64(c.Size)
				}
			}
		}
		add("class "+name, l, value/float64(rounds), true)
	}
	return out
}

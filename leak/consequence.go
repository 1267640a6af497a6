package leak

import (
	"fmt"
	"slices"
	"strings"

	"heapsnap/heapsnap"
)

// withoutConsequences leaves out findings that are no leak of their own. The
// finding that each belongs to mentions it:
//
//   - what Node keeps for each open connection or worker, such as its timer and
//     its listeners, is let go with that, and no line of the program is to blame;
//   - what one call adds to several holders at once, as to a list of keys and one
//     of values, is one leak;
//   - of a connection that a process makes to itself, one end is enough.
func (p *Pass) withoutConsequences(findings []Finding) []Finding {
	of := make([]int, len(findings)) // finding -> the one that it goes with, itself for a cause
	for i := range findings {
		of[i] = i
		if at := p.causeOf(i, findings); at >= 0 {
			of[i] = at
		}
	}
	for i := range findings { // what Node keeps for a worker that goes with another finding
		for hops := 0; of[i] != of[of[i]] && hops < len(findings); hops++ {
			of[i] = of[of[i]]
		}
	}
	const most = 2 // holders of one call that are named
	var kept []Finding
	for i, f := range findings {
		if of[i] != i {
			continue
		}
		hand := 0
		for k, other := range findings {
			switch {
			case k == i || of[k] != i:
			case other.end != "" && f.end != "" && other.end != f.end:
				f.Evidence = append(f.Evidence, "the other ends of them are in this process too")
			case f.Rule == moduleRule.Name && other.Rule == moduleRule.Name:
				if hand++; hand <= most {
					f.Evidence = append(f.Evidence, fmt.Sprintf("%s holds them, or their names, too", other.Holder.Name))
				}
			case other.lineless && !oneCall(&other, &f):
				f.Evidence = append(f.Evidence, fmt.Sprintf("with them go what Node keeps for each: %s", other.Title))
			default:
				if hand++; hand <= most {
					f.Evidence = append(f.Evidence, fmt.Sprintf("it goes hand in hand with this: %s", other.Title))
					f.Also = append(f.Also, other.Holder)
				}
			}
		}
		if hand > most {
			f.Evidence = append(f.Evidence, fmt.Sprintf("and with %d more", hand-most))
		}
		kept = append(kept, f)
	}
	return kept
}

// causeOf returns the finding that the i-th is a consequence of, or -1.
func (p *Pass) causeOf(i int, findings []Finding) int {
	f := &findings[i]
	for k := range findings {
		cause := &findings[k]
		if cause.Site == f.Site {
			continue
		}
		if f.end == endAccepted && cause.end == endMade && alike(f.Entries, cause.Entries) {
			return k
		}
		if k < i && oneCall(f, cause) {
			return k
		}
		// Node's loader keeps several tables of what it loaded.
		if f.Rule == moduleRule.Name && cause.Rule == moduleRule.Name && inStep(f, cause) && (f.Unit == unitNames && cause.Unit != unitNames || f.Unit == cause.Unit && k < i) {
			return k
		}
		if !f.lineless || f.end == endMade && cause.end == endAccepted {
			continue
		}
		if !cause.lineless && p.sameModule(f.Site.Holder, cause.Site.Holder) {
			return k
		}
		if !cause.resource || cause.lineless && f.resource {
			continue
		}
		// Of what the program itself has, only the same object's other listeners.
		if p.userHeld(f.Site.Holder) && f.Holder.ID != cause.Holder.ID {
			continue
		}
		if slices.Equal(cause.Entries, f.Entries) || p.leadsTo(f, cause) {
			return k
		}
	}
	return -1
}

// oneCall reports whether one call adds to both: they blame the same place, and
// grow together or belong to the same package, which is called there.
func oneCall(a, b *Finding) bool {
	return sameLine(a, b) && (inStep(a, b) || a.through != "" && a.through == b.through)
}

// sameLine reports whether two findings blame the same line. A bundle has all its
// code in a few lines, so that in a long one the column counts.
func sameLine(a, b *Finding) bool {
	const long = 200
	if a.Location == nil || b.Location == nil || a.Location.File != b.Location.File || a.Location.Line != b.Location.Line {
		return false
	}
	code := a.Location.Code
	return a.Location.Column == b.Location.Column || code != "" && len(code) <= long
}

// inStep reports whether two findings grow together: in every round so many of
// one for each of the other.
func inStep(a, b *Finding) bool {
	x, y := a.Entries, b.Entries
	if len(x) != len(y) || len(x) == 0 {
		return false
	}
	if alike(x, y) {
		return true
	}
	for i := range x {
		if x[i] == 0 || y[i] == 0 || x[i]*y[0] != y[i]*x[0] {
			return false
		}
	}
	return true
}

// alike reports whether two counts differ by no more than what may be in flight.
func alike(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		d := max(a[i]-b[i], b[i]-a[i])
		if a[i] == 0 || b[i] == 0 || d > 1 && 10*d > max(a[i], b[i]) {
			return false
		}
	}
	return true
}

// sameModule reports whether both are variables of one module of Node's, which
// then keeps its books about the same things in both.
func (p *Pass) sameModule(a, b heapsnap.Node) bool {
	one, other := p.reference(a), p.reference(b)
	return one.kind == "variable" && other.kind == "variable" && one.script == other.script && strings.HasPrefix(one.script, "node:internal/abort")
}

// leadsTo reports whether nearly all entries of f lead to survivors of cause.
func (p *Pass) leadsTo(f, cause *Finding) bool {
	const (
		sample   = 50
		maxNodes = 1000
	)
	entries := f.Site.Entries
	step := max(1, len(entries)/sample)
	asked, leading := 0, 0
	for i := 0; i < len(entries); i += step {
		asked++
		if p.reaches(entries[i], maxNodes, func(n heapsnap.Node) bool { return p.d.SiteOf(n) == cause.Site }) {
			leading++
		}
	}
	return asked > 0 && 5*leading >= 4*asked
}

// reaches reports whether strong references lead from a survivor over others to
// one that is wanted, the first itself included; after maxNodes it gives up.
func (p *Pass) reaches(from heapsnap.Node, maxNodes int, wanted func(heapsnap.Node) bool) bool {
	seen := map[heapsnap.Node]bool{from: true}
	queue := []heapsnap.Node{from}
	for head := 0; head < len(queue) && len(queue) < maxNodes; head++ {
		if wanted(queue[head]) {
			return true
		}
		for e := range p.s.Edges(queue[head]) {
			if to := p.s.To(e); !seen[to] && p.d.Cohort(to) > 0 && p.s.Strong(queue[head], e) {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return false
}

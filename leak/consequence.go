package leak

import (
	"fmt"
	"slices"
	"strings"

	"heapsnap/heapsnap"
)

// withoutConsequences leaves out findings that are no leak of their own: what
// Node keeps for each open connection or worker, such as its timer and its
// listeners, is let go with that, and no line of the program is to blame for
// it. The finding it belongs to mentions it.
func (p *Pass) withoutConsequences(findings []Finding) []Finding {
	var kept []Finding
	for i := range findings {
		cause := p.causeOf(&findings[i], findings)
		if cause == nil {
			kept = append(kept, findings[i])
		}
	}
	for i := range findings {
		if cause := p.causeOf(&findings[i], findings); cause != nil {
			at := slices.IndexFunc(kept, func(f Finding) bool { return f.Site == cause.Site })
			kept[at].Evidence = append(kept[at].Evidence, fmt.Sprintf("with them go what Node keeps for each: %s", findings[i].Title))
		}
	}
	return kept
}

// causeOf returns the finding that f is a consequence of, or nil.
func (p *Pass) causeOf(f *Finding, findings []Finding) *Finding {
	if !f.lineless {
		return nil
	}
	for i := range findings {
		cause := &findings[i]
		if cause.Site == f.Site || cause.lineless {
			continue
		}
		if p.sameModule(f.Site.Holder, cause.Site.Holder) {
			return cause
		}
		if !cause.resource {
			continue
		}
		// Of what the program itself has, only the same object's other listeners.
		if p.userHeld(f.Site.Holder) && f.Holder.ID != cause.Holder.ID {
			continue
		}
		if slices.Equal(cause.Entries, f.Entries) || p.leadsTo(f, cause) {
			return cause
		}
	}
	return nil
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

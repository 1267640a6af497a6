package report

import (
	"fmt"
	"strings"
)

// pathRows is how many lines of a forest of paths are shown unless all are
// asked for: who holds an object is among the first.
const pathRows = 60

// label is an object in a line of text: what it is and its id.
func (o Object) label(max int) string {
	id := fmt.Sprintf(" @%d", o.ID)
	room := max - len(id)
	name := o.Name
	switch o.Type {
	case "string", "concatenated string", "sliced string":
		return `"` + clip(name, room-2) + `"` + id
	case "closure":
		if name == "" {
			name = "(anonymous)"
		}
		return clip(name, room-2) + "()" + id
	}
	switch {
	case name == "" && o.Type == "synthetic":
		name = "(root)" // V8 gives it no name
	case name == "":
		name = o.Class
	}
	return clip(name, room) + id
}

// edgeLabel is a reference in a line of text.
func edgeLabel(kind, name string, max int) string {
	switch kind {
	case "element":
		return "[" + clip(name, max-2) + "]"
	case "internal", "hidden":
		return "{" + clip(name, max-2) + "}"
	case "context":
		return "variable " + clip(name, max-9)
	case "weak":
		return "weak " + clip(name, max-5)
	case "property":
		if name == "" {
			return `""`
		}
	}
	return clip(name, max)
}

const (
	edgeColumns  = 28
	labelColumns = 56
)

func (r Reference) leads(to string) string {
	return edgeLabel(r.Type, r.Edge, edgeColumns) + to + r.Object.label(labelColumns)
}

func distanceCell(d int) string {
	if d < 0 {
		return "-"
	}
	return FormatCount(d)
}

// object writes what a view is about.
func (p *page) object(o Object, capture Capture) {
	p.prose(0, "", bold, o.label(max(40, p.width-4)))
	about := []string{clip(o.Type, 24)}
	if o.Class != o.Name && o.Class != "("+o.Type+")" {
		about = append(about, "class "+clip(o.Class, 60))
	}
	about = append(about, FormatBytes(o.Retained)+" retained", FormatBytes(o.Self)+" itself")
	if o.Distance >= 0 {
		about = append(about, "distance "+FormatCount(o.Distance))
	} else {
		about = append(about, "not reached from the program's roots")
	}
	if o.Detached != "" {
		about = append(about, clip(o.Detached, 24))
	}
	p.prose(0, "", plain, strings.Join(about, ", "))
	if o.Location != nil {
		verb := "made by the constructor at "
		if o.Type == "closure" {
			verb = "written at "
		}
		p.prose(0, verb, plain, Location{File: o.Location.File, Line: o.Location.Line, Column: o.Location.Column}.position())
	}
	p.prose(0, "", dim, clip(capture.Name, maxPath))
}

// references writes a table of references; to stands between the reference
// and the object.
func (p *page) references(refs []Reference, to string) {
	rows := []row{{dim, []string{"reference", "itself", "retained", "distance"}}}
	for _, r := range refs {
		rows = append(rows, row{plain, []string{r.leads(to), FormatBytes(r.Object.Self), FormatBytes(r.Object.Retained), distanceCell(r.Object.Distance)}})
	}
	if p.narrow() {
		for i := range rows {
			rows[i].cells = []string{rows[i].cells[0], rows[i].cells[2]}
		}
	}
	p.table(2, rows)
}

// objects writes a table of objects, with their share of a size. Of a long
// chain only both ends are shown.
func (p *page) objects(all []Object, of uint64, chain bool) {
	rows := []row{{dim, []string{"object", "itself", "retained", "%", "distance"}}}
	hidden := 0
	if chain && !p.verbose {
		hidden = max(0, len(all)-2*maxSteps)
	}
	for i, o := range all {
		if hidden > 0 && i >= maxSteps && i < maxSteps+hidden {
			if i == maxSteps {
				rows = append(rows, row{dim, []string{fmt.Sprintf("… %s more: --verbose", FormatCount(hidden)), "", "", "", ""}})
			}
			continue
		}
		rows = append(rows, row{plain, []string{o.label(labelColumns), FormatBytes(o.Self), FormatBytes(o.Retained), percentOf(o.Retained, of), distanceCell(o.Distance)}})
	}
	if p.narrow() {
		for i := range rows {
			rows[i].cells = []string{rows[i].cells[0], rows[i].cells[2]}
		}
	}
	p.table(2, rows)
}

// more says how much of a list is on the next pages.
func (p *page) more(skipped, shown, all int) {
	if skipped+shown < all {
		p.prose(2, "", dim, fmt.Sprintf("and %s more: --skip %d", FormatCount(all-skipped-shown), skipped+shown))
	}
}

// pageOf is "12", or "3 to 12 of 340".
func pageOf(skipped, shown, all int) string {
	switch {
	case shown == all || shown == 0:
		return FormatCount(all)
	case skipped == 0:
		return FormatCount(shown) + " of " + FormatCount(all)
	}
	return FormatCount(skipped+1) + " to " + FormatCount(skipped+shown) + " of " + FormatCount(all)
}

func (v *ObjectView) text(p *page) {
	p.object(v.Object, v.Capture)
	held := plural(v.Retainers, "reference", "references") + " to it"
	if v.Weak > 0 {
		held += ", and " + plural(v.Weak, "weak one", "weak ones")
	}
	if v.Dominator != nil {
		held += "; dominated by " + v.Dominator.label(labelColumns)
	}
	p.prose(0, "", plain, held)
	order := map[string]string{"retained": "by retained size", "name": "by name", "self": "by size", "file": "as in the file"}[v.Sort]
	p.heading(0, fmt.Sprintf("References: %s, %s", pageOf(v.Skipped, len(v.References), v.Count), order))
	if len(v.References) > 0 {
		p.references(v.References, " → ")
	}
	p.more(v.Skipped, len(v.References), v.Count)
	p.warnings(v.Warnings)
}

func (v *RetainersView) text(p *page) {
	p.object(v.Object, v.Capture)
	all, weak := v.Count, v.Weak
	if v.Listed {
		all, weak = all+weak, 0
	}
	p.heading(0, fmt.Sprintf("Retainers: %s, nearest to the root first", pageOf(v.Skipped, len(v.Retainers), all)))
	if len(v.Retainers) > 0 {
		p.references(v.Retainers, " in ")
	}
	p.more(v.Skipped, len(v.Retainers), all)
	if weak > 0 {
		p.prose(2, "", dim, plural(weak, "weak reference does", "weak references do")+" not keep it alive: --weak shows "+plurals(weak, "it", "them"))
	}
	p.warnings(v.Warnings)
}

func (v *PathsView) text(p *page) {
	p.object(v.Object, v.Capture)
	if len(v.Paths) > 0 {
		p.heading(0, "Held by, nearest to the root first; a line is held by those indented below it")
		shown, hidden := 0, 0
		p.forest(v.Paths, 0, &shown, &hidden)
		if hidden > 0 {
			p.prose(2, "", dim, fmt.Sprintf("and %s: --verbose shows them", plural(hidden, "more line", "more lines")))
		}
	}
	if len(v.Shortest) > 0 {
		heading := "The shortest way from the root"
		if len(v.Paths) == 0 {
			heading = "No path by DevTools' rules; the shortest way from the root"
		}
		p.heading(0, heading)
		for i, s := range v.Shortest {
			text := s.Object.label(labelColumns)
			if i > 0 {
				text = "└ " + edgeLabel(s.Type, s.Edge, edgeColumns) + " → " + text
			}
			if skipped := len(v.Shortest) - 2*maxSteps; skipped > 0 && !p.verbose && i >= maxSteps && i < maxSteps+skipped {
				if i == maxSteps {
					p.prose(p.ladder(i), "", dim, "… "+plural(skipped, "more step", "more steps")+": --verbose shows them")
				}
				continue
			}
			at := p.ladder(i)
			p.line(at, plain, clip(text, p.width-at))
		}
	}
	if len(v.Paths) == 0 && len(v.Shortest) == 0 {
		p.line(0, plain, "")
		p.prose(0, "", plain, "Nothing reaches it from the root: only weak references are left, or it is part of a cycle that will be freed.")
	}
	if len(v.Reached) > 0 {
		var flags []string
		for _, r := range v.Reached {
			flags = append(flags, "--"+clip(r, 20))
		}
		p.line(0, plain, "")
		p.prose(0, "", dim, "There may be more paths: the search ended at "+strings.Join(flags, ", ")+".")
	}
	p.warnings(v.Warnings)
}

// ladder is the indentation at a depth, as long as there is room.
func (p *page) ladder(depth int) int { return min(2+2*depth, max(2, p.width-minWidth-10)) }

func (p *page) forest(paths []PathEdge, depth int, shown, hidden *int) {
	for _, e := range paths {
		if *shown >= pathRows && !p.verbose {
			*hidden++
		} else {
			*shown++
			text := fmt.Sprintf("%s in %s", edgeLabel(e.Type, e.Edge, edgeColumns), e.Object.label(labelColumns))
			if depth > 0 {
				text = "└ " + text
			}
			at := p.ladder(depth)
			if at < 2+2*depth { // the indentation does not tell any more
				text = fmt.Sprintf("%d. ", depth+1) + text
			}
			end := ""
			if e.Root != nil {
				end = "  ← " + edgeLabel(e.Root.Type, e.Root.Edge, 16) + " in " + e.Root.Object.label(26)
			}
			if room := p.width - at - columns(end); room < minWidth {
				p.line(at, plain, clip(text, p.width-at))
				p.line(at, red, clip(strings.TrimSpace(end), p.width-at))
			} else {
				p.line(at, plain, clip(text, room)+p.paint(red, end))
			}
		}
		p.forest(e.Retainers, depth+1, shown, hidden)
	}
}

func (v *DominatedView) text(p *page) {
	p.object(v.Object, v.Capture)
	p.heading(0, fmt.Sprintf("Freed with it: %s it dominates, by retained size", pageOf(v.Skipped, len(v.Dominated), v.Count)+" "+plurals(v.Count, "object", "objects")))
	if len(v.Dominated) > 0 {
		p.objects(v.Dominated, v.Object.Retained, false)
	}
	p.more(v.Skipped, len(v.Dominated), v.Count)
	if len(v.Dominators) > 0 {
		p.heading(0, "Freed with any of these, its dominators up to the root")
		p.objects(v.Dominators, v.Dominators[len(v.Dominators)-1].Retained, true)
	}
	p.warnings(v.Warnings)
}

func plurals(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (v *StringsView) text(p *page) {
	t := v.Total
	headline := FormatBytes(t.Wasted) + " wasted by further copies of texts"
	if t.Uncertain > 0 {
		headline += ", and " + FormatBytes(t.Uncertain) + " if those that are the same as far as the snapshot shows are the same"
	}
	p.prose(0, "", bold, headline)
	p.prose(0, "", dim, fmt.Sprintf("%s: %s of %s, %s together", clip(v.Capture.Name, maxPath),
		plural(t.Count, "string", "strings"), plural(t.Groups, "text", "texts"), FormatBytes(t.Retained)))
	if len(v.Groups) > 0 {
		order := map[string]string{"wasted": "most wasted first", "retained": "by retained size"}[v.Sort]
		p.heading(0, "Texts: "+pageOf(v.Skipped, len(v.Groups), t.Groups)+", "+order)
		rows := []row{{dim, []string{"text", "copies", "each", "retained", "wasted"}}}
		for _, g := range v.Groups {
			each := FormatBytes(g.Smallest)
			if g.Smallest != g.Largest {
				each = "≤ " + FormatBytes(g.Largest)
			}
			// A mark that is clipped away is of no use: the text is cut first.
			mark := ""
			if g.Cut {
				mark = "…"
			}
			if !g.Certain {
				mark += "?"
			}
			room := max(12, p.width-2-4*3-columns(FormatCount(g.Count))-33)
			text := `"` + clip(g.Text, room-columns(mark)-2) + `"` + mark
			rows = append(rows, row{plain, []string{text, FormatCount(g.Count), each, FormatBytes(g.Retained), FormatBytes(g.Wasted)}})
		}
		if p.narrow() {
			for i := range rows {
				c := rows[i].cells
				rows[i].cells = []string{c[0], c[1], c[4]}
			}
		}
		p.table(2, rows)
	}
	p.more(v.Skipped, len(v.Groups), t.Groups)
	p.warnings(v.Warnings)
}

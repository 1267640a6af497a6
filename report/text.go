package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The text form is read by someone in a hurry: the verdict, then for each
// finding the line to open, the growth that proves it, who holds what, and
// what to do. What is harmless or only supports the verdict comes last.

const (
	// fullFindings is how many findings are shown in full: whoever fixes the
	// first five runs again before reading a sixth.
	fullFindings = 5
	// maxSteps is the length of a path shown whole. Linked lists make paths of
	// thousands of steps, and it is the two ends that tell something.
	maxSteps = 12
	// maxProse is where a sentence is cut, in columns: about five lines.
	maxProse = 560
	// maxRounds is the rounds a finding shows, from both ends of a long series.
	maxRounds   = 8
	classRows   = 5
	quietRows   = 8
	minWidth    = 30
	locationMax = 4 // further locations of one finding
)

// style is an ANSI attribute.
type style string

const (
	plain style = ""
	bold  style = "1"
	dim   style = "2"
	red   style = "1;31"
	green style = "1;32"
)

// page lays out lines of text. Strings of the report are clipped or made
// printable before they reach it.
type page struct {
	bytes.Buffer
	width   int
	color   bool
	verbose bool
}

func newPage(o Options) *page {
	p := &page{width: o.Width, color: o.Color, verbose: o.Verbose}
	if p.width == 0 {
		p.width = 80
	}
	p.width = max(p.width, minWidth)
	return p
}

// narrow reports whether there is room for the necessary only.
func (p *page) narrow() bool { return p.width < 60 }

func (p *page) paint(s style, text string) string {
	if !p.color || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// line writes one line as it is.
func (p *page) line(indent int, s style, text string) {
	if text == "" {
		p.WriteString("\n")
		return
	}
	p.WriteString(strings.Repeat(" ", indent) + p.paint(s, text) + "\n")
}

// prose writes a sentence of the report, wrapped, behind a mark that the
// further lines are indented by.
func (p *page) prose(indent int, mark string, s style, text string) {
	p.marked(indent, mark, plain, s, text)
}

func (p *page) marked(indent int, mark string, ms, s style, text string) {
	in := indent + columns(mark)
	lines := Wrap(clip(text, maxProse), p.width-in)
	if len(lines) == 0 {
		lines = []string{""}
	}
	p.WriteString(strings.Repeat(" ", indent) + p.paint(ms, mark) + p.paint(s, lines[0]) + "\n")
	for _, l := range lines[1:] {
		p.line(in, s, l)
	}
}

// heading opens a part of the page, behind an empty line.
func (p *page) heading(indent int, text string) {
	p.line(0, plain, "")
	p.prose(indent, "", bold, text)
}

// row is a row of a table; the first cell is aligned left, the others right.
type row struct {
	style style
	cells []string
}

// table writes rows whose columns are as wide as their widest cell. The first
// column is clipped where a row would be wider than the page.
func (p *page) table(indent int, rows []row) {
	gap := 3
	if p.narrow() {
		gap = 2
	}
	var widths []int
	for _, r := range rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(c))
		}
	}
	if len(widths) == 0 {
		return
	}
	rest := indent
	for _, w := range widths[1:] {
		rest += gap + w
	}
	widths[0] = max(1, min(widths[0], p.width-rest))
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r.cells {
			if i == 0 {
				c = clip(c, widths[0])
				b.WriteString(c + strings.Repeat(" ", widths[0]-columns(c)))
			} else {
				b.WriteString(strings.Repeat(" ", gap+widths[i]-columns(c)) + c)
			}
		}
		p.line(indent, r.style, strings.TrimRight(b.String(), " "))
	}
}

func writeText(w io.Writer, r *Report, o Options) error {
	p := newPage(o)
	p.verdict(r)
	for i := range r.Findings {
		if i < fullFindings || o.Verbose {
			p.finding(i+1, &r.Findings[i])
		}
	}
	if len(r.Findings) > fullFindings && !o.Verbose {
		p.furtherFindings(r.Findings)
	}
	p.policy(r)
	p.quiet(r.Quiet)
	p.accounted(r.Accounted)
	p.growthPerRound(r)
	p.classes(r.Classes)
	p.warnings(r.Warnings)
	p.next(r)
	_, err := p.WriteTo(w)
	return err
}

func (p *page) verdict(r *Report) {
	word, s := verdictWord(r), bold
	switch r.Verdict {
	case Leak:
		if word == "LEAK" {
			s = red
		}
	case More, OverBudget:
		s = red
	case Clean:
		s = green
	}
	p.marked(0, word+"  ", s, bold, r.Sentence)
	if len(r.Captures) > 0 {
		p.prose(0, "", dim, captureLine(r))
	}
	for _, t := range r.Threads {
		p.prose(0, "", dim, threadLine(t))
	}
	if r.Run != nil && p.verbose {
		p.prose(0, "", dim, r.Run.Took.words())
	}
}

// threadLine says how full a worker thread was, and whether that was looked into.
func threadLine(t Thread) string {
	line := clip(t.Name, 100)
	if n := len(t.Used); n > 0 {
		line += ": heap " + FormatBytes(t.Used[0]) + " to " + FormatBytes(t.Used[n-1])
	}
	switch {
	case t.Captures > 0:
		return line + fmt.Sprintf(", it grew and was captured %s", plural(t.Captures, "time", "times"))
	case len(t.Used) > 1:
		return line + ", no steady growth"
	}
	return line + ": it ended or did not answer"
}

// verdictWord is the verdict as it heads a report.
func verdictWord(r *Report) string {
	if r.Verdict == Leak && len(r.Findings) > 0 && r.Findings[0].Verdict == Suspect {
		return "SUSPECT" // nobody has seen it grow
	}
	return strings.ToUpper(clip(string(r.Verdict), 20))
}

// captureLine says in one line what was compared: the captures, the program,
// and the heap in the first and the last of them.
func captureLine(r *Report) string {
	first, last := r.Captures[0], r.Captures[len(r.Captures)-1]
	parts := []string{plural(len(r.Captures), "capture", "captures")}
	if r.Target != "" {
		parts[0] += " of " + clip(r.Target, maxPath/4)
	}
	if last.NodeVersion != "" {
		node := "Node " + clip(last.NodeVersion, 20)
		if r.Verdict == More && first.NodeVersion != "" && first.NodeVersion != last.NodeVersion {
			node = "Node " + clip(first.NodeVersion, 20) + " and " + clip(last.NodeVersion, 20)
		}
		parts = append(parts, node)
	}
	if len(r.Captures) == 1 {
		parts = append(parts, "heap "+FormatBytes(last.Bytes))
	} else {
		parts = append(parts, "heap "+FormatBytes(first.Bytes)+" to "+FormatBytes(last.Bytes))
	}
	if r.Run != nil {
		parts = append(parts, r.Run.words())
	}
	return strings.Join(parts, ", ")
}

func (p *page) finding(number int, f *Finding) {
	p.line(0, plain, "")
	p.prose(0, fmt.Sprintf("%d. ", number), bold, clip(f.Title, maxProse-40)+" ["+clip(f.Rule, 30)+"]")
	const in = 3
	if f.Thread != "" {
		p.prose(in, "", bold, "In "+clip(f.Thread, 100))
	}
	p.location(in, f)
	p.growth(in, f)
	p.holders(in, f)
	p.path(in, f)
	p.stack(in, f.Stack)
	p.section(in, evidenceHeading(f), f.Evidence)
	if len(f.Sample) > 0 {
		var s []string
		for _, v := range f.Sample[:min(len(f.Sample), 5)] {
			s = append(s, clip(v, 40))
		}
		p.section(in, "Some of what stays", []string{strings.Join(s, ", ")})
	}
	if f.Fix != "" {
		p.section(in, "What to do", []string{f.Fix})
	}
	if p.verbose && f.Fingerprint != "" {
		p.prose(in, "", dim, "fingerprint "+f.Fingerprint)
	}
}

// stack writes the call stack by which survivors were made.
func (p *page) stack(indent int, frames []Location) {
	if len(frames) == 0 {
		return
	}
	p.heading(indent, "Made by, innermost call first")
	for _, l := range frames {
		l.Role, l.Code, l.Compiled = "", "", ""
		p.place(indent+2, l, plain)
	}
}

func evidenceHeading(f *Finding) string {
	s := "Evidence"
	if f.Verdict == Growth && len(f.Survivors.PerRound) > 0 {
		s += " of growth: too few captures to call it a leak"
	}
	if f.Verdict == Suspect {
		s += " from one snapshot"
	}
	if f.Verdict == More {
		s += " from two processes"
	}
	if f.Confidence > 0 {
		// Never 100: the heap shows what is, not what the program meant.
		s += fmt.Sprintf(", confidence %d %%", min(99, int(f.Confidence*100+0.5)))
	}
	return s
}

// section writes a heading and its sentences, as a list where there are many.
func (p *page) section(indent int, heading string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	p.heading(indent, heading)
	for _, s := range sentences {
		mark := ""
		if len(sentences) > 1 {
			mark = "- "
		}
		p.prose(indent+2, mark, plain, s)
	}
}

func (p *page) location(indent int, f *Finding) {
	if f.Location == nil {
		p.prose(indent, "", dim, "No source line is known: start from the holder below.")
	} else {
		p.place(indent, *f.Location, red)
	}
	for i, l := range f.Locations {
		if i == locationMax && !p.verbose {
			p.line(indent, dim, fmt.Sprintf("and %s", plural(len(f.Locations)-i, "more place", "more places")))
			break
		}
		p.place(indent, l, plain)
	}
}

// place writes file:line:column, what is there, and the line itself.
func (p *page) place(indent int, l Location, s style) {
	pos := l.position()
	var about []string
	if l.Function != "" {
		about = append(about, "in "+clip(l.Function, 60))
	}
	if l.Role != "" {
		about = append(about, clip(l.Role, 60))
	}
	if l.Package != "" {
		about = append(about, "of "+clip(l.Package, 60))
	}
	if l.Compiled != "" {
		about = append(about, "compiled to "+clip(l.Compiled, maxPath))
	}
	words := strings.Join(about, ", ")
	switch {
	case words == "":
		p.line(indent, s, pos)
	case indent+columns(pos)+2+columns(words) <= p.width:
		p.line(indent, plain, p.paint(s, pos)+"  "+words)
	default:
		p.line(indent, s, pos)
		p.prose(indent+2, "", plain, words)
	}
	if l.Code == "" {
		return
	}
	gutter := fmt.Sprintf("%d | ", l.Line)
	code, caret := clipCode(l.Code, l.Column-1, p.width-indent-columns(gutter))
	p.line(indent, plain, p.paint(dim, gutter)+code)
	if caret >= 0 {
		p.line(indent+columns(gutter)+caret, s, "^")
	}
}

func (l Location) position() string {
	s := clip(l.File, maxPath)
	if l.Line > 0 {
		s += fmt.Sprintf(":%d", l.Line)
		if l.Column > 0 {
			s += fmt.Sprintf(":%d", l.Column)
		}
	}
	return s
}

// growth writes the survivors by the round they were born in. Rounds that
// look the same share a row: "rounds 2-7, each" is what a leak looks like.
func (p *page) growth(indent int, f *Finding) {
	s := &f.Survivors
	if len(s.PerRound) == 0 {
		holds := "holds "
		if f.Verdict == More {
			holds = "more than in the first snapshot: "
		}
		p.line(0, plain, "")
		p.prose(indent, "", bold, holds+fmt.Sprintf("%s, %s", plural(s.Count, "object", "objects"), FormatBytes(s.Bytes)))
		return
	}
	entries := len(s.Entries) == len(s.PerRound)
	objects := !entries || !p.narrow()
	retained := len(s.BytesPerRound) == len(s.PerRound)
	cells := func(first, entry, object, size string) row {
		r := row{plain, []string{first}}
		if entries {
			r.cells = append(r.cells, entry)
		}
		if objects {
			r.cells = append(r.cells, object)
		}
		r.cells = append(r.cells, size)
		return r
	}
	round := func(i int) row {
		entry, size := "", ""
		if entries {
			entry = signedCount(s.Entries[i])
		}
		if retained {
			size = signedBytes(int64(s.BytesPerRound[i]))
		}
		return cells("", entry, signedCount(s.PerRound[i]), size)
	}
	unit := "entries"
	if s.Unit != "" {
		unit = clip(s.Unit, 24)
		if p.narrow() {
			unit = clip(s.Unit, 10)
		}
	}
	head := cells("born in", unit, "objects", "retained")
	head.style = dim
	rows := []row{head}
	for i := 0; i < len(s.PerRound); {
		r, last := round(i), i
		for last+1 < len(s.PerRound) && slices.Equal(r.cells, round(last+1).cells) {
			last++
		}
		r.cells[0] = fmt.Sprintf("round %d", i+1)
		if last > i {
			r.cells[0] = fmt.Sprintf("rounds %d-%d, each", i+1, last+1)
		}
		if p.narrow() {
			r.cells[0] = strings.TrimLeft(r.cells[0], "rounds ")
		}
		rows = append(rows, r)
		i = last + 1
	}
	if n := len(rows) - 1; n > maxRounds && !p.verbose {
		gap := cells("…", "", "", "")
		gap.cells[0] = fmt.Sprintf("… %d more", n-maxRounds)
		rows = append(append(rows[:1+maxRounds/2:1+maxRounds/2], gap), rows[len(rows)-maxRounds/2:]...)
	}
	total := 0
	for _, n := range s.Entries {
		total += n
	}
	sum := cells("all", FormatCount(total), FormatCount(s.Count), FormatBytes(s.Bytes))
	sum.style = bold
	heading := "Never freed"
	if f.Verdict != Leak {
		heading = "Not freed so far"
	}
	p.heading(indent, heading)
	p.table(indent+2, append(rows, sum))
}

func (h Holder) words() string {
	s := h.Name
	if s == "" {
		s = h.Class
	}
	if h.ID == 0 {
		return clip(s, 120)
	}
	return clip(s, 120) + fmt.Sprintf(" @%d", h.ID)
}

func (p *page) holders(indent int, f *Finding) {
	holders := f.Holders
	if len(holders) == 0 {
		holders = []Holder{f.Holder}
	}
	if holders[0].words() == "" {
		return
	}
	heading := "Held by"
	if len(holders) > 1 {
		heading = "Held by all of these: every one must let go"
	}
	p.heading(indent, heading)
	for i, h := range holders {
		if i == fullFindings && !p.verbose {
			p.line(indent+2, plain, fmt.Sprintf("and %s", plural(len(holders)-i, "more", "more")))
			break
		}
		p.prose(indent+2, "", plain, h.words())
		if len(h.PerCapture) > 0 {
			var n []string
			for _, c := range h.PerCapture {
				n = append(n, FormatCount(c))
			}
			p.prose(indent+4, "", plain, "entries in each capture: "+strings.Join(n, " → "))
		}
	}
}

// pathEnd says what is at the end of a finding's path.
func pathEnd(f *Finding) string {
	switch {
	case len(f.Survivors.PerRound) == 0:
		return "  ← one of what it holds"
	case f.Verdict != Leak:
		return "  ← not freed"
	}
	return "  ← never freed"
}

// path writes the retaining path as a ladder, each step one deeper.
func (p *page) path(indent int, f *Finding) {
	if len(f.Path) == 0 {
		return
	}
	p.heading(indent, "Why it cannot be freed")
	end := pathEnd(f)
	depth := 2
	if p.narrow() {
		depth = 1
	}
	at := indent + 2
	for i, s := range f.Path {
		if skipped := len(f.Path) - maxSteps; skipped > 0 && !p.verbose && i >= maxSteps/2 && i < maxSteps/2+skipped {
			if i == maxSteps/2 {
				p.line(at, dim, "… "+plural(skipped, "more step", "more steps"))
				at += depth
			}
			continue
		}
		text := clip(s.Node, 60)
		if s.ID != 0 {
			text += fmt.Sprintf(" @%d", s.ID)
		}
		if s.Edge != "" {
			text = clip(s.Edge, 40) + " → " + text
		}
		if i > 0 {
			text = "└ " + text
		}
		note := ""
		switch {
		case f.Holder.ID != 0 && s.ID == f.Holder.ID:
			note = "  ← the holder"
		case i == len(f.Path)-1:
			note = end
		}
		at = min(at, max(0, p.width-minWidth))
		if p.narrow() && columns(text)+columns(note) > p.width-at {
			note = ""
		}
		text = clip(text, p.width-at-columns(note))
		p.line(at, plain, text+p.paint(red, note))
		at += depth
	}
}

func (p *page) furtherFindings(all []Finding) {
	p.heading(0, "Further findings")
	for i := fullFindings; i < len(all); i++ {
		f := all[i]
		where := f.Holder.words()
		if f.Location != nil {
			where = f.Location.position()
		}
		left := fmt.Sprintf("%d. ", i+1)
		right := fmt.Sprintf("  %s  %s", FormatBytes(f.Survivors.Bytes), where)
		room := p.width - columns(left) - columns(right)
		if room < 24 { // the place on its own line
			p.line(0, plain, left+clip(f.Title, p.width-columns(left)))
			p.line(columns(left), plain, strings.TrimSpace(right))
			continue
		}
		p.line(0, plain, left+clip(f.Title, room)+right)
	}
}

func (p *page) quiet(qs []Quiet) {
	if len(qs) == 0 {
		return
	}
	heading := "Grew, but harmless"
	if qs[0].Judgement == "usual" {
		heading = "The largest of what does not stand out"
	}
	p.heading(0, heading)
	rows := alike(qs)
	for i, q := range rows {
		if i == quietRows && !p.verbose {
			var rest uint64
			for _, q := range rows[i:] {
				rest += q.Bytes
			}
			p.line(2, dim, fmt.Sprintf("and %s, %s", plural(len(rows)-i, "more", "more"), FormatBytes(rest)))
			break
		}
		text := fmt.Sprintf("%-10s %10s  ", clip(q.Judgement, 10), FormatBytes(q.Bytes))
		if q.Times > 1 {
			text += FormatCount(q.Times) + " × "
		}
		text += clip(q.Holder, 40)
		if q.Why != "" {
			text += ": " + q.Why
		}
		p.line(2, plain, clipEnd(text, p.width-2))
	}
}

type quietRow struct {
	Quiet
	Times int
}

// alike sums up growth that differs in its holder's identity only, as the
// sockets of a pool do.
func alike(qs []Quiet) []quietRow {
	type kind struct{ judgement, holder, why string }
	at := map[kind]int{}
	var rows []quietRow
	for _, q := range qs {
		k := kind{q.Judgement, q.Holder, q.Why}
		i, ok := at[k]
		if !ok {
			at[k] = len(rows)
			rows = append(rows, quietRow{q, 1})
			continue
		}
		rows[i].Count += q.Count
		rows[i].Bytes += q.Bytes
		rows[i].Times++
	}
	slices.SortStableFunc(rows, func(a, b quietRow) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return rows
}

// clipEnd is clip at the end, for lines that start with what matters.
func clipEnd(s string, max int) string {
	s = clip(s, maxProse)
	if columns(s) <= max {
		return s
	}
	head, _ := splitColumns(s, max-1)
	return strings.TrimRight(head, " ") + "…"
}

// account is a part of the growth.
type account struct {
	Name  string
	Bytes uint64
	Share string
}

// accounts are the parts of the growth that are not 0, and at last all of it;
// none without growth.
func accounts(a Accounted) []account {
	if a.Total == 0 {
		return nil
	}
	all := []account{
		{"leaks", a.Leaks, ""},
		{"bounded: caches, pools", a.Bounded, ""},
		{"warm-up", a.WarmUp, ""},
		{"work in flight", a.InFlight, ""},
		{"V8's own churn", a.Churn, ""},
		{"too small to judge", a.Small, ""},
	}
	var parts []uint64
	var sum uint64
	for _, k := range all {
		parts = append(parts, k.Bytes)
		sum += k.Bytes
	}
	// The report promises that the parts add up; if they do not, the rest is
	// shown rather than hidden.
	if sum < a.Total {
		all = append(all, account{"not accounted for", a.Total - sum, ""})
		parts = append(parts, a.Total-sum)
	}
	whole := 0
	for i, percent := range percentages(parts) {
		whole += percent
		all[i].Share = fmt.Sprintf("%d %%", percent)
		if percent == 0 {
			all[i].Share = "<1 %"
		}
	}
	all = slices.DeleteFunc(all, func(k account) bool { return k.Bytes == 0 })
	return append(all, account{"all growth since the first capture", a.Total, fmt.Sprintf("%d %%", whole)})
}

func (p *page) accounted(a Accounted) {
	all := accounts(a)
	if len(all) == 0 {
		return
	}
	p.heading(0, "Where the growth went")
	var rows []row
	for i, k := range all {
		s := plain
		switch {
		case i == len(all)-1:
			s = bold
		case k.Name == "leaks":
			s = red
		}
		rows = append(rows, row{s, []string{k.Name, FormatBytes(k.Bytes), k.Share}})
	}
	p.table(2, rows)
}

func (p *page) classes(cs []ClassDelta) {
	if len(cs) == 0 {
		return
	}
	p.heading(0, "Classes, first against last capture")
	shown := cs
	if len(cs) > classRows && !p.verbose {
		shown = cs[:classRows]
	}
	head := []string{"class", "new", "deleted", "delta", "size"}
	if p.narrow() {
		head = []string{"class", "delta", "size"}
	}
	rows := []row{{dim, head}}
	for _, c := range shown {
		cells := []string{clip(c.Class, 60), signedCount(c.New), signedCount(-c.Deleted), signedCount(c.Delta), signedBytes(c.Size)}
		if p.narrow() {
			cells = append(cells[:1:1], cells[3:]...)
		}
		rows = append(rows, row{plain, cells})
	}
	p.table(2, rows)
	if n := len(cs) - len(shown); n > 0 {
		p.line(2, dim, "and "+plural(n, "more class", "more classes"))
	}
}

func (p *page) warnings(ws []string) {
	if len(ws) == 0 {
		return
	}
	p.heading(0, "Warnings")
	for _, w := range ws {
		p.prose(2, "! ", plain, w)
	}
}

// next closes a report with findings by the way on.
func (p *page) next(r *Report) {
	if len(r.Findings) == 0 {
		return
	}
	p.line(0, plain, "")
	switch r.Findings[0].Verdict {
	case More:
		p.prose(0, "", dim, "Two processes do not tell whether it goes on growing: heapsnap check, or heapsnap diff of one process, does.")
	case Suspect:
		p.prose(0, "", dim, "One snapshot does not tell whether it grows: heapsnap diff with a later one of the same process, or heapsnap check, does.")
	}
	p.prose(0, "", dim, fmt.Sprintf("More on the first finding: heapsnap explain %s", r.Findings[0].Rule))
}

func writeSummaryText(w io.Writer, s *Summary, o Options) error {
	p := newPage(o)
	p.prose(0, "", bold, fmt.Sprintf("%s in %s", FormatBytes(s.Total), plural(s.Nodes, "object", "objects")))
	about := []string{clip(s.Capture.Name, maxPath)}
	if s.Capture.NodeVersion != "" {
		about = append(about, "Node "+clip(s.Capture.NodeVersion, 20))
	}
	p.about(append(about, plural(s.Edges, "reference", "references")))

	p.heading(0, "Statistics")
	st := s.Statistics
	kinds := []struct {
		name  string
		bytes uint64
	}{
		{"code", st.Code}, {"strings", st.Strings}, {"JS arrays", st.Arrays}, {"system", st.System},
		{"other JS objects", st.Other}, {"native, outside the V8 heap", st.Native}, {"  of it typed arrays", st.TypedArray},
	}
	var rows []row
	for _, k := range kinds {
		rows = append(rows, row{plain, []string{k.name, FormatBytes(k.bytes), percentOf(k.bytes, s.Total)}})
	}
	p.table(2, rows)

	if len(s.Classes) > 0 {
		p.heading(0, "Classes by retained size")
		head := []string{"class", "count", "shallow", "retained", "%", "distance"}
		if p.narrow() {
			head = []string{"class", "count", "retained"}
		}
		rows := []row{{dim, head}}
		for i, c := range s.Classes {
			if i == 20 && !p.verbose {
				break
			}
			distance := "-"
			if c.Distance >= 0 {
				distance = FormatCount(c.Distance)
			}
			cells := []string{clip(c.Name, 60), FormatCount(c.Count), FormatBytes(c.Shallow), FormatBytes(c.Retained), percentOf(c.Retained, s.Total), distance}
			if p.narrow() {
				cells = []string{cells[0], cells[1], cells[3]}
			}
			rows = append(rows, row{plain, cells})
		}
		p.table(2, rows)
		if n := len(s.Classes) - len(rows) + 1; n > 0 {
			p.line(2, dim, "and "+plural(n, "more class", "more classes"))
		}
		p.line(0, plain, "")
		p.prose(0, "", dim, "Retained sizes of classes overlap: an object counts for every class that holds it.")
	}
	p.warnings(s.Warnings)
	_, err := p.WriteTo(w)
	return err
}

func percentOf(part, whole uint64) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

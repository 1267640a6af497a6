package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// What a page has at most: the JSON has all.
const (
	maxHTMLFindings = 200
	maxHTMLClasses  = 2000
	maxHTMLSteps    = 60 // of a path, from both ends
	maxHTMLRows     = 500
)

// reportPage is what html/report.html shows.
type reportPage struct {
	*Report
	Word        string // the verdict
	About       string
	Rules       []Rule
	Shown       []findingView
	More        int
	Charts      []chart
	Accounts    []account
	QuietRows   []quietRow
	Usual       bool
	ClassRows   []ClassDelta
	ClassesLeft int
	ThreadLines []string

	IgnoredShown []Ignored
	IgnoredMore  int
}

type findingView struct {
	Finding
	HeldBy []Holder
	Steps  []stepView
	Rounds []roundView
	Unit   string // of Rounds' entries, "" if they are not counted
}

type stepView struct {
	Step
	Holder  bool
	Note    string
	Skipped int
}

type roundView struct {
	Number, Entries, Objects int
	Bytes                    uint64
}

func writeHTML(w io.Writer, r *Report, o Options) error {
	c := *r
	c.Findings = slices.Clone(r.Findings)
	c.Quiet = slices.Clone(r.Quiet)
	c.Normalize()
	p := &reportPage{Report: &c, Word: verdictWord(&c), Rules: o.Rules}
	if len(c.Captures) > 0 {
		p.About = captureLine(&c)
	}
	for _, f := range c.Findings[:min(len(c.Findings), maxHTMLFindings)] {
		p.Shown = append(p.Shown, viewFinding(f))
	}
	p.More = len(c.Findings) - len(p.Shown)
	captures := len(c.Captures)
	for _, f := range c.Findings {
		captures = max(captures, 1+len(f.Survivors.PerRound))
	}
	if captures > 1 {
		for _, panel := range []panel{survivorPanel(&c, captures), memoryPanel(&c, captures)} {
			if len(panel.series) > 0 {
				p.Charts = append(p.Charts, newChart(panel, &c, captures))
			}
		}
	}
	p.Accounts = accounts(c.Accounted)
	p.QuietRows = alike(c.Quiet)
	p.QuietRows = p.QuietRows[:min(len(p.QuietRows), maxHTMLRows)]
	p.Usual = len(c.Quiet) > 0 && c.Quiet[0].Judgement == "usual"
	p.ClassRows = c.Classes[:min(len(c.Classes), maxHTMLClasses)]
	p.ClassesLeft = len(c.Classes) - len(p.ClassRows)
	for _, t := range c.Threads {
		p.ThreadLines = append(p.ThreadLines, threadLine(t))
	}
	p.IgnoredShown = c.Ignored[:min(len(c.Ignored), maxHTMLFindings)]
	p.IgnoredMore = len(c.Ignored) - len(p.IgnoredShown)
	title := "heapsnap " + clip(c.Command, 20) + ": " + strings.ToLower(p.Word)
	if c.Target != "" {
		title = clip(lastName(c.Target), 60) + ": " + strings.ToLower(p.Word)
	}
	return writePage(w, htmlPage{Title: title, Report: p}, reportScripts, struct{}{})
}

func viewFinding(f Finding) findingView {
	v := findingView{Finding: f, HeldBy: f.Holders}
	if len(v.HeldBy) == 0 {
		v.HeldBy = []Holder{f.Holder}
	}
	s := &f.Survivors
	if len(s.Entries) == len(s.PerRound) && len(s.Entries) > 0 {
		if v.Unit = s.Unit; v.Unit == "" {
			v.Unit = "entries"
		}
	}
	for i, n := range s.PerRound {
		row := roundView{Number: i + 1, Objects: n}
		if v.Unit != "" {
			row.Entries = s.Entries[i]
		}
		if i < len(s.BytesPerRound) {
			row.Bytes = s.BytesPerRound[i]
		}
		v.Rounds = append(v.Rounds, row)
	}
	if len(f.Stack) > stackLines*4 {
		v.Stack = f.Stack[:stackLines*4]
	}
	end := pathEnd(&f)
	for i, step := range f.Path {
		if skipped := len(f.Path) - maxHTMLSteps; skipped > 0 && i >= maxHTMLSteps/2 && i < maxHTMLSteps/2+skipped {
			if i == maxHTMLSteps/2 {
				v.Steps = append(v.Steps, stepView{Skipped: skipped})
			}
			continue
		}
		row := stepView{Step: step}
		switch {
		case f.Holder.ID != 0 && step.ID == f.Holder.ID:
			row.Holder, row.Note = true, "← the holder"
		case i == len(f.Path)-1:
			row.Note = strings.TrimSpace(end)
		}
		v.Steps = append(v.Steps, row)
	}
	return v
}

// entriesOf is how many entries a holder had in each capture, in words.
func entriesOf(h Holder) string {
	var n []string
	for _, c := range h.PerCapture {
		n = append(n, FormatCount(c))
	}
	return strings.Join(n, " → ")
}

// chart is a panel of the growth plot, for the page's style sheet to colour.
type chart struct {
	Title          string
	Width, Height  int
	Lines          []chartLine
	YTicks, XTicks []chartTick
}

type chartLine struct {
	Name   string
	Color  int
	Points string
	Dots   []chartDot
}

type chartDot struct {
	X, Y  string
	Label string
}

type chartTick struct{ At, Text, Label, Anchor string }

// Where the data of a chart is, in its own units.
const (
	chartWidth  = 1000
	chartHeight = 240
	chartLeft   = 70
	chartRight  = chartWidth - 20
	chartTop    = 12
	chartBottom = chartHeight - 30
)

// Left and the others place the axes, for the template.
func (*reportPage) Left() int   { return chartLeft }
func (*reportPage) Right() int  { return chartRight }
func (*reportPage) LabelX() int { return chartLeft - 8 }
func (*reportPage) LabelY() int { return chartHeight - 8 }

func newChart(p panel, r *Report, captures int) chart {
	c := chart{Title: p.title, Width: chartWidth, Height: chartHeight}
	if !p.whole {
		c.Title += ", " + strings.TrimPrefix(p.y, "change, ")
	}
	lo, hi := 0.0, 0.0
	for _, s := range p.series {
		for _, v := range s.values {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	ticks := valueTicks(lo, hi, p.whole)
	lo, hi = ticks[0].Value, ticks[len(ticks)-1].Value
	x := func(i int) float64 {
		return chartLeft + float64(i)*(chartRight-chartLeft)/float64(captures-1)
	}
	y := func(v float64) float64 { return chartBottom - (v-lo)/(hi-lo)*(chartBottom-chartTop) }
	for _, t := range ticks {
		c.YTicks = append(c.YTicks, chartTick{At: fmt.Sprintf("%.1f", y(t.Value)), Text: fmt.Sprintf("%.1f", y(t.Value)+4), Label: t.Label})
	}
	names, _ := captureTicks(r, captures)
	every := 1 + (captures-1)/12
	for i, t := range names {
		if t.Label == "" || i%every != 0 {
			continue
		}
		anchor := "middle"
		switch {
		case i == 0 && len(t.Label) > 5:
			anchor = "start"
		case i == captures-1:
			anchor = "end"
		}
		label := t.Label
		if i > 0 && r.Command != "diff" {
			label = "round " + label
		}
		c.XTicks = append(c.XTicks, chartTick{At: fmt.Sprintf("%.1f", x(i)), Label: label, Anchor: anchor})
	}
	for i, s := range p.series {
		l := chartLine{Name: clip(s.name, htmlName), Color: i % colors}
		var points []string
		for k, v := range s.values {
			d := chartDot{X: fmt.Sprintf("%.1f", x(k)), Y: fmt.Sprintf("%.1f", y(v)), Label: fmt.Sprintf("%.2f", v)}
			if p.whole {
				d.Label = FormatCount(int(v))
			}
			points = append(points, d.X+","+d.Y)
			l.Dots = append(l.Dots, d)
		}
		l.Points = strings.Join(points, " ")
		c.Lines = append(c.Lines, l)
	}
	return c
}

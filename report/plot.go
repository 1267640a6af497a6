package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The growth plot is one picture of two panels: above, what is never freed
// and who holds it; below, the memory of the process over the same captures.
// The same report gives the same bytes.

// Size is the size of a picture in pixels.
type Size struct{ Width, Height int }

// DefaultSize is that of the growth plot, for a dimension that is 0.
var DefaultSize = Size{Width: 1200, Height: 1000}

const (
	dpi         = 144 // pixels per inch: small type stays readable in the PNG
	plotSeries  = 5   // lines that can still be told apart
	wordyTicks  = 9   // captures up to which the first tick is a word
	margin      = vg.Length(12)
	legendGap   = vg.Length(3)
	legendThumb = vg.Length(26)
)

// palette is Okabe and Ito's, which stays distinct for the colour-blind; each
// colour also has its own mark.
var palette = []struct {
	color color.RGBA
	shape draw.GlyphDrawer
}{
	{color.RGBA{0xd5, 0x5e, 0x00, 0xff}, draw.CircleGlyph{}},
	{color.RGBA{0x00, 0x72, 0xb2, 0xff}, draw.SquareGlyph{}},
	{color.RGBA{0x00, 0x9e, 0x73, 0xff}, draw.PyramidGlyph{}},
	{color.RGBA{0xcc, 0x79, 0xa7, 0xff}, draw.BoxGlyph{}},
	{color.RGBA{0xe6, 0x9f, 0x00, 0xff}, draw.RingGlyph{}},
}

var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	faint = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}
)

func face(size vg.Length, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

func words(size vg.Length, bold bool) text.Style {
	return text.Style{Color: ink, Font: face(size, bold), Handler: plot.DefaultTextHandler, YAlign: draw.YTop}
}

// series is one line of a panel, a value per capture; name is shown in the
// legend, tick under its bar where there is but one capture.
type series struct {
	name   string
	tick   string
	values []float64
}

type panel struct {
	title  string
	y      string
	series []series
	whole  bool // values are counts: no ticks between them
	zero   bool // the axis starts at 0 whatever the values are
}

// Plot draws the growth plot of r as SVG or PNG.
func Plot(w io.Writer, r *Report, f Format, size Size) error {
	return picture(w, f, size, DefaultSize, func(c draw.Canvas) error { return drawReport(c, r) })
}

// picture writes what paint draws as SVG or PNG; what size leaves open is as
// usual.
func picture(w io.Writer, f Format, size, usual Size, paint func(draw.Canvas) error) error {
	if size.Width <= 0 {
		size.Width = usual.Width
	}
	if size.Height <= 0 {
		size.Height = usual.Height
	}
	width, height := vg.Length(size.Width)*vg.Inch/dpi, vg.Length(size.Height)*vg.Inch/dpi
	switch f {
	case SVG:
		c := vgsvg.New(width, height)
		if err := paint(draw.New(c)); err != nil {
			return err
		}
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			return err
		}
		_, err := w.Write(webFonts(b.Bytes()))
		return err
	case PNG:
		c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
		if err := paint(draw.New(c)); err != nil {
			return err
		}
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
		return err
	}
	return fmt.Errorf("%w: the plot is svg or png, not %s", ErrNoForm, f)
}

// webFonts names fonts that readers of an SVG have: few have Liberation Sans,
// and Arial and Helvetica are as wide.
func webFonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
}

func plotAs(f Format) func(io.Writer, *Report, Options) error {
	return func(w io.Writer, r *Report, _ Options) error { return Plot(w, r, f, Size{}) }
}

// sheet paints the ground of a picture and returns what its margins leave.
func sheet(c draw.Canvas) draw.Canvas {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	return draw.Crop(c, margin, -margin, margin, -margin)
}

// drawHeadline writes a text at the top, in as many lines as it needs, and
// returns where the last one ends.
func drawHeadline(c draw.Canvas, text string) (y vg.Length) {
	title := words(13, true)
	y = c.Max.Y
	for _, l := range fitLines(title, text, c.Max.X-c.Min.X) {
		c.FillText(title, vg.Point{X: c.Min.X, Y: y}, l)
		y -= title.FontExtents().Height + 1
	}
	return y
}

// newAxes is a plot with nothing but its axes and horizontal lines.
func newAxes(x, y string) *plot.Plot {
	plt := plot.New()
	for _, a := range []*plot.Axis{&plt.X, &plt.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = face(10, false), face(9.5, false)
		a.Label.TextStyle.Color, a.Tick.Label.Color, a.Color, a.Tick.Color = ink, ink, ink, ink
	}
	plt.X.Padding, plt.Y.Padding = 0, 0
	plt.X.Label.Text, plt.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, faint
	plt.Add(grid)
	return plt
}

func drawReport(c draw.Canvas, r *Report) error {
	c = sheet(c)
	y := drawHeadline(c, headline(r)) - 3
	sub := words(9.5, false)
	if len(r.Captures) > 0 {
		c.FillText(sub, vg.Point{X: c.Min.X, Y: y}, fitText(sub, clip(captureLine(r), 200), c.Max.X-c.Min.X))
	}
	y -= sub.FontExtents().Height + 10

	captures := max(1, len(r.Captures))
	for _, f := range r.Findings {
		captures = max(captures, 1+len(f.Survivors.PerRound))
	}
	panels := []panel{survivorPanel(r, captures), memoryPanel(r, captures)}
	// The panels share the height that titles and legends leave, the upper one
	// getting a little more, and their axes stand in one line.
	var plots []*plot.Plot
	var heads []vg.Length
	room := y - c.Min.Y
	for i, p := range panels {
		plt, err := p.plot(r, captures, i == len(panels)-1)
		if err != nil {
			return err
		}
		plots = append(plots, plt)
		heads = append(heads, p.headHeight())
		room -= p.headHeight() + 14
	}
	shares := []float64{0.52, 0.48}
	var areas []draw.Canvas
	left := vg.Length(0)
	for i, p := range panels {
		h := room * vg.Length(shares[i])
		head := c
		head.Max.Y, head.Min.Y = y, y-heads[i]
		p.drawHead(head)
		area := c
		area.Max.Y, area.Min.Y = y-heads[i], y-heads[i]-h
		areas = append(areas, area)
		left = max(left, plots[i].DataCanvas(area).Min.X-area.Min.X)
		y -= heads[i] + h + 14
	}
	for i, plt := range plots {
		own := plt.DataCanvas(areas[i]).Min.X - areas[i].Min.X
		plt.Draw(draw.Crop(areas[i], left-own, 0, 0, 0))
	}
	return nil
}

// headline is the verdict as the title of the picture.
func headline(r *Report) string {
	s := clip(r.Sentence, 200)
	if s == "" {
		s = "heapsnap: " + clip(string(r.Verdict), 20)
	}
	return s
}

// survivorPanel shows the worst findings or, without any, the number of
// objects.
func survivorPanel(r *Report, captures int) panel {
	if len(r.Findings) > 0 && captures == 1 {
		p := panel{title: "What holds the heap: memory that would be freed if the holder let go", y: "MiB", zero: true}
		for i, f := range r.Findings[:min(len(r.Findings), plotSeries)] {
			p.series = append(p.series, series{
				name:   fmt.Sprintf("%d. %s: %s, %s", i+1, f.Rule, holderName(f), FormatBytes(f.Survivors.Bytes)),
				tick:   strconv.Itoa(i + 1),
				values: []float64{mebibytes(f.Survivors.Bytes)},
			})
		}
		return p
	}
	if len(r.Findings) > 0 {
		p := panel{title: "Objects that are never freed, by who holds them", y: "objects kept alive", whole: true, zero: true}
		if r.Verdict != Leak {
			p.title = "Objects that were not freed so far, by who holds them"
		}
		for _, f := range r.Findings[:min(len(r.Findings), plotSeries)] {
			p.series = append(p.series, series{
				name:   fmt.Sprintf("%s: %s, %s", f.Rule, holderName(f), growthWords(f.Survivors.PerRound, f.Survivors.Bytes)),
				values: cumulative(f.Survivors.PerRound, captures),
			})
		}
		if n := len(r.Findings) - plotSeries; n > 0 {
			p.title += fmt.Sprintf(" (the worst %d of %d)", plotSeries, len(r.Findings))
		}
		return p
	}
	// What is bounded or warm-up is not drawn: by their births alone, the
	// newest entries of a cache look like growth. The whole heap does not.
	p := panel{title: "Objects in the heap", y: "objects", whole: true, zero: true}
	s := series{name: "objects", tick: "objects"}
	for _, c := range r.Captures {
		s.values = append(s.values, float64(c.Objects))
	}
	s.name = change("all objects", s.values, func(v float64) string { return FormatCount(int(v)) })
	if len(s.values) > 0 {
		p.series = []series{s}
	}
	return p
}

// memoryPanel shows changes, not figures: RSS is mostly not heap, and beside
// its height a growing heap would be a flat line.
func memoryPanel(r *Report, captures int) panel {
	p := panel{title: "Memory", y: "MiB", zero: captures == 1}
	if captures > 1 {
		p.title, p.y = "Memory: change since the first capture", "change, MiB"
	}
	add := func(name string, figure func(Capture) uint64) {
		s := series{tick: name}
		known := len(r.Captures) > 0
		for _, c := range r.Captures {
			known = known && figure(c) > 0 // a change needs both figures
			s.values = append(s.values, mebibytes(figure(c)))
		}
		if !known {
			return
		}
		s.name = change(name, s.values, func(v float64) string { return fmt.Sprintf("%.1f", v) }) + " MiB"
		if captures > 1 {
			first := s.values[0]
			for i := range s.values {
				s.values[i] -= first
			}
		}
		p.series = append(p.series, s)
	}
	add("heap used", func(c Capture) uint64 { return c.HeapUsed })
	add("objects in the snapshot", func(c Capture) uint64 { return c.Bytes })
	before := len(p.series)
	add("RSS", func(c Capture) uint64 { return c.RSS })
	if len(p.series) > before && captures > 1 {
		// Measured on Node 18 to 26: what a snapshot took is not given back.
		p.series[before].name += " (snapshots raise it: no sign of a leak)"
	}
	return p
}

func holderName(f Finding) string {
	name := f.Holder.Name
	if name == "" {
		name = f.Holder.Class
	}
	return clip(name, 56)
}

// growthWords is "+100 each round, 39.1 KiB", or the range where rounds differ.
func growthWords(perRound []int, size uint64) string {
	if len(perRound) == 0 {
		return FormatBytes(size)
	}
	lo, hi := perRound[0], perRound[0]
	for _, n := range perRound {
		lo, hi = min(lo, n), max(hi, n)
	}
	s := signedCount(lo)
	if lo != hi {
		s += " to " + signedCount(hi)
	}
	if len(perRound) > 1 {
		s += " each round"
	}
	return s + ", " + FormatBytes(size)
}

func change(name string, values []float64, show func(float64) string) string {
	if len(values) == 0 {
		return name
	}
	first, last := show(values[0]), show(values[len(values)-1])
	if len(values) == 1 {
		return name + " " + first
	}
	return name + " " + first + " → " + last
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

// cumulative turns what each round added into what there was at each capture.
func cumulative(perRound []int, captures int) []float64 {
	out := make([]float64, captures)
	for i := 1; i < captures; i++ {
		out[i] = out[i-1]
		if i-1 < len(perRound) {
			out[i] += float64(perRound[i-1])
		}
	}
	return out
}

// The head of a panel is its title and its legend, a row per series, above
// the data so that it can never cover them.

func (p panel) headHeight() vg.Length {
	entry := words(10, false).FontExtents().Height + legendGap
	return words(11.5, true).FontExtents().Height + 5 + vg.Length(len(p.series))*entry + 6
}

func (p panel) drawHead(c draw.Canvas) {
	title := words(11.5, true)
	width := c.Max.X - c.Min.X
	c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y}, fitText(title, p.title, width))
	name := words(10, false)
	y := c.Max.Y - title.FontExtents().Height - 5
	h := name.FontExtents().Height
	for i, s := range p.series {
		mid := y - h/2 - 1
		c.StrokeLine2(lineStyle(i), c.Min.X, mid, c.Min.X+legendThumb, mid)
		c.DrawGlyphNoClip(markStyle(i), vg.Point{X: c.Min.X + legendThumb/2, Y: mid})
		at := vg.Point{X: c.Min.X + legendThumb + 6, Y: y}
		c.FillText(name, at, fitText(name, clip(s.name, 160), width-legendThumb-6))
		y -= h + legendGap
	}
}

func lineStyle(i int) draw.LineStyle {
	return draw.LineStyle{Color: palette[i%len(palette)].color, Width: vg.Points(1.8)}
}

func markStyle(i int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: palette[i%len(palette)].color, Radius: vg.Points(3), Shape: palette[i%len(palette)].shape}
}

// plot makes the axes and the data; the x axis is named under the last panel
// only.
func (p panel) plot(r *Report, captures int, last bool) (*plot.Plot, error) {
	plt := newAxes("", p.y)
	plt.Y.Label.Padding = 4

	lo, hi := math.Inf(1), math.Inf(-1)
	var bars []plot.Tick
	for i, s := range p.series {
		for _, v := range s.values {
			lo, hi = min(lo, v), max(hi, v)
		}
		if captures == 1 {
			b, err := plotter.NewBarChart(plotter.Values(s.values), vg.Points(40))
			if err != nil {
				return nil, err
			}
			b.Color, b.XMin = palette[i%len(palette)].color, float64(i)
			b.LineStyle.Width = 0
			plt.Add(b)
			bars = append(bars, plot.Tick{Value: float64(i), Label: s.tick})
			continue
		}
		xys := make(plotter.XYs, len(s.values))
		for j, v := range s.values {
			xys[j] = plotter.XY{X: float64(j), Y: v}
		}
		l, err := plotter.NewLine(xys)
		if err != nil {
			return nil, err
		}
		l.LineStyle = lineStyle(i)
		marks, err := plotter.NewScatter(xys)
		if err != nil {
			return nil, err
		}
		marks.GlyphStyle = markStyle(i)
		plt.Add(l, marks)
	}
	if lo > hi { // no series
		lo, hi = 0, 1
	}
	if p.zero {
		lo = 0
	}
	ticks := valueTicks(lo, hi, p.whole)
	plt.Y.Min, plt.Y.Max = ticks[0].Value, ticks[len(ticks)-1].Value
	plt.Y.Tick.Marker = plot.ConstantTicks(ticks)

	if captures == 1 {
		plt.X.Min, plt.X.Max = -0.6, max(1.6, float64(len(p.series))-0.4)
		plt.X.Tick.Marker = plot.ConstantTicks(bars)
		return plt, nil
	}
	plt.X.Min, plt.X.Max = 0, float64(captures-1)
	ticks, title := captureTicks(r, captures)
	plt.X.Tick.Marker = plot.ConstantTicks(ticks)
	if last {
		plt.X.Label.Text = title
	}
	return plt, nil
}

// captureTicks numbers the captures: files from 1, rounds from the capture
// after the warm-up on.
func captureTicks(r *Report, captures int) ([]plot.Tick, string) {
	from, first, title := 0, "after warm-up", "round"
	switch {
	case r.Command == "diff":
		from, first, title = 1, "1", "capture"
	case captures > wordyTicks:
		first, title = "0", "round (0: after warm-up)"
	}
	every := 1 + (captures-1)/20
	var ticks []plot.Tick
	for i := range captures {
		label := strconv.Itoa(from + i)
		switch {
		case i == 0:
			label = first
		case i%every != 0:
			label = ""
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
	}
	return ticks, title
}

// valueTicks returns four to seven round values that enclose lo to hi.
func valueTicks(lo, hi float64, whole bool) []plot.Tick {
	if hi <= lo {
		hi = lo + 1
	}
	raw := (hi - lo) / 5
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	if whole {
		step = max(1, math.Ceil(step))
	}
	decimals := 0
	for f := step; decimals < 6 && math.Abs(f-math.Round(f)) > 1e-6; f *= 10 {
		decimals++
	}
	from, to := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	var ticks []plot.Tick
	for k := from; k <= to; k++ {
		v := k * step
		label := strconv.FormatFloat(v, 'f', decimals, 64)
		if decimals == 0 {
			label = FormatCount(int(v))
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

// fitText clips s until it is at most width wide in the style.
func fitText(style text.Style, s string, width vg.Length) string {
	s = Printable(s)
	for n := columns(s); style.Width(s) > width && n > 1; n -= max(1, n/20) {
		s = clip(s, n)
	}
	return strings.TrimSpace(s)
}

// fitLines breaks s into two lines of at most width, and clips the second.
func fitLines(style text.Style, s string, width vg.Length) []string {
	line, rest := "", strings.Fields(s)
	for len(rest) > 0 && style.Width(line+" "+rest[0]) <= width {
		line = strings.TrimSpace(line + " " + rest[0])
		rest = rest[1:]
	}
	switch {
	case len(rest) == 0:
		return []string{line}
	case line == "":
		return []string{fitText(style, s, width)}
	}
	return []string{line, fitText(style, strings.Join(rest, " "), width)}
}

package report

import (
	"fmt"
	"image/color"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The picture of a loop is one time axis: blocks as bars as high as they are
// long, coloured by cause, collections as ticks below, and how late the loop was
// as a line.

// loopSize is the picture's size where none is given.
var loopSize = Size{Width: 1200, Height: 640}

// plotLoop draws r as SVG or PNG.
func plotLoop(w io.Writer, r *Loop, f Format, size Size) error {
	return picture(w, f, size, loopSize, func(c draw.Canvas) error { return drawLoop(c, r) })
}

// causeOrder is the causes of r by time, which is the order of their colours.
func causeOrder(r *Loop) []string {
	var order []string
	for _, c := range r.Causes {
		if slices.ContainsFunc(r.Blocks, func(b LoopBlock) bool { return b.Cause == c.Cause }) {
			order = append(order, c.Cause)
		}
	}
	for _, b := range r.Blocks {
		if !slices.Contains(order, b.Cause) {
			order = append(order, b.Cause)
		}
	}
	return order
}

var (
	lateColor = color.RGBA{0x66, 0x66, 0x66, 0xff}
	gcColor   = color.RGBA{0x99, 0x99, 0x99, 0xff}
)

func drawLoop(c draw.Canvas, r *Loop) error {
	c = sheet(c)
	headline := clip(r.Sentence, 200)
	if headline == "" {
		headline = "heapsnap loop: " + clip(string(r.Verdict), 20)
	}
	y := drawHeadline(c, headline) - 3
	sub := words(9.5, false)
	about := fmt.Sprintf("delay p50 %s, p99 %s, max %s; utilization %.0f %%, garbage collection %.0f %%",
		FormatMS(r.Delay.P50), FormatMS(r.Delay.P99), FormatMS(r.Delay.Max), 100*r.Utilization, 100*r.GCShare)
	if r.Target != "" {
		about = clip(r.Target, 60) + ": " + about
	}
	c.FillText(sub, vg.Point{X: c.Min.X, Y: y}, fitText(sub, about, c.Max.X-c.Min.X))
	y -= sub.FontExtents().Height + 8

	order := causeOrder(r)
	colors := newLegend(c, y)
	for i, name := range order {
		colors.add(palette[i%len(palette)].color, clip("block: "+name, 30))
	}
	if len(r.Curve) > 0 {
		colors.add(lateColor, "delay, first phase")
	}
	if len(r.GCs) > 0 {
		colors.add(gcColor, "garbage collection")
	}
	y = colors.end()

	plt := newAxes("seconds since the beginning", "ms that the loop did not turn")
	plt.Y.Label.Padding = 4

	end, top := r.DurationMS/1000, r.ThresholdMS*1.2
	for _, b := range r.Blocks {
		top, end = max(top, b.DurationMS), max(end, (b.StartMS+b.WallMS)/1000)
	}
	for _, l := range r.Curve {
		top = max(top, l.LateMS)
	}
	ticks := valueTicks(0, top, false)
	plt.Y.Min, plt.Y.Max = 0, ticks[len(ticks)-1].Value
	plt.Y.Tick.Marker = plot.ConstantTicks(ticks)
	seconds := valueTicks(0, max(end, 0.1), false)
	plt.X.Min, plt.X.Max = 0, seconds[len(seconds)-1].Value
	plt.X.Tick.Marker = plot.ConstantTicks(seconds)
	plt.Add(loopMarks{r, order, plt.Y.Max})
	if len(r.Curve) > 0 {
		xys := make(plotter.XYs, len(r.Curve))
		for i, l := range r.Curve {
			xys[i] = plotter.XY{X: l.AtMS / 1000, Y: l.LateMS}
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: lateColor, Width: vg.Points(1.4)}
		plt.Add(line)
	}
	area := c
	area.Max.Y = y
	plt.Draw(area)
	return nil
}

// loopMarks draws blocks and collections; it is a plot.Plotter.
type loopMarks struct {
	r     *Loop
	order []string
	top   float64
}

func (m loopMarks) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	const thin = vg.Length(1.5) // a block of 50 ms in a minute is still seen
	bar := func(col color.Color, from, to, bottom, top float64) {
		x0, x1 := tx(from/1000), tx(to/1000)
		if x1-x0 < thin {
			x1 = x0 + thin
		}
		c.SetColor(col)
		c.Fill(vg.Rectangle{Min: vg.Point{X: x0, Y: ty(bottom)}, Max: vg.Point{X: x1, Y: ty(top)}}.Path())
	}
	for _, b := range m.r.Blocks {
		i := slices.Index(m.order, b.Cause)
		bar(palette[i%len(palette)].color, b.StartMS, b.StartMS+b.WallMS, 0, b.DurationMS)
	}
	for _, g := range m.r.GCs {
		bar(gcColor, g.StartMS, g.StartMS+g.DurationMS, 0, m.top*0.02)
	}
	// The threshold.
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: vg.Points(0.7), Dashes: []vg.Length{4, 3}},
		c.Min.X, ty(m.r.ThresholdMS), c.Max.X, ty(m.r.ThresholdMS))
}

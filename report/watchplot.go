package report

import (
	"fmt"
	"io"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The picture of what was watched is one panel per process: resident memory,
// heap and what is outside over time, dots for what full collections left, and
// the limits as dashed lines where they are near enough to be seen.

var watchSize = Size{Width: 1200, Height: 640}

func plotWatch(w io.Writer, r *Watch, f Format, size Size) error {
	usual := watchSize
	usual.Height *= panels(len(r.Targets))
	return picture(w, f, size, usual, func(c draw.Canvas) error { return drawWatch(c, r) })
}

func drawWatch(c draw.Canvas, r *Watch) error {
	return drawPanels(c, len(r.Targets), func(c draw.Canvas, i int) error { return drawWatchTarget(c, &r.Targets[i]) })
}

func drawWatchTarget(c draw.Canvas, t *WatchTarget) error {
	name := t.Name
	if t.Script != "" {
		name = lastName(t.Script)
	}
	y := drawHeadline(c, clip(name, 60)+": "+clip(t.Sentence, 200)) - 4
	if len(t.Curve) == 0 {
		return nil
	}
	const mib = 1 << 20
	start := t.Curve[0].Time
	at := func(when time.Time) float64 { return when.Sub(start).Seconds() }
	unit, div := "seconds", 1.0
	if end := at(t.Curve[len(t.Curve)-1].Time); end > 5400 {
		unit, div = "hours", 3600
	} else if end > 180 {
		unit, div = "minutes", 60
	}
	curve := func(of func(p WatchPoint) uint64) plotter.XYs {
		xys := make(plotter.XYs, 0, len(t.Curve))
		for _, p := range t.Curve {
			if len(p.Threads) > 0 {
				xys = append(xys, plotter.XY{X: at(p.Time) / div, Y: float64(of(p)) / mib})
			}
		}
		return xys
	}
	lines := []struct {
		name string
		xys  plotter.XYs
	}{
		{"resident memory", curve(func(p WatchPoint) uint64 { return p.RSS })},
		{"heap used, main thread", curve(func(p WatchPoint) uint64 { return p.Threads[0].HeapUsed })},
		{"external, main thread", curve(func(p WatchPoint) uint64 { return p.Threads[0].External })},
	}
	var live plotter.XYs
	for _, l := range t.Live {
		if l.ThreadID == 0 && !l.Time.Before(start) {
			live = append(live, plotter.XY{X: at(l.Time) / div, Y: float64(l.Used) / mib})
		}
	}
	colors := newLegend(c, y)
	plt := newAxes(unit+" since the beginning", "MiB")
	top, end := 1.0, 0.1
	for i, l := range lines {
		for _, xy := range l.xys {
			top, end = max(top, xy.Y), max(end, xy.X)
		}
		if len(l.xys) == 0 {
			continue
		}
		line, err := plotter.NewLine(l.xys)
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: palette[i].color, Width: vg.Points(1.4)}
		plt.Add(line)
		colors.add(palette[i].color, l.name)
	}
	if len(live) > 0 {
		dots, err := plotter.NewScatter(live)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}
		plt.Add(dots)
		colors.add(ink, "left by full collections")
	}
	last := t.Curve[len(t.Curve)-1]
	limits := []struct {
		name  string
		bytes uint64
	}{{"container's limit", last.Container}}
	if len(last.Threads) > 0 {
		limits = append(limits, struct {
			name  string
			bytes uint64
		}{"heap limit", last.Threads[0].OldLimit})
	}
	for _, l := range limits {
		v := float64(l.bytes) / mib
		if l.bytes == 0 || v > 3*top { // too far away to be drawn without flattening the rest
			continue
		}
		top = max(top, v)
		line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: v}, {X: end, Y: v}})
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: palette[0].color, Width: vg.Points(1), Dashes: []vg.Length{4, 3}}
		plt.Add(line)
		colors.add(faint, fmt.Sprintf("- - %s %.0f MiB", l.name, v))
	}
	y = colors.end()
	ticks := valueTicks(0, top*1.05, false)
	plt.Y.Min, plt.Y.Max = 0, ticks[len(ticks)-1].Value
	plt.Y.Tick.Marker = plot.ConstantTicks(ticks)
	xs := valueTicks(0, end, false)
	plt.X.Min, plt.X.Max = 0, max(end, xs[len(xs)-1].Value)
	plt.X.Tick.Marker = plot.ConstantTicks(xs)
	area := c
	area.Max.Y = y
	plt.Draw(area)
	return nil
}

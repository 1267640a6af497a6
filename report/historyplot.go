package report

import (
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The picture of a history is one panel per scenario: the heap's growth per round
// of each run in order, with the run where it rose, and since when leaks are there.

var historySize = Size{Width: 1200, Height: 560}

const (
	historyTicks = 14 // commits that fit side by side
	historyLeaks = 3  // named above a panel
)

func plotHistory(w io.Writer, r *History, f Format, size Size) error {
	usual := historySize
	usual.Height *= panels(len(r.Scenarios))
	return picture(w, f, size, usual, func(c draw.Canvas) error { return drawHistory(c, r) })
}

func drawHistory(c draw.Canvas, r *History) error {
	return drawPanels(c, len(r.Scenarios), func(c draw.Canvas, i int) error { return drawScenario(c, &r.Scenarios[i]) })
}

func drawScenario(c draw.Canvas, s *HistoryScenario) error {
	y := drawHeadline(c, clip(s.Name, 100)+": growth per round of the heap") - 3
	sub := words(9.5, false)
	say := func(text string) {
		c.FillText(sub, vg.Point{X: c.Min.X, Y: y}, fitText(sub, text, c.Max.X-c.Min.X))
		y -= sub.FontExtents().Height + 2
	}
	if s.Step != nil {
		say(s.stepWords())
	}
	for i, l := range s.Leaks[:min(len(s.Leaks), historyLeaks)] {
		say(clip(l.Title, 120) + ": " + s.leakSince(i))
	}
	y -= 8
	if len(s.Runs) == 0 {
		return nil
	}
	const kib = 1 << 10
	low, high := 0.0, 1.0
	all, bad := plotter.XYs{}, plotter.XYs{} // bad: of runs that failed
	for i, r := range s.Runs {
		v := r.Heap / kib
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		low, high = min(low, v), max(high, v)
		xy := plotter.XY{X: float64(i), Y: v}
		all = append(all, xy)
		if r.Verdict == Leak || r.Verdict == OverBudget {
			bad = append(bad, xy)
		}
	}
	if len(all) == 0 {
		return nil
	}
	line, err := plotter.NewLine(all)
	if err != nil {
		return err
	}
	line.LineStyle = draw.LineStyle{Color: palette[1].color, Width: vg.Points(1.4)}
	dots, err := plotter.NewScatter(all)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: palette[1].color, Radius: vg.Points(2.5), Shape: palette[1].shape}
	plt := newAxes("commit", "KiB a round")
	plt.Add(line, dots)
	colors := newLegend(c, y)
	colors.add(palette[1].color, "growth")
	if len(bad) > 0 {
		marks, err := plotter.NewScatter(bad)
		if err != nil {
			return err
		}
		marks.GlyphStyle = draw.GlyphStyle{Color: palette[0].color, Radius: vg.Points(4), Shape: palette[0].shape}
		plt.Add(marks)
		colors.add(palette[0].color, "runs that failed")
	}
	ticks := valueTicks(low, high*1.05, false)
	plt.Y.Min, plt.Y.Max = ticks[0].Value, ticks[len(ticks)-1].Value
	plt.Y.Tick.Marker = plot.ConstantTicks(ticks)
	if s.Step != nil {
		x := float64(s.Step.Run) - 0.5
		rose, err := plotter.NewLine(plotter.XYs{{X: x, Y: plt.Y.Min}, {X: x, Y: plt.Y.Max}})
		if err != nil {
			return err
		}
		rose.LineStyle = draw.LineStyle{Color: ink, Width: vg.Points(1), Dashes: []vg.Length{4, 3}}
		plt.Add(rose)
		colors.add(ink, "- - it rose")
	}
	// Half a run of room on both sides: the outer commits' names are as wide as that.
	plt.X.Min, plt.X.Max = -0.5, float64(len(s.Runs))-0.5
	var commits []plot.Tick
	every := 1 + (len(s.Runs)-1)/historyTicks
	for i, r := range s.Runs {
		if i%every == 0 {
			commits = append(commits, plot.Tick{Value: float64(i), Label: clip(r.commit(), 10)})
		}
	}
	plt.X.Tick.Marker = plot.ConstantTicks(commits)
	area := c
	area.Max.Y = colors.end()
	plt.Draw(area)
	return nil
}

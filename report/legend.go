package report

import (
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A legend names colours in lines of words above a picture.
type legend struct {
	c    draw.Canvas
	word text.Style
	x, y vg.Length // of the next word
}

func newLegend(c draw.Canvas, y vg.Length) *legend {
	return &legend{c, words(10, false), c.Min.X, y}
}

// add names a colour, in a new line where this one is full.
func (l *legend) add(col color.Color, name string) {
	if need := l.word.Width(name) + 24; l.x+need > l.c.Max.X && l.x > l.c.Min.X {
		l.x, l.y = l.c.Min.X, l.y-l.word.FontExtents().Height-3
	}
	l.c.SetColor(col)
	mid := l.y - l.word.FontExtents().Height/2
	l.c.Fill(vg.Rectangle{Min: vg.Point{X: l.x, Y: mid - 3}, Max: vg.Point{X: l.x + 8, Y: mid + 3}}.Path())
	l.c.FillText(l.word, vg.Point{X: l.x + 12, Y: l.y}, name)
	l.x += l.word.Width(name) + 26
}

// end is where the picture may begin.
func (l *legend) end() vg.Length { return l.y - l.word.FontExtents().Height - 8 }

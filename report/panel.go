package report

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxPanels is how many panels a picture has: more would be too small to read.
const maxPanels = 4

// panels is how many a picture of so many things has, one at least.
func panels(things int) int { return max(1, min(things, maxPanels)) }

// drawPanels divides a picture among the first of its things, one below the other.
func drawPanels(c draw.Canvas, things int, panel func(c draw.Canvas, i int) error) error {
	c = sheet(c)
	height := (c.Max.Y - c.Min.Y) / vg.Length(panels(things))
	for i := range min(things, maxPanels) {
		part := c
		part.Max.Y = c.Max.Y - vg.Length(i)*height
		part.Min.Y = part.Max.Y - height + margin/2
		if err := panel(part, i); err != nil {
			return err
		}
	}
	return nil
}

package report

import (
	"testing"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Panels stand one below the other within the sheet, and are four at most.
func TestPanelsDoNotOverlap(t *testing.T) {
	for _, things := range []int{0, 1, 3, 4, 9} {
		whole := draw.New(vgsvg.New(600, 400))
		var drawn []draw.Canvas
		if err := drawPanels(whole, things, func(c draw.Canvas, i int) error {
			if i != len(drawn) {
				t.Errorf("%d things: panel %d is drawn after %d", things, i, len(drawn))
			}
			drawn = append(drawn, c)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(drawn) != min(things, maxPanels) {
			t.Errorf("%d things: %d panels", things, len(drawn))
		}
		above := whole.Max.Y
		for i, c := range drawn {
			if c.Max.Y > above || c.Min.Y >= c.Max.Y || c.Min.Y < whole.Min.Y {
				t.Errorf("%d things: panel %d is from %v down to %v, the one above ends at %v", things, i, c.Max.Y, c.Min.Y, above)
			}
			above = c.Min.Y
		}
	}
}

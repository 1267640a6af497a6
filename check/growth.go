package check

import (
	"math"

	"heapsnap/report"
	"heapsnap/trend"
)

// What a trend has to be to count as rising.
const (
	// decides is the probability below which chance is ruled out; it takes four
	// captures to come below it at all.
	decides = 0.05
	// risingBytes and risingObjects per round are beyond what programs that do
	// not leak show once they are warm, see docs/gate.md.
	risingBytes   = 64 << 10
	risingObjects = 500
)

// growth is how memory moved over the captures of r, whose findings and account
// are there already; nil where there is one capture only.
func growth(r *report.Report) *report.Trends {
	n := len(r.Captures)
	if n < 2 {
		return nil
	}
	heap, objects, external := make([]float64, n), make([]float64, n), make([]float64, n)
	outside := true // every capture knows of it
	for i, c := range r.Captures {
		heap[i], objects[i], external[i] = float64(c.Bytes), float64(c.Objects), float64(c.External)
		outside = outside && c.External > 0
	}
	// What is held by a finding was all there in the capture after its round, as
	// none of it was let go. So taking it out leaves the rest, capture by capture.
	rest, held := make([]float64, n), 0.0
	copy(rest, heap)
	for i := 1; i < n; i++ {
		for _, f := range r.Findings {
			if i-1 < len(f.Survivors.BytesPerRound) {
				held += float64(f.Survivors.BytesPerRound[i-1])
			}
		}
		rest[i] -= held
	}
	g := &report.Trends{
		Heap:        rounded(byRound(heap), risingBytes),
		Objects:     rounded(byRound(objects), risingObjects),
		Explained:   math.Round(held / float64(n-1)),
		Unexplained: rounded(unexplained(rest, r.Accounted), risingBytes),
	}
	if outside {
		t := rounded(byRound(external), risingBytes)
		g.External = &t
	}
	return g
}

// byRound is the trend of a figure with a value for each capture, oldest first.
func byRound(values []float64) trend.Trend {
	rounds := make([]float64, len(values))
	for i := range rounds {
		rounds[i] = float64(i)
	}
	return trend.Of(rounds, values)
}

// unexplained is the trend of what the findings leave, less what is known to be
// harmless: a cache that fills, a warm-up. Which of that was there in which
// capture is not known. But at least what the account has left over is new and
// held by nobody, so no more than that can be unexplained.
func unexplained(rest []float64, a report.Accounted) trend.Trend {
	t := byRound(rest)
	nobodys := float64(a.Churn+a.Small) / float64(len(rest)-1)
	if t.Slope > nobodys {
		by := t.Slope - nobodys
		t.Slope, t.Low, t.High = nobodys, t.Low-by, t.High-by
	}
	return t
}

// rounded leaves out digits that mean nothing, and that another processor may
// compute differently.
func rounded(t trend.Trend, rising float64) report.Trend {
	return report.Trend{
		PerRound: tenths(t.Slope), Low: tenths(t.Low), High: tenths(t.High), P: math.Round(t.P*1e6) / 1e6,
		Rising: t.P < decides && t.Slope >= rising,
	}
}

// tenths adds 0 so that nothing is -0.
func tenths(v float64) float64 { return math.Round(v*10)/10 + 0 }

package trend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func evenly(n int) []float64 {
	t := make([]float64, n)
	for i := range t {
		t[i] = float64(i)
	}
	return t
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		times  []float64
		values []float64
		slope  float64
		p      float64
	}{
		{"a line", evenly(5), []float64{1, 3, 5, 7, 9}, 2, 1.0 / 120},
		{"one value lies off", evenly(7), []float64{1, 2, 3, 90, 5, 6, 7}, 1, 0.0151},
		{"falling", evenly(4), []float64{4, 3, 2, 1}, -1, 1},
		{"uneven times", []float64{0, 1, 10, 30}, []float64{0, 2, 20, 60}, 2, 1.0 / 24},
		{"all equal", evenly(5), []float64{3, 3, 3, 3, 3}, 0, 1},
		{"one value", evenly(1), []float64{3}, 0, 1},
		{"no time between", []float64{1, 1}, []float64{3, 4}, 0, 1},
	} {
		got := Of(c.times, c.values)
		if math.Abs(got.Slope-c.slope) > 1e-9 || math.Abs(got.P-c.p) > 5e-4 || got.Low > got.Slope || got.High < got.Slope {
			t.Errorf("%s: %+v, want slope %g, p %g", c.name, got, c.slope, c.p)
		}
	}
	if got := Of(evenly(3), []float64{10, 12, 14}); got.Level != 10 || got.Noise != 0 {
		t.Errorf("level %g and noise %g of a line, want 10 and 0", got.Level, got.Noise)
	}
}

// P against all orders of the values, one by one.
func TestPAgainstAllOrders(t *testing.T) {
	for _, values := range [][]float64{{1, 2, 3, 4, 5, 6}, {1, 1, 2, 3, 3, 3}, {1, 1, 1, 2}, {2, 1, 2, 1, 2}} {
		s := func(v []float64) (s int) {
			for i := range v {
				for j := i + 1; j < len(v); j++ {
					switch {
					case v[j] > v[i]:
						s++
					case v[j] < v[i]:
						s--
					}
				}
			}
			return s
		}
		for range 20 {
			rand.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
			mine, as, all := s(values), 0, 0
			permute(slices.Clone(values), 0, func(v []float64) {
				all++
				if s(v) >= mine {
					as++
				}
			})
			if got, want := Of(evenly(len(values)), values).P, float64(as)/float64(all); math.Abs(got-want) > 1e-12 {
				t.Errorf("P of %v = %g, counted %g", values, got, want)
			}
		}
	}
}

func permute(v []float64, k int, each func([]float64)) {
	if k == len(v) {
		each(v)
		return
	}
	for i := k; i < len(v); i++ {
		v[k], v[i] = v[i], v[k]
		permute(v, k+1, each)
		v[k], v[i] = v[i], v[k]
	}
}

// Of figures without a trend one in a hundred has a P of 0.01, also beyond what
// is counted out, and the interval misses the slope in one of ten.
func TestErrorRates(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{8, 30, 60} {
		const runs = 4000
		alarms, missed := 0, 0
		for range runs {
			v := make([]float64, n)
			for i := range v {
				v[i] = r.NormFloat64()
			}
			got := Of(evenly(n), v)
			if got.P <= 0.01 {
				alarms++
			}
			if got.Low > 0 || got.High < 0 {
				missed++
			}
		}
		if share := float64(alarms) / runs; share > 0.016 {
			t.Errorf("n %d: %.3f of runs without a trend have P <= 0.01", n, share)
		}
		if share := float64(missed) / runs; share < 0.06 || share > 0.14 {
			t.Errorf("n %d: the interval misses the slope in %.3f of runs, want 0.1", n, share)
		}
	}
}

func ExampleOf() {
	t := Of([]float64{0, 60, 120, 180, 240}, []float64{100, 161, 219, 280, 341})
	fmt.Printf("%.1f a second, by chance %.3f\n", t.Slope, t.P)
	// Output: 1.0 a second, by chance 0.008
}

package trend

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// bruteTrend is Of by the definitions: all pairs, all orders.
func bruteTrend(values []float64) (slope, p float64) {
	var slopes []float64
	for i := range values {
		for j := range i {
			slopes = append(slopes, (values[i]-values[j])/float64(i-j))
		}
	}
	slices.Sort(slopes)
	if n := len(slopes); n%2 == 1 {
		slope = slopes[n/2]
	} else {
		slope = (slopes[n/2] + slopes[n/2-1]) / 2
	}
	s := func(v []float64) int {
		n := 0
		for i := range v {
			for j := range i {
				switch {
				case v[i] > v[j]:
					n++
				case v[i] < v[j]:
					n--
				}
			}
		}
		return n
	}
	seen := s(values)
	as, all := 0, 0
	order := slices.Clone(values)
	var permute func(k int)
	permute = func(k int) {
		if k == len(order) {
			all++
			if s(order) >= seen {
				as++
			}
			return
		}
		for i := k; i < len(order); i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
	return slope, float64(as) / float64(all)
}

func TestTrendIsWhatTheDefinitionsSay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		values := make([]float64, 2+rnd.IntN(6))
		distinct := 1 + rnd.IntN(2*len(values)) // few values make ties
		for i := range values {
			values[i] = float64(rnd.IntN(distinct))
		}
		slope, p := bruteTrend(values)
		got := Of(evenly(len(values)), values)
		if got.Slope != slope || math.Abs(got.P-p) > 1e-12 {
			t.Fatalf("Of(%v) = slope %v, p %v, want %v, %v", values, got.Slope, got.P, slope, p)
		}
		if got.Low > got.Slope || got.High < got.Slope {
			t.Fatalf("Of(%v): slope %v is outside of %v to %v", values, got.Slope, got.Low, got.High)
		}
	}
}

// The exact test and the approximation meet where one takes over.
func TestManyCapturesAreApproximatedWell(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		values := make([]float64, exactUpTo)
		for i := range values {
			values[i] = float64(i)*0.1 + float64(rnd.IntN(12))
		}
		ties := tieGroups(values)
		s := 0
		for i := range values {
			for j := range i {
				s += int(math.Copysign(1, values[i]-values[j]))
				if values[i] == values[j] {
					s--
				}
			}
		}
		exact := risesByChance(len(values), s, ties)
		z := (float64(s) - 1) / math.Sqrt(varianceOfS(len(values), ties))
		if approximate := math.Erfc(z/math.Sqrt2) / 2; math.Abs(exact-approximate) > 2e-3 {
			t.Errorf("S of %d: p is %v, approximated %v", s, exact, approximate)
		}
	}
}

func TestTrends(t *testing.T) {
	for _, test := range []struct {
		name    string
		values  []float64
		slope   float64
		p       float64
		decides bool // p below 0.05
	}{
		{"nothing", nil, 0, 1, false},
		{"one reading", []float64{7}, 0, 1, false},
		{"three rising", []float64{1, 2, 3}, 1, 1.0 / 6, false},
		{"four rising", []float64{1, 2, 3, 4}, 1, 1.0 / 24, true},
		{"six falling", []float64{6, 5, 4, 3, 2, 1}, -1, 1, false},
		{"all equal", []float64{5, 5, 5, 5, 5, 5}, 0, 1, false},
		// An uncorrected test calls the first trend significant.
		{"mostly tied, one step", []float64{5, 5, 5, 5, 5, 6}, 0, 1.0 / 6, false},
		{"one reading lies off", []float64{0, 10, 20, 500, 40, 50, 60}, 10, 7.0 / 5040, true},
	} {
		got := Of(evenly(len(test.values)), test.values)
		if math.Abs(got.Slope-test.slope) > 1e-9 || (got.P < 0.05) != test.decides {
			t.Errorf("%s: slope %v, p %v, want %v, %v", test.name, got.Slope, got.P, test.slope, test.p)
		}
		if test.name != "one reading lies off" && math.Abs(got.P-test.p) > 1e-9 {
			t.Errorf("%s: p %v, want %v", test.name, got.P, test.p)
		}
	}
}

func FuzzTrend(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4})
	f.Add([]byte{5, 5, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		values := make([]float64, min(len(b), 251))
		for i := range values {
			values[i] = float64(b[i])
		}
		got := Of(evenly(len(values)), values)
		if !(got.P >= 0 && got.P <= 1) || math.IsNaN(got.Slope) || got.Low > got.High {
			t.Errorf("Of(%v) = %+v", values, got)
		}
		// Turned around, what rose falls: the two tails share the ties only.
		slices.Reverse(values)
		if back := Of(evenly(len(values)), values); len(values) > 1 && (back.Slope != -got.Slope || got.P+back.P < 1-1e-9) {
			t.Errorf("Of(%v) = %+v, the other way round %+v", values, back, got)
		}
	})
}

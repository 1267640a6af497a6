// Package trend says whether a figure rises over time, how fast, and how sure
// that is: by the slope of Theil and Sen, its interval, and the test of Mann and
// Kendall. Neither is moved by a few values that lie off.
package trend

import (
	"math"
	"slices"
)

// Trend is how a figure moves.
type Trend struct {
	// Slope is the figure's growth per unit of time: the median of the slopes
	// between all pairs of values (Theil 1950, Sen 1968).
	Slope float64
	// Low and High bound the slope at a confidence of 90 %, two-sided (Sen 1968).
	Low, High float64
	// P is the probability that figures without a trend would rise as steadily by
	// chance: the one-sided test of Mann and Kendall, corrected for ties.
	P float64
	// Level is the figure at time 0 by the line of that slope (the median of
	// what each value says), and Noise the median distance from the line.
	Level, Noise float64
	N            int
}

const (
	confidence = 0.90
	// exactUpTo is the number of values up to which P is counted out; beyond, the
	// normal approximation is right to three digits.
	exactUpTo = 40
)

// Of is the trend of values at ascending times. It takes two values to have a
// slope; with fewer P is 1.
func Of(times, values []float64) Trend {
	n := min(len(times), len(values))
	t := Trend{P: 1, N: n}
	if n < 2 {
		return t
	}
	values = values[:n]
	slopes := make([]float64, 0, n*(n-1)/2)
	s := 0 // Kendall's S: pairs that rise less pairs that fall
	for i, v := range values {
		for j := i + 1; j < n; j++ {
			if times[j] > times[i] {
				slopes = append(slopes, (values[j]-v)/(times[j]-times[i]))
			}
			switch {
			case values[j] > v:
				s++
			case values[j] < v:
				s--
			}
		}
	}
	if len(slopes) == 0 {
		return t
	}
	slices.Sort(slopes)
	ties := tieGroups(values)
	t.Slope = median(slopes)
	t.P = risesByChance(n, s, ties)
	t.Low, t.High = interval(slopes, n, ties)
	rest := make([]float64, n)
	for i, v := range values {
		rest[i] = v - t.Slope*times[i]
	}
	t.Level = Median(rest)
	for i := range rest {
		rest[i] = math.Abs(rest[i] - t.Level)
	}
	t.Noise = Median(rest)
	return t
}

// Median of values in any order, 0 of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return median(slices.Sorted(slices.Values(values)))
}

// median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// tieGroups are the sizes of the groups of equal values, those of one included.
func tieGroups(values []float64) []int {
	sorted := slices.Sorted(slices.Values(values))
	var groups []int
	for i, v := range sorted {
		if i > 0 && v == sorted[i-1] {
			groups[len(groups)-1]++
			continue
		}
		groups = append(groups, 1)
	}
	return groups
}

// interval takes the slopes whose rank is as far from the median's as Kendall's
// S may be from 0 without a trend (Gilbert 1987, 16.5).
func interval(slopes []float64, n int, ties []int) (low, high float64) {
	z := math.Sqrt2 * math.Erfinv(confidence)
	c := z * math.Sqrt(varianceOfS(n, ties))
	m := float64(len(slopes))
	first, last := int(math.Floor((m-c)/2)), int(math.Ceil((m+c)/2))
	return slopes[max(0, min(first, len(slopes)-1))], slopes[max(0, min(last, len(slopes)-1))]
}

// varianceOfS is that of Kendall's S over all orders of the values (Kendall 1975).
func varianceOfS(n int, ties []int) float64 {
	f := func(t int) float64 { return float64(t) * float64(t-1) * float64(2*t+5) }
	v := f(n)
	for _, t := range ties {
		v -= f(t)
	}
	return v / 18
}

// risesByChance is the share of the orders of the values whose S is s or more.
//
// S is the number of pairs that differ, less twice the inversions; and how many
// orders of a multiset have how many inversions is the Gaussian multinomial
// coefficient (MacMahon 1916). It is built group by group: placing t equal
// values among k others makes as many inversions as the coefficient of k+t over
// t has it. Counts are kept as shares, so nothing overflows.
func risesByChance(n, s int, ties []int) float64 {
	differ := n * (n - 1) / 2
	for _, t := range ties {
		differ -= t * (t - 1) / 2
	}
	if differ == 0 {
		return 1 // all are equal
	}
	if n > exactUpTo {
		// Continuity correction: S moves in steps of two, or of one with ties.
		z := (float64(s) - 1) / math.Sqrt(varianceOfS(n, ties))
		return math.Erfc(z/math.Sqrt2) / 2
	}
	share := []float64{1}
	placed := 0
	for _, t := range ties {
		share = convolve(share, inversionsOfGroup(placed, t))
		placed += t
	}
	most := (differ - s) / 2 // inversions that S of s still has
	p := 0.0
	for _, x := range share[:min(most+1, len(share))] {
		p += x
	}
	return min(p, 1)
}

// inversionsOfGroup is the distribution of the inversions between k values and
// t equal ones, over all ways of placing those: the t values lie in k+1 gaps,
// so it is that of the sum of t numbers from 0 to k in any order.
func inversionsOfGroup(k, t int) []float64 {
	// ways[j][i]: ways of choosing j such numbers, in order, with the sum i.
	ways := make([][]float64, t+1)
	for j := range ways {
		ways[j] = make([]float64, k*t+1)
	}
	ways[0][0] = 1
	for v := 0; v <= k; v++ { // numbers of v, any number of times
		for j := 1; j <= t; j++ {
			for i := v; i <= k*t; i++ {
				ways[j][i] += ways[j-1][i-v]
			}
		}
	}
	out, all := ways[t], 0.0
	for _, w := range out {
		all += w
	}
	for i := range out {
		out[i] /= all
	}
	return out
}

func convolve(a, b []float64) []float64 {
	out := make([]float64, len(a)+len(b)-1)
	for i, x := range a {
		for j, y := range b {
			out[i+j] += x * y
		}
	}
	return out
}

package check

import (
	"math"
	"slices"
)

// A trend is how a figure moved over the captures of a series, oldest first.
type trend struct {
	// slope is the figure's growth per round by Theil and Sen: the median of the
	// slopes between all pairs of captures. A capture that lies off, as one with
	// work in flight does, moves a mean or a regression, and the median not.
	slope float64
	// low and high bound the slope at the level of confidence (Sen 1968).
	low, high float64
	// p is the probability that figures without a trend would rise as steadily
	// by chance: the one-sided test of Mann and Kendall, corrected for ties.
	p float64
}

const (
	// level of the interval around a slope, two-sided.
	confidence = 0.90
	// exactUpTo is the number of captures up to which p is counted out; beyond,
	// the normal approximation is right to three digits.
	exactUpTo = 40
)

// trendOf needs two values to have a slope; with fewer all is zero and p is 1.
func trendOf(values []float64) trend {
	n := len(values)
	if n < 2 {
		return trend{p: 1}
	}
	slopes := make([]float64, 0, n*(n-1)/2)
	s := 0 // Kendall's S: pairs that rise less pairs that fall
	for i, v := range values {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (values[j]-v)/float64(j-i))
			switch {
			case values[j] > v:
				s++
			case values[j] < v:
				s--
			}
		}
	}
	slices.Sort(slopes)
	ties := tieGroups(values)
	t := trend{slope: median(slopes), p: risesByChance(n, s, ties)}
	t.low, t.high = senInterval(slopes, n, ties)
	return t
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
	sorted := slices.Clone(values)
	slices.Sort(sorted)
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

// senInterval takes the slopes whose rank is as far from the median's as
// Kendall's S may be from 0 without a trend (Sen 1968; Gilbert 1987, 16.5).
func senInterval(slopes []float64, n int, ties []int) (low, high float64) {
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
// so it is the distribution of the sum of t numbers from 0 to k in any order.
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

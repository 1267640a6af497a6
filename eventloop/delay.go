package eventloop

import "time"

// Percentiles of how late work is that becomes due at a random moment.
type Percentiles struct{ P50, P90, P99, Max time.Duration }

// percentiles are of the delay that work has which becomes due at a random
// moment. The histogram has one sample for each block however long that is, so
// a sample that is late by d stands for d during which others would have been
// late, too, by all that was left of it.
func (v *Vitals) percentiles() Percentiles {
	type late struct{ delay, count float64 }
	var all []late
	last := 0.0
	for _, q := range v.Quantiles {
		if n := float64(v.Samples) * (q.Percent - last) / 100; n > 0 {
			all = append(all, late{float64(q.Value), n})
		}
		last = q.Percent
	}
	whole := float64(v.Duration)
	beyond := func(x float64) float64 { // time in which the delay is more than x
		sum := 0.0
		for _, l := range all {
			sum += l.count * max(0, l.delay-x)
		}
		return sum
	}
	return percentilesBy(beyond, whole, v.max())
}

// max is the largest delay of the first phase.
func (v *Vitals) max() int64 {
	var most int64
	if n := len(v.Quantiles); n > 0 {
		most = v.Quantiles[n-1].Value
	}
	for _, d := range v.Delays {
		most = max(most, d.Max)
	}
	return most
}

// percentilesOf computes the delays from the iterations of the second phase.
func (a *analysis) percentilesOf(l *ledger) Percentiles {
	var busy []float64
	var most, whole int64
	for _, p := range l.thread.Profiles {
		whole += p.EndTime - p.StartTime
	}
	for _, it := range l.iterations() {
		d := l.busy(it.Start, it.Start+it.Duration)
		most = max(most, d)
		busy = append(busy, float64(d))
	}
	return percentilesBy(func(x float64) float64 {
		sum := 0.0
		for _, d := range busy {
			sum += max(0, d-x)
		}
		return sum
	}, float64(whole), most)
}

// percentilesBy finds percentiles of a delay by the time, of the whole, in which
// it is more than x, and the most that it is.
func percentilesBy(beyond func(x float64) float64, whole float64, most int64) Percentiles {
	at := func(p float64) time.Duration {
		lo, hi := 0.0, float64(most)
		for hi-lo > 10 {
			if mid := (lo + hi) / 2; beyond(mid) > (1-p)*whole {
				lo = mid
			} else {
				hi = mid
			}
		}
		return us(int64(lo))
	}
	return Percentiles{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: us(most)}
}

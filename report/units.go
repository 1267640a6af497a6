package report

import (
	"fmt"
	"slices"
	"strconv"
)

// FormatBytes returns a size for people, in binary units: 512 B, 39.1 KiB.
func FormatBytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	const units = "KMGTPE"
	v, u := float64(n)/1024, 0
	// 1023.95 would be printed as 1024.0.
	for v >= 1023.95 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

// FormatCount returns a number with its thousands set apart: 12,345.
func FormatCount(n int) string {
	s := strconv.Itoa(n)
	sign := 0
	if n < 0 {
		sign = 1
	}
	for i := len(s) - 3; i > sign; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return FormatCount(n) + " " + many
}

// signedCount and signedBytes show growth with its sign, and none with 0.
func signedCount(n int) string {
	if n > 0 {
		return "+" + FormatCount(n)
	}
	return FormatCount(n)
}

func signedBytes(n int64) string {
	switch {
	case n > 0:
		return "+" + FormatBytes(uint64(n))
	case n < 0:
		return "-" + FormatBytes(-uint64(n))
	}
	return "0 B"
}

// percentages returns whole percents of the sum of parts that add up to 100:
// the largest remainders are rounded up. All are 0 if the sum is.
func percentages(parts []uint64) []int {
	var total float64
	for _, p := range parts {
		total += float64(p)
	}
	out := make([]int, len(parts))
	if total == 0 {
		return out
	}
	left := 100
	rest := make([]float64, len(parts))
	for i, p := range parts {
		exact := 100 * float64(p) / total
		out[i] = int(exact)
		rest[i] = exact - float64(out[i])
		left -= out[i]
	}
	for ; left > 0; left-- {
		best := 0
		for i := range rest {
			if rest[i] > rest[best] {
				best = i
			}
		}
		out[best]++
		rest[best] = -1
	}
	return out
}

// FormatMS returns milliseconds for people: 0.4 ms, 12 ms, 1.25 s.
func FormatMS(ms float64) string {
	switch {
	case ms >= 9_995:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 999.5:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 9.95 || ms == 0:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

// nthLargest returns the n-th largest value, from 1.
func nthLargest(values []float64, n int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, len(sorted)-n)]
}

package eventloop

import (
	"cmp"
	"maps"
	"slices"
)

// heaviest is the key of the largest value, of equal ones the least; the zero
// value of a map without keys.
func heaviest[K cmp.Ordered](m map[K]int64) K { return heaviestBy(m, cmp.Compare[K]) }

// heaviestBy is heaviest, with an order of the keys.
func heaviestBy[K comparable](m map[K]int64, order func(a, b K) int) K {
	var best K
	first := true
	for k, t := range m {
		if first || t > m[best] || t == m[best] && order(k, best) < 0 {
			best, first = k, false
		}
	}
	return best
}

// heaviestFirst are the keys by their values, of equal ones by themselves.
func heaviestFirst[N int | int64](m map[string]N) []string {
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(x, y string) int { return cmp.Compare(m[y], m[x]) })
	return keys
}

// mostFrequent are some of the keys, those that were counted most often.
func mostFrequent(m map[string]int) []string {
	keys := heaviestFirst(m)
	const some = 5
	return keys[:min(len(keys), some)]
}

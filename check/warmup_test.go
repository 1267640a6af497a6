package check

import (
	"testing"
	"time"

	"heapsnap/cdp"
)

// 101 calls were made in the last round of warm-up; 5 rounds are to be measured.
func TestRoundsAreNoLargerThanTheyNeed(t *testing.T) {
	const units, mb = 101, 1 << 20
	open := func(n int) cdp.Descriptors { return cdp.Descriptors{Open: n, Limit: 1050} }
	for _, test := range []struct {
		name          string
		took          time.Duration
		before, after reading
		want          int
	}{
		{"adds nothing", 400 * time.Millisecond, reading{5 * mb, 0, open(20)}, reading{5 * mb, 0, open(20)}, 101},
		{"less than before", 400 * time.Millisecond, reading{5 * mb, mb, open(20)}, reading{4 * mb, 0, open(10)}, 101},
		{"adds half as much again as is plenty", 0, reading{heap: 5 * mb}, reading{heap: 5*mb + 384<<10}, 67},
		{"adds more: fewest", 0, reading{heap: 5 * mb}, reading{heap: 7 * mb}, 20},
		{"adds far too much", 0, reading{heap: 5 * mb}, reading{heap: 55 * mb}, 1},
		{"outside of the heap", 0, reading{}, reading{outside: 5 * mb}, 10},
		{"slower than it was", 10 * time.Second, reading{}, reading{}, 10},
		{"opens sockets", 0, reading{descriptors: open(50)}, reading{descriptors: open(252)}, 7}, // 399 for 25 rounds: 15
		{"opens files, no limit", 0, reading{}, reading{descriptors: cdp.Descriptors{Open: 5000}}, 101},
		{"no descriptors left", 0, reading{descriptors: open(50)}, reading{descriptors: open(1050)}, 1},
	} {
		if got := resized(units, test.took, test.before, test.after, 5); got != test.want {
			t.Errorf("%s: %d calls a round, want %d", test.name, got, test.want)
		}
	}
}

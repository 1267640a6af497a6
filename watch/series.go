package watch

import (
	"slices"
	"time"
)

// Series is what is kept of the looks at one process since its start or its last
// restart: all of the last half hour, at the default pace, and the less the
// longer ago it was. Its zero value is empty.
type Series struct {
	Points []Point
	Lives  []Live // of all threads, in order of time
	// disturbed is when a capture left its memory in the process: what is outside
	// the heap cannot be compared across that.
	disturbed time.Time
}

const (
	// mostPoints bounds the series, to what comes together in an hour at the
	// default pace. Beyond, every other point of the older half goes.
	mostPoints = 4096
	mostLives  = 4096
)

// Add takes a look and what full collections left before it.
func (s *Series) Add(p Point, lives []Live) {
	s.Points = append(s.Points, p)
	s.Lives = append(s.Lives, lives...)
	if len(s.Points) > mostPoints {
		s.Points = thin(s.Points)
	}
	if len(s.Lives) > mostLives {
		s.Lives = thin(s.Lives)
	}
}

func thin[T any](all []T) []T {
	half := len(all) / 2
	kept := make([]T, 0, len(all))
	for i := 0; i < half; i += 2 {
		kept = append(kept, all[i])
	}
	return append(kept, all[half:]...)
}

// Disturb says that a capture was taken: it leaves memory behind that the
// process does not use.
func (s *Series) Disturb(at time.Time) { s.disturbed = at }

// Last is the last point, nil if there is none.
func (s *Series) Last() *Point {
	if len(s.Points) == 0 {
		return nil
	}
	return &s.Points[len(s.Points)-1]
}

// Span is the time between the first and the last point.
func (s *Series) Span() time.Duration {
	if len(s.Points) == 0 {
		return 0
	}
	return s.Last().Time.Sub(s.Points[0].Time)
}

// livesOf are what full collections left in a thread's heap.
func (s *Series) livesOf(thread int) []Live {
	var all []Live
	for _, l := range s.Lives {
		if l.ThreadID == thread {
			all = append(all, l)
		}
	}
	return all
}

// Thin returns at most n points, evenly chosen, the first and the last among them.
func (s *Series) Thin(n int) []Point {
	if len(s.Points) <= n || n < 2 {
		return slices.Clone(s.Points)
	}
	out := make([]Point, 0, n)
	for i := range n {
		out = append(out, s.Points[i*(len(s.Points)-1)/(n-1)])
	}
	return out
}

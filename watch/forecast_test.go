package watch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"heapsnap/memory"
)

const mib = 1 << 20

// process is a made-up process, second by second: what is live, outside the
// heap, and the garbage between two full collections.
type process struct {
	live     func(second float64) float64 // MiB
	outside  func(second float64) float64 // MiB
	garbage  float64                      // MiB a second
	slack    float64                      // of the live set that may be garbage before V8 collects
	noise    float64                      // MiB
	limit    uint64                       // of the old spaces, MiB
	contains uint64                       // of the container, MiB; 0 for none
	noGC     bool                         // no full collection is ever seen
}

// watch makes the series of so many seconds.
func (p process) watch(seconds int) *Series {
	r := rand.New(rand.NewPCG(7, uint64(seconds)))
	start := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	s := &Series{}
	trash, live := 0.0, 0.0
	for i := range seconds {
		x := float64(i)
		now := start.Add(time.Duration(i) * time.Second)
		trash += p.garbage
		var lives []Live
		size := p.live(x)
		if p.slack = max(p.slack, 0.5); trash > max(4, p.slack*size) && !p.noGC {
			trash = 0
			live = size + p.noise*r.NormFloat64()
			lives = append(lives, Live{Time: now, Used: uint64(live * mib), Old: uint64(live * mib)})
		}
		outside := p.outside(x) + p.noise*r.NormFloat64()
		heap := (size + trash) * mib
		point := Point{Time: now, RSS: uint64(heap + outside*mib), Main: Thread{
			OldLimit: p.limit * mib, Used: uint64(heap), Old: uint64(heap), Physical: uint64(heap), Live: uint64(live * mib), LiveOld: uint64(live * mib)}}
		if p.contains > 0 {
			point.Group = memory.Group{Version: 2, Limit: p.contains * mib, Current: point.RSS}
		}
		s.Add(point, lives)
	}
	return s
}

func constant(v float64) func(float64) float64 { return func(float64) float64 { return v } }
func rising(from, rate float64) func(float64) float64 {
	return func(x float64) float64 { return from + rate*x }
}

func TestOutlook(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       process
		seconds int
		want    Verdict
		of      string  // the limit that is reached first
		dies    float64 // second in which it is
	}{
		{"a leak in the heap, half way", process{live: rising(10, 0.5), outside: constant(50), garbage: 3, noise: 0.3, limit: 110}, 100, Growing, "heap", 200},
		{"the same in a container that ends first", process{live: rising(10, 0.5), outside: constant(50), garbage: 3, noise: 0.3, limit: 4096, contains: 200}, 90, Growing, "container", 180},
		{"Buffers that leak in a container", process{live: constant(10), outside: rising(40, 1), garbage: 1, noise: 0.3, limit: 4096, contains: 256}, 100, Growing, "container", 200},
		{"native memory that leaks, without a collection", process{live: constant(10), outside: rising(40, 1), garbage: 0.01, noGC: true, noise: 0.3, limit: 4096, contains: 256}, 100, Growing, "container", 200},
		{"a sawtooth", process{live: constant(30), outside: constant(50), garbage: 2, slack: 1, noise: 1, limit: 110, contains: 256}, 600, Steady, "", 0},
		{"a slow sawtooth, in its first rise", process{live: constant(30), outside: constant(50), garbage: 0.4, slack: 1.5, noise: 0.3, limit: 110, contains: 256}, 40, Undecided, "", 0},
		{"a cache that has filled", process{live: func(x float64) float64 { return 20 + 60*(1-math.Exp(-x/60)) }, outside: constant(50), garbage: 5, noise: 0.3, limit: 200}, 600, Steady, "", 0},
		{"a leak behind a long start", process{live: func(x float64) float64 { return 10 + 30*min(x, 60)/60 + 0.1*x }, outside: constant(50), garbage: 4, noise: 0.2, limit: 110}, 400, Growing, "heap", 700},
		{"too little seen", process{live: rising(10, 1), outside: constant(50), garbage: 3, limit: 110}, 9, Undecided, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.p.watch(c.seconds).Outlook()
			if o.Verdict != c.want {
				t.Fatalf("%s, want %s: %+v", o.Verdict, c.want, o.Forecasts)
			}
			if c.want != Growing {
				if o.Next != nil {
					t.Errorf("a limit is reached: %s", o.Next)
				}
				return
			}
			if o.Next == nil || o.Next.Of != c.of {
				t.Fatalf("next is %+v, want %s", o.Next, c.of)
			}
			left := c.dies - float64(c.seconds)
			if got := o.Next.Left.Seconds(); math.Abs(got-left) > 0.25*left {
				t.Errorf("%s, it is in %.0f s", o.Next, left)
			}
			if o.Next.Early > o.Next.Left || o.Next.Late < o.Next.Left {
				t.Errorf("%s is not between its bounds", o.Next)
			}
		})
	}
}

// A service whose memory only goes up and down is never called growing, however
// long it is watched.
func TestNoAlarmWithoutALeak(t *testing.T) {
	alarms := 0
	const runs = 300
	for run := range runs {
		r := rand.New(rand.NewPCG(uint64(run), 3))
		level := 30.0
		p := process{live: func(x float64) float64 {
			level += (30-level)*0.05 + r.NormFloat64() // comes and goes, and remembers where it was
			return max(5, level)
		}, outside: constant(50), garbage: 2 + 3*r.Float64(), slack: 0.5 + r.Float64(), noise: 1, limit: 110, contains: 256}
		if o := p.watch(200 + 40*(run%10)).Outlook(); o.Next != nil {
			alarms++
		}
	}
	if alarms > runs/100 {
		t.Errorf("%d alarms in %d runs without a leak", alarms, runs)
	}
}

func TestACaptureIsNoGrowth(t *testing.T) {
	p := process{live: constant(20), outside: func(x float64) float64 { return 50 + 100*math.Floor(x/100) }, garbage: 2, limit: 500, contains: 1024}
	s := p.watch(199)
	s.Disturb(s.Points[100].Time)
	if o := s.Outlook(); o.Next != nil {
		t.Errorf("growing after a capture: %s", o.Next)
	}
}

func TestSeriesIsBounded(t *testing.T) {
	s := process{live: constant(20), outside: constant(5), garbage: 20, limit: 500}.watch(20_000)
	if len(s.Points) > mostPoints || len(s.Lives) > mostLives {
		t.Errorf("%d points, %d live sets are kept", len(s.Points), len(s.Lives))
	}
	if s.Points[0].Time.Hour() != 12 || s.Span() != 19_999*time.Second {
		t.Errorf("the series begins at %s and spans %s", s.Points[0].Time, s.Span())
	}
	if thin := s.Thin(7); len(thin) != 7 || !thin[0].Time.Equal(s.Points[0].Time) || !thin[6].Time.Equal(s.Last().Time) {
		t.Errorf("Thin(7) has %d points", len(thin))
	}
}

func ExampleForecast_String() {
	s := process{live: rising(10, 0.5), outside: constant(50), garbage: 3, limit: 110}.watch(100)
	fmt.Println(s.Outlook().Next)
	// Output: heap: +30.0 MiB/min, limit in 2 min (2 min to 2 min)
}

package watch

import (
	"fmt"
	"slices"
	"time"

	"heapsnap/trend"
)

// Verdict is what a trend says.
type Verdict string

const (
	Growing   Verdict = "growing"
	Steady    Verdict = "steady"
	Undecided Verdict = "undecided" // too little was seen
)

// Forecast is how one figure moves towards its limit.
type Forecast struct {
	// Of is "heap", "worker heap", "container", or "own memory" where no
	// container limits it.
	Of       string
	ThreadID int
	Verdict  Verdict
	Now      uint64 // by the trend's line
	Limit    uint64 // 0: none
	// Rate is the growth in bytes a second; Low and High bound it with 90 % confidence.
	Rate, Low, High float64
	P               float64 // that it rises so steadily by chance
	Values          int     // that it is made of
	Window          time.Duration
	// Left is the time until the limit is reached, 0 if it is not growing or there
	// is none; Early and Late bound it.
	Left, Early, Late time.Duration
}

// Outlook is what the trends of a process say together.
type Outlook struct {
	Verdict   Verdict
	Forecasts []Forecast
	// Next is the limit that is reached first, nil if none is.
	Next *Forecast
}

const (
	// minValues is what a trend takes at least: five values that rise one after the
	// other are so by chance once in 120.
	minValues = 5
	// mostValues is what it takes at most: medians of stretches are used beyond.
	mostValues = 48
	// byChance is the probability at which a trend counts.
	byChance = 0.01
	// minWindow is what has to be seen before anything is said.
	minWindow = 10 * time.Second
	// leastRise is what a trend has to add in its window: what V8's own tables and
	// compiled code add to a program that is warming up is less.
	leastRise = 1 << 20
	// noiseFactor is by how much the rise has to stand out of the values' scatter.
	noiseFactor = 4
	// reach is how much further than what was seen a forecast goes.
	reach = 30
	// stillRising is the share of the rise that the last third of the window has
	// to add at least: a cache that has filled adds nothing any more.
	stillRising = 0.12
	// pressureRise is the growth outside the heap at which V8 collects by itself
	// (kExternalAllocationSoftLimit in V8's src/heap: 64 MiB).
	pressureRise = 64 << 20
	// outsideBlocks is into how many stretches the window is cut where full
	// collections are rare.
	outsideBlocks = 12
	// longEnough without a full collection is steady: nothing was made that V8
	// would have to collect.
	longEnough = 5 * time.Minute
	// farAway is beyond all planning.
	farAway = 365 * 24 * time.Hour
)

// Outlook looks at all trends of the series.
func (s *Series) Outlook() Outlook {
	out := Outlook{Verdict: Undecided}
	last := s.Last()
	if last == nil {
		return out
	}
	for _, t := range last.Threads() {
		f := s.heapForecast(t)
		out.Forecasts = append(out.Forecasts, f)
	}
	out.Forecasts = append(out.Forecasts, s.outsideForecast())
	for i := range out.Forecasts {
		f := &out.Forecasts[i]
		if f.Verdict == Growing {
			out.Verdict = Growing
			if f.Left > 0 && (out.Next == nil || f.Left < out.Next.Left) {
				out.Next = f
			}
		}
	}
	// The container's trend alone does not tell what the heap will do.
	if out.Verdict != Growing && (out.Forecasts[0].Verdict == Steady || s.Span() >= longEnough && out.Forecasts[len(out.Forecasts)-1].Verdict == Steady) {
		out.Verdict = Steady
	}
	return out
}

// heapForecast is the trend of what full collections left in a thread's old
// spaces: the sawtooth between them says nothing.
func (s *Series) heapForecast(t Thread) Forecast {
	f := Forecast{Of: "heap", ThreadID: t.ID, Limit: t.OldLimit, Now: t.LiveOld, P: 1}
	if t.ID != 0 {
		f.Of = "worker heap"
	}
	lives := s.livesOf(t.ID)
	if len(lives) == 0 {
		f.Now = t.Old
		return f.judge(nil, nil, s.Last().Time)
	}
	var times []time.Time
	var values []float64
	for _, l := range lives {
		times, values = append(times, l.Time), append(values, float64(l.Old))
	}
	return f.judge(times, values, s.Last().Time)
}

// outsideForecast is the trend of what counts against the container: the least
// outside the heaps between two full collections, and the heaps as large as
// they get with what is live in them.
func (s *Series) outsideForecast() Forecast {
	last := s.Last()
	f := Forecast{Of: "container", Limit: last.Group.Limit, P: 1}
	if f.Limit == 0 {
		f.Of = "own memory"
	}
	points := s.Points
	if i := slices.IndexFunc(points, func(p Point) bool { return p.Time.After(s.disturbed) }); i > 0 {
		points = points[i:]
	}
	blocks, cycles := s.blocks(points)
	if len(blocks) == 0 {
		return f.judge(nil, nil, last.Time)
	}
	if liveOf(last) > 0 { // what was before the first full collection cannot be compared
		blocks = slices.DeleteFunc(blocks, func(b []Point) bool { return liveOf(&b[len(b)-1]) == 0 })
	}
	// How large the heaps get, at their largest, for what is live in them.
	var peaks []float64
	for _, b := range blocks {
		peak := 0.0
		for _, p := range b {
			if live := liveOf(&p); live > 0 {
				peak = max(peak, float64(physicalOf(&p))/float64(live))
			}
		}
		if peak > 0 {
			peaks = append(peaks, peak)
		}
	}
	factor := max(1, trend.Median(peaks))
	var times []time.Time
	var values, outside []float64
	for _, b := range blocks {
		out := uint64(1) << 62
		for _, p := range b {
			out = min(out, p.Working()-min(p.Working(), physicalOf(&p)))
		}
		end := &b[len(b)-1]
		heap := float64(liveOf(end)) * factor
		if liveOf(last) == 0 {
			heap = float64(physicalOf(last)) // nothing is known to be live: only what is outside may be said to grow
		}
		times, values, outside = append(times, end.Time), append(values, float64(out)+heap), append(outside, float64(out))
	}
	g := f.judge(times, values, last.Time)
	// A first rise outside the heap, before any collection, may be garbage: what
	// V8 frees with the object that held it.
	if cycles < 2 && outside[len(outside)-1]-outside[0] < pressureRise {
		g.Verdict, g.Left, g.Early, g.Late = Undecided, 0, 0, 0
	}
	return g
}

// blocks cuts points at full collections of the main thread, or evenly if these
// are few. cycles is how many there were.
func (s *Series) blocks(points []Point) (blocks [][]Point, cycles int) {
	if len(points) < minValues {
		return nil, 0
	}
	first, last := points[0].Time, points[len(points)-1].Time
	var cuts []time.Time
	for _, l := range s.livesOf(0) {
		if l.Time.After(first) && l.Time.Before(last) {
			cuts = append(cuts, l.Time)
		}
	}
	cycles = len(cuts)
	if cycles < outsideBlocks || cycles > mostValues {
		n := min(outsideBlocks, len(points)/2)
		if cycles > mostValues {
			n = mostValues / 2
		}
		n = max(1, min(n, len(points)/2))
		cuts = cuts[:0]
		for i := 1; i < n; i++ {
			cuts = append(cuts, first.Add(last.Sub(first)*time.Duration(i)/time.Duration(n)))
		}
	}
	from := 0
	for _, cut := range append(cuts, last.Add(1)) {
		to := from
		for to < len(points) && points[to].Time.Before(cut) {
			to++
		}
		if to > from {
			blocks = append(blocks, points[from:to])
		}
		from = to
	}
	return blocks, cycles
}

func liveOf(p *Point) (n uint64) {
	for _, t := range p.Threads() {
		n += t.Live
	}
	return n
}

func physicalOf(p *Point) (n uint64) {
	for _, t := range p.Threads() {
		if t.Physical > 0 {
			n += t.Physical
		} else {
			n += t.Total
		}
	}
	return n
}

// judge fits the values and says what they mean at a moment.
func (f Forecast) judge(times []time.Time, values []float64, now time.Time) Forecast {
	f.Verdict, f.Values = Undecided, len(values)
	if len(values) < minValues {
		return f
	}
	start := times[0]
	if times[len(times)-1].Sub(start) < minWindow {
		return f
	}
	x := make([]float64, len(times))
	for i, t := range times {
		x[i] = t.Sub(start).Seconds()
	}
	t, from := recent(x, values)
	f.Window = time.Duration((x[len(x)-1] - x[from]) * float64(time.Second))
	f.Rate, f.Low, f.High, f.P = t.Slope, t.Low, t.High, t.P
	at := t.Level + t.Slope*now.Sub(start).Seconds()
	f.Now = uint64(max(0, at))
	f.Verdict = Steady
	rise := t.Slope * f.Window.Seconds()
	if t.P > byChance || t.Low <= 0 || rise < leastRise || rise < noiseFactor*t.Noise || !goesOn(values[from:]) || !isNew(x, values, from) {
		return f
	}
	f.Verdict = Growing
	if f.Limit == 0 {
		return f
	}
	room := max(0, float64(f.Limit)-at)
	left := func(rate float64) time.Duration {
		if rate <= 0 || room/rate > farAway.Seconds() {
			return farAway
		}
		return max(time.Millisecond, time.Duration(room/rate*float64(time.Second)))
	}
	f.Left, f.Early, f.Late = left(t.Slope), left(t.High), left(t.Low)
	if f.Left > reach*f.Window {
		f.Left, f.Early, f.Late = 0, 0, 0 // nobody can tell from so little
	}
	return f
}

// recent is the trend of the later half of the time: what came before was the
// start. If a shorter end rises faster, beyond what chance would do, that counts.
func recent(x, values []float64) (t trend.Trend, from int) {
	last := x[len(x)-1]
	begin := func(share float64) int {
		i, _ := slices.BinarySearch(x, last-(last-x[0])*share)
		return min(i, max(0, len(x)-minValues-2))
	}
	from = begin(0.5)
	t = trend.Of(stretches(x[from:], values[from:]))
	for _, share := range []float64{0.25, 0.125, 0.0625} {
		at := begin(share)
		if len(x)-at < 2*minValues || last-x[at] < minWindow.Seconds() {
			break
		}
		if u := trend.Of(stretches(x[at:], values[at:])); u.P <= byChance/2 && u.Low > t.High {
			t, from = u, at
		}
	}
	return t, from
}

// goesOn reports whether the last third of the values rose as well: a cache that
// has filled adds nothing any more.
func goesOn(y []float64) bool {
	n := len(y)
	first, second, third := trend.Median(y[:n/3]), trend.Median(y[n/3:n-n/3]), trend.Median(y[n-n/3:])
	return third > first && third-second >= stillRising*(third-first) && second >= first
}

// isNew reports whether the values have come to where they never were: what goes
// up and down has been there before. All of the series has to rise, too.
func isNew(x, values []float64, from int) bool {
	if from < 2 {
		return true
	}
	n := len(values)
	end := trend.Median(values[n-(n-from)/3:])
	return end > slices.Max(values[:from]) && trend.Of(stretches(x, values)).P <= byChance
}

// stretches takes the medians of equal stretches where there are many values.
func stretches(x, y []float64) (xs, ys []float64) {
	if len(x) <= mostValues {
		return x, y
	}
	for i := range mostValues {
		from, to := i*len(x)/mostValues, (i+1)*len(x)/mostValues
		xs, ys = append(xs, trend.Median(x[from:to])), append(ys, trend.Median(y[from:to]))
	}
	return xs, ys
}

// String is the forecast in a sentence.
func (f Forecast) String() string {
	name := f.Of
	if f.ThreadID != 0 {
		name = fmt.Sprintf("heap of worker %d", f.ThreadID)
	}
	switch f.Verdict {
	case Undecided:
		return name + ": too little seen yet"
	case Steady:
		return name + ": steady"
	}
	s := fmt.Sprintf("%s: +%s", name, perTime(f.Rate))
	if f.Left > 0 {
		s += fmt.Sprintf(", limit in %s (%s to %s)", roughly(f.Left), roughly(f.Early), roughly(f.Late))
	}
	return s
}

// perTime is a rate in the unit of time that people can picture.
func perTime(rate float64) string {
	switch {
	case rate >= 1<<20:
		return fmt.Sprintf("%.1f MiB/s", rate/(1<<20))
	case rate*60 >= 1<<20:
		return fmt.Sprintf("%.1f MiB/min", rate*60/(1<<20))
	}
	return fmt.Sprintf("%.1f MiB/h", rate*3600/(1<<20))
}

// roughly is a duration without what nobody knows.
func roughly(d time.Duration) string {
	switch {
	case d >= farAway:
		return "a year and more"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 100*time.Minute:
		return fmt.Sprintf("%.1f h", d.Hours())
	case d >= 100*time.Second:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Verdicts of watch, besides Inconclusive.
const (
	Growing Verdict = "growing" // and a limit will be reached
	Steady  Verdict = "steady"
)

// Watch is the result of `heapsnap watch`: how processes' memory moved and when a
// limit is reached. docs/watch.schema.json describes its JSON.
type Watch struct {
	Head
	Verdict    Verdict       `json:"verdict"`    // growing: a process is, and reaches a limit within the horizon; steady: none does; inconclusive: too little was seen
	Sentence   string        `json:"sentence"`   // the verdict in words
	Started    time.Time     `json:"started"`    // when the watching began
	DurationMS float64       `json:"durationMs"` // how long it was
	Targets    []WatchTarget `json:"targets"`    // as they were named
	Warnings   []string      `json:"warnings"`   // what limits the result
}

// WatchTarget is one process, and what became of it.
type WatchTarget struct {
	Name        string          `json:"name"`                  // as it was named
	PID         int             `json:"pid,omitempty"`         // of the process that runs, or ran last
	Script      string          `json:"script,omitempty"`      // main script
	NodeVersion string          `json:"nodeVersion,omitempty"` // such as v22.23.3
	Restarts    int             `json:"restarts"`              // how often it came back as another process
	Verdict     Verdict         `json:"verdict"`               // as of the whole
	Sentence    string          `json:"sentence"`              // the verdict in words
	Forecasts   []WatchForecast `json:"forecasts"`             // of each heap, and of the container
	Peaks       WatchPeaks      `json:"peaks"`                 // since the last restart
	Curve       []WatchPoint    `json:"curve"`                 // since the last restart, thinned out
	Live        []WatchLive     `json:"live"`                  // what full collections left, thinned out
	Events      []WatchEvent    `json:"events"`                // what happened, in order of time
}

// WatchForecast is how one figure moves towards its limit.
type WatchForecast struct {
	Of       string  `json:"of"`              // heap, worker heap, container, own memory
	ThreadID int     `json:"threadId"`        // of a worker heap
	Verdict  string  `json:"verdict"`         // growing, steady, undecided
	Now      uint64  `json:"now"`             // bytes, by the trend's line
	Limit    uint64  `json:"limit"`           // bytes; 0 if there is none
	Rate     float64 `json:"bytesPerSecond"`  // of growth
	Low      float64 `json:"lowPerSecond"`    // of it, with 90 % confidence
	High     float64 `json:"highPerSecond"`   // of it, with 90 % confidence
	P        float64 `json:"byChance"`        // probability that figures without a trend rise so steadily
	Values   int     `json:"values"`          // that the trend is made of
	Left     float64 `json:"leftSeconds"`     // until the limit is reached; 0 if it is not growing or there is none
	Early    float64 `json:"earliestSeconds"` // at the highest rate
	Late     float64 `json:"latestSeconds"`   // at the lowest rate
	Text     string  `json:"text"`            // in words
}

// WatchPeaks are the largest values seen.
type WatchPeaks struct {
	RSS      uint64  `json:"rss"`         // of the process
	HeapUsed uint64  `json:"heapUsed"`    // of the main thread
	External uint64  `json:"external"`    // of the main thread
	DelayMS  float64 `json:"delayMs"`     // of the main thread's event loop
	GCShare  float64 `json:"gcShare"`     // of the time between two looks
	GCMS     float64 `json:"gcLongestMs"` // one collection
}

// WatchPoint is what one look saw.
type WatchPoint struct {
	Time      time.Time      `json:"time"`              // of the look
	PID       int            `json:"pid"`               // as the process numbers itself
	RSS       uint64         `json:"rss"`               // resident memory
	Working   uint64         `json:"working"`           // of the container: its working set; rss where there is none
	Container uint64         `json:"containerLimit"`    // 0 if there is none
	CPU       float64        `json:"cpu"`               // cores in use since the look before
	LateMS    float64        `json:"answerMs"`          // how long the answer took
	Threads   []WatchThread  `json:"threads"`           // the main one first
	Handles   map[string]int `json:"handles,omitempty"` // active resources by type; every tenth second
}

// WatchThread is one thread at a look.
type WatchThread struct {
	ThreadID     int               `json:"threadId"`                 // 0: the main thread
	Name         string            `json:"name,omitempty"`           // of a worker
	HeapUsed     uint64            `json:"heapUsed"`                 // live objects and garbage
	HeapTotal    uint64            `json:"heapTotal"`                // what V8 has from the system
	Old          uint64            `json:"oldUsed"`                  // used in the old spaces
	OldLimit     uint64            `json:"oldLimit"`                 // where V8 gives up
	Live         uint64            `json:"live"`                     // what the last full collection left; 0: none seen
	External     uint64            `json:"external"`                 // outside the heap, kept by objects in it
	ArrayBuffers uint64            `json:"arrayBuffers"`             // of Buffers
	Malloced     uint64            `json:"malloced"`                 // V8's own
	Detached     int               `json:"detachedContexts"`         // contexts that were dropped and are kept
	Allocated    uint64            `json:"allocatedTotal,omitempty"` // since the start; Node 26 and later
	GCShare      float64           `json:"gcShare"`                  // of the time since the look before
	GCCount      int               `json:"gcCount"`                  // collections since the look before
	GCMajor      int               `json:"gcMajor"`                  // full ones of them
	GCLongestMS  float64           `json:"gcLongestMs"`              // the longest
	DelayP50MS   float64           `json:"delayP50Ms"`               // of the event loop since the look before
	DelayP99MS   float64           `json:"delayP99Ms"`               // of the event loop since the look before
	DelayMaxMS   float64           `json:"delayMaxMs"`               // of the event loop since the look before
	Utilization  float64           `json:"utilization"`              // of the event loop since the look before
	Spaces       map[string]uint64 `json:"spaces"`                   // used in V8's spaces
}

// WatchLive is what a full collection left.
type WatchLive struct {
	Time     time.Time `json:"time"`     // of the collection
	ThreadID int       `json:"threadId"` // 0: the main thread
	Used     uint64    `json:"used"`     // in the heap
	Old      uint64    `json:"old"`      // in the old spaces
}

// WatchEvent is something that happened.
type WatchEvent struct {
	Time time.Time `json:"time"`           // when it was seen
	Kind string    `json:"kind"`           // attached, silent, lost, note, trigger, capture, sample, refused, armed
	Text string    `json:"text"`           // in words
	File string    `json:"file,omitempty"` // that was written
}

// WatchLine is a line of the NDJSON form: a point, an event, or at the end the
// report.
type WatchLine struct {
	Schema    int             `json:"schema"`              // version of this format
	Type      string          `json:"type"`                // point, event or report
	Target    string          `json:"target,omitempty"`    // as it was named
	Point     *WatchPoint     `json:"point,omitempty"`     // of type point
	Forecasts []WatchForecast `json:"forecasts,omitempty"` // as of this point
	Event     *WatchEvent     `json:"event,omitempty"`     // of type event
	Report    *Watch          `json:"report,omitempty"`    // of type report
}

func (r *Watch) normal() any {
	c := *r
	c.Schema = SchemaVersion
	c.Warnings = notNil(r.Warnings)
	c.Targets = notNil(slices.Clone(r.Targets))
	for i := range c.Targets {
		t := &c.Targets[i]
		t.Forecasts, t.Live, t.Events, t.Curve = notNil(t.Forecasts), notNil(t.Live), notNil(t.Events), notNil(slices.Clone(t.Curve))
		for j := range t.Curve {
			t.Curve[j].normalize()
		}
	}
	return &c
}

func (p *WatchPoint) normalize() {
	p.Threads = notNil(slices.Clone(p.Threads))
	for i := range p.Threads {
		if p.Threads[i].Spaces == nil {
			p.Threads[i].Spaces = map[string]uint64{}
		}
	}
}

// WriteWatch shows r as text, JSON, SVG or PNG. It does not change r.
func WriteWatch(w io.Writer, r *Watch, f Format, o Options) error {
	if f == SVG || f == PNG {
		return plotWatch(w, r, f, Size{})
	}
	return writeAnswer(w, r, "what was watched", f, o)
}

// WriteWatchLine writes one line of the NDJSON form.
func WriteWatchLine(w io.Writer, l WatchLine) error {
	l.Schema = SchemaVersion
	if l.Point != nil {
		p := *l.Point
		p.normalize()
		l.Point = &p
	}
	if l.Report != nil {
		l.Report = l.Report.normal().(*Watch)
	}
	return encodeLine(w, l)
}

func (r *Watch) text(p *page) {
	s := bold
	switch r.Verdict {
	case Growing:
		s = red
	case Steady:
		s = green
	}
	p.judged(r.Verdict, s, r.Sentence)
	for i := range r.Targets {
		r.Targets[i].text(p, len(r.Targets) > 1)
	}
	p.warnings(r.Warnings)
}

// watchEvents is how many events of a target are shown, the last ones.
const watchEvents = 12

func (t *WatchTarget) text(p *page, several bool) {
	about := aboutProcess(t.PID, t.Script, 0, t.NodeVersion)
	if t.Restarts > 0 {
		about = append(about, plural(t.Restarts, "restart", "restarts"))
	}
	if several {
		p.heading(0, clip(t.Name, 60)+": "+clip(t.Sentence, maxProse/2))
	}
	p.about(about)
	if n := len(t.Curve); n > 0 {
		p.line(0, plain, "")
		for _, l := range t.curves() {
			p.line(2, plain, l.row(p.width-2))
		}
	}
	if len(t.Forecasts) > 0 {
		p.heading(0, "Trends, of what full collections left")
		for _, f := range t.Forecasts {
			if f.Verdict == "undecided" && f.ThreadID != 0 && !p.verbose {
				continue
			}
			text := f.Text
			if f.Verdict != "undecided" {
				text += fmt.Sprintf("; from %d values, by chance %.2g", f.Values, f.P)
			}
			p.prose(2, "- ", plain, text)
		}
	}
	if len(t.Events) > 0 {
		p.heading(0, "Events")
		events := t.Events
		if n := len(events) - watchEvents; n > 0 && !p.verbose {
			p.line(2, dim, plural(n, "earlier one", "earlier ones")+" (--verbose)")
			events = events[n:]
		}
		for _, e := range events {
			text := e.Text
			if e.File != "" {
				text += ": " + clip(e.File, maxPath)
			}
			p.prose(2, e.Time.Local().Format("15:04:05")+"  ", plain, text)
		}
	}
}

// Spark is a figure's course in one row of characters.
type Spark struct {
	Name   string
	Values []float64
	Now    string
	Note   string
}

var sparkLevels = []rune("▁▂▃▄▅▆▇█")

// sparkline draws values in n columns from the lowest to the highest.
func sparkline(values []float64, n int) string {
	if len(values) == 0 || n <= 0 {
		return ""
	}
	low, high := slices.Min(values), slices.Max(values)
	var b strings.Builder
	n = min(n, len(values))
	for i := range n {
		from, to := i*len(values)/n, max((i+1)*len(values)/n, i*len(values)/n+1)
		level := 0
		if high > low {
			// The highest of what one column stands for: peaks are what is looked for.
			level = int((slices.Max(values[from:to])-low)/(high-low)*float64(len(sparkLevels)-1) + 0.5)
		}
		b.WriteRune(sparkLevels[level])
	}
	return b.String()
}

func (s Spark) row(width int) string {
	const name, now = 10, 11
	line := clip(s.Name, name)
	line += strings.Repeat(" ", name-columns(line)+1)
	value := clip(s.Now, now)
	line += strings.Repeat(" ", now-columns(value)) + value + " "
	note := clip(s.Note, 34)
	room := width - columns(line)
	if note != "" && room > 20+columns(note) {
		room -= columns(note) + 2
	} else {
		note = ""
	}
	line += sparkline(s.Values, min(room, 60))
	if note != "" {
		line += "  " + note
	}
	return strings.TrimRight(line, " ")
}

// curves are the rows of a target.
func (t *WatchTarget) curves() []Spark {
	last := t.Curve[len(t.Curve)-1]
	if len(last.Threads) == 0 {
		return nil
	}
	values := func(of func(p WatchPoint) float64) []float64 {
		out := make([]float64, 0, len(t.Curve))
		for _, p := range t.Curve {
			if len(p.Threads) > 0 {
				out = append(out, of(p))
			}
		}
		return out
	}
	m := last.Threads[0]
	note := func(part, whole uint64, of string) string {
		if whole == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f %% of %s %s", 100*float64(part)/float64(whole), FormatBytes(whole), of)
	}
	live := "live: none seen yet"
	if m.Live > 0 {
		live = "live " + FormatBytes(m.Live)
	}
	all := []Spark{
		{"heap", values(func(p WatchPoint) float64 { return float64(p.Threads[0].HeapUsed) }), FormatBytes(m.HeapUsed), live + ", limit " + FormatBytes(m.OldLimit)},
		{"RSS", values(func(p WatchPoint) float64 { return float64(p.RSS) }), FormatBytes(last.RSS), note(last.Working, last.Container, "container")},
		{"external", values(func(p WatchPoint) float64 { return float64(p.Threads[0].External) }), FormatBytes(m.External), "Buffers " + FormatBytes(m.ArrayBuffers)},
		{"gc", values(func(p WatchPoint) float64 { return p.Threads[0].GCShare }), fmt.Sprintf("%.1f %%", 100*m.GCShare), fmt.Sprintf("longest %s", FormatMS(t.Peaks.GCMS))},
		{"loop p99", values(func(p WatchPoint) float64 { return p.Threads[0].DelayP99MS }), FormatMS(m.DelayP99MS), fmt.Sprintf("max %s, busy %.0f %%", FormatMS(t.Peaks.DelayMS), 100*m.Utilization)},
		{"CPU", values(func(p WatchPoint) float64 { return p.CPU }), fmt.Sprintf("%.2f cores", last.CPU), ""},
	}
	for _, w := range last.Threads[1:] {
		id := w.ThreadID
		all = append(all, Spark{fmt.Sprintf("worker %d", id), values(func(p WatchPoint) float64 {
			for _, x := range p.Threads {
				if x.ThreadID == id {
					return float64(x.HeapUsed)
				}
			}
			return 0
		}), FormatBytes(w.HeapUsed), strings.TrimSpace(clip(w.Name, 14) + note(w.Old, w.OldLimit, ""))})
	}
	return all
}

// WatchScreen is the lines of a terminal's view of t, as it is now.
func WatchScreen(t *WatchTarget, o Options) []string {
	p := newPage(o)
	name := t.Name
	if t.Script != "" {
		name = t.Script
	}
	about := clip(name, 50)
	if t.PID > 0 {
		about += fmt.Sprintf("  pid %d", t.PID)
	}
	if t.NodeVersion != "" {
		about += "  " + clip(t.NodeVersion, 12)
	}
	if t.Restarts > 0 {
		about += "  " + plural(t.Restarts, "restart", "restarts")
	}
	p.line(0, bold, clip(about, p.width))
	if len(t.Curve) > 0 {
		for i, l := range t.curves() {
			if i > 9 {
				p.line(2, dim, "and more workers")
				break
			}
			p.line(2, plain, l.row(p.width-2))
		}
	}
	s := plain
	switch t.Verdict {
	case Growing:
		s = red
	case Steady:
		s = green
	}
	p.line(2, s, clip(t.Sentence, p.width-2))
	if n := len(t.Events); n > 0 {
		for _, e := range t.Events[max(0, n-3):] {
			text := e.Time.Local().Format("15:04:05") + "  " + e.Text
			if e.File != "" {
				text += ": " + e.File
			}
			p.line(2, dim, clip(text, p.width-2))
		}
	}
	return strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n")
}

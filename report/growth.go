package report

import (
	"fmt"
	"strings"
)

// Run is how check came to its captures.
type Run struct {
	Scenario string `json:"scenario,omitempty"` // its name in the configuration
	Warmup   int    `json:"warmup"`             // rounds before the first capture
	Rounds   int    `json:"rounds"`             // rounds after it, with a capture after each
	// Units is how many units of work a round was, and Unit what one of them is,
	// such as "request"; 0 and empty where a round is a time.
	Units int    `json:"units,omitempty"`
	Unit  string `json:"unit,omitempty"`
	// Repeated is how many rounds followed in one go, before what had grown was
	// called a leak: what did not grow on, or was gone after a rest, is none.
	Repeated int  `json:"repeated,omitempty"`
	Took     Took `json:"took"`
}

// Took is where the time of a run went, in milliseconds. Only Judge is heapsnap's
// own work; in the rest it waits for the program, or for the load.
type Took struct {
	Start   int64 `json:"startMs"`   // until the program was up
	Load    int64 `json:"loadMs"`    // rounds, of warm-up too
	Settle  int64 `json:"settleMs"`  // collecting garbage until the heap was quiet
	Capture int64 `json:"captureMs"` // the program writes its snapshots
	Rest    int64 `json:"restMs"`    // waiting for what goes by itself
	Judge   int64 `json:"judgeMs"`   // between the rounds
	End     int64 `json:"endMs"`     // until the program had ended
}

func (t Took) total() int64 {
	return t.Start + t.Load + t.Settle + t.Capture + t.Rest + t.Judge + t.End
}

// words say where the time went.
func (t Took) words() string {
	s := "took " + FormatMS(float64(t.total()))
	for _, part := range []struct {
		name string
		ms   int64
	}{
		{"load", t.Load}, {"settling", t.Settle}, {"snapshots", t.Capture}, {"rest", t.Rest}, {"judging", t.Judge}, {"start and end", t.Start + t.End},
	} {
		if part.ms > 0 {
			s += fmt.Sprintf(", %s %s", part.name, FormatMS(float64(part.ms)))
		}
	}
	return strings.Replace(s, ", ", ": ", 1)
}

// Trends are how the program's memory moved over the captures, whoever holds it.
// Its bytes and objects are those of the snapshots.
type Trends struct {
	Heap    Trend `json:"heap"`    // bytes
	Objects Trend `json:"objects"` // a number
	// External is memory outside the heap, process.memoryUsage().external in
	// bytes; nil where that was not recorded.
	External *Trend `json:"external,omitempty"`
	// Explained is the bytes per round that the findings hold, and Unexplained
	// how the heap moved beyond them and beyond what was judged harmless.
	Explained   float64 `json:"explained"`
	Unexplained Trend   `json:"unexplained"`
}

// Trend is how a figure moved from capture to capture.
type Trend struct {
	// PerRound is the growth per round by Theil and Sen, the median of the slopes
	// between all pairs of captures; Low and High bound it, at 90 % confidence.
	PerRound float64 `json:"perRound"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	// P is the probability that a figure without a trend rises as steadily: the
	// test of Mann and Kendall, one-sided and corrected for ties.
	P float64 `json:"p"`
	// Rising says that P is below 0.05 and PerRound above what programs that do
	// not leak show.
	Rising bool `json:"rising"`
}

// words say what a run did: "5 rounds of 200 requests after 3 of warm-up".
func (r *Run) words() string {
	s := plural(r.Rounds, "round", "rounds")
	if r.Scenario != "" {
		s = "scenario " + clip(r.Scenario, 40) + ": " + s
	}
	if r.Units > 0 && r.Unit != "" {
		unit := clip(r.Unit, 40)
		s += " of " + plural(r.Units, unit, unit+"s")
	}
	if r.Warmup > 0 {
		s += fmt.Sprintf(" after %d of warm-up", r.Warmup)
	}
	return s
}

// growthPerRound says in one or two sentences how the heap moved, and in full
// when verbose. Fewer than three captures have no trend.
func (p *page) growthPerRound(r *Report) {
	g := r.Growth
	if g == nil || len(r.Captures) < 3 {
		return
	}
	p.heading(0, "Growth per round")
	if p.verbose {
		p.trends(g, len(r.Findings) > 0)
		return
	}
	s := "heap " + signedBytes(int64(g.Heap.PerRound)) + ": "
	if len(r.Findings) > 0 {
		s += signedBytes(int64(g.Explained)) + " by the findings, "
	}
	s += signedBytes(int64(g.Unexplained.PerRound)) + " that nothing explains"
	if g.External != nil && g.External.Rising {
		s += "; outside the heap " + signedBytes(int64(g.External.PerRound))
	}
	p.prose(2, "", plain, s)
}

// trends is the table of all trends.
func (p *page) trends(g *Trends, findings bool) {
	rows := []row{{dim, []string{"", "per round", "between", "and", "by chance"}}}
	add := func(name string, t Trend, show func(float64) string) {
		s := plain
		if t.Rising {
			s = bold
		}
		rows = append(rows, row{s, []string{name, show(t.PerRound), show(t.Low), show(t.High), chance(t.P)}})
	}
	size := func(v float64) string { return signedBytes(int64(v)) }
	add("heap", g.Heap, size)
	if findings {
		rows = append(rows, row{plain, []string{"  by the findings", size(g.Explained)}})
	}
	add("  that nothing explains", g.Unexplained, size)
	add("objects", g.Objects, func(v float64) string { return signedCount(int(v)) })
	if g.External != nil {
		add("outside the heap", *g.External, size)
	}
	if p.narrow() {
		for i := range rows {
			rows[i].cells = rows[i].cells[:2]
		}
	}
	p.table(2, rows)
}

// chance shows a probability as a person compares it.
func chance(p float64) string {
	switch {
	case p < 0.001:
		return "under 0.1 %"
	case p < 0.1:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*p), ".0") + " %"
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

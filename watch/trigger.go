package watch

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Condition is a figure held against a bound, such as heap>80%limit.
type Condition struct {
	Text   string
	metric metric
	below  bool
	bound  float64
	share  bool // of the figure's limit
}

// metric is a figure that conditions are made of.
type metric struct {
	name, unit string // unit: bytes, rate, time, share, cores, count
	value      func(p *Point, o *Outlook) (v float64, known bool)
	limit      func(p *Point) uint64 // of which a percentage is; nil if there is none
}

// metrics are in the order in which they are listed.
var metrics = []metric{
	{"heap", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.Main.Old), true }, func(p *Point) uint64 { return p.Main.OldLimit }},
	{"live", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.Main.LiveOld), p.Main.Live > 0 }, func(p *Point) uint64 { return p.Main.OldLimit }},
	{"rss", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.RSS), true }, func(p *Point) uint64 { return p.Group.Limit }},
	{"container", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.Group.Working()), p.Group.Limit > 0 }, func(p *Point) uint64 { return p.Group.Limit }},
	{"external", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.Main.External), true }, func(p *Point) uint64 { return p.Group.Limit }},
	{"buffers", "bytes", func(p *Point, _ *Outlook) (float64, bool) { return float64(p.Main.ArrayBuffers), true }, func(p *Point) uint64 { return p.Group.Limit }},
	{"growth", "rate", func(_ *Point, o *Outlook) (rate float64, known bool) {
		for _, f := range o.Forecasts {
			if f.Verdict == Growing {
				rate = max(rate, f.Rate)
			}
		}
		return rate, o.Verdict != Undecided
	}, nil},
	{"left", "time", func(_ *Point, o *Outlook) (float64, bool) {
		if o.Next == nil {
			return 0, false
		}
		return o.Next.Left.Seconds(), true
	}, nil},
	{"loop", "time", func(p *Point, _ *Outlook) (float64, bool) { return p.Main.Delay.Max.Seconds(), true }, nil},
	{"loop-p99", "time", func(p *Point, _ *Outlook) (float64, bool) { return p.Main.Delay.P99.Seconds(), true }, nil},
	{"busy", "share", func(p *Point, _ *Outlook) (float64, bool) { return p.Main.Utilization, true }, nil},
	{"gc", "share", func(p *Point, _ *Outlook) (float64, bool) { return p.Main.GC.Share, true }, nil},
	{"cpu", "count", func(p *Point, _ *Outlook) (float64, bool) { return p.CPU, true }, nil},
}

// Metrics lists the figures that a condition may be about.
func Metrics() []string {
	var all []string
	for _, m := range metrics {
		all = append(all, m.name)
	}
	return all
}

var conditionForm = regexp.MustCompile(`^\s*([a-z0-9-]+)\s*([<>])\s*([0-9]+(?:\.[0-9]+)?)\s*(%?[A-Za-z]*(?:/[a-z]+)?)\s*$`)

// ParseCondition reads METRIC>VALUE or METRIC<VALUE; a value has a unit: 80%,
// 80%limit, 400MiB, 1MiB/s, 30MB/min, 200ms, 10m.
func ParseCondition(text string) (Condition, error) {
	c := Condition{Text: strings.TrimSpace(text)}
	parts := conditionForm.FindStringSubmatch(text)
	if parts == nil {
		return c, fmt.Errorf("condition %q: want a figure, > or <, and a value with its unit, such as heap>80%%limit, rss>400MiB, loop>200ms, growth>1MiB/s", text)
	}
	i := slices.IndexFunc(metrics, func(m metric) bool { return m.name == parts[1] })
	if i < 0 {
		return c, fmt.Errorf("condition %q: %s is no figure: it is one of %s", text, parts[1], strings.Join(Metrics(), ", "))
	}
	c.metric, c.below = metrics[i], parts[2] == "<"
	v, err := strconv.ParseFloat(parts[3], 64)
	if err != nil {
		return c, fmt.Errorf("condition %q: %w", text, err)
	}
	unit := parts[4]
	fail := func(want string) (Condition, error) {
		return c, fmt.Errorf("condition %q: %s wants %s", text, c.metric.name, want)
	}
	switch c.metric.unit {
	case "bytes":
		if unit == "%" || unit == "%limit" {
			if c.bound, c.share = v/100, true; v > 1000 {
				return fail("a share below 1000%")
			}
			return c, nil
		}
		size, ok := sizes[unit]
		if !ok {
			return fail("a size such as 400MiB, or a share of its limit such as 80%")
		}
		c.bound = v * size
	case "rate":
		of, per, ok := strings.Cut(unit, "/")
		size, known := sizes[of]
		second := map[string]float64{"s": 1, "min": 60, "m": 60, "h": 3600}[per]
		if !ok || !known || second == 0 {
			return fail("a rate such as 1MiB/s or 30MiB/min")
		}
		c.bound = v * size / second
	case "time":
		d, err := time.ParseDuration(parts[3] + unit)
		if err != nil {
			return fail("a duration such as 200ms or 10m")
		}
		c.bound = d.Seconds()
	case "share":
		if unit != "%" {
			return fail("a percentage such as 20%")
		}
		c.bound = v / 100
	default:
		if unit != "" {
			return fail("a number")
		}
		c.bound = v
	}
	return c, nil
}

var sizes = map[string]float64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30,
}

// Holds reports whether the condition holds, and what the figure is. What is not
// known does not hold.
func (c Condition) Holds(p *Point, o *Outlook) (value string, holds bool) {
	v, known := c.metric.value(p, o)
	if !known {
		return "", false
	}
	bound := c.bound
	if c.share {
		limit := uint64(0)
		if c.metric.limit != nil {
			limit = c.metric.limit(p)
		}
		if limit == 0 {
			return "", false
		}
		bound *= float64(limit)
		value = fmt.Sprintf("%.0f %% of %.0f MiB", 100*v/float64(limit), float64(limit)/(1<<20))
	} else {
		value = c.metric.show(v)
	}
	if c.below {
		return value, v < bound
	}
	return value, v > bound
}

func (m metric) show(v float64) string {
	switch m.unit {
	case "bytes":
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case "rate":
		return perTime(v)
	case "time":
		return time.Duration(v * float64(time.Second)).Round(100 * time.Microsecond).String()
	case "share":
		return fmt.Sprintf("%.0f %%", 100*v)
	}
	return fmt.Sprintf("%.2f", v)
}

// looksInARow is how often a condition has to hold one after the other: one look
// may meet the top of a sawtooth.
const looksInARow = 2

// Trigger fires when a condition comes to hold, not again while it does, and not
// more often than its pace. Its zero value but for the Condition is ready.
type Trigger struct {
	Condition
	Pace time.Duration // between two times that it fires

	held  int
	fired bool // and has held since
	last  time.Time
}

// Look takes a look, and reports whether the trigger fires. held says that it
// would have, but for the pace.
func (t *Trigger) Look(p *Point, o *Outlook) (value string, fires, held bool) {
	value, holds := t.Holds(p, o)
	if !holds {
		t.held, t.fired = 0, false
		return value, false, false
	}
	if t.held++; t.held < looksInARow || t.fired {
		return value, false, false
	}
	t.fired = true
	if !t.last.IsZero() && p.Time.Sub(t.last) < t.Pace {
		return value, false, true
	}
	t.last = p.Time
	return value, true, false
}

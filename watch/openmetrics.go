package watch

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Exposed is a process in the metrics: its labels, and what is known of it.
type Exposed struct {
	Target string // as it was named
	Script string
	Up     bool
	Point  *Point // nil if nothing was seen yet
	Next   *Forecast
	// Restarts is how often it came back as another process.
	Restarts int
}

// family is a metric of OpenMetrics.
type family struct {
	name, kind, unit, help string
	samples                []string
}

// WriteMetrics writes OpenMetrics text (openmetrics.io, version 1.0, which
// Prometheus reads as well). Names are those of OpenTelemetry's conventions for
// v8js, nodejs and process metrics, with underscores and units as its exporters
// to Prometheus write them; what these have no name for begins with heapsnap_.
func WriteMetrics(w io.Writer, all []Exposed) error {
	e := &exposition{of: map[string]*family{}}
	for _, x := range all {
		e.process(x)
	}
	var b strings.Builder
	for _, f := range e.families {
		fmt.Fprintf(&b, "# TYPE %s %s\n", f.name, f.kind)
		if f.unit != "" {
			fmt.Fprintf(&b, "# UNIT %s %s\n", f.name, f.unit)
		}
		fmt.Fprintf(&b, "# HELP %s %s\n", f.name, f.help)
		for _, s := range f.samples {
			b.WriteString(s)
		}
	}
	b.WriteString("# EOF\n")
	_, err := io.WriteString(w, b.String())
	return err
}

type exposition struct {
	families []*family
	of       map[string]*family
}

// labels are pairs of name and value.
type labels []string

func (l labels) String() string {
	var b strings.Builder
	for i := 0; i+1 < len(l); i += 2 {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l[i] + `="` + labelValue.Replace(l[i+1]) + `"`)
	}
	return b.String()
}

var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", " ")

func (e *exposition) add(name, kind, unit, help, suffix string, l labels, v float64) {
	f := e.of[name]
	if f == nil {
		f = &family{name: name, kind: kind, unit: unit, help: help}
		e.of[name] = f
		e.families = append(e.families, f)
	}
	f.samples = append(f.samples, fmt.Sprintf("%s%s{%s} %s\n", name, suffix, l, strconv.FormatFloat(v, 'g', -1, 64)))
}

func (e *exposition) process(x Exposed) {
	base := labels{"target", x.Target, "script", x.Script}
	up := 0.0
	if x.Up {
		up = 1
	}
	e.add("heapsnap_up", "gauge", "", "whether the process is being watched", "", base, up)
	e.add("heapsnap_restarts", "counter", "", "times that the process came back as another", "_total", base, float64(x.Restarts))
	p := x.Point
	if p == nil || !x.Up {
		return
	}
	e.add("process_memory_usage_bytes", "gauge", "bytes", "resident memory", "", base, float64(p.RSS))
	if g := p.Group; g.Limit > 0 {
		e.add("heapsnap_container_working_set_bytes", "gauge", "bytes", "memory of the container that counts against its limit", "", base, float64(g.Working()))
		e.add("heapsnap_container_limit_bytes", "gauge", "bytes", "memory limit of the container", "", base, float64(g.Limit))
	}
	if x.Next != nil {
		e.add("heapsnap_limit_left_seconds", "gauge", "seconds", "until the nearest limit is reached, by the trend of what full collections leave", "",
			slices.Concat(base, labels{"limit", x.Next.Of}), x.Next.Left.Seconds())
		e.add("heapsnap_growth_bytes_per_second", "gauge", "", "growth of what full collections leave", "", slices.Concat(base, labels{"limit", x.Next.Of}), x.Next.Rate)
	}
	e.add("process_cpu_utilization_ratio", "gauge", "ratio", "cores in use", "", base, p.CPU)
	for _, name := range slices.Sorted(maps.Keys(p.Handles)) {
		e.add("v8js_resource_active", "gauge", "", "active resources that keep the event loop alive", "", slices.Concat(base, labels{"v8js_resource_type", name}), float64(p.Handles[name]))
	}
	for _, t := range p.Threads() {
		e.thread(slices.Concat(base, labels{"thread", strconv.Itoa(t.ID)}), t)
	}
}

func (e *exposition) thread(base labels, t Thread) {
	with := func(pairs ...string) labels { return slices.Concat(base, labels(pairs)) }
	e.add("heapsnap_heap_limit_bytes", "gauge", "bytes", "old objects at which V8 gives up", "", base, float64(t.OldLimit))
	if t.Live > 0 {
		e.add("heapsnap_heap_live_bytes", "gauge", "bytes", "left by the last full collection", "", base, float64(t.Live))
	}
	e.add("heapsnap_external_memory_bytes", "gauge", "bytes", "outside the heap, kept by objects in it", "", base, float64(t.External))
	e.add("heapsnap_array_buffers_bytes", "gauge", "bytes", "of Buffers and ArrayBuffers", "", base, float64(t.ArrayBuffers))
	for _, s := range t.Spaces {
		space := with("v8js_heap_space_name", s.Name)
		e.add("v8js_memory_heap_limit_bytes", "gauge", "bytes", "size of a heap space", "", space, float64(s.Size))
		e.add("v8js_memory_heap_used_bytes", "gauge", "bytes", "used in a heap space", "", space, float64(s.Used))
		e.add("v8js_memory_heap_space_available_size_bytes", "gauge", "bytes", "available in a heap space", "", space, float64(s.Available))
		e.add("v8js_memory_heap_space_physical_size_bytes", "gauge", "bytes", "committed of a heap space", "", space, float64(s.Physical))
	}
	for _, kind := range slices.SortedFunc(maps.Keys(t.GC.Kinds), cmp.Compare) {
		k := t.GC.Kinds[kind]
		of := with("v8js_gc_type", kind)
		const name, help = "v8js_gc_duration_seconds", "collections since the watching began"
		for i, bound := range gcBuckets {
			n := 0
			if i < len(k.Buckets) {
				n = k.Buckets[i]
			}
			e.add(name, "histogram", "seconds", help, "_bucket", slices.Concat(of, labels{"le", strconv.FormatFloat(bound, 'g', -1, 64)}), float64(n))
		}
		e.add(name, "histogram", "seconds", help, "_bucket", slices.Concat(of, labels{"le", "+Inf"}), float64(k.Count))
		e.add(name, "histogram", "seconds", help, "_count", of, float64(k.Count))
		e.add(name, "histogram", "seconds", help, "_sum", of, k.Time.Seconds())
	}
	d := t.Delay
	for _, q := range []struct {
		name string
		v    float64
	}{{"min", d.Min.Seconds()}, {"max", d.Max.Seconds()}, {"mean", d.Mean.Seconds()}, {"stddev", d.Stddev.Seconds()}, {"p50", d.P50.Seconds()}, {"p90", d.P90.Seconds()}, {"p99", d.P99.Seconds()}} {
		e.add("nodejs_eventloop_delay_"+q.name+"_seconds", "gauge", "seconds", "event loop delay since the look before", "", base, q.v)
	}
	e.add("nodejs_eventloop_utilization_ratio", "gauge", "ratio", "event loop utilization since the look before", "", base, t.Utilization)
	e.add("nodejs_eventloop_time_seconds", "counter", "seconds", "time that the event loop was active or idle", "_total", with("nodejs_eventloop_state", "active"), t.Active.Seconds())
	e.add("nodejs_eventloop_time_seconds", "counter", "seconds", "time that the event loop was active or idle", "_total", with("nodejs_eventloop_state", "idle"), t.Idle.Seconds())
}

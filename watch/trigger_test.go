package watch

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"heapsnap/memory"
)

func TestConditions(t *testing.T) {
	p := &Point{RSS: 400 * mib, CPU: 0.5, Group: memory.Group{Limit: 500 * mib, Current: 450 * mib, Cache: 30 * mib}, Main: Thread{
		Old: 81 * mib, OldLimit: 100 * mib, External: 20 * mib, ArrayBuffers: 10 * mib, Utilization: 0.7, GC: GC{Share: 0.1}, Delay: Delay{Max: 250 * time.Millisecond, P99: 40 * time.Millisecond}}}
	o := &Outlook{Verdict: Growing, Forecasts: []Forecast{{Verdict: Growing, Rate: mib, Left: 5 * time.Minute}}}
	o.Next = &o.Forecasts[0]
	for text, want := range map[string]bool{
		"heap>80%limit": true, "heap>80%": true, "heap > 82 %": false, "heap>80MiB": true, "heap<80MiB": false, "rss>399M": true, "rss>81%": false,
		"container>83%": true, "container>85%": false, "external>19MiB": true, "buffers>11MB": false, "loop>200ms": true, "loop>1s": false,
		"loop-p99>50ms": false, "busy>60%": true, "gc>20%": false, "cpu>0.4": true, "growth>500KiB/s": true, "growth>61MiB/min": false,
		"left<10m": true, "left<1m": false, "live>1%": false, // nothing is known to be live
	} {
		c, err := ParseCondition(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if value, holds := c.Holds(p, o); holds != want {
			t.Errorf("%s holds: %v (%s), want %v", text, holds, value, want)
		}
	}
	for _, text := range []string{"", "heap", "heap>", "heap>80", "heap>80ms", "size>80%", "loop>80%", "growth>1MiB", "growth>1MiB/y", "busy>3", "cpu>50%", "heap=80%", "heap>80%;rm", "left<x"} {
		if c, err := ParseCondition(text); err == nil {
			t.Errorf("%q is %+v", text, c)
		}
	}
	c, _ := ParseCondition("container>80%")
	if _, holds := c.Holds(&Point{}, &Outlook{}); holds {
		t.Error("a share of a container that is not there")
	}
}

func TestATriggerFiresOnceAndKeepsItsPace(t *testing.T) {
	c, err := ParseCondition("heap>80%limit")
	if err != nil {
		t.Fatal(err)
	}
	trigger := Trigger{Condition: c, Pace: time.Minute}
	start := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var log []string
	for i, percent := range []int{70, 85, 70, 85, 86, 90, 95, 70, 85, 85, 85, 70} { // ten seconds apart
		p := &Point{Time: start.Add(time.Duration(i) * 10 * time.Second), Main: Thread{Old: uint64(percent), OldLimit: 100}}
		_, fires, held := trigger.Look(p, &Outlook{})
		switch {
		case fires:
			log = append(log, fmt.Sprint("fires ", i))
		case held:
			log = append(log, fmt.Sprint("held ", i))
		}
	}
	// A single look at the top of a sawtooth does not count, nor what goes on.
	if got := strings.Join(log, ", "); got != "fires 4, held 9" {
		t.Errorf("%s, want fires 4, held 9", got)
	}
}

func TestMetrics(t *testing.T) {
	s := process{live: rising(10, 0.5), outside: constant(50), garbage: 3, limit: 110, contains: 4096}.watch(100)
	p := s.Last()
	p.Handles = map[string]int{"TCPSocketWrap": 3}
	p.Main.Spaces = []SpaceFigures{{"old_space", 5, 4, 1, 5}}
	p.Main.GC.Kinds = map[string]GCKind{"major": {Count: 3, Time: 60 * time.Millisecond, Buckets: []int{1, 3, 3, 3}}}
	p.Workers = []Thread{{ID: 2, Name: "w"}}
	o := s.Outlook()
	var b bytes.Buffer
	err := WriteMetrics(&b, []Exposed{
		{Target: "a\"b\\c\nd", Script: "/app/a.js", Up: true, Point: p, Next: o.Next, Restarts: 1}, {Target: "gone", Point: p}})
	if err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		`heapsnap_up{target="a\"b\\c\nd",script="/app/a.js"} 1` + "\n", `heapsnap_up{target="gone",script=""} 0` + "\n", "heapsnap_restarts_total{",
		`v8js_memory_heap_used_bytes{target="a\"b\\c\nd",script="/app/a.js",thread="0",v8js_heap_space_name="old_space"} 4` + "\n",
		`v8js_gc_type="major",le="0.01"} 1` + "\n", `v8js_gc_type="major",le="+Inf"} 3` + "\n", `v8js_gc_duration_seconds_sum{`,
		`nodejs_eventloop_delay_p99_seconds{`, `nodejs_eventloop_time_seconds_total{`, `v8js_resource_type="TCPSocketWrap"} 3`, `heapsnap_limit_left_seconds{`, `thread="2"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, `process_memory_usage_bytes{target="gone"`) {
		t.Error("figures of a process that is gone")
	}
	// Each family once, its samples below it, and the end marked.
	line := regexp.MustCompile(`^([a-z0-9_]+)\{([a-z0-9_]+="(?:[^"\\\n]|\\.)*",?)*\} [-+0-9.eInf]+$`)
	families := map[string]bool{}
	current := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		switch {
		case strings.HasPrefix(l, "# TYPE "):
			current = strings.Fields(l)[2]
			if families[current] {
				t.Errorf("%s is there twice", current)
			}
			families[current] = true
		case strings.HasPrefix(l, "# "):
		case !line.MatchString(l) || !strings.HasPrefix(l, current):
			t.Errorf("not a sample of %s: %s", current, l)
		}
	}
	if !strings.HasSuffix(text, "\n# EOF\n") {
		t.Error("no end")
	}
}

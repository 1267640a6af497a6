package cdp

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestTraceEndsWithItsLastBatch(t *testing.T) {
	const (
		data = `{"method":"NodeTracing.dataCollected","params":{"value":[{"pid":7,"tid":7,"ts":12,"tts":3,"ph":"X","cat":"node,node.environment","name":"CheckImmediate","dur":5,"tdur":4,"args":{"a":1}},{"ph":"M","cat":"__metadata","name":"process_name","pid":7,"tid":7,"ts":0,"args":{}}]}}`
		last = `{"method":"NodeTracing.dataCollected","params":{"value":[{"ph":"M","cat":"__metadata","name":"process_name","pid":7,"tid":7,"ts":0,"args":{}}]}}`
	)
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method == "NodeTracing.stop" {
			// As Node does: that it is complete comes before the data.
			return []string{`{"method":"NodeTracing.tracingComplete","params":{}}`, c.ok(), data, data, last}
		}
		return []string{c.ok()}
	})
	ctx := deadline(t, 30*time.Second)
	s := f.dial(ctx)
	var got []TraceEvent
	trace, err := s.StartTrace(ctx, []string{"node.environment"}, func(events []TraceEvent) { got = append(got, events...) })
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := trace.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if time.Since(begun) >= traceSilence {
		t.Error("Stop waited for silence though the last batch had come")
	}
	if len(got) != 4 || got[0].Name != "CheckImmediate" || got[0].At != 12 || got[0].Duration != 5 || got[0].CPUAt != 3 || got[0].CPU != 4 || string(got[0].Args) != `{"a":1}` {
		t.Errorf("events = %+v", got)
	}
	if err := trace.Stop(ctx); err != nil {
		t.Errorf("a second Stop = %v", err)
	}
}

func TestTraceThatIsRefused(t *testing.T) {
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method == "NodeTracing.start" {
			return []string{fmt.Sprintf(`{"id":%d`, c.ID) + `,"error":{"code":-32000,"message":"Call NodeTracing::end to stop tracing before updating the config"}}`}
		}
		return []string{c.ok()}
	})
	ctx := deadline(t, 30*time.Second)
	_, err := f.dial(ctx).StartTrace(ctx, []string{"node"}, func([]TraceEvent) {})
	var refused *CommandError
	if !errors.As(err, &refused) {
		t.Errorf("StartTrace = %v, want the refusal", err)
	}
}

func TestProfileIsGivenBackAsItCame(t *testing.T) {
	const profile = `{"nodes":[{"id":1}],"startTime":1,"endTime":2,"samples":[1],"timeDeltas":[0]}`
	var methods []string
	f := newFakeInspector(t, func(c fakeCommand) []string {
		methods = append(methods, c.Method)
		if c.Method == "Profiler.stop" {
			return []string{c.result(`{"profile":` + profile + `}`)}
		}
		return []string{c.ok()}
	})
	ctx := deadline(t, 30*time.Second)
	s := f.dial(ctx)
	if err := s.StartProfile(ctx, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	got, err := s.StopProfile(ctx)
	if err != nil || string(got) != profile {
		t.Errorf("StopProfile = %s, %v, want %s", got, err, profile)
	}
	if last := methods[len(methods)-1]; last != "Profiler.disable" {
		t.Errorf("the last command is %s, want Profiler.disable", last)
	}
}

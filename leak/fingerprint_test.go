package leak

import (
	"context"
	"strings"
	"testing"

	"heapsnap/internal/textgraph"
)

// Which of two links leads to more of a tree is chance, and so is the class
// that V8 has for a signal: neither makes another leak of it.
func TestFingerprintsLeaveChanceOut(t *testing.T) {
	const (
		tree = `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 closure "book" 64 at 1:1:1: internal context -> @7
@7 object "system / Context": context calendar -> @9
@9 object "Slot" 64: property {left} -> @1001, property {right} -> @2001
@1001+2*i i<99 object "Slot" 64: property {left} -> @1003+2*i
@1199 object "Slot" 64
@2001 object "Slot" 64
`
		signal = `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 closure "run" 64 at 1:1:1: internal context -> @7
@7 object "system / Context": context stop -> @9
@9 object "{class}" 64: property "<symbol kAborted>" -> @11, property list -> @13
@11 number "heap number"
@13 object "Array": element j -> @1001+2*j j<100
@1001+2*i i<100 object "Listener" 64
`
	)
	fingerprint := func(name, graph string, replace ...string) string {
		t.Helper()
		graph = strings.NewReplacer(replace...).Replace(graph)
		empty := graph[:strings.Index(graph, "\n@9")] + "\n@9 object \"Nothing\"\n"
		findings, err := Across(context.Background(), read(t, textgraph.Snapshot(t, empty)), read(t, textgraph.Snapshot(t, graph)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) != 1 {
			t.Fatalf("%s: %d findings, want one: %v", name, len(findings), findings)
		}
		t.Logf("%s: %s", name, findings[0].Holder.Name)
		return findings[0].Fingerprint
	}
	if a, b := fingerprint("tree", tree, "{left}", "earlier", "{right}", "later"), fingerprint("tree", tree, "{left}", "later", "{right}", "earlier"); a != b {
		t.Errorf("a tree that grew to the left has %s, to the right %s", a, b)
	}
	if a, b := fingerprint("signal", signal, "{class}", "EventTarget"), fingerprint("signal", signal, "{class}", "AbortSignal"); a != b {
		t.Errorf("a signal made of an EventTarget has %s, another %s", a, b)
	}
}

package leak

import (
	"fmt"
	"testing"
)

// The timings of fetches are kept by Node, 250 at most; a program's own list of that name is its own affair.
func TestBounded(t *testing.T) {
	const graph = `
@1 synthetic "": element 1 -> @5
@5 synthetic "(GC roots)": element 1 -> @7
@7 closure "enqueue" 64 at 4:4:16: internal context -> @9, internal shared -> @11
@9 object "system / Context" 32: context %s -> @15
@11 code "enqueue" 56: internal script -> @13
@13 code "%s" 32
@15 object "Array" 16: element j -> @101+2*j j<%[3]d
@101+2*i i<%[3]d +1+i/%d object "PerformanceResourceTiming" 40
`
	tests := []struct {
		name, variable, script string
		perRound, findings     int
	}{
		{"filling", "resourceTimingBuffer", "node:internal/perf/observe", 30, 0},
		{"over its bound", "resourceTimingBuffer", "node:internal/perf/observe", 100, 1},
		{"another variable", "markEntryBuffer", "node:internal/perf/observe", 30, 1},
		{"another script", "resourceTimingBuffer", "/app/observe.js", 30, 1},
	}
	for _, test := range tests {
		findings := run(t, fmt.Sprintf(graph, test.variable, test.script, 3*test.perRound, test.perRound), nil)
		if len(findings) != test.findings {
			t.Errorf("%s: %d findings, want %d", test.name, len(findings), test.findings)
		}
	}
}

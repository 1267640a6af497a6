package check

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"heapsnap/diff"
	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
	"heapsnap/leak"
	"heapsnap/report"
)

// capturesWith are captures with so many MiB of external memory, and of memory beside heap and that.
func capturesWith(external, beside []uint64) []report.Capture {
	var all []report.Capture
	for i := range external {
		all = append(all, report.Capture{HeapUsed: 5 << 20, External: external[i] << 20, RSS: 5<<20 + external[i]<<20 + beside[i]<<20})
	}
	return all
}

// Zlib's handles hang on streams that a finding tells of, on an old object that none tells of, or are not there.
func TestNoteOutside(t *testing.T) {
	const (
		held = `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 object "Array": element j -> @1001+j/10*1000+2*(j%10) j<30
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "Gzip" 64: property _handle -> @1201+i/10*1000+2*(i%10)
@1201+i/10*1000+2*(i%10) i<30 +1+i/10 object "Zlib" 64: internal javascript_to_native -> @90002+2*i
@90002+2*i i<30 +1+i/10 native "Node / ZlibStream" 100
`
		none = `captures 4
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 object "Array"
`
	)
	flat, grows := []uint64{40, 40, 40, 40}, []uint64{10, 12, 14, 16}
	for _, test := range []struct {
		name, graph string
		captures    []report.Capture
		evidence    string
		warning     string
	}{
		{"with streams", held, capturesWith(grows, flat), "grew by 6.0 MiB, about 2.0 MiB a round; 30 ZlibStream handles of Node's", ""},
		{"with nothing", none, capturesWith(grows, flat), "", "nothing in the heap grew with it"},
		{"of the process", none, capturesWith(flat, []uint64{10, 40, 70, 100}), "", "the process's memory beside heap and external memory grew by 90.0 MiB"},
		{"not at all", held, capturesWith(flat, flat), "", ""},
		{"in most rounds", none, capturesWith([]uint64{10, 12, 12, 16}, flat), "", ""},
		{"not recorded", none, make([]report.Capture, 4), "", ""},
	} {
		var earlier []*heapsnap.Identities
		var last *heapsnap.Snapshot
		for _, data := range textgraph.Series(t, test.graph) {
			if last != nil {
				earlier = append(earlier, last.Identities())
			}
			var err error
			if last, err = heapsnap.Read(context.Background(), bytes.NewReader(data), heapsnap.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		d, err := diff.Compare(context.Background(), earlier, last, diff.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := leak.Run(context.Background(), d, leak.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := &report.Report{Captures: test.captures}
		fill(r, d, found)
		noteOutside(r, d, found)
		evidence := ""
		for _, f := range r.Findings {
			evidence += strings.Join(f.Evidence, "\n")
		}
		if !strings.Contains(evidence, test.evidence) || test.evidence == "" && strings.Contains(evidence, "grew by") {
			t.Errorf("%s: evidence %q, want %q", test.name, evidence, test.evidence)
		}
		if warning := strings.Join(r.Warnings, "\n"); !strings.Contains(warning, test.warning) || test.warning == "" && warning != "" {
			t.Errorf("%s: warnings %q, want %q", test.name, warning, test.warning)
		}
	}
}

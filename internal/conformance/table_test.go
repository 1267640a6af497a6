//go:build conformance

package conformance

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
)

// kinds are what is compared, in the table's order. A kind has no column of its
// own if it is not here: it is counted under "other".
var kinds = []string{
	"ID", "SelfSize", "RetainedSize", "Distance", "Dominator", "Detachedness", "ClassName", "Name", "RawName",
	"Aggregates", "Statistics", "DuplicateStrings", "Compare", "RetainedBy", "Samples", "AllocationProfile", "AllocationStack",
}

// optional are the kinds that not every snapshot has: of two captures, and with
// allocation tracking.
var optional = map[string]bool{"Compare": true, "Samples": true, "AllocationProfile": true, "AllocationStack": true}

// A table says per snapshot how many values differ from DevTools'.
type table struct{ rows []*result }

type result struct {
	name         string
	nodes, edges int
	report       *report // nil if the comparison did not come to its end
}

func (t *table) add(name string) *result {
	t.rows = append(t.rows, &result{name: name})
	return t.rows[len(t.rows)-1]
}

// write leaves the table in a file for `make conformance`, as go test shows no
// output of a test that passes. Each difference counts.
func (t *table) write(tb testing.TB, path string) {
	short := map[string]string{
		"SelfSize": "self", "RetainedSize": "retained", "Distance": "distance", "Dominator": "dominator", "Detachedness": "detached",
		"ClassName": "class", "Name": "name", "RawName": "raw name", "Aggregates": "classes", "Statistics": "statistics",
		"DuplicateStrings": "duplicates", "Compare": "diff", "RetainedBy": "retained by", "Samples": "samples",
		"AllocationProfile": "profile", "AllocationStack": "stacks",
	}
	var text bytes.Buffer
	const heading = "differences from DevTools"
	width := len(heading)
	for _, r := range t.rows {
		width = max(width, len(r.name))
	}
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-*s\tnodes\tedges\t", width, heading)
	for _, kind := range kinds {
		if name := short[kind]; name != "" {
			kind = name
		}
		fmt.Fprintf(w, "%s\t", kind)
	}
	fmt.Fprintln(w, "other\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%-*s\t%d\t%d\t", width, r.name, r.nodes, r.edges)
		if r.report == nil {
			fmt.Fprintln(w, "not compared\t")
			continue
		}
		other := 0
		for kind, count := range r.report.count {
			if !slices.Contains(kinds, kind) {
				other += count
			}
		}
		for _, kind := range kinds {
			if optional[kind] && !r.report.asked[kind] {
				fmt.Fprint(w, "-\t")
				continue
			}
			fmt.Fprintf(w, "%d\t", r.report.count[kind])
		}
		fmt.Fprintf(w, "%d\t\n", other)
	}
	w.Flush()
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		tb.Error(err)
	}
}

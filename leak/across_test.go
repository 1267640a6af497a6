package leak

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
)

// What a series shows to grow, its last capture has more of than its first,
// taken for captures of two processes: the same rule, holder and fingerprint,
// for every rule with a text graph. And no finding says that it has seen
// anything grow.
func TestAcrossTheEndsOfASeries(t *testing.T) {
	small := map[string]bool{"string-rope": true} // of a few kilobytes, and one object
	same := 0
	for _, test := range explained {
		graph, sources := readCase(t, test.name)
		want := only(t, graph, sources)
		if total(want.Entries) < 40 || small[test.name] {
			continue // of so little nobody can say that it is no chance
		}
		series := textgraph.Series(t, graph)
		first, last := read(t, series[0]), read(t, series[len(series)-1])
		source := Options{Source: func(script string) ([]byte, error) {
			if text, ok := sources[script]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such source")
		}}
		findings, err := Across(context.Background(), first, last, source)
		if err != nil {
			t.Fatal(err)
		}
		if none, err := Across(context.Background(), last, first, source); err != nil || len(none) > 0 {
			t.Errorf("%s: the first has more than the last: %v, %v", test.name, none, err)
		}
		got := "nothing"
		if len(findings) > 0 {
			f := findings[0]
			got = f.Rule + ": " + f.Title
			for _, said := range append(f.Evidence, f.Title) {
				for _, word := range []string{"capture", "round", "grow", "newer", "more and more"} {
					if strings.Contains(said, word) {
						t.Errorf("%s: says %q", test.name, said)
					}
				}
			}
			if f.Rule == want.Rule && f.Holder.Name == want.Holder.Name && f.Fingerprint == want.Fingerprint {
				same++
				continue
			}
		}
		t.Errorf("%s: %s, want %s: %s with fingerprint %s", test.name, got, want.Rule, want.Holder.Name, want.Fingerprint)
	}
	if same < 20 {
		t.Errorf("%d cases were looked at", same)
	}
}

func read(t *testing.T, data []byte) *heapsnap.Snapshot {
	t.Helper()
	s, err := heapsnap.Read(context.Background(), bytes.NewReader(data), heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

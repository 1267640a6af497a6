package leak

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
)

// suspectsOf explains the last capture of a text alone.
func suspectsOf(t *testing.T, graph string, sources map[string]string) (stand, usual []Finding) {
	t.Helper()
	s, err := heapsnap.Read(context.Background(), bytes.NewReader(textgraph.Snapshot(t, graph)), heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stand, usual, err = Suspects(context.Background(), s, Options{Source: func(script string) ([]byte, error) {
		if text, ok := sources[script]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no source of %s", script)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return stand, usual
}

// What a series of captures shows to grow, the last of them alone shows to be
// there: the same rule, holder and fingerprint, in four of five cases at least.
// That goes for every rule with a text graph.
func TestSuspectsOfTheLastCapture(t *testing.T) {
	same := 0
	var missed []string
	for _, test := range explained {
		graph, sources := readCase(t, test.name)
		want := only(t, graph, sources)
		stand, usual := suspectsOf(t, graph, sources)
		all := append(stand, usual...)
		if len(all) > 0 && all[0].Rule == want.Rule && all[0].Holder.Name == want.Holder.Name && all[0].Fingerprint == want.Fingerprint {
			same++
			continue
		}
		got := "nothing"
		if len(all) > 0 {
			got = all[0].Rule + ": " + all[0].Title
		}
		missed = append(missed, fmt.Sprintf("%s: %s, want %s", test.name, got, want.Holder.Name))
	}
	if 5*same < 4*len(explained) {
		t.Errorf("%d of %d are the same:\n%s", same, len(explained), strings.Join(missed, "\n"))
	}
	t.Logf("%d of %d; not: %q", same, len(explained), missed)
}

// One capture knows nothing of growth, and its words must not.
func TestSuspectsSayNothingOfTime(t *testing.T) {
	for _, test := range explained {
		graph, sources := readCase(t, test.name)
		stand, usual := suspectsOf(t, graph, sources)
		for _, f := range append(stand, usual...) {
			for _, text := range append(f.Evidence, f.Title, f.Site.Why) {
				for _, word := range []string{"round", "capture", "grows", "never", "more and more"} {
					if slices.Contains(strings.Fields(text), word) {
						t.Errorf("%s: %q says %q", test.name, text, word)
					}
				}
			}
			if f.PerCapture != nil {
				t.Errorf("%s: PerCapture = %v", test.name, f.PerCapture)
			}
		}
	}
}

// How many stand out depends on what they are: a hundred listeners do, a
// hundred entries of a Map do not.
func TestSuspectsStandOut(t *testing.T) {
	graph, sources := readCase(t, "listener")
	if stand, usual := suspectsOf(t, graph, sources); len(stand) != 1 || len(usual) != 0 {
		t.Errorf("120 listeners: %d stand out, %d do not, want 1, 0", len(stand), len(usual))
	}
	graph, sources = readCase(t, "cache")
	if stand, usual := suspectsOf(t, graph, sources); len(stand) != 0 || len(usual) == 0 {
		t.Errorf("105 entries: %d stand out, %d do not, want 0 and more", len(stand), len(usual))
	}
}

// What Node has in every program is no suspect, though it be much: the same
// heap with its variable in one of Node's scripts.
func TestSuspectsOfTheRuntime(t *testing.T) {
	graph, sources := readCase(t, "cache")
	graph = strings.ReplaceAll(graph, "/app/shop.js", "node:internal/shop")
	if stand, usual := suspectsOf(t, graph, sources); len(stand)+len(usual) != 0 {
		t.Errorf("%d stand out, %d do not, want nothing", len(stand), len(usual))
	}
}

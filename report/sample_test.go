package report

import (
	"strings"
	"testing"
)

func sampleIn(s string) *Sample {
	return &Sample{
		Head: Head{Command: "sample"}, Sentence: s, Kind: "live", Interval: 65536, DurationMS: 30_000, Bytes: 600,
		Target: SampleTarget{PID: 12, Script: s, NodeVersion: "v22.23.3", ThreadID: 2},
		Sites: []SampleSite{
			{Function: s, File: s, Line: 4, Column: 7, Package: s, Bytes: 500, Share: 0.83, Stack: []SamplePlace{{s, s, 4, 7}, {"emit", "node:events", 513, 1}, {Function: s}}},
			{Function: "(V8 API)", Bytes: 100, Share: 0.17},
		},
		Warnings: []string{s},
	}
}

// comparedIn is a comparison of two profiles.
func comparedIn(s string) *Sample {
	r := sampleIn(s)
	whole, a, b := uint64(400), uint64(200), uint64(200)
	r.Before, r.Sites[0].Before, r.Sites[1].Before = &whole, &a, &b
	return r
}

func TestSampleJSONKeepsToItsSchema(t *testing.T) {
	docs := [][]byte{written(t, WriteSample, &Sample{Head: Head{Command: "sample"}, Kind: "allocated", Sites: []SampleSite{{}}}, JSON, Options{})}
	for _, s := range append(hostileStrings, "work") {
		docs = append(docs, written(t, WriteSample, sampleIn(s), JSON, Options{}), written(t, WriteSample, comparedIn(s), JSON, Options{}))
	}
	keepsTo(t, "sample.schema.json", docs...)
}

func TestSampleText(t *testing.T) {
	for _, c := range []struct {
		r    *Sample
		want []string
	}{
		{sampleIn("work"), []string{"LIVE  work\n", "process 12, work, worker 2, Node v22.23.3, a sample every 64.0 KiB\n", "  work  work:4, by work   500 B    83 %\n",
			"1. work made 500 B\n   work:4:7\n     work  work:4:7\n     emit  node:events:513:1\n     work\n", "! work"}},
		{comparedIn("work"), []string{"CHANGE  work\n", "500 B   +300 B\n", "200 B   100 B   -100 B\n"}},
	} {
		text := string(written(t, WriteSample, c.r, Text, Options{}))
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	for _, hostile := range hostileStrings {
		for _, width := range []int{0, 40, 200} {
			obeyedByTerminals(t, written(t, WriteSample, sampleIn(hostile), Text, Options{Width: width}))
			obeyedByTerminals(t, written(t, WriteSample, comparedIn(hostile), Text, Options{Width: width, Verbose: true}))
		}
	}
}

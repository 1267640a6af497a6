package check

import (
	"cmp"
	"fmt"
	"slices"

	"heapsnap/diff"
	"heapsnap/leak"
	"heapsnap/report"
)

// A heap snapshot shows little of the memory that Node and native modules have
// outside of V8's heap: a zlib stream is 300 bytes in it, and takes 250 KiB. What
// the sidecars tell of it is held against what grew in the heap.

const (
	// minOutside is the growth per round that is worth a word. Between quiet
	// moments the external memory of a program that does not leak is the same but
	// for some buffers of Node's.
	minOutside = 64 << 10
	// minResident is the same of all of the process's memory, which swings by
	// megabytes: allocators give back late.
	minResident = 2 << 20
)

// noteOutside says of memory outside the heap that grew in every round what grew
// with it: in the evidence of a finding that has it, else as a warning.
func noteOutside(r *report.Report, d *diff.Diff, found []leak.Finding) {
	external := func(c report.Capture) uint64 { return c.External }
	resident := func(c report.Capture) uint64 { return c.RSS - min(c.RSS, c.HeapUsed+c.External) }
	what, grown := "external memory, which Node counts outside V8's heap,", steadyGrowth(r.Captures, external, minOutside)
	if grown == 0 {
		what, grown = "the process's memory beside heap and external memory", steadyGrowth(r.Captures, resident, minResident)
	}
	if grown == 0 {
		return
	}
	rounds := uint64(len(r.Captures) - 1)
	amount := fmt.Sprintf("%s grew by %s, about %s a round", what, report.FormatBytes(grown), report.FormatBytes(grown/rounds))
	natives := leak.Natives(d)
	slices.SortStableFunc(natives, func(a, b leak.Native) int { return cmp.Compare(sum(b.PerRound), sum(a.PerRound)) })
	for _, n := range natives {
		for i, f := range found {
			if f.Site == n.Site {
				r.Findings[i].Evidence = append(r.Findings[i].Evidence, fmt.Sprintf("%s; %d %s handles of Node's, which have memory there, stay with what this holds", amount, sum(n.PerRound), n.Name))
				return
			}
		}
	}
	buffers := uint64(0)
	for _, f := range found {
		buffers += f.Site.Survivors().Bytes
	}
	switch {
	case 4*buffers >= 3*grown:
		// Buffers that a finding tells of are it.
	case len(natives) > 0:
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s; with it grew the number of Node's %s handles, by %d", amount, natives[0].Name, sum(natives[0].PerRound)))
	default:
		r.Warnings = append(r.Warnings, amount+"; nothing in the heap grew with it: look at native modules, WebAssembly memories, and what the allocator keeps")
	}
}

// steadyGrowth is how much a figure grew from the first capture to the last, 0
// if it did not grow by at least so much in every round, or was not recorded.
func steadyGrowth(captures []report.Capture, figure func(report.Capture) uint64, least uint64) uint64 {
	if len(captures) < 3 {
		return 0
	}
	for i, c := range captures {
		if c.RSS == 0 || i > 0 && figure(c) < figure(captures[i-1])+least {
			return 0
		}
	}
	return figure(captures[len(captures)-1]) - figure(captures[0])
}

func sum(n []int) int {
	t := 0
	for _, v := range n {
		t += v
	}
	return t
}

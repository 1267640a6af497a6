package check

import (
	"testing"

	"heapsnap/report"
)

// grown is a report of captures with these heaps, in KiB, and one finding that
// holds so many KiB of each round.
func grown(heap []uint64, held ...uint64) *report.Report {
	r := &report.Report{}
	for i, kib := range heap {
		r.Captures = append(r.Captures, report.Capture{Bytes: kib << 10, Objects: 1000 + 10*i, External: 1 << 20})
	}
	f := report.Finding{}
	for _, kib := range held {
		f.Survivors.BytesPerRound = append(f.Survivors.BytesPerRound, kib<<10)
		f.Survivors.Bytes += kib << 10
	}
	r.Findings = append(r.Findings, f)
	return r
}

func TestGrowthIsSplitByWhatExplainsIt(t *testing.T) {
	r := grown([]uint64{5000, 5200, 5400, 5600, 5800}, 120, 120, 120, 120)
	r.Accounted = report.Accounted{Total: 800 << 10, Leaks: 480 << 10, Churn: 300 << 10, Small: 100 << 10}
	g := growth(r)
	if g.Heap.PerRound != 200<<10 || !g.Heap.Rising || g.Heap.P != 0.008333 {
		t.Errorf("heap %+v, want 200 KiB a round, rising, p 1/120", g.Heap)
	}
	if g.Explained != 120<<10 || g.Unexplained.PerRound != 80<<10 || !g.Unexplained.Rising {
		t.Errorf("explained %v, unexplained %+v, want 120 KiB and 80 KiB, rising", g.Explained, g.Unexplained)
	}
	if g.Objects.PerRound != 10 || g.Objects.Rising {
		t.Errorf("objects %+v, want 10 a round, too few to be rising", g.Objects)
	}
	if g.External == nil || g.External.PerRound != 0 || g.External.P != 1 {
		t.Errorf("external %+v, want 0 a round, p 1", g.External)
	}
}

// What a cache gained that is not full yet is no unexplained growth: the account
// has nothing left over for that.
func TestHarmlessGrowthIsExplained(t *testing.T) {
	r := grown([]uint64{5000, 5200, 5400, 5600, 5800}, 0, 0, 0, 0)
	r.Accounted = report.Accounted{Total: 800 << 10, Bounded: 780 << 10, Churn: 20 << 10}
	if g := growth(r); g.Unexplained.PerRound != 5<<10 || g.Unexplained.Rising {
		t.Errorf("unexplained %+v, want 5 KiB a round, not rising", g.Unexplained)
	}
}

func TestGrowthOfFewCaptures(t *testing.T) {
	if g := growth(grown([]uint64{5000})); g != nil {
		t.Errorf("of one capture: %+v", g)
	}
	g := growth(grown([]uint64{5000, 9000}, 100))
	if g.Heap.PerRound != 4000<<10 || g.Heap.Rising {
		t.Errorf("of two captures: %+v, want a slope that nobody calls rising", g.Heap)
	}
	r := grown([]uint64{5000, 6000, 7000}, 100, 100)
	r.Captures[1].External = 0
	if g := growth(r); g.External != nil {
		t.Errorf("external memory of captures that do not all know it: %+v", g.External)
	}
}

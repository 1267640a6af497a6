package eventloop

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// flameProfile is root -> a -> b, root -> a -> c, and time that is idle; a second
// profile, of other ids, adds to b.
func flameThread() *Thread {
	frame := func(name, url string) CallFrame {
		return CallFrame{FunctionName: name, URL: url, LineNumber: 9, ColumnNumber: 2}
	}
	first := &Profile{
		Nodes: []ProfileNode{
			{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}, Children: []int{2, 5, 6}},
			{ID: 2, CallFrame: frame("a", "file:///app/a.js"), Children: []int{3, 4}},
			{ID: 3, CallFrame: frame("b", "file:///app/node_modules/p/b.js")},
			{ID: 4, CallFrame: frame("c", "node:fs")},
			{ID: 5, CallFrame: CallFrame{FunctionName: idleName}},
			{ID: 6, CallFrame: CallFrame{FunctionName: gcName}},
		},
		StartTime: 0, EndTime: 6000, Samples: []int{2, 3, 4, 5, 6}, TimeDeltas: []int64{1000, 1000, 1000, 1000, 1000},
	}
	second := &Profile{
		Nodes: []ProfileNode{
			{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}, Children: []int{7}},
			{ID: 7, CallFrame: frame("a", "file:///app/a.js"), Children: []int{9}},
			{ID: 9, CallFrame: frame("b", "file:///app/node_modules/p/b.js")},
		},
		StartTime: 10_000, EndTime: 12_000, Samples: []int{9}, TimeDeltas: []int64{1000},
	}
	return &Thread{Profiles: []*Profile{first, second}}
}

func flamesOf(r *Recording, frames int) []Flame {
	a := &analysis{rec: r, places: newPlaces(newSources(r, noSource), r.Packages)}
	for i := range r.Threads {
		a.ledger = append(a.ledger, newLedger(&r.Threads[i], r.Interval))
	}
	return a.flames(100, frames)
}

func TestFlamesSumUpCalls(t *testing.T) {
	f := flamesOf(&Recording{Interval: 1000, Threads: []Thread{*flameThread()}}, 100)[0]
	var got []string
	for _, x := range f.Frames {
		up := "-"
		if x.Parent >= 0 {
			up = f.Frames[x.Parent].Site.Function
		}
		got = append(got, strings.Join([]string{up, x.Site.Function, string(x.Kind), x.Total.String(), x.Self.String()}, " "))
	}
	want := []string{"- a own 4ms 1ms", "a b package 2ms 2ms", "- (garbage collector) gc 1ms 1ms", "a c node 1ms 1ms"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || f.Total != 5*time.Millisecond || f.Left != 0 {
		t.Errorf("total %s, %d left out, frames:\n%s\nwant 5ms, 0 and:\n%s", f.Total, f.Left, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if site := f.Frames[0].Site; site.Function != "a" || site.File != "/app/a.js" || site.Line != 10 || site.Column != 3 {
		t.Errorf("the first frame is %+v", site)
	}
}

func TestFlamesKeepTheHeaviest(t *testing.T) {
	f := flamesOf(&Recording{Interval: 1000, Threads: []Thread{*flameThread()}}, 2)[0]
	if len(f.Frames) != 2 || f.Left != 2 || f.Frames[1].Site.Function != "b" || f.Frames[1].Parent != 0 {
		t.Errorf("%d left out of %+v", f.Left, f.Frames)
	}
}

// What a flame tells of real recordings adds up, however few frames are kept.
func TestFlamesOfRecordingsAddUp(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, file := range files {
		r := recorded(t, strings.TrimSuffix(filepath.Base(file), ".json.gz"))
		a := analyze(r, Options{})
		for _, n := range []int{1 << 20, 50} {
			for k, f := range flamesOf(r, n) {
				if len(f.Frames) > n {
					t.Errorf("%s: %d frames, want at most %d", file, len(f.Frames), n)
				}
				below := make([]time.Duration, len(f.Frames))
				var top time.Duration
				for i, x := range f.Frames {
					switch {
					case x.Parent >= i:
						t.Fatalf("%s: frame %d comes before its caller %d", file, i, x.Parent)
					case x.Parent < 0:
						top += x.Total
					default:
						below[x.Parent] += x.Total
					}
				}
				for i, x := range f.Frames {
					if got := below[i] + x.Self; got > x.Total || f.Left == 0 && got != x.Total {
						t.Errorf("%s: %s has %s, itself and what it calls %s", file, x.Site.Function, x.Total, got)
					}
				}
				if top > f.Total {
					t.Errorf("%s: the outermost frames have %s of %s", file, top, f.Total)
				}
				if k == 0 {
					if busy := time.Duration(a.Threads[0].Busy * float64(a.Profiled)); (f.Total - busy).Abs() > time.Millisecond {
						t.Errorf("%s: the flame has %s, the thread was busy for %s", file, f.Total, busy)
					}
				}
			}
		}
	}
}

package eventloop

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"heapsnap/jssource"
)

// A Flame is where the time of one thread's profiles went, as one tree of
// calls: what a flame graph shows.
type Flame struct {
	Thread *Thread
	Total  time.Duration // that was not idle
	Frames []FlameFrame  // callers before what they call, heavier before lighter
	// Left is how many frames were the lightest beyond the number asked for, and
	// are not in Frames; their time is in their callers'.
	Left int
}

// FlameFrame is a function as it was called in one way.
type FlameFrame struct {
	Parent int // index of the caller; -1 if nothing of JavaScript is
	Site   Site
	Kind   FrameKind
	Total  time.Duration // with what it called
	Self   time.Duration
}

// FrameKind says whose code a frame is.
type FrameKind string

// The kinds of frames: the program's own code, that of a package, Node's
// JavaScript, native code, and the collection of garbage.
const (
	OwnFrame     FrameKind = "own"
	PackageFrame FrameKind = "package"
	NodeFrame    FrameKind = "node"
	NativeFrame  FrameKind = "native"
	GCFrame      FrameKind = "gc"
)

func kindOf(f *CallFrame) FrameKind {
	switch {
	case f.FunctionName == gcName && f.URL == "":
		return GCFrame
	case f.URL == "", strings.HasPrefix(f.URL, "wasm:"):
		return NativeFrame
	case internal(f.URL):
		return NodeFrame
	}
	return OwnFrame
}

// flameThreads is how many threads have a flame, flameFrames how many frames one
// has: what is lighter cannot be seen.
const (
	flameThreads = 8
	flameFrames  = 3000
)

// flames sums up the profiles of the busiest threads, at most so many and each
// with at most so many frames.
func (a *analysis) flames(threads, frames int) []Flame {
	var all []Flame
	for _, l := range a.ledger {
		if f := newFlame(l); f.Total > 0 {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b Flame) int {
		return cmp.Or(order(a.Thread.ID != 0, b.Thread.ID != 0), cmp.Compare(b.Total, a.Total))
	})
	all = all[:min(threads, len(all))]
	for i := range all {
		all[i].keep(frames)
		for k := range all[i].Frames {
			f := &all[i].Frames[k]
			if f.Site = a.placed(f.Site); f.Site.Package != "" {
				f.Kind = PackageFrame
			}
		}
	}
	return all
}

func newFlame(l *ledger) Flame {
	type call struct {
		parent int
		frame  CallFrame
	}
	out := Flame{Thread: l.thread}
	at := map[call]int{}
	places := map[stackKey]int{} // of nodes in out.Frames
	var add func(tree *callTree, profile, n int) int
	add = func(tree *callTree, profile, n int) int {
		if n < 0 || tree.parent[n] < 0 {
			return -1
		}
		k := stackKey{profile, n}
		if i, known := places[k]; known {
			return i
		}
		f := tree.frame(n)
		c := call{add(tree, profile, tree.parent[n]), *f}
		c.frame.ScriptID = "" // a script that is loaded anew is the same to a reader
		i, known := at[c]
		if !known {
			i = len(out.Frames)
			at[c] = i
			out.Frames = append(out.Frames, FlameFrame{Parent: c.parent, Kind: kindOf(f),
				Site: Site{Function: f.FunctionName, File: jssource.Path(f.URL), Line: f.LineNumber + 1, Column: f.ColumnNumber + 1,
					script: f.URL, at: place{f.LineNumber + 1, f.ColumnNumber + 1}}})
		}
		places[k] = i
		return i
	}
	for _, s := range l.segments {
		if l.idle(s) {
			continue
		}
		d := us(s.to - s.from)
		out.Total += d
		i := add(l.trees[s.profile], s.profile, s.node)
		if i < 0 {
			continue // the root itself: nobody's
		}
		out.Frames[i].Self += d
		for ; i >= 0; i = out.Frames[i].Parent {
			out.Frames[i].Total += d
		}
	}
	return out
}

// keep leaves the heaviest frames, at most n: a caller is never lighter than
// what it calls, so it stays where that does. Heavier ones come first.
func (f *Flame) keep(n int) {
	depth := make([]int, len(f.Frames))
	by := make([]int, len(f.Frames))
	for i := range f.Frames {
		by[i] = i
		if p := f.Frames[i].Parent; p >= 0 {
			depth[i] = depth[p] + 1
		}
	}
	slices.SortFunc(by, func(a, b int) int {
		x, y := &f.Frames[a], &f.Frames[b]
		return cmp.Or(cmp.Compare(y.Total, x.Total), cmp.Compare(depth[a], depth[b]), bySite(x.Site, y.Site), cmp.Compare(a, b))
	})
	kept := by[:min(n, len(by))]
	to := make([]int, len(f.Frames))
	frames := make([]FlameFrame, len(kept))
	for i, old := range kept {
		to[old] = i
		frames[i] = f.Frames[old]
		if frames[i].Parent >= 0 {
			frames[i].Parent = to[frames[i].Parent]
		}
	}
	f.Left, f.Frames = len(by)-len(kept), frames
}

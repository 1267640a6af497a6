package leak

import (
	"cmp"
	"slices"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// roleMakes is what a function does that was being called when survivors were
// made.
const roleMakes = "makes what stays"

// allocated returns the program's own functions in the call stack by which most
// survivors were made, the innermost first, where the captures know it: see
// cdp's TrackAllocations. V8 knows where a function begins, not the line of the
// call.
func (p *Pass) allocated(g *diff.GrowthSite) []Location {
	const (
		sample    = 200
		maxFrames = 8
	)
	type stack struct {
		frames []Location
		count  int
	}
	var stacks []*stack
	step := max(1, len(g.Entries)/sample)
	for i := 0; i < len(g.Entries); i += step {
		var frames []Location
		for _, f := range p.s.AllocationStack(g.Entries[i]) {
			if l := p.frameAt(f); l != nil && len(frames) < maxFrames {
				frames = append(frames, *l)
			}
		}
		if len(frames) == 0 {
			continue
		}
		at := slices.IndexFunc(stacks, func(s *stack) bool { return slices.Equal(s.frames, frames) })
		if at < 0 {
			at = len(stacks)
			stacks = append(stacks, &stack{frames: frames})
		}
		stacks[at].count++
	}
	if len(stacks) == 0 {
		return nil
	}
	return slices.MaxFunc(stacks, func(a, b *stack) int { return cmp.Compare(a.count, b.count) }).frames
}

// frameAt is a function of the program's own in a call stack, or nil.
func (p *Pass) frameAt(f heapsnap.Frame) *Location {
	if f.Place.Line == 0 || !userScript(f.Place.Script) || !ownScript(f.Place.Script) {
		return nil
	}
	name := f.Function
	if name == "" {
		name = "(anonymous)"
	}
	return &Location{Function: name, File: f.Place.Script, Line: f.Place.Line, Column: f.Place.Column, Role: roleMakes}
}

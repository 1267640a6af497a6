package diff

import (
	"context"
	"slices"

	"heapsnap/heapsnap"
)

// Text that is added to and read in between is one flat string, made anew each
// time: of the earlier ones nothing survives, and only its size tells that it
// grows.

const (
	// minText is the size from which a text is looked at, and minTextPerRound how
	// much longer each round must make it.
	minText         = 4 << 10
	minTextPerRound = 256
	// maxTexts is how many holders are looked up; those of the longest go first.
	maxTexts = 256
)

// findGrowingTexts adds sites for old objects with a property or variable whose
// text is longer in each capture.
func (c *comparison) findGrowingTexts(ctx context.Context, opts Options) error {
	if opts.Texts == nil || c.rounds < 2 {
		return nil
	}
	type holding struct {
		node  heapsnap.Node
		label string
		size  uint64 // of all its text
		most  uint64 // of the text under label
	}
	s := c.s
	byNode := map[heapsnap.Node]*holding{}
	var all []*holding
	for i := range s.NodeCount() {
		text := heapsnap.Node(i)
		switch t := s.Type(text); {
		case !c.fresh[text]:
			continue
		case t == heapsnap.ConsString, t == heapsnap.String && s.SelfSize(text) >= minText:
		default:
			continue
		}
		for from, e := range s.Retainers(text) {
			if s.Type(from) != heapsnap.Object || c.cohort[from] > 0 || !s.Strong(from, e) {
				continue
			}
			label := ""
			switch s.EdgeType(e) {
			case heapsnap.PropertyEdge, heapsnap.ContextEdge:
				label = s.EdgeName(e)
			case heapsnap.HiddenEdge:
				label = AnyEntry // a block's variable
			default:
				continue
			}
			h := byNode[from]
			if h == nil {
				h = &holding{node: from, size: s.TextOf(from)}
				byNode[from] = h
				all = append(all, h)
			}
			if size := max(1, s.SelfSize(text)); size > h.most {
				h.label, h.most = label, size
			}
		}
	}
	all = slices.DeleteFunc(all, func(h *holding) bool { return h.size < minText })
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *holding) int { return int(b.size) - int(a.size) })
	all = all[:min(len(all), maxTexts)]
	var ids []heapsnap.ObjectID
	for _, h := range all {
		ids = append(ids, s.ID(h.node))
	}
	sizes := make([][]uint64, len(all)) // holder -> per capture
	captures := make([]map[heapsnap.ObjectID]uint64, c.rounds)
	err := sideBySide(c.rounds, func(k int) (err error) {
		captures[k], err = opts.Texts(ctx, k, ids)
		return err
	})
	if err != nil {
		return err
	}
	for _, found := range captures {
		for i, id := range ids {
			sizes[i] = append(sizes[i], found[id])
		}
	}
	for i, h := range all {
		if g := c.growingText(h.node, h.label, append(sizes[i], h.size)); g != nil {
			c.sites = append(c.sites, g)
		}
	}
	return nil
}

// growingText is the site of a text of these sizes, one per capture, or nil if it
// does not grow in every round by half of the usual at least, or is told already. A
// round of more work than the others may add more.
func (c *comparison) growingText(holder heapsnap.Node, label string, sizes []uint64) *GrowthSite {
	var gained []int
	for k := range c.rounds {
		if sizes[k+1] < sizes[k]+minTextPerRound {
			return nil
		}
		gained = append(gained, int(sizes[k+1]-sizes[k]))
	}
	if !steadily(slices.Sorted(slices.Values(gained))) {
		return nil
	}
	for _, g := range c.sites { // a rope, or texts as entries
		if g.Holder == holder && !slices.Contains(g.Count, 0) {
			return nil
		}
	}
	g := &GrowthSite{
		Holder: holder, Holders: []heapsnap.Node{holder}, Label: label, Swelling: true, Text: sizes, holderID: c.s.ID(holder),
		Count: make([]int, c.rounds), Bytes: make([]uint64, c.rounds), Entry: make([]int, c.rounds),
	}
	for k, n := range gained {
		g.Bytes[k] = uint64(n)
	}
	return g
}

package heapsnap

import (
	"errors"
	"fmt"
	"io"
)

// missingName stands for the names that a salvaged file does not have any
// more: strings are the last section, so that a file cut short has lost some.
const missingName = "(missing)"

// Salvaged tells what was read of an input that ends too early; see
// [Options.Salvage]. Nodes whose edges are lost keep type, id and self size,
// and hang below the root; they hold nothing. Retained sizes and distances are
// then those of the part that was read.
type Salvaged struct {
	Section string // where the input ended
	Offset  int64  // the byte where it ended

	Nodes, NodeCount int // read, and according to the header
	Edges, EdgeCount int
	// Strings that were read, and how many at least there were: the header does
	// not say, but the names of nodes and edges refer to so many.
	Strings, StringCount int
}

// Salvaged returns what was read of an input that ends too early, or nil if s
// was read to its end.
func (s *Snapshot) Salvaged() *Salvaged { return s.salvaged }

// String is a sentence for people.
func (v *Salvaged) String() string {
	percent := func(part, whole int) string {
		if whole == 0 {
			return "100 %"
		}
		return fmt.Sprintf("%d %%", uint64(part)*100/uint64(whole))
	}
	return fmt.Sprintf("salvaged: %s of nodes, %s of edges, %s of strings: the input ends in %s, at byte %d",
		percent(v.Nodes, v.NodeCount), percent(v.Edges, v.EdgeCount), percent(v.Strings, v.StringCount), v.Section, v.Offset)
}

// A cutReader ends where a compressed stream is cut off, without an error.
type cutReader struct{ r io.Reader }

func (c cutReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// room bounds the rows of a section by what the input can hold: the header of
// a file cut short speaks of more.
func (p *parser) room(rows uint64, fields int) int {
	if p.opts.Salvage && p.opts.Size > 0 {
		rows = min(rows, uint64(p.opts.Size)/uint64(fields*minFieldBytes))
	}
	return int(rows)
}

// salvage makes a snapshot of what was read before err, and reports whether
// there is enough for one: a node.
func (p *parser) salvage(err error) bool {
	var cut *truncatedError
	if !p.opts.Salvage || !errors.As(err, &cut) || p.s == nil || p.s.nodeType == nil {
		return false
	}
	s, h := p.s, p.h
	nodes := int(p.nodesRead / uint64(p.l.nodeFields))
	edges := int(p.edgesRead / uint64(p.l.edgeFields))
	if nodes == 0 {
		return false
	}
	v := &Salvaged{Section: cut.Section, Offset: cut.Offset, Nodes: nodes, NodeCount: int(h.NodeCount), Edges: edges, EdgeCount: int(h.EdgeCount)}
	s.salvaged = v
	s.nodeType = s.nodeType[:nodes]
	s.id.cut(nodes)
	s.self.cut(nodes)
	if p.idsOnly {
		return true
	}
	s.nodeName = s.nodeName[:nodes]
	if s.detached != nil {
		s.detached = s.detached[:nodes]
	}
	if len(s.place) > nodes {
		s.place = s.place[:nodes]
	}
	if s.allocation != nil && s.allocation.made != nil {
		s.allocation.made = s.allocation.made[:nodes]
	}
	s.firstEdge = s.firstEdge[:nodes+1]
	for i := range s.firstEdge {
		if p.nodesWhole {
			s.firstEdge[i] = min(s.firstEdge[i], uint32(edges))
		} else {
			s.firstEdge[i] = 0 // counts, not yet added up
		}
	}
	s.edgeType, s.edgeName, s.edgeTo = s.edgeType[:edges], s.edgeName[:edges], s.edgeTo[:edges]
	if s.edgeTo == nil {
		s.edgeTo = []Node{}
	}
	p.salvageNames(v)
	h.NodeCount = uint64(nodes)
	if root := h.RootIndex / uint64(p.l.nodeFields); root != uint64(nodes-1) {
		h.RootIndex = 0
	}
	return true
}

// salvageNames gives a name to what lost its own.
func (p *parser) salvageNames(v *Salvaged) {
	s := p.s
	if s.strings == nil {
		s.strings = &stringTable{start: []uint64{0}}
	}
	t := s.strings
	missing := uint32(t.count())
	lost := false
	for i, name := range s.nodeName {
		v.StringCount = max(v.StringCount, int(name)+1)
		if name >= missing {
			s.nodeName[i] = missing
			lost = true
		}
	}
	for e, name := range s.edgeName {
		if s.edgeType[e].indexed() {
			continue
		}
		v.StringCount = max(v.StringCount, int(name)+1)
		if name >= missing {
			s.edgeName[e] = missing
			lost = true
		}
	}
	v.Strings = t.count()
	v.StringCount = max(v.StringCount, v.Strings)
	if lost {
		t.text = append(t.text, missingName...)
		t.start = append(t.start, uint64(len(t.text)))
	}
	p.maxString.Store(0)
}

// cut drops the rows from the nth on.
func (c *wideColumn) cut(n int) {
	c.low = c.low[:n]
	for i := range c.high {
		if int(i) >= n {
			delete(c.high, i)
		}
	}
}

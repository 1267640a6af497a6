package heapsnap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// group is what of a snapshot is computed together, and so is taken from an
// index together, checked first: see load.
type group int

const (
	groupGraph      group = iota // what reading gives, with names and shallow sizes final
	groupDominators              // computeDominators
	groupDominated               // computeDominated
	groupDistances               // computeDistances
	groupClasses                 // computeClasses
	groupRetainers               // computeRetainers
	groupCount
)

// columns lists the columns of a snapshot that an index holds. Whoever adds a
// column to Snapshot, or changes what one means, adds it here and raises
// indexFormat; what is no column is in graphFacts.
func (s *Snapshot) columns(g group, nodes, edges int) []column {
	const some = -1 // rows
	switch g {
	case groupGraph:
		columns := []column{
			columnAt("node type", &s.nodeType, nodes),
			columnAt("node name", &s.nodeName, nodes),
			columnAt("node id", &s.id.low, nodes),
			columnAt("node self size", &s.self.low, nodes),
			columnAt("node detachedness", &s.detached, nodes),
			columnAt("node renamed", &s.renamed, nodes),
			columnAt("node place", &s.place, nodes),
			columnAt("node first edge", &s.firstEdge, nodes+1),
			columnAt("edge type", &s.edgeType, edges),
			columnAt("edge name", &s.edgeName, edges),
			columnAt("edge target", &s.edgeTo, edges),
			columnAt("places", &s.spots, some),
			columnAt("string tags", &s.tags, some),
			columnAt("string text", &s.strings.text, some),
			columnAt("string starts", &s.strings.start, some),
		}
		if a := s.allocation; a != nil {
			columns = append(columns,
				columnAt("sample times", &a.sampleTime, some),
				columnAt("sample ids", &a.sampleID, some),
				columnAt("trace functions", &a.functions, some),
				columnAt("trace nodes", &a.trace, some),
				columnAt("node trace", &a.made, nodes))
		}
		return columns
	case groupDominators:
		return []column{
			columnAt("node dominator", &s.dom, nodes),
			columnAt("dominator order", &s.order, nodes),
			columnAt("node retained size", &s.retained, nodes),
			columnAt("orphans", &s.orphans, some),
			columnAt("page objects", (*[]uint64)(&s.page), (nodes+63)/64),
		}
	case groupDominated:
		return []column{
			columnAt("node first dominated", &s.firstDominated, nodes+1),
			columnAt("dominated nodes", &s.dominatedNode, nodes-1),
		}
	case groupDistances:
		return []column{columnAt("node distance", &s.distance, nodes)}
	case groupClasses:
		return []column{columnAt("node class", &s.class, nodes)}
	case groupRetainers:
		return []column{
			columnAt("node first retainer", &s.firstRetainer, nodes+1),
			columnAt("retainers", &s.retainerEdge, edges),
			columnAt("edge sources", &s.source, (edges+sourceStep-1)/sourceStep),
		}
	}
	panic(fmt.Sprintf("heapsnap: no group %d", g))
}

// graphFacts are what is no column.
type graphFacts struct {
	Nodes, Edges       int
	Root               Node
	ExtraNative        uint64
	AllocationTracking bool
	Allocation         bool
	UnknownNodeTypes   []string
	UnknownEdgeTypes   []string
	UserRoots          bool
	HighID, HighSelf   map[uint32]uint64
	Ephemerons         map[uint32]ephemeronFact
	DetachedName       map[uint32]uint32
	Extra              []string
	Reached            int
	Shapes             []shapeFact
	Scripts            map[uint32]string
	Mode               Mode
	Bytes              uint64
}

type ephemeronFact struct {
	Table uint64
	Pair  uint32
}

type shapeFact struct {
	Name       string
	Class      uint32
	Properties []string
}

// indexed is what a snapshot knows of its index.
type indexed struct {
	store  *Indexes
	origin origin
	file   *indexFile  // it was made of this one; nil if it was read
	facts  graphFacts  // of file
	hurt   atomic.Bool // a group of file is damaged

	// What came from the index, and so is not written again.
	strings bool
	paths   map[string]bool
}

// load takes a group from the index that s was made of, if there is one and it
// is sound; else it is to be computed.
func (s *Snapshot) load(g group) bool {
	x := s.index
	if x == nil || x.file == nil {
		return false
	}
	if !x.file.load(s.columns(g, s.NodeCount(), s.EdgeCount())) {
		x.hurt.Store(true)
		return false
	}
	switch g {
	case groupDominators:
		s.reached = x.facts.Reached
	case groupClasses:
		for _, f := range x.facts.Shapes {
			s.shapes = append(s.shapes, shape{f.Name, f.Class, f.Properties})
		}
	}
	return true
}

// snapshot returns the snapshot of an index, or nil.
func (x *indexFile) snapshot(store *Indexes, of origin) *Snapshot {
	in := &indexed{store: store, origin: of, file: x}
	f := &in.facts
	if err := x.facts(f); err != nil {
		return nil
	}
	s := &Snapshot{
		strings:            &stringTable{},
		index:              in,
		root:               f.Root,
		extraNative:        f.ExtraNative,
		allocationTracking: f.AllocationTracking,
		unknownNodeTypes:   f.UnknownNodeTypes,
		unknownEdgeTypes:   f.UnknownEdgeTypes,
		userRoots:          f.UserRoots,
		detachedName:       f.DetachedName,
		extra:              f.Extra,
		scripts:            f.Scripts,
	}
	if f.Allocation {
		s.allocation = &allocation{}
	}
	if f.Nodes <= 0 || f.Edges < 0 || !x.load(s.columns(groupGraph, f.Nodes, f.Edges)) {
		return nil
	}
	t := s.strings
	if len(t.start) == 0 || t.start[len(t.start)-1] != uint64(len(t.text)) || len(s.tags) != t.count() || int(s.root) >= f.Nodes {
		return nil
	}
	s.id.high, s.self.high = f.HighID, f.HighSelf
	if s.scripts == nil {
		s.scripts = map[uint32]string{}
	}
	if len(f.Ephemerons) > 0 {
		s.ephemerons = make(map[uint32]ephemeron, len(f.Ephemerons))
		for i, e := range f.Ephemerons {
			s.ephemerons[i] = ephemeron{e.Table, e.Pair}
		}
	}
	s.namesOnce.Do(func() {})
	s.shallowOnce.Do(func() {})
	s.scriptsOnce.Do(func() {})
	return s
}

// WriteIndex writes what the next command on the same file needs, if s was
// opened with [Options.Indexes], as far as it is not there already. It computes
// what s was not asked for, so that any question about the graph is answered
// from the index. An error says why something was not written, and is no reason
// to stop.
func (s *Snapshot) WriteIndex(ctx context.Context) error {
	x := s.index
	if x == nil {
		return nil
	}
	var err error
	if x.file == nil || x.hurt.Load() {
		err = errors.Join(s.writeGraph(ctx), x.store.writeSummary(ctx, x.origin, s.summary()))
	}
	if s.duplicates != nil && !x.strings {
		err = errors.Join(err, s.writeDuplicates(ctx))
	}
	s.keptMu.Lock()
	defer s.keptMu.Unlock()
	for name, t := range s.kept {
		if !x.paths[name] {
			err = errors.Join(err, x.write(ctx, pathKind(name), name, t.columns(s.NodeCount())))
		}
	}
	return err
}

// write writes a file of the index.
func (x *indexed) write(ctx context.Context, kind string, facts any, columns []column) error {
	return x.store.write(x.origin, kind, func(w io.Writer, h indexHeader, room func(int64) error) error {
		return writeIndex(ctx, w, h, facts, columns, room)
	})
}

func (s *Snapshot) writeGraph(ctx context.Context) error {
	s.retainersOnce.Do(s.computeRetainers)
	s.dominatedOnce.Do(s.computeDominated)
	s.distanceOnce.Do(s.computeDistances)
	s.classOnce.Do(s.computeClasses)
	s.scriptsOnce.Do(s.findScripts)
	f := graphFacts{
		Nodes: s.NodeCount(), Edges: s.EdgeCount(), Root: s.root, ExtraNative: s.extraNative,
		AllocationTracking: s.allocationTracking, Allocation: s.allocation != nil,
		UnknownNodeTypes: s.unknownNodeTypes, UnknownEdgeTypes: s.unknownEdgeTypes, UserRoots: s.userRoots,
		HighID: s.id.high, HighSelf: s.self.high, Ephemerons: map[uint32]ephemeronFact{},
		DetachedName: s.detachedName, Extra: s.extra, Reached: s.reached, Scripts: s.scripts,
		Mode: s.Mode(), Bytes: s.Bytes(),
	}
	for i, e := range s.ephemerons {
		f.Ephemerons[i] = ephemeronFact{e.table, e.pair}
	}
	for _, sh := range s.shapes {
		f.Shapes = append(f.Shapes, shapeFact{sh.name, sh.class, sh.properties})
	}
	var columns []column
	for g := range groupCount {
		columns = append(columns, s.columns(g, f.Nodes, f.Edges)...)
	}
	return s.index.write(ctx, graphKind, f, columns)
}

// summary is what Summarize returns, without using s up.
func (s *Snapshot) summary() *Summary {
	return &Summary{Mode: s.Mode(), Nodes: s.NodeCount(), Edges: s.EdgeCount(), Bytes: s.Bytes(),
		Statistics: s.Statistics(), Classes: s.Aggregates(), Warnings: s.Warnings()}
}

// duplicateFact is a DuplicateStrings; its nodes are in a column.
type duplicateFact struct {
	Text                     string
	Count                    int
	Self, Retained, Together uint64
	Truncated                bool
	Length                   int
}

func (s *Snapshot) writeDuplicates(ctx context.Context) error {
	facts := make([]duplicateFact, len(s.duplicates))
	nodes := []Node{}
	for i, d := range s.duplicates {
		facts[i] = duplicateFact{d.Text, len(d.Nodes), d.Self, d.Retained, d.Together, d.Truncated, d.Length}
		nodes = append(nodes, d.Nodes...)
	}
	return s.index.write(ctx, stringsKind, facts, duplicateColumns(&nodes))
}

func duplicateColumns(nodes *[]Node) []column {
	return []column{columnAt("duplicate strings", nodes, -1)}
}

// loadDuplicates takes DuplicateStrings from the index, if they are there.
func (s *Snapshot) loadDuplicates() bool {
	var (
		facts []duplicateFact
		nodes []Node
	)
	if s.index == nil || !s.index.open(stringsKind, &facts, duplicateColumns(&nodes)) {
		return false
	}
	all := make([]DuplicateStrings, len(facts))
	for i, f := range facts {
		if f.Count < 0 || f.Count > len(nodes) {
			return false
		}
		all[i] = DuplicateStrings{Text: f.Text, Nodes: nodes[:f.Count:f.Count], Self: f.Self, Retained: f.Retained,
			Together: f.Together, Truncated: f.Truncated, Length: f.Length}
		nodes = nodes[f.Count:]
	}
	s.duplicates, s.index.strings = all, true
	return true
}

// open reads a small file of the index.
func (x *indexed) open(kind string, facts any, columns []column) bool {
	if x.file == nil {
		return false // the graph was not there, or was not sound: nothing of it is believed
	}
	f := x.store.open(x.origin.key, kind)
	return f != nil && f.facts(facts) == nil && f.load(columns)
}

// pathKind is the kind of a file with the ways of a name.
func pathKind(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%x.%s", sum[:4], pathsKind)
}

func (t *PathTree) columns(nodes int) []column {
	return []column{columnAt("way from", &t.parent, nodes), columnAt("way by", &t.via, nodes)}
}

// loadPaths takes the ways of a name from the index, or returns nil.
func (s *Snapshot) loadPaths(name string) *PathTree {
	t := &PathTree{s: s}
	is := ""
	if s.index == nil || !s.index.open(pathKind(name), &is, t.columns(s.NodeCount())) || is != name {
		return nil
	}
	if s.index.paths == nil {
		s.index.paths = map[string]bool{}
	}
	s.index.paths[name] = true
	return t
}

package heapsnap

import (
	"slices"
	"strings"
)

// A shape is an interface inferred from plain objects: those that have all its
// properties are shown under its name.
type shape struct {
	name       string
	class      uint32   // number of name among the extra strings
	properties []string // sorted by UTF-16 unit, as WTF-8 bytes of BMP text sort
}

// ClassName returns the class DevTools groups n under: a constructor's name,
// {a, b} for plain objects of a common shape, (string) and so on.
func (s *Snapshot) ClassName(n Node) string { return s.text(s.classOf(n)) }

// AppendClassName appends the class of n to b: ClassName, without an allocation
// per name.
func (s *Snapshot) AppendClassName(b []byte, n Node) []byte { return s.appendText(b, s.classOf(n)) }

func (s *Snapshot) classOf(n Node) uint32 {
	s.classOnce.Do(s.computeClasses)
	return s.class[n]
}

// computeClasses is HS:2392-2440 and, for plain objects, HS:2773-3010.
func (s *Snapshot) computeClasses() {
	if s.load(groupClasses) {
		return
	}
	s.namesOnce.Do(s.propagateDetached)
	s.class = newColumn[uint32](s.NodeCount())
	fixed := map[string]uint32{}
	intern := func(text string) uint32 {
		if _, ok := fixed[text]; !ok {
			fixed[text] = s.addString(text)
		}
		return fixed[text]
	}
	var byType [nodeTypeCount]uint32
	for t := range byType {
		switch NodeType(t) {
		case Hidden:
			byType[t] = intern("(system)")
		case Code:
			byType[t] = intern("(compiled code)")
		case Closure:
			byType[t] = intern("Function")
		case RegExp:
			byType[t] = intern("RegExp")
		case OtherNode:
			byType[t] = intern("(other)")
		default:
			byType[t] = intern("(" + NodeType(t).String() + ")")
		}
	}
	cut := map[uint32]uint32{} // string -> class, for names that begin an HTML tag
	for i, t := range s.nodeType {
		if t != Object && t != Native {
			s.class[i] = byType[t]
			continue
		}
		name := s.name(Node(i))
		class, ok := cut[name]
		if !ok {
			class = name
			if text := s.text(name); strings.HasPrefix(text, "<") || strings.HasPrefix(text, "Detached <") {
				from := 0
				if text[0] == 'D' {
					from = len("Detached <")
				}
				if space := strings.IndexByte(text[from:], ' '); space >= 0 {
					text = text[:from+space] + ">"
				}
				class = intern(text)
			}
			cut[name] = class
		}
		s.class[i] = class
	}
	plain := s.plainObjects()
	s.shapes = s.inferShapes(plain)
	s.applyShapes(s.shapes, plain, s.class)
}

// plain reports whether n is an object made by {}.
func (s *Snapshot) plain(n Node) bool {
	return s.nodeType[n] == Object && s.nameTag(n) == tagObject
}

// plainObjects returns the objects that plain is true of.
func (s *Snapshot) plainObjects() []Node {
	var plain []Node
	for i, t := range s.nodeType {
		if t == Object && s.nameTag(Node(i)) == tagObject {
			plain = append(plain, Node(i))
		}
	}
	return plain
}

// inferShapes counts the property lists of plain objects, in file order, and
// keeps those of at least 2 objects and a thousandth of all.
func (s *Snapshot) inferShapes(plain []Node) []shape {
	const (
		maxName  = 120 // UTF-16 units
		minCount = 2
		minShare = 1000
	)
	type candidate struct {
		shape
		count int
		order int
	}
	var (
		total  int
		byName = map[string]*candidate{}
		name   []byte
		props  []uint32
	)
	formatted := map[uint32]string{}
	for _, n := range plain {
		total++
		name, props = append(name[:0], '{'), props[:0]
		units := 1
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if s.edgeType[e] != PropertyEdge || s.tags[s.edgeName[e]] == tagProto {
				continue
			}
			f, ok := formatted[s.edgeName[e]]
			if !ok {
				f = formatProperty(s.strings.at(s.edgeName[e]))
				formatted[s.edgeName[e]] = f
			}
			length := utf16Len(f)
			if units > 1 && units+length > maxName {
				break
			}
			if units != 1 {
				name = append(name, ", "...)
				units += 2
			}
			name = append(name, f...)
			units += length
			props = append(props, s.edgeName[e])
		}
		if len(props) == 0 {
			continue
		}
		name = append(name, '}')
		c := byName[string(name)]
		if c == nil {
			c = &candidate{order: len(byName)}
			c.name = string(name)
			for _, p := range props {
				c.properties = append(c.properties, s.strings.at(p))
			}
			slices.Sort(c.properties)
			byName[c.name] = c
		}
		c.count++
	}
	all := make([]*candidate, 0, len(byName))
	for _, c := range byName {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *candidate) int {
		if a.count != b.count {
			return b.count - a.count
		}
		return a.order - b.order
	})
	var shapes []shape
	for _, c := range all {
		if c.count < minCount || c.count*minShare < total {
			break
		}
		c.class = s.addString(c.name)
		shapes = append(shapes, c.shape)
	}
	return shapes
}

// applyShapes writes the class of every plain object: the shape with most
// properties, then the most frequent, among those whose properties it has all.
func (s *Snapshot) applyShapes(shapes []shape, plain []Node, class []uint32) {
	if len(shapes) == 0 {
		return
	}
	m := newShapeMatcher(shapes)
	number := make([]int32, s.strings.count()) // string -> property number in m + 2, 1 for none, 0 for not asked yet
	var have []int32
	for _, n := range plain {
		have = have[:0]
		first, end := s.EdgeRange(n)
		for e := first; e < end; e++ {
			if s.edgeType[e] != PropertyEdge {
				continue
			}
			name := s.edgeName[e]
			p := number[name]
			if p == 0 {
				p = m.property(s.strings.at(name)) + 2
				number[name] = p
			}
			if p > 1 {
				have = append(have, p-2)
			}
		}
		if best := m.match(have); best >= 0 {
			class[n] = shapes[best].class
		}
	}
}

package redact

import (
	"fmt"

	"heapsnap/heapsnap"
)

// pass is one snapshot on its way.
type pass struct {
	r      *Redactor
	s      *stream
	h      *header
	l      *layout
	counts Counts

	// node -> what is needed of it when the edges come by
	kind  []uint8  // the file's type
	name  []uint32 // string
	edges []uint32 // count

	uses uses
}

// sections goes through the members of the outer object.
func (p *pass) sections() error {
	s := p.s
	if err := s.expect("header", '{'); err != nil {
		return err
	}
	nodes, edges, strings := false, false, false
	for first := true; ; first = false {
		c, err := s.peek("end", "a key or }")
		if err != nil {
			return err
		}
		if c == '}' {
			if !strings {
				return s.bad("strings", "this section", c)
			}
			s.pos++
			return nil
		}
		if !first {
			if err := s.expect("end", ','); err != nil {
				return err
			}
		}
		raw, err := s.string("end")
		if err != nil {
			return err
		}
		key := string(raw)
		if err := s.expect(key, ':'); err != nil {
			return err
		}
		switch {
		case p.h == nil && key != "snapshot":
			return p.order(key, `the key "snapshot" first`)
		case key == "snapshot" && p.h == nil:
			err = p.header()
		case key == "nodes" && !nodes:
			nodes = true
			err = p.nodes()
		case key == "edges" && !edges:
			if edges = true; !nodes {
				return p.order(key, "the nodes before the edges")
			}
			err = p.references()
		case key == "trace_function_infos":
			err = p.named(key, p.h.Meta.TraceFunctionInfoFields, "name", "script_name")
		case key == "scope_context_vars":
			err = p.named(key, p.h.Meta.ScopeVariableFields, "name")
		case key == "strings" && !strings:
			// What the texts are used for has to be known: V8 writes them last.
			if strings = true; !edges {
				return p.order(key, "the edges before the strings")
			}
			err = p.strings()
		default:
			if strings {
				return p.order(key, "the strings to be last")
			}
			err = s.value(key, func(raw []byte) []byte { return p.r.content(raw) })
		}
		if err != nil {
			return err
		}
	}
}

func (p *pass) order(key, want string) error {
	return &heapsnap.SyntaxError{Section: key, Offset: p.s.offset(), Want: want, Got: fmt.Sprintf("%q", key)}
}

func (p *pass) header() error {
	at := p.s.offset()
	raw, err := p.s.whole("header", 16<<20)
	if err != nil {
		return err
	}
	if p.h, p.l, err = parseHeader(raw); err == nil {
		raw, err = plainHeader(raw)
	}
	if err != nil {
		return &heapsnap.SyntaxError{Section: "header", Offset: at, Want: "the snapshot's meta object", Got: err.Error()}
	}
	_, err = p.s.out.Write(raw)
	return err
}

func (p *pass) nodes() error {
	l, f := p.l, 0
	var bad error
	count, err := p.s.numbers("nodes", func(v uint64) uint64 {
		switch f {
		case l.nodeType:
			if v >= uint64(len(l.kinds)) {
				bad = p.wrong("nodes", fmt.Sprintf("a node type below %d", len(l.kinds)), v)
				v = 0
			}
			p.kind = append(p.kind, uint8(v))
		case l.nodeName:
			if p.uses.rows++; !p.uses.fits(v) {
				bad = p.wrong("nodes", "the number of a string", v)
				v = 0
			}
			p.name = append(p.name, uint32(v))
		case l.nodeEdges:
			p.edges = append(p.edges, uint32(min(v, maxRows)))
		}
		if f++; f == l.nodeFields {
			f = 0
		}
		return v
	})
	switch {
	case err != nil:
		return err
	case bad != nil:
		return bad
	case count != p.h.NodeCount*uint64(l.nodeFields):
		return p.wrong("nodes", fmt.Sprintf("%d numbers, as the header says", p.h.NodeCount*uint64(l.nodeFields)), count)
	}
	for n, t := range p.kind {
		p.uses.node(p.name[n], l.kinds[t])
	}
	return nil
}

func (p *pass) wrong(section, want string, got uint64) error {
	return &heapsnap.SyntaxError{Section: section, Offset: p.s.offset(), Want: want, Got: fmt.Sprint(got)}
}

// references goes through the edges, which stand in the order of the nodes that
// have them.
func (p *pass) references() error {
	var (
		l       = p.l
		f       = 0
		from    = -1        // node
		left    = uint32(0) // edges of it
		t       edgeKind
		code    bool // from is code
		keyed   bool // from may have numbers for keys
		sparse  uint64
		bad     error
		divisor = uint64(l.nodeFields)
	)
	count, err := p.s.numbers("edges", func(v uint64) uint64 {
		now := v
		switch f {
		case 0:
			for left == 0 {
				if from++; from >= len(p.kind) {
					bad = p.wrong("edges", "as many edges as the nodes have", uint64(from))
					from, left = len(p.kind)-1, 1
					break
				}
				left = p.edges[from]
				code = l.code[p.kind[from]]
				keyed = !l.synthetic[p.kind[from]]
				sparse = sparseFrom(left)
			}
			left--
		}
		switch f {
		case l.edgeType:
			t = propertyEdge
			if v < uint64(len(l.edges)) {
				t = l.edges[v]
			}
		case l.edgeName:
			switch t {
			case elementEdge:
				if keyed && v >= sparse {
					now = p.r.number(v)
				}
			case hiddenEdge:
			default:
				if p.uses.rows++; !p.uses.fits(v) {
					bad = p.wrong("edges", "the number of a string", v)
					v = 0
				}
				p.uses.edge(uint32(v), t)
			}
		case l.edgeTo:
			to := v / divisor
			if to >= uint64(len(p.kind)) {
				bad = p.wrong("edges", fmt.Sprintf("a node below %d", len(p.kind)), to)
				break
			}
			if code && t != propertyEdge && t != variableEdge && l.kinds[p.kind[to]] == contentKind {
				p.uses.spell(p.name[from], p.name[to])
			}
		}
		if f++; f == l.edgeFields {
			f = 0
		}
		return now
	})
	switch {
	case err != nil:
		return err
	case bad != nil:
		return bad
	case count != p.h.EdgeCount*uint64(l.edgeFields):
		return p.wrong("edges", fmt.Sprintf("%d numbers, as the header says", p.h.EdgeCount*uint64(l.edgeFields)), count)
	}
	p.kind, p.name, p.edges = nil, nil, nil
	return nil
}

// sparseFrom is the index from which on an element of an object with so many
// references is taken for one that has a number for a key, obj[4711] = x, and
// not a place in a list: lists are nearly full. V8 itself makes a dictionary of
// elements with a gap of 1024 (JSObject::kMaxGap).
func sparseFrom(edges uint32) uint64 { return 1024 + 4*uint64(edges) }

// named copies a section of rows in which some fields are names of code.
func (p *pass) named(section string, fields []string, names ...string) error {
	is := make([]bool, len(fields))
	for i, field := range fields {
		for _, name := range names {
			is[i] = is[i] || field == name
		}
	}
	f := 0
	_, err := p.s.numbers(section, func(v uint64) uint64 {
		if len(is) > 0 {
			if p.uses.rows++; is[f] && p.uses.fits(v) {
				p.uses.add(uint32(v), codeUse)
			}
			f = (f + 1) % len(is)
		}
		return v
	})
	return err
}

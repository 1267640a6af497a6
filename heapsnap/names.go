package heapsnap

import (
	"strings"
	"unicode/utf8"
)

// Name returns n's name as DevTools shows it: a rope's text, a plain object's
// properties, else V8's name; HS:4620-4720.
func (s *Snapshot) Name(n Node) string {
	switch s.nodeType[n] {
	case ConsString:
		return s.ropeText(n)
	case Object:
		if s.nameTag(n) == tagObject {
			return s.plainObjectName(n)
		}
	}
	return s.text(s.name(n))
}

// ropeText joins the leaves of a concatenated string until the text has 1024
// UTF-16 units.
func (s *Snapshot) ropeText(n Node) string {
	const limit = 1024
	const maxSteps = 1 << 16 // a damaged rope may contain itself
	var b strings.Builder
	units := 0
	stack := []Node{n}
	for steps := 0; len(stack) > 0 && units < limit && steps < maxSteps; steps++ {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.nodeType[n] != ConsString {
			part := s.text(s.name(n))
			b.WriteString(part)
			units += utf16Len(part)
			continue
		}
		// A missing part is node 0, as in DevTools: its lookup gives index 0.
		var left, right Node
		first, end := s.EdgeRange(n)
		for e := first; e < end && (left == 0 || right == 0); e++ {
			if s.edgeType[e] != InternalEdge {
				continue
			}
			switch string(s.strings.raw(s.edgeName[e])) {
			case "first":
				left = s.edgeTo[e]
			case "second":
				right = s.edgeTo[e]
			}
		}
		stack = append(stack, right, left)
	}
	return b.String()
}

// plainObjectName is {a, b, …, y, z}: properties from both ends, as many as
// fit into 100 UTF-16 units; HS:4689.
func (s *Snapshot) plainObjectName(n Node) string {
	const limit = 100
	first, end := s.EdgeRange(n)
	start, tail := "{", "}"
	fromStart := true
	i, j := first, end
	for i < j {
		e := i
		if fromStart {
			i++
		} else {
			j--
			e = j
		}
		if s.edgeType[e] != PropertyEdge || s.tags[s.edgeName[e]] == tagProto {
			continue
		}
		property := formatProperty(s.strings.at(s.edgeName[e]))
		if len(start) > 1 && utf16Len(start)+utf16Len(tail)+utf16Len(property) > limit {
			// Give the edge back: the name says that properties are missing.
			if fromStart {
				i--
			} else {
				j++
			}
			break
		}
		if fromStart {
			if len(start) > 1 {
				start += ", "
			}
			start += property
		} else {
			if len(tail) > 1 {
				tail = ", " + tail
			}
			tail = property + tail
		}
		fromStart = !fromStart
	}
	if i < j {
		start += ", …"
	}
	if len(tail) > 1 {
		start += ", "
	}
	return start + tail
}

// formatProperty is JSONFormat's rule for names in an interface: quoted if a
// reader could take it for more than a name.
func formatProperty(name string) string {
	if strings.ContainsAny(name, `,'"{}`) {
		return quoteJSON(name)
	}
	return name
}

// quoteJSON is JavaScript's JSON.stringify for a string.
func quoteJSON(text string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(byte(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ':
			b.WriteString(`\u00`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		case r == utf8.RuneError && size == 1 && text[i] == 0xED && i+2 < len(text):
			// A lone surrogate, kept as its three bytes by stringTable.at.
			u := rune(text[i]&15)<<12 | rune(text[i+1]&63)<<6 | rune(text[i+2]&63)
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[u>>shift&15])
			}
			size = 3
		default:
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// utf16Len returns the number of UTF-16 units of text, JavaScript's length.
func utf16Len(text string) int {
	n := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= 0xF0: // four bytes: two units
			n += 2
		case c&0xC0 != 0x80: // not a continuation byte
			n++
		}
	}
	return n
}

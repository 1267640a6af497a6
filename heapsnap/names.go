package heapsnap

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Name returns n's name as DevTools shows it: a rope's text, a plain object's
// properties, else V8's name; HS:4620-4720.
func (s *Snapshot) Name(n Node) string {
	if !s.composed(n) {
		return s.text(s.name(n))
	}
	return string(s.AppendName(nil, n))
}

// AppendName appends n's name to b: Name, without an allocation per name.
func (s *Snapshot) AppendName(b []byte, n Node) []byte {
	switch {
	case !s.composed(n):
		return s.appendText(b, s.name(n))
	case s.nodeType[n] == ConsString:
		return s.appendRope(b, n)
	}
	return s.appendPlainObject(b, n)
}

// AppendEdgeName appends the name of e to b: EdgeName, without an allocation
// per name.
func (s *Snapshot) AppendEdgeName(b []byte, e Edge) []byte {
	if i, ok := s.EdgeIndex(e); ok {
		return strconv.AppendUint(b, uint64(i), 10)
	}
	return s.strings.appendTo(b, s.edgeName[e])
}

// composed reports whether n's name is made of those of others.
func (s *Snapshot) composed(n Node) bool {
	t := s.nodeType[n]
	return t == ConsString || t == Object && s.nameTag(n) == tagObject
}

// appendRope joins the leaves of a concatenated string until the text has 1024
// UTF-16 units.
func (s *Snapshot) appendRope(b []byte, n Node) []byte {
	const limit = 1024
	const maxSteps = 1 << 16 // a damaged rope may contain itself
	units := 0
	var room [64]Node // for nearly every rope
	stack := append(room[:0], n)
	for steps := 0; len(stack) > 0 && units < limit && steps < maxSteps; steps++ {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.nodeType[n] != ConsString {
			from := len(b)
			b = s.appendText(b, s.name(n))
			units += utf16Len(b[from:])
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
	return b
}

// appendPlainObject is {a, b, …, y, z}: properties from both ends, as many as
// fit into 100 UTF-16 units; HS:4689.
func (s *Snapshot) appendPlainObject(b []byte, n Node) []byte {
	const limit = 100
	first, end := s.EdgeRange(n)
	start := len(b)
	b = append(b, '{')
	units := len("{}")
	var room [limit / 3]uint32 // a name has a unit, a comma and a space
	tail := room[:0]           // the names from the end, the last first
	tailLength := 0            // of their text
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
		at := len(b)
		b = s.appendProperty(b, s.edgeName[e])
		length := utf16Len(b[at:])
		if at > start+1 && units+length > limit {
			b = b[:at]
			// Give the edge back: the name says that properties are missing.
			if fromStart {
				i--
			} else {
				j++
			}
			break
		}
		if fromStart {
			if at > start+1 {
				b = slices.Insert(b, at, ',', ' ')
				units += 2
			}
		} else {
			if tailLength > 0 {
				tailLength += 2
				units += 2
			} else {
				tail = tail[:0] // empty names
			}
			tail = append(tail, s.edgeName[e])
			tailLength += len(b) - at
			b = b[:at]
		}
		units += length
		fromStart = !fromStart
	}
	if i < j {
		b = append(b, ", …"...)
	}
	if tailLength > 0 {
		b = append(b, ", "...)
	}
	for k := len(tail) - 1; k >= 0; k-- {
		b = s.appendProperty(b, tail[k])
		if k > 0 {
			b = append(b, ", "...)
		}
	}
	return append(b, '}')
}

// appendProperty appends string i as formatProperty has it.
func (s *Snapshot) appendProperty(b []byte, i uint32) []byte {
	at := len(b)
	b = s.strings.appendTo(b, i)
	if bytes.ContainsAny(b[at:], unsafeProperty) {
		var room [128]byte
		b = appendQuoted(b[:at], append(room[:0], b[at:]...))
	}
	return b
}

// unsafeProperty are the characters that make formatProperty quote a name.
const unsafeProperty = `,'"{}`

// formatProperty is JSONFormat's rule for names in an interface: quoted if a
// reader could take it for more than a name.
func formatProperty(name string) string {
	if strings.ContainsAny(name, unsafeProperty) {
		return quoteJSON(name)
	}
	return name
}

// quoteJSON is JavaScript's JSON.stringify for a string.
func quoteJSON(text string) string { return string(appendQuoted(nil, []byte(text))) }

// appendQuoted appends quoteJSON of text.
func appendQuoted(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\')
			b = append(b, byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[r>>4])
			b = append(b, hex[r&15])
		case r == utf8.RuneError && size == 1 && text[i] == 0xED && i+2 < len(text):
			// A lone surrogate, kept as its three bytes by stringTable.at.
			u := rune(text[i]&15)<<12 | rune(text[i+1]&63)<<6 | rune(text[i+2]&63)
			b = append(b, `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				b = append(b, hex[u>>shift&15])
			}
			size = 3
		default:
			b = append(b, text[i:i+size]...)
		}
		i += size
	}
	return append(b, '"')
}

// utf16Len returns the number of UTF-16 units of text, JavaScript's length.
func utf16Len[T string | []byte](text T) int {
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

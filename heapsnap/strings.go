package heapsnap

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// stringTable keeps the strings as they stand in the file, one after the other
// and still escaped; most are never looked at.
type stringTable struct {
	text  []byte
	start []uint64 // string -> offset of its first byte in text; one more entry at the end
}

func (t *stringTable) count() int { return len(t.start) - 1 }

// raw returns the escaped text of string i.
func (t *stringTable) raw(i uint32) []byte { return t.text[t.start[i]:t.start[i+1]] }

// at returns string i. One without escapes, as nearly all are, shares the
// table's memory. Lone surrogates come out as the three bytes that UTF-8 would
// use for them, so that different strings stay different.
func (t *stringTable) at(i uint32) string {
	raw := t.raw(i)
	if bytes.IndexByte(raw, '\\') < 0 {
		return textOf(raw)
	}
	return string(unescape(nil, raw))
}

// appendTo appends string i to b.
func (t *stringTable) appendTo(b []byte, i uint32) []byte {
	raw := t.raw(i)
	if bytes.IndexByte(raw, '\\') < 0 {
		return append(b, raw...)
	}
	return unescape(b, raw)
}

// unescape appends raw without its escapes to out.
func unescape(out, raw []byte) []byte {
	out = slices.Grow(out, len(raw))
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' || i+1 >= len(raw) {
			out = append(out, c)
			i++
			continue
		}
		i += 2
		switch e := raw[i-1]; e {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(raw[i:])
			if !ok {
				out = append(out, '\\', 'u')
				continue
			}
			i += 4
			if utf16.IsSurrogate(r) {
				if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					if low, ok := hex4(raw[i+2:]); ok {
						if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
							out = utf8.AppendRune(out, pair)
							i += 6
							continue
						}
					}
				}
				out = append(out, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
				continue
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, e)
		}
	}
	return out
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// strings consumes the array of strings. room is a guess at their total size.
// With an error it returns the strings before it.
func (in *input) strings(room int64) (*stringTable, error) {
	const section = "strings"
	if err := in.expect(section, '['); err != nil {
		return nil, err
	}
	t := &stringTable{start: make([]uint64, 0, 1<<12)}
	if room > 0 {
		t.text = newColumn[byte](int(room))[:0]
	}
	for first := true; ; first = false {
		c, err := in.peek(section, "a string or ]")
		if err != nil {
			t.start = append(t.start, uint64(len(t.text)))
			return t, err
		}
		if c == ']' {
			in.pos++
			t.start = append(t.start, uint64(len(t.text)))
			return t, nil
		}
		if !first {
			if c != ',' {
				return nil, in.bad(section, "a comma", c)
			}
			in.pos++
			if c, err = in.peek(section, "a string"); err != nil {
				t.start = append(t.start, uint64(len(t.text)))
				return t, err
			}
		}
		if c != '"' {
			return nil, in.bad(section, "a string in double quotes", c)
		}
		in.pos++
		t.start = append(t.start, uint64(len(t.text)))
		if err := in.appendString(t); err != nil {
			t.text = t.text[:t.start[len(t.start)-1]]
			return t, err
		}
	}
}

// appendString consumes the rest of a string and its closing quote.
func (in *input) appendString(t *stringTable) error {
	const section = "strings"
	for {
		rest := in.buf[in.pos:]
		n := bytes.IndexByte(rest, '"')
		part := rest
		if n >= 0 {
			part = rest[:n]
		}
		esc := bytes.IndexByte(part, '\\')
		switch {
		case esc >= 0 && esc+1 < len(rest): // take the escape and what it escapes
			t.text = append(t.text, rest[:esc+2]...)
			in.pos += esc + 2
			continue
		case esc >= 0: // what it escapes is not read yet
			t.text = append(t.text, rest[:esc]...)
			in.pos += esc
		case n >= 0:
			t.text = append(t.text, part...)
			in.pos += n + 1
			return nil
		default:
			t.text = append(t.text, part...)
			in.pos += len(part)
		}
		if err := in.more(); err == io.EOF {
			return truncated(section, in.base+int64(len(in.buf)), "the rest of a string")
		} else if err != nil {
			return err
		}
	}
}

package redact

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"regexp"
	"strconv"
	"strings"
)

// maxAhead bounds the strings that are read before the first is written, to
// learn the names of what spells texts. V8 writes those among the first
// thousand (Node 18 to 26); only "(context local names)" comes late.
const maxAhead = 64 << 20

// strings goes through the table of texts.
func (p *pass) strings() error {
	const section = "strings"
	s := p.s
	if err := s.expect(section, '['); err != nil {
		return err
	}
	if err := s.leaveOut(); err != nil {
		return err
	}
	last := uint32(0) // of those that refer to texts, by number
	for _, pair := range p.uses.pairs {
		last = max(last, pair.by)
	}
	var (
		ahead  []byte
		ends   []int
		names  = map[uint32]use{}
		number = uint32(0)
		end    bool
	)
	// s.drop is on: string hands over each text, and nothing is copied.
	for len(p.uses.pairs) > 0 && number <= last && len(ahead) < maxAhead && !end {
		raw, more, err := p.next()
		if err != nil {
			return err
		}
		if end = !more; end {
			break
		}
		if as, ok := spellers[string(raw)]; ok {
			names[number] = as
		}
		ahead = append(ahead, raw...)
		ends = append(ends, len(ahead))
		number++
	}
	p.uses.settle(names)
	from := 0
	for i, to := range ends {
		if err := p.write(uint32(i), ahead[from:to]); err != nil {
			return err
		}
		from = to
	}
	ahead, ends = nil, nil
	for !end {
		raw, more, err := p.next()
		if err != nil {
			return err
		}
		if end = !more; end {
			break
		}
		if err := p.write(number, raw); err != nil {
			return err
		}
		number++
	}
	s.putBack()
	return s.out.WriteByte(']')
}

// next is the next string of the table, as it is escaped; more is false at the
// table's end.
func (p *pass) next() (raw []byte, more bool, err error) {
	const section = "strings"
	c, err := p.s.peek(section, "a string or ]")
	if err != nil {
		return nil, false, err
	}
	switch {
	case c == ']':
		p.s.pos++
		return nil, false, nil
	case c == ',':
		p.s.pos++
	case c != '"':
		return nil, false, p.s.bad(section, "a comma", c)
	}
	raw, err = p.s.string(section)
	return raw, err == nil, err
}

// write writes string number i, or what stands in its place.
func (p *pass) write(i uint32, raw []byte) error {
	if i > 0 {
		if err := p.s.out.WriteByte(','); err != nil {
			return err
		}
	}
	as := use(0)
	if int(i) < len(p.uses.of) {
		as = p.uses.of[i]
	}
	now := p.r.text(raw, as)
	p.counts.Strings++
	if !bytes.Equal(now, raw) {
		p.counts.Replaced++
	}
	return p.s.quoted(now)
}

// text decides on one text of the table, escaped as it is. What is returned is
// escaped too.
func (r *Redactor) text(raw []byte, as use) []byte {
	if len(raw) == 0 {
		return raw
	}
	raw = plainEscapes(raw)
	if as&(spelledUse|declaredUse|codeUse) != 0 {
		r.spelled.add(raw)
	}
	if as&codeUse != 0 {
		r.kept.add(raw)
	}
	switch {
	case as&engineUse != 0:
		if number, ok := smallNumber(raw); ok && as&contentUse != 0 && number >= 1000 {
			// Also the number of a field. A slot of a large array is numbered by six
			// digits, and so may a code be that was sent to somebody. With a 0 in front
			// it is no other slot's.
			return appendNumber([]byte("0"), r.number(number))
		}
		return r.engine(raw)
	case as&codeUse != 0:
		return r.code(raw)
	case as&(propertyUse|classUse) != 0:
		return r.member(raw, as)
	case as&wordUse != 0 && engineWords[string(raw)]:
		return raw
	case as&declaredUse != 0 && r.names != NoNames:
		return raw // a variable that no edge names, as those of blocks
	}
	return r.content(raw)
}

// plainEscapes is the text with no more escapes than V8 writes: another producer
// may have \u003c for <.
func plainEscapes(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`\u00`)) && !bytes.Contains(raw, []byte(`\/`)) {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] == '/' {
			out = append(out, '/')
			continue
		}
		if raw[i] == 'u' && i+4 < len(raw) {
			c, err := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16)
			if err == nil && c >= ' ' && c <= '~' && c != '"' && c != '\\' {
				out = append(out, byte(c))
				i += 4
				continue
			}
		}
		out = append(out, '\\', raw[i])
	}
	return out
}

// engineWords are V8's names for what has no text of its own.
var engineWords = map[string]bool{
	"heap number": true, "smi number": true, "int": true, "bool": true, "bigint": true, "symbol": true,
	"(concatenated string)": true, "(sliced string)": true,
}

// ephemeron is the name of a WeakMap entry's edge, see package heapsnap. It has
// the names of key and value, and those may be texts of the program.
var ephemeron = regexp.MustCompile(`^(\d+ / part of key \()(.*)( @\d+\) -> value \()(.*)( @\d+\) pair in WeakMap \(table @\d+\))$`)

// engine is a name that V8 or the embedder gave.
func (r *Redactor) engine(raw []byte) []byte {
	switch {
	case bytes.Contains(raw, []byte(") pair in WeakMap (table @")):
		m := ephemeron.FindSubmatch(raw)
		if m == nil {
			return r.content(raw)
		}
		return bytes.Join([][]byte{m[1], r.pair(m[2]), m[3], r.pair(m[4]), m[5]}, nil)
	case raw[0] == '<' || bytes.HasPrefix(raw, []byte("Detached <")):
		// Chromium: <div id=\"...\" class=\"...\">. DevTools' class is the first word.
		tag, attributes, ok := bytes.Cut(bytes.TrimPrefix(raw, []byte("Detached ")), []byte(" "))
		if !ok {
			return raw
		}
		return join(raw[:bytes.Index(raw, tag)+len(tag)], []byte(" "), r.content(attributes), []byte(">"))
	}
	return r.address(raw)
}

// pair is the name of a WeakMap's key or value.
func (r *Redactor) pair(name []byte) []byte {
	if len(name) == 0 || r.names != NoNames && r.kept.has(name) || r.own(name) {
		return name
	}
	out := r.content(name)
	// DevTools does not see a WeakMap's entry where a name has a line break: its
	// "." does not match that. It is not to see one now.
	for _, end := range []string{`\n`, `\r`, `\u2028`, `\u2029`} {
		if bytes.Contains(name, []byte(end)) {
			return join(out, []byte(end))
		}
	}
	return out
}

// code is the name of a function, a variable or a script. Programmers choose
// those.
func (r *Redactor) code(raw []byte) []byte {
	switch {
	case r.names != NoNames, r.own(raw):
		return r.address(raw)
	case isEngineName(raw):
		if i := bytes.Index(raw, []byte(" for ")); i >= 0 { // (instruction stream for load)
			return join(raw[:i+5], r.name(raw[i+5:]), []byte(")"))
		}
		if parts := bytes.SplitN(raw, []byte(" / "), 3); len(parts) == 3 { // system / Script / /app/main.js
			return join(parts[0], []byte(" / "), parts[1], []byte(" / "), r.name(parts[2]))
		}
		return raw
	}
	return r.name(raw)
}

// address is a name without what only a URL has: a user and password, a query,
// or, in data:text/javascript,... the whole script.
func (r *Redactor) address(raw []byte) []byte {
	if head, body, ok := bytes.Cut(raw, []byte(",")); ok && bytes.HasPrefix(raw, []byte("data:")) {
		return join(head, []byte(","), r.content(body))
	}
	scheme := bytes.Index(raw, []byte("://"))
	if scheme >= 0 {
		host := raw[scheme+3:]
		if i := bytes.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		if at := bytes.LastIndexByte(host, '@'); at >= 0 {
			raw = join(raw[:scheme+3], r.content(host[:at]), raw[scheme+3+at:])
		}
	}
	query := "?" // a path may have a #
	if scheme >= 0 {
		query = "?#"
	}
	if i := bytes.IndexAny(raw, query); i > 0 && i+1 < len(raw) && bytes.ContainsAny(raw[:i], `/\:`) {
		return join(raw[:i+1], r.content(raw[i+1:]))
	}
	return raw
}

// isEngineName reports whether V8 or Node wrote the name: those of functions and
// classes do not begin so.
func isEngineName(raw []byte) bool {
	return raw[0] == '(' || bytes.HasPrefix(raw, []byte("system / ")) || bytes.HasPrefix(raw, []byte("Node / "))
}

// member is the name of a property or class.
func (r *Redactor) member(raw []byte, as use) []byte {
	if r.own(raw) || as&classUse != 0 && isEngineName(raw) {
		return raw
	}
	for _, around := range []struct{ before, after string }{
		{"get ", ""}, {"set ", ""}, {"<symbol ", ">"}, // accessors and keys that are symbols, as V8 writes them
	} {
		inner, ok := bytes.CutPrefix(raw, []byte(around.before))
		if !ok {
			continue
		}
		if inner, ok = bytes.CutSuffix(inner, []byte(around.after)); !ok || len(inner) == 0 {
			continue
		}
		// What code spells is the text inside, and V8 has written that before.
		if r.spelled.has(inner) || r.kept.has(inner) {
			as |= spelledUse
		} else {
			as &^= spelledUse
		}
		return join([]byte(around.before), r.member(inner, as), []byte(around.after))
	}
	// A window is a class with its page's address: "Window / https://..."
	if class, page, ok := bytes.Cut(raw, []byte(" / ")); ok && as&classUse != 0 && (r.kept.has(class) || r.own(class)) {
		return join(class, []byte(" / "), r.address(page))
	}
	keep := false
	switch r.names {
	case AllNames:
		keep = !looksLikeData(raw)
	case NamesOfCode:
		keep = as&(spelledUse|declaredUse) != 0 && !looksLikeSecret(raw)
	}
	if keep {
		r.kept.add(raw)
		return raw
	}
	return r.name(raw)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// textSet is a set of texts by a hash of 64 bits, as most of a snapshot's texts
// may be in it.
type textSet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func newTextSet() textSet { return textSet{maphash.MakeSeed(), map[uint64]struct{}{}} }

func (t textSet) add(raw []byte)      { t.hashes[maphash.Bytes(t.seed, raw)] = struct{}{} }
func (t textSet) has(raw []byte) bool { _, ok := t.hashes[maphash.Bytes(t.seed, raw)]; return ok }

// Signs of data in a name that is otherwise kept.
var (
	// secret: a mail address, a number of nine digits or more, a hash.
	secret = regexp.MustCompile(`[\w.+-]@[\w-]+\.\w|\d{9}|\b[0-9a-fA-F]{20,}\b|^\d{3,}[-. ]\d{2,}[-. ]\d{3,}`)
	// A token is a word of 16 and more characters with digits strewn in.
	words = regexp.MustCompile(`[0-9A-Za-z]{16,}`)
	runs  = regexp.MustCompile(`[0-9]+`)
)

// looksLikeSecret reports whether a name that stands in code should not be
// shown all the same: code may spell a key.
func looksLikeSecret(raw []byte) bool {
	if secret.Match(raw) {
		return true
	}
	for _, word := range words.FindAll(raw, -1) {
		// base64 has a digit in every sixth place, words have a number or two.
		if len(runs.FindAllIndex(word, -1)) >= 3 {
			return true
		}
	}
	return false
}

// looksLikeData reports whether a name is hardly one that a programmer chose.
func looksLikeData(raw []byte) bool {
	const long = 64
	text := string(raw)
	if bytes.IndexByte(raw, '\\') >= 0 {
		if json.Unmarshal([]byte(`"`+text+`"`), &text) != nil {
			return true
		}
	}
	digits := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return looksLikeSecret(raw) || len(text) > long || digits >= 5 || strings.ContainsAny(text, "@?=&") ||
		strings.Count(text, " ") > 1 || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' })
}

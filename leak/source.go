package leak

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// ScriptPath returns the path of a script that V8 names by a file URL, as it
// does ES modules; other names come back as they are.
func ScriptPath(script string) string {
	if strings.HasPrefix(script, "file://") {
		if u, err := url.Parse(script); err == nil && u.Path != "" {
			return u.Path
		}
	}
	return script
}

// ReadScript reads a script from the file it is named by.
func ReadScript(script string) ([]byte, error) {
	path := ScriptPath(script)
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%s: not a file", script)
	}
	return os.ReadFile(path)
}

// source is a script as tokens, with white space and comments left out.
type source struct {
	text   []byte
	lines  []int // offset of each line's first byte
	tokens []token
	parens []int // see push

	bound  map[string]binding // see bindings
	bodies []int              // see bodyAround
}

type token struct {
	kind   js.TokenType
	text   string
	offset int
	match  int    // of a bracket: index of its partner, -1 without
	within string // name of the function around it
}

// text returns the text of a script, or nil if there is none.
func (p *Pass) text(script string) []byte {
	text, ok := p.texts[script]
	if !ok {
		if got, err := p.opts.Source(script); err == nil {
			text = got
		}
		p.texts[script] = text
	}
	return text
}

// file returns the tokens of a script, or nil if there is no source.
func (p *Pass) file(script string) *source {
	src, ok := p.files[script]
	if !ok {
		if text := p.text(script); len(text) > 0 {
			src = tokenize(text)
		}
		p.files[script] = src
	}
	return src
}

// newSource returns a text without its tokens.
func newSource(text []byte) *source {
	src := &source{text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			src.lines = append(src.lines, i+1)
		}
	}
	return src
}

func tokenize(text []byte) *source {
	src := newSource(text)
	// Tokens share the memory of one string, and there is about one in six bytes.
	all := string(text)
	src.tokens = make([]token, 0, len(text)/6)
	// The lexer works in place and cannot tell a division from a regular
	// expression: what stands before decides.
	offset := 0
	if bytes.HasPrefix(text, []byte("#!")) {
		offset = src.lineAfter(0)
	}
	lex := js.NewLexer(parse.NewInputBytes(bytes.Clone(text[offset:])))
	for offset < len(text) {
		kind, data := lex.Next()
		if (kind == js.DivToken || kind == js.DivEqToken) && src.regexpNext() {
			kind, data = lex.RegExp()
		}
		if kind == js.ErrorToken {
			// What cannot be read costs a line and not the file.
			offset = src.lineAfter(offset)
			lex = js.NewLexer(parse.NewInputBytes(bytes.Clone(text[offset:])))
			continue
		}
		switch kind {
		case js.WhitespaceToken, js.LineTerminatorToken, js.CommentToken, js.CommentLineTerminatorToken:
		default:
			src.push(token{kind: kind, text: all[offset : offset+len(data)], offset: offset, match: -1})
		}
		offset += len(data)
	}
	src.matchBrackets()
	src.nameFunctions()
	return src
}

// push adds a token. Of parentheses it keeps in parens those that are open and,
// on top, the one that was closed last: whether a slash behind it divides, the
// word before it tells.
func (src *source) push(t token) {
	if n := len(src.tokens); n > 0 && src.tokens[n-1].text == ")" && len(src.parens) > 0 {
		src.parens = src.parens[:len(src.parens)-1]
	}
	if t.text == "(" {
		src.parens = append(src.parens, len(src.tokens))
	}
	if t.text == ")" && len(src.parens) == 0 {
		src.parens = append(src.parens, -1) // closes nothing
	}
	src.tokens = append(src.tokens, t)
}

// lineAfter returns the offset of the line behind the one that offset is in.
func (src *source) lineAfter(offset int) int {
	if at, found := slices.BinarySearch(src.lines, offset+1); found || at < len(src.lines) {
		return src.lines[at]
	}
	return len(src.text)
}

// regexpNext reports whether a slash behind the last token begins a regular
// expression.
func (src *source) regexpNext() bool {
	if len(src.tokens) == 0 {
		return true
	}
	switch t := src.tokens[len(src.tokens)-1]; t.text {
	case "]":
		return false
	case "}":
		return true // of a block; to divide an object literal makes no sense
	case ")":
		if head := src.parens[len(src.parens)-1] - 1; head >= 0 {
			switch src.tokens[head].text {
			case "if", "while", "for", "with":
				return true
			}
		}
		return false
	case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield":
		return true
	default:
		return !(js.IsIdentifier(t.kind) || js.IsNumeric(t.kind) || t.kind == js.StringToken || t.kind == js.TemplateToken ||
			t.kind == js.TemplateEndToken || t.kind == js.PrivateIdentifierToken || t.kind == js.RegExpToken || js.IsReservedWord(t.kind))
	}
}

func (src *source) matchBrackets() {
	var open []int
	for i, t := range src.tokens {
		switch t.text {
		case "(", "[", "{":
			if t.kind != js.StringToken {
				open = append(open, i)
			}
		case ")", "]", "}":
			if len(open) > 0 {
				o := open[len(open)-1]
				open = open[:len(open)-1]
				src.tokens[o].match, src.tokens[i].match = i, o
			}
		}
	}
}

// nameFunctions notes for every token the function it stands in.
func (src *source) nameFunctions() {
	type scope struct {
		end  int
		name string
	}
	var scopes []scope
	for i := range src.tokens {
		for len(scopes) > 0 && i > scopes[len(scopes)-1].end {
			scopes = scopes[:len(scopes)-1]
		}
		if len(scopes) > 0 {
			src.tokens[i].within = scopes[len(scopes)-1].name
		}
		t := src.tokens[i]
		if t.text == "=>" && i+1 < len(src.tokens) && src.tokens[i+1].text != "{" {
			if name, ok := src.functionBefore(i + 1); ok {
				scopes = append(scopes, scope{src.expressionEnd(i + 1), name})
			}
			continue
		}
		if t.text != "{" || t.match < 0 || i == 0 {
			continue
		}
		if name, ok := src.functionBefore(i); ok {
			scopes = append(scopes, scope{t.match, name})
		}
	}
}

// expressionEnd returns the last token of the expression that begins at i.
// Where a statement ends without a semicolon is told by a line that begins with
// a word behind something that may end an expression.
func (src *source) expressionEnd(i int) int {
	for k := i; k < len(src.tokens); k++ {
		t := src.tokens[k]
		switch t.text {
		case ",", ";", ")", "]", "}":
			return k - 1
		case "(", "[", "{":
			if t.match > k {
				k = t.match
			}
		default:
			if k > i && js.IsIdentifierName(t.kind) && t.text != "in" && t.text != "instanceof" && src.mayEnd(k-1) &&
				bytes.IndexByte(src.text[src.tokens[k-1].offset:t.offset], '\n') >= 0 {
				return k - 1
			}
		}
	}
	return len(src.tokens) - 1
}

// mayEnd reports whether an expression may end with token i.
func (src *source) mayEnd(i int) bool {
	switch t := src.tokens[i]; t.text {
	case ")", "]", "}", "this", "null", "true", "false":
		return true
	default:
		return js.IsIdentifier(t.kind) || js.IsNumeric(t.kind) || t.kind == js.StringToken || t.kind == js.TemplateToken || t.kind == js.TemplateEndToken
	}
}

// functionBefore returns the name of the function whose body opens at i.
func (src *source) functionBefore(i int) (string, bool) {
	at := func(k int) string {
		if k < 0 || k >= len(src.tokens) {
			return ""
		}
		return src.tokens[k].text
	}
	k := i - 1
	arrow := at(k) == "=>"
	if arrow {
		k--
	}
	if at(k) == ")" {
		if k = src.tokens[k].match; k < 0 {
			return "", false
		}
		k--
	} else if !arrow {
		return "", false
	} else {
		k-- // x => {
	}
	if arrow {
		if at(k) == "async" {
			k--
		}
		if at(k) == "=" || at(k) == ":" {
			return at(k - 1), true
		}
		return "(anonymous)", true
	}
	switch name := at(k); name {
	case "if", "for", "while", "switch", "catch", "with", "await":
		return "", false
	case "function", "*":
		if at(k-1) == "=" || at(k-1) == ":" {
			return at(k - 2), true
		}
		return "(anonymous)", true
	case "":
		return "", false
	default:
		if t := src.tokens[k]; js.IsIdentifierName(t.kind) || t.kind == js.PrivateIdentifierToken || t.text == "]" {
			return name, true
		}
	}
	return "", false
}

// location returns where token i stands.
func (src *source) location(script string, i int, role string) Location {
	t := src.tokens[i]
	line, _ := slices.BinarySearch(src.lines, t.offset+1)
	return Location{Function: t.within, File: script, Line: line, Column: t.offset - src.lines[line-1] + 1, Role: role}
}

// line returns the text of a line, or "".
func (src *source) line(n int) string {
	if n < 1 || n > len(src.lines) {
		return ""
	}
	end := len(src.text)
	if n < len(src.lines) {
		end = src.lines[n] - 1
	}
	return strings.TrimRight(string(src.text[src.lines[n-1]:end]), " \t\r\n")
}

// addCode turns to the line that a person wrote and fills in its text.
func (p *Pass) addCode(l *Location) {
	const tooLong = 400 // a minified line helps nobody
	src := p.original(l)
	if src == nil && l.Compiled == "" {
		src = p.file(l.File)
	}
	if src != nil {
		if text := src.line(l.Line); len(text) <= tooLong {
			l.Code = text
		}
	}
}

// offset returns the offset of a 1-based line and column.
func (src *source) offset(line, column int) int {
	if line < 1 || line > len(src.lines) {
		return -1
	}
	return src.lines[line-1] + column - 1
}

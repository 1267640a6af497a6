package eventloop

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// source is a script as tokens, without white space and comments: what a line
// does is read from them, so that comments and strings do not count as code.
type source struct {
	text   []byte
	lines  []int // offset of each line's first byte
	tokens []token
	names  []int // of functions; see defined
}

type token struct {
	kind   js.TokenType
	text   string
	offset int
	match  int // of a bracket: index of its partner, -1 without
}

func newSource(text []byte) *source {
	src := &source{text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			src.lines = append(src.lines, i+1)
		}
	}
	all := string(text)
	offset := 0
	if bytes.HasPrefix(text, []byte("#!")) {
		offset = src.lineAfter(0)
	}
	lex := js.NewLexer(parse.NewInputBytes(bytes.Clone(text[offset:]))) // it works in place
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
			src.tokens = append(src.tokens, token{kind, all[offset : offset+len(data)], offset, -1})
		}
		offset += len(data)
	}
	var open []int
	for i, t := range src.tokens {
		switch t.text {
		case "(", "[", "{":
			open = append(open, i)
		case ")", "]", "}":
			if len(open) > 0 {
				o := open[len(open)-1]
				open = open[:len(open)-1]
				src.tokens[o].match, src.tokens[i].match = i, o
			}
		}
	}
	return src
}

func (src *source) lineAfter(offset int) int {
	if at, found := slices.BinarySearch(src.lines, offset+1); found || at < len(src.lines) {
		return src.lines[at]
	}
	return len(src.text)
}

// regexpNext reports whether a slash behind the last token begins a regular
// expression and does not divide.
func (src *source) regexpNext() bool {
	if len(src.tokens) == 0 {
		return true
	}
	t := src.tokens[len(src.tokens)-1]
	switch t.text {
	case ")", "]":
		return false
	case "}":
		return true
	case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield":
		return true
	}
	return !(js.IsIdentifier(t.kind) || js.IsNumeric(t.kind) || t.kind == js.StringToken || t.kind == js.TemplateToken ||
		t.kind == js.TemplateEndToken || t.kind == js.PrivateIdentifierToken || t.kind == js.RegExpToken || js.IsReservedWord(t.kind))
}

// at is the text of token i, "" outside.
func (src *source) at(i int) string {
	if i < 0 || i >= len(src.tokens) {
		return ""
	}
	return src.tokens[i].text
}

func (src *source) isName(i int) bool {
	return i >= 0 && i < len(src.tokens) && js.IsIdentifierName(src.tokens[i].kind)
}

// lineOf is the 1-based line of token i.
func (src *source) lineOf(i int) int {
	line, _ := slices.BinarySearch(src.lines, src.tokens[i].offset+1)
	return line
}

// column is the 1-based column of token i.
func (src *source) column(i int) int { return src.tokens[i].offset - src.lines[src.lineOf(i)-1] + 1 }

// first is the first token at or behind an offset.
func (src *source) first(offset int) int {
	i, _ := slices.BinarySearchFunc(src.tokens, offset, func(t token, o int) int { return t.offset - o })
	return i
}

// onLine returns the tokens of a 1-based line: from, and the one behind the last.
func (src *source) onLine(line int) (from, to int) {
	if line < 1 || line > len(src.lines) {
		return 0, 0
	}
	end := len(src.text)
	if line < len(src.lines) {
		end = src.lines[line]
	}
	return src.first(src.lines[line-1]), src.first(end)
}

// line is the text of a line.
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

// function is a function's extent in tokens.
type function struct {
	head  int // where its parameters begin
	body  int // first token of the body, behind the brace if it has one
	end   int // behind the last
	async bool
}

// functionAt finds the function that V8 places at a 0-based line and column:
// at the parenthesis of its parameters, or the parameter of an arrow function.
// The code of a whole script or module is at its beginning.
func (src *source) functionAt(line, column int) (function, bool) {
	if line < 0 || line >= len(src.lines) || len(src.tokens) == 0 {
		return function{}, false
	}
	offset := src.lines[line] + max(column, 0)
	i := src.first(offset)
	whole := function{end: len(src.tokens)}
	if i >= len(src.tokens) {
		return whole, true
	}
	f := function{head: i}
	k := i
	if src.at(k) == "async" {
		f.async = true
		k++
	}
	for j := k - 1; j >= 0 && j >= k-4; j-- { // async function* name (
		switch t := src.at(j); {
		case t == "async":
			f.async = true
		case t == "function", t == "*", src.isName(j):
			continue
		}
		break
	}
	switch {
	case src.at(k) == "class":
		return whole, false
	case src.at(k) == "(" && src.tokens[k].match > 0:
		k = src.tokens[k].match + 1
	case src.isName(k):
		k++
	default:
		return whole, true
	}
	if src.at(k) == "=>" {
		k++
	} else if src.at(k) != "{" {
		return whole, true // top-level code begins with a name or a call
	}
	if src.at(k) == "{" && src.tokens[k].match > 0 {
		f.body, f.end = k+1, src.tokens[k].match
		return f, true
	}
	f.body = k
	for f.end = k; f.end < len(src.tokens); f.end++ {
		t := src.tokens[f.end]
		switch t.text {
		case "(", "[", "{":
			if t.match > 0 {
				f.end = t.match
			}
			continue
		case ")", "]", "}", ",", ";":
			return f, true
		}
	}
	return f, true
}

// calls lists where, between two tokens, a function of that name is called: the
// index of its name. It sees x.name(, name(, name?.( and new name(.
func (src *source) calls(from, to int, name string) []int {
	var found []int
	for i := max(from, 0); i < to && i < len(src.tokens); i++ {
		if src.at(i) != name || !src.isName(i) {
			continue
		}
		next := src.at(i + 1)
		if next == "(" || next == "?." || strings.HasPrefix(next, "`") || src.tokens[i].kind == js.TemplateStartToken {
			if p := src.at(i - 1); p != "function" && p != "async" {
				found = append(found, i)
			}
		}
	}
	return found
}

// mentions reports whether a name stands between two tokens.
func (src *source) mentions(from, to int, name string) bool {
	for i := max(from, 0); i < to && i < len(src.tokens); i++ {
		if src.at(i) == name {
			return true
		}
	}
	return false
}

// loopAround returns the head of the innermost loop between from and to whose
// body has token i: the index of for or while, -1 if there is none.
func (src *source) loopAround(f function, i int) int {
	found := -1
	for k := f.body; k < i; k++ {
		switch src.at(k) {
		case "for", "while":
		default:
			continue
		}
		if src.at(k-1) == "." {
			continue
		}
		open := k + 1
		if src.at(open) == "await" {
			open++
		}
		if src.at(open) != "(" || src.tokens[open].match < 0 {
			continue
		}
		end := src.tokens[open].match
		body := end + 1
		if src.at(body) == "{" && src.tokens[body].match > 0 {
			end = src.tokens[body].match
		} else { // one statement
			for end = body; end < f.end && src.at(end) != ";"; end++ {
				if m := src.tokens[end].match; m > end {
					end = m
				}
			}
		}
		if open < i && i <= end {
			found = k
		}
	}
	return found
}

// declared reports whether a name is declared inside the function, as a
// parameter or a variable.
func (src *source) declared(f function, name string) bool {
	for i := f.head; i < f.end && i < len(src.tokens); i++ {
		if src.at(i) != name || !src.isName(i) {
			continue
		}
		if i < f.body {
			return true
		}
		switch src.at(i - 1) {
		case "const", "let", "var", "function", "class":
			return true
		case ",", "{", "[", ":":
			// Of a list that begins with const: walk back over it.
			for k := i - 1; k > f.body; k-- {
				switch t := src.at(k); t {
				case "const", "let", "var":
					return true
				case ";", "(", ")", "=>", "return":
					k = 0
				}
			}
		}
	}
	return false
}

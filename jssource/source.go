// Package jssource reads JavaScript as tokens, so that what stands in comments,
// strings and regular expressions is not taken for code, and answers what one
// asks of a place in a script: which function and loop is it in, what is called
// there, where does the function that V8 has placed at a line and column end.
//
// It is no parser: scripts that it does not understand cost a line, not the
// file, and everything in it works on half a script.
package jssource

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// Source is a script as tokens, with white space and comments left out. Lines
// and columns are 1-based, columns count UTF-16 units, as V8 and source maps do;
// offsets count bytes.
type Source struct {
	Text   []byte
	Tokens []Token
	lines  []int  // offset of each line's first byte
	wide   []wide // in order of offsets
	parens []int  // see push
	bound  map[string]Binding
}

// Token is a word, a literal or a sign.
type Token struct {
	kind   js.TokenType
	Text   string
	Offset int    // in the script
	Match  int    // of a bracket: index of its partner, -1 without
	Within string // name of the function around it; see Source.FunctionBefore
}

// IsName reports whether a token is a word: a name or a keyword.
func (t Token) IsName() bool { return js.IsIdentifierName(t.kind) }

// IsPrivate reports whether a token is the name of a private field: #list.
func (t Token) IsPrivate() bool { return t.kind == js.PrivateIdentifierToken }

// IsString reports whether a token is a string literal, with its quotes.
func (t Token) IsString() bool { return t.kind == js.StringToken }

// IsRegExp reports whether a token is the literal of a regular expression.
func (t Token) IsRegExp() bool { return t.kind == js.RegExpToken }

// Lines returns a text without its tokens, of whatever language it is.
func Lines(text []byte) *Source {
	s := &Source{Text: text, lines: []int{0}}
	extra := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n':
			s.lines = append(s.lines, i+1)
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(text[i:])
			if units := utf16.RuneLen(r); n > units {
				extra += n - units
				s.wide = append(s.wide, wide{i + n, extra})
			}
			i += n - 1
		}
	}
	return s
}

// wide is a character that has more bytes than UTF-16 units: where it ends, and
// how many more bytes there are up to there.
type wide struct{ end, extra int }

// units counts the UTF-16 units before an offset.
func (s *Source) units(offset int) int {
	i, found := slices.BinarySearchFunc(s.wide, offset, func(w wide, o int) int { return w.end - o })
	if found {
		i++
	}
	if i == 0 {
		return offset
	}
	return offset - s.wide[i-1].extra
}

// offsetOf is the opposite of units.
func (s *Source) offsetOf(units int) int {
	i, found := slices.BinarySearchFunc(s.wide, units, func(w wide, u int) int { return w.end - w.extra - u })
	if found {
		i++
	}
	if i == 0 {
		return units
	}
	return units + s.wide[i-1].extra
}

// Tokenize reads a script. It never fails: what cannot be read is left out.
func Tokenize(text []byte) *Source {
	s := Lines(text)
	// Tokens share the memory of one string, and there is about one in six bytes.
	all := string(text)
	s.Tokens = make([]Token, 0, len(text)/6)
	// The lexer works in place and cannot tell a division from a regular
	// expression: what stands before decides.
	offset := 0
	if bytes.HasPrefix(text, []byte("#!")) {
		offset = s.lineAfter(0)
	}
	lex := js.NewLexer(parse.NewInputBytes(bytes.Clone(text[offset:])))
	for offset < len(text) {
		kind, data := lex.Next()
		if (kind == js.DivToken || kind == js.DivEqToken) && s.regexpNext() {
			kind, data = lex.RegExp()
		}
		if kind == js.ErrorToken {
			// What cannot be read costs a line and not the file.
			offset = s.lineAfter(offset)
			lex = js.NewLexer(parse.NewInputBytes(bytes.Clone(text[offset:])))
			continue
		}
		switch kind {
		case js.WhitespaceToken, js.LineTerminatorToken, js.CommentToken, js.CommentLineTerminatorToken:
		default:
			s.push(Token{kind: kind, Text: all[offset : offset+len(data)], Offset: offset, Match: -1})
		}
		offset += len(data)
	}
	s.matchBrackets()
	s.nameFunctions()
	return s
}

// push adds a token. Of parentheses it keeps in parens those that are open and,
// on top, the one that was closed last: whether a slash behind it divides, the
// word before it tells.
func (s *Source) push(t Token) {
	if n := len(s.Tokens); n > 0 && s.Tokens[n-1].Text == ")" && len(s.parens) > 0 {
		s.parens = s.parens[:len(s.parens)-1]
	}
	if t.Text == "(" {
		s.parens = append(s.parens, len(s.Tokens))
	}
	if t.Text == ")" && len(s.parens) == 0 {
		s.parens = append(s.parens, -1) // closes nothing
	}
	s.Tokens = append(s.Tokens, t)
}

// lineAfter returns the offset of the line behind the one that offset is in.
func (s *Source) lineAfter(offset int) int {
	if at, found := slices.BinarySearch(s.lines, offset+1); found || at < len(s.lines) {
		return s.lines[at]
	}
	return len(s.Text)
}

// regexpNext reports whether a slash behind the last token begins a regular
// expression.
func (s *Source) regexpNext() bool {
	if len(s.Tokens) == 0 {
		return true
	}
	switch t := s.Tokens[len(s.Tokens)-1]; t.Text {
	case "]":
		return false
	case "}":
		return true // of a block; to divide an object literal makes no sense
	case ")":
		if head := s.parens[len(s.parens)-1] - 1; head >= 0 {
			switch s.Tokens[head].Text {
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

func (s *Source) matchBrackets() {
	var open []int
	for i, t := range s.Tokens {
		switch t.Text {
		case "(", "[", "{":
			if t.kind != js.StringToken {
				open = append(open, i)
			}
		case ")", "]", "}":
			if len(open) > 0 {
				o := open[len(open)-1]
				open = open[:len(open)-1]
				s.Tokens[o].Match, s.Tokens[i].Match = i, o
			}
		}
	}
}

// At is the text of token i, "" outside.
func (s *Source) At(i int) string {
	if i < 0 || i >= len(s.Tokens) {
		return ""
	}
	return s.Tokens[i].Text
}

// IsName reports whether token i is a word, as [Token.IsName] does; false outside.
func (s *Source) IsName(i int) bool {
	return i >= 0 && i < len(s.Tokens) && s.Tokens[i].IsName()
}

// Line returns the text of a line, or "".
func (s *Source) Line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.Text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return strings.TrimRight(string(s.Text[s.lines[n-1]:end]), " \t\r\n")
}

// Word is the name that begins at a place, "" if none does or it is a keyword.
// It asks no tokens.
func (s *Source) Word(line, column int) string {
	from := s.Offset(line, column)
	if from < 0 || from >= len(s.Text) {
		return ""
	}
	text := s.Text[from:]
	end := bytes.IndexFunc(text, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(text)
	}
	if _, keyword := js.Keywords[string(text[:end])]; keyword {
		return ""
	}
	return string(text[:end])
}

// LineOf is the line of token i.
func (s *Source) LineOf(i int) int {
	line, _ := slices.BinarySearch(s.lines, s.Tokens[i].Offset+1)
	return line
}

// Column is the column of token i.
func (s *Source) Column(i int) int {
	return s.units(s.Tokens[i].Offset) - s.units(s.lines[s.LineOf(i)-1]) + 1
}

// Place is where token i stands.
func (s *Source) Place(i int) (line, column int) { return s.LineOf(i), s.Column(i) }

// Offset is that of a line and column, -1 if there is no such line.
func (s *Source) Offset(line, column int) int {
	if line < 1 || line > len(s.lines) {
		return -1
	}
	return s.offsetOf(s.units(s.lines[line-1]) + column - 1)
}

// First is the first token at or behind an offset.
func (s *Source) First(offset int) int {
	i, _ := slices.BinarySearchFunc(s.Tokens, offset, func(t Token, o int) int { return t.Offset - o })
	return i
}

// OnLine returns the tokens of a line: from, and the one behind the last.
func (s *Source) OnLine(line int) (from, to int) {
	if line < 1 || line > len(s.lines) {
		return 0, 0
	}
	end := len(s.Text)
	if line < len(s.lines) {
		end = s.lines[line]
	}
	return s.First(s.lines[line-1]), s.First(end)
}

// Mentions reports whether a name stands between two tokens.
func (s *Source) Mentions(from, to int, name string) bool {
	for i := max(from, 0); i < to && i < len(s.Tokens); i++ {
		if s.At(i) == name {
			return true
		}
	}
	return false
}

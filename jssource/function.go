package jssource

import (
	"bytes"
	"strings"

	"github.com/tdewolff/parse/v2/js"
)

// Function is a function's extent in tokens.
type Function struct {
	Head  int // where its parameters begin
	Body  int // first token of the body, behind the brace if it has one
	End   int // behind the last
	Async bool
}

// nameFunctions notes for every token the function it stands in.
func (s *Source) nameFunctions() {
	type scope struct {
		end  int
		name string
	}
	var scopes []scope
	for i := range s.Tokens {
		for len(scopes) > 0 && i > scopes[len(scopes)-1].end {
			scopes = scopes[:len(scopes)-1]
		}
		if len(scopes) > 0 {
			s.Tokens[i].Within = scopes[len(scopes)-1].name
		}
		t := s.Tokens[i]
		if t.Text == "=>" && i+1 < len(s.Tokens) && s.Tokens[i+1].Text != "{" {
			if name, ok := s.FunctionBefore(i + 1); ok {
				scopes = append(scopes, scope{s.expressionEnd(i + 1), name})
			}
			continue
		}
		if t.Text != "{" || t.Match < 0 || i == 0 {
			continue
		}
		if name, ok := s.FunctionBefore(i); ok {
			scopes = append(scopes, scope{t.Match, name})
		}
	}
}

// expressionEnd returns the last token of the expression that begins at i.
// Where a statement ends without a semicolon is told by a line that begins with
// a word behind something that may end an expression.
func (s *Source) expressionEnd(i int) int {
	for k := i; k < len(s.Tokens); k++ {
		t := s.Tokens[k]
		switch t.Text {
		case ",", ";", ")", "]", "}":
			return k - 1
		case "(", "[", "{":
			if t.Match > k {
				k = t.Match
			}
		default:
			if k > i && js.IsIdentifierName(t.kind) && t.Text != "in" && t.Text != "instanceof" && s.mayEnd(k-1) &&
				bytes.IndexByte(s.Text[s.Tokens[k-1].Offset:t.Offset], '\n') >= 0 {
				return k - 1
			}
		}
	}
	return len(s.Tokens) - 1
}

// mayEnd reports whether an expression may end with token i.
func (s *Source) mayEnd(i int) bool {
	switch t := s.Tokens[i]; t.Text {
	case ")", "]", "}", "this", "null", "true", "false":
		return true
	default:
		return js.IsIdentifier(t.kind) || js.IsNumeric(t.kind) || t.kind == js.StringToken || t.kind == js.TemplateToken || t.kind == js.TemplateEndToken
	}
}

// FunctionBefore returns the name of the function whose body opens at i.
func (s *Source) FunctionBefore(i int) (string, bool) {
	at := func(k int) string {
		if k < 0 || k >= len(s.Tokens) {
			return ""
		}
		return s.Tokens[k].Text
	}
	k := i - 1
	arrow := at(k) == "=>"
	if arrow {
		k--
	}
	if at(k) == ")" {
		if k = s.Tokens[k].Match; k < 0 {
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
		if t := s.Tokens[k]; js.IsIdentifierName(t.kind) || t.kind == js.PrivateIdentifierToken || t.Text == "]" {
			return name, true
		}
	}
	return "", false
}

// FunctionAt finds the function that V8 places at a 0-based line and column:
// at the parenthesis of its parameters, or the parameter of an arrow function.
// The code of a whole script or module is at its beginning.
func (s *Source) FunctionAt(line, column int) (Function, bool) {
	if line < 0 || line >= len(s.lines) || len(s.Tokens) == 0 {
		return Function{}, false
	}
	return s.FunctionFrom(s.First(s.Offset(line+1, max(column, 0)+1)))
}

// FunctionFrom is FunctionAt by the token that stands there.
func (s *Source) FunctionFrom(i int) (Function, bool) {
	whole := Function{End: len(s.Tokens)}
	if i >= len(s.Tokens) {
		return whole, true
	}
	f := Function{Head: i}
	k := i
	if s.At(k) == "async" {
		f.Async = true
		k++
	}
	for j := k - 1; j >= 0 && j >= k-4; j-- { // async function* name (
		switch t := s.At(j); {
		case t == "async":
			f.Async = true
		case t == "function", t == "*", s.IsName(j):
			continue
		}
		break
	}
	switch {
	case s.At(k) == "class":
		return whole, false
	case s.At(k) == "(" && s.Tokens[k].Match > 0:
		k = s.Tokens[k].Match + 1
	case s.IsName(k):
		k++
	default:
		return whole, true
	}
	if s.At(k) == "=>" {
		k++
	} else if s.At(k) != "{" {
		return whole, true // top-level code begins with a name or a call
	}
	if s.At(k) == "{" && s.Tokens[k].Match > 0 {
		f.Body, f.End = k+1, s.Tokens[k].Match
		return f, true
	}
	f.Body = k
	for f.End = k; f.End < len(s.Tokens); f.End++ {
		t := s.Tokens[f.End]
		switch t.Text {
		case "(", "[", "{":
			if t.Match > 0 {
				f.End = t.Match
			}
			continue
		case ")", "]", "}", ",", ";":
			return f, true
		}
	}
	return f, true
}

// longLine is how long a line is that nobody has written.
const longLine = 400

// Running lists the tokens of a line that a function may be running there: its
// own, and those of functions inside it that may have been inlined, but for
// minified lines, which have too many of those. A line outside of the function
// is one of a function that was inlined.
func (s *Source) Running(f Function, line int) []int {
	from, to := s.OnLine(line)
	if from >= to {
		return nil
	}
	long := s.Tokens[to-1].Offset-s.Tokens[from].Offset >= longLine
	if to > f.Head && from < f.End {
		from, to = max(from, f.Head), min(to, f.End)
	}
	var own []int
	for i := from; i < to; i++ {
		own = append(own, i)
		if !long {
			continue
		}
		if inner, end := s.bodyAt(i); inner && i >= f.Body && i+1 != f.Body {
			i = max(i, min(end, to)-1)
		}
	}
	return own
}

// bodyAt reports whether a function's body begins behind token i, and where that
// ends.
func (s *Source) bodyAt(i int) (ok bool, end int) {
	switch t := s.Tokens[i]; {
	case t.Text == "{" && t.Match > i && i > 0:
		_, ok = s.FunctionBefore(i)
		return ok, t.Match
	case t.Text == "=>" && s.At(i+1) != "{":
		return true, s.expressionEnd(i+1) + 1
	}
	return false, 0
}

// Enclosing returns the innermost function around token i, or the whole script.
func (s *Source) Enclosing(i int) (Function, bool) {
	best, found := Function{End: len(s.Tokens)}, false
	depth := i
	for k := i - 1; k >= 0; k-- {
		t := s.Tokens[k]
		if t.Text != "{" || t.Match < depth {
			continue
		}
		head := -1
		switch {
		case s.At(k-1) == ")" && s.Tokens[k-1].Match >= 0:
			head = s.Tokens[k-1].Match
			switch s.At(head - 1) {
			case "if", "for", "while", "switch", "catch", "with", "await":
				continue
			}
		case s.At(k-1) == "=>" && s.At(k-2) == ")" && s.Tokens[k-2].Match >= 0:
			head = s.Tokens[k-2].Match
		case s.At(k-1) == "=>":
			head = k - 2
		default:
			continue
		}
		best, found = Function{Head: head, Body: k + 1, End: t.Match}, true
		break
	}
	return best, found
}

// NameOf is the token of the name that a function is declared or assigned by, -1
// if it has none.
func (s *Source) NameOf(f Function) int {
	k := f.Head - 1
	if s.At(k) == "async" {
		k--
	}
	if s.At(k) == "*" {
		k--
	}
	if s.At(k) == "function" {
		k--
		if s.At(k) == "async" {
			k--
		}
		if t := s.At(k); t != "=" && t != ":" {
			return -1
		}
	}
	switch {
	case s.At(k) == "=" || s.At(k) == ":":
		k--
	case !s.IsName(k) || keywords[s.At(k)]:
		return -1
	}
	if !s.IsName(k) && !(k >= 0 && s.Tokens[k].IsPrivate()) {
		return -1
	}
	return k
}

// keywords may stand before a parenthesis that is no function's.
var keywords = map[string]bool{"if": true, "for": true, "while": true, "switch": true, "return": true, "catch": true, "with": true}

// FunctionName is the name that a function is declared or assigned by.
func (s *Source) FunctionName(f Function) string {
	if k := s.NameOf(f); k >= 0 {
		return s.At(k)
	}
	return "(anonymous)"
}

// Calls lists where, between two tokens, a function of that name is called: the
// index of its name. It sees x.name(, name(, name?.(, new name( and what compilers
// make of imports: (0, x.name)(.
func (s *Source) Calls(from, to int, name string) []int {
	var found []int
	for i := max(from, 0); i < to && i < len(s.Tokens); i++ {
		if s.At(i) != name || !s.IsName(i) {
			continue
		}
		next := s.At(i + 1)
		if next == ")" && s.At(i+2) == "(" && s.At(s.Tokens[i+1].Match+1) == "0" && s.At(s.Tokens[i+1].Match+2) == "," {
			next = "("
		}
		if next == "(" || next == "?." || strings.HasPrefix(next, "`") || s.Tokens[i].kind == js.TemplateStartToken {
			if p := s.At(i - 1); p != "function" && p != "async" {
				found = append(found, i)
			}
		}
	}
	return found
}

// Declared reports whether a name is declared inside the function, as a
// parameter or a variable.
func (s *Source) Declared(f Function, name string) bool {
	for i := f.Head; i < f.End && i < len(s.Tokens); i++ {
		if s.At(i) != name || !s.IsName(i) {
			continue
		}
		if i < f.Body {
			return true
		}
		switch s.At(i - 1) {
		case "const", "let", "var", "function", "class":
			return true
		case ",", "{", "[", ":":
			// Of a list that begins with const: walk back over it.
			for k := i - 1; k > f.Body; k-- {
				switch t := s.At(k); t {
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

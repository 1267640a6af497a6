package jssource

import (
	"slices"
	"strings"
	"testing"
)

func texts(s *Source) string {
	var all []string
	for _, t := range s.Tokens {
		all = append(all, t.Text)
	}
	return strings.Join(all, " ")
}

// A token's text, offset and the function around it.
func TestTokenize(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"one behind a condition", "if (x) /a'b/.test(s); y()", "if ( x ) /a'b/ . test ( s ) ; y ( )"},
		{"one behind a block", "if (x) { f() }\n/a'b/.test(s); y()", "if ( x ) { f ( ) } /a'b/ . test ( s ) ; y ( )"},
		{"hashbang", "#!/usr/bin/env node\nf()", "f ( )"},
		{"division", "a = b / c / d; x(1) / 2; y[0] / z", "a = b / c / d ; x ( 1 ) / 2 ; y [ 0 ] / z"},
		{"regular expressions", "a = /b'c/; f(/[/(]/g); return /}/.test(x)", "a = /b'c/ ; f ( /[/(]/g ) ; return /}/ . test ( x )"},
		{"one behind an operator", "x = y && /a b/i || !/[\"]/.test(s)", `x = y && /a b/i || ! /["]/ . test ( s )`},
		{"one at the start of a statement", "f();\n/a'b/.test(s); y()", "f ( ) ; /a'b/ . test ( s ) ; y ( )"},
		{"division by a name", "this / a / b", "this / a / b"},
		{"division of postfix", "i++ / 2 / 3", "i ++ / 2 / 3"},
		{"comments", "a(); // b()\nc(); /* d() \n */ e() // f", "a ( ) ; c ( ) ; e ( )"},
		{"strings", `a("b(\"c"); d('//e')`, `a ( "b(\"c" ) ; d ( '//e' )`},
		{"template without braces", "a(`b(c`)", "a ( `b(c` )"},
		{"template with nested braces", "a(`x${b({c: `y${d}`})}z`); e()", "a ( `x${ b ( { c : `y${ d }` } ) }z` ) ; e ( )"},
		{"private fields", "class A { #x = 1; m() { this.#x.push(2) } }", "class A { #x = 1 ; m ( ) { this . #x . push ( 2 ) } }"},
		{"optional chaining", "a?.b?.[c]?.(d)", "a ?. b ?. [ c ] ?. ( d )"},
		{"a number is no division", "a = 1_000 / 2; b = .5 / c", "a = 1_000 / 2 ; b = .5 / c"},
		{"unicode", "const größe = 'ß'; größe.push(1)", "const größe = 'ß' ; größe . push ( 1 )"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Tokenize([]byte(test.text))
			if got := texts(s); got != test.want {
				t.Errorf("Tokenize(%q) =\n%s\nwant\n%s", test.text, got, test.want)
			}
			checkSource(t, s)
		})
	}
}

// checkSource: offsets are where the text is, brackets match in pairs.
func checkSource(t *testing.T, s *Source) {
	t.Helper()
	end := 0
	for i, tok := range s.Tokens {
		if tok.Offset < end || tok.Offset+len(tok.Text) > len(s.Text) || string(s.Text[tok.Offset:tok.Offset+len(tok.Text)]) != tok.Text {
			t.Fatalf("token %d %q has offset %d", i, tok.Text, tok.Offset)
		}
		end = tok.Offset + len(tok.Text)
		if m := tok.Match; m >= 0 && (m >= len(s.Tokens) || m == i || s.Tokens[m].Match != i) {
			t.Fatalf("token %d %q matches %d, which does not match it", i, tok.Text, m)
		}
		if tok.Match < -1 {
			t.Fatalf("token %d matches %d", i, tok.Match)
		}
	}
}

// The function around a place marked HERE.
func TestNameFunctions(t *testing.T) {
	tests := []struct{ text, want string }{
		{"HERE()", ""},
		{"function f() { HERE() }", "f"},
		{"async function f() { HERE() }", "f"},
		{"function* f() { HERE() }", "f"},
		{"const f = function () { HERE() }", "f"},
		{"const f = () => { HERE() }", "f"},
		{"const f = async (a, b) => { HERE() }", "f"},
		{"const f = async a => { HERE() }", "f"},
		{"on('x', () => { HERE() })", "(anonymous)"},
		{"on('x', function () { HERE() })", "(anonymous)"},
		{"on('x', function named() { HERE() })", "named"},
		{"const o = { f() { HERE() } }", "f"},
		{"const o = { f: () => { HERE() } }", "f"},
		{"const o = { async f() { HERE() } }", "f"},
		{"class A { f() { HERE() } }", "f"},
		{"class A { static async f() { HERE() } }", "f"},
		{"class A { #f() { HERE() } }", "#f"},
		{"class A { get f() { HERE() } }", "f"},
		{"class A { constructor() { HERE() } }", "constructor"},
		{"class A { x = HERE() }", ""},
		{"function f() { if (a) { HERE() } }", "f"},
		{"function f() { for (const a of b) { while (c) { HERE() } } }", "f"},
		{"function f() { try { a() } catch (e) { HERE() } }", "f"},
		{"function f() { switch (a) { default: { HERE() } } }", "f"},
		{"function f() { return { a: HERE() } }", "f"},
		{"function f() { g() } HERE()", ""},
		{"function f() { const g = () => { g() }; HERE() }", "f"},
		{"function f(a = {}) { HERE() }", "f"},
		{"function f({ a, b }) { HERE() }", "f"},
		{"function f() { x = `${HERE()}` }", "f"},
	}
	for _, test := range tests {
		s := Tokenize([]byte(test.text))
		for _, tok := range s.Tokens {
			if tok.Text == "HERE" {
				if got := tok.Within; got != test.want {
					t.Errorf("the function around HERE in %s = %q, want %q", test.text, got, test.want)
				}
			}
		}
	}
}

func TestSourcePlaces(t *testing.T) {
	s := Tokenize([]byte("a();\n  b();\r\n\n/* c */ d();"))
	for _, want := range []struct {
		text         string
		line, column int
	}{{"a", 1, 1}, {"b", 2, 3}, {"d", 4, 9}} {
		for i, tok := range s.Tokens {
			if tok.Text != want.text {
				continue
			}
			line, column := s.Place(i)
			if line != want.line || column != want.column {
				t.Errorf("Place(%s) = %d:%d, want %d:%d", want.text, line, column, want.line, want.column)
			}
			if at := s.Offset(line, column); at != tok.Offset {
				t.Errorf("Offset(%d, %d) = %d, want %d", line, column, at, tok.Offset)
			}
		}
	}
	for n, want := range map[int]string{0: "", 1: "a();", 2: "b();", 3: "", 4: "/* c */ d();", 5: "", -1: ""} {
		if got := strings.TrimSpace(s.Line(n)); got != want {
			t.Errorf("Line(%d) = %q, want %q", n, got, want)
		}
	}
	s = Tokenize([]byte("f('größe', '😀', '日本'); g()\nh('é', x)"))
	for name, want := range map[string][2]int{"f": {1, 1}, "g": {1, 25}, "h": {2, 1}, "x": {2, 8}} {
		for i := range s.Tokens {
			if line, column := s.Place(i); s.At(i) == name && (line != want[0] || column != want[1] || s.First(s.Offset(line, column)) != i) {
				t.Errorf("Place(%s) = %d:%d, back to token %d; want %v and %d", name, line, column, s.First(s.Offset(line, column)), want, i)
			}
		}
	}
	if at := s.Offset(9, 1); at != -1 {
		t.Errorf("Offset(9, 1) = %d, want -1", at)
	}
}

// The function around a token, that of an arrow function without braces too.
func TestWithin(t *testing.T) {
	tests := []struct{ text, want string }{
		{"const f = (x) => here(x);\n", "f"},
		{"const f = (x) => a(x);\nhere();", ""},
		{"const f = (x) => a(x)\nhere()", ""},
		{"const f = (x) => x\n  .map(here)", "f"},
		{"const o = { f: (x) => a(x), g: here };", ""},
		{"const o = { f: (x) => here(x), g: 1 };", "f"},
		{"run((x) => here(x), 1)", "(anonymous)"},
		{"run((x) => a(x), here)", ""},
		{"const f = (x) => ({ a: [here] })", "f"},
		{"const f = (x) => a(x) ||\n  here(x)", "f"},
		{"const f = (x) => (y) => here", "(anonymous)"},
		{"function f() { g((x) => x); here() }", "f"},
	}
	for _, test := range tests {
		s := Tokenize([]byte(test.text))
		for _, tok := range s.Tokens {
			if tok.Text == "here" && tok.Within != test.want {
				t.Errorf("%q: here is within %q, want %q", test.text, tok.Within, test.want)
			}
		}
	}
}

const shop = `// JSON.parse( in a comment
const users = new Map(), list = [], HOST = /^(([a-z0-9]+-?)+\.)+$/;
async function total(port, articles) {
  let sum = 0;
  for (const article of articles) {
    sum += await price(port, article);
  }
  return sum;
}
const find = (id) => list.find((u) => u.id === id);
class Store {
  match(query) {
    const out = [];
    for (const item of this.items) {
      if (item.name === query) out.push(item);
    }
    return out.filter((x) => x.ok);
  }
}
function check(host) { return "a/b".length && HOST.test(host); }
const byName = (q) => users.values().toArray().filter(fits(q));
`

func TestFunctionAt(t *testing.T) {
	s := Tokenize([]byte(shop))
	for _, tt := range []struct {
		line, column int // 0-based, as V8 gives them
		first, last  string
	}{
		{2, 20, "let", ";"},   // total, at its parenthesis
		{9, 13, "list", ")"},  // the arrow function find
		{9, 31, "u", "id"},    // the one inside, at its parenthesis
		{11, 7, "const", ";"}, // the method
	} {
		f, ok := s.FunctionAt(tt.line, tt.column)
		if !ok || s.At(f.Body) != tt.first || s.At(f.End-1) != tt.last {
			t.Errorf("functionAt(%d, %d) = %q to %q, %v, want %q to %q", tt.line, tt.column, s.At(f.Body), s.At(f.End-1), ok, tt.first, tt.last)
		}
	}
	if f, _ := s.FunctionAt(0, 0); f.End != len(s.Tokens) {
		t.Errorf("the script's own code ends at token %d of %d", f.End, len(s.Tokens))
	}
}

func TestLinesAreReadWithoutComments(t *testing.T) {
	s := Tokenize([]byte(shop))
	if from, to := s.OnLine(1); from != to {
		t.Errorf("line 1 has tokens %d to %d, want none: it is a comment", from, to)
	}
	f, _ := s.FunctionAt(2, 20)
	calls := s.Calls(f.Body, f.End, "price")
	if len(calls) != 1 || s.LineOf(calls[0]) != 6 || s.Column(calls[0]) != 18 {
		t.Errorf("calls of price = %v", calls)
	}
	if loop := s.LoopAround(f, calls[0]); loop < 0 || s.LineOf(loop) != 5 {
		t.Errorf("loop around the call = token %d", loop)
	}
}

func TestUnreadableSourceCostsALine(t *testing.T) {
	s := Tokenize([]byte("const a = `unclosed\nfunction f() { return JSON.parse(x); }\n"))
	s.FunctionAt(1, 10)
	s = Tokenize([]byte(strings.Repeat("}])", 50) + "\nf(1)\n"))
	if calls := s.Calls(0, len(s.Tokens), "f"); len(calls) != 1 {
		t.Errorf("calls of f behind what cannot be read = %v", calls)
	}
}

// FuzzTokenize: whatever a script is, nothing panics, and tokens are where
// they say.
func FuzzTokenize(f *testing.F) {
	for _, text := range []string{
		"a = b / c; /[/]'/g.test(d)", "`a${b}c${`d${e}`}`", "function f(){", "}{)(", "x => {", "/*", "'a", "`${", "a?.[b] = c",
		"class A { #x; get [y]() {} }", "m.set(", "o[k", "\\u0061 = 1", "\x00\xff", "<!-- a", "#!", "=> {", ") {", "async => {", shop,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := Tokenize([]byte(text))
		checkSource(t, s)
		for i, tok := range s.Tokens {
			line, column := s.Place(i)
			if at := s.Offset(line, column); at != tok.Offset {
				t.Fatalf("Offset(%d, %d) = %d, want %d", line, column, at, tok.Offset)
			}
			if first := s.First(tok.Offset); first != i {
				t.Fatalf("First(%d) = %d, want %d", tok.Offset, first, i)
			}
			if from, to := s.OnLine(line); i < from || i >= to {
				t.Fatalf("OnLine(%d) = %d, %d without token %d that is on it", line, from, to, i)
			}
			s.Line(line)
			if i > 200 {
				continue // the rest looks around
			}
			if fn, ok := s.FunctionFrom(i); ok {
				if fn.Body > fn.End || fn.End > len(s.Tokens) {
					t.Fatalf("FunctionFrom(%d) = %+v of %d tokens", i, fn, len(s.Tokens))
				}
				s.LoopAround(fn, i)
				s.Declared(fn, tok.Text)
				s.FunctionName(fn)
				s.Running(fn, line)
				s.Running(fn, line+1)
			}
			s.Enclosing(i)
			s.LoopBody(i)
			s.Calls(0, i, tok.Text)
			s.Mentions(0, i, tok.Text)
		}
	})
}

func TestBindings(t *testing.T) {
	s := Tokenize([]byte(`const net = require('node:net');
const { connect: dial, Socket } = require("net");
import yaml from 'js-yaml';
import * as fs from 'fs';
import ts, { transpile as compile } from 'typescript';
const parse = require('csv-parse/sync').parse;
const qs_1 = __importDefault(require("qs"));
`))
	for name, want := range map[string]Binding{
		"net": {"net", ""}, "dial": {"net", "connect"}, "Socket": {"net", "Socket"}, "yaml": {"js-yaml", ""}, "fs": {"fs", ""},
		"ts": {"typescript", ""}, "compile": {"typescript", "transpile"}, "parse": {"csv-parse/sync", "parse"}, "qs_1": {"qs", ""},
	} {
		if got := s.Bindings()[name]; got != want {
			t.Errorf("Bindings()[%s] = %+v, want %+v", name, got, want)
		}
	}
	if len(s.Bindings()) != 9 {
		t.Errorf("Bindings() = %v", s.Bindings())
	}
}

func TestRunning(t *testing.T) {
	text := `const a = list.filter((u) => u.id === id); function f(x) { g(x) }
` + strings.Repeat("h();", 120) + `function k(){before(m=>{inner(m)});after()}`
	s := Tokenize([]byte(text))
	find := func(name string) int {
		return slices.IndexFunc(s.Tokens, func(tok Token) bool { return tok.Text == name })
	}
	words := func(head, line int) string {
		f, _ := s.FunctionFrom(head)
		var all []string
		for _, i := range s.Running(f, line) {
			all = append(all, s.At(i))
		}
		return strings.Join(all, "")
	}
	if got, want := words(find("f")+1, 1), "(x){g(x)"; got != want {
		t.Errorf("a function on one line with others runs %q, want %q", got, want)
	}
	if got, want := words(find("u")-1, 1), "(u)=>u.id===id"; got != want {
		t.Errorf("an arrow function runs %q, want %q", got, want)
	}
	if got, want := words(find("k")+1, 2), "(){before(m=>{});after()"; got != want {
		t.Errorf("a minified function runs %q, want %q", got, want)
	}
	if got := words(find("f")+1, 2); !strings.HasPrefix(got, "h();h();") {
		t.Errorf("the line of an inlined function = %.20q", got)
	}
}

func TestCallsOfCompiledImports(t *testing.T) {
	s := Tokenize([]byte("(0, pricing_1.quote)(day); (a.quote)(1); f(quote)(2); (0,quote)(3);"))
	if calls := s.Calls(0, len(s.Tokens), "quote"); len(calls) != 2 {
		t.Errorf("calls of quote = %v, want two", calls)
	}
}

func TestWord(t *testing.T) {
	s := Lines([]byte("next:function () {\n  größe = $a_1.b"))
	for _, tt := range []struct {
		line, column int
		want         string
	}{{1, 1, "next"}, {1, 6, ""}, {2, 3, "größe"}, {2, 11, "$a_1"}, {2, 9, ""}, {3, 1, ""}} {
		if got := s.Word(tt.line, tt.column); got != tt.want {
			t.Errorf("Word(%d, %d) = %q, want %q", tt.line, tt.column, got, tt.want)
		}
	}
}

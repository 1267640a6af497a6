package leak

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"heapsnap/diff"
)

func texts(src *source) string {
	var all []string
	for _, t := range src.tokens {
		all = append(all, t.text)
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
			src := tokenize([]byte(test.text))
			if got := texts(src); got != test.want {
				t.Errorf("tokenize(%q) =\n%s\nwant\n%s", test.text, got, test.want)
			}
			checkSource(t, src)
		})
	}
}

// checkSource: offsets are where the text is, brackets match in pairs.
func checkSource(t *testing.T, src *source) {
	t.Helper()
	end := 0
	for i, tok := range src.tokens {
		if tok.offset < end || tok.offset+len(tok.text) > len(src.text) || string(src.text[tok.offset:tok.offset+len(tok.text)]) != tok.text {
			t.Fatalf("token %d %q has offset %d", i, tok.text, tok.offset)
		}
		end = tok.offset + len(tok.text)
		if m := tok.match; m >= 0 && (m >= len(src.tokens) || m == i || src.tokens[m].match != i) {
			t.Fatalf("token %d %q matches %d, which does not match it", i, tok.text, m)
		}
		if tok.match < -1 {
			t.Fatalf("token %d matches %d", i, tok.match)
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
		src := tokenize([]byte(test.text))
		for i, tok := range src.tokens {
			if tok.text == "HERE" {
				if got := src.location("x.js", i, "").Function; got != test.want {
					t.Errorf("the function around HERE in %s = %q, want %q", test.text, got, test.want)
				}
			}
		}
	}
}

func TestSourcePlaces(t *testing.T) {
	src := tokenize([]byte("a();\n  b();\r\n\n/* c */ d();"))
	for _, want := range []struct {
		text         string
		line, column int
	}{{"a", 1, 1}, {"b", 2, 3}, {"d", 4, 9}} {
		for i, tok := range src.tokens {
			if tok.text != want.text {
				continue
			}
			l := src.location("x.js", i, "role")
			if l.Line != want.line || l.Column != want.column || l.File != "x.js" || l.Role != "role" {
				t.Errorf("location(%s) = %+v, want %d:%d", want.text, l, want.line, want.column)
			}
			if at := src.offset(l.Line, l.Column); at != tok.offset {
				t.Errorf("offset(%d, %d) = %d, want %d", l.Line, l.Column, at, tok.offset)
			}
		}
	}
	for n, want := range map[int]string{0: "", 1: "a();", 2: "b();", 3: "", 4: "/* c */ d();", 5: "", -1: ""} {
		if got := strings.TrimSpace(src.line(n)); got != want {
			t.Errorf("line(%d) = %q, want %q", n, got, want)
		}
	}
	if at := src.offset(9, 1); at != -1 {
		t.Errorf("offset(9, 1) = %d, want -1", at)
	}
}

// passWith has one script and no heap.
func passWith(text string) *Pass {
	return newPass(&diff.Diff{}, Options{Source: func(script string) ([]byte, error) {
		if script != "x.js" {
			return nil, errors.New("no such source")
		}
		return []byte(text), nil
	}})
}

// Where something is added, as line:column.
func TestAdders(t *testing.T) {
	const variable, property = false, true
	tests := []struct {
		name, text, of string
		property       bool
		entries        bool
		want           string
	}{
		{"a method", "const m = new Map();\nm.set(k, v);", "m", variable, true, "2:1"},
		{"all methods that add", "s.add(1); s.push(2); s.unshift(3); s.delete(4); s.has(5); s.add", "s", variable, true, "1:1 1:11 1:22"},
		{"an index", "o[k] = v;\no[a[b]].x = 1; o[k] ??= v; o[k] === v; x = o[k];", "o", variable, true, "1:1 2:16"},
		{"a member", "o.k = v; o.length = 0; o.k == v", "o", variable, true, "1:1"},
		{"methods before assignments", "m = new LRU();\nm[k] = v;\nm.set(k, v);", "m", variable, true, "3:1 2:1 1:1"},
		{"assignment", "let last = null;\nlast = make();\nlast = null; last = {}; last = []; last = new Map();", "last", variable, false, "2:1"},
		{"an assignment to something else's property is another", "other.m.set(k, v); m.set(k, v)", "m", variable, true, "1:20"},
		{"any object's property", "a.list.push(1); this.list.push(2); list.push(3)", "list", property, true, "1:3 1:22 1:36"},
		{"a property's assignment needs an object", "this.last = r; last = r; const last = r", "last", property, false, "1:6"},
		{"a private field", "this.#list.push(1)", "#list", property, true, "1:6"},
		{"optional chaining", "m?.set(k, v); m?.[k]", "m", variable, true, "1:1"},
		{"not in comments or strings", "// m.set(1)\n/* m.set(2) */ f('m.set(3)', `m.set(4)`, /m.set(5)/)", "m", variable, true, ""},
		{"but inside templates", "f(`${m.set(k, v)}`)", "m", variable, true, "1:6"},
		{"one line", "const m=new Map,f=e=>{m.has(e)||m.set(e,1)};function g(){m.clear()}", "m", variable, true, "1:33"},
		{"nothing", "", "m", variable, true, ""},
		{"no name", "x.set(1)", "", variable, true, ""},
		{"cut short", "m.set(k, (", "m", variable, true, "1:1"},
		{"cut short in an index", "m[k", "m", variable, true, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, u := range passWith(test.text).adders("x.js", test.of, test.property, test.entries) {
				got = append(got, fmt.Sprintf("%d:%d", u.Line, u.Column))
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("adders(%s) in\n%s\n= %s, want %s", test.of, test.text, got, test.want)
			}
		})
	}
	if uses := passWith("m.set(1)").adders("missing.js", "m", variable, true); uses != nil {
		t.Errorf("adders without a source = %v", uses)
	}
}

func TestCallsAndArguments(t *testing.T) {
	const text = `feed.on('price', f); feed.once("price", (a, { b, c }) => { d(e, f) }, g); function on() {} x.on(); on`
	p := passWith(text)
	var got []string
	found := p.calls("x.js", []string{"on", "once"}, "adds", func(src *source, open int) bool {
		for n := range 4 {
			var arg []string
			for _, t := range src.argument(open, n) {
				arg = append(arg, t.text)
			}
			got = append(got, strings.Join(arg, ""))
		}
		return isString(src.argument(open, 0), "price")
	})
	if want := []string{"'price'", "f", "", "", `"price"`, "(a,{b,c})=>{d(e,f)}", "g", "", "", "", "", ""}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("arguments = %q, want %q", got, want)
	}
	if len(found) != 2 || found[0].Column != 6 || found[1].Column != 27 {
		t.Errorf("calls = %+v, want those at columns 6 and 27", found)
	}
	src := p.file("x.js")
	for i, tok := range src.tokens {
		if tok.text == "once" {
			if arg := src.argument(i+1, 1); !mentions(arg, "c") || mentions(arg, "feed") {
				t.Errorf("mentions(%v, c), mentions(.., feed) = %v, %v", arg, mentions(arg, "c"), mentions(arg, "feed"))
			}
			inside, outside := Location{Line: 1, Column: 45}, Location{Line: 1, Column: 5}
			if !src.spans(i+1, inside) || src.spans(i+1, outside) {
				t.Errorf("spans(%+v), spans(%+v) = %v, %v", inside, outside, src.spans(i+1, inside), src.spans(i+1, outside))
			}
		}
	}
}

// FuzzTokenize: whatever a script is, nothing panics, and tokens are where
// they say.
func FuzzTokenize(f *testing.F) {
	for _, text := range []string{
		"a = b / c; /[/]'/g.test(d)", "`a${b}c${`d${e}`}`", "function f(){", "}{)(", "x => {", "/*", "'a", "`${", "a?.[b] = c",
		"class A { #x; get [y]() {} }", "m.set(", "o[k", "\\u0061 = 1", "\x00\xff", "<!-- a", "#!", "=> {", ") {", "async => {",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		src := tokenize([]byte(text))
		checkSource(t, src)
		p := passWith(text)
		for i, tok := range src.tokens {
			l := src.location("x.js", i, "")
			if at := src.offset(l.Line, l.Column); at != tok.offset {
				t.Fatalf("offset(%d, %d) = %d, want %d", l.Line, l.Column, at, tok.offset)
			}
			src.line(l.Line)
			for n := range 3 {
				src.argument(i, n)
			}
			src.spans(i, l)
			if i < 50 {
				p.adders("x.js", tok.text, i%2 == 0, i%3 == 0)
			}
		}
		p.calls("x.js", []string{"a", "m", "set"}, "", func(src *source, open int) bool { return src.argument(open, 0) != nil })
	})
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
		src := tokenize([]byte(test.text))
		for _, tok := range src.tokens {
			if tok.text == "here" && tok.within != test.want {
				t.Errorf("%q: here is within %q, want %q", test.text, tok.within, test.want)
			}
		}
	}
}

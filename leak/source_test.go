package leak

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"heapsnap/diff"
)

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
				arg = append(arg, t.Text)
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
	for i, tok := range src.Tokens {
		if tok.Text == "once" {
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

// FuzzAdders: whatever a script is, nothing panics.
func FuzzAdders(f *testing.F) {
	for _, text := range []string{"a?.[b] = c", "m.set(", "o[k", "m.set(k, v)", "class A { #x; get [y]() {} }"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		src := tokenize([]byte(text))
		p := passWith(text)
		for i, tok := range src.Tokens {
			l := src.location("x.js", i, "")
			for n := range 3 {
				src.argument(i, n)
			}
			src.spans(i, l)
			if i < 50 {
				p.adders("x.js", tok.Text, i%2 == 0, i%3 == 0)
			}
		}
		p.calls("x.js", []string{"a", "m", "set"}, "", func(src *source, open int) bool { return src.argument(open, 0) != nil })
	})
}

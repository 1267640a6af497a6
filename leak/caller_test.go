package leak

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"heapsnap/jssource"
)

func passOf(sources map[string]string) *Pass {
	return &Pass{
		opts: Options{Source: func(script string) ([]byte, error) {
			if text, ok := sources[script]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such source")
		}},
		texts: map[string][]byte{}, files: map[string]*source{},
	}
}

func TestPackageLabel(t *testing.T) {
	p := passOf(map[string]string{
		"/app/node_modules/a/package.json":        `{"name":"a","version":"1.2.3"}`,
		"/app/node_modules/b/package.json":        `not JSON`,
		"/app/node_modules/b/lib/package.json":    `{"version":"9.9.9"}`,
		"/app/node_modules/@c/d/package.json":     `{"version":"0.1.0-rc.1"}`,
		"file:///app/node_modules/e/package.json": `{"version":"5.0.0"}`,
	})
	for script, want := range map[string]string{
		"/app/node_modules/a/lib/x.js":     "a@1.2.3",
		"/app/node_modules/b/lib/x.js":     "b",
		"/app/node_modules/@c/d/x.js":      "@c/d@0.1.0-rc.1",
		"file:///app/node_modules/e/x.mjs": "e@5.0.0",
		"/app/node_modules/none/x.js":      "none",
		"/app/x.js":                        "",
	} {
		if got := p.packageLabel(script); got != want {
			t.Errorf("packageLabel(%q) = %q, want %q", script, got, want)
		}
	}
}

func TestImports(t *testing.T) {
	tests := []struct{ text, want string }{
		{"const memo = require('memo');", "memo"},
		{"const { memo, other: mine } = require('memo/lib/fast.js');", "memo mine"},
		{"const { default: Memo = null } = require('memo');", "Memo"},
		{"let memo_1 = __importDefault(require(\"memo\"));", "memo_1"},
		{"const memo = await import('memo');", "memo"},
		{"const { memo } = (await import('memo'));", "memo"},
		{"import memo from 'memo';", "memo"},
		{"import memo, { fast, slow as quick } from 'memo';", "fast memo quick"},
		{"import * as memo from 'memo';", "memo"},
		{"const memo = require('memoize'); const text = 'memo';", ""},
		{"require('memo'); import 'memo';", ""},
	}
	for _, test := range tests {
		names := passOf(map[string]string{"/app/a.js": test.text}).imports("/app/a.js", "memo")
		slices.Sort(names)
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("imports of %q = %q, want %q", test.text, got, test.want)
		}
	}
}

// Where something is done with a variable, best first: the place and its points.
func TestCallsOf(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a method that adds, one that looks", "function f() {\n  if (!store.get(1))\n    store.set(1, x);\n}", "3:11 set, 2:14 get"},
		{"the module's own code runs once", "store.set(0, zero);\nfunction f() {\n  store.put(1, x);\n}", "3:9 put, 1:7 set"},
		{"a method that the package's line is in", "function f() {\n  store.consume(1);\n  store.set(1);\n}", "2:9 consume, 3:9 set"},
		{"an argument", "const f = () => follow(store, 'x');", "1:17 follow"},
		{"an argument in a list", "const f = (job) => Promise.race([job, store.promise]);", "1:28 race"},
		{"behind await", "async function f() {\n  (await store).duplicate();\n}", "2:17 duplicate"},
		{"members between", "function f() {\n  store.main.pool.add(1);\n}", "2:19 add"},
		{"each call of a chain", "function f() {\n  store.pipe(a)\n    .subscribe(b);\n}", "3:6 subscribe, 2:9 pipe"},
		{"itself", "const f = (x) => store(x);", "1:18 store"},
		{"an entry", "function f(x) {\n  store[x] = 1;\n}", "2:3 store"},
		{"somebody else's property", "function f(x) {\n  x.store.set(1);\n}", ""},
		{"a key", "const f = () => ({ store: 1 });", ""},
		{"only read", "const f = () => { const s = store; return s; };", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := passOf(map[string]string{"/app/a.js": test.text})
			calls := p.callsOf(variable{name: "store", script: "/app/a.js"}, map[string]bool{"consume": true}, "")
			slices.SortStableFunc(calls, func(a, b call) int { return b.points - a.points })
			var all []string
			for _, c := range calls {
				src := p.file("/app/a.js")
				offset := src.Offset(c.Line, c.Column)
				i := slices.IndexFunc(src.Tokens, func(t jssource.Token) bool { return t.Offset == offset })
				all = append(all, fmt.Sprintf("%d:%d %s", c.Line, c.Column, src.At(i)))
			}
			if got := strings.Join(all, ", "); got != test.want {
				t.Errorf("callsOf = %q, want %q", got, test.want)
			}
		})
	}
}

// The call that a kept function is an argument of.
func TestGivenAway(t *testing.T) {
	tests := []struct{ name, text, function, want string }{
		{"an argument", "function f() {\n  bus.on('x', () => g());\n}", "() =>", "2:7"},
		{"the inner call", "bus.pipe(map((x) => x + 1));", "(x) =>", "1:10"},
		{"behind a chain", "bus\n  .pipe(a)\n  .subscribe((x) => x);", "(x) =>", "3:4"},
		{"not the call around the function around it", "run(() => {\n  const kept = () => 1;\n  return kept;\n});", "() => 1", "2:16"},
		{"a method", "class A {\n  stop() { return 1; }\n}", "() { return", "2:7"},
		{"a condition is no call", "if (x) {\n  list.push(() => 1);\n}", "() => 1", "2:8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := passOf(map[string]string{"/app/a.js": test.text})
			offset := strings.Index(test.text, test.function)
			line := strings.Count(test.text[:offset], "\n") + 1
			column := offset - strings.LastIndex(test.text[:offset], "\n")
			calls := p.givenAway(place{Location: Location{File: "/app/a.js", Line: line, Column: column}})
			if got := fmt.Sprintf("%d:%d", calls[0].Line, calls[0].Column); len(calls) != 1 || got != test.want {
				t.Errorf("givenAway = %d, first %s, want one at %s", len(calls), got, test.want)
			}
		})
	}
}

// A call that writes a part of all keys is where they come from.
func TestWrites(t *testing.T) {
	keys := []string{"cart-1", "cart-2", "cart-31", "cart-32"}
	for _, test := range []struct {
		text string
		keys []string
		want bool
	}{
		{"keep({ id: `cart-${n}` });", keys, true},
		{"keep('cart-' + n, cart);", keys, true},
		{"keep(`${kind}-${n}`);", keys, false},
		{"keep(n, 'other');", keys, false},
		{"keep(n, '-');", keys, false},
		{"keep(n); other('cart-');", keys, false},
		{"keep('cart-' + n);", keys[:2], false},
		{"keep('cart-' + n);", append([]string{"order-1"}, keys...), false},
	} {
		src := tokenize([]byte(test.text))
		if got := src.writes(Location{Line: 1, Column: 1}, test.keys); got != test.want {
			t.Errorf("writes of %s and %q = %v, want %v", test.text, test.keys, got, test.want)
		}
	}
}

// A method that is called after what is kept makes it.
func TestNamedAfter(t *testing.T) {
	for _, test := range []struct {
		method, class string
		want          bool
	}{
		{"iterator", "MemoryIterator", true},
		{"createReadStream", "ReadStream", true},
		{"openSession", "ClientSession", true},
		{"put", "Input", false},
		{"create", "Create", true},
		{"iterator", "IteratorList", false},
	} {
		if got := namedAfter(test.method, test.class); got != test.want {
			t.Errorf("namedAfter(%s, %s) = %v, want %v", test.method, test.class, got, test.want)
		}
	}
}

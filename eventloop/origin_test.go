package eventloop

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A stretch says where a place in compiled code, 0-based, comes from.
type stretch struct{ line, column, source, sourceLine, sourceColumn int }

// inlineMap makes a source map as bundlers append it.
func inlineMap(t *testing.T, sources, contents []string, all ...stretch) string {
	t.Helper()
	digits := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var b strings.Builder
	number := func(n int) {
		v := n << 1
		if n < 0 {
			v = -n<<1 | 1
		}
		for {
			d := v & 31
			if v >>= 5; v > 0 {
				d |= 32
			}
			b.WriteByte(digits[d])
			if v == 0 {
				return
			}
		}
	}
	var last stretch
	for i, s := range all {
		for ; last.line < s.line; last.line++ {
			b.WriteByte(';')
			last.column = 0
		}
		if i > 0 && all[i-1].line == s.line {
			b.WriteByte(',')
		}
		number(s.column - last.column)
		number(s.source - last.source)
		number(s.sourceLine - last.sourceLine)
		number(s.sourceColumn - last.sourceColumn)
		last = s
	}
	text, err := json.Marshal(map[string]any{"version": 3, "sources": sources, "sourcesContent": contents, "names": []string{}, "mappings": b.String()})
	if err != nil {
		t.Fatal(err)
	}
	return "\n//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString(text)
}

// at finds a text in another: its 0-based line and column.
func at(t *testing.T, text, part string) (line, column int) {
	t.Helper()
	i := strings.Index(text, part)
	if i < 0 {
		t.Fatalf("%q is not in the text", part)
	}
	before := text[:i]
	return strings.Count(before, "\n"), i - strings.LastIndexByte(before, '\n') - 1
}

// busyIn is a recording of a second in one stack, the outermost frame first.
func busyIn(sources, packages map[string]string, line int, frames ...CallFrame) *Recording {
	p := &Profile{Nodes: []ProfileNode{{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}}}}
	for i, f := range frames {
		p.Nodes[i].Children = []int{i + 2}
		p.Nodes = append(p.Nodes, ProfileNode{ID: i + 2, CallFrame: f})
	}
	leaf := len(frames) + 1
	for range 1000 {
		p.Samples = append(p.Samples, leaf)
		p.TimeDeltas = append(p.TimeDeltas, 1000)
	}
	if line > 0 {
		p.Nodes[leaf-1].PositionTicks = []PositionTick{{line, 1000}}
	}
	p.EndTime = 1_000_000
	return &Recording{Interval: 1000, End: p.EndTime, Threads: []Thread{{Profiles: []*Profile{p}}}, Sources: sources, Packages: packages}
}

func TestFindingsAreWhereAPersonWroteThem(t *testing.T) {
	const (
		shop = "import { clone } from 'deep';\n\ninterface Row { id: number }\n\nexport function copyAll(rows: Row[]): Row[] {\n" +
			"  const all = clone(rows);\n  return JSON.parse(text) as Row[];\n}\n"
		deep   = "module.exports.clone = function (x) {\n  return work(x);\n};\n"
		bundle = `"use strict";var d={clone:function(a){return w(a)}};function k(n){const e=(0,d.clone)(n);return JSON.parse(t)}`
	)
	fn := func(name, part string) CallFrame {
		line, column := at(t, bundle, part)
		return CallFrame{FunctionName: name, ScriptID: "1", URL: "file:///app/dist/app.js", LineNumber: line, ColumnNumber: column}
	}
	stretchOf := func(part string, source int, text, in string) stretch {
		line, column := at(t, bundle, part)
		sourceLine, sourceColumn := at(t, text, in)
		return stretch{line, column, source, sourceLine, sourceColumn}
	}
	text := bundle + inlineMap(t, []string{"../src/shop.ts", "webpack://app/./node_modules/deep/index.js"}, []string{shop, deep},
		stretchOf("function(a)", 1, deep, "function (x)"), stretchOf("return w(a)", 1, deep, "return work"),
		stretchOf("function k(n)", 0, shop, "function copyAll"), stretchOf("k(n)", 0, shop, "copyAll"), stretchOf("(n){const", 0, shop, "(rows: "),
		stretchOf("const e", 0, shop, "const all"), stretchOf("clone)(n)", 0, shop, "clone(rows)"),
		stretchOf("return JSON", 0, shop, "return JSON"), stretchOf("JSON.parse", 0, shop, "JSON.parse"))
	sources := map[string]string{"file:///app/dist/app.js": text}
	read := func(path string) ([]byte, error) {
		if path == "/app/node_modules/deep/package.json" {
			return []byte(`{"name":"deep","version":"1.4.2"}`), nil
		}
		return nil, fmt.Errorf("%s: no such file", path)
	}

	// The program's own function, on the one line of the bundle.
	a := Analyze(busyIn(sources, nil, 1, fn("k", "(n){const")), Options{Source: read})
	f := a.Findings[0]
	if f.Cause != &jsonCause || f.Site.Function != "copyAll" || f.Site.File != "/app/src/shop.ts" || f.Site.Line != 7 || f.Site.Column != 10 {
		t.Errorf("finding = %s in %+v, want json in copyAll, /app/src/shop.ts:7:10", f.Cause.Name, f.Site)
	}
	_, column := at(t, bundle, "JSON.parse")
	if want := fmt.Sprintf("/app/dist/app.js:1:%d", column+1); f.Site.Compiled != want {
		t.Errorf("compiled = %s, want %s", f.Site.Compiled, want)
	}
	if f.Code != "  return JSON.parse(text) as Row[];" {
		t.Errorf("code = %q, want the original's", f.Code)
	}

	// A package inside the bundle is a package, and the program's call of it is
	// found by the name that minifying has left.
	a = Analyze(busyIn(sources, nil, 1, fn("k", "(n){const"), fn("clone", "(a){return")), Options{Source: read})
	f = a.Findings[0]
	if f.Site.Function != "copyAll" || f.Site.File != "/app/src/shop.ts" || f.Site.Line != 6 || f.Package != "deep@1.4.2" {
		t.Errorf("finding = %+v of package %q, want copyAll, /app/src/shop.ts:6 and deep@1.4.2", f.Site, f.Package)
	}
	if f.Title != "deep@1.4.2 computes, called by copyAll()" {
		t.Errorf("title = %q", f.Title)
	}
}

// The map of an installed file leads to where its author had the source.
func TestAnInstalledFileBelongsToItsPackage(t *testing.T) {
	compiled := "exports.parse = function (x) {\n  walk(x);\n};\n"
	sources := map[string]string{
		"/app/a.js": "const { parse } = require('markup');\nfunction page(req) {\n  return parse(req);\n}\n",
		"/app/node_modules/markup/lib/index.js": compiled + inlineMap(t, []string{"https://example.org/markup/c0ffee/src/index.ts"}, []string{"export const parse = (x) => {\n\n  walk(x);\n};\n"},
			stretch{0, 24, 0, 0, 21}, stretch{1, 2, 0, 2, 2}),
	}
	app := CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 1, ColumnNumber: 13}
	inner := CallFrame{FunctionName: "exports.parse", ScriptID: "2", URL: "/app/node_modules/markup/lib/index.js", LineNumber: 0, ColumnNumber: 25}
	f := Analyze(busyIn(sources, map[string]string{"/app/node_modules/markup": "5.0.0"}, 2, app, inner), Options{Source: noSource}).Findings[0]
	if f.Site.Function != "page" || f.Site.Line != 3 || f.Package != "markup@5.0.0" || f.Stack[0].Package != "markup@5.0.0" || f.Stack[0].Line != 3 {
		t.Errorf("finding in %+v of package %q, stack %+v, want page on line 3 and markup@5.0.0", f.Site, f.Package, f.Stack)
	}
}

func TestTheVersionOfAPackageIsTold(t *testing.T) {
	app := CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 1, ColumnNumber: 13}
	outer := CallFrame{FunctionName: "render", ScriptID: "2", URL: "file:///app/node_modules/@views/site/index.mjs", LineNumber: 3, ColumnNumber: 9}
	inner := CallFrame{FunctionName: "compile", ScriptID: "3", URL: "file:///app/node_modules/@views/site/node_modules/tmpl/tmpl.mjs", LineNumber: 3, ColumnNumber: 9}
	sources := map[string]string{"/app/a.js": "import { render } from '@views/site';\nfunction page(req) {\n  return render(req);\n}\n"}
	rec := busyIn(sources, map[string]string{
		"/app/node_modules/@views/site":                   "2.0.1",
		"/app/node_modules/@views/site/node_modules/tmpl": "0.3.0",
	}, 5, app, outer, inner)
	f := Analyze(rec, Options{Source: noSource}).Findings[0]
	if f.Package != "tmpl@0.3.0" || f.Through != "@views/site@2.0.1" || f.Site.Function != "page" || f.Site.Line != 3 {
		t.Errorf("finding in %+v, package %q through %q, want page on line 3, tmpl@0.3.0 through @views/site@2.0.1", f.Site, f.Package, f.Through)
	}
	if f.Stack[0].Package != "tmpl@0.3.0" || f.Stack[2].Package != "" {
		t.Errorf("stack = %+v", f.Stack)
	}
	rec.Packages = nil
	if f := Analyze(rec, Options{Source: noSource}).Findings[0]; f.Package != "tmpl" || f.Through != "@views/site" {
		t.Errorf("without versions: package %q through %q, want the names", f.Package, f.Through)
	}
	// Time of the program's own is not the package's.
	if f := Analyze(busyIn(sources, nil, 3, app), Options{Source: noSource}).Findings[0]; f.Package != "" {
		t.Errorf("package of the program's own code = %q", f.Package)
	}
}

// What a small part of the time went into does not name the finding, and of many
// packages the one is named that the program depends on by itself.
func TestTheNameOfAFindingIsOfMostOfItsTime(t *testing.T) {
	app := CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 1, ColumnNumber: 13}
	rec := busyIn(map[string]string{"/app/a.js": "const web = require('web');\nfunction page(req) {\n  return web.render(req);\n}\n",
		"/app/node_modules/deep/index.js": "exports.go = function (x) {\n  x.sort(by);\n  walk(x);\n};\n"}, nil, 0,
		app, frame("render", "/app/node_modules/web/index.js"), frame("compile", "/app/node_modules/views/index.js"),
		CallFrame{FunctionName: "go", ScriptID: "3", URL: "/app/node_modules/deep/index.js", LineNumber: 0, ColumnNumber: 22})
	rec.Threads[0].Profiles[0].Nodes[4].PositionTicks = []PositionTick{{2, 100}, {3, 900}}
	disk := files(map[string]string{
		"/app/package.json":                    `{"dependencies":{"web":"1","views":"2"}}`,
		"/app/node_modules/web/package.json":   `{"version":"1.0.0"}`,
		"/app/node_modules/views/package.json": `{"version":"2.0.0"}`,
		"/app/node_modules/deep/package.json":  `{"version":"3.0.0"}`,
	})
	f := Analyze(rec, Options{Source: disk}).Findings[0]
	if f.Title != "views@2.0.0 computes, called by page()" || f.Through != "web@1.0.0" {
		t.Errorf("title = %q through %q, want views@2.0.0 and web@1.0.0", f.Title, f.Through)
	}
	if want := "packages on the stack, innermost first: deep@3.0.0, views@2.0.0, web@1.0.0"; !slices.Contains(f.Evidence, want) {
		t.Errorf("evidence = %q, want %q", f.Evidence, want)
	}
}

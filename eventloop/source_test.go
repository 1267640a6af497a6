package eventloop

import "testing"

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

func TestScanAround(t *testing.T) {
	src := newSource([]byte(shop))
	for _, tt := range []struct {
		name         string
		line, column int
		at           int // 1-based line of the sample
		want         string
		wantLine     int
	}{
		{"a search of the module's list", 9, 13, 10, "list.find()", 10},
		{"its callback", 9, 31, 10, "list.find()", 10},
		{"a loop over the object's items", 11, 7, 15, "a loop over this", 14},
		{"what was found a moment ago", 11, 7, 17, "", 0},
	} {
		f, ok := src.FunctionAt(tt.line, tt.column)
		if !ok {
			t.Fatalf("%s: no function", tt.name)
		}
		at, name := src.scanAround(f, src.Running(f, tt.at))
		line := 0
		if at >= 0 {
			line = src.LineOf(at)
		}
		if name != tt.want || line != tt.wantLine {
			t.Errorf("%s: scanAround = %q on line %d, want %q on line %d", tt.name, name, line, tt.want, tt.wantLine)
		}
	}
}

// A profile without the function between caller and builtin, as V8 gives it when
// that was inlined before the profiler began.
func TestInlinedFunctionIsFoundByWhatItCalls(t *testing.T) {
	const text = `const overview = (folder) => {
  return fs.readFileSync(folder);
};
const serve = (req, res) => {
  res.end(JSON.stringify(overview(req)));
};
`
	p := &Profile{Nodes: []ProfileNode{
		{ID: 1, CallFrame: CallFrame{FunctionName: "(root)"}, Children: []int{2}},
		{ID: 2, CallFrame: CallFrame{FunctionName: "serve", URL: "file:///app/a.js", LineNumber: 3, ColumnNumber: 14}, Children: []int{3}},
		{ID: 3, CallFrame: CallFrame{FunctionName: "readFileSync", URL: "node:fs", LineNumber: 440, ColumnNumber: 21}},
	}}
	tree := newCallTree(p)
	v := &sample{tree: tree, stack: tree.stack(2), src: newSources(&Recording{Sources: map[string]string{"file:///app/a.js": text}}, noSource)}
	c := syncFSCause.ofSample(v)
	if c == nil || c.site.Function != "overview" || c.site.Line != 2 || c.detail != "fs.readFileSync" {
		t.Errorf("claim = %+v, want overview on line 2", c)
	}
}

func TestPatternOf(t *testing.T) {
	src := newSource([]byte(shop + `
const a = s.replace(/x+y/g, ''), b = s.split(','), c = new RegExp(q).test(s), d = other.exec(s);
const rules = { code: /a/, text: /b+/ }, more = { code: /c/ };
s.search(rules.code); const either = q ? new RegExp(q) : /d+$/, not = q ? 1 : 2; s.replaceAll(either, x); s.matchAll(rules.text);
`))
	for name, want := range map[string]string{"test": `/^(([a-z0-9]+-?)+\.)+$/`, "replace": "/x+y/g", "split": "", "exec": "RegExp", "search": "RegExp", "replaceAll": "RegExp", "matchAll": "/b+/"} {
		for i := range src.Tokens {
			if src.At(i) == name && src.At(i+1) == "(" {
				if got := src.patternOf(i); got != want {
					t.Errorf("patternOf(%s) = %q, want %q", name, got, want)
				}
				break
			}
		}
	}
}

func TestBacktracks(t *testing.T) {
	for _, p := range []string{`/^(a+)+$/`, `/^(([a-z0-9]+-?)+\.)+[a-z]{2,}$/`, `/(a|aa)*b/`, `/(?:\s*,)*$/`, `/(x{2,})+/`} {
		if !backtracks(p) {
			t.Errorf("backtracks(%s) = false", p)
		}
	}
	for _, p := range []string{`/^[a-z]+$/`, `/(ab)c/`, `/^\d{4}-\d\d$/`, `/a+b+c+/`} {
		if backtracks(p) {
			t.Errorf("backtracks(%s) = true", p)
		}
	}
}

func FuzzSource(f *testing.F) {
	f.Add(shop, 3, 20)
	f.Add("for (const x of y) await z", 0, 0)
	f.Add("a.b(c)[d].filter(x => x", 0, 5)
	f.Fuzz(func(t *testing.T, text string, line, column int) {
		src := newSource([]byte(text))
		fn, ok := src.FunctionAt(line, column)
		if !ok {
			return
		}
		for n := range 20 {
			from, to := src.OnLine(n + 1)
			src.scanAround(fn, src.Running(fn, n+1))
			src.callsOwn(from, to)
			for i := from; i < to; i++ {
				src.patternOf(i)
			}
		}
	})
}

// What Node's JavaScript calls may be inlined into it: the profile then has no
// function of the program.
func TestTimeOfNodesOwnJavaScriptIsUnclear(t *testing.T) {
	rec := busyIn(nil, nil, 524, CallFrame{FunctionName: "processTimers", URL: "node:internal/timers", LineNumber: 470, ColumnNumber: 20},
		CallFrame{FunctionName: "listOnTimeout", URL: "node:internal/timers", LineNumber: 500, ColumnNumber: 25})
	src := newSources(rec, noSource)
	if !unclear(rec.Main().Profiles[0], src) {
		t.Error("time in listOnTimeout is not unclear")
	}
	for text, want := range map[string]bool{
		"const dom = require('dom');\nfunction read(html) {\n  return dom.load(html);\n}\n":                         true,
		"const { price } = require('./price');\nfunction read(html) {\n  return price(html);\n}\n":                  true,
		"const dom = require('dom');\nfunction read(html) {\n  const all = html + 1;\n  return dom.load(all);\n}\n": false,
		"const path = require('node:path');\nfunction read(html) {\n  return path.join(html);\n}\n":                 false,
	} {
		rec := busyIn(map[string]string{"/app/a.js": text}, nil, 3, CallFrame{FunctionName: "read", URL: "/app/a.js", LineNumber: 1, ColumnNumber: 13})
		if got := unclear(rec.Main().Profiles[0], newSources(rec, noSource)); got != want {
			t.Errorf("unclear = %v on line 3, want %v:\n%s", got, want, text)
		}
	}
	rec = busyIn(map[string]string{"/app/a.js": "function spin() {\n  for (;;) n++;\n}\n"}, nil, 2,
		CallFrame{FunctionName: "listOnTimeout", URL: "node:internal/timers", LineNumber: 500, ColumnNumber: 25},
		CallFrame{FunctionName: "spin", URL: "/app/a.js", LineNumber: 0, ColumnNumber: 13})
	if unclear(rec.Main().Profiles[0], newSources(rec, noSource)) {
		t.Error("time in a function of the program is unclear")
	}
}

package eventloop

import (
	"strings"
	"testing"
)

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
	src := newSource([]byte(shop))
	for _, tt := range []struct {
		line, column int // 0-based, as V8 gives them
		first, last  string
	}{
		{2, 20, "let", ";"},   // total, at its parenthesis
		{9, 13, "list", ")"},  // the arrow function find
		{9, 31, "u", "id"},    // the one inside, at its parenthesis
		{11, 7, "const", ";"}, // the method
	} {
		f, ok := src.functionAt(tt.line, tt.column)
		if !ok || src.at(f.body) != tt.first || src.at(f.end-1) != tt.last {
			t.Errorf("functionAt(%d, %d) = %q to %q, %v, want %q to %q", tt.line, tt.column, src.at(f.body), src.at(f.end-1), ok, tt.first, tt.last)
		}
	}
	if f, _ := src.functionAt(0, 0); f.end != len(src.tokens) {
		t.Errorf("the script's own code ends at token %d of %d", f.end, len(src.tokens))
	}
}

func TestLinesAreReadWithoutComments(t *testing.T) {
	src := newSource([]byte(shop))
	if from, to := src.onLine(1); from != to {
		t.Errorf("line 1 has tokens %d to %d, want none: it is a comment", from, to)
	}
	f, _ := src.functionAt(2, 20)
	calls := src.calls(f.body, f.end, "price")
	if len(calls) != 1 || src.lineOf(calls[0]) != 6 || src.column(calls[0]) != 18 {
		t.Errorf("calls of price = %v", calls)
	}
	if loop := src.loopAround(f, calls[0]); loop < 0 || src.lineOf(loop) != 5 || !src.awaitsIn(loop) {
		t.Errorf("loop around the call = token %d", loop)
	}
}

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
		f, ok := src.functionAt(tt.line, tt.column)
		if !ok {
			t.Fatalf("%s: no function", tt.name)
		}
		from, to := src.onLine(tt.at)
		at, name := src.scanAround(f, from, to)
		line := 0
		if at >= 0 {
			line = src.lineOf(at)
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
`))
	for name, want := range map[string]string{"test": `/^(([a-z0-9]+-?)+\.)+$/`, "replace": "/x+y/g", "split": "", "exec": "RegExp"} {
		for i := range src.tokens {
			if src.at(i) == name && src.at(i+1) == "(" {
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

func TestUnreadableSourceCostsALine(t *testing.T) {
	src := newSource([]byte("const a = `unclosed\nfunction f() { return JSON.parse(x); }\n"))
	src.functionAt(1, 10)
	src = newSource([]byte(strings.Repeat("}])", 50) + "\nf(1)\n"))
	if calls := src.calls(0, len(src.tokens), "f"); len(calls) != 1 {
		t.Errorf("calls of f behind what cannot be read = %v", calls)
	}
}

func FuzzSource(f *testing.F) {
	f.Add(shop, 3, 20)
	f.Add("for (const x of y) await z", 0, 0)
	f.Add("a.b(c)[d].filter(x => x", 0, 5)
	f.Fuzz(func(t *testing.T, text string, line, column int) {
		src := newSource([]byte(text))
		fn, ok := src.functionAt(line, column)
		if !ok {
			return
		}
		for n := range min(len(src.lines), 20) {
			from, to := src.onLine(n + 1)
			src.scanAround(fn, from, to)
			src.callsOwn(from, to)
			for i := from; i < to; i++ {
				src.loopAround(fn, i)
				src.patternOf(i)
				src.enclosing(i)
				src.declared(fn, src.at(i))
			}
		}
	})
}

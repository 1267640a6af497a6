package sourcemap

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// At line 2, column 1 begins what a.ts has at 10:5 under the name add, at column 9 what b.ts has at 1:1, and at
// column 17 something nobody wrote.
const plain = `{"version":3,"sources":["a.ts","b.ts"],"names":["add"],"mappings":";AASIA,QCTJ,Q"}`

func TestOriginal(t *testing.T) {
	m, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line, column int
		want         Position
		ok           bool
	}{
		{1, 1, Position{}, false},
		{2, 1, Position{"a.ts", 10, 5, "add"}, true},
		{2, 8, Position{"a.ts", 10, 5, "add"}, true},
		{2, 9, Position{"b.ts", 1, 1, ""}, true},
		{2, 16, Position{"b.ts", 1, 1, ""}, true},
		{2, 17, Position{}, false},
		{3, 1, Position{}, false},
		{0, 0, Position{}, false},
	} {
		if got, ok := m.Original(test.line, test.column); got != test.want || ok != test.ok {
			t.Errorf("Original(%d, %d) = %+v, %v, want %+v, %v", test.line, test.column, got, ok, test.want, test.ok)
		}
	}
}

// Only the first line of a section is moved by the section's column.
func TestIndexMap(t *testing.T) {
	m, err := Parse([]byte(`{"version":3,"sections":[
		{"offset":{"line":0,"column":0},"map":{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA"}},
		{"offset":{"line":4,"column":10},"map":{"version":3,"sourceRoot":"lib/","sources":["b.ts"],"names":["x"],"mappings":"AAAAA;AACA"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line, column int
		want         Position
	}{
		{1, 3, Position{"a.ts", 1, 1, ""}},
		{5, 11, Position{"lib/b.ts", 1, 1, "x"}},
		{6, 1, Position{"lib/b.ts", 2, 1, ""}},
	} {
		if got, ok := m.Original(test.line, test.column); got != test.want || !ok {
			t.Errorf("Original(%d, %d) = %+v, %v, want %+v", test.line, test.column, got, ok, test.want)
		}
	}
	if got, ok := m.Original(5, 10); ok {
		t.Errorf("Original(5, 10), before the section, = %+v, want none", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{`, "unexpected end"},
		{`{"version":2,"mappings":""}`, `version is "2"`},
		{`{"version":3,"sources":[],"mappings":"AAAA"}`, "refers to source 0"},
		{`{"version":3,"sources":["a"],"names":[],"mappings":"AAAAA"}`, "name 0"},
		{`{"version":3,"sources":["a"],"mappings":"AADA"}`, "leads out of its file"},
		{`{"version":3,"sources":["a"],"mappings":"AA"}`, "2 numbers"},
		{`{"version":3,"sources":["a"],"mappings":"A!AA"}`, "is no number"},
		{`{"version":3,"sources":["a"],"mappings":"Ag"}`, "end within a number"},
		{`{"version":3,"sources":["a"],"mappings":"ggggggggA"}`, "is no number"},
		{`{"version":3,"sections":[{"offset":{"line":1,"column":0}}]}`, "no map"},
	} {
		if _, err := Parse([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%s) = %v, want an error with %q", test.text, err, test.want)
		}
	}
}

func TestURL(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"last line", "f();\n//# sourceMappingURL=a.js.map", "a.js.map"},
		{"a line ending and spaces", "f();\r\n//@ sourceMappingURL=a.js.map \r\n\r\n", "a.js.map"},
		{"another comment behind it", "f();\n//# sourceMappingURL=a.js.map\n//# debugId=1\n", "a.js.map"},
		{"in the function of a module runner", "async (module) => {{f();\n//# sourceMappingURL=a.js.map\n\n//# vitestCache=W3s=\n}}", "a.js.map"},
		{"in a call", "(function () { f();\n//# sourceMappingURL=a.js.map\n})();", "a.js.map"},
		{"in brackets", "((module) => { f();\n//# sourceMappingURL=a.js.map\n});", "a.js.map"},
		{"a quotation", "eval(`f();\n//# sourceMappingURL=part.js.map\n`);\ng();", ""},
		{"the last of two", "f();\n//# sourceMappingURL=a\n//# sourceMappingURL=b\n", "b"},
		{"an empty one", "f();\n//# sourceMappingURL=\n", ""},
		{"none", "f();\n", ""},
	} {
		before, url, after := Cut([]byte(test.text))
		if got := URL([]byte(test.text)); got != test.want || string(url) != test.want {
			t.Errorf("%s: URL = %q, Cut has %q, want %q", test.name, got, url, test.want)
		}
		if joined := string(before) + string(after); test.want == "" && joined != test.text || test.want != "" && strings.Contains(joined, test.want) {
			t.Errorf("%s: Cut leaves %q and %q", test.name, before, after)
		}
	}
}

func TestLoad(t *testing.T) {
	files := map[string]string{
		"/app/dist/maps/a b.map": plain,
		"/app/dist/a.js.map":     `{"version":3,"sources":["webpack://shop/./src/a.ts?1f","../src/b.ts","/abs/c.ts","file:///d.ts"],"mappings":"AAAA,CCAA,CCAA,CCAA"}`,
	}
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	inline := "data:application/json;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(plain))
	for _, test := range []struct {
		name, script, text string
		line, column       int
		want               string
	}{
		{"beside", "/app/dist/a.js", "x\n//# sourceMappingURL=a.js.map\n", 1, 1, "src/a.ts"},
		{"up", "file:///app/dist/a.js", "x\n//# sourceMappingURL=a.js.map", 1, 2, "/app/src/b.ts"},
		{"absolute", "/app/dist/a.js", "x\n//# sourceMappingURL=a.js.map\n//# other", 1, 3, "/abs/c.ts"},
		{"a file URL", "/app/dist/a.js", "x\n//# sourceMappingURL=a.js.map", 1, 4, "/d.ts"},
		{"escaped", "/app/dist/a.js", "x\n//# sourceMappingURL=maps/a%20b.map", 2, 1, "/app/dist/maps/a.ts"},
		{"inline", "/app/a.js", "x\n//# sourceMappingURL=" + inline, 2, 1, "/app/a.ts"},
		{"percent", "/app/a.js", "//# sourceMappingURL=data:application/json," + strings.ReplaceAll(plain, `"`, "%22"), 2, 1, "/app/a.ts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Load(test.script, []byte(test.text), read)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := m.Original(test.line, test.column); !ok || got.Source != test.want {
				t.Errorf("Original(%d, %d) = %+v, %v, want %s", test.line, test.column, got, ok, test.want)
			}
		})
	}
	for _, test := range []struct {
		text string
		want error
		told string
	}{
		{"x", ErrNone, ""},
		{"//# sourceMappingURL=a.js.map\nmore()", ErrNone, ""},
		{"//# sourceMappingURL=none.map", os.ErrNotExist, "/app/dist/none.map of /app/dist/a.js"},
		{"//# sourceMappingURL=https://cdn/a.map", nil, "not a file"},
		{"//# sourceMappingURL=data:application/json;base64,!", nil, "illegal base64"},
	} {
		_, err := Load("/app/dist/a.js", []byte(test.text), read)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.told) {
			t.Errorf("Load of %q = %v, want %v %s", test.text, err, test.want, test.told)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(`)]}'` + "\n" + plain))
	f.Add([]byte(`{"version":3,"sections":[{"offset":{"line":4,"column":10},"map":` + plain + `}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		for _, at := range m.mappings {
			p, ok := m.Original(int(at.line)+1, int(at.column)+1)
			if ok && p.Line < 1 {
				t.Errorf("Original(%d, %d) = %+v", at.line+1, at.column+1, p)
			}
			m.Content(p.Source)
		}
	})
}

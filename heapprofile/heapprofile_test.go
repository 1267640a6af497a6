package heapprofile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// tree makes a profile of lines: a path of calls, outermost first, and the bytes
// made at its end. "name@/file:line" is a function of a file.
func tree(lines ...string) *Profile {
	p := &Profile{Head: &Node{Frame: Frame{Function: "(root)", Line: -1, Column: -1}}}
	id := 1
	for _, line := range lines {
		path, size, _ := strings.Cut(line, " = ")
		at := p.Head
		for call := range strings.SplitSeq(path, " > ") {
			name, where, _ := strings.Cut(call, "@")
			f := Frame{Function: name, Line: -1, Column: -1}
			if where != "" {
				i := strings.LastIndexByte(where, ':')
				f.URL, f.Column = where[:i], 4
				if strings.HasPrefix(f.URL, "/") {
					f.URL = "file://" + f.URL
				}
				fmt.Sscan(where[i+1:], &f.Line)
				f.Line--
			}
			var next *Node
			for _, c := range at.Children {
				if c.Frame == f {
					next = c
				}
			}
			if next == nil {
				id++
				next = &Node{Frame: f, ID: id}
				at.Children = append(at.Children, next)
			}
			at = next
		}
		fmt.Sscan(size, &at.SelfSize)
	}
	return p
}

func sites(all []Site) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%s %s:%d", s.Function, s.File, s.Line)
		if s.Package != "" {
			b.WriteString(" by " + s.Package)
		}
		fmt.Fprintf(&b, " %d", s.Bytes)
		if s.Before > 0 {
			fmt.Fprintf(&b, " was %d", s.Before)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var service = []string{
	"emit@node:events:513 > handle@/app/a.js:7 = 100",
	"emit@node:events:513 > handle@/app/a.js:7 > remember@/app/a.js:3 = 400",
	"emit@node:events:513 > handle@/app/a.js:7 > remember@/app/a.js:3 > Map = 50",
	"emit@node:events:513 > handle@/app/a.js:7 > cloneDeep@/app/node_modules/lodash/lodash.js:9 > copy@/app/node_modules/@x/y/copy.js:1 = 300",
	"tick@node:timers:5 > wrap@/app/node_modules/p/i.js:2 = 30",
	"(V8 API) = 7",
}

func TestSites(t *testing.T) {
	for _, c := range []struct {
		name string
		p    *Profile
		want string
	}{
		{"the nearest function of the program, and the package it called", tree(service...),
			"remember /app/a.js:3 450\nhandle /app/a.js:7 by lodash 300\nhandle /app/a.js:7 100\nwrap /app/node_modules/p/i.js:2 by p 30\n(V8 API) :0 7"},
		{"one function called in two ways is one site", tree("a@/a.js:1 > f@/a.js:9 = 1", "b@/a.js:2 > f@/a.js:9 = 2"), "f /a.js:9 3"},
		{"two functions of one name are two", tree("f@/a.js:1 = 2", "f@/a.js:5 = 1"), "f /a.js:1 2\nf /a.js:5 1"},
		{"nothing", tree(), ""},
	} {
		if got := sites(c.p.Sites(nil)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	s := tree(service...).Sites(nil)[0]
	if got := fmt.Sprint(s.Stack); got != "[{remember /app/a.js 3 5} {handle /app/a.js 7 5} {emit node:events 513 5}]" {
		t.Errorf("Stack = %s", got)
	}
}

func TestGrowth(t *testing.T) {
	before := tree("f@/a.js:1 = 100", "g@/a.js:5 = 50", "gone@/a.js:8 = 5")
	after := tree("f@/a.js:1 = 110", "g@/a.js:5 = 90", "new@/a.js:9 = 20")
	want := "g /a.js:5 90 was 50\nnew /a.js:9 20\nf /a.js:1 110 was 100\ngone /a.js:8 0 was 5"
	if got := sites(Growth(before, after, nil)); got != want {
		t.Errorf("Growth:\n%s\nwant\n%s", got, want)
	}
}

// A bundle's modules count for themselves, packages in it too.
func TestSitesOfABundle(t *testing.T) {
	original := func(p Place) (Place, bool) {
		switch p.Line {
		case 1:
			return Place{Function: "handle", File: "src/app.ts", Line: 40, Column: 3}, true
		case 2:
			return Place{File: "node_modules/lodash/lodash.js", Line: 7, Column: 1}, true
		}
		return p, false
	}
	p := tree("a@/dist/b.js:1 > b@/dist/b.js:2 = 5", "a@/dist/b.js:1 > c@/dist/b.js:3 = 4")
	if got, want := sites(p.Sites(original)), "handle src/app.ts:40 by lodash 5\nc /dist/b.js:3 4"; got != want {
		t.Errorf("Sites:\n%s\nwant\n%s", got, want)
	}
}

func TestReadsWhatItWrites(t *testing.T) {
	p := tree(service...)
	p.Info = &Info{NodeVersion: "v22.1.0", Duration: time.Second, Interval: 65536}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b.Bytes())
	_ = w.Close()
	for name, text := range map[string][]byte{"plain": b.Bytes(), "gzip": z.Bytes()} {
		q, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := sites(q.Sites(nil)), sites(p.Sites(nil)); got != want || q.Info.Interval != 65536 {
			t.Errorf("%s: read back\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestReadRefusesWhatIsNoProfile(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", `{"nodes":[]}`, `{"head":{"callFrame":{},"selfSize":-1,"children":[]}}`, `{"head":{"children":[null]}}`,
		`{"head":{"selfSize":1e300}}`, "\x1f\x8bx", `{"head":` + strings.Repeat(`{"children":[`, 20000)} {
		if p, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q: %+v", text, p)
		}
	}
}

func TestExport(t *testing.T) {
	p := tree(append(service, "evil;na\nme@/a.js:1 = 9")...)
	p.Info = &Info{Interval: 65536, Duration: 2 * time.Second}
	whole := p.Bytes()
	export := func(format string) []byte {
		var b bytes.Buffer
		if err := Export(&b, p, format); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		return b.Bytes()
	}
	pp, err := profile.Parse(bytes.NewReader(export("pprof")))
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, s := range pp.Sample {
		sum += s.Value[0]
	}
	if uint64(sum) != whole || pp.SampleType[0].Type != "inuse_space" || pp.DurationNanos != 2e9 {
		t.Errorf("pprof has %d bytes of %s, want %d: %v", sum, pp.SampleType[0].Type, whole, pp)
	}
	lines := strings.Split(strings.TrimSpace(string(export("collapsed"))), "\n")
	if len(lines) != 7 || lines[1] != "emit (node:events:513);handle (a.js:7);remember (a.js:3) 400" || lines[6] != "evil:na me (a.js:1) 9" {
		t.Errorf("collapsed:\n%s", strings.Join(lines, "\n"))
	}
	var speed struct {
		Shared struct {
			Frames []struct{ Name, File string }
		}
		Profiles []struct {
			EndValue uint64
			Samples  [][]int
			Weights  []uint64
		}
	}
	if err := json.Unmarshal(export("speedscope"), &speed); err != nil {
		t.Fatal(err)
	}
	if s := speed.Profiles[0]; s.EndValue != whole || len(s.Samples) != 7 || speed.Shared.Frames[s.Samples[1][2]].Name != "remember" {
		t.Errorf("speedscope: %+v", speed)
	}
	if err := Export(&bytes.Buffer{}, p, "gif"); err == nil || !strings.Contains(err.Error(), "pprof") {
		t.Errorf("format gif: %v", err)
	}
	p.Info.Collected = true
	if pp, err := profile.Parse(bytes.NewReader(export("pprof"))); err != nil || pp.SampleType[0].Type != "alloc_space" {
		t.Errorf("with what was collected: %v, %v", pp, err)
	}
}

func TestSourceMaps(t *testing.T) {
	files := map[string]string{
		"/app/dist/a.js":     "function a(){}\n//# sourceMappingURL=a.js.map\n",
		"/app/dist/a.js.map": `{"version":3,"sources":["../src/a.ts"],"names":["written"],"mappings":"AAKCA"}`,
	}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no %s", name)
	}
	o := SourceMaps(read, nil)
	if got, ok := o(Place{"a", "/app/dist/a.js", 1, 11}); !ok || got != (Place{"written", "/app/src/a.ts", 6, 2}) {
		t.Errorf("original = %+v, %v", got, ok)
	}
	if got, ok := o(Place{"b", "/app/b.js", 1, 1}); ok {
		t.Errorf("without a map: %+v", got)
	}
	// Compiled in memory.
	o = SourceMaps(read, map[string]string{"file:///app/dist/mem.js": files["/app/dist/a.js"]})
	if got, ok := o(Place{"a", "/app/dist/mem.js", 1, 11}); !ok || got.File != "/app/src/a.ts" {
		t.Errorf("of a text in memory: %+v, %v", got, ok)
	}
}

func FuzzParse(f *testing.F) {
	var b bytes.Buffer
	_ = tree(service...).Write(&b)
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		var sum uint64
		for _, s := range p.Sites(nil) {
			sum += s.Bytes
		}
		if whole := p.Bytes(); sum > whole+1 {
			t.Errorf("the sites have %d bytes, the profile %d", sum, whole)
		}
		for _, format := range ExportFormats() {
			if err := Export(&bytes.Buffer{}, p, format); err != nil && format != "pprof" {
				t.Errorf("%s: %v", format, err)
			}
		}
	})
}

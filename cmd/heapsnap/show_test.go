package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
	"heapsnap/report"
)

// heapGraph is a heap with something for every view: a session that a list
// and a cache hold, an object on global, one that only V8's roots hold, one
// that only a weak reference is left of, duplicated strings.
const heapGraph = `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global" 16: property sessions -> @9, property cache -> @11, property direct -> @21
@5 synthetic "(GC roots)": element 1 -> @7
@7 synthetic "(Stack roots)": element 1 -> @15, element 2 -> @13
@9 object "Array" 32: element 7 -> @13, weak w -> @17, element 0 -> @21
@11 object "Cache" 48: context entry -> @13, property __proto__ -> @19, property big -> @23
@13 object "Session" 64 at 4:9:1: property name -> @25, internal data -> @27
@15 closure "onStack" 8 at 4:20:3: internal scope -> @29
@17 object "weakly" 8
@19 object "proto" 8
@21 object "Direct" 8
@23 string "duplicate" 400
@25 string "duplicate" 40
@27 array "(data)" 1000
@29 object "Scope" 8
`

// viewJSON runs a command with --format json, checks its answer against the
// schema and reads it.
func viewJSON(t *testing.T, dir, args string, into any) {
	t.Helper()
	r := heapsnapIn(t, dir, nil, append(strings.Fields(args), "--format", "json")...)
	if r.code != exitClean || r.errors != "" {
		t.Fatalf("heapsnap %s: code %d, stderr %q", args, r.code, r.errors)
	}
	schema, err := jsonschema.NewCompiler().Compile("../../docs/views.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(r.out))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("heapsnap %s: %v", args, err)
	}
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		t.Fatal(err)
	}
}

func referenceList(refs []report.Reference) string {
	var parts []string
	for _, r := range refs {
		parts = append(parts, fmt.Sprintf("%s %s @%d", r.Type, r.Edge, r.Object.ID))
	}
	return strings.Join(parts, ", ")
}

func objectList(all []report.Object) string {
	var parts []string
	for _, o := range all {
		parts = append(parts, fmt.Sprintf("@%d", o.ID))
	}
	return strings.Join(parts, " ")
}

func pathList(paths []report.PathEdge) string {
	var parts []string
	for _, e := range paths {
		part := fmt.Sprintf("%s @%d", e.Edge, e.Object.ID)
		if len(e.Retainers) > 0 {
			part += "[" + pathList(e.Retainers) + "]"
		}
		if e.Root != nil {
			part += fmt.Sprintf(" < %s @%d", e.Root.Edge, e.Root.Object.ID)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func stepList(steps []report.PathStep) string {
	var parts []string
	for _, s := range steps {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s @%d", s.Edge, s.Object.ID)))
	}
	return strings.Join(parts, ", ")
}

func TestShow(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	for _, c := range []struct{ args, list string }{
		{"show a.heapsnapshot @11", "context entry @13, property big @23, property __proto__ @19"},
		{"show a.heapsnapshot 11 --sort self", "context entry @13, property big @23, property __proto__ @19"},
		{"show a.heapsnapshot 11 --sort name", "property big @23, context entry @13, property __proto__ @19"},
		{"show a.heapsnapshot 11 --sort file", "context entry @13, property __proto__ @19, property big @23"},
		{"show a.heapsnapshot 11 --sort file --limit 1", "context entry @13"},
		{"show a.heapsnapshot 11 --sort file --limit 1 --skip 2", "property big @23"},
		{"show a.heapsnapshot 11 --skip 9", ""},
		{"show a.heapsnapshot 11 --sort file --limit 0 --skip 1", "property __proto__ @19, property big @23"},
		{"show a.heapsnapshot 9 --sort name", "weak w @17, element 0 @21, element 7 @13"},
		{"show a.heapsnapshot 9", "element 7 @13, weak w @17, element 0 @21"},
	} {
		var v report.ObjectView
		viewJSON(t, dir, c.args, &v)
		if got := referenceList(v.References); got != c.list {
			t.Errorf("heapsnap %s: references %s, want %s", c.args, got, c.list)
		}
	}
	var v report.ObjectView
	viewJSON(t, dir, "show a.heapsnapshot @13", &v)
	want := report.Object{ID: 13, Class: "Session", Name: "Session", Type: "object", Self: 1064, Retained: 1104, Distance: 3,
		Location: &report.Place{File: "(script 4)", Line: 9, Column: 1}}
	if fmt.Sprint(v.Object.Location) != fmt.Sprint(want.Location) {
		t.Errorf("location %+v, want %+v", v.Object.Location, want.Location)
	}
	v.Object.Location, want.Location = nil, nil
	if v.Object != want || v.Retainers != 3 || v.Weak != 0 || v.Dominator == nil || v.Dominator.ID != 3 || v.Count != 2 {
		t.Errorf("show @13 = %+v dominated by %+v, retainers %d, weak %d, references %d, want %+v", v.Object, v.Dominator, v.Retainers, v.Weak, v.Count, want)
	}
	viewJSON(t, dir, "show a.heapsnapshot @17", &v)
	if v.Retainers != 0 || v.Weak != 1 || v.Object.Distance != -1 {
		t.Errorf("show @17: retainers %d, weak %d, distance %d, want 0, 1, -1", v.Retainers, v.Weak, v.Object.Distance)
	}
	viewJSON(t, dir, "show a.heapsnapshot @15", &v)
	if v.Object.Distance != -1 {
		t.Errorf("show @15: distance %d from V8's roots, want -1", v.Object.Distance)
	}
	v.Dominator = nil
	viewJSON(t, dir, "show a.heapsnapshot @1", &v)
	if v.Dominator != nil {
		t.Errorf("the root is dominated by %+v", v.Dominator)
	}
}

func byRetainedSize(t *testing.T, refs []report.Reference) {
	t.Helper()
	for i := 1; i < len(refs); i++ {
		if refs[i-1].Object.Retained < refs[i].Object.Retained {
			t.Errorf("not by retained size: %s", referenceList(refs))
		}
	}
}

func TestRetainers(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	writeGraph(t, dir, "orphan.heapsnapshot", `
@1 synthetic "": shortcut global -> @3
@5 object "orphan": property b -> @7
@3 object "global": property a -> @7
@7 object "target"
`)
	for _, c := range []struct {
		args, list   string
		strong, weak int
	}{
		{"retainers orphan.heapsnapshot @7", "property a @3, property b @5", 2, 0},
		{"retainers a.heapsnapshot @13", "element 7 @9, context entry @11, element 2 @7", 3, 0},
		{"retainers a.heapsnapshot @13 --limit 1 --skip 1", "context entry @11", 3, 0},
		{"retainers a.heapsnapshot @17", "", 0, 1},
		{"retainers a.heapsnapshot @17 --weak", "weak w @9", 0, 1},
		{"retainers a.heapsnapshot @1", "", 0, 0},
	} {
		var v report.RetainersView
		viewJSON(t, dir, c.args, &v)
		if got := referenceList(v.Retainers); got != c.list || v.Count != c.strong || v.Weak != c.weak {
			t.Errorf("heapsnap %s: %s, %d and %d weak, want %s, %d, %d", c.args, got, v.Count, v.Weak, c.list, c.strong, c.weak)
		}
	}
}

func TestPathsCommand(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	for _, c := range []struct{ name, args, paths, shortest, reached string }{
		// Of equal retainers DevTools has the last first.
		{"two ways", "@13", "entry @11 < cache @3, 7 @9 < sessions @3", "", "[depth]"},
		{"behind them", "@25", "name @13[entry @11 < cache @3, 7 @9 < sessions @3]", "", "[depth]"},
		{"one sibling", "@13 --siblings 1", "entry @11 < cache @3", "", "[depth siblings]"},
		{"not deep enough", "@25 --depth 1", "", "@1, global @3, sessions @9, 7 @13, name @25", "[depth]"},
		{"only the shortest", "@13 --shortest", "", "@1, global @3, sessions @9, 7 @13", "[]"},
		{"on global", "@9", "", "@1, global @3, sessions @9", "[]"},
		{"only V8's roots", "@29", "", "@1, 1 @5, 1 @7, 1 @15, scope @29", "[depth]"},
		{"only weakly held", "@17", "", "", "[]"},
		{"the root", "@1", "", "@1", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v report.PathsView
			viewJSON(t, dir, "paths a.heapsnapshot "+c.args, &v)
			if got := pathList(v.Paths); got != c.paths {
				t.Errorf("paths %s, want %s", got, c.paths)
			}
			if got := stepList(v.Shortest); got != c.shortest {
				t.Errorf("shortest %s, want %s", got, c.shortest)
			}
			if got := fmt.Sprint(v.Reached); got != c.reached {
				t.Errorf("limits reached %s, want %s", got, c.reached)
			}
		})
	}
}

// The shortest way leads through V8's and Node's catch-all tables only where
// there is no other.
func TestShortestPathAvoidsTables(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", `
@1 synthetic "": element 1 -> @3, element 2 -> @2, shortcut global -> @21
@2 native "Node / Environment": element 1 -> @4
@3 synthetic "(GC roots)": element 1 -> @5, element 2 -> @7
@4 native "Node / CleanupQueue": element 1 -> @11, element 2 -> @13, element 3 -> @15
@5 synthetic "(Internalized strings)": element 1 -> @11, element 2 -> @13, element 3 -> @17
@7 synthetic "(Global handles)": element 1 -> @9, element 2 -> @23
@9 object "Handle": property a -> @19
@11 object "everywhere"
@13 object "in Node's table"
@15 object "in the queue"
@17 object "internalized"
@19 object "A": property x -> @11
@21 object "global": property p -> @25, shortcut s -> @29
@23 object "a handle and the program have it"
@25 object "P": property q -> @27
@27 object "Q": property r -> @23, property z -> @29
@29 object "a shortcut leads here"
`)
	for _, c := range []struct{ id, want string }{
		{"@23", "@1, global @21, p @25, q @27, r @23"},
		{"@29", "@1, global @21, p @25, q @27, z @29"},
		{"@11", "@1, 1 @3, 2 @7, 1 @9, a @19, x @11"},
		{"@13", "@1, 2 @2, 1 @4, 2 @13"},
		{"@15", "@1, 2 @2, 1 @4, 3 @15"},
		{"@17", "@1, 1 @3, 1 @5, 3 @17"},
	} {
		var v report.PathsView
		viewJSON(t, dir, "paths a.heapsnapshot --shortest "+c.id, &v)
		if got := stepList(v.Shortest); got != c.want {
			t.Errorf("the shortest way to %s is %s, want %s", c.id, got, c.want)
		}
	}
}

func TestDominated(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	for _, c := range []struct {
		args, dominated, dominators string
		count                       int
	}{
		{"dominated a.heapsnapshot @3", "@13 @11 @9 @21", "@1", 4},
		{"dominated a.heapsnapshot @3 --limit 2 --skip 1", "@11 @9", "@1", 4},
		{"dominated a.heapsnapshot @25", "", "@13 @3 @1", 0},
		{"dominated a.heapsnapshot @29", "", "@15 @7 @5 @1", 0},
		{"dominated a.heapsnapshot @1 --limit 1", "@3", "", 3},
	} {
		var v report.DominatedView
		viewJSON(t, dir, c.args, &v)
		if objectList(v.Dominated) != c.dominated || objectList(v.Dominators) != c.dominators || v.Count != c.count {
			t.Errorf("heapsnap %s: %s of %d below %s, want %s of %d below %s", c.args, objectList(v.Dominated), v.Count, objectList(v.Dominators), c.dominated, c.count, c.dominators)
		}
	}
}

func TestStringsCommand(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("x", 1024)
	writeGraph(t, dir, "a.heapsnapshot", `
@1 synthetic "": shortcut global -> @3
@3 object "global": element j -> @5+2*j j<6, element 10 -> @101, element 12 -> @201, element 13 -> @203
@5+2*i i<4 string "copy" 40
@13 string "twice" 100
@15 string "twice" 30
@101 concatenated string "(concatenated string)" 32: internal first -> @103, internal second -> @105
@103 string "`+long+`" 1040
@105 string "tail" 24
@201 concatenated string "(concatenated string)" 32: internal first -> @205, internal second -> @207
@203 concatenated string "(concatenated string)" 32: internal first -> @205, internal second -> @209
@205 string "a" 16
@207 sliced string "(sliced string)" 32
@209 sliced string "(sliced string)" 32
`)
	list := func(v report.StringsView) string {
		var parts []string
		for _, g := range v.Groups {
			mark := ""
			if g.Cut {
				mark += " cut"
			}
			if !g.Certain {
				mark += " uncertain"
			}
			parts = append(parts, fmt.Sprintf("%.5s%s: %d of %d-%d retain %d, waste %d, first @%d", g.Text, mark, g.Count, g.Smallest, g.Largest, g.Retained, g.Wasted, g.Objects[0]))
		}
		return strings.Join(parts, "; ")
	}
	const (
		xs   = "xxxxx cut uncertain: 2 of 1040-1096 retain 2136, waste 0, first @101"
		copy = "copy: 4 of 40-40 retain 160, waste 120, first @5"
		two  = "twice: 2 of 30-100 retain 130, waste 30, first @13"
		cons = "a(sli uncertain: 2 of 64-64 retain 128, waste 64, first @201"
	)
	for _, c := range []struct{ args, list string }{
		{"strings a.heapsnapshot", strings.Join([]string{xs, copy, two, cons}, "; ")},
		{"strings a.heapsnapshot --sort wasted", strings.Join([]string{copy, cons, two, xs}, "; ")},
		{"strings a.heapsnapshot --min-bytes 130", strings.Join([]string{xs, copy, two}, "; ")},
		{"strings a.heapsnapshot --limit 1 --skip 1", copy},
		{"strings a.heapsnapshot --min-bytes 100000", ""},
	} {
		var v report.StringsView
		viewJSON(t, dir, c.args, &v)
		if got := list(v); got != c.list {
			t.Errorf("heapsnap %s:\n%s, want\n%s", c.args, got, c.list)
		}
	}
	var v report.StringsView
	viewJSON(t, dir, "strings a.heapsnapshot --limit 1", &v)
	if want := (report.StringTotal{Groups: 4, Count: 10, Retained: 1514, Wasted: 150, Uncertain: 64}); v.Total != want {
		t.Errorf("total %+v, want %+v", v.Total, want)
	}
	if r := heapsnapIn(t, dir, nil, "strings", "a.heapsnapshot"); !strings.Contains(r.out, "1024 characters") || !strings.Contains(r.out, "emoji") {
		t.Errorf("the caveats are missing in\n%s", r.out)
	}
}

// Text fits into 80 columns and obeys no escape of the heap's.
func TestViewsAsText(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "hostile.heapsnapshot", hostileGraph+"@17 string \"QUOTES BREAK ESC HALF\" 24\n")
	for _, args := range []string{
		"show hostile.heapsnapshot @3", "show hostile.heapsnapshot @11", "retainers hostile.heapsnapshot @11", "paths hostile.heapsnapshot @7",
		"paths hostile.heapsnapshot @11", "dominated hostile.heapsnapshot @1", "strings hostile.heapsnapshot",
	} {
		r := heapsnapIn(t, dir, nil, strings.Fields(args)...)
		if r.code != exitClean || r.errors != "" || r.out == "" {
			t.Errorf("heapsnap %s: code %d, stderr %q", args, r.code, r.errors)
		}
		for line := range strings.Lines(r.out) {
			if line = strings.TrimSuffix(line, "\n"); len([]rune(line)) > 80 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("heapsnap %s: line %q", args, line)
			}
		}
	}
}

func TestViewUsage(t *testing.T) {
	dir := inputs(t)
	for _, c := range []struct{ args, says string }{
		{"good.heapsnapshot", "@ID is missing"},
		{"good.heapsnapshot x", `"x" is no object id: want a number such as @12345`},
		{"good.heapsnapshot @", `"@" is no object id`},
		{"good.heapsnapshot -- -3", `"-3" is no object id`},
		{"good.heapsnapshot @@3", `"@@3" is no object id`},
		{"good.heapsnapshot @2", "good.heapsnapshot has no object @2: its ids are from @1 to @3"},
		{"good.heapsnapshot 18446744073709551615", "has no object @18446744073709551615"},
		{"good.heapsnapshot 18446744073709551616", "is no object id"},
		{"good.heapsnapshot 1 --format svg", "not for this command"},
		{"none.heapsnapshot 1", "no such file"},
		{"truncated.heapsnapshot 1", "cut short"},
	} {
		for _, command := range []string{"show", "retainers", "paths", "dominated"} {
			r := heapsnapIn(t, dir, nil, append([]string{command}, strings.Fields(c.args)...)...)
			says := strings.Replace(c.says, "@ID is", "FILE @ID is", 1)
			if r.code != exitUsage || r.out != "" || strings.Count(r.errors, "\n") != 1 || !strings.Contains(r.errors, says) {
				t.Errorf("heapsnap %s %s: code %d, stdout %q, stderr %q, want %q", command, c.args, r.code, r.out, r.errors, says)
			}
		}
	}
	for _, c := range []struct{ args, says string }{
		{"show good.heapsnapshot 1 --sort size", "--sort size: there is no such order"},
		{"show good.heapsnapshot 1 --limit -1", "cannot be negative"},
		{"strings good.heapsnapshot --skip -1", "cannot be negative"},
		{"strings good.heapsnapshot --sort size", "--sort size: there is no such order"},
		{"strings good.heapsnapshot --min-bytes x", "--min-bytes"},
		{"strings", "FILE is missing"},
		{"strings text.heapsnapshot", "text.heapsnapshot: "},
		{"paths good.heapsnapshot 1 --depth 0", "--depth 0: want 1 to 1000"},
		{"paths good.heapsnapshot 1 --nodes -5", "--nodes -5: want 1 to"},
		{"paths good.heapsnapshot 1 --siblings 0", "--siblings 0: want 1 to"},
	} {
		r := heapsnapIn(t, dir, nil, strings.Fields(c.args)...)
		if r.code != exitUsage || r.out != "" || strings.Count(r.errors, "\n") != 1 || !strings.Contains(r.errors, c.says) {
			t.Errorf("heapsnap %s: code %d, stdout %q, stderr %q, want %q", c.args, r.code, r.out, r.errors, c.says)
		}
	}
}

// The deepest forest that --depth allows is written and read.
func TestPathsOfALongList(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", `
@1 synthetic "": shortcut global -> @3
@3 object "global": property list -> @101
@101+2*i i<990 object "Item": property next -> @103+2*i
@2081 object "last"
`)
	var v report.PathsView
	viewJSON(t, dir, "paths a.heapsnapshot @2081", &v)
	if len(v.Paths) != 0 || len(v.Shortest) != 993 {
		t.Errorf("with --depth 30: %d paths, a shortest way of %d, want 0 and 993", len(v.Paths), len(v.Shortest))
	}
	viewJSON(t, dir, "paths a.heapsnapshot @2081 --depth 1000", &v)
	depth := 0
	for p := v.Paths; len(p) == 1; p = p[0].Retainers {
		depth++
	}
	if depth != 990 {
		t.Errorf("with --depth 1000 the path is %d deep, want 990", depth)
	}
	if r := heapsnapIn(t, dir, nil, "paths", "a.heapsnapshot", "@2081", "--depth", "1000", "--verbose"); r.code != exitClean {
		t.Errorf("as text: code %d, stderr %q", r.code, r.errors)
	}
}

// On a real heap every view answers, and says the same as the library.
func TestViewsOfNode(t *testing.T) {
	dir := t.TempDir()
	path := nodeSnapshot(t, dir, "node.heapsnapshot", `
class Session { constructor(i) { this.name = 'session ' + i; this.data = new Array(100).fill(i); } }
class Registry { constructor() { this.byId = new Map(); } }
globalThis.registry = new Registry();
for (let i = 0; i < 50; i++) registry.byId.set(i, new Session(i));
globalThis.copies = Array.from({length: 200}, (_, i) => Buffer.from('the same text ' + (i % 2)).toString());`)
	s, err := heapsnap.Open(t.Context(), path, heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session := heapsnap.NoNode
	for i := range s.NodeCount() {
		if n := heapsnap.Node(i); s.Type(n) == heapsnap.Object && s.Name(n) == "Session" && s.Property(n, "name") != heapsnap.NoNode {
			session = n
		}
	}
	if session == heapsnap.NoNode {
		t.Fatal("no Session in the heap")
	}
	id := fmt.Sprintf("@%d", s.ID(session))

	var show report.ObjectView
	viewJSON(t, dir, "show node.heapsnapshot "+id, &show)
	if o := show.Object; o.Class != "Session" || o.Retained != s.RetainedSize(session) || o.Self != s.SelfSize(session) || o.Distance != s.Distance(session) ||
		o.Location == nil || o.Location.Line != 2 {
		t.Errorf("show %s = %+v at %+v", id, o, o.Location)
	}
	byRetainedSize(t, show.References)

	var paths report.PathsView
	viewJSON(t, dir, "paths node.heapsnapshot "+id, &paths)
	if text := pathList(paths.Paths); !strings.Contains(text, "byId @") || !strings.Contains(text, "registry @") {
		t.Errorf("the paths to %s do not lead over registry.byId: %s", id, text)
	}
	var registry report.PathsView
	viewJSON(t, dir, fmt.Sprintf("paths node.heapsnapshot %d --shortest", s.ID(session)), &registry)
	if text := stepList(registry.Shortest); !strings.Contains(text, "registry @") || !strings.Contains(text, "byId @") {
		t.Errorf("the shortest way to %s is %s", id, text)
	}

	var dominated report.DominatedView
	viewJSON(t, dir, "dominated node.heapsnapshot "+id, &dominated)
	var names []string
	for _, d := range dominated.Dominators {
		names = append(names, d.Name)
	}
	if !strings.Contains(strings.Join(names, " "), "Registry") || dominated.Dominators[len(dominated.Dominators)-1].ID != uint64(s.ID(s.Root())) {
		t.Errorf("the dominators of %s are %q", id, names)
	}

	var strs report.StringsView
	viewJSON(t, dir, "strings node.heapsnapshot --limit 0", &strs)
	found := 0
	for _, g := range strs.Groups {
		if strings.HasPrefix(g.Text, "the same text ") && g.Count >= 100 && g.Certain {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 duplicated texts found", found)
	}

	// Every object can be asked about; of some that are picked evenly all is asked.
	for i := 0; i < s.NodeCount(); i += s.NodeCount()/6 + 1 {
		for _, command := range []string{"show", "retainers", "paths", "dominated"} {
			args := fmt.Sprintf("%s node.heapsnapshot %d", command, s.ID(heapsnap.Node(i)))
			if r := heapsnapIn(t, dir, nil, strings.Fields(args)...); r.code != exitClean || r.errors != "" || r.out == "" {
				t.Errorf("heapsnap %s: code %d, stderr %q", args, r.code, r.errors)
			}
			viewJSON(t, dir, args, &struct{}{})
		}
	}
}

// A snapshot from stdin and a report into a file go like everywhere.
func TestViewFromStdinIntoAFile(t *testing.T) {
	dir := t.TempDir()
	data := textgraph.Snapshot(t, heapGraph)
	r := heapsnapIn(t, dir, bytes.NewReader(data), "show", "-", "@13", "-o", "json=show.json", "--quiet")
	if r.code != exitClean || r.errors != "" || !strings.HasPrefix(r.out, "Session @13\n") {
		t.Errorf("code %d, stdout %q, stderr %q", r.code, r.out, r.errors)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) != 1 {
		t.Errorf("files %q, want show.json", found)
	}
}

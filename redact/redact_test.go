package redact

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"heapsnap/heapsnap"
)

// key is the one of tests, so that what they expect can be written down.
var key = []byte("sixteen bytes and more")

func redactor(t testing.TB, names Names) *Redactor {
	t.Helper()
	r, err := New(Options{Names: names, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// graph is a small snapshot: a node a line, "type name", and below it its edges,
// "  type name > number of the node".
func graph(t testing.TB, text string) []byte {
	t.Helper()
	nodeTypes := []string{"hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
		"concatenated string", "sliced string", "symbol", "bigint", "object shape"}
	edgeTypes := []string{"context", "element", "property", "internal", "hidden", "shortcut", "weak"}
	var table []string
	number := func(s string) int {
		if i := slices.Index(table, s); i >= 0 {
			return i
		}
		table = append(table, s)
		return len(table) - 1
	}
	number("<dummy>")
	nodes, edges := []int{}, []int{}
	type edge struct {
		kind, name string
		to         int
	}
	var all []edge
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "  "); ok {
			kind, rest, _ := strings.Cut(rest, " ")
			at := strings.LastIndex(rest, " > ")
			var to int
			if _, err := fmt.Sscan(rest[at+3:], &to); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			all = append(all, edge{kind, rest[:at], to})
			nodes[len(nodes)-1]++
			continue
		}
		kind, name, _ := strings.Cut(line, ": ")
		nodes = append(nodes, slices.Index(nodeTypes, kind), number(name), len(nodes)*2+1, 16, 0)
	}
	for _, e := range all {
		kind := slices.Index(edgeTypes, e.kind)
		name := 0
		if e.kind == "element" || e.kind == "hidden" {
			if _, err := fmt.Sscan(e.name, &name); err != nil {
				t.Fatal(err)
			}
		} else {
			name = number(e.name)
		}
		edges = append(edges, kind, name, e.to*5)
	}
	file := map[string]any{
		"meta": map[string]any{
			"node_fields": []string{"type", "name", "id", "self_size", "edge_count"},
			"node_types":  []any{nodeTypes, "string", "number", "number", "number"},
			"edge_fields": []string{"type", "name_or_index", "to_node"},
			"edge_types":  []any{edgeTypes, "string_or_number", "node"},
		},
		"node_count": len(nodes) / 5, "edge_count": len(edges) / 3, "trace_function_count": 0,
	}
	var b bytes.Buffer
	for i, part := range []struct {
		key   string
		value any
	}{{"snapshot", file}, {"nodes", nodes}, {"edges", edges}, {"strings", table}} {
		b.WriteString([]string{"{", ",\n"}[min(i, 1)])
		value, err := json.Marshal(part.value)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%q:%s", part.key, value)
	}
	b.WriteString("}")
	return b.Bytes()
}

func copied(t testing.TB, r *Redactor, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := r.Copy(context.Background(), &out, bytes.NewReader(text), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// table is the table of strings of a snapshot.
func table(t testing.TB, text []byte) []string {
	t.Helper()
	var file struct{ Strings []string }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("what was written is no JSON: %v\n%s", err, text)
	}
	return file.Strings
}

// became says what each text was replaced by.
func became(t testing.TB, names Names, text string) map[string]string {
	t.Helper()
	before := graph(t, text)
	after := table(t, copied(t, redactor(t, names), before))
	now := map[string]string{}
	for i, s := range table(t, before) {
		now[s] = after[i]
	}
	return now
}

// program is a heap with a use of each kind; node 0 is the root.
const program = `
synthetic: 
  element 1 > 1
object: Basket
  property owner of it > 2
  property headers > 2
  property alice@example.com > 3
  property <symbol kBasket> > 3
  property <symbol of alice> > 3
  property get total-it > 6
  property set alice's > 6
  property _events > 3
  element 3 > 3
  element 916123456 > 3
  internal 1 / part of key (Basket @5) -> value (hunter2 @7) pair in WeakMap (table @9) > 3
string: hunter2
object: Object
closure: loadBasket
  internal context > 5
object: system / Context
  context sessions > 1
code: (constant pool)
  hidden 0 > 7
  hidden 1 > 8
  hidden 2 > 9
  hidden 3 > 10
string: owner of it
string: kBasket
string: total-it
string: sk_live_4eC39HqLyjWDarjtT1zdp7dc
code: system / ScopeInfo
  hidden 0 > 12
string: inBlock
code: (instruction stream for loadBasket)
  hidden 0 > 14
string: fedToCode
object: fedToCode
  property fedToCode > 3
  property sk_live_4eC39HqLyjWDarjtT1zdp7dc > 3
  property sessions > 3
regexp: ^(hunter|gatherer)$
number: heap number
  internal value > 18
string: 4711.5
symbol: symbol
  internal name > 20
string: of bob
code: https://u:p@example.com/app.js?token=abc#x
code: data:text/javascript,const key = 'abc'
code: /app/c#/main.js
native: Node / TCPWrap
concatenated string: (concatenated string)
`

func TestWhatStays(t *testing.T) {
	const (
		stays = "as it is"
		goes  = "another text"
	)
	for _, c := range []struct{ text, code, all, none string }{
		{"hunter2", goes, goes, goes},
		{"^(hunter|gatherer)$", goes, goes, goes},
		{"4711.5", goes, goes, goes},
		{"of bob", goes, goes, goes},
		{"kBasket", goes, goes, goes}, // also a string: what a symbol is described by
		{"Basket", goes, stays, goes},
		{"owner of it", stays, goes, goes},
		{"headers", stays, stays, stays}, // Node has that name too
		{"alice@example.com", goes, goes, goes},
		{"<symbol kBasket>", stays, stays, "<symbol "},
		{"<symbol of alice>", "<symbol ~", stays, "<symbol ~"},
		{"get total-it", stays, stays, "get ~"},
		{"set alice's", "set ~", stays, "set ~"},
		{"_events", stays, stays, stays},
		{"sessions", stays, stays, goes},
		{"inBlock", stays, stays, goes},
		{"loadBasket", stays, stays, goes},
		{"fedToCode", goes, stays, goes},
		{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", goes, goes, goes},
		{"heap number", stays, stays, stays},
		{"symbol", stays, stays, stays},
		{"(concatenated string)", stays, stays, stays},
		{"Node / TCPWrap", stays, stays, stays},
		{"system / Context", stays, stays, stays},
		{"(constant pool)", stays, stays, stays},
		{"value", stays, stays, stays},
		{"/app/c#/main.js", stays, stays, goes},
		{"https://u:p@example.com/app.js?token=abc#x", "https://~", "https://~", goes},
		{"data:text/javascript,const key = 'abc'", "data:text/javascript,~", "data:text/javascript,~", goes},
		{"1 / part of key (Basket @5) -> value (hunter2 @7) pair in WeakMap (table @9)", "1 / part of key (~", "1 / part of key (Basket @5) -> value (~", "1 / part of key (~"},
		{"", stays, stays, stays},
	} {
		for names, want := range map[Names]string{NamesOfCode: c.code, AllNames: c.all, NoNames: c.none} {
			got, ok := became(t, names, program)[c.text]
			switch {
			case !ok:
				t.Fatalf("%q is not in the program", c.text)
			case want == stays && got != c.text, want != stays && (got == c.text || want != goes && !strings.HasPrefix(got, want)):
				t.Errorf("names %s: %q became %q, want %q", names, c.text, got, want)
			}
		}
	}
	now := became(t, NamesOfCode, program)
	for _, secret := range []string{"token=abc", "key = 'abc'", "u:p", "hunter2", "alice"} {
		for was, is := range now {
			if strings.Contains(is, secret) {
				t.Errorf("%q became %q, which has %q", was, is, secret)
			}
		}
	}
}

// A class is a name that its constructor has.
func TestClassesStayThatHaveAConstructor(t *testing.T) {
	const text = `
synthetic: 
object: Basket
closure: Basket
object: of a tag
`
	now := became(t, NamesOfCode, text)
	if now["Basket"] != "Basket" || now["of a tag"] == "of a tag" {
		t.Errorf("%q", now)
	}
}

func TestGraphIsNotTouched(t *testing.T) {
	before := graph(t, program)
	after := copied(t, redactor(t, NamesOfCode), before)
	a, b := open(t, before), open(t, after)
	if a.NodeCount() != b.NodeCount() || a.EdgeCount() != b.EdgeCount() {
		t.Fatalf("%d nodes and %d edges became %d and %d", a.NodeCount(), a.EdgeCount(), b.NodeCount(), b.EdgeCount())
	}
	for i := range a.NodeCount() {
		n := heapsnap.Node(i)
		if a.Type(n) != b.Type(n) || a.ID(n) != b.ID(n) || a.RetainedSize(n) != b.RetainedSize(n) || a.Distance(n) != b.Distance(n) {
			t.Errorf("node %d became another", i)
		}
		first, end := a.EdgeRange(n)
		for e := first; e < end; e++ {
			if a.EdgeType(e) != b.EdgeType(e) || a.To(e) != b.To(e) {
				t.Errorf("edge %d became another", e)
			}
		}
	}
	elements := func(s *heapsnap.Snapshot) (found []uint32) {
		for e := range s.Edges(1) {
			if index, ok := s.EdgeIndex(e); ok {
				found = append(found, index)
			}
		}
		return found
	}
	was, is := elements(a), elements(b)
	if is[0] != was[0] || is[1] == was[1] {
		t.Errorf("elements %d became %d: want a place in a list as it is and a key replaced", was, is)
	}
}

func open(t testing.TB, text []byte) *heapsnap.Snapshot {
	t.Helper()
	s, err := heapsnap.Read(context.Background(), bytes.NewReader(text), heapsnap.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// However the input comes and where a text is cut: what is written is the same.
func TestReadsInAnyPieces(t *testing.T) {
	text := graph(t, program)
	want := copied(t, redactor(t, NamesOfCode), text)
	for name, r := range map[string]io.Reader{
		"byte by byte": iotest.OneByteReader(bytes.NewReader(text)),
		"by halves":    iotest.HalfReader(bytes.NewReader(text)),
		"end and data": iotest.DataErrReader(bytes.NewReader(text)),
	} {
		var out bytes.Buffer
		if _, err := redactor(t, NamesOfCode).Copy(context.Background(), &out, r, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s: another result", name)
		}
	}
	var out bytes.Buffer
	w := redactor(t, NamesOfCode).Writer(context.Background(), &out)
	for i := 0; i < len(text); i += 7 {
		if _, err := w.Write(text[i:min(len(text), i+7)]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("through a Writer: %v, or another result", err)
	}
	if w.Counts().Replaced == 0 || w.Counts().Bytes != uint64(out.Len()) {
		t.Errorf("%+v, want the bytes of %d", w.Counts(), out.Len())
	}
}

func TestInputThatIsNoSnapshot(t *testing.T) {
	whole := graph(t, program)
	for name, text := range map[string]string{
		"empty":                "",
		"another file":         `{"hello":"world"}`,
		"strings first":        `{"snapshot":` + headerOf(t, whole) + `,"strings":["secret"]}`,
		"text behind the end":  string(whole) + "x",
		"a word for a number":  strings.Replace(string(whole), `"nodes":[9`, `"nodes":[null`, 1),
		"a count that is more": strings.Replace(string(whole), `"node_count":`, `"node_count":1`, 1),
		"an edge to nowhere":   strings.Replace(string(whole), `"edges":[1,1,5`, `"edges":[1,1,99995`, 1),
		"no strings":           string(whole[:bytes.LastIndex(whole, []byte(",\n"))]) + "}",
		"strings twice":        strings.TrimSuffix(string(whole), "}") + `,"strings":["secret"]}`,
	} {
		var syntax *heapsnap.SyntaxError
		var out bytes.Buffer
		_, err := redactor(t, NamesOfCode).Copy(context.Background(), &out, strings.NewReader(text), nil)
		if !errors.As(err, &syntax) {
			t.Errorf("%s: %v, want a SyntaxError", name, err)
		}
		if strings.Contains(out.String(), "secret") {
			t.Errorf("%s: it was written all the same", name)
		}
	}
	for cut := range len(whole) - 1 {
		_, err := redactor(t, NamesOfCode).Copy(context.Background(), io.Discard, bytes.NewReader(whole[:cut]), nil)
		if !errors.Is(err, heapsnap.ErrTruncated) {
			t.Fatalf("cut at %d of %d: %v, want ErrTruncated", cut, len(whole), err)
		}
	}
}

func headerOf(t *testing.T, text []byte) string {
	t.Helper()
	var file struct{ Snapshot json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return string(file.Snapshot)
}

// What newer or older producers write beside the known is copied without texts.
func TestUnknownPartsLoseTheirTexts(t *testing.T) {
	text := string(graph(t, program))
	text = strings.Replace(text, `"node_count"`, `"title":"secret one","node_count"`, 1)
	text = strings.Replace(text, `"strings":`, `"samples":[1,2,3],"more":{"a":["secret two",[1,null]]},"word":true,"strings":`, 1)
	out := string(copied(t, redactor(t, NamesOfCode), []byte(text)))
	if strings.Contains(out, "secret") || !strings.Contains(out, `"samples":[1,2,3]`) || !strings.Contains(out, `[1,null]]}`) || !strings.Contains(out, `"word":true`) {
		t.Errorf("%s", out)
	}
	open(t, []byte(out))
}

func TestEqualTextsStayEqualUnderOneKey(t *testing.T) {
	a, b := became(t, NamesOfCode, program), became(t, NamesOfCode, "synthetic: \nstring: hunter2\n")
	if a["hunter2"] != b["hunter2"] {
		t.Errorf("one key: %q and %q", a["hunter2"], b["hunter2"])
	}
	other, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := table(t, copied(t, other, graph(t, "synthetic: \nstring: hunter2\n"))); slices.Contains(c, a["hunter2"]) || slices.Contains(c, "hunter2") {
		t.Errorf("another key: %q", c)
	}
	if other.KeyID() == redactor(t, NamesOfCode).KeyID() {
		t.Error("two keys have one id")
	}
	seen := map[string]string{}
	for was, is := range a {
		if seen[is] != "" {
			t.Errorf("%q and %q both became %q", was, seen[is], is)
		}
		seen[is] = was
	}
}

// The number of texts of one or two characters is small: they must not meet.
func TestShortNamesStayDifferentAndShort(t *testing.T) {
	var text strings.Builder
	text.WriteString("synthetic: \nobject: Object\n")
	for _, a := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		for _, b := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
			fmt.Fprintf(&text, "  property %c%c > 0\n", a, b)
		}
	}
	seen := map[string]string{}
	for was, is := range became(t, NamesOfCode, text.String()) {
		if seen[is] != "" {
			t.Errorf("%q and %q both became %q", was, seen[is], is)
		}
		seen[is] = was
		if heapsnap.UTF16Len(was) != heapsnap.UTF16Len(is) && was != "<dummy>" {
			t.Errorf("%q became %q, of another length", was, is)
		}
	}
}

func TestLengthClasses(t *testing.T) {
	r := redactor(t, NamesOfCode)
	for _, c := range []struct{ length, want int }{{1, 12}, {12, 12}, {13, 16}, {17, 32}, {1000, 1024}, {1024, 1024}, {1025, 2048}} {
		if got := len(r.content(bytes.Repeat([]byte("a"), c.length))); got != c.want {
			t.Errorf("a text of %d became one of %d, want %d", c.length, got, c.want)
		}
	}
	// Names keep their length as DevTools shows it, on which its rows depend.
	for _, name := range []string{"lengthOfName", `a "quoted", name`, `é\u00e9\ud83d\ude00`, "comma,here"} {
		raw, _ := json.Marshal(name)
		raw = raw[1 : len(raw)-1]
		if got, want := utf16Length(r.name(raw)), shownLength(raw); got != want {
			t.Errorf("%s became a name of %d, want %d", raw, got, want)
		}
	}
}

func TestNumbersKeepDigitsAndPlace(t *testing.T) {
	r := redactor(t, NamesOfCode)
	for _, n := range []uint64{1024, 1025, 9990, 10002, 123456789, 4294967280, 79161234567} {
		got := r.number(n)
		if got == n || got%6 != n%6 || len(fmt.Sprint(got)) != len(fmt.Sprint(n)) || n < 1<<32 && got >= 1<<32 {
			t.Errorf("%d became %d", n, got)
		}
		if again := r.number(n); again != got {
			t.Errorf("%d became %d and %d", n, got, again)
		}
	}
	seen := map[uint64]bool{}
	for n := uint64(1000); n < 10000; n++ {
		seen[r.number(n)] = true
	}
	if len(seen) != 9000 {
		t.Errorf("the 9000 numbers of four digits became %d", len(seen))
	}
}

// A text that is also the number of a slot: one entry of the table has both.
func TestNumbersThatAreSlots(t *testing.T) {
	now := became(t, NamesOfCode, `
synthetic: 
array: (object elements)
  internal 483920 > 2
  internal 7 > 2
string: 483920
string: 7
`)
	if now["483920"] == "483920" || strings.Trim(now["483920"], "0123456789") != "" || now["7"] != "7" {
		t.Errorf("%q", now)
	}
}

// DevTools sees no WeakMap entry in a name with a line break; it is not to see
// one afterwards.
func TestEphemeronsStayWhatTheyAre(t *testing.T) {
	const name = "1 / part of key (a\nb @5) -> value (c @7) pair in WeakMap (table @9)"
	now := became(t, NamesOfCode, "synthetic: \n") // no error for none
	if len(now) == 0 {
		t.Fatal("nothing")
	}
	r := redactor(t, NamesOfCode)
	raw, _ := json.Marshal(name)
	got := unescaped(r.text(raw[1:len(raw)-1], engineUse))
	if !strings.Contains(got, "\n @5) -> value (~") || strings.Contains(got, "a\nb") {
		t.Errorf("%q", got)
	}
}

func TestSourceKeepsNamesAndPlaces(t *testing.T) {
	r := redactor(t, NamesOfCode)
	copied(t, r, graph(t, program))
	const source = "// phoneMe +7 916 1234567\nconst sessions = new Map(); // alice\nfunction loadBasket(headers) {\n\tsessions.set('hunter2', `${headers} é`);\n}\n//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbImEudHMiXSwic291cmNlc0NvbnRlbnQiOlsiY29uc3QgcGFzc3dvcmQgPSAnaHVudGVyMic7Il0sIm5hbWVzIjpbImh1bnRlcjIiXSwibWFwcGluZ3MiOiJBQUFBIn0=\n"
	got := r.Source(source)
	want := "// xxxxxxx +0 000 0000000\nconst sessions = new Map(); // xxxxx\nfunction loadBasket(headers) {\n\tsessions.set('xxxxxxx', `${headers} x`);\n}\n//# sourceMappingURL=data:application/json;base64,"
	head, body, ok := strings.Cut(got, ";base64,")
	if !ok || head+";base64," != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.TrimSuffix(body, "\n"))))
	if err != nil || strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), `"mappings":"AAAA"`) || !strings.Contains(string(text), `const password = 'xxxxxxx';`) {
		t.Errorf("source map: %s, %v", text, err)
	}
	if got, want := r.Source("{{\n//# sourceMappingURL=a.js.map\n// hunter2\n}}\n"), "{{\n//# sourceMappingURL=a.js.map\n// xxxxxxx\n}}\n"; got != want {
		t.Errorf("in a module runner's function: got %q, want %q", got, want)
	}
}

// Two runs over the same snapshot write the same.
func FuzzCopy(f *testing.F) {
	f.Add(graph(f, program), uint16(3))
	f.Add([]byte(`{"snapshot":{}}`), uint16(0))
	f.Fuzz(func(t *testing.T, text []byte, piece uint16) {
		r, err := New(Options{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := r.Copy(context.Background(), &out, bytes.NewReader(text), nil); err != nil {
			return
		}
		before, err := heapsnap.Read(context.Background(), bytes.NewReader(text), heapsnap.Options{})
		if err != nil {
			return // what a reader refuses may be copied
		}
		after, err := heapsnap.Read(context.Background(), bytes.NewReader(out.Bytes()), heapsnap.Options{})
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, out.Bytes())
		}
		if before.NodeCount() != after.NodeCount() || before.EdgeCount() != after.EdgeCount() || before.StringCount() != after.StringCount() {
			t.Errorf("%s\n%s", text, out.Bytes())
		}
		var pieces bytes.Buffer
		w := r.Writer(context.Background(), &pieces)
		for at, n := 0, 1+int(piece); at < len(text); at += n {
			if _, err := w.Write(text[at:min(len(text), at+n)]); err != nil {
				break
			}
		}
		if err := w.Close(); err != nil || !bytes.Equal(pieces.Bytes(), out.Bytes()) {
			t.Errorf("in pieces: %v", err)
		}
	})
}

package heapsnap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"heapsnap/internal/textgraph"
)

// valid is a whole snapshot with few fields, so that a test can damage it by
// replacing text.
const valid = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],` +
	`"node_types":[["synthetic","object"],"string","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property"],"string_or_number","node"],` +
	`"location_fields":["object_index","script_id","line","column"]},"node_count":3,"edge_count":2},
"nodes":[0,0,1,0,2
,1,1,3,16,0
,1,2,5,24,0],
"edges":[1,3,5
,0,7,10],
"locations":[5,9,11,13],
"strings":["","A","B","next"]}
`

const validColumns = `root 0
@1 synthetic "" 0: property next -> @3, element 7 -> @5
@3 object "A" 16 at 9:12:14
@5 object "B" 24
`

func read(text string) (*Snapshot, error) {
	return Read(context.Background(), strings.NewReader(text), Options{})
}

func mustRead(tb testing.TB, data []byte) *Snapshot {
	tb.Helper()
	s, err := Read(context.Background(), bytes.NewReader(data), Options{Size: int64(len(data))})
	if err != nil {
		tb.Fatalf("Read: %v", err)
	}
	return s
}

// graph reads the last capture of a text graph.
func graph(tb testing.TB, text string) *Snapshot {
	tb.Helper()
	return mustRead(tb, textgraph.Snapshot(tb, text))
}

// node finds the object with an id that the test's text has.
func node(tb testing.TB, s *Snapshot, id ObjectID) Node {
	tb.Helper()
	n, ok := s.Find(id)
	if !ok {
		tb.Fatalf("there is no @%d", id)
	}
	return n
}

// columns writes a snapshot as text, to compare it with another.
func columns(s *Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "root %d\n", s.Root())
	for i := range s.NodeCount() {
		n := Node(i)
		fmt.Fprintf(&b, "@%d %s %q %d", s.ID(n), s.Type(n), s.RawName(n), s.SelfSize(n))
		if l := s.Location(n); l != nil {
			fmt.Fprintf(&b, " at %d:%d:%d", l.ScriptID, l.Line, l.Column)
		}
		sep := ':'
		for e := range s.Edges(n) {
			fmt.Fprintf(&b, "%c %s %s -> @%d", sep, s.EdgeType(e), s.EdgeName(e), s.ID(s.To(e)))
			sep = ','
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestReadColumns(t *testing.T) {
	s, err := read(valid)
	if err != nil {
		t.Fatal(err)
	}
	if got := columns(s); got != validColumns {
		t.Errorf("columns =\n%s\nwant\n%s", got, validColumns)
	}
}

// What V8 may change, and what white space may stand where, changes nothing.
func TestReadLayouts(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(valid) }
	tests := []struct{ name, text string }{
		{"fields in another order", `{"snapshot":{"meta":{"node_fields":["id","edge_count","later","type","self_size","name"],` +
			`"node_types":["number","number","number",["object","synthetic"],"number","string"],` +
			`"edge_fields":["to_node","extra","name_or_index","type"],"edge_types":["node","number","string_or_number",["property","element"]],` +
			`"location_fields":["column","later","line","object_index","script_id"]},"node_count":3,"edge_count":2},` +
			`"nodes":[1,2,99,1,0,0, 3,0,99,0,16,1, 5,0,99,0,24,2],"edges":[6,88,3,0, 12,88,7,1],` +
			`"locations":[13,77,11,6,9],"strings":["","A","B","next"]}`},
		{"white space everywhere", replace("[", " [\n\t ", "]", " \r\n] ", ",", "\n , ", ":", " : ", "{", "\n{ ", "}", " }\n")},
		{"no white space", replace("\n", "")},
		{"unknown sections", replace(`"locations"`, `"trace_tree":[1,[2,[{"a\"]":"}"}]],"x"],"later":{"a":[]},"n":-1.5e3,"t":true,"locations"`)},
		{"strings before the graph", `{"snapshot":` + between(`"snapshot":`, `,"nodes"`) + `,"strings":["","A","B","next"],` +
			`"nodes":` + between(`"nodes":`, `,"strings"`) + "}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(test.text)
			if err != nil {
				t.Fatalf("%v in\n%s", err, test.text)
			}
			if got := columns(s); got != validColumns {
				t.Errorf("columns =\n%s\nwant\n%s", got, validColumns)
			}
		})
	}
}

// between is the part of valid between two texts, line ends aside.
func between(after, before string) string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(valid, "\n", ""), after)
	part, _, _ := strings.Cut(rest, before)
	return part
}

// Ids and sizes are those of a heap far beyond 4 GiB.
func TestReadWideNumbers(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @4294967295, element 2 -> @4294967297, element 4294967295 -> @1099511627777
@4294967295 object "A" 4294967295
@4294967297 object "B" 4294967296
@1099511627777 object "C" 9007199254740993
`)
	for id, size := range map[ObjectID]uint64{1<<32 - 1: 1<<32 - 1, 1<<32 + 1: 1 << 32, 1<<40 + 1: 1<<53 + 1} {
		n := node(t, s, id)
		if s.ID(n) != id || s.SelfSize(n) != size || s.RetainedSize(n) != size {
			t.Errorf("@%d: ID, SelfSize, RetainedSize = %d, %d, %d, want %d, %d, %d", id, s.ID(n), s.SelfSize(n), s.RetainedSize(n), id, size, size)
		}
	}
	if want := uint64(1<<32 - 1 + 1<<32 + 1<<53 + 1); s.TotalSize() != want {
		t.Errorf("TotalSize = %d, want %d", s.TotalSize(), want)
	}
	ids := s.Identities()
	for _, id := range []ObjectID{1, 1<<32 - 1, 1<<32 + 1, 1<<40 + 1} {
		if !ids.Has(id) {
			t.Errorf("Has(%d) = false", id)
		}
	}
	for _, id := range []ObjectID{3, 1<<32 - 2, 1 << 32, 1<<32 + 3} {
		if ids.Has(id) {
			t.Errorf("Has(%d) = true", id)
		}
	}
	if ids.MaxID() != 1<<40+1 {
		t.Errorf("MaxID = %d, want %d", ids.MaxID(), 1<<40+1)
	}
}

func TestReadRoot(t *testing.T) {
	last := strings.NewReplacer(`"node_count"`, `"root_index":10,"node_count"`, "0,0,1,0,2\n", "1,2,5,24,0\n", "1,2,5,24,0]", "0,0,1,0,2]",
		"0,7,10]", "0,7,0]").Replace(valid)
	s, err := read(last)
	if err != nil {
		t.Fatal(err)
	}
	if s.Root() != 2 || s.ID(s.Root()) != 1 || s.RetainedSize(s.Root()) != 40 || s.Dominator(0) != 2 {
		t.Errorf("Root, ID, RetainedSize, Dominator(0) = %d, %d, %d, %d, want 2, 1, 40, 2", s.Root(), s.ID(s.Root()), s.RetainedSize(s.Root()), s.Dominator(0))
	}
}

func TestReadUnknownTypes(t *testing.T) {
	s, err := read(strings.NewReplacer(`["synthetic","object"]`, `["synthetic","quantum object"]`, `["element","property"]`, `["element","entangled"]`).Replace(valid))
	if err != nil {
		t.Fatal(err)
	}
	if s.Type(1) != OtherNode || s.EdgeType(0) != OtherEdge {
		t.Errorf("Type, EdgeType = %v, %v, want %v, %v", s.Type(1), s.EdgeType(0), OtherNode, OtherEdge)
	}
	if s.EdgeName(0) != "next" || s.Dominator(1) != 0 {
		t.Errorf("EdgeName, Dominator = %q, %d, want next, 0: strong and named", s.EdgeName(0), s.Dominator(1))
	}
	warnings := strings.Join(s.Warnings(), "\n")
	if !strings.Contains(warnings, `"quantum object"`) || !strings.Contains(warnings, `"entangled"`) {
		t.Errorf("Warnings = %q", warnings)
	}
}

// Each row damages valid by one replacement. The offset is that of at, in the
// damaged text.
func TestReadErrors(t *testing.T) {
	tests := []struct {
		name, old, new string
		section, at    string
		want           string // part of the message
	}{
		{"not an object", `{"snapshot"`, `["snapshot"`, "header", `["snap`, `want the { of a heap snapshot's JSON, got '['`},
		{"text", `{"snapshot"`, `hello`, "header", "hello", `got 'h'`},
		{"another object", `"snapshot"`, `"profile"`, "header", `"profile"`, `a heap snapshot's key "snapshot" first`},
		{"meta is a list", `{"meta":`, `{"meta":[],"x":`, "header", `{"meta"`, "meta"},
		{"no field for ids", `"id",`, `"ids",`, "header", `{"meta"`, "node_fields: id"},
		{"no field for targets", `"to_node"`, `"to"`, "header", `{"meta"`, "edge_fields: to_node"},
		{"types are no list", `[["synthetic","object"],`, `["synthetic",`, "header", `{"meta"`, "meta.node_types"},
		{"no types", `[["element","property"],`, `[[],`, "header", `{"meta"`, "meta.edge_types"},
		{"no nodes", `"node_count":3`, `"node_count":0`, "header", `{"meta"`, "node_count above 0"},
		{"negative count", `"node_count":3`, `"node_count":-3`, "header", `{"meta"`, "node_count"},
		{"too many nodes", `"node_count":3`, `"node_count":4294967295`, "header", `{"meta"`, "4294967295 nodes"},
		{"root in the middle", `"node_count"`, `"root_index":5,"node_count"`, "header", "", "root_index"},
		{"more nodes than said", `"node_count":3`, `"node_count":2`, "nodes", "", "10 numbers"},
		{"fewer nodes than said", `"node_count":3`, `"node_count":4`, "nodes", "", "20 numbers"},
		{"more edges than said", `"edge_count":2}`, `"edge_count":1}`, "nodes", "", "edge count"},
		{"fewer edges than said", `"edge_count":2}`, `"edge_count":3}`, "nodes", "", "3, as the header says"},
		{"edge counts too low", "0,0,1,0,2\n", "0,0,1,0,1\n", "nodes", "", "add up to 2"},
		{"edge counts too high", ",1,1,3,16,0", ",1,1,3,16,1", "nodes", "", "add up to 2"},
		{"an edge too few", "\n,0,7,10]", "]", "edges", "", "6 numbers"},
		{"an edge too many", "0,7,10]", "0,7,10,0,8,10]", "edges", "", "6 numbers"},
		{"part of an edge", "0,7,10]", "0,7]", "edges", "", "6 numbers"},
		{"part of a node", "24,0]", "24]", "nodes", "", "15 numbers"},
		{"unknown node type", ",1,1,3,16,0", ",7,1,3,16,0", "nodes", "7,1,3", "a node type below 2, got 7"},
		{"unknown edge type", "0,7,10]", "9,7,10]", "edges", "9,7,10", "an edge type below 2, got 9"},
		{"target is no node", "0,7,10]", "0,7,15]", "edges", "15]", "below 15 that is a multiple of 5, got 15"},
		{"target inside a node", "0,7,10]", "0,7,11]", "edges", "11]", "multiple of 5, got 11"},
		{"target beyond 2^32", "0,7,10]", "0,7,42949672970]", "edges", "42949672970]", "got 42949672970"},
		{"index beyond 2^32", "0,7,10]", "0,4294967296,10]", "edges", "4294967296,", "below 2^32"},
		{"negative", ",1,1,3,16,0", ",1,1,3,-16,0", "nodes", "-16", "numbers with commas between"},
		{"fraction", ",1,1,3,16,0", ",1,1,3,1.6,0", "nodes", "1.6", "numbers with commas between"},
		{"exponent", "0,7,10]", "0,7e1,10]", "edges", "7e1", "numbers with commas between"},
		{"null", ",1,1,3,16,0", ",1,1,3,null,0", "nodes", "null", "numbers with commas between"},
		{"text among numbers", ",1,1,3,16,0", `,1,"1",3,16,0`, "nodes", `"1",3`, "numbers with commas between"},
		{"two commas", ",1,1,3,16,0", ",1,,3,16,0", "nodes", ",3,16", "numbers with commas between"},
		{"comma at the end", "24,0]", "24,0,]", "nodes", "", "numbers"},
		{"no comma", ",1,1,3,16,0", ",1,1,3 16,0", "nodes", "3 16", "numbers with commas between"},
		{"twenty digits", ",1,1,3,16,0", ",1,1,30000000000000000001,16,0", "nodes", "300000", "numbers with commas between"},
		{"nested numbers", "\"edges\":[1", "\"edges\":[[1", "edges", "[1,3", "numbers with commas between"},
		{"node's name is no string", ",1,2,5,24,0", ",1,4,5,24,0", "strings", "", "string 4"},
		{"edge's name is no string", "[1,3,5", "[1,4,5", "strings", "", "string 4"},
		{"name beyond 2^32", ",1,1,3,16,0", ",1,4294967296,3,16,0", "nodes", "4294967296", "the number of a string"},
		{"locations of another size", "[5,9,11,13]", "[5,9,11,13,5]", "locations", "", "rows of 4"},
		{"location with text", "[5,9,11,13]", "[5,9,x,13]", "locations", "x,13", "numbers with commas between"},
		{"edges first", `"nodes":[`, `"edges":[],"nodes":[`, "edges", "[]", "the nodes before the edges"},
		{"no nodes section", `"nodes"`, `"knots"`, "edges", "", "the nodes before the edges"},
		{"no edges section", `"edges"`, `"hedges"`, "edges", "", "this section"},
		{"no strings section", `"strings"`, `"things"`, "strings", "", "this section"},
		{"strings are an object", `["","A"`, `{"","A"`, "strings", `{"",`, "want '['"},
		{"a string without quotes", `"B"`, `B`, "strings", `B,"next`, "a string in double quotes"},
		{"no comma between strings", `"A","B"`, `"A" "B"`, "strings", `"B"`, "a comma"},
		{"a key without quotes", `"edges"`, `edges`, "end", "edges:", "a key in double quotes"},
		{"no colon", `"edges":`, `"edges"`, "end", "[1,3", "':'"},
		{"no comma between sections", "24,0],", "24,0]", "end", `"edges"`, "','"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(valid, test.old) != 1 {
				t.Fatalf("%q is in valid %d times", test.old, strings.Count(valid, test.old))
			}
			text := strings.Replace(valid, test.old, test.new, 1)
			_, err := read(text)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("Read = %v, want a SyntaxError", err)
			}
			if syntax.Section != test.section || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read = %q in section %q, want %q in %q", err, syntax.Section, test.want, test.section)
			}
			if test.at != "" && syntax.Offset != int64(strings.Index(text, test.at)) {
				t.Errorf("Offset = %d: %.10q, want %d: %.10q", syntax.Offset, text[syntax.Offset:], strings.Index(text, test.at), test.at)
			}
			if errors.Is(err, ErrTruncated) {
				t.Errorf("Read = %q is ErrTruncated, though the text is whole", err)
			}
			if _, slow := Read(context.Background(), iotest.OneByteReader(strings.NewReader(text)), Options{}); fmt.Sprint(slow) != err.Error() {
				t.Errorf("Read byte by byte = %q, want %q", slow, err)
			}
		})
	}
}

// Whatever is cut off, the error says that the input ends too early, and where.
func TestReadTruncated(t *testing.T) {
	whole := strings.TrimSpace(valid)
	for n := range len(whole) {
		_, err := read(whole[:n])
		var syntax *SyntaxError
		if !errors.Is(err, ErrTruncated) || !errors.As(err, &syntax) {
			t.Fatalf("Read(%d bytes, up to %q) = %v, want ErrTruncated and a SyntaxError", n, whole[max(0, n-20):n], err)
		}
		// In the middle of a key it is the key's place.
		if syntax.Offset > int64(n) || syntax.Offset < int64(n-len(`"locations"`)) {
			t.Errorf("Read(%d bytes).Offset = %d", n, syntax.Offset)
		}
	}
	for _, test := range []struct{ end, section string }{
		{"", "header"},
		{`{"snap`, "header"},
		{`"node_count":`, "header"},
		{`"edge_count":2}`, "nodes"},
		{`"nodes":`, "nodes"},
		{"0,0,1", "nodes"},
		{"0,0,1,", "nodes"},
		{"24,0]", "edges"},
		{`"edges":[1,3`, "edges"},
		{"7,10]", "strings"}, // locations may be missing
		{`"locations":[5,9`, "locations"},
		{`"locations":[5,9,11,13],`, "strings"},
		{`"strings":["`, "strings"},
		{`"strings":["","A`, "strings"},
		{`"B",`, "strings"},
		{`"next"]`, "}"},
	} {
		_, err := read(valid[:strings.Index(valid, test.end)+len(test.end)])
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Section != test.section {
			t.Errorf("Read(... %s) = %v, want one in section %q", test.end, err, test.section)
		}
	}
	for _, text := range []string{"", " \n"} {
		if _, err := read(text); !errors.Is(err, ErrTruncated) {
			t.Errorf("Read(%q) = %v, want ErrTruncated", text, err)
		}
	}
}

// A reader's own error comes back as it is, not as a fault of the text.
func TestReadReaderError(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, n := range []int{0, 10, 300, len(valid) - 10} {
		_, err := Read(context.Background(), io.MultiReader(strings.NewReader(valid[:n]), iotest.ErrReader(broken)), Options{})
		if !errors.Is(err, broken) || errors.Is(err, ErrTruncated) {
			t.Errorf("Read(%d bytes, then an error) = %v, want the reader's", n, err)
		}
	}
	_, err := Read(context.Background(), readerFunc(func([]byte) (int, error) { return 0, nil }), Options{})
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Read of a reader that gives nothing = %v, want %v", err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadCancelled(t *testing.T) {
	gone := errors.New("nobody waits any more")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	if _, err := Read(ctx, strings.NewReader(valid), Options{}); !errors.Is(err, gone) {
		t.Errorf("Read = %v, want the cause of the cancellation", err)
	}
}

// Counts that cannot fit are refused before memory is taken for them.
func TestReadHugeCounts(t *testing.T) {
	for _, huge := range []string{`"node_count":4000000000,"edge_count":2}`, `"node_count":3,"edge_count":4000000000}`} {
		text := strings.Replace(valid, `"node_count":3,"edge_count":2}`, huge, 1)
		var err error
		bytes := testing.AllocsPerRun(1, func() {
			_, err = Read(context.Background(), strings.NewReader(text), Options{Size: int64(len(text))})
		})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Section != "header" {
			t.Errorf("Read with %s = %v, want a SyntaxError in the header (%v allocations)", huge, err, bytes)
		}
	}
}

// Where the size is not known, memory is taken for what was read and not for
// what the header promises.
func TestReadHugeCountsOfUnknownSize(t *testing.T) {
	dir := t.TempDir()
	for _, huge := range []string{
		`"node_count":4294967294,"edge_count":2}`, `"node_count":2147483648,"edge_count":4294967294}`, `"node_count":3,"edge_count":4294967294}`,
	} {
		text := strings.Replace(valid, `"node_count":3,"edge_count":2}`, huge, 1)
		// The nodes agree that there are as many edges, where the nodes are there.
		promised := strings.Replace(text, `"nodes":[0,0,1,0,2`, `"nodes":[0,0,1,0,4294967294`, 1)
		for name, data := range map[string][]byte{
			"a.gz": gzipped(t, text), "a.zst": zstandard(t, text), "b.gz": gzipped(t, promised), "b.zst": zstandard(t, promised), "-": []byte(text),
		} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			for what, open := range map[string]func() error{
				"Open": func() error {
					if name == "-" {
						_, err := Read(t.Context(), bytes.NewReader(data), Options{})
						return err
					}
					_, err := Open(t.Context(), path, Options{})
					return err
				},
				"OpenIdentities": func() error {
					if name == "-" {
						_, err := ReadIdentities(t.Context(), bytes.NewReader(data), Options{})
						return err
					}
					_, err := OpenIdentities(t.Context(), path, Options{})
					return err
				},
			} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := open()
				runtime.ReadMemStats(&after)
				var syntax *SyntaxError
				nodesFit := strings.Contains(huge, `"node_count":3,`)
				if what == "OpenIdentities" && nodesFit {
					if err != nil { // it does not look at the edges
						t.Errorf("%s of %s with %s = %v", what, name, huge, err)
					}
				} else if !errors.As(err, &syntax) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s of %s with %s = %v, want a SyntaxError in one line", what, name, huge, err)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 48<<20 {
					t.Errorf("%s of %s with %s took %d bytes", what, name, huge, took)
				}
			}
		}
	}
}

// Columns that grow hold what columns made at once hold.
func TestReadInSteps(t *testing.T) {
	defer func(rows int) { firstRows = rows }(firstRows)
	data := mustGolden(t)
	for _, firstRows = range []int{1, 7, 1000, 20000} {
		got, err := Read(t.Context(), bytes.NewReader(data), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := modelOf(got).difference(modelOf(mustRead(t, data))); diff != "" {
			t.Errorf("from %d rows: %s", firstRows, diff)
		}
		r := rand.New(rand.NewPCG(9, uint64(firstRows)))
		for range 100 {
			m := randomModel(r)
			got, err := Read(t.Context(), iotest.HalfReader(bytes.NewReader(m.write())), Options{})
			if err != nil {
				t.Fatal(err)
			}
			read := modelOf(got)
			read.textNumber = m.textNumber
			if diff := read.difference(m); diff != "" {
				t.Fatalf("from %d rows: %s", firstRows, diff)
			}
		}
	}
	large, _ := large(t)
	firstRows = 10
	if diff := modelOf(mustRead(t, large)).difference(modelOf(readUnsized(t, large))); diff != "" {
		t.Error(diff)
	}
}

func readUnsized(t *testing.T, data []byte) *Snapshot {
	t.Helper()
	s, err := Read(t.Context(), bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReadProgress(t *testing.T) {
	var calls []int64
	s := strings.Repeat(" ", 3*blockSize) + valid
	_, err := Read(context.Background(), strings.NewReader(s), Options{Progress: func(read int64) { calls = append(calls, read) }})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(calls) || len(calls) < 4 || calls[len(calls)-1] != int64(len(s)) {
		t.Errorf("Progress was told %d, want a rise to %d", calls, len(s))
	}
}

// large is a snapshot of several blocks in every section but the header, with
// numbers of all lengths; nodes are objects in a ring with extra edges.
func large(tb testing.TB) ([]byte, *strings.Builder) {
	tb.Helper()
	const nodes = 120_000
	var b, want strings.Builder
	fmt.Fprintf(&b, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],`+
		`"node_types":[["synthetic","object"],"string","number","number","number","number","number"],`+
		`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property"],"string_or_number","node"],`+
		`"location_fields":["object_index","script_id","line","column"]},"node_count":%d,"edge_count":%d},`+"\n", nodes, 2*nodes)
	id := func(i int) uint64 { return uint64(i)*uint64(i)*7 + 1 }
	size := func(i int) uint64 { return uint64(1) << (i % 45) }
	to := func(i, k int) int { return (i*(7*k+1) + k + 1) % nodes }
	want.WriteString("root 0\n")
	var edges, locations, names strings.Builder
	for i := range nodes {
		kind := min(i, 1)
		fmt.Fprintf(&b, "%s%d,%d,%d,%d,2,0,0\n", head(i, "\"nodes\":["), kind, i, id(i), size(i))
		fmt.Fprintf(&edges, "%s0,%d,%d\n,1,%d,%d\n", head(i, "\"edges\":["), i*35_000, to(i, 0)*7, to(i, 1), to(i, 1)*7)
		fmt.Fprintf(&locations, "%s%d,%d,%d,%d\n", head(i, "\"locations\":["), i*7, i%100, i/3, i%77)
		fmt.Fprintf(&names, "%s\"name of %d: \\\"\\u00e9\\\\\"\n", head(i, "\"strings\":["), i)
		fmt.Fprintf(&want, "@%d %s %q %d at %d:%d:%d: element %d -> @%d, property name of %d: \"é\\ -> @%d\n", id(i), []string{"synthetic", "object"}[kind],
			fmt.Sprintf("name of %d: \"é\\", i), size(i), i%100, i/3+1, i%77+1, i*35_000, id(to(i, 0)), to(i, 1), id(to(i, 1)))
	}
	fmt.Fprintf(&b, "],\n%s],\n%s],\n%s]}\n", &edges, &locations, &names)
	return []byte(b.String()), &want
}

func head(i int, first string) string {
	if i == 0 {
		return first
	}
	return ","
}

func TestReadLarge(t *testing.T) {
	data, want := large(t)
	if len(data) < 10*blockSize {
		t.Fatalf("the text has %d bytes only", len(data))
	}
	for _, r := range []struct {
		name string
		r    io.Reader
	}{
		{"at once", bytes.NewReader(data)},
		{"half of what is asked for", iotest.HalfReader(bytes.NewReader(data))},
		{"end with the last bytes", iotest.DataErrReader(bytes.NewReader(data))},
		{"odd pieces", readerFunc(pieces(bytes.NewReader(data), 4099))},
	} {
		t.Run(r.name, func(t *testing.T) {
			s, err := Read(context.Background(), r.r, Options{})
			if err != nil {
				t.Fatal(err)
			}
			diffLines(t, columns(s), want.String())
		})
	}
}

func pieces(r io.Reader, n int) func(p []byte) (int, error) {
	return func(p []byte) (int, error) { return r.Read(p[:min(n, len(p))]) }
}

// diffLines reports the first line that differs.
func diffLines(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("line %d of %d = %q, want %q", i, len(g), g[i], w[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(g), len(w))
}

// An error far inside the text has the right place too.
func TestReadLargeErrorOffset(t *testing.T) {
	data, _ := large(t)
	for _, section := range []string{"nodes", "edges", "locations"} {
		start := bytes.Index(data, []byte(`"`+section+`"`))
		at := start + bytes.IndexByte(data[start+2_000_000:], ',') + 2_000_000 + 1
		damaged := slices.Clone(data)
		damaged[at] = 'x'
		_, err := Read(context.Background(), bytes.NewReader(damaged), Options{})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Section != section || syntax.Offset != int64(at) {
			t.Errorf("Read = %v, want an error in %s at byte %d", err, section, at)
		}
	}
}

// FuzzRead: no input makes Read panic, and what it accepts can be asked
// everything. Small reads give the same answer.
func FuzzRead(f *testing.F) {
	f.Add([]byte(valid))
	f.Add(bytes.Replace(textgraph.Snapshot(f, `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global" 16: property a -> @7, internal map -> @9
@5 synthetic "(GC roots)": element 1 -> @11, weak x -> @7
@7 object "Object" 24 at 3:4:5: property x -> @3, property y -> @13, element 3 -> @7
@9 hidden "system / Map" 80: internal "1 / part of key (A @7) -> value (B @13) pair in WeakMap (table @9)" -> @13
@11 native "Node / Thing" 8 detached: property z -> @15
@13 concatenated string "ab" 32: internal first -> @15, internal second -> @13
@15 string "LONE <div class=x>" 16
`), []byte("LONE"), []byte(`\ud800`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		opts := Options{Size: int64(len(data))}
		s, err := Read(context.Background(), bytes.NewReader(data), opts)
		slow, slowErr := Read(context.Background(), iotest.OneByteReader(bytes.NewReader(data)), opts)
		var syntax, slowSyntax *SyntaxError
		if errors.As(err, &syntax) != errors.As(slowErr, &slowSyntax) ||
			err != nil && (syntax.Section != slowSyntax.Section || syntax.Offset != slowSyntax.Offset) {
			t.Fatalf("Read = %v, byte by byte %v", err, slowErr)
		}
		ids, idsErr := ReadIdentities(context.Background(), bytes.NewReader(data), opts)
		if err != nil {
			return
		}
		if idsErr != nil {
			t.Fatalf("ReadIdentities = %v, Read had no error", idsErr)
		}
		if ids.Count() != s.NodeCount() {
			t.Fatalf("Identities.Count = %d, NodeCount = %d", ids.Count(), s.NodeCount())
		}
		if a, b := columns(s), columns(slow); a != b {
			t.Fatalf("columns =\n%s\nbyte by byte\n%s", a, b)
		}
		askEverything(t, s)
	})
}

// FuzzReadSections keeps the header whole, so that the sections are reached.
func FuzzReadSections(f *testing.F) {
	f.Add(uint32(3), uint32(2), "0,0,1,0,2\n,1,1,3,16,0\n,1,2,5,24,0", "1,3,5\n,0,7,10", "5,9,11,13", `"","A","B","next"`)
	f.Add(uint32(1), uint32(0), "0,0,1,18446744073709551615,0", "", "", `"\ud83d\\"`)
	f.Fuzz(func(t *testing.T, nodes, edges uint32, nodeRows, edgeRows, locations, names string) {
		text := fmt.Sprintf("%s\"node_count\":%d,\"edge_count\":%d},\"nodes\":[%s],\"edges\":[%s],\"locations\":[%s],\"strings\":[%s]}",
			valid[:strings.Index(valid, `"node_count"`)], nodes, edges, nodeRows, edgeRows, locations, names)
		s, err := Read(context.Background(), strings.NewReader(text), Options{Size: int64(len(text))})
		if err == nil {
			askEverything(t, s)
			return
		}
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > int64(len(text)) {
			t.Fatalf("Read = %v, want a SyntaxError within %d bytes", err, len(text))
		}
	})
}

// askEverything fails the test if answers contradict each other.
func askEverything(t *testing.T, s *Snapshot) {
	edges := Edge(0)
	var retained uint64
	for i := range s.NodeCount() {
		n := Node(i)
		first, end := s.EdgeRange(n)
		if first != edges || end < first {
			t.Fatalf("EdgeRange(%d) = %d, %d, want a range from %d", n, first, end, edges)
		}
		edges = end
		for e := range s.Edges(n) {
			if int(s.To(e)) >= s.NodeCount() {
				t.Fatalf("To(%d) = %d of %d nodes", e, s.To(e), s.NodeCount())
			}
			s.Strong(n, e)
		}
		s.Name(n)
		s.ClassName(n)
		s.Location(n)
		s.Distance(n)
		s.Population(n)
		s.Script(n)
		if s.Dominator(n) == s.Root() && n != s.Root() {
			retained += s.RetainedSize(n)
		}
	}
	if int(edges) != s.EdgeCount() {
		t.Fatalf("nodes have %d edges, EdgeCount = %d", edges, s.EdgeCount())
	}
	if retained += s.SelfSize(s.Root()); retained != s.RetainedSize(s.Root()) && retained < math.MaxUint64/4 {
		t.Fatalf("RetainedSize(root) = %d, its parts have %d", s.RetainedSize(s.Root()), retained)
	}
	s.Aggregates()
	s.Statistics()
	s.Mode()
	s.Scripts()
	s.Paths(nil)
	if !s.Identities().SameProcess(s) {
		t.Fatal("a snapshot is not of the same process as itself")
	}
}

// A block ends after 1 MiB of input: with more or less white space in front,
// that is at every byte of the snapshot once.
func TestReadBlockBorders(t *testing.T) {
	for cut := 1; cut < len(valid); cut++ {
		s, err := read(strings.Repeat(" ", blockSize-cut) + valid)
		if err != nil {
			t.Fatalf("a block ends between %q and %q: %v", valid[max(0, cut-20):cut], valid[cut:min(len(valid), cut+20)], err)
		}
		if got := columns(s); got != validColumns {
			t.Fatalf("a block ends between %q and %q: columns =\n%s\nwant\n%s", valid[max(0, cut-20):cut], valid[cut:min(len(valid), cut+20)], got, validColumns)
		}
	}
}

// A place in the middle of white space is where the number is, not the space.
func TestReadErrorOffsetBehindSpace(t *testing.T) {
	text := strings.Replace(valid, `"nodes":[0,0`, "\"nodes\":[ \n\t x,0", 1)
	_, err := read(text)
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset != int64(strings.Index(text, "x,0")) {
		t.Errorf("Read = %v, want an error at byte %d", err, strings.Index(text, "x,0"))
	}
}

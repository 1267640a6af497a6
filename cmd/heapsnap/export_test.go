package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
	"heapsnap/internal/textgraph"
	"heapsnap/report"
)

// hostileGraph is a heap with every column set, and names that a table has to
// survive: quotes, a line break, a control, half a surrogate pair.
const hostileGraph = `
@1 synthetic "": shortcut global -> @3, element 1 -> @9
@3 object "global" 16: property sessions -> @5, property "a,b" -> @11, weak w -> @7
@5 object "Session" 32 at 4:9:1: property "say hi" -> @7, element 7 -> @11
@7 closure "onMessage" 64 detached at 4:12:5
@9 synthetic "(GC roots)": element 2 -> @13
@11 string "QUOTES BREAK ESC HALF" 24
@13 hidden "system / Thing" 8: hidden 3 -> @11
@15 object "unreachable" 8
`

// writeGraph writes a text graph as a snapshot, with hostile characters put
// into its strings.
func writeGraph(t *testing.T, dir, name, text string) string {
	t.Helper()
	data := strings.NewReplacer("QUOTES", `\"quoted\"`, "BREAK", `two\nlines`, "ESC", `\u001b[31m`, "HALF", `\ud83d`).
		Replace(string(textgraph.Snapshot(t, text)))
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nodeSnapshot lets the newest Node write a snapshot after it ran a program.
func nodeSnapshot(t *testing.T, dir, name, program string) string {
	t.Helper()
	all := nodes.All(t)
	path := filepath.Join(dir, name)
	cmd := exec.Command(all[len(all)-1].Path, "-e", program+"\nrequire('node:v8').writeHeapSnapshot("+strconv.Quote(path)+");")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// slowTables computes the tables with the library alone, as text: "" is a
// missing value.
func slowTables(s *heapsnap.Snapshot) map[string][][]string {
	of := map[string][][]string{
		"nodes": {{"id", "type", "name", "class", "self_size", "retained_size", "distance", "dominator_id", "detachedness",
			"edge_count", "script", "line", "column"}},
		"edges":   {{"from_id", "type", "name_or_index", "to_id"}},
		"classes": {{"class", "count", "shallow_size", "retained_size", "distance", "script", "line", "column"}},
		"strings": {{"index", "length", "nodes", "edges", "value"}},
	}
	add := func(table string, cells ...any) {
		var row []string
		for _, c := range cells {
			l, ok := c.(*heapsnap.Location)
			switch {
			case !ok:
				row = append(row, fmt.Sprint(c))
			case l == nil:
				row = append(row, "", "", "")
			case l.Script == "":
				row = append(row, fmt.Sprintf("(script %d)", l.ScriptID), fmt.Sprint(l.Line), fmt.Sprint(l.Column))
			default:
				row = append(row, l.Script, fmt.Sprint(l.Line), fmt.Sprint(l.Column))
			}
		}
		of[table] = append(of[table], row)
	}
	named, edges := map[string]int{}, map[string]int{}
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		named[s.RawName(n)]++
		count := 0
		for e := range s.Edges(n) {
			count++
			if _, indexed := s.EdgeIndex(e); !indexed {
				edges[s.EdgeName(e)]++
			}
			add("edges", s.ID(n), s.EdgeType(e), s.EdgeName(e), s.ID(s.To(e)))
		}
		add("nodes", s.ID(n), s.Type(n), s.Name(n), s.ClassName(n), s.SelfSize(n), s.RetainedSize(n), s.Distance(n),
			s.ID(s.Dominator(n)), s.Detachedness(n), count, s.Location(n))
	}
	for _, c := range s.Aggregates() {
		add("classes", c.Class, c.Count, c.Shallow, c.Retained, c.Distance, c.Location)
	}
	for i, text := range s.Strings() {
		add("strings", i, heapsnap.UTF16Len(text), named[text], edges[text], text)
	}
	return of
}

// exportRows runs the command and reads its table back.
func exportRows(t *testing.T, dir, file, table, format string) [][]string {
	t.Helper()
	r := heapsnapIn(t, dir, nil, "export", file, "--table", table, "--format", format)
	if r.code != exitClean || r.errors != "" {
		t.Fatalf("export --table %s --format %s: code %d, stderr %q", table, format, r.code, r.errors)
	}
	if format == "csv" {
		rows, err := csv.NewReader(strings.NewReader(r.out)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	var rows [][]string
	lines := bufio.NewScanner(strings.NewReader(r.out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		d := json.NewDecoder(strings.NewReader(lines.Text()))
		d.UseNumber()
		var keys, row []string
		for inside := false; ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, lines.Text())
			}
			if _, ok := token.(json.Delim); ok {
				continue
			}
			if inside = !inside; inside {
				keys = append(keys, token.(string))
			} else if token == nil {
				row = append(row, "")
			} else {
				row = append(row, fmt.Sprint(token))
			}
		}
		if rows == nil {
			rows = append(rows, keys)
		} else if !slices.Equal(keys, rows[0]) {
			t.Fatalf("the keys are %q, want %q in %s", keys, rows[0], lines.Text())
		}
		rows = append(rows, row)
	}
	return rows
}

// compareTables compares every table in both formats with what the library
// says; read tells how a text comes back from a format.
func compareTables(t *testing.T, dir, file string, read map[string]func(string) string) {
	t.Helper()
	s, err := heapsnap.Open(t.Context(), filepath.Join(dir, file), heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range slowTables(s) {
		for format, text := range read {
			got := exportRows(t, dir, file, table, format)
			if len(got) != len(want) {
				t.Errorf("%s as %s: %d rows, want %d", table, format, len(got), len(want))
				continue
			}
			for i := range want {
				row := slices.Clone(want[i])
				for j := range row {
					row[j] = text(row[j])
				}
				if !slices.Equal(got[i], row) {
					t.Fatalf("%s as %s, row %d = %q, want %q", table, format, i, got[i], row)
				}
			}
		}
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "hostile.heapsnapshot", hostileGraph)
	half := func(as string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, "\xed\xa0\xbd", as) }
	}
	compareTables(t, dir, "hostile.heapsnapshot", map[string]func(string) string{
		"csv":    func(s string) string { return strings.ReplaceAll(half(`\ud83d`)(s), "\x1b", `\u001b`) },
		"ndjson": half("\ufffd"),
	})
	r := heapsnapIn(t, dir, nil, "export", "hostile.heapsnapshot")
	const want = `id,type,name,class,self_size,retained_size,distance,dominator_id,detachedness,edge_count,script,line,column
1,synthetic,"",(synthetic),0,152,100000000,1,0,2,,,
3,object,global,global,16,136,1,1,0,3,,,
5,object,Session,Session,32,96,2,3,0,2,(script 4),9,1
7,closure,onMessage,Function,64,64,3,5,2,0,(script 4),12,5
9,synthetic,(GC roots),(synthetic),0,8,100000001,1,0,1,,,
11,string,"""quoted"" two
lines \u001b[31m \ud83d",(string),24,24,2,3,0,0,,,
13,hidden,system / Thing,(system),8,8,100000002,9,0,1,,,
15,object,unreachable,unreachable,8,8,-5,1,0,0,,,
`
	if r.code != exitClean || r.out != want {
		t.Errorf("export: code %d, stderr %q, stdout\n%s\nwant\n%s", r.code, r.errors, r.out, want)
	}
	r = heapsnapIn(t, dir, nil, "export", "hostile.heapsnapshot", "--table", "edges", "--format", "ndjson")
	for _, line := range []string{
		`{"from_id":1,"type":"shortcut","name_or_index":"global","to_id":3}`, `{"from_id":1,"type":"element","name_or_index":1,"to_id":9}`,
		`{"from_id":5,"type":"element","name_or_index":7,"to_id":11}`, `{"from_id":13,"type":"hidden","name_or_index":3,"to_id":11}`,
	} {
		if !strings.Contains(r.out, line+"\n") {
			t.Errorf("no line %s in\n%s", line, r.out)
		}
	}
}

func TestExportToFiles(t *testing.T) {
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", hostileGraph)
	want := heapsnapIn(t, dir, nil, "export", "a.heapsnapshot", "--table", "edges").out
	for _, name := range []string{"edges.csv", "edges.csv.gz", "edges.csv.zst"} {
		if r := heapsnapIn(t, dir, nil, "export", "a.heapsnapshot", "--table", "edges", "-o", name); r.code != exitClean || r.out != "" {
			t.Errorf("-o %s: code %d, stdout %q, stderr %q", name, r.code, r.out, r.errors)
			continue
		}
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var in io.Reader = f
		switch filepath.Ext(name) {
		case ".gz":
			in, err = gzip.NewReader(f)
		case ".zst":
			in, err = zstd.NewReader(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(in); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v, want %q", name, got, err, want)
		}
	}
	// A bad snapshot leaves nothing behind, and the path is tried before it is read.
	for _, args := range []string{"export none.heapsnapshot -o x.csv", "export a.heapsnapshot -o none/x.csv"} {
		if r := heapsnapIn(t, dir, nil, strings.Fields(args)...); r.code != exitUsage {
			t.Errorf("%s: code %d", args, r.code)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "x.csv*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExportOfNode(t *testing.T) {
	dir := t.TempDir()
	nodeSnapshot(t, dir, "node.heapsnapshot", `
class Session { constructor(i) { this.name = 'session ' + i; this.plain = {x: [], y: this}; } }
globalThis.sessions = Array.from({length: 50}, (_, i) => new Session(i));`)
	var pairs []string
	for c := range 0x20 {
		if c != '\t' && c != '\n' && c != '\r' {
			pairs = append(pairs, string(rune(c)), fmt.Sprintf(`\u%04x`, c))
		}
	}
	for c := 0x7f; c < 0xa0; c++ {
		pairs = append(pairs, string(rune(c)), fmt.Sprintf(`\u%04x`, c))
	}
	for c := 0xd800; c < 0xe000; c++ {
		pairs = append(pairs, string([]byte{0xed, byte(0x80 | c>>6&0x3f), byte(0x80 | c&0x3f)}), fmt.Sprintf(`\u%04x`, c))
	}
	escape := strings.NewReplacer(append(pairs, "\r\n", "\n")...)
	lone := func(s string) string {
		var b strings.Builder
		for s != "" {
			if s[0] == 0xed && len(s) >= 3 && s[1] >= 0xa0 {
				b.WriteString("\ufffd")
				s = s[3:]
				continue
			}
			b.WriteByte(s[0])
			s = s[1:]
		}
		return b.String()
	}
	compareTables(t, dir, "node.heapsnapshot", map[string]func(string) string{"csv": escape.Replace, "ndjson": lone})
}

func TestExportUsage(t *testing.T) {
	dir := inputs(t)
	for _, c := range []struct{ args, says string }{
		{"export", "FILE is missing"},
		{"export good.heapsnapshot --table frob", "--table frob: there is no such table: it is one of nodes, edges, classes, strings"},
		{"export good.heapsnapshot --format xml", `format "xml" is unknown: it is one of csv, ndjson`},
		{"export text.heapsnapshot", "text.heapsnapshot: "},
		{"export truncated.heapsnapshot -o x.csv", "cut short"},
		{"export good.heapsnapshot -o folder", "is a directory"},
	} {
		r := heapsnapIn(t, dir, nil, strings.Fields(c.args)...)
		if r.code != exitUsage || r.out != "" || strings.Count(r.errors, "\n") != 1 || !strings.Contains(r.errors, c.says) {
			t.Errorf("heapsnap %s: code %d, stdout %q, stderr %q, want %q", c.args, r.code, r.out, r.errors, c.says)
		}
	}
}

// A table of any size is written with the same few allocations.
func TestExportAllocatesNothingPerRow(t *testing.T) {
	dir := t.TempDir()
	path := writeGraph(t, dir, "a.heapsnapshot", `
@1 synthetic "": shortcut global -> @3, element 1 -> @90003+2*j j<3000
@3 object "global": property list -> @50001, property plain -> @10001+2*j j<6000, property rope -> @30001
@10001+2*i i<6000 object "Object" 24 at 7:3:1: property name -> @50001, property "two words" -> @50003, property QUOTES -> @50001, property BREAK -> @50003, property b -> @3
@30001 concatenated string "(concatenated string)" 8: internal first -> @50001, internal second -> @50003
@50001 string "text BREAK HALF" 40
@50003 string "QUOTES" 40
@90003+2*i i<3000 closure "f" 8 at 4:20:3
`)
	s, err := heapsnap.Open(t.Context(), path, heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{out: io.Discard, err: io.Discard}
	for _, table := range tables[:2] {
		for _, f := range []report.Format{report.CSV, report.NDJSON} {
			write := func() {
				if err := a.writeTable(t.Context(), s, io.Discard, table, f); err != nil {
					t.Fatal(err)
				}
			}
			write() // what is computed once
			if n := testing.AllocsPerRun(3, write); n > 100 {
				t.Errorf("%s as %s: %v allocations for %d objects and %d references", table.name, f, n, s.NodeCount(), s.EdgeCount())
			}
		}
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/heapsnap"
	"heapsnap/report"
)

// A table is what export writes of a snapshot. rows calls tick at the end of
// every row and stops at its error.
type table struct {
	name    string
	columns []column
	count   func(s *heapsnap.Snapshot) int // of rows, for progress; nil if that is not known
	rows    func(s *heapsnap.Snapshot, out rowWriter, tick func() error) error
}

// A column of a table holds texts or whole numbers.
type column struct {
	name     string
	text     bool
	optional bool // it may be missing
}

func numbers(name string) column { return column{name: name} }
func texts(name string) column   { return column{name: name, text: true} }

// placed are the columns that function place writes.
func placed(columns ...column) []column {
	return append(columns, column{"script", true, true}, column{"line", false, true}, column{"column", false, true})
}

// A rowWriter takes a row's values in the order of the columns.
type rowWriter interface {
	Uint(uint64)
	Int(int64)
	Text(string)
	Bytes([]byte)
	Null()
	EndRow()
	Err() error
	Flush() error
}

// formatPprof is no table, but the heap as a profile by who keeps it alive.
const formatPprof = "pprof"

// maxPprofPaths bounds a profile, and what reading it takes: some 20 MB.
const maxPprofPaths = 200_000

// writePprof writes what objects retain, by class and the classes that keep them.
func writePprof(s *heapsnap.Snapshot, w io.Writer, gzipped bool) error {
	paths, folded := s.RetainedPaths(maxPprofPaths)
	r := &report.Retained{Comments: []string{"heapsnap: shallow sizes by class; callers are the classes that keep them alive"}}
	if folded > 0 {
		r.Comments = append(r.Comments, fmt.Sprintf("heapsnap: %d light paths are added to those that keep them", folded))
	}
	for _, p := range paths {
		r.Paths = append(r.Paths, report.RetainedPath(p))
	}
	return report.WritePprof(w, r, gzipped)
}

// formatParquet is a file for databases: DuckDB, ClickHouse, Spark, pandas.
const formatParquet = "parquet"

var tables = []table{
	{
		"nodes",
		placed(numbers("id"), texts("type"), texts("name"), texts("class"), numbers("self_size"), numbers("retained_size"),
			numbers("distance"), numbers("dominator_id"), numbers("detachedness"), numbers("edge_count")),
		(*heapsnap.Snapshot).NodeCount, nodeRows,
	},
	{
		"edges", []column{numbers("from_id"), texts("type"), texts("name_or_index"), numbers("to_id")},
		(*heapsnap.Snapshot).EdgeCount, edgeRows,
	},
	{
		"classes",
		placed(texts("class"), numbers("count"), numbers("shallow_size"), numbers("retained_size"), numbers("distance")),
		nil, classRows,
	},
	{
		"strings", []column{numbers("index"), numbers("length"), numbers("nodes"), numbers("edges"), texts("value")},
		(*heapsnap.Snapshot).StringCount, stringRows,
	},
}

func tableNames() []string {
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
	}
	return names
}

func newExport(a *app) *cobra.Command {
	var name, format, path string
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "A snapshot as a table: CSV, NDJSON or Parquet for databases and scripts",
		Long: `Write a heap snapshot as a table, row by row: no table is held in memory.

  nodes    the objects in file order: id, type, name, class, self_size,
           retained_size, distance, dominator_id, detachedness, edge_count,
           script, line, column
  edges    the references, by the object that has them: from_id, type,
           name_or_index, to_id
  classes  by retained size: class, count, shallow_size, retained_size,
           distance, script, line, column
  strings  the file's table of names and texts: index, length (in UTF-16
           units), nodes and edges (how many it names), value

Figures are DevTools': sizes in bytes, V8's own storage counted with the object
that alone holds it; distance 100000000 and more is reached from V8's roots
only, -5 from nothing; detachedness is 0 unknown, 1 attached, 2 detached. The
root is its own dominator. Lines and columns count from 1 and are those of a
closure, or of an object's constructor; a script that no closure in the heap
names is (script 12), by V8's number. Elements and hidden references have a
number for a name.

CSV is RFC 4180 with \n as line end: text may contain line breaks, in quotes.
Controls and halves of surrogate pairs are \u and four digits there. NDJSON is
exact: one object a line with the columns as keys, null for what is missing.
Parquet is compressed in itself (zstd); names and indexes of edges are texts
there, as in CSV. Queries for DuckDB and ClickHouse are in deploy/queries.

With --format pprof it is no table but a profile for go tool pprof: by class, flat
is what its objects have and cum what they retain, and callers are the classes
that keep them alive. Two of them compare: go tool pprof -diff_base.`,
		Example: `  heapsnap export app.heapsnapshot --table nodes -o nodes.csv.gz
  heapsnap export app.heapsnapshot --table edges --format ndjson | jq -c 'select(.type == "weak")'
  heapsnap export app.heapsnapshot --format parquet -o nodes.parquet
  heapsnap export app.heapsnapshot --format pprof -o heap.pb.gz && go tool pprof -http : heap.pb.gz
  duckdb -c "select class, sum(self_size) from 'nodes.csv.gz' group by 1 order by 2 desc"`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := slices.IndexFunc(tables, func(t table) bool { return t.name == name })
			if at < 0 {
				return usagef("--table %s: there is no such table: it is one of %s", name, strings.Join(tableNames(), ", "))
			}
			f := report.Format(format)
			if f != report.CSV && f != report.NDJSON && f != formatParquet && f != formatPprof {
				return usagef("format %q is unknown: it is one of %s, %s, %s, %s", format, report.CSV, report.NDJSON, formatParquet, formatPprof)
			}
			if (f == formatParquet || f == formatPprof) && path == "-" && a.width > 0 {
				return usageError{fmt.Errorf("export --format %s: %w", f, errNotTerminal)}
			}
			if f == formatPprof && cmd.Flags().Changed("table") {
				return usagef("export --format pprof: it is no table, leave --table out")
			}
			return a.export(cmd.Context(), args[0], tables[at], f, path)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "table", "nodes", strings.Join(tableNames(), ", "))
	flags.StringVar(&format, "format", string(report.CSV), string(report.CSV)+", "+string(report.NDJSON)+", "+formatParquet+", "+formatPprof)
	flags.StringVarP(&path, "output", "o", "-", "write to this `FILE`, compressed if it ends in .gz or .zst; - is stdout")
	_ = cmd.RegisterFlagCompletionFunc("table", cobra.FixedCompletions(tableNames(), cobra.ShellCompDirectiveNoFileComp))
	a.fileFlags(cmd)
	return cmd
}

func (a *app) export(ctx context.Context, snapshot string, t table, f report.Format, path string) error {
	out := a.out
	var file *finalFile
	if path != "-" {
		var err error
		// Only the owner, as with snapshots: strings are in it.
		if file, err = createFinal(path, 0o600); err != nil {
			return usagef("-o %s: %w", path, err)
		}
		defer file.abandon()
		out = file
	}
	s, err := a.openSnapshot(ctx, snapshot)
	if err != nil {
		return err
	}
	compressed, err := compressor(out, path)
	if err != nil {
		return err
	}
	if f == formatPprof {
		err = writePprof(s, compressed, !strings.HasSuffix(path, ".gz") && !strings.HasSuffix(path, ".zst"))
	} else {
		err = a.writeTable(ctx, s, compressed, t, f)
	}
	if err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	if file != nil {
		if err := file.complete(); err != nil {
			return err
		}
	}
	a.keepIndex(ctx, s)
	return nil
}

// writeTable writes all rows of t, and looks at times whether it is to stop.
func (a *app) writeTable(ctx context.Context, s *heapsnap.Snapshot, w io.Writer, t table, f report.Format) error {
	const pause = 1 << 14 // rows
	line := a.progress()
	defer line.clear()
	var rows rowWriter
	if f == formatParquet {
		rows = newParquetRows(w, t.name, t.columns)
	} else {
		var names []string
		for _, c := range t.columns {
			names = append(names, c.name)
		}
		rows = report.NewRows(w, f, names...)
	}
	n := 0
	err := t.rows(s, rows, func() error {
		rows.EndRow()
		if n++; n%pause != 0 {
			return nil
		}
		if t.count != nil {
			line.show("writing %s: %s of %s", t.name, report.FormatCount(n), report.FormatCount(t.count(s)))
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	return rows.Flush()
}

func nodeRows(s *heapsnap.Snapshot, out rowWriter, tick func() error) error {
	var text []byte
	scripts := map[uint32]string{} // names, which are made of numbers where there is none
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		first, end := s.EdgeRange(n)
		out.Uint(uint64(s.ID(n)))
		out.Text(s.Type(n).String())
		text = s.AppendName(text[:0], n)
		out.Bytes(text)
		text = s.AppendClassName(text[:0], n)
		out.Bytes(text)
		out.Uint(s.SelfSize(n))
		out.Uint(s.RetainedSize(n))
		out.Int(int64(s.Distance(n)))
		out.Uint(uint64(s.ID(s.Dominator(n))))
		out.Int(int64(s.Detachedness(n)))
		out.Uint(uint64(end - first))
		l, ok := s.Place(n)
		if _, known := scripts[l.ScriptID]; ok && !known {
			scripts[l.ScriptID] = scriptName(&heapsnap.Location{ScriptID: l.ScriptID, Script: l.Script})
		}
		place(out, ok, scripts[l.ScriptID], l.Line, l.Column)
		if err := tick(); err != nil {
			return err
		}
	}
	return nil
}

func edgeRows(s *heapsnap.Snapshot, out rowWriter, tick func() error) error {
	var text []byte
	for i := range s.NodeCount() {
		from := heapsnap.Node(i)
		id := uint64(s.ID(from))
		first, end := s.EdgeRange(from)
		for e := first; e < end; e++ {
			out.Uint(id)
			out.Text(s.EdgeType(e).String())
			if index, ok := s.EdgeIndex(e); ok {
				out.Uint(uint64(index))
			} else {
				text = s.AppendEdgeName(text[:0], e)
				out.Bytes(text)
			}
			out.Uint(uint64(s.ID(s.To(e))))
			if err := tick(); err != nil {
				return err
			}
		}
	}
	return nil
}

func classRows(s *heapsnap.Snapshot, out rowWriter, tick func() error) error {
	for _, c := range s.Aggregates() {
		out.Text(c.Class)
		out.Int(int64(c.Count))
		out.Uint(c.Shallow)
		out.Uint(c.Retained)
		out.Int(int64(c.Distance))
		if l := c.Location; l != nil {
			place(out, true, scriptName(l), l.Line, l.Column)
		} else {
			place(out, false, "", 0, 0)
		}
		if err := tick(); err != nil {
			return err
		}
	}
	return nil
}

func stringRows(s *heapsnap.Snapshot, out rowWriter, tick func() error) error {
	nodes, edges := s.StringUses()
	for i, text := range s.Strings() {
		out.Int(int64(i))
		out.Int(int64(heapsnap.UTF16Len(text)))
		out.Uint(uint64(nodes[i]))
		out.Uint(uint64(edges[i]))
		out.Text(text)
		if err := tick(); err != nil {
			return err
		}
	}
	return nil
}

// place writes the columns script, line and column.
func place(out rowWriter, known bool, script string, line, column int) {
	if !known {
		out.Null()
		out.Null()
		out.Null()
		return
	}
	out.Text(script)
	out.Int(int64(line))
	out.Int(int64(column))
}

// scriptName is the script's URL or path, or V8's number for it.
func scriptName(l *heapsnap.Location) string {
	if l.Script == "" {
		return "(script " + strconv.FormatUint(uint64(l.ScriptID), 10) + ")"
	}
	return l.Script
}

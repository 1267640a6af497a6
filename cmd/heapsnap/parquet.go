package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// groupRows is how many rows make a row group: what is held in memory at a time.
// Databases read a group as a whole, or leave it out.
const groupRows = 1 << 17

// parquetRows writes rows as Parquet: columns of numbers and texts, zstd, a
// dictionary for texts that repeat. It is what *report.Rows is for CSV.
type parquetRows struct {
	out     *parquet.GenericWriter[any]
	columns []column
	leaf    []int // column -> its place in the file, where columns are sorted by name
	row     parquet.Row
	batch   []parquet.Row // rows to be written
	at      int           // column of the next value
	rows    int
	err     error
}

func newParquetRows(w io.Writer, name string, columns []column) *parquetRows {
	group := parquet.Group{}
	for _, c := range columns {
		var node parquet.Node
		if c.text {
			node = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		} else {
			node = parquet.Int(64)
		}
		if c.optional {
			node = parquet.Optional(node)
		}
		group[c.name] = node
	}
	schema := parquet.NewSchema(name, group)
	p := &parquetRows{columns: columns, row: make(parquet.Row, len(columns))}
	for _, c := range columns {
		leaf, _ := schema.Lookup(c.name)
		p.leaf = append(p.leaf, leaf.ColumnIndex)
	}
	p.out = parquet.NewGenericWriter[any](w, schema, parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.CreatedBy("heapsnap", thisBuild().Version, ""), parquet.DataPageStatistics(true))
	return p
}

func (p *parquetRows) value(v parquet.Value) {
	level := 0
	if p.columns[p.at].optional && !v.IsNull() {
		level = 1
	}
	leaf := p.leaf[p.at]
	p.row[leaf] = v.Level(0, level, leaf)
	p.at++
}

// Text writes a text. Those of a heap may be no UTF-8: halves of surrogate pairs
// become U+FFFD.
func (p *parquetRows) Text(s string) { p.value(parquet.ValueOf(strings.ToValidUTF8(s, "\ufffd"))) }

func (p *parquetRows) Bytes(b []byte) { p.Text(string(b)) }

func (p *parquetRows) Uint(v uint64) { p.Int(int64(v)) }

// Int writes a number, as text in a column of texts: the index of an element is
// its name.
func (p *parquetRows) Int(v int64) {
	if p.columns[p.at].text {
		p.Text(strconv.FormatInt(v, 10))
		return
	}
	p.value(parquet.ValueOf(v))
}

func (p *parquetRows) Null() { p.value(parquet.NullValue()) }

func (p *parquetRows) Err() error { return p.err }

func (p *parquetRows) EndRow() {
	const batch = 256
	p.at = 0
	if p.err != nil {
		return
	}
	p.batch = append(p.batch, p.row.Clone())
	if len(p.batch) == batch {
		p.write()
	}
	if p.rows++; p.rows%groupRows == 0 {
		p.write()
		if p.err == nil {
			p.err = p.out.Flush()
		}
	}
}

func (p *parquetRows) write() {
	if _, err := p.out.WriteRows(p.batch); p.err == nil {
		p.err = err
	}
	p.batch = p.batch[:0]
}

// Flush ends the file.
func (p *parquetRows) Flush() error {
	p.write()
	if err := p.out.Close(); p.err == nil {
		p.err = err
	}
	return p.err
}

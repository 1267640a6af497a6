package report

import (
	"io"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Rows writes a table of any length row by row, as CSV or as NDJSON; nothing
// is allocated per row. A row is a call per column, in order, and EndRow.
//
// CSV follows RFC 4180 with \n for line ends: the header first, text in quotes
// where it needs them, line breaks in text as they are, an empty text as "",
// and a missing value as nothing. CSV has no way to write controls and halves
// of surrogate pairs: both are written as \u and four digits, which a text may
// also contain by itself. NDJSON is exact: an object a line, missing values
// are null. In both, bytes that are no UTF-8 are U+FFFD.
type Rows struct {
	w       io.Writer
	buf     []byte
	columns [][]byte // what stands in front of the value
	at      int      // column of the next value
	text    []byte   // Text's copy
	csv     bool
	err     error
}

// The formats of Rows.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// rowsBuffer is how much is gathered before it is written.
const rowsBuffer = 256 << 10

// NewRows returns a writer of rows with these columns. Any format other than
// CSV is NDJSON.
func NewRows(w io.Writer, f Format, columns ...string) *Rows {
	r := &Rows{w: w, csv: f == CSV, buf: make([]byte, 0, rowsBuffer+64<<10)}
	for i, c := range columns {
		var front []byte
		switch {
		case r.csv && i > 0:
			front = []byte{','}
		case !r.csv:
			front = append(front, "{,"[min(i, 1)])
			front = append(appendJSON(front, []byte(c)), ':')
		}
		r.columns = append(r.columns, front)
	}
	if r.csv {
		for _, c := range columns {
			r.Text(c)
		}
		r.EndRow()
	}
	return r
}

func (r *Rows) next() {
	r.buf = append(r.buf, r.columns[r.at]...)
	r.at++
}

// Uint writes a number.
func (r *Rows) Uint(v uint64) {
	r.next()
	r.buf = strconv.AppendUint(r.buf, v, 10)
}

// Int writes a number that may be negative.
func (r *Rows) Int(v int64) {
	r.next()
	r.buf = strconv.AppendInt(r.buf, v, 10)
}

// Null writes that there is no value.
func (r *Rows) Null() {
	r.next()
	if !r.csv {
		r.buf = append(r.buf, "null"...)
	}
}

// Text writes text of any content.
func (r *Rows) Text(s string) {
	r.text = append(r.text[:0], s...)
	r.Bytes(r.text)
}

// Bytes is Text for text that is bytes.
func (r *Rows) Bytes(s []byte) {
	r.next()
	if r.csv {
		r.buf = appendCSV(r.buf, s)
	} else {
		r.buf = appendJSON(r.buf, s)
	}
}

// EndRow ends the row. An error of the writer below is kept, see Err.
func (r *Rows) EndRow() {
	if r.csv {
		r.buf = append(r.buf, '\n')
	} else {
		r.buf = append(r.buf, "}\n"...)
	}
	r.at = 0
	if len(r.buf) >= rowsBuffer {
		r.flush()
	}
}

// Err returns the first error of the writer below; rows after it are dropped.
func (r *Rows) Err() error { return r.err }

// Flush writes what is still in the buffer and returns the first error.
func (r *Rows) Flush() error {
	r.flush()
	return r.err
}

func (r *Rows) flush() {
	if r.err == nil && len(r.buf) > 0 {
		_, r.err = r.w.Write(r.buf)
	}
	r.buf = r.buf[:0]
}

// plainIn says of every byte whether it can stand as it is in unquoted CSV and
// in a JSON string.
var plainIn = func() (t [256]struct{ csv, json bool }) {
	for c := ' '; c < 0x7f; c++ {
		t[c].csv = c != '"' && c != ','
		t[c].json = c != '"' && c != '\\'
	}
	return t
}()

func appendCSV(b, s []byte) []byte {
	i := 0
	for i < len(s) && plainIn[s[i]].csv {
		i++
	}
	if i == len(s) && i > 0 {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, s[:i]...)
	for s = s[i:]; len(s) > 0; {
		r, size := decode(s)
		switch {
		case r == '"':
			b = append(b, `""`...)
		case unicode.Is(unicode.Cc, r) && r != '\n' && r != '\r' && r != '\t', surrogate(r):
			b = appendUnit(b, r)
		case r == utf8.RuneError:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return append(b, '"')
}

func appendJSON(b, s []byte) []byte {
	b = append(b, '"')
	for len(s) > 0 {
		i := 0
		for i < len(s) && plainIn[s[i]].json {
			i++
		}
		b = append(b, s[:i]...)
		if s = s[i:]; len(s) == 0 {
			break
		}
		r, size := decode(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		// What a terminal would obey, and what some programs take for the end
		// of a line, is escaped like controls.
		case r == '\u2028', r == '\u2029', unicode.In(r, unicode.Cc, unicode.Cf), surrogate(r):
			b = appendUnit(b, r)
		case r == utf8.RuneError:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return append(b, '"')
}

// decode is utf8.DecodeRune, but halves of surrogate pairs are runes
// too: a snapshot's names have them as three bytes.
func decode(s []byte) (rune, int) {
	r, size := utf8.DecodeRune(s)
	if r == utf8.RuneError && size == 1 && len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return r, size
}

func surrogate(r rune) bool { return 0xd800 <= r && r <= 0xdfff }

// appendUnit appends r as one or two \uXXXX.
func appendUnit(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	if r > 0xffff {
		r -= 0x10000
		b = appendUnit(b, 0xd800|r>>10)
		r = 0xdc00 | r&0x3ff
	}
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

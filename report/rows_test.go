package report

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// rowTexts is what the names in a heap may be.
var rowTexts = append([]string{
	"plain", " space at both ends ", "a,b", `say "hi"`, `"`, `\`, `C:\new\u0041`, "=1+1", "-", "a;b\t|", "'",
	"line\nbreak", "line\r\nbreak", "\r", "\n", "trailing\n", "\x00", "\x1b[31m", "\x7f", "\u0085 \u009b",
	"\xed\xa0\xbd", "a\xed\xb8\x80b", "\xed\xa0\xbd\xed\xb8\x80", "\xed\xa0", "\xed\x41\x80", "\xff\xfe", "\xc3", "\ufffd", "\ufeff",
	"😀", "\U000e0041", "漢字", "null", "true", "1e9", "<b>&",
}, hostileStrings...)

// slowRunes decodes text as Rows has to: halves of surrogate pairs are runes.
func slowRunes(s string) []rune {
	var rs []rune
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		for half := rune(0xd800); r == utf8.RuneError && half <= 0xdfff; half++ {
			three := string([]byte{0xed, byte(0x80 | half>>6&0x3f), byte(0x80 | half&0x3f)})
			if strings.HasPrefix(s, three) {
				r, size = half, 3
			}
		}
		rs, s = append(rs, r), s[size:]
	}
	return rs
}

// csvText is what a reader of CSV gets for s.
func csvText(s string) string {
	var b strings.Builder
	for _, r := range slowRunes(s) {
		control := unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r)
		if control || 0xd800 <= r && r <= 0xdfff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "\r\n", "\n") // as package csv reads
}

// jsonText is what Go's reader of JSON gets for s: a half alone is U+FFFD, two
// halves make a character.
func jsonText(s string) string {
	var units []uint16
	for _, r := range slowRunes(s) {
		if 0xd800 <= r && r <= 0xdfff {
			units = append(units, uint16(r))
		} else {
			units = utf16.AppendRune(units, r)
		}
	}
	return string(utf16.Decode(units))
}

func checkRows(t *testing.T, texts []string) {
	t.Helper()
	columns := []string{"number", "text", "none", "last"}
	write := func(f Format) []byte {
		var b bytes.Buffer
		rows := NewRows(&b, f, columns...)
		for i, s := range texts {
			rows.Uint(uint64(i))
			rows.Text(s)
			rows.Null()
			rows.Text(s)
			rows.EndRow()
		}
		if err := rows.Flush(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}

	out := write(CSV)
	if !utf8.Valid(out) {
		t.Errorf("CSV is not UTF-8: %q", out)
	}
	for _, r := range string(out) {
		if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) {
			t.Errorf("%U stands as it is in CSV", r)
		}
	}
	got, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	want := [][]string{columns}
	for i, s := range texts {
		want = append(want, []string{fmt.Sprint(i), csvText(s), "", csvText(s)})
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("CSV read back is %q, want %q", got, want)
	}

	lines := bufio.NewScanner(bytes.NewReader(write(NDJSON)))
	lines.Buffer(nil, 1<<24)
	for i := 0; lines.Scan(); i++ {
		for _, r := range lines.Text() {
			if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("%U stands as it is in %s", r, lines.Text())
			}
		}
		var row struct {
			Number int     `json:"number"`
			Text   string  `json:"text"`
			None   *string `json:"none"`
			Last   string  `json:"last"`
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&row); err != nil || !utf8.Valid(lines.Bytes()) {
			t.Fatalf("line %d: %v in %q", i, err, lines.Text())
		}
		if want := jsonText(texts[i]); row.Number != i || row.Text != want || row.Last != want || row.None != nil {
			t.Errorf("line %d read back is %+v, want %q", i, row, want)
		}
	}
}

func TestRowsReadBack(t *testing.T) {
	for _, s := range rowTexts {
		checkRows(t, []string{s})
	}
	checkRows(t, rowTexts)
	checkRows(t, nil)
}

func FuzzRows(f *testing.F) {
	for _, s := range rowTexts {
		if len(s) < 100 {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) { checkRows(t, []string{s, "", s + s}) })
}

func TestRowsLookLikeThis(t *testing.T) {
	for _, test := range []struct {
		format Format
		want   string
	}{
		{CSV, "id,name,size,at\n1,a b,-5,\n2,\"say \"\"x,\ny\"\" \\u001b\\ud83d \\\",18446744073709551615,\"\"\n"},
		{NDJSON, `{"id":1,"name":"a b","size":-5,"at":null}
{"id":2,"name":"say \"x,\ny\" \u001b\ud83d \\","size":18446744073709551615,"at":""}
`},
	} {
		var b bytes.Buffer
		rows := NewRows(&b, test.format, "id", "name", "size", "at")
		rows.Uint(1)
		rows.Text("a b")
		rows.Int(-5)
		rows.Null()
		rows.EndRow()
		rows.Uint(2)
		rows.Text("say \"x,\ny\" \x1b\xed\xa0\xbd \\")
		rows.Uint(1<<64 - 1)
		rows.Text("")
		rows.EndRow()
		if err := rows.Flush(); err != nil || b.String() != test.want {
			t.Errorf("%s, %v:\n%s\nwant\n%s", test.format, err, b.String(), test.want)
		}
	}
}

// A table is not gathered in memory, and a row costs no allocation.
func TestRowsStream(t *testing.T) {
	var sizes []int
	rows := NewRows(writerFunc(func(p []byte) (int, error) {
		sizes = append(sizes, len(p))
		return len(p), nil
	}), CSV, "id", "name")
	row := func() {
		rows.Uint(12345678)
		rows.Text("say \"hi\" in 漢字")
		rows.EndRow()
	}
	if n := testing.AllocsPerRun(100, row); n != 0 {
		t.Errorf("a row costs %v allocations", n)
	}
	for range 100_000 {
		row()
	}
	if len(sizes) < 5 || slices.Max(sizes) > 2*rowsBuffer {
		t.Errorf("written in pieces of %d", sizes)
	}
}

func TestRowsKeepTheFirstError(t *testing.T) {
	full := errors.New("disk full")
	calls := 0
	rows := NewRows(writerFunc(func([]byte) (int, error) { calls++; return 0, full }), CSV, "text")
	for range 10 {
		rows.Text(strings.Repeat("x", rowsBuffer))
		rows.EndRow()
	}
	if err := rows.Flush(); err != full || rows.Err() != full || calls != 1 {
		t.Errorf("Flush() = %v, Err() = %v after %d writes, want %v after 1", err, rows.Err(), calls, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

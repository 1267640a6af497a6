package heapsnap

import (
	"context"
	"strings"
	"testing"
	"testing/iotest"
)

// V8 writes a character beyond 16 bits as its low 16 bits and never a pair;
// other writers do. Lone surrogates keep their three bytes, so that different
// names stay different.
func TestStrings(t *testing.T) {
	tests := []struct{ escaped, want string }{
		{``, ""},
		{`plain`, "plain"},
		{`a\"b\\c\/d`, `a"b\c/d`},
		{`\b\f\n\r\t`, "\b\f\n\r\t"},
		{`\u0041\u00e9\u20AC\uFFFF`, "Aé€\uffff"},
		{`\u0000`, "\x00"},
		{`é€😀`, "é€😀"}, // raw UTF-8
		{`\ud83d\ude00`, "😀"},
		{`\ud83d`, "\xed\xa0\xbd"},
		{`\ude00x`, "\xed\xb8\x80x"},
		{`\ud83d\ud83d\ude00`, "\xed\xa0\xbd😀"},
		{`\ud83d\u0041`, "\xed\xa0\xbdA"},
		{`\ud83dude00`, "\xed\xa0\xbdude00"},
		{`\\ud83d`, `\ud83d`},
		{`\\\\`, `\\`},
		{`\\\"`, `\"`},
		{`\u12`, `\u12`}, // not JSON: kept
		{`\uXYZW`, `\uXYZW`},
		{`\x`, "x"},
	}
	var b strings.Builder
	for i, test := range tests {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`"` + test.escaped + `"`)
	}
	text := strings.Replace(valid, `"","A","B","next"`, b.String(), 1)
	for name, r := range map[string]*stringTable{"at once": readStrings(t, text, false), "byte by byte": readStrings(t, text, true)} {
		if r.count() != len(tests) {
			t.Fatalf("%s: %d strings, want %d", name, r.count(), len(tests))
		}
		for i, test := range tests {
			if got := r.at(uint32(i)); got != test.want {
				t.Errorf("%s: string %s = %q, want %q", name, test.escaped, got, test.want)
			}
		}
	}
}

func readStrings(t *testing.T, text string, slow bool) *stringTable {
	t.Helper()
	r := iotest.DataErrReader(strings.NewReader(text))
	if slow {
		r = iotest.OneByteReader(r)
	}
	s, err := Read(context.Background(), r, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.strings
}

// A string may end, and be escaped, at a block's border.
func TestStringsBlockBorders(t *testing.T) {
	text := strings.Replace(valid, `"A"`, `"\\\"\u00e9A"`, 1)
	from, end := strings.Index(text, `"strings"`), len(text)
	for cut := from; cut < end; cut++ {
		s, err := read(strings.Repeat(" ", blockSize-cut) + text)
		if err != nil {
			t.Fatalf("a block ends behind %q: %v", text[from:cut], err)
		}
		if got := s.RawName(1); got != `\"éA` || s.RawName(2) != "B" {
			t.Errorf("a block ends behind %q: names = %q, %q", text[from:cut], got, s.RawName(2))
		}
	}
}

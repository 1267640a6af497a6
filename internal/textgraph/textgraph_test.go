package textgraph

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// show writes a snapshot in a text of its own, to compare with.
func show(t *testing.T, data []byte) string {
	t.Helper()
	s, err := heapsnap.Read(context.Background(), bytes.NewReader(data), heapsnap.Options{})
	if err != nil {
		t.Fatalf("Read: %v\n%s", err, data)
	}
	var b strings.Builder
	for i := range s.NodeCount() {
		n := heapsnap.Node(i)
		fmt.Fprintf(&b, "%d %s %s", s.ID(n), s.Type(n), s.RawName(n))
		if size := s.SelfSize(n); size > 0 {
			fmt.Fprintf(&b, " %d", size)
		}
		if l := s.Location(n); l != nil {
			fmt.Fprintf(&b, " at %d:%d:%d", l.ScriptID, l.Line, l.Column)
		}
		for e := range s.Edges(n) {
			fmt.Fprintf(&b, " [%s %s %d]", s.EdgeType(e), s.EdgeName(e), s.ID(s.To(e)))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestSeries(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"names and sizes", `
# a comment
@1 synthetic "": element 1 -> @3,
  property "a, b" -> @3
@3 concatenated string "say \"hi\": @5, ->" 4294967296 detached at 7:1:12: weak x:y -> @1
`, []string{`1 synthetic  [element 1 3] [property a, b 3]
3 concatenated string say "hi": @5, -> 4294967296 at 7:1:12 [weak x:y 1]
`}},
		{"repeated", `
@1 synthetic "": element 2*j -> @3+2*j j<2, property k{j} -> @3+2*j j<2
@3+2*i i<2 number "n{i+1}" (1+i)*8: property next -> @5+2*i
`, []string{`1 synthetic  [element 0 3] [element 2 5] [property k0 3] [property k1 5]
3 number n1 8 [property next 5]
5 number n2 16
`}},
		{"lives", `
@1 synthetic "": element 1 -> @3, property last -> @5 +1 -2, property last -> @7 +2
@3 -1 object "old"
@5+2*i i<2 +1+i object "new"
`, []string{
			"1 synthetic  [element 1 3]\n3 object old\n",
			"1 synthetic  [property last 5]\n5 object new\n",
			"1 synthetic  [property last 7]\n5 object new\n7 object new\n",
		}},
		{"an address used again", `
captures 2
@1 synthetic "": element 1 -> @4
@4 -1 native "a"
@4 +1 native "b"
`, []string{"1 synthetic  [element 1 4]\n4 native a\n", "1 synthetic  [element 1 4]\n4 native b\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all := Series(t, test.text)
			if len(all) != len(test.want) {
				t.Fatalf("Series has %d captures, want %d", len(all), len(test.want))
			}
			for i, data := range all {
				if got := show(t, data); got != test.want[i] {
					t.Errorf("capture %d:\n%s\nwant\n%s", i, got, test.want[i])
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	const root = "@1 synthetic \"\"\n"
	for _, test := range []struct{ text, want string }{
		{`1 object "a"`, `line 2: want @ and a number, got "1"`},
		{`@3 thing "a"`, `line 2: "thing" is none of`},
		{`@3 object`, "line 2: the line ends too early"},
		{`@3 object "a" 12 13`, `line 2: want ":", got "13"`},
		{`@3 object "a": property x`, "line 2: the line ends too early"},
		{`@3 object "a": property x @1`, `line 2: want ->, got "@1"`},
		{`@3 object "a": prop x -> @1`, `line 2: "prop" is none of`},
		{`@3 object "a": property x -> @5`, "line 2: there is no @5"},
		{`@3 object "a" at 3:0:1`, "line 2: want script:line:column"},
		{`@3-i i<5 object "a"`, `line 2: "3-i" is -1`},
		{`@3/j object "a"`, `line 2: "3/j" is no number`},
		{`@1 object "a"`, "line 2: @1 is there already"},
		{"@3 +3 object \"a\"\ncaptures 2", "captures 2: the last birth is in number 4"},
	} {
		_, err := Parse(root + test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q) = %v, want %q", test.text, err, test.want)
		}
	}
}

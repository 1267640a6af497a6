package heapsnap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func duplicates(s *Snapshot) string {
	var b strings.Builder
	for _, d := range s.DuplicateStrings() {
		fmt.Fprintf(&b, "%s:", d.Text)
		for _, n := range d.Nodes {
			fmt.Fprintf(&b, " @%d", s.ID(n))
		}
		fmt.Fprintf(&b, " self %d retained %d", d.Self, d.Retained)
		if d.Together != d.Retained {
			fmt.Fprintf(&b, " together %d", d.Together)
		}
		if d.Truncated {
			fmt.Fprintf(&b, " of %d", d.Length)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestDuplicateStrings(t *testing.T) {
	long := strings.Repeat("x", 1024)
	const root = "@1 synthetic \"\": shortcut global -> @3\n"
	// ints and bools as the newest V8 writes them
	const values = `
@201 number "bool": internal value -> @203
@203 string "true"
@205 number "bool": internal value -> @207
@207 string "false"
@211 number "int": internal value -> @213
@213 string "2000"
@215 number "int": internal value -> @217
@217 string "3000"
`
	for _, test := range []struct{ name, text, want string }{
		{"none", `@3 object "global": property a -> @5, property b -> @7
@5 string "x" 16
@7 string "y" 16`, ""},
		{"by retained size, ties by the first of each", `
@3 object "global": element j -> @5+2*j j<8
@5 string "first" 16
@7 string "big" 64
@9 string "second" 16
@11 string "first" 16
@13 string "big" 64
@15 string "second" 16
@17 string "second" 0
@19 string "alone" 4096`,
			"big: @7 @13 self 128 retained 128\nfirst: @5 @11 self 32 retained 32\nsecond: @9 @15 self 32 retained 32\n"},
		{"other types and no size are no strings", `
@3 object "global": element j -> @5+2*j j<5
@5 string "x" 16
@7 symbol "x" 16
@9 object "x" 16
@11 string "x"
@13 sliced string "x" 16`, ""},
		{"a rope and a string of its text", `
@3 object "global": element 1 -> @5, element 2 -> @11
@5 concatenated string "(concatenated string)" 32: internal first -> @7, internal second -> @9
@7 string "ab" 16
@9 string "cd" 16
@11 string "abcd" 24`, "abcd: @5 @11 self 56 retained 88\n"},
		{"a flattened rope", `
@3 object "global": element 1 -> @5
@5 concatenated string "(concatenated string)" 32: internal first -> @7, internal second -> @9
@7 string "ab" 16
@9 string "" 16`, ""},
		{"a rope of two empty names is no rope to skip unless internal", `
@3 object "global": element 1 -> @5, element 2 -> @11
@5 concatenated string "(concatenated string)" 32: internal first -> @7, internal second -> @9, property first -> @13
@7 string "a" 16
@9 string "b" 16
@11 string "ab" 16
@13 string "" 16`, "ab: @5 @11 self 48 retained 96\n"},
		{"ropes that hold each other", `
@3 object "global": element 1 -> @5, element 2 -> @17
@5 concatenated string "(concatenated string)" 32: internal first -> @7, internal second -> @13
@7 concatenated string "(concatenated string)" 32: internal first -> @9, internal second -> @15
@9 string "` + long + `" 1040
@11 string "unused" 16
@13 string "c" 16
@15 string "b" 16
@17 string "` + long + `" 1040`, long + ": @5 @7 @9 @17 self 2144 retained 4304 together 2176\n"},
		{"truncated, told apart by length", `
@3 object "global": element j -> @5+2*j j<5
@5 string "cut" 16: internal truncated -> @201, internal length -> @211
@7 string "cut" 16: internal truncated -> @201, internal length -> @215
@9 string "cut" 16: internal truncated -> @201, internal length -> @211
@11 string "cut" 16: internal truncated -> @205, internal length -> @211
@13 string "cut" 16` + values, "cut: @11 @13 self 32 retained 32\ncut: @5 @9 self 32 retained 32 of 2000\n"},
		{"truncated, told apart by hash", `
@3 object "global": element j -> @5+2*j j<4
@5 string "cut" 16: internal truncated -> @201, internal hash -> @211
@7 string "cut" 16: internal truncated -> @201, internal hash -> @215
@9 string "cut" 16: internal truncated -> @201, internal hash -> @215
@11 string "cut" 16: internal truncated -> @201` + values, "cut: @7 @9 self 32 retained 32 of -1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := duplicates(graph(t, root+test.text)); got != test.want {
				t.Errorf("DuplicateStrings() =\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestRetainedTogether(t *testing.T) {
	for seed := range uint64(200) {
		data := randomBytes(seed + 7000)
		s := graph(t, byteGraph(data))
		var set []Node
		for _, b := range data[:3+int(data[3])%5] {
			set = append(set, Node(int(b)%s.NodeCount()))
		}
		var want uint64
		for i := range s.NodeCount() {
			for n := Node(i); ; n = s.Dominator(n) {
				if slices.Contains(set, n) {
					want += s.SelfSize(Node(i))
					break
				}
				if n == s.Root() {
					break
				}
			}
		}
		if got := s.RetainedTogether(set); got != want {
			t.Fatalf("RetainedTogether(%v) = %d, want %d", set, got, want)
		}
	}
}

// Equal texts are one group also where the file has the text twice.
func TestDuplicateStringsOfTwoTableEntries(t *testing.T) {
	text := strings.Replace(valid, `"synthetic","object"`, `"synthetic","string"`, 1)
	text = strings.Replace(text, `["","A","B","next"]`, `["","A","\u0041","next"]`, 1)
	s, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := duplicates(s), "A: @3 @5 self 40 retained 40\n"; got != want {
		t.Errorf("DuplicateStrings() = %s, want %s", got, want)
	}
}

func TestStringUses(t *testing.T) {
	s, err := read(strings.Replace(valid, `"B","next"`, `"next","a\nb"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	nodes, edges := s.StringUses()
	for i, text := range s.Strings() {
		fmt.Fprintf(&b, "%d %q %d %d, ", i, text, nodes[i], edges[i])
	}
	// Element 7 of valid names no string.
	if got, want := b.String(), `0 "" 1 0, 1 "A" 1 0, 2 "next" 1 0, 3 "a\nb" 0 1, `; got != want || s.StringCount() != 4 {
		t.Errorf("Strings() and StringUses() = %s %d, want %s", got, s.StringCount(), want)
	}
}

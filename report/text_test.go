package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and read the diff. got:\n%s", path, got)
	}
}

func asText(t *testing.T, r *Report, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, Text, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTextLooks(t *testing.T) {
	reports := []struct {
		name string
		r    *Report
		o    Options
	}{
		{"leak", leaking(), Options{}},
		{"leak-40", leaking(), Options{Width: 40}},
		{"leak-color", leaking(), Options{Color: true}},
		{"clean", clean(), Options{}},
		{"inconclusive", inconclusive(), Options{}},
		{"suspects", suspects(), Options{}},
		{"many", many(), Options{}},
		{"hostile", hostile("a\x1b[2J\nb\u202ec" + strings.Repeat("Z", 300)), Options{}},
	}
	for _, c := range reports {
		golden(t, c.name+".txt", asText(t, c.r, c.o))
	}
}

func TestSummaryLooks(t *testing.T) {
	for _, width := range []int{80, 40} {
		var b bytes.Buffer
		if err := WriteSummary(&b, summary(), Text, Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("summary-%d.txt", width), b.Bytes())
	}
}

// safe fails where a terminal would obey the text or it is wider than width.
func safe(t *testing.T, out []byte, width int) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Error("output is not UTF-8")
	}
	for i, line := range strings.Split(string(out), "\n") {
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("line %d has %U: %.80q", i+1, r, line)
				break
			}
		}
		if n := columns(line); width > 0 && n > width {
			t.Errorf("line %d is %d columns wide, want at most %d: %.200q", i+1, n, width, line)
		}
	}
}

func TestHostileStringsCannotReachTheTerminal(t *testing.T) {
	for i, s := range hostileStrings {
		for _, width := range []int{20, 40, 80, 200} {
			for _, verbose := range []bool{false, true} {
				t.Run(fmt.Sprintf("string %d, width %d, verbose %v", i, width, verbose), func(t *testing.T) {
					r := hostile(s)
					// Paths are whole on purpose: held against their own bound below.
					for j := range r.Findings {
						for k := range r.Findings[j].Locations {
							r.Findings[j].Locations[k].File = "a.js"
						}
						for k := range r.Findings[j].Stack {
							r.Findings[j].Stack[k].File = "a.js"
						}
						r.Findings[j].Location = &Location{Function: s, File: "a.js", Role: s, Code: s, Line: 1, Column: 30}
					}
					r.Loop.Location, r.Ignored[0].Finding.Location = r.Findings[0].Location, r.Findings[0].Location
					safe(t, asText(t, r, Options{Width: width, Verbose: verbose}), max(width, minWidth))
				})
			}
		}
		safe(t, asText(t, hostile(s), Options{}), maxPath+40)
		out := string(asText(t, hostile(s), Options{}))
		if n := strings.Count(out, "\nCLEAN"); n != 0 {
			t.Errorf("string %d starts %d lines of its own", i, n)
		}
	}
}

func TestVerboseShowsEverything(t *testing.T) {
	r := many()
	short, long := string(asText(t, r, Options{})), string(asText(t, r, Options{Verbose: true}))
	for _, c := range []struct {
		what        string
		short, long int
	}{
		{"What to do", fullFindings, len(r.Findings)},
		{"born in", fullFindings, len(r.Findings)},
		{"round 15", 0, len(r.Findings)},
		{"Node @100010", 0, len(r.Findings)},
		{"part-8.js", 0, len(r.Findings)},
		{"Promise", 0, 1}, // a class far down
		{"module 9", 0, 1},
		{"fingerprint", 0, len(r.Findings)},
	} {
		if n := strings.Count(short, c.what); n != c.short {
			t.Errorf("short: %q is there %d times, want %d", c.what, n, c.short)
		}
		if n := strings.Count(long, c.what); n != c.long {
			t.Errorf("verbose: %q is there %d times, want %d", c.what, n, c.long)
		}
	}
}

func TestPathsStayWhole(t *testing.T) {
	path := "/srv/" + strings.Repeat("deep/", 40) + "a.js"
	r := leaking()
	r.Findings[0].Location.File = path
	if out := asText(t, r, Options{}); !bytes.Contains(out, []byte(path+":12:7")) {
		t.Errorf("the path is not in one piece:\n%s", out)
	}
}

func TestColorIsOnlyByOption(t *testing.T) {
	if out := asText(t, leaking(), Options{}); bytes.ContainsRune(out, 0x1b) {
		t.Error("colour without Options.Color")
	}
	painted := asText(t, leaking(), Options{Color: true})
	for _, s := range []style{bold, dim, red, green} {
		painted = bytes.ReplaceAll(painted, []byte("\x1b["+s+"m"), nil)
	}
	painted = bytes.ReplaceAll(painted, []byte("\x1b[0m"), nil)
	if plain := asText(t, leaking(), Options{}); !bytes.Equal(painted, plain) {
		t.Errorf("colour changes the text:\n%s", painted)
	}
}

func TestTextStartsWithTheVerdict(t *testing.T) {
	for _, r := range []*Report{leaking(), clean(), inconclusive(), {Verdict: Clean}, {}} {
		out := string(asText(t, r, Options{}))
		if !strings.HasPrefix(out, strings.ToUpper(string(r.Verdict))) {
			t.Errorf("the report of verdict %q starts with %.30q", r.Verdict, out)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode 漢字":   "plain ünïcode 漢字",
		"a\nb\tc\rd":         `a\nb\tc\rd`,
		"\x1b[31m":           `\x1b[31m`,
		"\u009b31m":          `\u{9b}31m`,
		"\u202eevil":         `\u{202e}evil`,
		"\xff":               `\xff`,
		"\ufffd":             "\ufffd",
		`C:\srv\app.js`:      `C:\srv\app.js`,
		"\U000e0041 \u00a0x": `\u{e0041} \u{a0}x`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClipKeepsBothEnds(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"short", 10, "short"},
		{"abcdefghij", 10, "abcdefghij"},
		{"abcdefghijk", 10, "abcde…hijk"},
		{"漢字漢字漢字", 7, "漢…漢字"},
		{strings.Repeat("a", 1<<20) + "END", 9, "aaaa…aEND"},
		{"abc", 1, "…"},
	} {
		got := clip(c.in, c.max)
		if got != c.want {
			t.Errorf("clip(%.20q, %d) = %q, want %q", c.in, c.max, got, c.want)
		}
		if columns(got) > c.max {
			t.Errorf("clip(%.20q, %d) is %d columns wide", c.in, c.max, columns(got))
		}
	}
}

func TestClipCodeShowsTheColumn(t *testing.T) {
	for _, c := range []struct {
		name, line string
		at, max    int
		want       string
		caret      int
	}{
		{"short", "  hub.on('x', f)", 6, 40, "hub.on('x', f)", 4},
		{"in the indentation", "    f()", 1, 40, "f()", -1},
		{"no column", "f()", -1, 40, "f()", -1},
		{"past the end", "f()", 9, 40, "f()", -1},
		{"bundle", strings.Repeat("a", 1000) + "HERE" + strings.Repeat("b", 1000), 1000, 20, "…aaaaaaHEREbbbbbbbb…", 7},
	} {
		code, caret := clipCode(c.line, c.at, c.max)
		if code != c.want || caret != c.caret {
			t.Errorf("%s: clipCode = %q, %d, want %q, %d", c.name, code, caret, c.want, c.caret)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 40_040: "39.1 KiB", 1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB", 1<<64 - 1: "16.0 EiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := FormatCount(n); got != want {
			t.Errorf("FormatCount(%d) = %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		parts []uint64
		want  string
	}{
		{[]uint64{1, 1, 1}, "[34 33 33]"},
		{[]uint64{0, 0}, "[0 0]"},
		{[]uint64{999, 1}, "[100 0]"},
		{[]uint64{1 << 63, 1 << 63}, "[50 50]"},
	} {
		if got := fmt.Sprint(percentages(c.parts)); got != c.want {
			t.Errorf("percentages(%v) = %s, want %s", c.parts, got, c.want)
		}
	}
}

// Worker threads are told of below the captures, and a finding of one says so.
func TestTextNamesTheThread(t *testing.T) {
	r := &Report{
		Verdict: Leak, Sentence: "in worker thread 2 (resize.js), Map only grows",
		Findings: []Finding{{Rule: "cache", Title: "Map only grows", Verdict: Leak, Thread: "worker thread 2 (resize.js)"}},
		Threads: []Thread{
			{Name: "worker thread 1 (mail.js)", ID: 1, Used: []uint64{4 << 20, 4 << 20}},
			{Name: "worker thread 2 (resize.js)", ID: 2, Used: []uint64{4 << 20, 5 << 20}, Captures: 4, Verdict: Leak},
			{Name: "worker thread 3 (gone\x1b[31m.js)", ID: 3},
		},
	}
	var b bytes.Buffer
	if err := Write(&b, r, Text, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"worker thread 1 (mail.js): heap 4.0 MiB to 4.0 MiB, no steady growth\n",
		"worker thread 2 (resize.js): heap 4.0 MiB to 5.0 MiB, it grew and was captured 4\ntimes\n",
		"worker thread 3 (gone\\x1b[31m.js): it ended or did not answer\n",
		"1. Map only grows [cache]\n   In worker thread 2 (resize.js)\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text is\n%s\nwant %q in it", b.String(), want)
		}
	}
}

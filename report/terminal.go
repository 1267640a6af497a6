package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Everything in a report may come from the heap of a program under attack, so
// no string reaches the terminal before it went through Printable.

// maxPath is where even a path is cut. Paths are left whole as far as that,
// because a terminal makes only whole ones a link.
const maxPath = 512

// Printable returns s with everything that a terminal would obey and not show
// written as an escape: controls, ANSI sequences, bidi and other invisible
// characters, line breaks, invalid UTF-8.
func Printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// columns is the number of terminal columns s takes at most. Combining marks
// count as one, so that a thousand of them do not fit into one line.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// wide are the blocks whose characters take two columns, or may: East Asian
// ones and emoji, after Unicode's EastAsianWidth.txt, rounded up to blocks.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x23ff}, {0x25fd, 0x27bf}, {0x2b1b, 0x2b55}, {0x2e80, 0xa4cf}, {0xa960, 0xa97f},
	{0xac00, 0xd7ff}, {0xf900, 0xfaff}, {0xfe10, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
	{0x16fe0, 0x1b2ff}, {0x1d300, 0x1d376}, {0x1f000, 0x1faff}, {0x20000, unicode.MaxRune},
}

func runeColumns(r rune) int {
	for _, b := range wide {
		if r < b[0] {
			return 1
		}
		if r <= b[1] {
			return 2
		}
	}
	return 1
}

// clip makes s printable and at most max columns wide by cutting out its
// middle: the start says what it is, the end tells it from its siblings.
func clip(s string, max int) string {
	// A name may be megabytes: only its ends can be shown.
	if keep := 4 * max; len(s) > 4*keep {
		s = s[:keep] + s[len(s)-keep:]
		s = Printable(s)
		head, _ := splitColumns(s, (max-1)/2)
		return head + "…" + lastColumns(s, max-1-columns(head))
	}
	s = Printable(s)
	if columns(s) <= max {
		return s
	}
	if max <= 1 {
		return "…"
	}
	head, _ := splitColumns(s, max/2)
	return head + "…" + lastColumns(s, max-1-columns(head))
}

// splitColumns returns the longest head of s that fits into n columns, and
// the rest.
func splitColumns(s string, n int) (head, rest string) {
	for i, r := range s {
		n -= runeColumns(r)
		if n < 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// lastColumns returns the longest tail of s that fits into n columns.
func lastColumns(s string, n int) string {
	at := len(s)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:at])
		n -= runeColumns(r)
		if n < 0 {
			break
		}
		at -= size
	}
	return s[at:]
}

// clipCode is clip for a line of source: a window of at most max columns
// that shows the rune at index at, and that rune's column in the window, or -1
// if at is not in the line.
func clipCode(line string, at, max int) (code string, caret int) {
	runes := []rune(line)
	lead := len(runes) - len([]rune(strings.TrimLeft(line, " \t")))
	runes, at = runes[lead:], at-lead
	start := 0
	if at > max*2/3 && at < len(runes) {
		start = at - max/3 // one line of a bundle may be the whole program
	}
	end := min(len(runes), start+max)
	prefix := ""
	if start > 0 {
		prefix = "…"
	}
	caret = -1
	if start <= at && at < end {
		caret = columns(prefix + Printable(string(runes[start:at])))
	}
	code = prefix + Printable(string(runes[start:end]))
	if columns(code) > max || end < len(runes) {
		head, _ := splitColumns(code, max-1)
		code = head + "…"
	}
	if caret >= max-1 {
		caret = -1
	}
	return code, caret
}

// Wrap breaks printable text into lines of at most max columns. A word that
// is longer is broken too, unless it is a path.
func Wrap(s string, max int) []string {
	isPath := func(word string) bool {
		return strings.ContainsAny(word, `/\`) && !strings.ContainsAny(word, "<>{}|&*") && !strings.Contains(word, `\x`)
	}
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
			line = ""
		}
	}
	for _, word := range strings.Fields(s) {
		if line != "" && columns(line)+1+columns(word) <= max {
			line += " " + word
			continue
		}
		flush()
		for columns(word) > max && !isPath(word) {
			head, rest := splitColumns(word, max)
			if head == "" { // a wide rune in one column
				break
			}
			lines = append(lines, head)
			word = rest
		}
		line = word
	}
	flush()
	return lines
}

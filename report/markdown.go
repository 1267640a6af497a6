package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MarkdownLimit is how long a Markdown report is at most, in bytes, where
// Options do not say: a comment on a pull request may have 65,536 characters.
const MarkdownLimit = 60_000

// writeMarkdown writes GitHub's Markdown: the verdict, a table of the findings,
// and as many of them in full as there is room for.
func writeMarkdown(w io.Writer, o outcome, opts Options) error {
	limit := opts.Limit
	if limit <= 0 {
		limit = MarkdownLimit
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n%s\n\n", o.Command, mdText(o.Word, 20), mdText(o.Sentence, 400))
	if o.About != "" {
		fmt.Fprintf(&b, "<sub>%s</sub>\n\n", mdText(o.About, 400))
	}
	const reserve = 400 // for what is said of what is left out
	rows := 0
	for i := range o.Issues {
		s := &o.Issues[i]
		row := fmt.Sprintf("| %d | %s | %s | %s |\n", i+1, mdText(s.Title, 160), mdCode(s.place(opts.Root), 200), mdText(s.Size, 60))
		if b.Len()+len(row) > limit/2 {
			break
		}
		if i == 0 {
			b.WriteString("| | finding | where | size |\n|---|---|---|---|\n")
		}
		b.WriteString(row)
		rows++
	}
	if n := len(o.Issues) - rows; n > 0 {
		fmt.Fprintf(&b, "\n%s more.\n", FormatCount(n))
	}
	full := 0
	for i := range o.Issues {
		text := mdIssue(i+1, &o.Issues[i], opts)
		if b.Len()+len(text) > limit-reserve {
			break
		}
		b.WriteString(text)
		full++
	}
	if n := len(o.Issues) - full; n > 0 && full > 0 {
		fmt.Fprintf(&b, "\n%d of %s findings are shown in full.\n", full, FormatCount(len(o.Issues)))
	}
	for i, warning := range o.Warnings {
		line := "\n> " + mdText(warning, 300) + "\n"
		if i == 10 || b.Len()+len(line) > limit-reserve/2 {
			break
		}
		b.WriteString(line)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func mdIssue(number int, s *issue, o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details%s><summary>%d. %s</summary>\n\n", map[bool]string{true: " open"}[number == 1], number, mdText(s.Title, 200))
	if place := s.place(o.Root); place != "" {
		fmt.Fprintf(&b, "%s\n\n", mdCode(place, maxPath))
		if s.Location.Code != "" {
			code, _ := clipCode(s.Location.Code, s.Location.Column-1, 160)
			b.WriteString(mdBlock([]string{fmt.Sprintf("%d | %s", s.Location.Line, code)}))
		}
	} else {
		b.WriteString("No source line is known.\n\n")
	}
	if s.Fix != "" {
		fmt.Fprintf(&b, "**What to do:** %s\n\n", mdText(s.Fix, 600))
	}
	for _, h := range s.Held {
		fmt.Fprintf(&b, "Held by %s\n\n", mdCode(h, 160))
	}
	for _, e := range s.Evidence[:min(len(s.Evidence), 8)] {
		fmt.Fprintf(&b, "- %s\n", mdText(e, 400))
	}
	if len(s.Path) > 0 {
		fmt.Fprintf(&b, "\n%s:\n", s.PathTitle)
		b.WriteString(mdBlock(s.Path))
	}
	fmt.Fprintf(&b, "\n<sub>rule %s", mdCode(s.Rule, 40))
	if s.Fingerprint != "" {
		fmt.Fprintf(&b, ", fingerprint %s", mdCode(s.Fingerprint, 80))
	}
	b.WriteString("</sub>\n</details>\n")
	return b.String()
}

// mdText is text that Markdown and HTML leave as it is: nobody is mentioned, no
// link is made, no issue is referred to.
func mdText(s string, max int) string {
	s = clip(strings.Join(strings.Fields(s), " "), max)
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@' || r == '#' || r == ':' && strings.HasPrefix(s[i:], "://"):
			// An empty comment is in no name and no address.
			b.WriteRune(r)
			b.WriteString("<!-- -->")
		case r == '.' && i > 2 && strings.EqualFold(s[i-3:i], "www"):
			b.WriteString("<!-- -->.")
		case r < utf8.RuneSelf && strings.ContainsRune("\\`*_{}[]()!|~$+-=", r):
			if r == '(' || r == ')' || r == '-' || r == '=' || r == '+' {
				if i > 0 && i < len(s)-1 && s[i-1] != ']' {
					b.WriteRune(r) // means something at the beginning of a line only
					continue
				}
			}
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mdCode is text as code, in one line; also inside a table.
func mdCode(s string, max int) string {
	s = clip(s, max)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.HasPrefix(s, " ") {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(s, "|", `\|`) + pad + fence
}

// mdBlock is lines as a block of code.
func mdBlock(lines []string) string {
	run := 2
	for i := range lines {
		lines[i] = Printable(lines[i])
		run = max(run, longestRun(lines[i], '`'))
	}
	fence := strings.Repeat("`", run+1)
	return fence + "\n" + strings.Join(lines, "\n") + "\n" + fence + "\n\n"
}

func longestRun(s string, of rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

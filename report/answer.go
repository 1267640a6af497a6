package report

import (
	"fmt"
	"io"
	"strings"
)

// An answer is a result that has two forms: text for people, JSON for programs.
// What has more of them is a row of renderers, see format.go.
type answer interface {
	normal() any // for JSON: a copy with the schema's version and without nil slices
	text(*page)
}

// writeAnswer shows a as text or as JSON, and does not change it. What says in
// the error what it is that has no other form.
func writeAnswer(w io.Writer, a answer, what string, f Format, o Options) error {
	switch f {
	case Text:
		p := newPage(o)
		a.text(p)
		_, err := p.WriteTo(w)
		return err
	case JSON:
		return encode(w, a.normal())
	}
	return fmt.Errorf("%w: %s cannot be shown as %s", ErrNoForm, what, f)
}

// judged is the first line of a result: its verdict, and that in words.
func (p *page) judged(v Verdict, s style, sentence string) {
	p.marked(0, strings.ToUpper(clip(string(v), 20))+"  ", s, bold, sentence)
}

// aboutProcess names a process as far as it is known: its id, its main script,
// the worker thread of it, its Node.
func aboutProcess(pid int, script string, worker int, node string) []string {
	var about []string
	if pid > 0 {
		about = append(about, fmt.Sprintf("process %d", pid))
	}
	if script != "" {
		about = append(about, clip(script, maxPath/4))
	}
	if worker > 0 {
		about = append(about, fmt.Sprintf("worker %d", worker))
	}
	if node != "" {
		about = append(about, "Node "+clip(node, 20))
	}
	return about
}

// about is the line below the verdict: what the result is of.
func (p *page) about(parts []string) {
	if len(parts) > 0 {
		p.prose(0, "", dim, strings.Join(parts, ", "))
	}
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
)

// The JSON form is the model itself, two spaces deep, described by
// docs/report.schema.json and docs/summary.schema.json.

func writeJSON(w io.Writer, r *Report, _ Options) error {
	c := *r
	c.Findings = slices.Clone(r.Findings)
	c.Quiet = slices.Clone(r.Quiet)
	c.Ignored = slices.Clone(r.Ignored)
	c.Normalize()
	return encode(w, c)
}

func writeSummaryJSON(w io.Writer, s *Summary, _ Options) error {
	c := *s
	c.Normalize()
	return encode(w, c)
}

func encode(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeControls(b.Bytes()))
	return err
}

// encodeLine is encode without line breaks, for a line of NDJSON.
func encodeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeControls(b.Bytes()))
	return err
}

// escapeControls writes as \uXXXX what encoding/json leaves as it is but a
// terminal may obey: DEL, the C1 controls (U+009B opens a sequence as ESC [
// does) and the bidi controls. All of them can stand only inside strings, so
// the value of the document does not change.
func escapeControls(doc []byte) []byte {
	obeyed := func(r rune) bool {
		return r == 0x7f || 0x80 <= r && r <= 0x9f || unicode.Is(unicode.Cf, r)
	}
	if !bytes.ContainsFunc(doc, obeyed) {
		return doc
	}
	var b bytes.Buffer
	for _, r := range string(doc) {
		if !obeyed(r) {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.Bytes()
}

package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The HTML form is one file that needs nothing else: no network, no asset, no
// server. Everything a person has to read is in the markup; scripts add what
// one can touch: the timeline, the flame graph, sorting. Its content security
// policy forbids every load and every script but the two below, by their hash,
// so that a string of the heap could not run even if it got past the escaping.

// htmlFiles are the page: Go templates, a style sheet, and scripts, which are
// put into the page as they are.
//
//go:embed html
var htmlFiles embed.FS

const (
	htmlPath = 512 // columns of a path
	htmlName = 200 // of any other name
	htmlText = 1200
	htmlCode = 240 // of a line of source
)

// htmlPage is what html/page.html shows: Loop or Report is set.
type htmlPage struct {
	Title   string
	Policy  string
	Style   template.CSS
	Scripts []template.JS
	Data    template.JS // JSON for the scripts
	Loop    *loopPage
	Report  *reportPage
}

// The scripts of the pages.
var (
	loopScripts   = []string{"parts.js", "table.js", "timeline.js", "flame.js"}
	reportScripts = []string{"parts.js", "table.js"}
)

var htmlTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"text":        func(s string) string { return clip(s, htmlText) },
	"name":        func(s string) string { return clip(s, htmlName) },
	"path":        func(s string) string { return clip(s, htmlPath) },
	"position":    Location.position,
	"code":        htmlCodeOf,
	"located":     located,
	"function":    functionName,
	"rule":        findRule,
	"holder":      Holder.words,
	"entries":     entriesOf,
	"signed":      signedCount,
	"signedBytes": signedBytes,
	"bytes":       FormatBytes,
	"count":       FormatCount,
	"ms":          FormatMS,
	"percent":     func(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) },
	"plural":      plural,
	"upper":       strings.ToUpper,
	"lower":       strings.ToLower,
	"inc":         func(i int) int { return i + 1 },
}).ParseFS(htmlFiles, "html/*.html"))

// writePage writes a page with its scripts and the data they read.
func writePage(w io.Writer, p htmlPage, scripts []string, data any) error {
	text, err := json.Marshal(data) // escapes <, so that no string ends the element
	if err != nil {
		return err
	}
	p.Data = template.JS(escapeControls(text))
	style, err := htmlFiles.ReadFile("html/style.css")
	if err != nil {
		return err
	}
	p.Style = template.CSS(style)
	policy := []string{"default-src 'none'", "style-src " + hashSource(style)}
	allowed := "script-src"
	for _, name := range scripts {
		script, err := htmlFiles.ReadFile("html/" + name)
		if err != nil {
			return err
		}
		p.Scripts = append(p.Scripts, template.JS(script))
		allowed += " " + hashSource(script)
	}
	policy = append(policy, allowed, "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'")
	p.Policy = strings.Join(policy, "; ")
	var b bytes.Buffer
	if err := htmlTemplates.ExecuteTemplate(&b, "page.html", p); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// hashSource names a script or style sheet by its content, as a policy does.
func hashSource(content []byte) string {
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// htmlLine is a line of source, cut at the word to look at.
type htmlLine struct {
	Number              int
	Before, Mark, After string
}

func htmlCodeOf(l Location) *htmlLine {
	if l.Code == "" {
		return nil
	}
	code, caret := clipCode(l.Code, l.Column-1, htmlCode)
	if caret < 0 {
		return &htmlLine{Number: l.Line, Before: code}
	}
	before, rest := splitColumns(code, caret)
	notOfWord := func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	end := strings.IndexFunc(rest, notOfWord)
	switch {
	case end < 0:
		end = len(rest)
	case end == 0: // a bracket
		_, end = utf8.DecodeRuneInString(rest)
	}
	return &htmlLine{l.Line, before, rest[:end], rest[end:]}
}

// functionName is a function's name as it is shown.
func functionName(s string) string {
	if s == "" {
		return "(anonymous)"
	}
	return clip(s, 80)
}

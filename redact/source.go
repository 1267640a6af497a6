package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"

	"heapsnap/sourcemap"
)

// keywords are JavaScript's, and a few of TypeScript's.
var keywords = func() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`as async await break case catch class const continue debugger default delete do else
		enum export extends false finally for from function get if implements import in instanceof interface let new null of
		private protected public readonly return set static super switch this throw true try type typeof undefined use
		strict var void while with yield`) {
		set[word] = true
	}
	return set
}()

// Source is the text of a script without what it says in strings, comments and
// numbers: of its words those stay that are names in the snapshot that was
// redacted last, or JavaScript's or Node's own. All others become as many x, and
// every line and column is where it was. To read the text as code and leave out
// its strings would be less safe: one slash that is misread turns all that
// follows inside out.
func (r *Redactor) Source(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	before, url, after := sourcemap.Cut([]byte(text))
	r.lines(&b, string(before))
	if len(url) > 0 {
		b.WriteString("//# sourceMappingURL=" + r.sourceMapURL(string(url)))
		r.lines(&b, string(after))
	}
	return b.String()
}

// lines writes code, or a part of it.
func (r *Redactor) lines(b *strings.Builder, text string) {
	word := -1 // where one began
	for i, c := range text {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || c == '_' || c == '$' {
			if word < 0 {
				word = i
			}
			continue
		}
		if word >= 0 {
			r.word(b, text[word:i])
			word = -1
		}
		if c > '~' { // punctuation and symbols that code has no use for
			b.WriteString(strings.Repeat("x", max(1, utf16.RuneLen(c))))
			continue
		}
		b.WriteRune(c)
	}
	if word >= 0 {
		r.word(b, text[word:])
	}
}

// word writes a word, or what stands in its place.
func (r *Redactor) word(b *strings.Builder, word string) {
	if word == "$" || keywords[word] || r.names != NoNames && r.kept.has([]byte(word)) || r.own([]byte(word)) {
		b.WriteString(word)
		return
	}
	fill := "x"
	if word[0] >= '0' && word[0] <= '9' {
		fill = "0"
	}
	n := 0
	for _, c := range word {
		n += max(1, utf16.RuneLen(c))
	}
	b.WriteString(strings.Repeat(fill, n))
}

// sourceMapURL is a script's reference to its source map. One that is a data:
// URI has the original sources in it, which are treated as [Redactor.Source]
// treats theirs; "" if it cannot be read.
func (r *Redactor) sourceMapURL(url string) string {
	if !strings.HasPrefix(url, "data:") {
		return string(r.code([]byte(url)))
	}
	_, body, ok := strings.Cut(url, ";base64,")
	if !ok {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(body)
	var m map[string]any
	if err != nil || json.Unmarshal(text, &m) != nil {
		return ""
	}
	contents, _ := m["sourcesContent"].([]any)
	for i := range contents {
		if source, ok := contents[i].(string); ok {
			contents[i] = r.Source(source)
		}
	}
	for key := range m {
		switch key {
		case "version", "mappings", "sourcesContent", "sourceRoot":
		case "sources":
			if r.names == NoNames {
				delete(m, key)
			}
		default: // names of what was renamed, sections, what a bundler adds
			delete(m, key)
		}
	}
	if text, err = json.Marshal(m); err != nil {
		return ""
	}
	return "data:application/json;base64," + base64.StdEncoding.EncodeToString(text)
}

// Path is a script's or a file's name as [Redactor.Copy] leaves it.
func (r *Redactor) Path(name string) string {
	if name == "" {
		return ""
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return ""
	}
	return unescaped(r.code(bytes.Trim(quoted, `"`)))
}

// SourceMap is the reference of a script to its source map.
func (r *Redactor) SourceMap(url string) string {
	if url == "" {
		return ""
	}
	return r.sourceMapURL(url)
}

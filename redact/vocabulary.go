package redact

import (
	_ "embed"
	"strings"
	"sync"
)

// vocabularyText are the names of properties, classes and symbols in programs
// that do nothing of their own, on Node 18 to 26: they are public, and nobody's
// data. `make vocabulary` writes it.
//
//go:embed vocabulary.txt
var vocabularyText string

var vocabulary = sync.OnceValue(func() map[string]struct{} {
	words := map[string]struct{}{}
	for word := range strings.Lines(vocabularyText) {
		words[strings.TrimSuffix(word, "\n")] = struct{}{}
	}
	return words
})

// own reports whether a name is V8's or Node's own.
func (r *Redactor) own(raw []byte) bool {
	_, ok := vocabulary()[string(raw)]
	return ok
}

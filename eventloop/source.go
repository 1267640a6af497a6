package eventloop

import "heapsnap/jssource"

// source is a script as tokens, with what was computed of them: what a line does
// is read from it.
type source struct {
	*jssource.Source
	names []int // of functions; see defined
}

func newSource(text []byte) *source { return &source{Source: jssource.Tokenize(text)} }

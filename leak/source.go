package leak

import "heapsnap/jssource"

// source is a script as tokens, with what was computed of them.
type source struct {
	*jssource.Source
	bodies []int // see bodyAround
}

func tokenize(text []byte) *source { return &source{Source: jssource.Tokenize(text)} }

// text returns the text of a script, or nil if there is none.
func (p *Pass) text(script string) []byte {
	text, ok := p.texts[script]
	if !ok {
		if got, err := p.opts.Source(script); err == nil {
			text = got
		}
		p.texts[script] = text
	}
	return text
}

// lines returns a script of which only lines are asked: tokens of one of 9 MB take
// 100 MB and a fifth of a second. It is nil if there is no source.
func (p *Pass) lines(script string) *jssource.Source {
	if src := p.files[script]; src != nil {
		return src.Source
	}
	src, ok := p.untokenized[script]
	if !ok {
		if text := p.text(script); len(text) > 0 {
			src = jssource.Lines(text)
		}
		p.untokenized[script] = src
	}
	return src
}

// file returns the tokens of a script, or nil if there is no source.
func (p *Pass) file(script string) *source {
	src, ok := p.files[script]
	if !ok {
		if text := p.text(script); len(text) > 0 {
			src = tokenize(text)
		}
		p.files[script] = src
	}
	return src
}

// location returns where token i stands.
func (src *source) location(script string, i int, role string) Location {
	line, column := src.Place(i)
	return Location{Function: src.Tokens[i].Within, File: script, Line: line, Column: column, Role: role}
}

// addCode turns to the line that a person wrote and fills in its text.
func (p *Pass) addCode(l *Location) {
	const tooLong = 400 // a minified line helps nobody
	src := p.original(l)
	if src == nil && l.Compiled == "" {
		src = p.lines(l.File)
	}
	if src != nil {
		if text := src.Line(l.Line); len(text) <= tooLong {
			l.Code = text
		}
	}
}

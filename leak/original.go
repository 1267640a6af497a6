package leak

import (
	"fmt"

	"heapsnap/jssource"
	"heapsnap/sourcemap"
)

// sourceMap returns the source map of a script, or nil if it names none that
// can be read: its own lines are then the best there is.
func (p *Pass) sourceMap(script string) *sourcemap.Map {
	m, ok := p.maps[script]
	if !ok {
		if text := p.text(script); len(text) > 0 {
			if loaded, err := sourcemap.Load(script, text, p.opts.Source); err == nil {
				m = loaded
			}
		}
		if p.maps == nil {
			p.maps = map[string]*sourcemap.Map{}
		}
		p.maps[script] = m
	}
	return m
}

// original moves a location in compiled code to where a person wrote it, and
// returns that text, without tokens: it may be of another language. It is nil
// where there is none.
func (p *Pass) original(l *Location) *jssource.Source {
	m := p.sourceMap(l.File)
	if m == nil {
		return nil
	}
	at, ok := m.Original(l.Line, l.Column)
	if !ok || at.Source == "" {
		return nil
	}
	compiled := jssource.Path(l.File)
	l.Compiled = fmt.Sprintf("%s:%d:%d", compiled, l.Line, l.Column)
	l.File, l.Line, l.Column = at.Source, at.Line, at.Column
	src, ok := p.originals[at.Source]
	if !ok {
		if content, ok := m.Content(at.Source); ok {
			src = jssource.Lines([]byte(content))
		} else if at.Source != compiled { // else the name stands for what it was compiled to
			if text, err := p.opts.Source(at.Source); err == nil {
				src = jssource.Lines(text)
			}
		}
		if p.originals == nil {
			p.originals = map[string]*jssource.Source{}
		}
		p.originals[at.Source] = src
	}
	return src
}

package leak

import (
	"fmt"

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
		p.maps[script] = m
	}
	return m
}

// original moves a location in compiled code to where a person wrote it.
func (p *Pass) original(l *Location) {
	m := p.sourceMap(l.File)
	if m == nil || l.Compiled != "" {
		return
	}
	at, ok := m.Original(l.Line, l.Column)
	if !ok || at.Source == "" {
		return
	}
	l.Compiled = fmt.Sprintf("%s:%d:%d", ScriptPath(l.File), l.Line, l.Column)
	l.File, l.Line, l.Column = at.Source, at.Line, at.Column
	if content, ok := m.Content(at.Source); ok && p.texts[at.Source] == nil {
		p.texts[at.Source] = []byte(content)
	}
}

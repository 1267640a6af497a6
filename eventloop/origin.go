package eventloop

import (
	"fmt"
	"strings"

	"heapsnap/jssource"
	"heapsnap/sourcemap"
)

// places leads from what ran to what a person wrote, and knows packages.
type places struct {
	src       *sources
	packages  map[string]string // versions, by folder
	labels    map[string]string // the same as "name@version"
	manifests map[string]*manifest
}

func newPlaces(src *sources, packages map[string]string) places {
	return places{src: src, packages: packages, labels: map[string]string{}, manifests: map[string]*manifest{}}
}

// sourceMap returns the source map of a script, nil if it names none that can be
// read: its own lines are then the best there is.
func (s *sources) sourceMap(script string) *sourcemap.Map {
	m, known := s.maps[script]
	if !known {
		if text := s.text(script); len(text) > 0 {
			if loaded, err := sourcemap.Load(script, text, s.read); err == nil {
				m = loaded
			}
		}
		s.maps[script] = m
	}
	return m
}

// original is where a place in a script was written, its name for it included;
// false where there is no map, or nobody wrote it.
func (s *sources) original(script string, line, column int) (sourcemap.Position, bool) {
	m := s.sourceMap(script)
	if m == nil {
		return sourcemap.Position{}, false
	}
	at, ok := m.Original(line, max(column, 1))
	return at, ok && at.Source != ""
}

// originalText is the text of a file that a script was compiled from, without
// tokens: it may be of another language.
func (s *sources) originalText(script, file string) *jssource.Source {
	src, known := s.originals[file]
	if known {
		return src
	}
	if m := s.sourceMap(script); m != nil {
		if text, ok := m.Content(file); ok {
			src = jssource.Lines([]byte(text))
		} else if file != jssource.Path(script) { // else the name stands for what it was compiled to
			if text, err := s.read(file); err == nil {
				src = jssource.Lines(text)
			}
		}
	}
	s.originals[file] = src
	return src
}

// origin is the file that the function of a frame was written in, or was
// installed in.
func (s *sources) origin(f *CallFrame) string {
	if f.URL == "" || internal(f.URL) {
		return f.URL
	}
	if at, known := s.origins[*f]; known {
		return at
	}
	file := jssource.Path(f.URL)
	// The map of a file that was installed may lead anywhere, to a web address or
	// to sources that are not there: it belongs to its package all the same.
	if isPackage(f.URL) {
		s.origins[*f] = file
		return file
	}
	if at, ok := s.original(f.URL, f.LineNumber+1, f.ColumnNumber+1); ok {
		file = at.Source
	}
	s.origins[*f] = file
	return file
}

// packageOf is the folder of the npm package that a frame's function was
// installed with, "" for the program's own: of a bundle, each module counts for
// itself.
func (s *sources) packageOf(f *CallFrame) string {
	if internal(f.URL) {
		return ""
	}
	_, folder := jssource.Package(rooted(s.origin(f)))
	return folder
}

// rooted makes a bundler's name for a module look like a path: its package is
// found then.
func rooted(file string) string {
	if strings.HasPrefix(file, "node_modules/") {
		return "/" + file
	}
	return file
}

// packageLabel is "name@version" of the package of a file, the name alone if
// its package.json cannot be read, "" for the program's own. script is what ran.
func (p *places) packageLabel(script, file string) string {
	name, folder := jssource.Package(rooted(file))
	if name == "" {
		return ""
	}
	label, known := p.labels[folder]
	if known {
		return label
	}
	label = name
	version := p.packages[folder]
	if version == "" {
		m := p.manifest(folder)
		if m == nil && strings.HasPrefix(folder, "/node_modules/") {
			// A bundler has named it relative to the project's root: that is some folder
			// above the bundle.
			if near := p.moduleFolder(script, name); near != "" {
				m = p.manifest(near)
			}
		}
		if m != nil {
			version = m.Version
		}
	}
	if version != "" {
		label += "@" + version
	}
	p.labels[folder] = label
	return label
}

// placed turns a site to where a person wrote it, and says of which package
// that is.
func (p *places) placed(s Site) Site {
	if script := s.script; script != "" && s.Line > 0 {
		column := s.Column
		if column == 0 {
			column = p.src.firstColumn(s)
		}
		if at, ok := p.src.original(script, s.Line, column); ok {
			s.Compiled = fmt.Sprintf("%s:%d:%d", s.File, s.Line, column)
			s.Function = p.src.originalName(s)
			s.File, s.Line, s.Column = at.Source, at.Line, at.Column
		}
	}
	s.Package = p.packageLabel(s.script, s.File)
	if isPackage(s.script) {
		s.Package = p.packageLabel(s.script, jssource.Path(s.script))
	}
	return s
}

// firstColumn is where the code of a site's line begins: the first statement of
// the function where its head is on the same line, as it is in minified scripts.
func (s *sources) firstColumn(site Site) int {
	src := s.of(site.script)
	if src == nil {
		return 1
	}
	from, to := src.OnLine(site.Line)
	if site.at.line == site.Line {
		if f, ok := src.FunctionAt(site.at.line-1, site.at.column-1); ok && f.Body >= from && f.Body < to {
			from = f.Body
		}
	}
	if from >= to {
		return 1
	}
	return src.Column(from)
}

// originalName is what a person has called the function of a site. Minifiers
// change names; where the compiled name stands, the map leads to the written one.
func (s *sources) originalName(site Site) string {
	src := s.of(site.script)
	if src == nil {
		return site.Function
	}
	var f jssource.Function
	ok := false
	if site.at.line > 0 {
		f, ok = src.FunctionAt(site.at.line-1, site.at.column-1)
	} else if at := src.Offset(site.Line, site.Column); at >= 0 {
		f, ok = src.Enclosing(src.First(at))
	}
	if !ok {
		return site.Function
	}
	name := src.NameOf(f)
	if name < 0 || src.At(name) != ownName(site.Function) {
		return site.Function
	}
	at, ok := s.original(site.script, src.LineOf(name), src.Column(name))
	if !ok {
		return site.Function
	}
	if at.Name != "" {
		return at.Name
	}
	text := s.originalText(site.script, at.Source)
	if text == nil {
		return site.Function
	}
	if word := text.Word(at.Line, at.Column); word != "" {
		return word
	}
	return site.Function
}

// packaged reports whether a site is in a package.
func (p *places) packaged(s Site) bool { return p.placed(s).Package != "" }

// code is the text of a site's line.
func (p *places) code(s Site) string {
	const tooLong = 400 // a minified line helps nobody
	var src *jssource.Source
	if to := p.placed(s); to.Compiled != "" {
		src, s = p.src.originalText(s.script, to.File), to
	} else if compiled := p.src.of(s.script); compiled != nil {
		src = compiled.Source
	}
	if src == nil {
		return ""
	}
	if text := src.Line(s.Line); len(text) <= tooLong {
		return text
	}
	return ""
}

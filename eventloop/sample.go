package eventloop

import (
	"os"
	"slices"
	"strings"

	"heapsnap/jssource"
	"heapsnap/sourcemap"
)

// sample is what a cause sees of a node of the call tree: its stack, and the
// line that was running if the leaf is JavaScript.
type sample struct {
	tree  *callTree
	stack []int // from the leaf up, without the root
	line  int   // of the leaf, 1-based; 0 if it is native or not known
	src   *sources
}

// sources are the texts of the scripts, read when they are asked for.
type sources struct {
	texts  map[string]string // by path: a stack names a script by that, a profile by a URL
	read   func(url string) ([]byte, error)
	parsed map[string]*source

	maps      map[string]*sourcemap.Map   // by script
	originals map[string]*jssource.Source // by the file that a map leads to
	origins   map[CallFrame]string        // see origin
}

func newSources(r *Recording, read func(string) ([]byte, error)) *sources {
	if read == nil {
		read = readScript
	}
	texts := make(map[string]string, len(r.Sources))
	for script, text := range r.Sources {
		texts[jssource.Path(script)] = text
	}
	return &sources{
		texts: texts, read: read, parsed: map[string]*source{}, maps: map[string]*sourcemap.Map{},
		originals: map[string]*jssource.Source{}, origins: map[CallFrame]string{},
	}
}

// of returns a script's source, nil if it cannot be had.
func (s *sources) of(script string) *source {
	if src, known := s.parsed[script]; known {
		return src
	}
	var src *source
	if text := s.text(script); len(text) > 0 {
		src = newSource(text)
	}
	s.parsed[script] = src
	return src
}

// text is a script's, nil if it cannot be had.
func (s *sources) text(script string) []byte {
	if script == "" || internal(script) {
		return nil
	}
	if text, ok := s.texts[jssource.Path(script)]; ok {
		return []byte(text)
	}
	if text, err := s.read(script); err == nil && len(text) <= maxSource {
		return text
	}
	return nil
}

func readScript(script string) ([]byte, error) {
	path := jssource.Path(script)
	if !strings.HasPrefix(path, "/") {
		return nil, os.ErrNotExist
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(path)
}

func (v *sample) frame(i int) *CallFrame { return v.tree.frame(v.stack[i]) }

// name is the function's own name at i: of "get x" x, of "Class.method" method.
func (v *sample) name(i int) string { return ownName(v.frame(i).FunctionName) }

func ownName(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "get "), "set ")
	if i := strings.LastIndexAny(name, ".# "); i >= 0 {
		name = name[i+1:]
	}
	return name
}

func (v *sample) user(i int) bool {
	u := v.frame(i).URL
	return u != "" && !internal(u) && !strings.HasPrefix(u, "wasm:") // which belongs to who calls it
}

// find returns the first frame from the leaf up that is f, -1 if none is.
func (v *sample) find(f func(i int) bool) int {
	for i := range v.stack {
		if f(i) {
			return i
		}
	}
	return -1
}

// within returns the first frame from the leaf up of one of Node's modules,
// such as "node:fs" or "node:internal/crypto/", before the program's own code.
func (v *sample) within(modules ...string) int {
	for i := range v.stack {
		if v.user(i) {
			return -1
		}
		for _, m := range modules {
			if u := v.frame(i).URL; u == m || strings.HasSuffix(m, "/") && strings.HasPrefix(u, m) {
				return i
			}
		}
	}
	return -1
}

// caller is the frame of the program from frame i up: of its own code if there
// is any, else where a package was called; -1 if there is neither.
func (v *sample) caller(from int) int {
	found, folder, left := -1, "", false
	for i := max(from, 0); i < len(v.stack); i++ {
		if !v.user(i) {
			continue
		}
		in := v.src.packageOf(v.frame(i))
		switch {
		case in == "":
			return i
		case found < 0:
			found, folder = i, in
		case in != folder:
			left = true
		case !left:
			found = i
		}
	}
	return found
}

// nearest is the frame from i up that is not Node's: the program's or a package's;
// -1 if there is none.
func (v *sample) nearest(i int) int {
	for ; i < len(v.stack); i++ {
		if v.user(i) {
			return i
		}
	}
	return -1
}

// modules are the packages on the stack up to the program's own function,
// innermost first.
func (v *sample) modules() []module {
	var in []module
	for i := range v.stack {
		if !v.user(i) {
			continue
		}
		folder := v.src.packageOf(v.frame(i))
		if folder == "" {
			break
		}
		if !slices.ContainsFunc(in, func(m module) bool { return m.folder == folder }) {
			in = append(in, module{v.frame(i).URL, folder})
		}
	}
	return in
}

// site is where the program's own function, found from frame i up, was.
func (v *sample) site(from int) Site {
	i := v.caller(from)
	if i < 0 {
		return v.siteOf(min(max(from, 0), len(v.stack)-1))
	}
	return v.siteOf(i)
}

func (v *sample) siteOf(i int) Site {
	f := v.frame(i)
	s := siteOfFrame(f)
	src, fn, known := v.function(i)
	if s.Function == "" && known {
		s.Function = src.passedTo(fn)
	}
	if i == 0 && v.line > 0 {
		s.Line, s.Column = v.line, 0
		if known {
			src.inlinedAt(&s, fn)
		}
		return s
	}
	if line, column := v.callLine(i); line > 0 {
		s.Line, s.Column = line, column
	} else if src, name, at := v.inlined(i); src != nil {
		s.Function, s.Line, s.Column = src.At(name), src.LineOf(at), src.Column(at)
		if def, ok := src.bodyOf(name); ok {
			s.at.line, s.at.column = src.Place(def.Head)
		}
	}
	return s
}

// inlined finds the function between frame i and the one below it that the
// profile does not have, because V8 inlined it before the profiler began: one
// that frame i calls and that calls what is below. It returns the tokens of its
// name and of the call.
func (v *sample) inlined(i int) (src *source, name, call int) {
	if i == 0 || v.user(i-1) {
		return nil, 0, 0
	}
	src, f, ok := v.function(i)
	if !ok {
		return nil, 0, 0
	}
	var wanted []string
	for below := i - 1; below >= max(0, i-nearCalls) && !v.user(below); below-- {
		if n := v.name(below); n != "" && n != nameless {
			wanted = append(wanted, n)
		}
	}
	for at := f.Body; at < f.End && at < len(src.Tokens); at++ {
		if !src.IsName(at) || src.At(at+1) != "(" {
			continue
		}
		def := src.definition(src.At(at))
		if def < 0 {
			continue
		}
		callee, ok := src.bodyOf(def)
		if !ok {
			continue
		}
		for _, w := range wanted {
			if calls := src.Calls(callee.Body, callee.End, w); len(calls) > 0 {
				return src, def, calls[0]
			}
			if w != "consoleCall" {
				continue
			}
			for k := callee.Body; k < callee.End; k++ {
				if src.At(k) == "console" && src.At(k+1) == "." && src.At(k+3) == "(" {
					return src, def, k + 2
				}
			}
		}
	}
	return nil, 0, 0
}

// inlinedAt turns a site to the function that its line is in, if that is another
// than f: V8 gives the lines of a function that it has inlined to the caller.
func (src *source) inlinedAt(s *Site, f jssource.Function) {
	from, to := src.OnLine(s.Line)
	if from >= to || f.Body == 0 || to > f.Head && from < f.End {
		return
	}
	inner, ok := src.Enclosing(from)
	if !ok || inner.Head < 1 {
		return
	}
	s.Function = src.FunctionName(inner)
	if s.Function == nameless {
		s.Function = src.passedTo(inner)
	}
	s.at.line, s.at.column = src.Place(inner.Head)
}

// passedTo names a function without a name by the call it is passed to, as V8
// does in stack traces: items.filter.
func (src *source) passedTo(f jssource.Function) string {
	if f.Head < 3 {
		return nameless
	}
	method := src.passed(f.Head)
	if method < 0 {
		return nameless
	}
	root, ok := src.root(method)
	if !ok {
		return nameless
	}
	name := ""
	for k := root; k <= method; k++ {
		switch m := src.Tokens[k].Match; {
		case m > k:
			k = m // arguments
		case src.IsName(k) || src.At(k) == "this":
			name += "." + src.At(k)
		}
	}
	return strings.TrimPrefix(name, ".")
}

// callLine is where frame i calls the one below it: profiles do not say, the
// source does, by name.
func (v *sample) callLine(i int) (line, column int) {
	src, at := v.call(i)
	if src == nil {
		return 0, 0
	}
	return src.LineOf(at), src.Column(at)
}

// nearCalls is how far below a frame the function that it calls may be: wrappers
// lie between. Further down, a name is only by chance one that the source has.
const nearCalls = 3

// function is the source of frame i and where its function is in it.
func (v *sample) function(i int) (*source, jssource.Function, bool) {
	src := v.src.of(v.frame(i).URL)
	if src == nil {
		return nil, jssource.Function{}, false
	}
	f, ok := src.FunctionAt(v.frame(i).LineNumber, v.frame(i).ColumnNumber)
	return src, f, ok
}

// call is the token of frame i's source that calls the frame below it.
func (v *sample) call(i int) (*source, int) {
	src, f, ok := v.function(i)
	if !ok {
		return nil, 0
	}
	for below := i - 1; below >= max(0, i-nearCalls); below-- {
		name := v.name(below)
		if name == "" || name == nameless {
			// A function without a name is passed as an argument: its own place is in
			// the call.
			if b := v.frame(below); b.URL == v.frame(i).URL {
				if at := src.First(src.Offset(b.LineNumber+1, b.ColumnNumber+1)); at >= f.Body && at < f.End {
					return src, at
				}
			}
			continue
		}
		if calls := src.Calls(f.Body, f.End, name); len(calls) > 0 {
			return src, src.oftenest(f, calls)
		}
		if v.user(below) {
			// Minifiers rename functions, but not the properties they are called by.
			if was := v.src.originalName(siteOfFrame(v.frame(below))); was != name {
				if calls := src.Calls(f.Body, f.End, was); len(calls) > 0 {
					return src, src.oftenest(f, calls)
				}
			}
			if at := v.callThatLeads(src, f, below); at >= 0 {
				return src, at
			}
			return nil, 0 // called through something that renames it
		}
	}
	// Some of Node's functions are made by others, and named so: zlib.gzipSync is
	// called syncBufferWrapper.
	if i > 0 && internal(v.frame(i-1).URL) {
		for at := f.Body; at < f.End && at < len(src.Tokens); at++ {
			if name := src.At(at); strings.HasSuffix(name, "Sync") && src.IsName(at) && src.At(at+1) == "(" {
				return src, at
			}
		}
	}
	return nil, 0
}

// oftenest is, of several calls of the same name, the one that is made most
// often: the first in a loop, or the first at all.
func (src *source) oftenest(f jssource.Function, calls []int) int {
	for _, c := range calls {
		if src.LoopAround(f, c) >= 0 {
			return c
		}
	}
	return calls[0]
}

// calledName is what the program calls at frame i, as its source has it.
func (v *sample) calledName(i int) string {
	if src, at := v.call(i); src != nil && src.At(at+1) == "(" {
		return src.At(at)
	}
	for below := i - 1; below >= 0; below-- {
		if n := v.name(below); n != "" && n != nameless && n != "consoleCall" && n != "value" && n != "wrappedFn" {
			return n
		}
	}
	return ""
}

// running lists the tokens that the leaf may have been at.
func (v *sample) running() (src *source, tokens []int) {
	if v.line == 0 || !v.user(0) {
		return nil, nil
	}
	src, f, ok := v.function(0)
	if src == nil {
		return nil, nil
	}
	if !ok {
		f = jssource.Function{End: len(src.Tokens)}
	}
	return src, src.Running(f, v.line)
}

// siteAt is the site of the leaf, at one of its tokens where that is the
// program's own.
func (v *sample) siteAt(src *source, token int) Site {
	s := v.site(0)
	if v.caller(0) == 0 {
		s.Line, s.Column = src.Place(token)
	}
	return s
}

package eventloop

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"heapsnap/jssource"
)

// A stack may have no line of the program: middleware that a package calls, what
// a promise of a package resumes. Then the nearest is the program's call that
// leads to the package, and what its sources import tells which that is.

// farPackage is how many packages may lie between what the program imports and
// the one that is on the stack.
const farPackage = 3

// Points for how well a call fits a stack that it is not on.
const (
	perStep    = 2 // for each package less between what is imported and the stack
	named      = 8 // it has the name of a function on the stack
	named4file = 4 // it has the name of a file on the stack
	running    = 3 // it is in a function that was seen to run
	awaited    = 2 // it is waited for, and so returns before its work is done
)

// onStack is what a stack tells of the packages in it.
type onStack struct {
	packages         map[string]bool
	functions, files map[string]bool // in lower case
}

// packages are those on the stack, from the leaf to a frame.
func (v *sample) packages(to int) onStack {
	on := onStack{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for i := 0; i <= to && i < len(v.stack); i++ {
		f := v.frame(i)
		name, _ := jssource.Package(rooted(v.src.origin(f)))
		if !v.user(i) || name == "" {
			continue
		}
		on.packages[name] = true
		on.functions[strings.ToLower(v.name(i))] = true
		file := path.Base(jssource.Path(f.URL))
		on.files[strings.ToLower(strings.TrimSuffix(file, path.Ext(file)))] = true
	}
	return on
}

// nearestUse finds the program's call that leads to a stack without a line of
// the program, and the package that is called so.
func (a *analysis) nearestUse(k stackKey) (Site, string, bool) {
	tree := a.main.trees[k.profile]
	v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src}
	on := v.packages(len(v.stack))
	if len(on.packages) == 0 {
		return Site{}, "", false
	}
	seen := a.ownFunctions()
	best, points, called := Site{}, 0, ""
	for _, script := range a.ownScripts() {
		src := a.src.of(script)
		if src == nil {
			continue
		}
		known := src.leadingTo(func(module string) int { return a.steps(script, module, on.packages) })
		for i := range src.Tokens {
			base, ok := src.callOf(i)
			if !ok {
				continue
			}
			from, ok := known[base]
			if !ok {
				continue
			}
			p := perStep * (farPackage + 1 - from.steps)
			what := strings.ToLower(src.At(i))
			for name := range on.functions {
				if len(name) > 2 && (name == what || len(what) > 3 && strings.HasPrefix(name, what)) {
					p += named
					break
				}
			}
			if on.files[what] {
				p += named4file
			}
			fn, inside := src.Enclosing(i)
			site := Site{Function: nameless, File: jssource.Path(script), script: script}
			site.Line, site.Column = src.Place(i)
			if inside {
				site.Function = src.FunctionName(fn)
				site.at.line, site.at.column = src.Place(fn.Head)
				if seen[functionKey{file: site.File, at: site.at}] {
					p += running
				}
			}
			if src.At(src.start(i)-1) == "await" {
				p += awaited
			}
			if p > points {
				best, points, called = site, p, from.module
			}
		}
	}
	if points == 0 {
		return Site{}, "", false
	}
	if folder := a.moduleFolder(best.script, called); folder != "" {
		called = a.packageLabel(best.script, folder+"/package.json")
	}
	return best, called, true
}

// findNearest gives findings in packages the program's line that leads there, and
// makes one of those that have the same.
func (a *analysis) findNearest() {
	type line struct {
		cause *Cause
		file  string
		line  int
	}
	slices.SortFunc(a.Findings, func(x, y Finding) int { return cmp.Or(cmp.Compare(y.Total, x.Total), bySite(x.Site, y.Site)) })
	first := map[line]int{}
	var kept []Finding
	for _, f := range a.Findings {
		if a.packaged(f.Site) {
			if site, through, ok := a.nearestUse(f.leaf); ok {
				a.near[claimKey{f.Cause, f.Site.key()}] = site
				f.Also = append([]Site{f.Site}, f.Also...)
				f.Site, f.Through, f.near = site, through, true
			}
		}
		key := line{f.Cause, f.Site.File, f.Site.Line}
		if i, known := first[key]; known && (f.near || kept[i].near) {
			kept[i].join(&f)
			continue
		}
		first[key] = len(kept)
		kept = append(kept, f)
	}
	a.Findings = kept
}

// callThatLeads finds the call in a function that leads to a frame of a package
// under another name than the frame's: that of a function that the package has
// made, or has exported under another name; -1 if there is none.
func (v *sample) callThatLeads(src *source, f jssource.Function, below int) int {
	in, _ := jssource.Package(rooted(v.src.origin(v.frame(below))))
	if in == "" {
		return -1
	}
	known := src.leadingTo(func(module string) int {
		if packageName(module) == in {
			return 0
		}
		return 1
	})
	name := strings.ToLower(v.name(below))
	on := v.packages(below)
	best, points := -1, 0
	for i := f.Body; i < f.End && i < len(src.Tokens); i++ {
		base, ok := src.callOf(i)
		if !ok {
			continue
		}
		from, ok := known[base]
		if !ok {
			continue
		}
		p := 2
		if src.At(i-1) != "." && src.At(i-1) != "?." {
			p = 4 // a variable, which has a name of its own
		}
		what := strings.ToLower(src.At(i))
		if len(what) > 3 && strings.Contains(name, what) {
			p += 3 // create__duration, exported as duration
		}
		p = 2*p - from.steps
		if on.files[what] {
			p++ // multiply.js, whose functions are named by what they take
		}
		if p > points {
			best, points = i, p
		}
	}
	return best
}

// ownScripts are the program's own among those with a text, in order of name.
func (a *analysis) ownScripts() []string {
	var own []string
	for script := range a.rec.Sources {
		if script != "" && !internal(script) && !isPackage(script) {
			own = append(own, script)
		}
	}
	slices.Sort(own)
	return own
}

// ownFunctions are the functions of the program that the profile has seen.
func (a *analysis) ownFunctions() map[functionKey]bool {
	seen := map[functionKey]bool{}
	for _, tree := range a.main.trees {
		for n := range tree.nodes {
			if f := tree.frame(n); f.URL != "" && !internal(f.URL) && !isPackage(f.URL) {
				s := siteOfFrame(f)
				seen[functionKey{file: s.File, at: s.at}] = true
			}
		}
	}
	return seen
}

// A lead is a name that stands for something of a package.
type lead struct {
	module string // as it is imported
	steps  int
}

// leadingTo returns the names in a script that stand for what is imported from
// modules, or was made by it; steps says how far a module is, -1 for too far.
func (src *source) leadingTo(steps func(module string) int) map[string]lead {
	known := map[string]lead{}
	for name, b := range src.Bindings() {
		if n := steps(b.Module); n >= 0 {
			known[name] = lead{b.Module, n}
		}
	}
	if len(known) == 0 {
		return known
	}
	// const template = Handlebars.compile(text); this.doc = new PDFDocument(); and
	// what is made of these in turn.
	const turns = 3
	for range turns {
		before := len(known)
		for i := range src.Tokens {
			if src.At(i) != "=" || i == 0 || i+1 >= len(src.Tokens) {
				continue
			}
			from, ok := src.made(i+1, known)
			if !ok {
				continue
			}
			for _, name := range src.assigned(i - 1) {
				if _, already := known[name]; !already {
					known[name] = from
				}
			}
		}
		if len(known) == before {
			break
		}
	}
	return known
}

// made reports whether the expression at a token begins with something known, or
// is a call of it.
func (src *source) made(i int, known map[string]lead) (lead, bool) {
	for src.At(i) == "await" || src.At(i) == "new" || src.At(i) == "(" {
		i++
	}
	if src.At(i) == "this" && src.At(i+1) == "." {
		i += 2
	}
	if !src.IsName(i) || src.At(i+1) == "=>" {
		return lead{}, false
	}
	from, ok := known[src.At(i)]
	return from, ok
}

// assigned are the names in the pattern that ends at a token.
func (src *source) assigned(end int) []string {
	if src.IsName(end) || end >= 0 && src.Tokens[end].IsPrivate() {
		return []string{src.At(end)}
	}
	if src.At(end) != "}" && src.At(end) != "]" {
		return nil
	}
	var names []string
	for i := src.Tokens[end].Match + 1; i > 0 && i < end; i++ {
		if src.IsName(i) && src.At(i+1) != ":" {
			names = append(names, src.At(i))
		}
	}
	return names
}

// callOf reports whether a call of the name at token i begins there, and the name
// that the chain it is in begins with: of a.b.c( the a, of this.a.b( the a.
func (src *source) callOf(i int) (base string, ok bool) {
	if !src.IsName(i) && !src.Tokens[i].IsPrivate() || src.At(i+1) != "(" && src.At(i+1) != "?." {
		return "", false
	}
	switch src.At(i) {
	case "require", "import", "if", "for", "while", "switch", "catch", "function", "return", "await", "super":
		return "", false
	}
	if src.At(i-1) == "function" || src.Tokens[i+1].Match > 0 && src.At(src.Tokens[i+1].Match+1) == "{" && src.At(i-1) != "new" && src.At(i-1) != "." {
		return "", false // it is declared here
	}
	root := src.start(i)
	if src.At(root) == "this" || src.At(root) == "new" {
		root++
		if src.At(root) == "." {
			root++
		}
	}
	return src.At(root), true
}

// start is where the chain that token i is in begins: of new a.b(c).d the new.
func (src *source) start(i int) int {
	root := i
	if src.At(i-1) == "." || src.At(i-1) == "?." {
		r, ok := src.root(i)
		if !ok {
			// A chain that begins with a call: f(x).y.
			for r = i; src.At(r-1) == "." || src.At(r-1) == "?."; {
				r -= 2
				for (src.At(r) == ")" || src.At(r) == "]") && src.Tokens[r].Match > 0 {
					r = src.Tokens[r].Match - 1
				}
			}
		}
		root = max(r, 0)
	}
	if src.At(root-1) == "new" {
		root--
	}
	return root
}

// steps is how many packages lie between a module that a script imports and one
// of some packages: 0 if it is one of them, -1 if it does not lead to any.
func (p *places) steps(script, module string, to map[string]bool) int {
	name := packageName(module)
	if name == "" {
		return -1
	}
	if to[name] {
		return 0
	}
	folder := p.moduleFolder(script, module)
	if folder == "" {
		return -1
	}
	at := []string{folder}
	seen := map[string]bool{folder: true}
	for n := 1; n <= farPackage; n++ {
		var next []string
		for _, dir := range at {
			for _, dependency := range p.dependencies(dir) {
				if to[dependency] {
					return n
				}
				if sub := p.moduleFolder(dir+"/package.json", dependency); sub != "" && !seen[sub] {
					seen[sub] = true
					next = append(next, sub)
				}
			}
		}
		at = next
	}
	return -1
}

// packageName is the package of a module that is imported by name: of
// "csv-parse/sync" csv-parse; "" for files and modules of Node's.
func packageName(module string) string {
	if module == "" || strings.HasPrefix(module, ".") || strings.HasPrefix(module, "/") {
		return ""
	}
	name, rest, _ := strings.Cut(module, "/")
	if strings.HasPrefix(name, "@") {
		scoped, _, _ := strings.Cut(rest, "/")
		name += "/" + scoped
	}
	return name
}

// manifest is what is used of a package.json.
type manifest struct {
	Version          string
	Dependencies     map[string]string
	PeerDependencies map[string]string
	DevDependencies  map[string]string
}

// manifest reads a package's; nil if it cannot be read.
func (p *places) manifest(folder string) *manifest {
	m, known := p.manifests[folder]
	if !known {
		if text, err := p.src.read(folder + "/package.json"); err == nil {
			m = &manifest{}
			if json.Unmarshal(text, m) != nil {
				m = nil
			}
		}
		p.manifests[folder] = m
	}
	return m
}

// directDependencies are those of the project that a script belongs to.
func (p *places) directDependencies(script string) map[string]bool {
	direct := map[string]bool{}
	for dir := path.Dir(jssource.Path(script)); ; dir = path.Dir(dir) {
		if m := p.manifest(dir); m != nil {
			for _, all := range []map[string]string{m.Dependencies, m.DevDependencies} {
				for name := range all {
					direct[name] = true
				}
			}
			return direct
		}
		if dir == path.Dir(dir) || !path.IsAbs(dir) {
			return direct
		}
	}
}

func (p *places) dependencies(folder string) []string {
	m := p.manifest(folder)
	if m == nil {
		return nil
	}
	var all []string
	for name := range m.Dependencies {
		all = append(all, name)
	}
	for name := range m.PeerDependencies {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// moduleFolder is the folder of the package that a script gets when it imports a
// module by name; "" if none is there.
func (p *places) moduleFolder(script, module string) string {
	name := packageName(module)
	for dir := path.Dir(jssource.Path(script)); name != ""; dir = path.Dir(dir) {
		if path.Base(dir) != "node_modules" {
			if folder := path.Join(dir, "node_modules", name); p.manifest(folder) != nil {
				return folder
			}
		}
		if dir == path.Dir(dir) {
			break
		}
	}
	return ""
}

// hidden reports whether profiles have a noticeable time in packages without a
// function of the program on the stack.
func hidden(profiles []*Profile) bool {
	const noticeable = 0.05 // of what was not idle
	var without, busy int
	for _, p := range profiles {
		t := newCallTree(p)
		is := map[int]bool{}
		for _, id := range p.Samples {
			n := t.index[id]
			if t.idle(n) {
				continue
			}
			busy++
			only, known := is[n]
			if !known {
				packages := false
				only = true
				for _, at := range t.stack(n) {
					switch url := t.frame(at).URL; {
					case url == "" || internal(url):
					case isPackage(url):
						packages = true
					default:
						only = false
					}
				}
				only = only && packages
				is[n] = only
			}
			if only {
				without++
			}
		}
	}
	return float64(without) > noticeable*float64(busy)
}

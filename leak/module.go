package leak

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var moduleRule = Rule{
	Name:  "module",
	Title: "Modules are loaded again and again and stay",
	Cause: "require() and import() remember what they loaded for ever. Code that is loaded under a new name each time (a " +
		"generated file, ?v=1 behind a URL) fills their caches. Taking a module out of require.cache to load it anew is " +
		"no way out: the module that requires it keeps every copy in its children; and an ES module cannot be taken out " +
		"at all.",
	Sign: "Module objects, or an ES loader's ModuleWrap objects, are born in every round, and Node's loader keeps them.",
	Fix: "Load code once, at the start. Read what changes as data (fs.readFile, JSON.parse). Where code has to be loaded " +
		"anew, do it in a worker or a child process that ends.",
	Before: `function settings() {
  delete require.cache[file];
  return require(file);                      // the old copy stays in module.children
}`,
	After: `function settings() {
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}`,
	Links: []string{
		"https://nodejs.org/api/modules.html#requirecache",
		"https://nodejs.org/api/esm.html#no-requirecache",
	},
	explain: explainModule,
}

// unitNames is what the loader's tables have where they have no modules.
const unitNames = "names"

func explainModule(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if !p.ofLoader(holder) {
		return nil
	}
	// The namespace of an ES module is called Module too.
	modules := slices.DeleteFunc(p.survivorsOfClass(g, "Module"), func(n heapsnap.Node) bool { return p.s.Property(n, "children") == heapsnap.NoNode })
	wraps := p.survivorsOfClass(g, "ModuleWrap")
	o := p.describe(holder)
	c := &claim{specific: mechanism, holder: o, node: holder}
	switch {
	case len(modules) >= 2 && len(modules) >= len(wraps):
		c.explainRequired(p, modules)
	case len(wraps) >= 2:
		c.explainImported(p, wraps)
	default:
		// A table of names: as many as modules, and grown by the same line.
		kind, items := p.contents(holder)
		var fresh []heapsnap.Node
		for _, it := range items {
			if it.born > 0 && it.value != heapsnap.NoNode {
				fresh = append(fresh, it.value)
			}
		}
		if kind == "" || len(fresh) < 2 || p.userHeld(holder) && !p.isRequireCache(holder) {
			return nil
		}
		c.title = fmt.Sprintf("Node's loader remembers ever new names of modules, in %s", o.Name)
		c.entries, c.unit = p.count(fresh), unitNames
		c.identity = []string{"names", o.Name}
		c.survivor = fresh[len(fresh)*3/4]
		c.where = p.loads(nil, "require", "import")
	}
	c.fix = "Load each module once, under one name. Read what changes as data (fs.readFile, JSON.parse); load code that changes in a worker or child process that ends."
	return c
}

// explainRequired tells of CommonJS modules.
func (c *claim) explainRequired(p *Pass, modules []heapsnap.Node) {
	copies := map[string]int{} // file -> how often it was loaded
	parents := map[string]int{}
	lists := map[string]heapsnap.Node{} // parent -> its children
	for _, m := range modules {
		copies[p.textOf(m, "filename")]++
		for _, parent := range p.parentsOf(m) {
			if script := p.textOf(parent, "filename"); userScript(script) {
				parents[script]++
				lists[script] = p.s.Property(parent, "children")
			}
		}
	}
	file := mostFrequent(copies)
	c.entries, c.unit = p.count(modules), "modules"
	c.survivor = modules[len(modules)*3/4]
	if 2*len(copies) <= len(modules) {
		c.title = fmt.Sprintf("%s is loaded anew again and again, and its old copies stay", filepath.Base(file))
		c.identity = []string{"copies", filepath.Base(file)}
		c.evidence = append(c.evidence, fmt.Sprintf("there are %d copies of %s that are newer than the first capture", copies[file], file))
		if parent := mostFrequent(parents); parent != "" {
			c.evidence = append(c.evidence, fmt.Sprintf("they are children of the module %s, which deleting from require.cache does not change", parent))
			c.node = lists[parent]
			c.holder = p.describe(c.node)
			c.holder.Name = "Module.children of " + shortScript(parent)
		}
	} else {
		c.title = "modules are required under ever new names, and stay in require.cache"
		c.identity = []string{"names"}
		c.holder.Name = "require.cache"
		for _, m := range modules[max(0, len(modules)-3):] {
			c.sample = append(c.sample, p.textOf(m, "filename"))
		}
	}
	var scripts []string
	for script := range parents {
		scripts = append(scripts, script)
	}
	slices.SortFunc(scripts, func(a, b string) int { return cmp.Or(cmp.Compare(parents[b], parents[a]), cmp.Compare(a, b)) })
	c.where = p.loads(scripts, "require", "import")
}

// explainImported tells of ES modules.
func (c *claim) explainImported(p *Pass, wraps []heapsnap.Node) {
	var urls []string
	names := map[string]int{}
	for _, w := range wraps {
		url := p.textOf(w, "url")
		urls = append(urls, url)
		path, _, _ := strings.Cut(url, "?")
		names[path]++
	}
	c.entries, c.unit = p.count(wraps), "modules"
	c.survivor = wraps[len(wraps)*3/4]
	c.holder.Name = "the cache of Node's loader of ES modules"
	c.sample = urls[max(0, len(urls)-3):]
	file := mostFrequent(names)
	if 2*len(names) <= len(wraps) {
		c.title = fmt.Sprintf("%s is imported under ever new URLs, and every copy stays", filepath.Base(file))
		c.identity = []string{"url", filepath.Base(file)}
	} else {
		c.title = "modules are imported under ever new names, and stay in the loader's cache"
		c.identity = []string{"url"}
	}
	c.where = p.loads(nil, "import", "require")
}

// ofLoader reports whether n belongs to Node's loaders of modules: a Module, or
// a table that one of them has. lib/internal/modules/cjs/loader.js has
// Module._cache, _pathCache, relativeResolveCache; esm/module_map.js LoadCache
// and ResolveCache (Node 18: ModuleMap in early versions).
func (p *Pass) ofLoader(n heapsnap.Node) bool {
	const maxHops = 3
	for range maxHops {
		switch p.s.RawName(n) {
		case "Module", "LoadCache", "ResolveCache", "ModuleMap":
			return true
		}
		if p.isRequireCache(n) {
			return true
		}
		r := p.reference(n)
		switch {
		case r.kind == "variable":
			return strings.HasPrefix(r.script, "node:internal/modules/")
		case r.owner == heapsnap.NoNode || r.kind == "" || r.kind == "global":
			return false
		case p.s.Type(r.owner) == heapsnap.Closure:
			return strings.HasPrefix(p.s.Script(r.owner), "node:internal/modules/")
		}
		n = r.owner
	}
	return false
}

// isRequireCache reports whether n is Module._cache, which every module's
// require has as its property cache.
func (p *Pass) isRequireCache(n heapsnap.Node) bool {
	for _, st := range p.holdersOf(n) {
		if p.s.EdgeType(st.Edge) == heapsnap.PropertyEdge && p.s.EdgeName(st.Edge) == "_cache" && p.s.RawName(st.From) == "Module" {
			return true
		}
	}
	return false
}

// parentsOf returns the modules that have m among their children.
func (p *Pass) parentsOf(m heapsnap.Node) []heapsnap.Node {
	var parents []heapsnap.Node
	for _, st := range p.holdersOf(m) {
		array := st.From
		if p.s.Type(array) == heapsnap.Array {
			array = p.storageOwner(array)
		}
		if p.s.RawName(array) != "Array" {
			continue
		}
		for _, up := range p.holdersOf(array) {
			if p.s.EdgeName(up.Edge) == "children" && p.s.RawName(up.From) == "Module" && !slices.Contains(parents, up.From) {
				parents = append(parents, up.From)
			}
		}
	}
	return parents
}

// loads returns the lines that load modules whose names are made at run time,
// or that were taken out of require.cache before: first in scripts, then in the
// rest of the program.
func (p *Pass) loads(scripts []string, functions ...string) []Location {
	const maxFiles = 300
	all := slices.Clone(scripts)
	known := map[string]bool{}
	for _, script := range scripts {
		known[script] = true
	}
	for _, script := range p.scripts(p.s.Root(), nil) {
		if !known[script] {
			all = append(all, script)
		}
	}
	for _, function := range functions {
		for i, script := range all[:min(len(all), maxFiles)] {
			if i >= len(scripts) && !ownScript(script) {
				continue
			}
			src := p.file(script)
			if src == nil {
				continue
			}
			clearing := src.clearsCache()
			found := p.calls(script, []string{function}, "loads the module", func(src *source, open int) bool {
				if open >= 2 && (src.Tokens[open-2].Text == "." || src.Tokens[open-2].Text == "function") {
					return false
				}
				return src.isComputed(open) || function == "require" && clearing[src.Tokens[open].Within]
			})
			if len(found) > 0 {
				slices.SortStableFunc(found, func(a, b Location) int {
					return cmp.Compare(b2i(clearing[b.Function]), b2i(clearing[a.Function]))
				})
				return p.compact(found)
			}
		}
	}
	return nil
}

// clearsCache returns the functions that take something out of require.cache.
func (src *source) clearsCache() map[string]bool {
	functions := map[string]bool{}
	for i, t := range src.Tokens {
		if t.Text != "cache" && t.Text != "_cache" || i < 2 || i+1 >= len(src.Tokens) || src.Tokens[i-1].Text != "." || src.Tokens[i+1].Text != "[" {
			continue
		}
		end := src.Tokens[i+1].Match
		if i >= 3 && src.Tokens[i-3].Text == "delete" || end > 0 && end+1 < len(src.Tokens) && isAssignment(src.Tokens[end+1].Text) {
			functions[t.Within] = true
		}
	}
	return functions
}

// isComputed reports whether the first argument of the call opening at open is
// made at run time.
func (src *source) isComputed(open int) bool {
	argument := src.argument(open, 0)
	for _, t := range argument {
		if t.Text == "resolve" {
			return false // require(require.resolve('./name'))
		}
	}
	return len(argument) > 1 || len(argument) == 1 && (argument[0].Text == "" || !strings.ContainsRune("\"'`", rune(argument[0].Text[0])))
}

func mostFrequent(counts map[string]int) string {
	best := ""
	for text, n := range counts {
		if n > counts[best] || n == counts[best] && text < best {
			best = text
		}
	}
	return best
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

package heapprofile

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"heapsnap/jssource"
)

// Site is a function of the program and what was made in it, and in what it
// called outside the program: by Node, by packages. Line and column are 1-based,
// 0 if there are none.
type Site struct {
	Function     string
	File         string
	Line, Column int
	// Package is the outermost package that was called, "" if the program made it
	// itself.
	Package string
	Bytes   uint64
	Before  uint64  // in the profile that this one is compared with
	Stack   []Place // of what made most, innermost first
}

// Place is a function of a stack.
type Place struct {
	Function     string
	File         string
	Line, Column int
}

// Original leads a place in compiled code to where a person wrote it; line and
// column are 1-based. ok is false if nothing is known.
type Original func(p Place) (original Place, ok bool)

// Sites sums a profile up by the program's own functions, largest first. What
// none of them called is under its innermost function. original may be nil.
func (p *Profile) Sites(original Original) []Site {
	found := p.sites(original)
	out := make([]Site, 0, len(found))
	for _, s := range found {
		out = append(out, s.Site)
	}
	slices.SortFunc(out, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Function, b.Function),
			strings.Compare(a.Package, b.Package))
	})
	return out
}

// Growth compares two profiles: sites by how much more the second has, most
// first. A site that is in one only has 0 in the other.
func Growth(before, after *Profile, original Original) []Site {
	old := before.sites(original)
	found := after.sites(original)
	var out []Site
	for key, s := range found {
		if o := old[key]; o != nil {
			s.Before = o.Bytes
		}
		out = append(out, s.Site)
	}
	for key, o := range old {
		if found[key] == nil {
			s := o.Site
			s.Before, s.Bytes = o.Bytes, 0
			out = append(out, s)
		}
	}
	growth := func(s Site) int64 { return int64(s.Bytes) - int64(s.Before) }
	slices.SortFunc(out, func(a, b Site) int {
		return cmp.Or(cmp.Compare(growth(b), growth(a)), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Function, b.Function),
			strings.Compare(a.Package, b.Package))
	})
	return out
}

// siteKey is a site without the figures. A script's place in a bundle may move
// between two builds; the original's is what counts.
type siteKey struct {
	place   Place
	pkg     string
	builtin bool
}

type siteSum struct {
	Site
	sum     float64
	largest float64
}

func (p *Profile) sites(original Original) map[siteKey]*siteSum {
	found := map[siteKey]*siteSum{}
	r := resolver{original, map[Frame]resolved{}}
	for s := range p.stacks() {
		own := -1
		for i := len(s.frames) - 1; i >= 0 && own < 0; i-- {
			if r.resolve(s.frames[i]).own {
				own = i
			}
		}
		key := siteKey{builtin: own < 0}
		switch {
		case own >= 0:
			key.place = r.resolve(s.frames[own]).Place
			for _, f := range s.frames[own+1:] {
				if key.pkg = r.resolve(f).pkg; key.pkg != "" {
					break
				}
			}
		case len(s.frames) == 0:
			key.place = Place{Function: "(V8)"}
		default:
			f := r.resolve(s.frames[len(s.frames)-1])
			key.place, key.pkg = f.Place, f.pkg
		}
		t := found[key]
		if t == nil {
			t = &siteSum{Site: Site{Function: key.place.Function, File: key.place.File, Line: key.place.Line, Column: key.place.Column, Package: key.pkg}}
			found[key] = t
		}
		t.sum += s.self
		t.Bytes = uint64(t.sum)
		if s.self > t.largest {
			t.largest, t.Stack = s.self, t.Stack[:0]
			for i := len(s.frames) - 1; i >= 0; i-- {
				t.Stack = append(t.Stack, r.resolve(s.frames[i]).Place)
			}
		}
	}
	return found
}

// resolver knows each frame's place, and whose it is: of a bundle, each module
// counts for itself.
type resolver struct {
	original Original
	known    map[Frame]resolved
}

type resolved struct {
	Place
	pkg string // of npm
	own bool   // the program's: not a package's, not Node's
}

func (r *resolver) resolve(f Frame) resolved {
	if at, ok := r.known[f]; ok {
		return at
	}
	at := resolved{Place: Place{Function: f.Name(), File: f.File()}}
	if at.File != "" && f.Line >= 0 {
		at.Line, at.Column = f.Line+1, max(0, f.Column)+1
	}
	builtin := f.URL == "" || strings.HasPrefix(f.URL, "node:") || strings.HasPrefix(f.URL, "internal/")
	if r.original != nil && at.Line > 0 && !builtin {
		if o, ok := r.original(at.Place); ok {
			if o.Function == "" {
				o.Function = at.Function
			}
			at.Place = o
		}
	}
	at.pkg, _ = jssource.Package(rooted(at.File))
	at.own = !builtin && at.pkg == ""
	r.known[f] = at
	return at
}

// rooted makes a bundler's name for a module look like a path.
func rooted(file string) string {
	if strings.HasPrefix(file, "node_modules/") {
		return "/" + file
	}
	return file
}

// filePath turns a file URL into a path.
func filePath(name string) string {
	if strings.HasPrefix(name, "file:") {
		if u, err := url.Parse(name); err == nil && u.Path != "" {
			return u.Path
		}
	}
	return name
}

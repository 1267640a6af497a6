package eventloop

import (
	"cmp"
	"slices"

	"heapsnap/jssource"
)

// Site is the function of the program that has to change, and the line in it.
// Line and Column are 1-based, 0 if not known.
type Site struct {
	Function string
	File     string // as the target named it, a file URL made a path; by a source map, what that was compiled from
	Line     int
	Column   int
	Compiled string // "file:line:column" of what ran, where that is not File
	Package  string // "name@version" of the npm package that File belongs to, "" for the program's own

	script string // that ran, as V8 names it
	at     place  // in it, where the function begins
}

// place is a 1-based line and column.
type place struct{ line, column int }

// functionKey tells functions apart, those without a name and with the short
// names of a minifier too.
type functionKey struct {
	function, file string
	at             place
}

func (s Site) key() functionKey { return functionKey{s.Function, s.File, s.at} }

// siteOfFrame is where a function begins.
func siteOfFrame(f *CallFrame) Site {
	line, column := f.LineNumber+1, f.ColumnNumber+1
	return Site{Function: f.FunctionName, File: jssource.Path(f.URL), Line: line, Column: column, script: f.URL, at: place{line, column}}
}

// bySite orders sites by where they are.
func bySite(a, b Site) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Function, b.Function))
}

// furtherSites are the other lines that a good part of the time was spent in,
// heaviest first.
func furtherSites(lines map[Site]int64, but Site) []Site {
	var total int64
	for _, t := range lines {
		total += t
	}
	var out []Site
	for s, t := range lines {
		if (s.Line != but.Line || s.File != but.File) && float64(t) > 0.1*float64(total) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y Site) int { return cmp.Or(cmp.Compare(lines[y], lines[x]), bySite(x, y)) })
	return out
}

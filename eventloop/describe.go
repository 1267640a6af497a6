package eventloop

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"heapsnap/jssource"
)

// describe puts a finding into words.
func (a *analysis) describe(f *Finding) {
	if f.Cause == &cpuCause { // what a small part of the time went into is no name for it
		f.Details = slices.DeleteFunc(f.Details, func(d string) bool { return 2*f.detailUs[d] < f.sampledUs() })
	}
	what := f.Cause.Title
	for _, d := range f.Details {
		if f.Cause != &scanCause || d != deepCopy && !strings.HasPrefix(d, "JSON.") && d != "structuredClone" {
			what = d
			break
		}
	}
	if f.near {
		f.Evidence = append(f.Evidence, "no line of the program is on the stack; the nearest is where it calls "+f.Through)
	}
	f.Code = a.code(f.Site)
	f.Site = a.placed(f.Site)
	for i := range f.Also {
		f.Also[i] = a.placed(f.Also[i])
	}
	f.Fix = f.Cause.Fix
	a.describePackage(f)
	if f.Package != "" {
		f.Fix = packageFix(f)
	}
	f.Title = title(f, what)
	if f.Count > 1 {
		slices.Sort(f.perBlock)
		f.Evidence = append(f.Evidence, fmt.Sprintf("%d blocks, %s in the median and %s at worst", f.Count, round(f.perBlock[len(f.perBlock)/2]), round(f.Worst)))
	}
	if f.Count == 0 && len(f.perBlock) > 0 {
		f.Worst = slices.Max(f.perBlock) // a part of blocks that have another first cause
	}
	if f.Count == 1 {
		f.Evidence = append(f.Evidence, "one block of "+round(f.Worst))
	}
	if f.Share < 0.95 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("%.0f %% of the time of all blocks", 100*f.Share))
	}
	if len(f.Requests) > 0 {
		f.Evidence = append(f.Evidence, "requests meanwhile: "+strings.Join(f.Requests, ", "))
	}
	switch f.Cause {
	case &syncFSCause:
		f.Evidence = append(f.Evidence, a.syncCalls()...)
	case &regexpCause:
		if len(f.Details) > 0 && backtracks(f.Details[0]) {
			f.Evidence = append(f.Evidence, "the pattern repeats what is repeated already, so some texts take exponential time: "+f.Details[0])
		}
		if n := len(f.perBlock); n > 1 && f.perBlock[n-1] > 10*f.perBlock[0] {
			f.Evidence = append(f.Evidence, fmt.Sprintf("the same line takes from %s to %s, depending on the text", round(f.perBlock[0]), round(f.perBlock[n-1])))
		}
	case &gcCause:
		f.Evidence = append(f.Evidence, a.collections()...)
	case &scanCause:
		if slices.Contains(f.Details, deepCopy) {
			f.Evidence = append(f.Evidence, "and what is found is copied by "+deepCopy)
		}
	}
}

// describePackage says in which package the time was spent, if it was in one for
// at least half of the time: the innermost of those that the program depends on
// by itself, whose name its developers know, or else the innermost.
func (a *analysis) describePackage(f *Finding) {
	whole := f.sampledUs()
	times, script := map[string]int64{}, map[string]string{}
	for m, t := range f.modules {
		times[m.folder] += t
		script[m.folder] = m.script
	}
	maps.DeleteFunc(times, func(_ string, t int64) bool { return 2*t < whole })
	if len(times) == 0 {
		return
	}
	label := func(folder string) string { return a.packageLabel(script[folder], folder+"/package.json") }
	inner := slices.Collect(maps.Keys(times)) // innermost first
	slices.SortFunc(inner, func(x, y string) int {
		at := func(folder string) int {
			return slices.IndexFunc(f.Stack, func(s Site) bool { return s.Package == label(folder) })
		}
		return cmp.Or(cmp.Compare(times[x], times[y]), cmp.Compare(at(x), at(y)), cmp.Compare(x, y))
	})
	best := inner[0]
	direct := a.directDependencies(f.Site.script)
	if i := slices.IndexFunc(inner, func(folder string) bool { name, _ := jssource.Package(folder + "/"); return direct[name] }); i >= 0 {
		best = inner[i]
	}
	f.Package = label(best)
	if f.Through == f.Package {
		f.Through = ""
	}
	if outer := label(inner[len(inner)-1]); f.Through == "" && outer != f.Package {
		f.Through = outer
	}
	if len(inner) > 1 {
		var names []string
		for _, folder := range inner {
			names = append(names, label(folder))
		}
		const most = 6
		if n := len(names); n > most {
			names = append(names[:most-1], "...", names[n-1])
		}
		f.Evidence = append(f.Evidence, "packages on the stack, innermost first: "+strings.Join(names, ", "))
	}
}

// packageFix is what to do about time that a package takes: its code is not the
// developer's to change, the call of it is.
func packageFix(f *Finding) string {
	name := f.Package
	if i := strings.LastIndex(name, "@"); i > 0 {
		name = name[:i]
	}
	switch f.Cause {
	case &regexpCause:
		return fmt.Sprintf("The pattern is in %s and not yours: see whether a newer version has mended it (npm audit, npm outdated %s). Until then check, "+
			"before this line, how long the text is, and refuse or cut what no honest user would send.", name, name)
	case &cpuCause, &gcCause:
		return fmt.Sprintf("Call %s less on this line: once at the start instead of for every request, with less data, or keep what it has returned "+
			"(a compiled template, a parsed file, a finished picture). What has to be done each time belongs into a worker thread (piscina keeps a pool of them).", name)
	case &syncFSCause, &cryptoCause, &zlibCause, &childProcessCause:
		return fmt.Sprintf("Look for the asynchronous form of this call in %s (a promise, a callback, a stream), or do it once at the start. %s", name, f.Cause.Fix)
	}
	return f.Cause.Fix
}

// title is a finding in a sentence: what, in which function, through which
// package.
func title(f *Finding, what string) string {
	who := called(f.Site.Function)
	in := ""
	if who != "" {
		in = " in " + who
	}
	if f.Package != "" {
		by := ""
		if who != "" {
			by = ", called by " + who
		}
		switch f.Cause {
		case &regexpCause:
			return "a regular expression of " + f.Package + " takes too long" + by
		case &cpuCause:
			if len(f.Details) == 0 {
				return f.Package + " computes" + by
			}
		}
		in += ", through " + f.Package
	}
	switch f.Cause {
	case &gcCause:
		return "garbage collection, for what is allocated" + in
	case &regexpCause:
		return "a regular expression takes too long" + in
	case &cpuCause:
		if len(f.Details) == 0 {
			return "JavaScript computes" + in
		}
	case &scanCause:
		return what + " looks at every element" + in
	case &nativeCause:
		if f.Site.Function == programName {
			return "native code, with no JavaScript on the stack"
		}
		return "Node's own code" + in
	case &moduleCause:
		return "modules are loaded" + in
	case &microtaskCause:
		return "promises follow one another without a turn of the loop" + in
	case &nextTickCause:
		return "process.nextTick without a turn of the loop" + in
	case &serialAwaitCause:
		return "await in a loop, for one thing after the other" + in
	}
	return what + in
}

// called is how a function is spoken of: total(), the callback of list.filter();
// "" for one without a name.
func called(function string) string {
	if function == "" || function == nameless || strings.HasPrefix(function, "(") {
		return ""
	}
	if i := strings.LastIndexByte(function, '.'); i > 0 && (searches[function[i+1:]] || visits[function[i+1:]]) {
		return "the callback of " + function + "()"
	}
	return function + "()"
}

package eventloop

import (
	"strings"

	"heapsnap/jssource"
)

// unclear reports whether a noticeable part of the busy time is attributed to a
// function whose callee was inlined before the profiler began, so that the
// profile names the caller only: its hot line is a call of another function of
// the program, or it is seen to call what its source does not; or the caller is
// Node's, as listOnTimeout is of what a timer calls.
func unclear(p *Profile, src *sources) bool {
	const (
		noticeable = 0.15
		atLeast    = 50_000 // us: a program that is idle hides nothing
	)
	t := newCallTree(p)
	time := map[int]int64{}
	var busy int64
	for i, id := range p.Samples {
		if i+1 < len(p.Samples) && !t.idle(t.index[id]) {
			time[t.index[id]] += p.TimeDeltas[i+1]
			busy += p.TimeDeltas[i+1]
		}
	}
	var hidden int64
	for n, us := range time {
		if t.meta(n) {
			continue
		}
		v := &sample{tree: t, stack: t.stack(n), src: src, line: topLine(t, n)}
		at := v.caller(0)
		if at < 0 {
			if internal(v.frame(0).URL) { // JavaScript of Node's that calls the program's
				hidden += us
			}
			continue
		}
		if at == 0 {
			if s := src.of(v.frame(0).URL); s != nil && (s.callsOwn(s.OnLine(v.line)) || s.callsImported(s.OnLine(v.line))) {
				hidden += us
			}
			continue
		}
		s := src.of(v.frame(at).URL)
		if s == nil || v.user(at-1) || v.name(at-1) == "" {
			continue
		}
		f, ok := s.FunctionAt(v.frame(at).LineNumber, v.frame(at).ColumnNumber)
		if ok && !s.Mentions(f.Body, f.End, v.name(at-1)) && s.callsOwn(f.Body, f.End) {
			hidden += us
		}
	}
	return hidden > atLeast && float64(hidden) > noticeable*float64(busy)
}

// callsOwn reports whether a function that is written in the script is called
// between two tokens.
func (src *source) callsOwn(from, to int) bool {
	for i := max(from, 0); i < to && i < len(src.Tokens); i++ {
		if src.IsName(i) && src.At(i+1) == "(" && src.At(i-1) != "function" && src.definition(src.At(i)) >= 0 {
			return true
		}
	}
	return false
}

// callsImported reports whether a function that the script imports from a file or
// a package, or has been given by one, is called between two tokens.
func (src *source) callsImported(from, to int) bool {
	known := src.leadingTo(func(module string) int {
		if packageName(module) != "" && !builtin[packageName(module)] || strings.HasPrefix(module, ".") {
			return 0
		}
		return -1
	})
	for i := max(from, 0); i < to && i < len(src.Tokens) && len(known) > 0; i++ {
		if base, ok := src.callOf(i); ok {
			if _, imported := known[base]; imported {
				return true
			}
		}
	}
	return false
}

// builtin are Node's modules, whose functions have frames of their own or are
// native.
var builtin = map[string]bool{
	"assert": true, "async_hooks": true, "buffer": true, "child_process": true, "cluster": true, "crypto": true, "dgram": true, "dns": true,
	"events": true, "fs": true, "http": true, "http2": true, "https": true, "module": true, "net": true, "os": true, "path": true,
	"perf_hooks": true, "process": true, "querystring": true, "readline": true, "stream": true, "string_decoder": true, "timers": true,
	"tls": true, "url": true, "util": true, "v8": true, "vm": true, "worker_threads": true, "zlib": true,
}

// definition is the token of a name where a function of that name is written:
// function f(, f = (, f(a) { in a class or an object; -1 if it is not here.
func (src *source) definition(name string) int {
	for _, i := range src.defined() {
		if src.At(i) == name {
			return i
		}
	}
	return -1
}

// defined lists the names of all functions of the script.
func (src *source) defined() []int {
	if src.names == nil {
		src.names = []int{}
		for i := range src.Tokens {
			if !src.IsName(i) {
				continue
			}
			next := src.At(i + 1)
			switch {
			case src.At(i-1) == "function", src.At(i-1) == "*" && src.At(i-2) == "function":
			case (next == "=" || next == ":") && (src.At(i+2) == "function" || src.At(i+2) == "async" || src.arrowAt(i+2)):
			case next == "(" && src.Tokens[i+1].Match > 0 && src.At(src.Tokens[i+1].Match+1) == "{" && !keywordBeforeBlock[src.At(i)]:
			default:
				continue
			}
			src.names = append(src.names, i)
		}
	}
	return src.names
}

var keywordBeforeBlock = map[string]bool{"if": true, "for": true, "while": true, "switch": true, "catch": true, "with": true, "function": true}

// arrowAt reports whether an arrow function begins at token i.
func (src *source) arrowAt(i int) bool {
	if src.At(i) == "(" && i < len(src.Tokens) && src.Tokens[i].Match > 0 {
		return src.At(src.Tokens[i].Match+1) == "=>"
	}
	return src.IsName(i) && src.At(i+1) == "=>"
}

// bodyOf is the extent of the function whose name is token i.
func (src *source) bodyOf(i int) (jssource.Function, bool) {
	open := i + 1
	for ; open < i+5 && src.At(open) != "(" && !src.arrowAt(open); open++ {
	}
	if open >= len(src.Tokens) {
		return jssource.Function{}, false
	}
	f, ok := src.FunctionFrom(open)
	return f, ok && f.Body > 0
}

package leak

import (
	"slices"
	"strings"
)

// callee says which function of which module the call opening at open calls:
// "net.connect", ".fetch" for a global, or "".
func (src *source) callee(open int) (name string, at int) {
	k := open - 1
	if src.At(k) == ")" { // (0, net_1.connect)(
		k--
	}
	if k < 0 || !src.Tokens[k].IsName() {
		return "", 0
	}
	at = k
	last := src.At(k)
	bound := src.Bindings()
	if before := src.At(k - 1); before != "." && before != "?." {
		if b, ok := bound[last]; ok {
			if b.Export == "" || b.Export == "default" {
				return b.Module + "." + last, at // import fetch from
			}
			return b.Module + "." + b.Export, at
		}
		if before == "function" || src.At(src.Tokens[open].Match+1) == "{" { // declares one of this name
			return "", 0
		}
		return "." + last, at
	}
	owner := src.At(k - 2)
	if owner == "default" && src.At(k-3) == "." {
		owner = src.At(k - 4)
	}
	if owner == ")" { // require('net').connect(
		if o := src.Tokens[k-2].Match; o > 0 && src.At(o-1) == "require" && o+1 < k {
			return strings.TrimPrefix(strings.Trim(src.At(o+1), `'"`), "node:") + "." + last, at
		}
		return "", 0
	}
	if owner == "globalThis" {
		return "." + last, at
	}
	b, ok := bound[owner]
	if !ok || src.At(k-3) == "." && src.At(k-2) == owner {
		return "", 0
	}
	module := b.Module
	if b.Export == "promises" {
		module += "/promises"
	}
	return module + "." + last, at
}

// apiCalls returns the calls in a script of functions of Node's modules, named
// as in families.
func (p *Pass) apiCalls(script string, api []string, role string, accept func(src *source, open int) bool) []Location {
	text := p.text(script)
	if len(text) == 0 || !slices.ContainsFunc(api, func(a string) bool { return strings.Contains(string(text), a[strings.LastIndexByte(a, '.')+1:]) }) {
		return nil
	}
	src := p.file(script)
	var found []Location
	for i, t := range src.Tokens {
		if t.Text != "(" || t.Match < 0 || t.IsString() {
			continue
		}
		name, at := src.callee(i)
		if name != "" && slices.Contains(api, name) && (accept == nil || accept(src, i)) {
			found = append(found, src.location(script, at, role))
		}
	}
	return found
}

// firstMakers returns the makers of the first of places that has any.
func (p *Pass) firstMakers(places []place, api []string, role string) []Location {
	for _, pl := range places {
		if makers := p.makers(pl.Location, api, role); len(makers) > 0 {
			return makers
		}
	}
	return nil
}

// makers returns the calls of api that most likely made what the function or
// class at l hangs on: a call that l stands in, else the one in the nearest
// function around it, else those of the whole script.
func (p *Pass) makers(l Location, api []string, role string) []Location {
	var around, file []Location
	innermost, before := -1, -1
	p.apiCalls(l.File, api, role, func(src *source, open int) bool {
		at := src.Offset(l.Line, l.Column)
		call := src.location(l.File, open-1, role)
		if src.spans(open, l) {
			innermost, around = len(src.Text), []Location{call} // later ones are further in
			return false
		}
		file = append(file, call)
		if body := src.bodyAround(open); body >= 0 && innermost < len(src.Text) {
			from, to := src.Tokens[body].Offset, src.Tokens[src.Tokens[body].Match].Offset
			// l stands in the function that calls, or is that function itself: its
			// place is that of its parameters.
			inside := at > from && at < to || src.heads(body, at)
			offset := src.Tokens[open].Offset
			switch {
			case !inside:
			case from > innermost, from == innermost && offset < at && offset > before:
				innermost, before, around = from, offset, []Location{call}
			}
		}
		return false
	})
	if around != nil {
		return around
	}
	return file
}

// heads reports whether offset at is in the head of the function whose body
// opens at token body: from its name or parameters on.
func (src *source) heads(body, at int) bool {
	k := body - 1
	if src.At(k) == "=>" {
		k--
	}
	if src.At(k) != ")" || src.Tokens[k].Match < 1 {
		return k >= 0 && at == src.Tokens[k].Offset
	}
	open := src.Tokens[k].Match
	return at >= src.Tokens[max(0, open-2)].Offset && at < src.Tokens[body].Offset
}

// bodyAround returns the brace that opens the innermost function body around
// token i, -1 at the top.
func (src *source) bodyAround(i int) int {
	if src.bodies == nil {
		src.bodies = make([]int, len(src.Tokens))
		var open []int
		for k := range src.Tokens {
			for len(open) > 0 && k > src.Tokens[open[len(open)-1]].Match {
				open = open[:len(open)-1]
			}
			src.bodies[k] = -1
			if len(open) > 0 {
				src.bodies[k] = open[len(open)-1]
			}
			if src.At(k) == "{" && src.Tokens[k].Match > k && k > 0 {
				if _, ok := src.FunctionBefore(k); ok {
					open = append(open, k)
				}
			}
		}
	}
	return src.bodies[i]
}

package leak

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"heapsnap/jssource"
)

// A use is a place in the source that puts something into a collection or a
// variable.
type use struct {
	Location
	how int // the better, the surer
}

// roleAdds is what a line does that puts something into the holder.
const roleAdds = "adds to the holder"

// How surely a use adds.
const (
	usesAssign = 1 // name = value
	usesIndex  = 2 // name[key] = value
	usesMethod = 3 // name.push(value), name.set(key, value)
)

// addingMethods are the methods of the language's and Node's collections, and
// what people call theirs, that keep an argument.
var addingMethods = map[string]bool{
	"set": true, "add": true, "push": true, "unshift": true, "splice": true, "append": true, "put": true,
	"insert": true, "enqueue": true, "addFirst": true, "addLast": true, "register": true, "subscribe": true,
	"concat": true, "fill": true, "store": true, "save": true, "track": true,
}

// adders returns the places in a script that add to the variable or property
// called name, surest first and then in file order.
//
// A named reference grows by being assigned to; only a collection grows by
// methods and indexes, so entries tells which is looked for.
func (p *Pass) adders(script, name string, property, entries bool) []use {
	wanted := strings.TrimSuffix(strings.TrimPrefix(name, "<symbol "), ">")
	if name == "" || !bytes.Contains(p.text(script), []byte(wanted)) {
		return nil // most files do not have it: do not read them token by token
	}
	src := p.file(script)
	if symbol, ok := src.symbol(name); ok {
		name = symbol
	}
	at := func(i int) string {
		if i < 0 || i >= len(src.Tokens) {
			return ""
		}
		return src.Tokens[i].Text
	}
	member := func(i int) bool { return at(i) == "." || at(i) == "?." }
	var uses []use
	for i, t := range src.Tokens {
		if t.Text != name || !t.IsName() && !t.IsPrivate() {
			continue
		}
		if at(i-1) == "[" && at(i+1) == "]" && at(i+2) == "=" && entries {
			continue // the collection is put there
		}
		if !property && member(i-1) {
			continue // somebody else's property of this name
		}
		declared := !member(i-1) && (at(i-1) == "const" || at(i-1) == "let" || at(i-1) == "var")
		how := 0
		next := i + 1
		if at(i-1) == "[" && at(next) == "]" { // this[STORE].push(x)
			next++
			declared = false
		}
		switch {
		case entries && member(next) && addingMethods[at(next+1)] && at(next+2) == "(":
			how = usesMethod
		case entries && at(next) == "[" && src.Tokens[next].Match > 0 && isAssignment(at(src.Tokens[next].Match+1)):
			how = usesIndex
		case at(next) == "?." && at(next+1) == "[" && src.Tokens[next+1].Match > 0:
			continue
		case isAssignment(at(next)) && !declared && !(property && !member(i-1)):
			if !empty(at(next+1), at(next+2)) {
				how = usesAssign
			}
		case entries && member(next) && isAssignment(at(next+2)) && at(next+1) != "length":
			how = usesAssign // name.key = value
		}
		if how > 0 {
			uses = append(uses, use{src.location(script, i, roleAdds), how})
		}
	}
	slices.SortStableFunc(uses, func(a, b use) int { return cmp.Compare(b.how, a.how) })
	return uses
}

// empty reports whether what is assigned, by its first two tokens, is nothing
// or an empty collection: where a variable starts or is let go.
func empty(first, second string) bool {
	switch first {
	case "null", "undefined", "void", "0", "false", `''`, `""`:
		return true
	case "[":
		return second == "]"
	case "{":
		return second == "}"
	case "new":
		return second == "Map" || second == "Set" || second == "WeakMap" || second == "Array"
	}
	return false
}

// symbol returns the variable that holds the symbol which a heap snapshot
// calls "<symbol description>".
func (src *source) symbol(name string) (variable string, ok bool) {
	description, ok := strings.CutPrefix(name, "<symbol ")
	if !ok {
		return "", false
	}
	description = strings.TrimSuffix(description, ">")
	for i, t := range src.Tokens {
		if t.Text != "Symbol" || i < 2 || src.Tokens[i-1].Text != "=" {
			continue
		}
		for k := i + 1; k < len(src.Tokens) && k < i+5; k++ {
			if isString(src.Tokens[k:k+1], description) {
				return src.Tokens[i-2].Text, true
			}
		}
	}
	return "", false
}

func isAssignment(text string) bool {
	switch text {
	case "=", "+=", "??=", "||=", "&&=":
		return true
	}
	return false
}

// calls returns the calls in a script of one of the functions or methods in
// names. accept is asked with the index of the opening parenthesis.
func (p *Pass) calls(script string, names []string, role string, accept func(src *source, open int) bool) []Location {
	src := p.file(script)
	if src == nil {
		return nil
	}
	var found []Location
	for i, t := range src.Tokens {
		if i+1 >= len(src.Tokens) || src.Tokens[i+1].Text != "(" || !slices.Contains(names, t.Text) {
			continue
		}
		if !t.IsName() || i > 0 && src.Tokens[i-1].Text == "function" {
			continue
		}
		if accept(src, i+1) {
			found = append(found, src.location(script, i, role))
		}
	}
	return found
}

// spans reports whether the brackets opening at open contain the place l.
func (src *source) spans(open int, l Location) bool {
	end := src.Tokens[open].Match
	at := src.Offset(l.Line, l.Column)
	return end > open && at > src.Tokens[open].Offset && at < src.Tokens[end].Offset
}

// argument returns the tokens of the n-th argument of the call opening at open.
func (src *source) argument(open, n int) []jssource.Token {
	end := src.Tokens[open].Match
	if end < 0 {
		return nil
	}
	from, k := open+1, 0
	for i := open + 1; i <= end; i++ {
		switch src.Tokens[i].Text {
		case "(", "[", "{":
			if m := src.Tokens[i].Match; m > i && m < end {
				i = m
			}
			continue
		case ",":
		default:
			if i < end {
				continue
			}
		}
		if k == n {
			return src.Tokens[from:i]
		}
		k++
		from = i + 1
	}
	return nil
}

// mentions reports whether tokens have the identifier name.
func mentions(tokens []jssource.Token, name string) bool {
	return slices.ContainsFunc(tokens, func(t jssource.Token) bool { return t.Text == name && t.IsName() })
}

// isString reports whether tokens are just the string text.
func isString(tokens []jssource.Token, text string) bool {
	return len(tokens) == 1 && tokens[0].IsString() && strings.Trim(tokens[0].Text, `'"`) == text
}

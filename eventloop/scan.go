package eventloop

import (
	"slices"

	"heapsnap/jssource"
)

var scanCause = Cause{
	Name:  "scan",
	Title: "A whole collection is searched for every request",
	Why: "array.find, filter, includes and loops that look at every element are quick with a hundred elements and slow with a " +
		"hundred thousand. The collection grows with the business, and every request pays for all of it.",
	Sign: "The samples are in calls such as .find( or .filter(, or in a loop over a collection that outlives the request, and " +
		"they come with every request.",
	Fix: "Prepare an index: a Map from key to element, or to the list of elements, kept up to date when the collection changes. " +
		"Filter before ranking, copy only what is sent, and keep the answers to frequent questions in a bounded cache.",
	Before: `const user = users.find((u) => u.id === id);`,
	After: `const byID = new Map(users.map((u) => [u.id, u]));
const user = byID.get(id);`,
	Links: []string{"https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Map"},
	ofSample: func(v *sample) *claim {
		// The outermost search that the sample is a part of: what its function does
		// with one element may search something small in turn.
		var found *claim
		users := 0
		for i := 0; i < len(v.stack) && users < scanDepth; i++ {
			if !v.user(i) {
				continue
			}
			if v.src.packageOf(v.frame(i)) != "" {
				break // a package's own search: its caller has to search less
			}
			users++
			if c := v.scanAt(i); c != nil {
				found = c
			}
		}
		return found
	},
}

// scanDepth is how many functions of the program may lie between the search and
// what it does with each element.
const scanDepth = 4

// scanAt finds the search that frame i is in the middle of.
func (v *sample) scanAt(i int) *claim {
	frame := v.frame(i)
	src := v.src.of(frame.URL)
	if src == nil {
		return nil
	}
	own, ok := src.FunctionAt(frame.LineNumber, frame.ColumnNumber)
	if !ok {
		return nil
	}
	var at []int
	if i == 0 {
		if at = src.Running(own, v.line); len(at) == 0 {
			return nil
		}
	} else {
		s, called := v.call(i)
		if s == nil {
			if called = src.given(own, v.name(i-1)); called < 0 {
				return nil
			}
		}
		at = []int{called}
	}
	call, name := src.scanAround(own, at)
	if call < 0 || i > 0 && name == "" || v.computes(i, call) {
		return nil
	}
	s := v.siteOf(i)
	if call < own.Head && i+1 < len(v.stack) && v.frame(i+1).URL == frame.URL {
		s = v.siteOf(i + 1) // the function was called for every element
	}
	s.Line, s.Column = src.LineOf(call), src.Column(call)
	return &claim{site: s, detail: name}
}

// computes reports whether the sample is in a loop that counts, inside what the
// search at a token of frame i's source does with one element: then it is that
// which takes the time, and not that there are many elements.
func (v *sample) computes(i, call int) bool {
	for k := i; k >= 0; k-- {
		if !v.user(k) {
			continue
		}
		src, f, ok := v.function(k)
		if !ok || k == i && call >= f.Head {
			continue // the search itself is in it
		}
		line := v.line
		if k > 0 {
			line, _ = v.callLine(k)
		}
		for _, t := range src.Running(f, line) {
			if t >= f.End || t < f.Head { // of a function that was inlined
				f, _ = src.Enclosing(t)
			}
			if loop := src.LoopAround(f, t); loop >= 0 && src.collection(loop) < 0 {
				return true
			}
		}
	}
	return false
}

// given is where a function is passed by its name to a search: the name's token
// in agents.filter(fits); -1 if it is not.
func (src *source) given(f jssource.Function, name string) int {
	for i := f.Body; i < f.End && i < len(src.Tokens); i++ {
		if name != "" && src.At(i) == name && src.At(i-1) == "(" && (src.At(i+1) == ")" || src.At(i+1) == ",") && searches[src.At(i-2)] {
			return i
		}
	}
	return -1
}

// searches are the array methods that look at every element to find some.
var searches = map[string]bool{
	"find": true, "findIndex": true, "findLast": true, "findLastIndex": true, "filter": true, "some": true, "every": true,
	"indexOf": true, "lastIndexOf": true, "includes": true,
}

// textual are methods and properties that make or have a text.
var textual = map[string]bool{
	"toLowerCase": true, "toUpperCase": true, "trim": true, "toString": true, "substring": true, "join": true, "normalize": true,
	"url": true, "text": true, "body": true, "path": true, "pathname": true,
}

// visits are those that look at every element for some other purpose.
var visits = map[string]bool{"map": true, "forEach": true, "reduce": true, "flatMap": true}

// scanAround finds the search that the tokens of a line are part of: a call of
// an array method, or a loop, whose collection is not made in the function, and
// so is there for longer than one call. It returns the token to point at, -1 if
// there is none, and what is searched in words.
func (src *source) scanAround(own jssource.Function, tokens []int) (int, string) {
	if i := slices.Index(tokens, own.Head); i > 0 {
		tokens = tokens[i:] // a function on one line with others
	}
	if len(tokens) == 0 {
		return -1, ""
	}
	outer := own
	if own.Head > 0 && src.passed(own.Head) >= 0 {
		outer, _ = src.Enclosing(own.Head)
	}
	best, name := -1, ""
	consider := func(method int) {
		root, ok := src.root(method)
		if !ok {
			return
		}
		for i := root; i < method; i++ {
			if textual[src.At(i)] {
				return // a text is searched, not a collection
			}
		}
		r := src.At(root)
		where := src.lifetime(outer, r)
		if where == local || where == parameter && !searches[src.At(method)] {
			return
		}
		if best < 0 || root < best {
			best, name = root, src.text2(root, method)+"()"
		}
	}
	// On the line itself.
	for _, i := range tokens {
		if src.At(i+1) == "(" && src.At(i-1) == "." && searches[src.At(i)] && i >= outer.Body && i < outer.End {
			consider(i)
		}
	}
	// Around it: calls whose arguments have the line, and loops.
	at := tokens[0]
	for i := at - 1; i >= outer.Body && i > 0; i-- {
		t := src.Tokens[i]
		if t.Text == "(" && t.Match > at && (searches[src.At(i-1)] || visits[src.At(i-1)]) && src.At(i-2) == "." {
			consider(i - 1)
		}
	}
	if best < 0 {
		if loop := src.LoopAround(outer, at); loop >= 0 {
			if root := src.collection(loop); root >= 0 && src.lifetime(outer, src.At(root)) == longer && src.decides(loop) {
				return loop, "a loop over " + src.text2(root, root)
			}
		}
	}
	return best, name
}

type lifetime int

const (
	local     lifetime = iota // made in the function
	parameter                 // given to it
	longer                    // of the module or of an object
)

func (src *source) lifetime(f jssource.Function, name string) lifetime {
	if name == "this" || f.Body == 0 { // of the module
		return longer
	}
	for i := f.Head; i < f.Body && i < len(src.Tokens); i++ {
		if src.At(i) == name {
			return parameter
		}
	}
	if src.Declared(f, name) {
		return local
	}
	return longer
}

// root walks back from a method's name to what the chain of calls begins with:
// of a.b(c).filter the a. A chain that begins with a call has none.
func (src *source) root(method int) (int, bool) {
	i := method - 1 // the dot
	for src.At(i) == "." || src.At(i) == "?." {
		i--
		for src.At(i) == ")" || src.At(i) == "]" {
			m := src.Tokens[i].Match
			if m < 1 {
				return 0, false
			}
			call := src.At(i) == ")"
			i = m - 1
			if call && !src.IsName(i) {
				return 0, false
			}
			if call && src.At(i-1) != "." {
				return 0, false // f(x).filter
			}
		}
		if !src.IsName(i) && src.At(i) != "this" {
			return 0, false
		}
		i--
	}
	return i + 1, true
}

// text2 is the source from token a to token b, on one line.
func (src *source) text2(a, b int) string {
	s := ""
	for i := a; i <= b && i < len(src.Tokens); i++ {
		s += src.At(i)
	}
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "..."
	}
	return s
}

// passed returns the method whose argument the function at head is: of
// agents.filter((a) => ...) the filter; -1 if it is none.
func (src *source) passed(head int) int {
	open := head - 1
	if src.At(open) == "async" {
		open--
	}
	if src.At(open) == "(" && (searches[src.At(open-1)] || visits[src.At(open-1)]) && src.At(open-2) == "." {
		return open - 1
	}
	return -1
}

// collection is the first name of what a loop goes over: of for (x of a.b) the
// a, of for (i = 0; i < a.length; ...) the a; -1 if that is not to be seen.
func (src *source) collection(loop int) int {
	open := loop + 1
	if src.At(open) == "await" {
		open++
	}
	if src.At(open) != "(" || src.Tokens[open].Match < 0 {
		return -1
	}
	for i := open + 1; i < src.Tokens[open].Match; i++ {
		switch {
		case src.At(i) == "of" && (src.IsName(i+1) || src.At(i+1) == "this"):
			if src.At(i+2) == "(" {
				return -1
			}
			return i + 1
		case src.At(i) == "length" && src.At(i-1) == ".":
			if root, ok := src.root(i); ok {
				return root
			}
		}
	}
	return -1
}

// decides reports whether a loop's body chooses among the elements.
func (src *source) decides(loop int) bool {
	head, end, ok := src.LoopBody(loop)
	if !ok {
		return false
	}
	for i := head; i < end; i++ {
		switch src.At(i) {
		case "if", "?", "===", "==", "&&", "continue", "break":
			return true
		}
	}
	return false
}

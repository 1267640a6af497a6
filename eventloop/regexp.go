package eventloop

import (
	"regexp"
	"strings"
)

var regexpCause = Cause{
	Name:  "regexp",
	Title: "A regular expression takes too long",
	Why: "V8 matches by trying: a pattern that can match the same text in several ways, such as (a+)+ or (.*)*, tries all of them " +
		"before it gives up. The time doubles with every further character, and who sends the text decides how many there are.",
	Sign: "The samples are in a line that matches a regular expression, or in the compiled expression itself.",
	Fix: "Rewrite the pattern so that a text fits in one way only, check the length of the text first, or use a matcher that does " +
		"not go back (re2, or node --enable-experimental-regexp-engine with the l flag).",
	Before: `/^(([a-z0-9]+-?)+\.)+[a-z]{2,}$/.test(host)`,
	After:  `host.length < 254 && host.split('.').every((label) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(label))`,
	Links:  []string{"https://nodejs.org/en/learn/asynchronous-work/dont-block-the-event-loop#blocking-the-event-loop-redos"},
	ofSample: func(v *sample) *claim {
		// Only an expression that was compiled while the profile ran has a frame.
		if pattern, ok := strings.CutPrefix(v.frame(0).FunctionName, "RegExp: "); ok && v.frame(0).URL == "" {
			if v.caller(1) < 0 {
				return nil
			}
			site := v.site(1)
			return &claim{site: site, detail: "/" + pattern + "/"}
		}
		src, tokens := v.running()
		for _, i := range tokens {
			if src.At(i+1) != "(" || src.At(i-1) != "." && src.At(i-1) != "?." || !matchers[src.At(i)] {
				continue
			}
			if pattern := src.patternOf(i); pattern != "" {
				return &claim{site: v.siteAt(src, i), detail: pattern}
			}
		}
		return nil
	},
}

// matchers are the methods that run a regular expression: of the expression, or
// of a string that is given one.
var matchers = map[string]bool{
	"test": true, "exec": true, "match": true, "matchAll": true, "replace": true, "replaceAll": true, "split": true, "search": true,
}

// patternOf returns the regular expression of the method call at i: what stands
// before the dot, or the first argument; by its literal or by a variable that is
// set to one anywhere in the script. It is "" if there is none, and "RegExp" if
// it is made at run time.
func (src *source) patternOf(i int) string {
	receiver, argument := i-2, i+2
	for src.IsName(argument) && src.At(argument+1) == "." && src.IsName(argument+2) {
		argument += 2 // rules.code
	}
	for _, at := range []int{receiver, argument} {
		if at < 0 || at >= len(src.Tokens) {
			continue
		}
		if src.Tokens[at].IsRegExp() {
			return src.At(at)
		}
		if src.At(at) == ")" && src.Tokens[at].Match > 1 && src.At(src.Tokens[at].Match-1) == "RegExp" || src.At(at) == "new" && src.At(at+1) == "RegExp" {
			return "RegExp"
		}
		if !src.IsName(at) {
			continue
		}
		found := ""
		for k := range src.Tokens {
			if src.At(k) != src.At(at) || src.At(k+1) != "=" && src.At(k+1) != ":" {
				continue
			}
			pattern := ""
			switch {
			case k+2 < len(src.Tokens) && src.Tokens[k+2].IsRegExp():
				pattern = src.At(k + 2)
			case src.At(k+2) == "new" && src.At(k+3) == "RegExp" || src.At(k+2) == "RegExp":
				pattern = "RegExp"
			case src.choosesPattern(k + 2):
				pattern = "RegExp"
			default:
				continue
			}
			if found != "" && found != pattern {
				found = "RegExp" // one of several
				break
			}
			found = pattern
		}
		if found != "" {
			return found
		}
	}
	switch src.At(i) {
	case "test", "exec", "matchAll":
		return "RegExp" // an expression from elsewhere
	}
	return ""
}

// choosesPattern reports whether the expression at token i may be a regular
// expression: chars ? new RegExp(chars) : /\s+$/.
func (src *source) choosesPattern(i int) bool {
	for ; i < len(src.Tokens); i++ {
		switch t := src.Tokens[i]; {
		case t.Text == ";" || t.Text == "," || t.Text == "=>" || t.Text == "}":
			return false
		case t.IsRegExp() && (src.At(i-1) == "?" || src.At(i-1) == ":" || src.At(i-1) == "||" || src.At(i-1) == "??"):
			return true
		case t.Text == "RegExp" && (src.At(i-1) == "new" || src.At(i-1) == "?" || src.At(i-1) == ":"):
			return true
		case t.Match > i:
			i = t.Match
		}
	}
	return false
}

// nested finds a group with a repetition inside that is repeated itself, and a
// repeated group of alternatives: both let a text fit in many ways.
var nested = regexp.MustCompile(`\((?:[^()\\]|\\.)*(?:[+*]|\{\d+,\d*\})\??(?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,)|\([^()]*\|[^()]*\)(?:[+*]|\{\d+,)`)

// backtracks reports whether a pattern looks as if it could take exponential
// time.
func backtracks(pattern string) bool { return nested.MatchString(pattern) }

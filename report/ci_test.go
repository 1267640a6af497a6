package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var ciFormats = []Format{Markdown, GitHub, JUnit, SARIF}

// rulesOf is documentation for the rules that the examples name.
var rulesOf = []Rule{
	{Name: "listener", Title: "Listeners are added and never removed", Why: "Because.", Sign: "Many.", Fix: "Remove them.", Before: "hub.on('x', f)", After: "hub.off('x', f)",
		Links: []string{"https://nodejs.org/api/events.html"}},
	{Name: "timer", Title: "Timers are never cleared", Fix: "Clear them."},
	{Name: "json", Title: "Large data is turned into JSON at once", Fix: "Send less."},
}

var inApp = Options{Rules: rulesOf, Root: "/srv/app"}

// outcomes is every example in every format for CI.
func outcomes(t *testing.T, f Format, o Options) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for name, r := range map[string]*Report{"leak": leaking(), "clean": clean(), "inconclusive": inconclusive(), "suspects": suspects(), "many": many(), "nothing set": {}} {
		all[name] = as(t, r, f, o)
	}
	for name, l := range loops() {
		all["loop "+name] = written(t, WriteLoop, l, f, o)
	}
	for i, s := range append(slices.Clone(hostileStrings), moreHostile...) {
		all[fmt.Sprintf("hostile %d", i)] = as(t, hostile(s), f, o)
		all[fmt.Sprintf("hostile loop %d", i)] = written(t, WriteLoop, blocked(s), f, o)
	}
	return all
}

// moreHostile means something to a format for CI.
var moreHostile = []string{
	"::error::owned", "\n::add-mask::x", "##[add-path]/tmp", "`@everyone` #1 [x](http://127.0.0.1/) ![y](http://127.0.0.1/z.png) | a | b |",
	"```\n</details><img src=x>", "]]>", "<!-- x -->", "www.example.org http://127.0.0.1 a@b.example", "=1+1", "\u2028::error::x", strings.Repeat("`", 300), strings.Repeat("x", 1<<20),
}

func TestCIFormatsLook(t *testing.T) {
	for f, ext := range map[Format]string{Markdown: "md", GitHub: "github.txt", JUnit: "junit.xml", SARIF: "sarif"} {
		golden(t, "leak."+ext, as(t, leaking(), f, inApp))
		golden(t, "loop."+ext, written(t, WriteLoop, blocked(""), f, Options{Rules: rulesOf, Root: "/app"}))
	}
}

// The schema is the one that the npm package @microsoft/jest-sarif 1.0.0-beta.0
// has in lib/schemas, unchanged: SARIF 2.1.0 of OASIS, as schemastore.org keeps it.
func TestSARIFFollowsTheStandardsSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-2.1.0-rtm.5.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range outcomes(t, SARIF, inApp) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v\n%.2000s", name, err, doc)
		}
	}
	if err := schema.Validate(map[string]any{"version": "2.1.0"}); err == nil {
		t.Error("the schema takes a log without runs")
	}
}

func TestSARIFSaysWhereAndWhich(t *testing.T) {
	var log sarifLog
	if err := json.Unmarshal(as(t, leaking(), SARIF, inApp), &log); err != nil {
		t.Fatal(err)
	}
	r := log.Runs[0].Results[0]
	place := r.Locations[0].Physical
	if place.Artifact != (sarifArtifact{"src/subscribe.js", "%SRCROOT%"}) || place.Region.Line != 12 || place.Region.Column != 7 {
		t.Errorf("the first result is at %+v", place)
	}
	if r.Level != "error" || r.Fingerprints["heapsnap/v1"] != "listener:3f9a1c" || log.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != "listener" {
		t.Errorf("the first result is %+v", r)
	}
	if help := log.Runs[0].Tool.Driver.Rules[r.RuleIndex].Help; help == nil || !strings.Contains(help.Text, "What to do: Remove them.") {
		t.Errorf("the rule's help is %+v", help)
	}
}

// Two runs of a leak are one alert, another leak is another: sizes, times and
// lines of a report do not change what identifies its findings.
func TestFingerprintsOutliveARun(t *testing.T) {
	again := leaking()
	again.Findings[0].Location.Line += 20
	again.Findings[0].Survivors.Bytes *= 3
	var prints [2][]string
	for i, r := range []*Report{leaking(), again} {
		var log sarifLog
		if err := json.Unmarshal(as(t, r, SARIF, inApp), &log); err != nil {
			t.Fatal(err)
		}
		for _, r := range log.Runs[0].Results {
			prints[i] = append(prints[i], r.Fingerprints["heapsnap/v1"])
		}
	}
	if !slices.Equal(prints[0], prints[1]) {
		t.Errorf("fingerprints %q in one run, %q in another", prints[0], prints[1])
	}
}

// The elements and attributes of Jenkins' junit-10.xsd that we use, with what
// may be in them.
var junitElements = map[string]struct{ attributes, required, children []string }{
	"testsuites": {[]string{"name", "time", "tests", "failures", "disabled", "errors"}, nil, []string{"testsuite"}},
	"testsuite": {[]string{"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"}, []string{"name", "tests"},
		[]string{"properties", "testcase", "system-out", "system-err"}},
	"testcase":   {[]string{"name", "assertions", "time", "classname", "status"}, []string{"name"}, []string{"skipped", "error", "failure", "system-out", "system-err"}},
	"failure":    {[]string{"type", "message"}, nil, nil},
	"error":      {[]string{"type", "message"}, nil, nil},
	"system-out": {},
}

func TestJUnitFollowsJenkinsSchema(t *testing.T) {
	for name, doc := range outcomes(t, JUnit, inApp) {
		var open []string
		counts := map[string]int{}
		want := map[string]int{}
		d := xml.NewDecoder(bytes.NewReader(doc))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%.500s", name, err, doc)
			}
			switch e := token.(type) {
			case xml.StartElement:
				rule, known := junitElements[e.Name.Local]
				if !known || len(open) == 0 && e.Name.Local != "testsuites" || len(open) > 0 && !slices.Contains(junitElements[open[len(open)-1]].children, e.Name.Local) {
					t.Errorf("%s: <%s> in %v", name, e.Name.Local, open)
				}
				required := slices.Clone(rule.required)
				for _, a := range e.Attr {
					if !slices.Contains(rule.attributes, a.Name.Local) {
						t.Errorf("%s: <%s> has the attribute %s", name, e.Name.Local, a.Name.Local)
					}
					required = slices.DeleteFunc(required, func(s string) bool { return s == a.Name.Local && a.Value != "" })
					if n, err := strconv.Atoi(a.Value); err == nil && e.Name.Local == "testsuite" {
						want[a.Name.Local] = n
					}
				}
				if len(required) > 0 {
					t.Errorf("%s: <%s> lacks %v", name, e.Name.Local, required)
				}
				counts[e.Name.Local]++
				open = append(open, e.Name.Local)
			case xml.EndElement:
				open = open[:len(open)-1]
			}
		}
		if want["tests"] != counts["testcase"] || want["failures"] != counts["failure"] || want["errors"] != counts["error"] || counts["testcase"] == 0 {
			t.Errorf("%s: the suite says %v, it has %v", name, want, counts)
		}
	}
}

func TestJUnitFailsWhatLeaksAndPassesTheRest(t *testing.T) {
	verdicts := func(r *Report) (out []string) {
		var s junitSuites
		if err := xml.Unmarshal(as(t, r, JUnit, inApp), &s); err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Suites[0].Cases {
			word := "passed"
			switch {
			case c.Failure != nil:
				word = "failed"
			case c.Error != nil:
				word = "error"
			}
			out = append(out, c.Name+" "+word)
		}
		return out
	}
	for _, c := range []struct {
		name string
		r    *Report
		want []string
	}{
		{"leak", leaking(), []string{"listener at src/subscribe.js:12:7 failed", "cache failed", "timer passed", "json passed"}},
		{"clean", clean(), []string{"listener passed", "timer passed", "json passed"}},
		{"inconclusive", inconclusive(), []string{"listener error"}},
	} {
		if got := verdicts(c.r); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func fiveHundred() *Report {
	r := leaking()
	for i := range 500 {
		f := r.Findings[i%2]
		f.Title = fmt.Sprintf("%s, number %d", f.Title, i)
		r.Findings = append(r.Findings, f)
	}
	return r
}

func TestCIFormatsKeepTheirLimits(t *testing.T) {
	r := fiveHundred()
	warning := leaking().Findings[0]
	warning.Verdict = Growth
	for range 500 {
		r.Findings = append(r.Findings, warning)
	}
	annotations := string(as(t, r, GitHub, inApp))
	for _, kind := range []string{"error", "warning"} {
		if n := strings.Count(annotations, "::"+kind+" "); n != maxAnnotations {
			t.Errorf("%d annotations of kind %s, want %d", n, kind, maxAnnotations)
		}
	}
	if !strings.Contains(annotations, "493 more are in the report") {
		t.Errorf("the annotations do not say how many there are beyond them:\n%s", annotations)
	}
	for limit, want := range map[int]int{0: MarkdownLimit, 5000: 5000, 1 << 20: 1 << 20} {
		if n := len(as(t, r, Markdown, Options{Limit: limit})); n > want || n < want/3 {
			t.Errorf("Markdown of 1002 findings has %d bytes with the limit %d", n, limit)
		}
	}
	for i, s := range append(slices.Clone(hostileStrings), moreHostile...) {
		if n := len(as(t, hostile(s), Markdown, Options{})); n > MarkdownLimit {
			t.Errorf("hostile string %d: %d bytes of Markdown", i, n)
		}
	}
}

// What comes from the heap stays text: nothing of it is a control, ends its line,
// or begins one as a command.
func TestHostileStringsInCIFormats(t *testing.T) {
	for _, f := range ciFormats {
		for name, doc := range outcomes(t, f, inApp) {
			if !utf8.Valid(doc) {
				t.Errorf("%s as %s is not UTF-8", name, f)
			}
			for _, r := range string(doc) {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%s as %s has %U", name, f, r)
					break
				}
			}
			if len(doc) > 1<<20 {
				t.Errorf("%s as %s has %d bytes", name, f, len(doc))
			}
			if f == GitHub {
				for _, line := range strings.Split(strings.TrimSuffix(string(doc), "\n"), "\n") {
					if line != "" && !strings.HasPrefix(line, "::error ") && !strings.HasPrefix(line, "::warning ") {
						t.Errorf("%s: the line %.100q", name, line)
					}
				}
			}
		}
	}
}

func TestMarkdownOfHostileTextIsText(t *testing.T) {
	for in, want := range map[string]string{
		"<img src=x>":           "&lt;img src=x&gt;",
		"@everyone":             "@<!-- -->everyone",
		"fixes #12":             "fixes #<!-- -->12",
		"http://127.0.0.1/":     "http:<!-- -->//127.0.0.1/",
		"www.example.org":       "www<!-- -->.example.org",
		"[a](b) ![c](d)":        `\[a\]\(b) \!\[c\]\(d\)`,
		"`x` *y* _z_ ~w~ | $v$": "\\`x\\` \\*y\\* \\_z\\_ \\~w\\~ \\| \\$v\\$",
		"a\n\n# b":              "a #<!-- --> b",
	} {
		if got := mdText(in, 400); got != want {
			t.Errorf("mdText(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"a|b": "`a\\|b`", "``": "``` `` ```", "": ""} {
		if got := mdCode(in, 80); got != want {
			t.Errorf("mdCode(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestUnderRoot(t *testing.T) {
	for _, c := range []struct {
		root, file, want string
		ok               bool
	}{
		{"/srv/app", "/srv/app/src/a.js", "src/a.js", true},
		{"/srv/app/", "/srv/app/src/../b.js", "b.js", true},
		{"/srv/app", "/srv/application/a.js", "", false},
		{"/srv/app", "src/a.js", "src/a.js", true},
		{"/srv/app", "../a.js", "../a.js", false},
		{"", "/srv/a.js", "", false},
		{`C:\app`, `C:\app\src\a.js`, "src/a.js", true},
		{"/srv/app", "node:fs", "", false},
		{"/srv/app", "webpack://app/a.js", "", false},
	} {
		if got, ok := under(c.root, c.file); ok != c.ok || ok && got != c.want {
			t.Errorf("under(%q, %q) = %q, %v, want %q, %v", c.root, c.file, got, ok, c.want, c.ok)
		}
	}
}

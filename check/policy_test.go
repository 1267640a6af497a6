package check

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heapsnap/report"
)

// leaking is a report of four rounds with a cache of 10 a round and a listener
// of 3.
func leaking() *report.Report {
	cache, listener := leakOf(1, 10, 10, 10, 10), leakOf(2, 3, 3, 3, 3)
	cache.Title, cache.Fingerprint, cache.Holder = "a Map grows", "aaaa", report.Holder{Class: "Map", ID: 1, Name: `Map "carts"`}
	cache.Location = &report.Location{File: "/srv/app/src/carts.js", Line: 7}
	listener.Rule, listener.Title, listener.Fingerprint, listener.Holder = "listener", "listeners stay", "bbbb", report.Holder{Class: "Hub", ID: 2, Name: `Hub "hub"`}
	listener.Location = &report.Location{File: "/srv/app/lib/hub.js", Line: 3}
	return &report.Report{
		Verdict: report.Leak, Sentence: "2 leaks", Captures: make([]report.Capture, 5), Findings: []report.Finding{cache, listener},
		Growth:  &report.Trends{Heap: report.Trend{PerRound: 5000, P: 0.01}, Unexplained: report.Trend{PerRound: 900, P: 0.4}},
		Classes: []report.ClassDelta{{Class: "Session", Delta: 40, Size: 4000}},
	}
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestIgnore(t *testing.T) {
	today := day(t, "2026-11-27")
	for _, test := range []struct {
		name   string
		ignore Ignore
		want   string // rules that still fail
	}{
		{"by fingerprint", Ignore{Fingerprint: "aaaa"}, "listener"},
		{"by rule", Ignore{Rule: "listener"}, "cache"},
		{"by class", Ignore{Class: "Map"}, "listener"},
		{"by file", Ignore{Path: "src/carts.js"}, "listener"},
		{"by pattern", Ignore{Path: "*.js"}, ""},
		{"by folder", Ignore{Path: "app/lib/"}, "cache"},
		{"a folder is no file", Ignore{Path: "carts.js/"}, "cache listener"},
		{"not by the middle of a path", Ignore{Path: "src"}, "cache listener"},
		{"all that is named has to fit", Ignore{Rule: "listener", Class: "Map"}, "cache listener"},
		{"the last day", Ignore{Rule: "cache", Expires: today.AddDate(0, 0, 1)}, "listener"},
		{"expired", Ignore{Rule: "cache", Expires: today}, "cache listener"},
		{"names nothing", Ignore{}, "cache listener"},
	} {
		test.ignore.Reason, test.ignore.Where = "we know", "c.yaml:4"
		r := leaking()
		Policy{Ignore: []Ignore{test.ignore}, Today: today}.Apply(r)
		var rules []string
		for _, f := range r.Findings {
			rules = append(rules, f.Rule)
		}
		if got := strings.Join(rules, " "); got != test.want || len(r.Ignored) != 2-len(rules) {
			t.Errorf("%s: %q fail and %d are ignored, want %q", test.name, got, len(r.Ignored), test.want)
		}
		if wantVerdict := test.want == ""; (r.Verdict == report.Clean) != wantVerdict {
			t.Errorf("%s: verdict %s, %s", test.name, r.Verdict, r.Sentence)
		}
		if test.name == "expired" && !strings.Contains(strings.Join(r.Findings[0].Evidence, " "), "c.yaml:4 ignored it until 2026-11-27, because: we know") {
			t.Errorf("an expired ignore is not told: %q", r.Findings[0].Evidence)
		}
	}
}

func TestTooFewRoundsStayUndecided(t *testing.T) {
	r := leaking()
	r.Verdict, r.Captures = report.Inconclusive, r.Captures[:3]
	Policy{Ignore: []Ignore{{Path: "*.js", Reason: "all"}}}.Apply(r)
	if r.Verdict != report.Inconclusive || len(r.Findings) != 0 {
		t.Errorf("%s with %d findings, want inconclusive with none", r.Verdict, len(r.Findings))
	}
}

func TestBudgets(t *testing.T) {
	objects, size := func(n float64) Limit { return Limit{Value: n, Where: "c.yaml:2"} }, func(n float64) Limit { return Limit{Value: n, Bytes: true} }
	ptr := func(l Limit) *Limit { return &l }
	for _, test := range []struct {
		name    string
		budgets Budgets
		leaks   int
		verdict report.Verdict
		over    string
	}{
		{"none", Budgets{}, 2, report.Leak, ""},
		{"a rule within", Budgets{Rules: map[string]Limit{"cache": objects(10)}}, 1, report.Leak, ""},
		{"a rule beyond", Budgets{Rules: map[string]Limit{"cache": objects(9)}}, 2, report.Leak, ""},
		{"a rule in bytes", Budgets{Rules: map[string]Limit{"cache": size(1000), "listener": size(299)}}, 1, report.Leak, ""},
		{"a holder", Budgets{Holders: map[string]Limit{"hub": objects(3), "carts": objects(10)}}, 0, report.Clean, ""},
		{"growth over its budget", Budgets{Growth: ptr(size(4096)), Rules: map[string]Limit{"cache": objects(10), "listener": objects(10)}}, 0, report.OverBudget, "growth of the heap: 4.9 KiB a round, the budget is 4.0 KiB"},
		{"growth within", Budgets{Growth: ptr(size(5000)), Rules: map[string]Limit{"cache": objects(10), "listener": objects(10)}}, 0, report.Clean, ""},
		{"growth that may be chance", Budgets{Unexplained: ptr(size(1)), Rules: map[string]Limit{"cache": objects(10), "listener": objects(10)}}, 0, report.Clean, ""},
		{"a class over", Budgets{Classes: map[string]Limit{"Session": objects(9)}, Holders: map[string]Limit{"": objects(10)}}, 0, report.OverBudget, "class Session: 10 objects a round, the budget is 9 objects"},
		{"a class that is not there", Budgets{Classes: map[string]Limit{"Cart": objects(0)}, Holders: map[string]Limit{"": objects(10)}}, 0, report.Clean, ""},
		{"a leak goes before a budget", Budgets{Growth: ptr(size(1))}, 2, report.Leak, "growth of the heap"},
	} {
		r := leaking()
		Policy{Budgets: test.budgets}.Apply(r)
		over := ""
		for _, b := range r.Budgets {
			if b.Exceeded {
				over += b.Sentence
			}
		}
		if len(r.Findings) != test.leaks || r.Verdict != test.verdict || !strings.HasPrefix(over, test.over) || (over == "") != (test.over == "") {
			t.Errorf("%s: %d leaks, %s, over %q, want %d, %s, %q", test.name, len(r.Findings), r.Verdict, over, test.leaks, test.verdict, test.over)
		}
	}
}

func TestBaselineAcceptsWhatItKnows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "baseline.yaml")
	var b bytes.Buffer
	if err := WriteBaseline(&b, leaking(), []Accepted{{Fingerprint: "aaaa", Reason: "carts move next year"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted, err := ReadBaseline(name)
	if err != nil || len(accepted) != 2 {
		t.Fatalf("%+v, %v\n%s", accepted, err, b.String())
	}
	if a := accepted[0]; a.Reason != "carts move next year" || a.PerRound != 10 || a.Location != "/srv/app/src/carts.js:7" || !strings.HasPrefix(a.Where, name+":") {
		t.Errorf("read back %+v", a)
	}
	r := leaking()
	Policy{Accepted: accepted}.Apply(r)
	if r.Verdict != report.Clean || len(r.Ignored) != 2 {
		t.Errorf("%s: %s, want both accepted", r.Verdict, r.Sentence)
	}
	grown := leaking()
	grown.Findings[1] = leakOf(2, 7, 7, 7, 7)
	grown.Findings[1].Fingerprint = "bbbb"
	Policy{Accepted: accepted}.Apply(grown)
	if len(grown.Findings) != 1 || !strings.Contains(strings.Join(grown.Findings[0].Evidence, ""), "accepts 3 a round, and it is 7") {
		t.Errorf("a finding that grew: %+v", grown.Findings)
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, ConfigName)
	write(t, dir, map[string]string{ConfigName: `# gate
check:
  rounds: 4
  header: ["A: 1", "B: 2"]
scenarios:
  search:
    command: [node, app.js]
    http: GET http://127.0.0.1:3000/
budgets:
  growth: 64KiB
  rules: {listener: 2}
  loop: {block: 200ms, delay-p99: 1.5s}
ignore:
  - rule: cache
    path: lib/
    reason: carts move
    expires: 2027-01-31
baseline: known.yaml
`})
	found, err := FindConfig(deep)
	if err != nil || found != name {
		t.Fatalf("FindConfig = %q, %v", found, err)
	}
	c, err := ReadConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Settings["check"]["rounds"]; s.Values[0] != "4" || s.Where != name+":3" {
		t.Errorf("rounds %+v", s)
	}
	if s := c.Settings["check"]["header"]; len(s.Values) != 2 || s.Values[1] != "B: 2" {
		t.Errorf("header %+v", s)
	}
	if s := c.Scenarios[0]; s.Name != "search" || strings.Join(s.Command, " ") != "node app.js" || s.Settings["http"].Values[0] != "GET http://127.0.0.1:3000/" {
		t.Errorf("scenario %+v", s)
	}
	if b := c.Policy.Budgets; b.Growth.Value != 64<<10 || !b.Growth.Bytes || b.Rules["listener"].Value != 2 || b.Growth.Where != name+":10" {
		t.Errorf("budgets %+v", b)
	}
	if l := c.Policy.Budgets.Loop; l != (LoopBudget{200 * time.Millisecond, 1500 * time.Millisecond, name + ":12", name + ":12"}) || !l.Given() {
		t.Errorf("budget of the loop %+v", l)
	}
	if i := c.Policy.Ignore[0]; i.Rule != "cache" || i.Path != "lib/" || i.Expires != day(t, "2027-01-31") || i.Where != name+":14" {
		t.Errorf("ignore %+v", i)
	}
	if c.Baseline.Values[0] != "known.yaml" {
		t.Errorf("baseline %+v", c.Baseline)
	}
}

func TestConfigErrorsNameTheLine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"check:\n  rounds: 4\nchekc: {}\n", `:3: "chekc" is no key`},
		{"check: 4\n", ":1: want keys"},
		{"check:\n  rounds: 4\n  rounds: 5\n", `:3: "rounds" is here twice`},
		{"budgets:\n  growth: 12\n", ":2: growth: want a size"},
		{"budgets:\n  rules:\n    cache: 5 apples\n", `:3: "5 apples": want a number`},
		{"budgets:\n  speed: 1\n", `:2: "speed" is no budget`},
		{"budgets:\n  loop:\n    block: 200\n", `:3: block: "200": want a time of 1ms or more`},
		{"budgets:\n  loop: {delay: 1ms}\n", `:2: "delay" is no budget of the loop`},
		{"ignore:\n  - rule: cache\n", ":2: an ignore needs a reason"},
		{"ignore:\n  - reason: x\n", ":2: an ignore needs one of"},
		{"ignore:\n  - rule: cache\n    reason: x\n    expires: soon\n", `:4: expires: "soon": want a day`},
		{"check: [\n", "c.yaml: "},
	} {
		name := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(name); err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
	name := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(name, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := ReadConfig(name); err != nil || len(c.Scenarios) != 0 {
		t.Errorf("an empty file: %+v, %v", c, err)
	}
}

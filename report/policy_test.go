package report

import (
	"strings"
	"testing"
)

// What a build fails by, or does not, is in all that a person reads.
func TestBudgetsAndAcceptedFindingsAreTold(t *testing.T) {
	r := clean()
	r.Verdict, r.Sentence = OverBudget, "longest block of the event loop: 312 ms, the budget is 200ms"
	r.Loop = &CheckLoop{Verdict: Blocked, DurationMS: 5000, ThresholdMS: 50, LongestMS: 312, Title: "crypto.pbkdf2Sync", Location: &Location{Function: "login", File: "/srv/login.js", Line: 12, Column: 3, Code: "pbkdf2Sync(a)"}}
	r.Budgets = []Budget{
		{Name: "longest block of the event loop", Limit: 200, Value: 312, Unit: "ms", Exceeded: true, Sentence: r.Sentence},
		{Name: "growth of the heap", Limit: 4096, Value: 12, Unit: "bytes", Sentence: "growth of the heap: 12 B a round, the budget is 4.0 KiB"},
	}
	f := leaking().Findings[0]
	r.Ignored = []Ignored{{Finding: f, Reason: "goes with the old API", By: ".heapsnap.yaml:9", Expires: "2027-01-31"}}
	for format, wants := range map[Format][]string{
		Text:     {"OVER-BUDGET  longest block", "over  longest block", "ok    growth of the heap: 12 B", "longest block 312 ms", "/srv/login.js:12:3", f.Title, "goes with the old API", "until 2027-01-31"},
		HTML:     {"<td>over</td>", "longest block of the event loop: 312 ms", "<td>ok</td>", "longest block 312 ms", "/srv/login.js:12:3", "goes with the old API", "until 2027-01-31"},
		Markdown: {"longest block of the event loop: 312 ms", "login.js:12"},
		GitHub:   {"::error file=login.js,line=12"},
		JUnit:    {"longest block of the event loop: 312 ms"},
		SARIF:    {"longest block of the event loop: 312 ms", `"startLine": 12`},
	} {
		text := string(as(t, r, format, Options{Root: "/srv"}))
		if format == Text { // it is wrapped
			text = strings.Join(strings.Fields(text), " ")
		}
		for _, want := range wants {
			if format == Text {
				want = strings.Join(strings.Fields(want), " ")
			}
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%.3000s", format, want, text)
			}
		}
	}
}

package report

import (
	"encoding/xml"
	"io"
	"strings"
)

// The JUnit form has a test case for every rule, so that a CI system shows the
// history of each: one for each finding of the rule, which failed, or one that
// passed. What could not be decided is an error.

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
	Output   string      `xml:"system-out,omitempty"`
}

type junitCase struct {
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

func writeJUnit(w io.Writer, o outcome, opts Options) error {
	suite := junitSuite{Name: o.Command, Output: clip(o.Sentence, maxProse) + "\n" + o.About}
	class := strings.ReplaceAll(o.Command, " ", ".")
	add := func(c junitCase) {
		c.Class = class
		suite.Tests++
		if c.Failure != nil {
			suite.Failures++
		}
		if c.Error != nil {
			suite.Errors++
		}
		suite.Cases = append(suite.Cases, c)
	}
	failed := map[string]bool{}
	for i := range o.Issues {
		s := &o.Issues[i]
		failed[s.Rule] = true
		name := ruleID(s.Rule)
		if place := s.place(opts.Root); place != "" {
			name += " at " + place
		}
		result := &junitResult{Message: clip(s.Title, 300), Type: ruleID(s.Rule), Text: s.text(opts.Root)}
		if o.Unsure {
			add(junitCase{Name: name, Error: result})
		} else {
			add(junitCase{Name: name, Failure: result})
		}
	}
	if len(o.Issues) == 0 && !o.Passed {
		result := &junitResult{Message: clip(o.Sentence, 300), Type: strings.ToLower(o.Word), Text: o.About}
		if o.Unsure {
			add(junitCase{Name: "verdict", Error: result})
		} else {
			add(junitCase{Name: "verdict", Failure: result})
		}
	}
	if !o.Unsure {
		for _, r := range opts.Rules {
			if !failed[r.Name] {
				add(junitCase{Name: ruleID(r.Name)})
			}
		}
		if len(suite.Cases) == 0 {
			add(junitCase{Name: "verdict"})
		}
	}
	text, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append([]byte(xml.Header), append(text, '\n')...))
	return err
}

// text is an issue in words, without markup.
func (s *issue) text(root string) string {
	var lines []string
	add := func(line string) { lines = append(lines, line) }
	if place := s.place(root); place != "" {
		add(place)
		if s.Location.Code != "" {
			code, _ := clipCode(s.Location.Code, s.Location.Column-1, 160)
			add("    " + code)
		}
	}
	add(clip(s.Size, 80))
	for _, h := range s.Held {
		add("held by " + h)
	}
	for _, e := range s.Evidence {
		add("- " + clip(e, maxProse))
	}
	if len(s.Path) > 0 {
		add(s.PathTitle + ":")
		for _, step := range s.Path {
			add("  " + Printable(step))
		}
	}
	if s.Fix != "" {
		add("What to do: " + clip(s.Fix, maxProse))
	}
	if s.Fingerprint != "" {
		add("fingerprint " + clip(s.Fingerprint, 80))
	}
	return strings.Join(lines, "\n")
}

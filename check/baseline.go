package check

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"heapsnap/report"
)

// An Accepted finding is one that a baseline knows.
type Accepted struct {
	Fingerprint string
	Rule, Title string
	Location    string  // FILE:LINE when it was accepted, for people
	PerRound    float64 // what counts of it; 0 accepts any
	Reason      string
	Where       string // FILE:LINE of the baseline
}

// grownBeyond: an accepted finding that grows by more than this many times what
// was accepted is another matter. Rounds differ in size by chance.
const grownBeyond = 2

const baselineHead = `# Leaks that heapsnap check accepts for now; each is known by its fingerprint.
# A finding that is not here fails, and so does one that grows by more than twice
# its perRound. Take out what is repaired: heapsnap baseline check says which.
`

// WriteBaseline writes the findings of a report as a baseline. Reasons are kept of
// what was accepted before.
func WriteBaseline(w io.Writer, r *report.Report, before []Accepted) error {
	reasons := map[string]string{}
	for _, a := range before {
		reasons[a.Fingerprint] = a.Reason
	}
	type entry struct {
		Fingerprint string  `yaml:"fingerprint"`
		Rule        string  `yaml:"rule"`
		Title       string  `yaml:"title"`
		Location    string  `yaml:"location,omitempty"`
		PerRound    float64 `yaml:"perRound"`
		Reason      string  `yaml:"reason"`
	}
	entries := []entry{}
	add := func(f report.Finding) {
		if f.Fingerprint == "" {
			return
		}
		e := entry{Fingerprint: f.Fingerprint, Rule: f.Rule, Title: report.Printable(f.Title), PerRound: tenths(rates(f, max(1, len(r.Captures)-1)).count), Reason: reasons[f.Fingerprint]}
		if f.Location != nil {
			e.Location = report.Printable(fmt.Sprintf("%s:%d", f.Location.File, f.Location.Line))
		}
		if e.Reason == "" {
			e.Reason = "known when the baseline was written"
		}
		entries = append(entries, e)
	}
	for _, f := range r.Findings {
		add(f)
	}
	for _, i := range r.Ignored {
		if reasons[i.Finding.Fingerprint] != "" { // it was in the baseline, and is there still
			add(i.Finding)
		}
	}
	text, err := yaml.Marshal(map[string]any{"accepted": entries})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, baselineHead+string(text))
	return err
}

// ReadBaseline reads what WriteBaseline wrote.
func ReadBaseline(name string) ([]Accepted, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	root, err := parseYAML(name, text)
	if err != nil || root == nil {
		return nil, err
	}
	var out []Accepted
	err = root.each(func(key string, v yamlNode) error {
		if key != "accepted" {
			return v.errorf("%q is no key of a baseline: it has accepted", key)
		}
		return v.items(func(item yamlNode) error {
			a := Accepted{Where: item.where()}
			err := item.each(func(key string, v yamlNode) (err error) {
				switch key {
				case "fingerprint":
					a.Fingerprint, err = v.text()
				case "rule":
					a.Rule, err = v.text()
				case "title":
					a.Title, err = v.text()
				case "location":
					a.Location, err = v.text()
				case "reason":
					a.Reason, err = v.text()
				case "perRound":
					var s string
					if s, err = v.text(); err == nil {
						if a.PerRound, err = strconv.ParseFloat(s, 64); err != nil || a.PerRound < 0 {
							return v.errorf("perRound: %q is no number", s)
						}
					}
				default:
					return v.errorf("%q is no key of an accepted finding", key)
				}
				return err
			})
			switch {
			case err != nil:
				return err
			case a.Fingerprint == "" || strings.TrimSpace(a.Reason) == "":
				return item.errorf("an accepted finding needs its fingerprint and a reason")
			}
			out = append(out, a)
			return nil
		})
	})
	return out, err
}

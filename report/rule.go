package report

// Rule is the documentation of a rule or of a cause that findings name: what
// formats need that explain what they report.
type Rule struct {
	Name   string
	Title  string // what goes wrong, one line
	Why    string // why programs do this
	Sign   string // how it shows
	Fix    string // what to do
	Before string // JavaScript that does it
	After  string // the same, repaired
	Links  []string
}

// findRule returns the rule of that name, or one that has only the name.
func findRule(all []Rule, name string) Rule {
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	return Rule{Name: name}
}

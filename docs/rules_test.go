package docs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"heapsnap/leak"
)

var update = flag.Bool("update", false, "write docs/rules.md anew")

// rules.md is what the rules say of themselves, on one page. `make docs` writes
// it anew.
func TestRulesAreCurrent(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Rules

What heapsnap can explain, one rule each. A rule is asked about growth that the engine found and never looks for any
itself; what no other rule knows, "growth" tells with its holder, path and line. ` + "`heapsnap explain RULE`" + ` prints the same
in a terminal. This page is written by ` + "`make docs`" + ` from the rules in leak/: change them there.

`)
	rules := leak.Rules()
	for _, r := range rules {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", r.Name, r.Name, r.Title)
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n**%s.**\n\n%s\n\n**In a heap:** %s\n\n**To do:** %s\n", r.Name, r.Title, r.Cause, r.Sign, r.Fix)
		fmt.Fprintf(&b, "\nLeaks:\n\n```js\n%s\n```\n\nRepaired:\n\n```js\n%s\n```\n\nMore:\n\n", r.Before, r.After)
		for _, link := range r.Links {
			fmt.Fprintf(&b, "- <%s>\n", link)
		}
	}
	const name = "rules.md"
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is not what the rules say (%v): run make docs", name, err)
	}
}

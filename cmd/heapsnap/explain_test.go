package main

import (
	"strings"
	"testing"
)

// Without a terminal, text is 80 columns wide; only a link, which nobody can
// break, and a line of code without comment may be longer.
func TestExplainFitsEightyColumns(t *testing.T) {
	for _, name := range ruleNames() {
		r := heapsnapIn(t, t.TempDir(), nil, "explain", name)
		if r.code != 0 || r.errors != "" {
			t.Errorf("explain %s: code %d, stderr %q", name, r.code, r.errors)
		}
		for _, heading := range []string{"Why it happens", "How it shows", "What to do"} {
			if !strings.Contains(r.out, "\n"+heading+"\n  ") {
				t.Errorf("explain %s: no %q:\n%s", name, heading, r.out)
			}
		}
		for _, line := range strings.Split(r.out, "\n") {
			if len(line) > 80 && !strings.HasPrefix(line, "  https://") && strings.Contains(line, " // ") {
				t.Errorf("explain %s: %d columns: %s", name, len(line), line)
			}
		}
	}
}

package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"heapsnap/leak"
)

// The README's tables and commands are those of the program.
func TestReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, c := range exitCodes {
		if row := fmt.Sprintf("| %d | %s |", c.code, c.means); !strings.Contains(readme, row) {
			t.Errorf("README.md: no row %q", row)
		}
	}
	for _, r := range leak.Rules() {
		if row := fmt.Sprintf("| `%s` | %s |", r.Name, r.Title); !strings.Contains(readme, row) {
			t.Errorf("README.md: no row %q", row)
		}
	}
	root := newRoot(&app{})
	for _, m := range regexp.MustCompile(`(?m)heapsnap ([a-z]+)((?: --?[a-z0-9-]+| [^-\s]\S*)*)`).FindAllStringSubmatch(readme, -1) {
		cmd, _, err := root.Find([]string{m[1]})
		if err != nil || cmd == root {
			continue // prose: "heapsnap opened"
		}
		for _, flag := range regexp.MustCompile(`--([a-z0-9-]+)`).FindAllStringSubmatch(m[2], -1) {
			if cmd.Flags().Lookup(flag[1]) == nil && flag[1] != "help" {
				t.Errorf("README.md: heapsnap %s has no flag --%s", m[1], flag[1])
			}
		}
	}
	for _, name := range []string{"demo", "check", "targets", "capture", "diff", "summary", "explain"} {
		if !strings.Contains(readme, "heapsnap "+name) {
			t.Errorf("README.md does not show heapsnap %s", name)
		}
	}
}

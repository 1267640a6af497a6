package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestOutputIsKeptAndPassedOn(t *testing.T) {
	var log, shown strings.Builder
	o := output{log: &log}
	out, errs := o.to(&shown), o.to(gone{})
	for i := range 1000 {
		if n, err := fmt.Fprintf(out, "line %d\n", i); err != nil || n == 0 {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if _, err := errs.Write([]byte("and a complaint")); err != nil {
		t.Errorf("a reader who went away fails the program's write: %v", err)
	}
	if lines := o.lines(); len(lines) != tailLines || lines[0] != "line 981" || lines[tailLines-1] != "and a complaint" {
		t.Errorf("the last lines are %q", lines)
	}
	if !strings.HasPrefix(log.String(), "line 0\n") || !strings.HasSuffix(log.String(), "line 999\nand a complaint") {
		t.Errorf("the log has %d bytes", log.Len())
	}
	if strings.Contains(shown.String(), "complaint") || strings.Count(shown.String(), "\n") != 1000 {
		t.Errorf("passed on: %d bytes", shown.Len())
	}
}

func TestOutputWaitsForALine(t *testing.T) {
	const text = "starting\r\nlistening on 3000\r\ndone"
	for _, test := range []struct {
		line string
		want bool
	}{
		{`^listening on \d+$`, true},
		{`^done$`, true}, // without its line end
		{`starting.*listening`, false},
		{`ready`, false},
	} {
		for _, step := range []int{1, 3, len(text)} {
			o := output{line: regexp.MustCompile(test.line)}
			for piece := range slices.Chunk([]byte(text), step) {
				_, _ = o.to(nil).Write(piece)
			}
			if o.seen() != test.want {
				t.Errorf("%q in steps of %d: seen %v, want %v", test.line, step, o.seen(), test.want)
			}
		}
	}
}

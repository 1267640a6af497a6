package main

import (
	"fmt"
	"io"
	"strings"
)

// screen is a view on a terminal that is written over and over in place. The nil
// screen shows nothing.
type screen struct {
	w     io.Writer
	lines int // that stand there
}

func newScreen(a *app) *screen { return &screen{w: a.out} }

// show replaces the view. It is one write, so that it does not flicker.
func (s *screen) show(lines []string) {
	if s == nil {
		return
	}
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", s.lines)
	}
	for _, l := range lines {
		b.WriteString("\r\x1b[K" + l + "\n")
	}
	if s.lines > len(lines) {
		b.WriteString("\x1b[J")
	}
	s.lines = len(lines)
	_, _ = io.WriteString(s.w, b.String())
}

// over takes the view away: the report follows.
func (s *screen) over() {
	if s == nil || s.lines == 0 {
		return
	}
	fmt.Fprintf(s.w, "\x1b[%dA\x1b[J", s.lines)
	s.lines = 0
}

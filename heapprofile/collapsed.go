package heapprofile

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// writeCollapsed writes a line per stack, as flamegraph.pl and inferno take it.
func writeCollapsed(w io.Writer, p *Profile) error {
	b := bufio.NewWriter(w)
	for s := range p.stacks() {
		for i, f := range s.frames {
			if i > 0 {
				b.WriteByte(';')
			}
			// What separates must not be in a name.
			name := f.Name()
			if file := f.File(); file != "" {
				name += fmt.Sprintf(" (%s:%d)", file[strings.LastIndexByte(file, '/')+1:], f.Line+1)
			}
			b.WriteString(collapsedName.Replace(name))
		}
		if len(s.frames) == 0 {
			b.WriteString("(V8)")
		}
		fmt.Fprintf(b, " %.0f\n", s.self)
	}
	return b.Flush()
}

var collapsedName = strings.NewReplacer(";", ":", "\n", " ", "\r", " ")

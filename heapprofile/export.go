package heapprofile

import (
	"fmt"
	"io"
	"strings"
)

// exports are the forms of [Export].
var exports = map[string]func(io.Writer, *Profile) error{
	"heapprofile": func(w io.Writer, p *Profile) error { return p.Write(w) },
	"pprof":       writePprof,
	"speedscope":  writeSpeedscope,
	"collapsed":   writeCollapsed,
}

// ExportFormats lists the formats of [Export]: V8's own for DevTools and VS
// Code, pprof (gzipped), and two that flame graphs are made of.
func ExportFormats() []string { return []string{"heapprofile", "pprof", "speedscope", "collapsed"} }

// Export writes p for another tool.
func Export(w io.Writer, p *Profile, format string) error {
	write := exports[format]
	if write == nil {
		return fmt.Errorf("export format %q is unknown: it is one of %s", format, strings.Join(ExportFormats(), ", "))
	}
	return write(w, p)
}

package eventloop

import (
	"fmt"
	"io"
)

// exports are the formats of other tools that a recording's profiles can be
// written in.
var exports = map[string]func(io.Writer, *Recording) error{
	"cpuprofile": writeCPUProfile, "pprof": writePprof, "speedscope": writeSpeedscope,
}

// ExportFormats lists the formats of [Export].
func ExportFormats() []string { return []string{"cpuprofile", "pprof", "speedscope"} }

// Export writes the profiles of a recording in the format of another tool: a
// .cpuprofile has the main thread's, for DevTools and VS Code; pprof (gzipped)
// and speedscope have those of all threads.
func Export(w io.Writer, r *Recording, format string) error {
	write := exports[format]
	if write == nil {
		return fmt.Errorf("export format %q is unknown: it is cpuprofile, pprof or speedscope", format)
	}
	return write(w, r)
}

func threadName(t *Thread) string {
	if t.ID == 0 {
		return "main"
	}
	if t.Name == "" {
		return fmt.Sprintf("worker %d", t.ID)
	}
	return fmt.Sprintf("worker %d %s", t.ID, t.Name)
}

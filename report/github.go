package report

import (
	"fmt"
	"io"
	"strings"
)

// maxAnnotations is how many annotations of one kind GitHub shows of a step;
// further ones are dropped, and not the least.
const maxAnnotations = 10

// writeGitHub writes annotations as workflow commands, one line each, for
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands.
// The worst findings come first; the last annotation says how many there are
// beyond it.
func writeGitHub(w io.Writer, o outcome, opts Options) error {
	var b strings.Builder
	kinds := map[string][]string{}
	for i := range o.Issues {
		s := &o.Issues[i]
		kind := "warning"
		if s.Failing {
			kind = "error"
		}
		var properties []string
		if s.Location != nil {
			if file, ok := under(opts.Root, s.Location.File); ok {
				properties = append(properties, "file="+commandProperty(clip(file, maxPath)))
				if s.Location.Line > 0 {
					properties = append(properties, fmt.Sprintf("line=%d", s.Location.Line))
				}
				if s.Location.Column > 0 {
					properties = append(properties, fmt.Sprintf("col=%d", s.Location.Column))
				}
			}
		}
		properties = append(properties, "title="+commandProperty(o.Command+": "+clip(s.Title, 200)))
		lines := []string{clip(s.Size, 80)}
		if place := s.place(opts.Root); place != "" && len(properties) == 1 {
			lines = append(lines, place) // of a file that is not in the repository
		}
		for _, e := range s.Evidence[:min(len(s.Evidence), 3)] {
			lines = append(lines, clip(e, 300))
		}
		if s.Fix != "" {
			lines = append(lines, "What to do: "+clip(s.Fix, 500))
		}
		for k := range lines {
			lines[k] = commandData(lines[k])
		}
		kinds[kind] = append(kinds[kind], "::"+kind+" "+strings.Join(properties, ",")+"::"+strings.Join(lines, "%0A"))
	}
	if len(o.Issues) == 0 && o.Unsure {
		kinds["warning"] = append(kinds["warning"], "::warning title="+commandProperty(o.Command)+"::"+commandData(clip(o.Sentence, 500)))
	}
	for _, kind := range []string{"error", "warning"} {
		all := kinds[kind]
		if n := len(all) - maxAnnotations; n > 0 {
			all = append(all[:maxAnnotations-1:maxAnnotations-1],
				fmt.Sprintf("::%s title=%s::%s more are in the report", kind, commandProperty(o.Command), FormatCount(n+1)))
		}
		for _, line := range all {
			b.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// commandData escapes the message of a workflow command, commandProperty a value
// before it, as actions/toolkit's core does.
func commandData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func commandProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

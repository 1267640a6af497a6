package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"heapsnap/report"
)

// version is set by the linker in a release build.
var version = "dev"

// build is what is known of this binary.
type build struct {
	Schema   int    `json:"schema"`
	Command  string `json:"command"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed work tree
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Schema: 1, Command: "version", Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; version == "dev" && v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// head is what the report of a command begins with.
func head(command string) report.Head {
	return report.Head{Command: command, Version: thisBuild().Version}
}

func newVersion(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Version of heapsnap and of what it was built with",
		Args:  arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			switch format {
			case "json":
				return writeIndented(a.out, b)
			case "text":
				_, err := fmt.Fprintf(a.out, "heapsnap %s, %s, %s\n", b.Version, b.Go, b.Platform)
				return err
			}
			return usagef("format %q is unknown: it is text or json", format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// writeIndented writes v as the JSON reports are written.
func writeIndented(w interface{ Write([]byte) (int, error) }, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// exportFile is a file that a profile P is written to, for this or another tool.
type exportFile[P any] struct {
	*finalFile
	write func(io.Writer, P) error
}

// exportFiles are those of one command.
type exportFiles[P any] []exportFile[P]

// openExports creates the files of --export, before anything is recorded.
func openExports[P any](specs, formats []string, export func(w io.Writer, p P, format string) error) (files exportFiles[P], err error) {
	for _, spec := range specs {
		format, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" || !slices.Contains(formats, format) {
			files.abandon()
			return nil, usagef("--export %s: want FORMAT=PATH, FORMAT being one of %s", spec, strings.Join(formats, ", "))
		}
		f, err := createFinal(path, 0o644)
		if err != nil {
			files.abandon()
			return nil, usagef("--export %s: %w", spec, err)
		}
		files = append(files, exportFile[P]{f, func(w io.Writer, p P) error { return export(w, p, format) }})
	}
	return files, nil
}

// write writes all files, and gives them their names.
func (files exportFiles[P]) write(p P) error {
	for _, f := range files {
		if err := f.write(f, p); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if err := f.complete(); err != nil {
			return err
		}
	}
	return nil
}

// abandon removes those that were not written.
func (files exportFiles[P]) abandon() {
	for _, f := range files {
		f.abandon()
	}
}

// readProfile reads a file that was written before.
func readProfile[P any](path string, read func(io.Reader) (P, error)) (p P, err error) {
	f, err := os.Open(path)
	if err != nil {
		return p, usageError{err}
	}
	defer f.Close()
	if p, err = read(f); err != nil {
		return p, usagef("%s: %w", path, err)
	}
	return p, nil
}

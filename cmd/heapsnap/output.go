package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heapsnap/report"
)

// output is where a command's report goes: to stdout in one format, and to any
// number of files. Files are created before the work, so that a path that
// cannot be written costs a second and not an hour.
type output struct {
	app     *app
	format  string
	files   []string // FORMAT=PATH, as given
	verbose bool
	rules   []report.Rule // that the report's findings name
	root    string        // of the sources

	annotates bool // the report has a form for GitHub
	stdout    report.Format
	opened    []*outFile
}

type outFile struct {
	format report.Format
	*finalFile
}

// flags adds --format, -o and --verbose to a command that makes a report.
func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "format", string(report.Text), "format on stdout: "+formatNames())
	cmd.Flags().StringArrayVarP(&o.files, "output", "o", nil, "also write the report to a file, as `FORMAT=PATH`; may be repeated")
	cmd.Flags().StringVar(&o.root, "source-root", "", "`FOLDER` that formats for CI name files from (default: of the workspace or repository)")
	cmd.Flags().BoolVar(&o.verbose, "verbose", false, "in text: every finding in full, longer tables")
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// open creates the files. Whoever calls it owes close. allowed narrows the
// formats; none means all.
func (o *output) open(allowed ...report.Format) error {
	var err error
	if o.stdout, err = parseFormat(o.format, allowed); err != nil {
		return err
	}
	o.annotates = len(allowed) == 0 || slices.Contains(allowed, report.GitHub)
	if o.root == "" {
		o.root = sourceRoot()
	}
	if o.stdout.Binary() && o.app.width > 0 {
		return usageError{fmt.Errorf("--format %s: %w", o.stdout, errNotTerminal)}
	}
	for _, spec := range o.files {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" {
			return usagef("-o %s: want FORMAT=PATH, such as -o json=report.json", spec)
		}
		f, err := parseFormat(name, allowed)
		if err != nil {
			return usagef("-o %s: %w", spec, err)
		}
		file, err := createFinal(path, 0o644)
		if err != nil {
			return usagef("-o %s: %w", spec, err)
		}
		o.opened = append(o.opened, &outFile{f, file})
	}
	return nil
}

func parseFormat(name string, allowed []report.Format) (report.Format, error) {
	f, err := report.ParseFormat(name)
	if err != nil {
		return "", usageError{err}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, f) {
		return "", usagef("format %s is not for this command: it has %s", f, joinFormats(allowed))
	}
	return f, nil
}

func joinFormats(fs []report.Format) string {
	var names []string
	for _, f := range fs {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// write shows the report in every format asked for; show renders one.
func (o *output) write(show func(io.Writer, report.Format, report.Options) error) error {
	for _, f := range o.opened {
		if err := show(f, f.format, o.options()); err != nil {
			return fmt.Errorf("-o %s=%s: %w", f.format, f.path, err)
		}
		if err := f.complete(); err != nil {
			return fmt.Errorf("-o %s=%s: %w", f.format, f.path, err)
		}
	}
	// One write: what reads the pipe gets a whole report or none.
	var b bytes.Buffer
	opts := o.options()
	opts.Width, opts.Color = o.app.width, o.app.color
	if err := show(&b, o.stdout, opts); err != nil {
		return err
	}
	text := b.Bytes()
	if o.app.github != nil && o.stdout == report.Text {
		text = withoutCommands(text)
	}
	if _, err := o.app.out.Write(text); err != nil {
		return err
	}
	if o.app.github != nil && o.annotates {
		return o.annotate(show)
	}
	return nil
}

func (o *output) options() report.Options {
	return report.Options{Verbose: o.verbose, Rules: o.rules, Root: o.root}
}

// report writes r and returns its verdict as the command's result.
func (o *output) report(r *report.Report) error {
	o.rules = leakRules()
	err := o.write(func(w io.Writer, f report.Format, opts report.Options) error {
		return report.Write(w, r, f, opts)
	})
	if err != nil {
		return err
	}
	return byVerdict(r.Verdict)
}

// close gives up the files that were not completed.
func (o *output) close() {
	for _, f := range o.opened {
		f.abandon()
	}
}

// finalFile is a file that has its name only when it is complete; until then
// it is PATH.partial.
type finalFile struct {
	*os.File
	path    string
	partial string // "" where path is no regular file and is written in place
	done    bool
}

func createFinal(path string, mode fs.FileMode) (*finalFile, error) {
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("is a directory")}
		case !info.Mode().IsRegular(): // /dev/null, a named pipe
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return nil, err
			}
			return &finalFile{File: f, path: path}, nil
		}
	}
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			p.Path = path // the name the user knows
		}
		return nil, err
	}
	return &finalFile{File: f, path: path, partial: partial}, nil
}

// complete gives the file its name.
func (f *finalFile) complete() error {
	f.done = true
	if f.partial == "" {
		return f.Close()
	}
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.partial, f.path)
	}
	if err != nil {
		return fmt.Errorf("%s stays incomplete: %w", filepath.Base(f.partial), err)
	}
	return nil
}

// abandon closes an incomplete file and removes it.
func (f *finalFile) abandon() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close()
	if f.partial != "" {
		_ = os.Remove(f.partial)
	}
}

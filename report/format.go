package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Format is a way to show a result. A [Report], a [Summary] and a [Loop] have what
// [Formats] lists, in part; all else has text and JSON, a [Watch] and a [History] a plot too.
type Format string

// Text is for people at a terminal, JSON for programs, HTML a page to look
// around in; SVG and PNG are the growth plot, or the time line of a loop.
const (
	Text Format = "text"
	JSON Format = "json"
	HTML Format = "html"
	SVG  Format = "svg"
	PNG  Format = "png"

	// For CI: a comment on a pull request, annotations of GitHub's workflows,
	// test cases, results of code scanning.
	Markdown Format = "markdown"
	GitHub   Format = "github"
	JUnit    Format = "junit"
	SARIF    Format = "sarif"
)

// Options say how a report is laid out. The zero value is text of 80 columns
// without colour.
type Options struct {
	Width   int  // of text, in columns of the terminal; 0 means 80
	Color   bool // in text: bold, red, green and dim by ANSI sequences
	Verbose bool // in text: every finding in full, more class rows
	// Rules document what findings name, for formats that explain it.
	Rules []Rule
	// Root is the folder of the sources: formats for CI name files from there on.
	Root  string
	Limit int // bytes of Markdown; 0 means MarkdownLimit
}

// ErrNoForm is returned for a format that cannot show what it was asked to
// show, such as the plot of a summary.
var ErrNoForm = errors.New("no such form")

// renderer is one format: a new format is one file and one row of renderers.
type renderer struct {
	format  Format
	report  func(io.Writer, *Report, Options) error
	summary func(io.Writer, *Summary, Options) error // nil: has none
	loop    func(io.Writer, *Loop, Options) error    // of a normal Loop
}

var renderers = []renderer{
	{Text, writeText, writeSummaryText, writeLoopText},
	{JSON, writeJSON, writeSummaryJSON, writeLoopJSON},
	{HTML, writeHTML, nil, writeLoopHTML},
	{SVG, plotAs(SVG), nil, plotLoopAs(SVG)},
	{PNG, plotAs(PNG), nil, plotLoopAs(PNG)},
	{Markdown, ciReport(writeMarkdown), nil, ciLoop(writeMarkdown)},
	{GitHub, ciReport(writeGitHub), nil, ciLoop(writeGitHub)},
	{JUnit, ciReport(writeJUnit), nil, ciLoop(writeJUnit)},
	{SARIF, ciReport(writeSARIF), nil, ciLoop(writeSARIF)},
}

// Formats lists the formats of a report, text first.
func Formats() []Format {
	var fs []Format
	for _, r := range renderers {
		fs = append(fs, r.format)
	}
	return fs
}

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("format %q is unknown: it is one of %s", name, strings.Join(names, ", "))
}

// Binary reports whether the format is not text and so does not belong on a
// terminal.
func (f Format) Binary() bool { return f == PNG }

// Write shows r in the format f. It does not change r.
func Write(w io.Writer, r *Report, f Format, o Options) error {
	form, err := find(f)
	if err != nil {
		return err
	}
	return form.report(w, r, o)
}

// WriteSummary shows s in the format f. It does not change s.
func WriteSummary(w io.Writer, s *Summary, f Format, o Options) error {
	form, err := find(f)
	if err != nil {
		return err
	}
	if form.summary == nil {
		return fmt.Errorf("%w: a summary cannot be shown as %s, only a series of captures can", ErrNoForm, f)
	}
	return form.summary(w, s, o)
}

func find(f Format) (renderer, error) {
	for _, r := range renderers {
		if r.format == f {
			return r, nil
		}
	}
	_, err := ParseFormat(string(f))
	return renderer{}, err
}

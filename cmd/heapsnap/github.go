package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"heapsnap/report"
)

// github is the step of a workflow of GitHub Actions that heapsnap runs in:
// there a report is also annotations, and a part of the step's summary.
type github struct {
	summary string // file of the step's summary, "" if there is none
}

// inGitHub says what the environment says of a workflow; nil outside of one.
func inGitHub(getenv func(string) string) *github {
	if getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	return &github{summary: getenv("GITHUB_STEP_SUMMARY")}
}

// maxSummary is what GitHub takes as the summary of a step, all of its writers
// together; more, and all of it is dropped.
const maxSummary = 1 << 20

// annotate writes annotations, to stderr where stdout is for a machine, and
// appends to the step's summary.
func (o *output) annotate(show func(io.Writer, report.Format, report.Options) error) error {
	out := o.app.err
	if o.stdout == report.Text {
		out = o.app.out
	}
	if o.stdout != report.GitHub {
		if err := show(out, report.GitHub, o.options()); err != nil {
			return err
		}
	}
	if o.app.github.summary == "" {
		return nil
	}
	if err := o.summarize(o.app.github.summary, show); err != nil {
		o.app.note("the step's summary is without this report: %v", err)
	}
	return nil
}

func (o *output) summarize(path string, show func(io.Writer, report.Format, report.Options) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const enough = 4 << 10 // for a verdict and its first finding
	opts := o.options()
	opts.Limit = min(report.MarkdownLimit*8, maxSummary-1-int(info.Size()))
	if opts.Limit < enough {
		return fmt.Errorf("%s has %s of the 1 MiB that GitHub shows", path, report.FormatBytes(uint64(info.Size())))
	}
	if err := show(f, report.Markdown, opts); err != nil {
		return err
	}
	return f.Close()
}

// withoutCommands wraps text so that the runner obeys no workflow command in it:
// a line of it may begin as a string of the heap does.
func withoutCommands(text []byte) []byte {
	token := rand.Text()
	return fmt.Appendf(nil, "::stop-commands::%s\n%s::%s::\n", token, text, token)
}

// sourceRoot is the folder of the sources: the workspace of the CI system, the
// repository that the working directory is in, or that directory.
func sourceRoot() string {
	for _, name := range []string{"GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"} {
		if root := os.Getenv(name); filepath.IsAbs(root) {
			return filepath.Clean(root)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return here
		}
	}
}

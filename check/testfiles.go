package check

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"heapsnap/cdp"
	"heapsnap/report"
)

// TestRunner is what test files are written for.
type TestRunner string

// The runners that test files can be run with. Vitest is 1 to 4, Jest 29 and 30.
const (
	NodeTest TestRunner = "node"
	Jest     TestRunner = "jest"
	Vitest   TestRunner = "vitest"
)

// TestRunners lists them.
func TestRunners() []TestRunner { return []TestRunner{NodeTest, Jest, Vitest} }

//go:embed testrunner
var testRunnerFiles embed.FS

// testFunction is what the files in testrunner put on globalThis: it runs all
// tests once.
const testFunction = "heapsnapTests"

// vitestWorkers are the scripts of the process that Vitest runs tests in, since
// version 3, and before.
const vitestWorkers = "vitest/dist/workers/forks|tinypool/dist/"

// launchTests sets up the run of o.Tests: they are loaded once into one process,
// and a unit of work is all of their tests. The folder that is returned has to be
// there as long as the process.
func (o *Options) launchTests() (folder string, err error) {
	var files []string
	for i := range o.Tests {
		f := o.testFile(i)
		if f, err = filepath.Abs(f); err != nil {
			return "", err
		}
		if _, err := os.Stat(f); err != nil {
			return "", err
		}
		files = append(files, f)
	}
	if o.TestRunner == "" {
		if o.TestRunner, err = runnerOf(files[0]); err != nil {
			return "", err
		}
	}
	if folder, err = os.MkdirTemp("", "heapsnap-tests-"); err != nil {
		return "", err
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	sub, err := fs.Sub(testRunnerFiles, "testrunner")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(folder, sub); err != nil {
		return "", err
	}
	argv := slices.Clone(o.Launch.Argv)
	if len(argv) == 0 {
		argv = []string{"node"}
	}
	switch o.TestRunner {
	case NodeTest:
		argv = append(argv, filepath.Join(folder, "node-test.cjs"))
	case Jest:
		jest, err := installed(filepath.Dir(files[0]), filepath.Join("jest", "bin", "jest.js"))
		if err != nil {
			return "", err
		}
		// Without --verbose Jest keeps what the tests print until they have ended.
		argv = append(argv, jest, "--runInBand", "--watchAll=false", "--coverage=false", "--verbose", "--testRunner="+filepath.Join(folder, "jest.cjs"), "--runTestsByPath")
		env := o.Launch.Env
		if env == nil {
			env = os.Environ()
		}
		o.Launch.Env = append(slices.Clip(env), "HEAPSNAP_TEST_FILES="+strconv.Itoa(len(files)))
	case Vitest:
		argv = append(argv, filepath.Join(folder, "vitest.mjs"))
		if o.Launch.Process == "" {
			o.Launch.Process = vitestWorkers
		}
	default:
		return "", fmt.Errorf("test runner %q: it is one of %s", o.TestRunner, joined(TestRunners()))
	}
	o.Launch.Argv, o.LoadFunction = append(argv, files...), testFunction
	keep = true
	return folder, nil
}

// testFile is a test file where the program is started.
func (o *Options) testFile(i int) string {
	if f := o.Tests[i]; filepath.IsAbs(f) {
		return f
	}
	return filepath.Join(o.Launch.Dir, o.Tests[i])
}

func joined[S ~string](names []S) string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return strings.Join(all, ", ")
}

var testImports = []struct {
	runner TestRunner
	module *regexp.Regexp
}{
	{Vitest, regexp.MustCompile(`['"]vitest['"]`)},
	{NodeTest, regexp.MustCompile(`['"]node:test['"]`)},
	{Jest, regexp.MustCompile(`['"]@jest/globals['"]`)},
}

// runnerOf tells what a test file is written for: by what it imports, and where
// tests are globals by what its package depends on.
func runnerOf(file string) (TestRunner, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for _, i := range testImports {
		if i.module.Match(text) {
			return i.runner, nil
		}
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		var manifest struct {
			Dependencies    map[string]string `json:"dependencies"`
			DevDependencies map[string]string `json:"devDependencies"`
		}
		if text, err := os.ReadFile(filepath.Join(dir, "package.json")); err == nil && json.Unmarshal(text, &manifest) == nil {
			has := func(r TestRunner) bool {
				return manifest.Dependencies[string(r)] != "" || manifest.DevDependencies[string(r)] != ""
			}
			switch vitest, jest := has(Vitest), has(Jest); {
			case vitest && jest:
				return "", fmt.Errorf("%s: its package depends on vitest and on jest: name one of them", file)
			case vitest:
				return Vitest, nil
			case jest:
				return Jest, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s: it imports none of node:test, vitest and @jest/globals, and its package depends on no runner: name it, one of %s", file, joined(TestRunners()))
		}
	}
}

// installed finds a file of an npm package, from a folder upwards.
func installed(dir, name string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		path := filepath.Join(d, "node_modules", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("node_modules/%s is in no folder above %s: install the package", filepath.ToSlash(name), dir)
		}
	}
}

// ownHolder matches the name of a holder that belongs to a test runner: it keeps
// books of all it runs, and frees them when a file has ended, which none does.
var ownHolder = map[TestRunner]*regexp.Regexp{
	Jest:   regexp.MustCompile(` in (@jest/|@jest-mock/|jest-|jest/|expect/|@sinonjs/)`),
	Vitest: regexp.MustCompile(` in (@vitest/|vitest/|vite/|vite-node/|tinyspy/|tinypool/)`),
}

// withoutRunners tells as harmless what the test runner itself holds.
func withoutRunners(r *report.Report, runner TestRunner) {
	own := ownHolder[runner]
	if own == nil {
		return
	}
	said := make([]answer, len(r.Findings))
	for i, f := range r.Findings {
		said[i] = answer{sure: true, leak: !own.MatchString(f.Holder.Name)}
		if !said[i].leak {
			said[i].words = fmt.Sprintf("%s keeps it until a test file has ended", runner)
		}
	}
	apply(r, said)
}

// testFailure says which test failed; what was evaluated, and how, is our
// business.
func testFailure(err error) error {
	var thrown *cdp.JSError
	if !errors.As(err, &thrown) {
		return err
	}
	text := thrown.Message
	for _, line := range strings.Split(thrown.Stack, "\n")[:min(3, strings.Count(thrown.Stack, "\n")+1)] {
		if line = strings.TrimSpace(line); line != "" {
			text += "\n    " + line
		}
	}
	return errors.New(text)
}

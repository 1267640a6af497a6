// Package livetest runs heapsnap as a person does, on a Node program, and hands back what it said.
//
// A package that uses it has `func TestMain(m *testing.M) { livetest.Main(m) }`: the binary is built once per
// test process and removed with its folder at the end.
package livetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// patience is how long one run may take. Six captures of a small heap take about ten seconds on two idle cores;
// the machine that runs the tests is not idle.
const patience = 4 * time.Minute

// slots bounds the runs at a time: each is a Node process and an analysis, on machines of two cores.
var slots = make(chan struct{}, 2)

// folder holds the binary; empty if Main was not called.
var folder string

// Main runs the tests of a package and exits.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "heapsnap-livetest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	folder = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// A Result is what one run of heapsnap left.
type Result struct {
	Exit   int
	Report report.Report // zero if Stdout is no JSON, which only a run that failed may do
	Stdout []byte
	Stderr []byte
	// OwnCPU is the processor time of heapsnap itself, without the program's and the load's; 0 where that is not known.
	OwnCPU time.Duration
}

// Check runs `heapsnap check` for so many rounds of a program's load function, with further flags as given.
func Check(tb testing.TB, node nodes.Node, program string, rounds int, flags ...string) Result {
	tb.Helper()
	program, err := filepath.Abs(program)
	if err != nil {
		tb.Fatal(err)
	}
	// A program's own requests to itself may hang after it stood still for a capture (seen once, Node 20).
	args := []string{"check", "--format", "json", "--load-fn", "load", "--load-timeout", "1m", "--rounds", strconv.Itoa(rounds)}
	args = append(args, flags...)
	args = append(args, "--", node.Path, program)
	r := Run(tb, args...)
	if r.Exit == troubleExit {
		// Trouble with the target is no answer: Node itself crashes now and then,
		// and an overloaded machine lets deadlines pass. Twice would be ours.
		tb.Logf("heapsnap %s: exit %d, once more: %s", strings.Join(args, " "), r.Exit, r.Stderr)
		r = Run(tb, args...)
	}
	return r
}

// troubleExit is heapsnap's exit code for a target that was lost or died.
const troubleExit = 3

// Run runs heapsnap with these arguments in a folder of its own. It skips the test while there is no
// command of that name, and fails it if the run does not end or ends without a report.
func Run(tb testing.TB, args ...string) Result {
	tb.Helper()
	binary := Binary(tb, args[0])
	dir := tb.TempDir()

	slots <- struct{}{}
	defer func() { <-slots }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it has a Node to stop
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var own time.Duration
	err := cmd.Start()
	if err == nil {
		ended := make(chan struct{})
		watched := make(chan time.Duration)
		go func() { watched <- ownCPU(cmd.Process.Pid, ended) }()
		err = cmd.Wait()
		close(ended)
		own = <-watched
	}

	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		tb.Fatalf("heapsnap %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), stderr.Bytes())
	}
	r := Result{Exit: cmd.ProcessState.ExitCode(), Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), OwnCPU: own}
	if err := json.Unmarshal(r.Stdout, &r.Report); err != nil && (r.Exit == 0 || r.Exit == 1) {
		tb.Fatalf("heapsnap %s: exit %d with no report: %v\n%s%s", strings.Join(args, " "), r.Exit, err, r.Stdout, r.Stderr)
	}
	return r
}

// Binary builds heapsnap once and returns its path. It skips the test while cmd/heapsnap has no such command.
func Binary(tb testing.TB, command string) string {
	tb.Helper()
	root, err := nodes.Root()
	if err != nil {
		tb.Fatal(err)
	}
	for _, source := range []string{"main.go", command + ".go"} {
		if _, err := os.Stat(filepath.Join(root, "cmd", "heapsnap", source)); err != nil {
			tb.Skipf("cmd/heapsnap/%s is not there; live tests need the command", source)
		}
	}
	if folder == "" {
		tb.Fatal("TestMain of this package has to call livetest.Main")
	}
	path, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	root, err := nodes.Root()
	if err != nil {
		return "", err
	}
	if err := look(root); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "heapsnap")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/heapsnap")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/heapsnap: %w\n%s", err, out)
	}
	return path, nil
})

// look lists the module's folders. The go command notes what a test opens, and runs it anew when a folder has
// changed; without this, a test that passed would stay cached while heapsnap changes below it.
func look(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ignored := []string{"bin", "docs", "node_modules", "testdata", "tools"}
		if !entry.IsDir() || path == root {
			return nil
		}
		if strings.HasPrefix(entry.Name(), ".") || slices.Contains(ignored, entry.Name()) {
			return fs.SkipDir
		}
		return nil
	})
}

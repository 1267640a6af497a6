//go:build looptable

package looptable

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"heapsnap/fixtures"
	"heapsnap/internal/livetest"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

func TestMain(m *testing.M) { livetest.Main(m) }

// patience is for one recording and its analysis.
const patience = 2 * time.Minute

// TestTable runs one program after the other: two at a time would block each other.
//
//	HEAPSNAP_NODES=20,26    these lines only
//	HEAPSNAP_LOOP=json,scan these fixtures only, by parts of their names
//	HEAPSNAP_LOOP_RUNS=5    so often each program that blocks nothing
//	HEAPSNAP_LOOP_FOR=10s   so long each recording
func TestTable(t *testing.T) {
	runs := 1
	if n, err := strconv.Atoi(os.Getenv("HEAPSNAP_LOOP_RUNS")); err == nil {
		runs = n
	}
	lines := nodes.All(t)
	table := &bytes.Buffer{}
	fmt.Fprintf(table, "%-38s", "program")
	for _, node := range lines {
		fmt.Fprintf(table, "  %-10s", node)
	}
	fmt.Fprintln(table)
	var faults []string
	for _, f := range all(t) {
		if !wanted(f.Name) {
			continue
		}
		var programs []fixtures.Program
		for _, p := range []fixtures.Program{f.Blocked, f.Fixed} {
			if p.Source != nil {
				programs = append(programs, p)
			}
		}
		for _, p := range programs {
			fmt.Fprintf(table, "%-38s", strings.TrimSuffix(strings.TrimPrefix(p.Path, "loop/"), path.Ext(p.Path)))
			for _, node := range lines {
				n, good, cell := 1, 0, ""
				if f.Blocked.Path != p.Path {
					n = runs
				}
				for range n {
					fault := judge(f, p, record(t, node, p))
					if fault == "" {
						good++
						continue
					}
					cell = fault
					faults = append(faults, fmt.Sprintf("%s on %s: %s", p.Path, node, fault))
				}
				switch {
				case good == n:
					cell = "yes"
				case n > 1:
					cell = fmt.Sprintf("%d of %d", good, n)
				default:
					cell = "NO"
				}
				fmt.Fprintf(table, "  %-10s", cell)
			}
			fmt.Fprintln(table)
			write(t, table, faults)
		}
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// all are the fixtures below loop and, where npm can install their packages, those below loop-realworld.
func all(t *testing.T) []fixtures.LoopFixture {
	t.Helper()
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "fixtures")
	real, err := fixtures.ReadLoops(os.DirFS(dir), "loop-realworld")
	if err != nil {
		t.Fatal(err)
	}
	livetest.InstallPackages(t, filepath.Join(dir, "loop-realworld"), true)
	return append(fixtures.Loops(), real...)
}

// write keeps what is known so far.
func write(t *testing.T, table *bytes.Buffer, faults []string) {
	t.Helper()
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".cache", "loop")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := table.String()
	if len(faults) > 0 {
		text += "\n" + strings.Join(faults, "\n") + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "table.txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wanted(name string) bool {
	parts := os.Getenv("HEAPSNAP_LOOP")
	if parts == "" {
		return true
	}
	for part := range strings.SplitSeq(parts, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// outcome is what one run said; err is why it said nothing.
type outcome struct {
	exit int
	loop report.Loop
	err  error
}

func record(t *testing.T, node nodes.Node, p fixtures.Program) outcome {
	t.Helper()
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"loop", "--format", "json"}
	if d := os.Getenv("HEAPSNAP_LOOP_FOR"); d != "" {
		args = append(args, "--duration", d)
	}
	args = append(args, "--", node.Path, filepath.Join(root, "fixtures", filepath.FromSlash(p.Path)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, livetest.Binary(t, "loop"), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{err: fmt.Errorf("%w: %s", err, stderr.Bytes())}
	}
	o := outcome{exit: cmd.ProcessState.ExitCode()}
	if err := json.Unmarshal(stdout.Bytes(), &o.loop); err != nil {
		o.err = fmt.Errorf("exit %d: %w: %s", o.exit, err, stderr.Bytes())
	}
	return o
}

// judge says what is wrong with an outcome, "" if nothing is.
func judge(f fixtures.LoopFixture, p fixtures.Program, o outcome) string {
	if o.err != nil {
		return o.err.Error()
	}
	if p.Path != f.Blocked.Path {
		if o.exit != 0 || o.loop.Verdict != report.Healthy {
			return fmt.Sprintf("exit %d: %s", o.exit, o.loop.Sentence)
		}
		return ""
	}
	if o.exit != 1 || o.loop.Verdict != report.Blocked || len(o.loop.Findings) == 0 {
		return fmt.Sprintf("exit %d: %s", o.exit, o.loop.Sentence)
	}
	first := o.loop.Findings[0]
	if !f.Where().Names(first.Rule) || path.Base(first.File) != p.File() || !f.Guilty(first.Function, first.Line) {
		return fmt.Sprintf("%s in %s, %s:%d, want %s in %s, line %d", first.Rule, first.Function, path.Base(first.File), first.Line,
			f.Where().Cause, f.Where().Function, f.Where().Line)
	}
	if name, _, _ := cutLast(first.Package, "@"); f.Where().Package != "" && !f.Where().IsIn(name) {
		return fmt.Sprintf("package %q, want %s", first.Package, f.Where().Package)
	}
	return ""
}

// cutLast cuts a text at the last separator: a scoped package's name has one of its own.
func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i > 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

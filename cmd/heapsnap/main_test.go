package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/report"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "heapsnap-cmd-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "heapsnap")
		if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		// No test reads or writes the index of whoever runs it. The go command has its
		// cache there, too, and keeps it: a test that builds would compile all anew.
		goCache, err := exec.Command("go", "env", "GOCACHE").Output()
		if err != nil {
			fmt.Fprintf(os.Stderr, "go env: %v\n", err)
			return 1
		}
		err = errors.Join(os.Setenv("GOCACHE", strings.TrimSpace(string(goCache))), os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// result is how a run of the binary ended.
type result struct {
	code        int
	out, errors string
}

// heapsnapIn runs the binary in dir, with input as its stdin.
func heapsnapIn(t *testing.T, dir string, input io.Reader, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, input, &out, &errs
	if os.Getenv("HEAPSNAP_TEST_WORKFLOW") == "" { // the tests may themselves run in a workflow
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GITHUB_") })
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("heapsnap %s hangs; stderr: %s", strings.Join(args, " "), errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// snapshot is the smallest heap that is one: a root that holds an object.
const snapshot = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],` +
	`"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape"],"string","number","number","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],` +
	`"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],` +
	`"trace_function_info_fields":[],"trace_node_fields":[],"sample_fields":[],"location_fields":["object_index","script_id","line","column"]},` +
	`"node_count":2,"edge_count":1,"trace_function_count":0},` +
	`"nodes":[9,0,1,0,1,0,0,3,1,3,32,0,0,0],"edges":[2,2,7],` +
	`"trace_function_infos":[],"trace_tree":[],"samples":[],"locations":[],` +
	`"strings":["","Thing","thing"]}`

// inputs fills a folder with a good snapshot and bad ones.
func inputs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte(snapshot)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"good.heapsnapshot":      snapshot,
		"good.heapsnapshot.gz":   zipped.String(),
		"empty.heapsnapshot":     "",
		"text.heapsnapshot":      "this is no heap snapshot\n",
		"array.heapsnapshot":     "[1, 2, 3]",
		"object.heapsnapshot":    `{"hello": "world"}`,
		"few.heapsnapshot":       strings.Replace(snapshot, `"node_count":2`, `"node_count":3`, 1),
		"many.heapsnapshot":      strings.Replace(snapshot, `"node_count":2`, `"node_count":1`, 1),
		"edges.heapsnapshot":     strings.Replace(snapshot, `"edge_count":1,"trace`, `"edge_count":7,"trace`, 1),
		"huge.heapsnapshot":      strings.Replace(snapshot, `"node_count":2`, `"node_count":4000000000`, 1),
		"nowhere.heapsnapshot":   strings.Replace(snapshot, `"edges":[2,2,7]`, `"edges":[2,2,700]`, 1),
		"truncated.heapsnapshot": snapshot[:len(snapshot)-40],
		"cut.heapsnapshot":       snapshot[:strings.Index(snapshot, `"nodes"`)+12],
		"cut.heapsnapshot.gz":    zipped.String()[:zipped.Len()/2],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, m := range map[string]cdp.Meta{
		"sidecar.heapsnapshot": {PID: 1, Mode: "plain"},
		"other.heapsnapshot":   {PID: 2, Mode: "plain"},
		"numeric.heapsnapshot": {PID: 1, Mode: "numeric"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(snapshot), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// closedPort is a port of this machine that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// TestExitCodesAndMessages runs the binary on what can go wrong. says is in
// stderr, which has one line that begins with the program's name.
func TestExitCodesAndMessages(t *testing.T) {
	dir := inputs(t)
	port := closedPort(t)
	pid := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		name string
		args string
		code int
		says string
	}{
		{"unknown command", "frobnicate", 2, `unknown command "frobnicate"`},
		{"mistyped command", "sumary good.heapsnapshot", 2, "did you mean summary?"},
		{"unknown flag", "summary --frob good.heapsnapshot", 2, "unknown flag: --frob"},
		{"flag without value", "capture --pid", 2, "flag needs an argument"},
		{"flag that is no number", "capture --pid x -o a", 2, "--pid"},
		{"negative timeout", "summary --timeout -1s good.heapsnapshot", 2, "--timeout"},
		{"no file", "summary", 2, "FILE is missing"},
		{"two files", "summary a b", 2, "one argument too many"},
		{"version with an argument", "version 3", 2, "one argument too many"},

		{"missing file", "summary none.heapsnapshot", 2, "none.heapsnapshot: no such file"},
		{"folder", "summary folder", 2, "is a directory"},
		{"empty file", "summary empty.heapsnapshot", 2, "empty.heapsnapshot: "},
		{"text", "summary text.heapsnapshot", 2, "text.heapsnapshot: "},
		{"JSON array", "summary array.heapsnapshot", 2, "array.heapsnapshot: "},
		{"JSON of something else", "summary object.heapsnapshot", 2, "object.heapsnapshot: "},
		{"fewer nodes than counted", "summary few.heapsnapshot", 2, "few.heapsnapshot: nodes"},
		{"more nodes than counted", "summary many.heapsnapshot", 2, "many.heapsnapshot: nodes"},
		{"fewer edges than counted", "summary edges.heapsnapshot", 2, "edges.heapsnapshot: "},
		{"counts that cannot be", "summary huge.heapsnapshot", 2, "huge.heapsnapshot: "},
		{"edge to nowhere", "summary nowhere.heapsnapshot", 2, "nowhere.heapsnapshot: edges"},
		{"truncated in the strings", "summary truncated.heapsnapshot", 2, "cut short"},
		{"truncated in the nodes", "summary cut.heapsnapshot", 2, "cut short"},
		{"truncated gzip", "summary cut.heapsnapshot.gz", 2, "cut.heapsnapshot.gz: "},

		{"one snapshot", "diff good.heapsnapshot", 2, "a snapshot is missing"},
		{"a bad snapshot first", "diff cut.heapsnapshot good.heapsnapshot", 2, "cut.heapsnapshot: "},
		{"a bad snapshot last", "diff good.heapsnapshot text.heapsnapshot", 2, "text.heapsnapshot: "},
		{"snapshots of two processes", "diff other.heapsnapshot sidecar.heapsnapshot", 2, "all must be of one process"},
		{"snapshots of two modes", "diff numeric.heapsnapshot sidecar.heapsnapshot", 2, "in the same way"},

		{"suspects of nothing", "suspects", 2, "a snapshot is missing"},
		{"suspects of two", "suspects good.heapsnapshot good.heapsnapshot", 2, "one argument too many"},
		{"suspects of a bad snapshot", "suspects text.heapsnapshot", 2, "text.heapsnapshot: "},

		{"unknown rule", "explain frobnicate", 2, `no rule is called "frobnicate": there are async-context, `},

		{"unknown format", "summary --format xml good.heapsnapshot", 2, `format "xml" is unknown`},
		{"plot of a summary", "summary --format svg good.heapsnapshot", 2, "not for this command"},
		{"output without a format", "summary -o report.json good.heapsnapshot", 2, "want FORMAT=PATH"},
		{"output of an unknown format", "summary -o xml=report.xml good.heapsnapshot", 2, `format "xml" is unknown`},
		{"output into no folder", "summary -o json=none/report.json good.heapsnapshot", 2, "none/report.json: no such file"},
		{"output is a folder", "summary -o json=folder good.heapsnapshot", 2, "is a directory"},

		{"capture to nowhere", "capture --port " + port, 2, "-o FILE"},
		{"capture into no folder", "capture --port " + port + " -o none/a.heapsnapshot", 2, "none/a.heapsnapshot: no such file"},
		{"two targets", "capture --port 1 --pid 1 -o a", 2, "name the target once"},
		{"port out of range", "capture --port 99999 -o a", 2, "--port 99999"},
		{"negative pid", "capture --pid -3 -o a", 2, "--pid -3"},
		{"no address", "capture --url nonsense -o a", 2, "--url nonsense"},
		{"nobody listens", "capture --port " + port + " -o a", 3, "no inspector at 127.0.0.1:" + port},
		{"nobody listens there", "capture --url 127.0.0.1:" + port + " -o a", 3, "no inspector at"},
		{"no such process", "capture --pid 2147483600 -o a", 3, "process 2147483600: no such process"},
		{"a process without Node", "capture --pid " + pid + " -o a", 3, "not a Node.js process"},
		{"a script nobody runs", "capture no-such-script-anywhere.js -o a", 3, "no-such-script-anywhere.js"},
		{"targets with an argument", "targets 7", 2, "one argument too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := heapsnapIn(t, dir, nil, strings.Fields(c.args)...)
			if r.code != c.code {
				t.Errorf("heapsnap %s: exit code %d, want %d; stderr: %s", c.args, r.code, c.code, r.errors)
			}
			if !strings.Contains(r.errors, c.says) {
				t.Errorf("heapsnap %s says %q, want %q in it", c.args, r.errors, c.says)
			}
			if !strings.HasPrefix(r.errors, "heapsnap: ") || strings.Count(r.errors, "\n") != 1 {
				t.Errorf("heapsnap %s: want one line that begins with heapsnap:, got %q", c.args, r.errors)
			}
			if r.out != "" {
				t.Errorf("heapsnap %s writes to stdout: %q", c.args, r.out)
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.partial"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("a capture that failed left its file")
	}
}

func TestSummaryReadsFilesAndStdin(t *testing.T) {
	dir := inputs(t)
	for _, file := range []string{"good.heapsnapshot", "good.heapsnapshot.gz"} {
		if r := heapsnapIn(t, dir, nil, "summary", file); r.code != 0 || !strings.Contains(r.out, "Thing") || r.errors != "" {
			t.Errorf("summary %s: code %d, stdout %q, stderr %q", file, r.code, r.out, r.errors)
		}
	}
	if r := heapsnapIn(t, dir, strings.NewReader(snapshot), "summary", "-"); r.code != 0 || !strings.Contains(r.out, "Thing") {
		t.Errorf("summary -: code %d, stdout %q, stderr %q", r.code, r.out, r.errors)
	}
}

func TestOutputFilesAreWrittenBesideStdout(t *testing.T) {
	dir := inputs(t)
	r := heapsnapIn(t, dir, nil, "summary", "good.heapsnapshot", "--format", "json", "-o", "text=a.txt", "-o", "json=a.json", "-o", "text=/dev/null")
	if r.code != 0 {
		t.Fatalf("code %d, stderr %q", r.code, r.errors)
	}
	file, err := os.ReadFile(filepath.Join(dir, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != r.out {
		t.Errorf("a.json differs from stdout:\n%s\n%s", file, r.out)
	}
	var s report.Summary
	if err := json.Unmarshal(file, &s); err != nil || s.Nodes != 2 || s.Schema != report.SchemaVersion {
		t.Errorf("a.json: %v, %d nodes, schema %d", err, s.Nodes, s.Schema)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "a.txt")); err != nil || !bytes.Contains(text, []byte("Thing")) {
		t.Errorf("a.txt: %q, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFailedRunLeavesOldOutputAlone(t *testing.T) {
	dir := inputs(t)
	old := filepath.Join(dir, "report.json")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := heapsnapIn(t, dir, nil, "summary", "text.heapsnapshot", "-o", "json=report.json"); r.code != 2 {
		t.Fatalf("code %d, stderr %q", r.code, r.errors)
	}
	if got, err := os.ReadFile(old); err != nil || string(got) != "old" {
		t.Errorf("report.json is %q, %v", got, err)
	}
}

func TestColorFollowsTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  string
		tty  bool
		want bool
	}{
		{"", true, true},
		{"", false, false},
		{"NO_COLOR=1", true, false},
		{"NO_COLOR=1 CLICOLOR_FORCE=1", true, false},
		{"CLICOLOR_FORCE=1", false, true},
		{"CLICOLOR_FORCE=0", false, false},
		{"CLICOLOR=0", true, false},
		{"TERM=dumb", true, false},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		if got := wantsColor(c.tty, func(k string) string { return env[k] }); got != c.want {
			t.Errorf("with %q, terminal %v: colour %v, want %v", c.env, c.tty, got, c.want)
		}
	}
}

func TestTimeoutAndInterrupt(t *testing.T) {
	dir := inputs(t)
	// A server that takes connections and says nothing.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent := "127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)

	r := heapsnapIn(t, dir, nil, "capture", "--url", silent, "-o", "a", "--timeout", "200ms")
	if r.code != exitTimeout || !strings.Contains(r.errors, "--timeout is over") {
		t.Errorf("code %d, stderr %q, want %d", r.code, r.errors, exitTimeout)
	}

	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.Command(binary, "capture", "--url", silent, "-o", "a")
		cmd.Dir = dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept() // one was left by the run above, or is this run's
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waitFor(t, func() bool { _, err := os.Stat(filepath.Join(dir, "a.partial")); return err == nil })
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasPrefix(errs.String(), "heapsnap: interrupted") {
			t.Errorf("%v: code %d, stderr %q, want %d", sig, code, errs.String(), exitInterrupted)
		}
		if _, err := os.Stat(filepath.Join(dir, "a.partial")); err == nil {
			t.Errorf("%v: a.partial is left", sig)
		}
	}
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ready() {
		if time.Now().After(deadline) {
			t.Fatal("waited 20 s in vain")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestSecondInterruptExitsAtOnce: a read from stdin cannot be told to stop.
func TestSecondInterruptExitsAtOnce(t *testing.T) {
	cmd := exec.Command(binary, "summary", "-")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond) // until it has installed its handler, and then twice more
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for sent := 0; ; {
		select {
		case <-tick.C:
			if sent++; sent >= 10 {
				_ = cmd.Process.Signal(os.Interrupt)
			}
		case <-done:
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d, want %d", code, exitInterrupted)
			}
			return
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatal("still running after many interrupts")
		}
	}
}

func TestExitCodeIsDecidedByWhatTheErrorIs(t *testing.T) {
	live := context.Background()
	interrupted, cancel := context.WithCancelCause(live)
	cancel(errInterrupted)
	for _, c := range []struct {
		err  error
		ctx  context.Context
		want int
	}{
		{nil, live, 0},
		{byVerdict(report.Clean), live, 0},
		{byVerdict(report.Healthy), live, 0},
		{byVerdict(report.Steady), live, 0},
		{byVerdict(report.Leak), live, 1},
		{byVerdict(report.OverBudget), live, 1},
		{byVerdict(report.Blocked), live, 1},
		{byVerdict(report.Trouble), live, 1},
		{byVerdict(report.Inconclusive), live, 4},
		{usagef("x"), live, 2},
		{fmt.Errorf("x: %w", &heapsnap.SyntaxError{}), live, 2},
		{trouble(fmt.Errorf("x: %w", os.ErrPermission)), live, 3},
		{fmt.Errorf("capture: %w", cdp.ErrClosed), live, 3},
		{fmt.Errorf("x: %w", errTimeout), live, 124},
		{trouble(context.Canceled), interrupted, 130},
		{errors.New("x"), live, 2},
	} {
		if got := exitCode(c.ctx, c.err, true); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
	if got := exitCode(live, errors.New("unknown flag"), false); got != 2 {
		t.Errorf("exitCode of a bad command line = %d, want 2", got)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, c := range []struct {
		args, says string
	}{
		{"", "Usage:"},
		{"help", "capture"},
		{"help exit-codes", "124  --timeout was over"},
		{"capture --help", "--pid"},
		{"explain", "listener  "},
		{"explain listener", "What to do"},
		{"version", "heapsnap "},
		{"version --format json", `"command": "version"`},
		{"completion bash", "complete"},
		{"targets --format json", `"targets": [`},
	} {
		r := heapsnapIn(t, t.TempDir(), nil, strings.Fields(c.args)...)
		if r.code != 0 || !strings.Contains(r.out, c.says) || r.errors != "" {
			t.Errorf("heapsnap %s: code %d, stdout %.100q without %q, stderr %q", c.args, r.code, r.out, c.says, r.errors)
		}
	}
	// The table of codes is the whole truth: every constant is in it.
	topic := newExitCodesTopic().Long
	for _, code := range []int{exitClean, exitFindings, exitUsage, exitTarget, exitInconclusive, exitTimeout, exitInterrupted} {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ +%d  `, code)).MatchString(topic) {
			t.Errorf("exit code %d is not explained", code)
		}
	}
}

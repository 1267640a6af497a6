package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"heapsnap/cdp"
)

func node(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out live Node.js")
	}
	p, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not on PATH; live tests need it")
	}
	return p
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.js")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// count is how many objects of the class a snapshot file has.
func count(t *testing.T, path, class string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Snapshot struct {
			Meta struct {
				NodeFields []string   `json:"node_fields"`
				NodeTypes  []any      `json:"node_types"`
				_          [][]string // nothing else is needed
			}
		}
		Nodes   []int
		Strings []string
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	fields := s.Snapshot.Meta.NodeFields
	typeAt, nameAt := slices.Index(fields, "type"), slices.Index(fields, "name")
	types := s.Snapshot.Meta.NodeTypes[typeAt].([]any)
	n := 0
	for i := 0; i < len(s.Nodes); i += len(fields) {
		if types[s.Nodes[i+typeAt]] == "object" && s.Strings[s.Nodes[i+nameAt]] == class {
			n++
		}
	}
	return n
}

// leaky holds one more Leaked for each round of its load function; the class's
// own prototype is not counted as an object of it.
const leaky = `
	class Leaked { constructor(round) { this.round = round; } }
	const held = [];
	globalThis.load = async (round) => {
		await new Promise((done) => setTimeout(done, 5));
		held.push(new Leaked(round));
		process.stderr.write('did ' + round + '\n');
		const cycle = {}; cycle.self = cycle;
		return cycle;
	};
	setInterval(() => {}, 1000);`

func TestLoadFunction(t *testing.T) {
	bin, dir := node(t), t.TempDir()
	var mu sync.Mutex
	var events []Event
	var stderr bytes.Buffer
	path := script(t, leaky)
	series, err := Run(deadline(t), Options{
		Launch:       cdp.LaunchOptions{Argv: []string{bin, path}, Stderr: &stderr},
		LoadFunction: "load",
		Rounds:       3,
		Dir:          filepath.Join(dir, "made"),
		Tool:         "heapsnap test",
		Progress: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(series.Captures) != 4 || len(series.Warnings) > 0 {
		t.Fatalf("%d captures, warnings %q, want 4 and none", len(series.Captures), series.Warnings)
	}
	base := count(t, series.Captures[0].Path, "Leaked")
	for i, c := range series.Captures {
		if want := filepath.Join(dir, "made", fmt.Sprintf("capture-%d.heapsnapshot", i+1)); c.Path != want {
			t.Errorf("path = %s, want %s", c.Path, want)
		}
		if got := count(t, c.Path, "Leaked"); got != base+i {
			t.Errorf("capture %d has %d Leaked, want %d", i+1, got, base+i)
		}
		read, err := cdp.ReadMeta(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		st, _ := os.Stat(c.Path)
		m := c.Meta
		if read.Nodes != m.Nodes || m.Nodes == 0 || m.Bytes != uint64(st.Size()) || m.Round != i || m.PID != series.Target.PID ||
			m.Script != path || m.Mode != "plain" || m.Before.HeapUsed == 0 || m.After.RSS == 0 || !m.Settled.Quiet || read.Tool != "heapsnap test" {
			t.Errorf("meta %d = %+v", i+1, m)
		}
		own := func(s cdp.Script) bool { return s.URL == "file://"+path }
		if has := slices.ContainsFunc(m.Scripts, own); has != (i == 0 || i == 3) {
			t.Errorf("capture %d lists the program's script: %v", i+1, has)
		}
	}
	if want := "did 1\ndid 2\ndid 3\ndid 4\ndid 5\n"; stderr.String() != want {
		t.Errorf("stderr = %q, want %q", stderr.String(), want)
	}
	var phases []string
	for _, e := range events {
		p := fmt.Sprintf("%s %d/%d", e.Phase, e.Round, e.Rounds)
		if e.Warmup {
			p += " warm-up"
		}
		if len(phases) == 0 || phases[len(phases)-1] != p {
			phases = append(phases, p)
		}
	}
	want := []string{"launch 0/5", "ready 0/5", "load 1/5 warm-up", "load 2/5 warm-up",
		"settle 2/5", "capture 2/5", "load 3/5", "settle 3/5", "capture 3/5", "load 4/5", "settle 4/5", "capture 4/5", "load 5/5", "settle 5/5", "capture 5/5"}
	if !slices.Equal(phases, want) {
		t.Errorf("phases = %q\nwant %q", phases, want)
	}
	if err := exec.Command("kill", "-0", strconv.Itoa(series.Target.PID)).Run(); err == nil {
		t.Error("the target runs on after Run")
	}
}

// While what was captured does not decide, rounds go on, up to the limit.
func TestRunGoesOnWhileUndecided(t *testing.T) {
	bin, path := node(t), script(t, leaky)
	for _, test := range []struct {
		name            string
		undecided       int // answers of yes
		max, want, asks int
	}{
		{"decided at once", 0, 9, 3, 1},
		{"decided after two more", 2, 9, 5, 3},
		{"never decided", 99, 4, 5, 3},
		{"no more allowed", 99, 2, 3, 1},
	} {
		var asked []int
		series, err := Run(deadline(t), Options{
			Launch: cdp.LaunchOptions{Argv: []string{bin, path}}, LoadFunction: "load", Warmup: -1, Rounds: 2, MaxRounds: test.max, Dir: t.TempDir(),
			Decide: func(_ context.Context, so *Series) (Decision, error) {
				if asked = append(asked, len(so.Captures)); len(asked) <= test.undecided {
					return More, nil
				}
				return Enough, nil
			},
		})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if len(series.Captures) != test.want || len(asked) != test.asks {
			t.Errorf("%s: %d captures, asked with %d, want %d captures and %d questions", test.name, len(series.Captures), asked, test.want, test.asks)
		}
		base := count(t, series.Captures[0].Path, "Leaked")
		for i, c := range series.Captures {
			if got := count(t, c.Path, "Leaked"); got != base+i || c.Meta.Round != i {
				t.Errorf("%s: capture %d has %d Leaked, round %d, want %d, %d", test.name, i, got, c.Meta.Round, base+i, i)
			}
			if has := len(c.Meta.Scripts) > 0; has != (i == 0 || i == len(series.Captures)-1) {
				t.Errorf("%s: capture %d lists scripts: %v", test.name, i, has)
			}
		}
	}
}

func TestRunFailsWithTheJudgement(t *testing.T) {
	bin, path := node(t), script(t, leaky)
	broken := errors.New("cannot read that")
	series, err := Run(deadline(t), Options{
		Launch: cdp.LaunchOptions{Argv: []string{bin, path}}, LoadFunction: "load", Warmup: -1, Rounds: 1, MaxRounds: 2, Dir: t.TempDir(),
		Decide: func(context.Context, *Series) (Decision, error) { return Enough, broken },
	})
	if !errors.Is(err, broken) || len(series.Captures) != 2 {
		t.Errorf("%d captures, error %v, want 2 and %v", len(series.Captures), err, broken)
	}
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestLoadCommandAndReady(t *testing.T) {
	bin, dir, port := node(t), t.TempDir(), freePort(t)
	// It takes a while before it listens.
	path := script(t, fmt.Sprintf(`
		class Leaked {}
		const held = [];
		const server = require('http').createServer((req, res) => { if (req.url === '/leak') held.push(new Leaked()); res.end('ok'); });
		setTimeout(() => server.listen(%d, '127.0.0.1'), 600);`, port))
	background := filepath.Join(t.TempDir(), "pids")
	var out bytes.Buffer
	series, err := Run(deadline(t), Options{
		Launch:      cdp.LaunchOptions{Argv: []string{"sh", "-c", "node " + path}},
		LoadCommand: fmt.Sprintf(`echo "round $HEAPSNAP_ROUND of $HEAPSNAP_PID"; '%s' -e "fetch('http://127.0.0.1:%d/leak')" && (sleep 300 & echo $! >>'%s')`, bin, port, background),
		LoadOutput:  &out,
		Warmup:      -1,
		Rounds:      2,
		Ready:       Readiness{URL: fmt.Sprintf("http://127.0.0.1:%d/", port)},
		Dir:         dir,
		Suffix:      ".up",
		Create: func(path string) (io.WriteCloser, error) {
			if !strings.HasSuffix(path, ".heapsnapshot.up.partial") {
				t.Errorf("Create(%q)", path)
			}
			return createPlain(path)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("round 1 of %d\nround 2 of %[1]d\n", series.Target.PID); out.String() != want {
		t.Errorf("load output = %q, want %q", out.String(), want)
	}
	pids, _ := os.ReadFile(background)
	for pid := range strings.FieldsSeq(string(pids)) {
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			t.Errorf("process %s, left in the background by the load command, runs on", pid)
			_ = exec.Command("kill", pid).Run()
		}
	}
	base := count(t, series.Captures[0].Path, "Leaked")
	if got := count(t, series.Captures[2].Path, "Leaked"); len(series.Captures) != 3 || got != base+2 {
		t.Errorf("the last of %d captures has %d Leaked, want %d", len(series.Captures), got, base+2)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFailures(t *testing.T) {
	bin := node(t)
	idle := script(t, `setInterval(() => {}, 1000)`)
	for _, tt := range []struct {
		name     string
		program  string
		o        Options
		want     []string
		is       error
		captures int
	}{
		{name: "load command fails", program: idle, o: Options{LoadCommand: "echo reason >&2; test $HEAPSNAP_ROUND != 2 || exit 3", Warmup: 1},
			want: []string{"round 2 of 6: load: ", "exit status 3; its last lines:\n  reason"}, captures: 1},
		{name: "load command hangs", program: idle, o: Options{LoadCommand: "sleep 300", LoadTimeout: 200 * time.Millisecond},
			want: []string{"round 1 of 7: load: ", "longer than its timeout of 200ms"}, is: errLoadTimeout},
		{name: "load function missing", program: idle, o: Options{LoadFunction: "nothing", ReadyTimeout: time.Second},
			want: []string{`globalThis["nothing"] is not a function`, "within 1s"}},
		{name: "load function throws", program: script(t, `globalThis.f = async () => { await 0; throw new RangeError('too far') }; setInterval(() => {}, 1000)`), o: Options{LoadFunction: "f"},
			want: []string{"round 1 of 7: load: load function f: await: RangeError: too far"}},
		{name: "server never answers", program: idle, o: Options{LoadCommand: "true", Ready: Readiness{URL: fmt.Sprintf("http://127.0.0.1:%d/", freePort(t))}, ReadyTimeout: time.Second},
			want: []string{"ready: http://127.0.0.1:", "did not answer within 1s"}},
		// Late enough not to be asked anything as it ends: Node 20 may crash on that.
		{name: "program ends", program: script(t, `setTimeout(() => {}, 3000)`), o: Options{Every: time.Minute},
			want: []string{"it must keep running", "exit code 0"}, is: cdp.ErrClosed},
		{name: "program crashes under load", program: script(t, `globalThis.n = 0; globalThis.f = () => { if (++n === 4) setImmediate(() => { throw new Error('boom') }); return new Promise((r) => setTimeout(r, 50)) }; setInterval(() => {}, 1000)`), o: Options{LoadFunction: "f"},
			want: []string{"round 4 of 7: load: ", "exit code 1", "Error: boom"}, is: cdp.ErrClosed, captures: 2},
		{name: "program killed under a load command", program: idle, o: Options{LoadCommand: "kill -9 $HEAPSNAP_PID; exit 1", Warmup: -1, Rounds: 1},
			want: []string{"round 1 of 1: load: ", "signal: killed"}, is: cdp.ErrClosed, captures: 1},
		{name: "program killed while waiting", program: script(t, `setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1500)`), o: Options{Every: time.Minute},
			want: []string{"round 1 of 7: load: ", "signal: killed"}, is: cdp.ErrClosed},
		{name: "no such worker", program: idle, o: Options{Every: time.Second, Worker: 9, ReadyTimeout: time.Second},
			want: []string{"worker thread 9 did not appear within 1s"}},
		{name: "the directory is full", program: idle, o: Options{Every: time.Millisecond, Create: func(string) (io.WriteCloser, error) { return nil, os.ErrInvalid }},
			want: []string{"round 2 of 7: capture: "}, is: os.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Launch.Argv = []string{bin, tt.program}
			tt.o.Dir = t.TempDir()
			series, err := Run(deadline(t), tt.o)
			if err == nil {
				t.Fatal("Run = nil")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Run = %v\nwant %q", err, want)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Run = %v, want %v", err, tt.is)
			}
			if len(series.Captures) != tt.captures {
				t.Errorf("%d captures before the failure, want %d", len(series.Captures), tt.captures)
			}
			if series.Target.PID == 0 || exec.Command("kill", "-0", strconv.Itoa(series.Target.PID)).Run() == nil {
				t.Errorf("the target %d runs on after Run", series.Target.PID)
			}
			if left, _ := filepath.Glob(filepath.Join(tt.o.Dir, "*.partial")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	ok := Options{Launch: cdp.LaunchOptions{Argv: []string{"node"}}, Dir: "x", Every: 1}
	for want, change := range map[string]func(o *Options){
		"no target":       func(o *Options) { o.Launch.Argv = nil },
		"give one of":     func(o *Options) { o.Target.WebSocketURL = "ws://x" },
		"no directory":    func(o *Options) { o.Dir = "" },
		"0 kinds of load": func(o *Options) { o.Every = 0 },
		"2 kinds of load": func(o *Options) { o.LoadCommand = "true" },
		"-1 rounds":       func(o *Options) { o.Rounds = -1 },
	} {
		o := ok
		change(&o)
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run = %v, want %q", err, want)
		}
	}
}

// attached starts a program without an inspector, for a run to attach to.
func attached(t *testing.T, path string) (cmd *exec.Cmd, target cdp.Target) {
	t.Helper()
	cmd = exec.Command(node(t), "--inspect-port=0", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		t.Fatal(err)
	}
	target, opened, err := cdp.OpenInspector(deadline(t), cmd.Process.Pid)
	if err != nil || !opened {
		t.Fatalf("OpenInspector = %v, %v", opened, err)
	}
	return cmd, target
}

func untouched(t *testing.T, cmd *exec.Cmd, target cdp.Target) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(30 * time.Second); ; {
		conn, err := net.Dial("tcp", target.Addr())
		if err != nil {
			break
		}
		conn.Close()
		select {
		case <-tick.C: // it closes when V8 is done with a capture that was given up
		case <-timeout:
			t.Fatal("the inspector that was opened for the run is open after it")
		}
	}
	// Its event loop turns: it can be inspected again, and settles.
	ctx := deadline(t)
	again, _, err := cdp.OpenInspector(ctx, cmd.Process.Pid)
	if err != nil {
		t.Fatalf("the target does not run on: %v", err)
	}
	s, err := cdp.Dial(ctx, again)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Settle(ctx, cdp.SettleOptions{}); err != nil {
		t.Errorf("the target is not at work: %v", err)
	}
}

func TestAttachedTargetRunsOn(t *testing.T) {
	cmd, target := attached(t, script(t, leaky+`; process.stdout.write('ready');`))
	series, err := Run(deadline(t), Options{Target: target, Opened: true, LoadFunction: "load", Rounds: 1, Warmup: -1, Dir: t.TempDir()})
	if err != nil || len(series.Captures) != 2 {
		t.Fatalf("Run = %d captures, %v", len(series.Captures), err)
	}
	untouched(t, cmd, target)
}

// Ctrl-C comes while V8 walks the heap and cannot be stopped.
func TestCancelDuringCapture(t *testing.T) {
	cmd, target := attached(t, script(t, `globalThis.held = Array.from({ length: 400000 }, (_, i) => ({ i, next: { i } }));
		setInterval(() => {}, 10); process.stdout.write('ready');`))
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	dir := t.TempDir()
	_, err := Run(ctx, Options{Target: target, Opened: true, Every: time.Millisecond, Warmup: -1, Dir: dir, Force: true, Progress: func(e Event) {
		if e.Phase == Capturing && e.Total > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	untouched(t, cmd, target)
}

func TestWorker(t *testing.T) {
	bin := node(t)
	path := script(t, `
		const { Worker, isMainThread } = require('worker_threads');
		if (isMainThread) setTimeout(() => new Worker(__filename), 100);
		else {
			class Leaked {}
			const held = [];
			globalThis.load = () => { held.push(new Leaked()); };
		}
		setInterval(() => {}, 1000);`)
	series, err := Run(deadline(t), Options{Launch: cdp.LaunchOptions{Argv: []string{bin, path}}, Worker: 1, LoadFunction: "load", Rounds: 1, Warmup: -1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	first, last := series.Captures[0], series.Captures[1]
	if got, want := count(t, last.Path, "Leaked"), count(t, first.Path, "Leaked")+1; got != want || last.Meta.ThreadID != 1 {
		t.Errorf("%d Leaked in thread %d, want %d in thread 1", got, last.Meta.ThreadID, want)
	}
}

// With Stacks a report says which functions made what stays, and a target that runs on is not slowed down for ever.
func TestStacks(t *testing.T) {
	cmd, target := attached(t, script(t, `
		class Order { constructor(n) { this.n = n; } }
		const orders = [];
		const accept = (n) => { orders.push(new Order(n)); };
		function handle(n) { accept(n); }
		globalThis.load = () => { for (let n = 0; n < 60; n++) handle(n); };
		setInterval(() => {}, 1000);
		process.stdout.write('ready');`))
	series, err := Run(deadline(t), Options{Target: target, Opened: true, LoadFunction: "load", Rounds: 3, Warmup: 1, Dir: t.TempDir(), Stacks: true})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range series.Captures {
		paths = append(paths, c.Path)
	}
	r, err := Judge(deadline(t), paths, JudgeOptions{})
	if err != nil || len(r.Findings) != 1 {
		t.Fatalf("Judge = %+v, %v, want one finding", r, err)
	}
	var stack []string
	for _, l := range r.Findings[0].Stack {
		stack = append(stack, fmt.Sprintf("%s:%d", l.Function, l.Line))
	}
	// V8 makes the object before it calls the constructor.
	if want := []string{"accept:4", "handle:5", "globalThis.load:6"}; !slices.Equal(stack, want) {
		t.Errorf("stack = %q, want %q", stack, want)
	}
	untouched(t, cmd, target)
}

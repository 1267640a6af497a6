package cdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// launch starts a program and connects to it; both end with the test.
func launch(t *testing.T, node, path string) (*Launched, *Session) {
	t.Helper()
	ctx := deadline(t, 60*time.Second)
	l, err := Launch(ctx, LaunchOptions{Argv: []string{node, path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	s, err := Dial(ctx, l.Target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return l, s
}

// snapshot is enough of a snapshot to check that it is whole.
type snapshot struct {
	Snapshot struct {
		Meta struct {
			NodeFields []string `json:"node_fields"`
		}
		NodeCount int `json:"node_count"`
		EdgeCount int `json:"edge_count"`
	}
	Nodes, Edges []int
	Strings      []string
}

func parse(t *testing.T, text []byte) snapshot {
	t.Helper()
	var s snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("the snapshot is not JSON: %v", err)
	}
	if got, want := len(s.Nodes), s.Snapshot.NodeCount*len(s.Snapshot.Meta.NodeFields); got != want || got == 0 {
		t.Fatalf("the snapshot has %d node fields, its header says %d", got, want)
	}
	return s
}

// ids are the object ids of the nodes whose name is the given one.
func (s snapshot) ids(name string) []int {
	fields := s.Snapshot.Meta.NodeFields
	nameAt, idAt := slices.Index(fields, "name"), slices.Index(fields, "id")
	var ids []int
	for i := 0; i < len(s.Nodes); i += len(fields) {
		if s.Strings[s.Nodes[i+nameAt]] == name {
			ids = append(ids, s.Nodes[i+idAt])
		}
	}
	slices.Sort(ids)
	return ids
}

func TestLiveCaptureSettleMemoryScripts(t *testing.T) {
	path := script(t, "app.mjs", `
		class HeldThing { constructor() { this.text = 'ünïcödé \u{1f600} "quoted" \\ \n' + Math.random(); } }
		const held = Array.from({ length: 50 }, () => new HeldThing());
		globalThis.held = held;
		globalThis.garbage = () => { for (let i = 0; i < 1e5; i++) new Array(10); };
		globalThis.finalized = 0;
		const registry = new FinalizationRegistry(() => { globalThis.finalized++; });
		globalThis.drop = () => {
			for (let i = 0; i < 20; i++) registry.register({}, i);
			setTimeout(() => setImmediate(() => { globalThis.late = true; }), 100);
		};
		globalThis.fails = async () => { await null; throw new TypeError('no such load'); };
		setInterval(() => { debugger; }, 5);
		import vm from 'node:vm';
		vm.runInThisContext('globalThis.made = () => "ünïcödé"', { filename: '/nowhere/made.ts' });
		//# sourceMappingURL=app.mjs.map`)
	eachNode(t, func(t *testing.T, node string) {
		l, s := launch(t, node, path)
		ctx := deadline(t, 60*time.Second)
		await(t, "the program", func() bool { return s.Evaluate(ctx, "garbage(), drop()", nil) == nil })
		settled, err := s.Settle(ctx, SettleOptions{})
		if err != nil || !settled.Quiet || settled.Passes < 3 {
			t.Errorf("Settle = %+v, %v, want quiet", settled, err)
		}
		var finalized int
		if err := s.Evaluate(ctx, "finalized", &finalized); err != nil || finalized != 20 {
			t.Errorf("FinalizationRegistry callbacks run by Settle = %d, %v, want 20", finalized, err)
		}

		var late bool
		if err := s.Evaluate(ctx, "globalThis.late === true", &late); err != nil || !late {
			t.Errorf("a timer due in 100 ms has run in Settle: %v, %v", late, err)
		}

		m, err := s.Memory(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.PID != l.Target.PID || m.NodeVersion != l.Target.NodeVersion || m.HeapUsed == 0 || m.RSS < m.HeapUsed || m.HeapLimit < m.HeapUsed || m.Script != path {
			t.Errorf("Memory = %+v of %+v", m, l.Target)
		}

		capture := func() snapshot {
			var out bytes.Buffer
			var last Progress
			info, err := s.Capture(ctx, &out, CaptureOptions{Progress: func(p Progress) { last = p }})
			if err != nil {
				t.Fatal(err)
			}
			snap := parse(t, out.Bytes())
			if info.Bytes != uint64(out.Len()) || !last.Finished {
				t.Errorf("info = %+v, last progress = %+v, got %d bytes", info, last, out.Len())
			}
			if info.Nodes != snap.Snapshot.NodeCount {
				t.Errorf("info.Nodes = %d, the snapshot has %d", info.Nodes, snap.Snapshot.NodeCount)
			}
			return snap
		}
		first, second := capture(), capture()
		ids := first.ids("HeldThing")
		if len(ids) < 50 || !slices.Equal(ids, second.ids("HeldThing")) {
			t.Errorf("ids of HeldThing differ between captures of one session:\n%v\n%v", ids, second.ids("HeldThing"))
		}
		if i := slices.IndexFunc(first.Strings, func(s string) bool { return strings.HasPrefix(s, `ünïcödé `) }); i < 0 {
			t.Error("the snapshot does not contain the held text")
		}

		scripts, err := s.Scripts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(scripts, func(sc Script) bool { return strings.HasSuffix(sc.URL, "/app.mjs") })
		if i < 0 || !scripts[i].Module || scripts[i].SourceMapURL != "app.mjs.map" {
			t.Fatalf("Scripts = %+v", scripts)
		}
		if text, err := s.Source(ctx, scripts[i].ID); err != nil || !strings.Contains(text, "class HeldThing") {
			t.Errorf("Source = %.40q, %v", text, err)
		}

		own, err := s.OwnScripts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		for _, sc := range own {
			texts[filepath.Base(sc.URL)] = sc.Source
		}
		if want := map[string]string{"app.mjs": "", "made.ts": `globalThis.made = () => "ünïcödé"`}; !maps.Equal(texts, want) {
			t.Errorf("OwnScripts = %q, want %q", texts, want)
		}

		// Not paused by its debugger statement: timers run.
		var seven int
		if err := s.Await(ctx, "await new Promise((done) => setTimeout(done, 30, 7))", &seven); err != nil || seven != 7 {
			t.Errorf("Await = %d, %v", seven, err)
		}
		var thrown *JSError
		if err := s.Await(ctx, "fails()", nil); !errors.As(err, &thrown) || thrown.Message != "TypeError: no such load" {
			t.Errorf("Await of a rejected promise = %v", err)
		}
		if err := s.Evaluate(ctx, "nothing.there", nil); !errors.As(err, &thrown) || !strings.Contains(thrown.Message, "nothing is not defined") {
			t.Errorf("Evaluate = %v", err)
		}
		if err := s.Evaluate(ctx, "while (true) {}", nil); err == nil {
			t.Error("Evaluate of an endless loop = nil")
		}
		short := deadline(t, 50*time.Millisecond)
		if err := s.Await(short, "new Promise(() => {})", nil); !errors.Is(err, short.Err()) {
			t.Errorf("Await of a promise for ever = %v", err)
		}
		var sum int
		if err := s.Evaluate(ctx, Builtins("return m('path').join('a', 'b').length"), &sum); err != nil || sum != 3 {
			t.Errorf("Builtins in an ES module = %d, %v", sum, err)
		}
		h, err := s.Headroom(ctx, HeadroomOptions{})
		if err != nil || h.Limit == "" || h.Have == 0 || h.Need == 0 || h.Err() != nil {
			t.Errorf("Headroom = %+v, %v", h, err)
		}
	})
}

func TestLiveWorker(t *testing.T) {
	path := script(t, "main.js", `
		const { Worker, isMainThread } = require('worker_threads');
		if (isMainThread) {
			for (const name of ['a', 'b']) new Worker(__filename, { name });
		} else {
			class OnlyInWorker {}
			globalThis.held = [new OnlyInWorker()];
		}
		setInterval(() => {}, 1000);`)
	eachNode(t, func(t *testing.T, node string) {
		_, s := launch(t, node, path)
		ctx := deadline(t, 120*time.Second)
		var ws []*Session
		await(t, "two workers", func() bool {
			var err error
			if ws, err = s.Workers(ctx); err != nil {
				t.Fatal(err)
			}
			return len(ws) == 2
		})
		w := ws[1]
		if w.Worker().ThreadID != 2 {
			t.Errorf("Worker = %+v, want thread 2", w.Worker())
		}
		var id int
		await(t, "the worker's script", func() bool {
			var up bool // while a worker boots, Node 18 cannot evaluate in it
			return w.Evaluate(ctx, "typeof held === 'object'", &up) == nil && up
		})
		if err := w.Evaluate(ctx, Builtins("return m('worker_threads').threadId"), &id); err != nil || id != 2 {
			t.Errorf("threadId = %d, %v, want 2", id, err)
		}
		if settled, err := w.Settle(ctx, SettleOptions{}); err != nil || !settled.Quiet {
			t.Errorf("Settle = %+v, %v", settled, err)
		}
		var out bytes.Buffer
		if _, err := w.Capture(ctx, &out, CaptureOptions{}); err != nil {
			t.Fatal(err)
		}
		if ids := parse(t, out.Bytes()).ids("OnlyInWorker"); len(ids) == 0 {
			t.Error("the worker's snapshot does not contain the worker's object")
		}
		if m, err := w.Memory(ctx); err != nil || m.HeapUsed == 0 {
			t.Errorf("Memory = %+v, %v", m, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Evaluate(ctx, "1", nil); err == nil {
			t.Error("the worker's session outlives its parent")
		}
	})
}

// big is a heap that takes long enough to capture to be interrupted.
const big = `globalThis.held = Array.from({ length: 400000 }, (_, i) => ({ i, next: { i } }));` + ticking

func TestLiveKilledDuringCapture(t *testing.T) {
	node := onPath(t)
	p := start(t, node, "--inspect=127.0.0.1:0", script(t, "big.js", big))
	ctx := deadline(t, 60*time.Second)
	s := attach(t, p)
	w := newDiscard()
	go func() {
		<-w.first
		_ = p.cmd.Process.Kill()
	}()
	if _, err := s.Capture(ctx, w, CaptureOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Capture = %v, want ErrClosed", err)
	}
}

func TestLiveCancelledCaptureHarmsNothing(t *testing.T) {
	node := onPath(t)
	p := start(t, node, "--inspect=127.0.0.1:0", script(t, "big.js", big))
	ctx := deadline(t, 60*time.Second)
	s := attach(t, p)
	w := newDiscard()
	short := deadline(t, 60*time.Second)
	done := make(chan error)
	stop := errors.New("stop")
	first, cancel := context.WithCancelCause(short)
	go func() {
		_, err := s.Capture(first, w, CaptureOptions{})
		done <- err
	}()
	<-w.first
	cancel(stop)
	if err := <-done; !errors.Is(err, stop) {
		t.Errorf("Capture = %v, want %v", err, stop)
	}
	p.alive(t)
	if _, err := s.Capture(ctx, io.Discard, CaptureOptions{}); err != nil {
		t.Errorf("Capture after a cancelled one = %v", err)
	}
}

// The way out after Ctrl-C in the middle of a capture of a process that was
// opened for it: the inspector closes when V8 is done, without us.
func TestLiveCloseInspectorDuringCapture(t *testing.T) {
	path := script(t, "big.js", big)
	eachNode(t, func(t *testing.T, node string) {
		p := start(t, node, "--inspect-port=0", path)
		ctx := deadline(t, 60*time.Second)
		target, opened, err := OpenInspector(ctx, p.pid())
		if err != nil || !opened {
			t.Fatalf("OpenInspector = %v, %v", opened, err)
		}
		s, err := Dial(ctx, target)
		if err != nil {
			t.Fatal(err)
		}
		first, cancel := context.WithCancel(ctx)
		_, err = s.Capture(first, io.Discard, CaptureOptions{Progress: func(Progress) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Capture = %v", err)
		}
		s.Close()
		if err := CloseInspector(first, target); err != nil && !errors.Is(err, ErrBusy) {
			t.Errorf("CloseInspector = %v", err)
		}
		await(t, "the port is closed", func() bool {
			conn, err := net.Dial("tcp", target.Addr())
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		p.alive(t)
	})
}

// attach connects to a program that was started with --inspect, by its pid.
func attach(t *testing.T, p *running) *Session {
	t.Helper()
	ctx := deadline(t, 30*time.Second)
	target, opened, err := OpenInspector(ctx, p.pid())
	if err != nil || opened {
		t.Fatalf("OpenInspector = %v, opened %v, %v, want the open one", target, opened, err)
	}
	s, err := Dial(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestLiveOpenAndCloseInspector(t *testing.T) {
	path := script(t, "app.js", ticking)
	eachNode(t, func(t *testing.T, node string) {
		p := start(t, node, "--inspect-port=0", path)
		ctx := deadline(t, 60*time.Second)
		list, err := Local(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(list, func(q Process) bool { return q.PID == p.pid() }); i < 0 || list[i].Reach != ReachSignal || list[i].Script != path || !list[i].CatchesUSR1 {
			t.Errorf("Local does not list %d as reachable by signal: %+v", p.pid(), list)
		}
		target, opened, err := OpenInspector(ctx, p.pid())
		if err != nil || !opened {
			t.Fatalf("OpenInspector = %v, %v", opened, err)
		}
		if target.PID != p.pid() || target.Script != path {
			t.Errorf("target = %+v", target)
		}
		if again, opened, err := OpenInspector(ctx, p.pid()); err != nil || opened || again != target {
			t.Errorf("OpenInspector again = %v, opened %v, %v", again, opened, err)
		}
		// Local waits a short while for answers, too short on an overloaded machine.
		await(t, "Local to list the inspector", func() bool {
			list, _ := Local(ctx)
			i := slices.IndexFunc(list, func(q Process) bool { return q.PID == p.pid() })
			return i >= 0 && list[i].Reach == ReachInspector && *list[i].Target == target
		})
		s, err := Dial(ctx, target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Memory(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
		ended, cancel := context.WithCancelCause(ctx)
		cancel(nil) // as after Ctrl-C
		if err := CloseInspector(ended, target); err != nil {
			t.Errorf("CloseInspector = %v", err)
		}
		if conn, err := net.Dial("tcp", target.Addr()); err == nil {
			conn.Close()
			t.Error("the port is open after CloseInspector")
		}
		p.alive(t)
		if err := CloseInspector(ctx, target); err != nil {
			t.Errorf("CloseInspector of a closed one = %v", err)
		}
	})
}

func TestLiveOpenInspectorRefuses(t *testing.T) {
	node := onPath(t)
	ctx := deadline(t, 60*time.Second)

	ended := exec.Command(node, "-e", "")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleep.Process.Kill(); _ = sleep.Wait() }()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	go func() { // a server that takes connections and says nothing
		for {
			c, err := busy.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	port := busy.Addr().(*net.TCPAddr).Port
	taken := start(t, node, "--inspect-port="+strconv.Itoa(port), script(t, "taken.js", ticking))

	for _, tt := range []struct {
		name string
		pid  int
		want error
	}{
		{"no such pid", ended.Process.Pid, ErrNoProcess},
		{"not node", sleep.Process.Pid, ErrNotNode},
		{"port taken", taken.pid(), ErrPortTaken},
	} {
		_, _, err := OpenInspector(ctx, tt.pid)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: OpenInspector(%d) = %v, want one line that is %v", tt.name, tt.pid, err, tt.want)
		}
	}
	taken.alive(t)
}

func TestLiveSignalNotCaughtIsNotSent(t *testing.T) {
	tried := false
	for name, node := range nodes(t) {
		for _, flags := range [][]string{{"--disable-sigusr1"}, {"--permission", "--allow-fs-read=*"}, {"--experimental-permission", "--allow-fs-read=*"}} {
			path := script(t, "app.js", ticking)
			if exec.Command(node, append(slices.Clone(flags), "-e", "0")...).Run() != nil {
				continue // not an option of this line
			}
			tried = true
			p := start(t, node, append(slices.Clone(flags), path)...)
			_, _, err := OpenInspector(deadline(t, 20*time.Second), p.pid())
			if !errors.Is(err, ErrNotCaught) {
				t.Errorf("%s %v: OpenInspector = %v, want ErrNotCaught", name, flags, err)
			}
			p.alive(t)
		}
	}
	if !tried {
		t.Skip("no Node.js here has an option that stops SIGUSR1")
	}
}

func TestLiveExitIsNotHeld(t *testing.T) {
	path := script(t, "app.js", `
		globalThis.end = () => { clearInterval(timer); };
		globalThis.exit = () => { setTimeout(() => process.exit(0), 1); };
		globalThis.kill = () => { setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1); };
		const timer = setInterval(() => {}, 10);`)
	eachNode(t, func(t *testing.T, node string) {
		for _, runtimeEnabled := range []bool{false, true} {
			for _, how := range []string{"end", "exit", "kill"} {
				l, s := launch(t, node, path)
				ctx := deadline(t, 20*time.Second)
				if runtimeEnabled {
					if err := s.Call(ctx, "Runtime.enable", nil, nil); err != nil {
						t.Fatal(err)
					}
				}
				await(t, "the program", func() bool {
					err := s.Evaluate(ctx, how+"()", nil)
					return err == nil || errors.Is(err, ErrClosed)
				})
				select {
				case <-l.Done():
				case <-ctx.Done():
					t.Fatalf("%s, Runtime enabled %v: the session holds up the program's end", how, runtimeEnabled)
				}
				if exit := l.Exit(); exit.Code != 0 && how != "kill" || how == "kill" && exit.Signal != "killed" {
					t.Errorf("%s: Exit = %v", how, exit)
				}
			}
		}
	})
}

// An expression during startup must not stop the program; see boot.
func TestLiveEvaluateDuringStartup(t *testing.T) {
	path := script(t, "app.js", `globalThis.up = true; setInterval(() => {}, 10);`)
	eachNode(t, func(t *testing.T, node string) {
		for i := range 15 {
			l, s := launch(t, node, path)
			ctx := deadline(t, 20*time.Second)
			await(t, "the program, launch "+strconv.Itoa(i+1), func() bool {
				var up bool
				err := s.Evaluate(ctx, "up", &up)
				if err != nil && ctx.Err() != nil {
					t.Fatalf("launch %d: %v", i+1, err)
				}
				return up
			})
			s.Close()
			if err := l.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLiveLaunch(t *testing.T) {
	node := onPath(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	app := write("app.js", `console.error('on stderr ' + process.env.WORD + ' ' + process.env.NODE_OPTIONS); setInterval(() => {}, 1000);`)
	runsApp := `const c = require('child_process').spawn(process.execPath, [` + strconv.Quote(app) + `], { stdio: 'inherit' }); c.on('exit', (n) => process.exit(n ?? 1)); process.on('SIGTERM', () => {});`
	write("node_modules/npm/bin/npm-cli.js", "#!/usr/bin/env node\n"+runsApp)
	write("node_modules/tsx/cli.mjs", "import { createRequire } from 'module'; const require = createRequire(import.meta.url);\n"+runsApp)
	forks := write("forks.js", `require('child_process').fork(`+strconv.Quote(app)+`); setInterval(() => {}, 1000);`)
	write("build.js", `let n = 0; for (let i = 0; i < 1e6; i++) n += i;`)
	for _, tt := range []struct {
		name string
		argv []string
		want string
	}{
		{"node", []string{node, app}, app},
		{"a shell", []string{"sh", "-c", "exec node " + app}, app},
		{"a shell that stays", []string{"sh", "-c", "node " + app + "; true"}, app},
		{"npm", []string{filepath.Join(dir, "node_modules/npm/bin/npm-cli.js"), "start"}, app},
		{"npm and a runner", []string{"sh", "-c", "node node_modules/tsx/cli.mjs " + app}, app},
		{"a program with a child", []string{node, forks}, forks},
		{"a program with a child, in a shell", []string{"sh", "-c", "node " + forks}, forks},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := deadline(t, 60*time.Second)
			var stderr syncBuffer
			l, err := Launch(ctx, LaunchOptions{
				Argv:   tt.argv,
				Dir:    dir,
				Env:    append(os.Environ(), "NODE_OPTIONS=--no-warnings", "WORD=hello"),
				Stderr: &stderr,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Stop(ctx)
			if l.Target.Script != tt.want || l.Target.PID == 0 {
				t.Errorf("Target = %+v, want the script %s", l.Target, tt.want)
			}
			s, err := Dial(ctx, l.Target)
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.Memory(ctx)
			if err != nil || m.PID != l.Target.PID {
				t.Errorf("Memory = %+v, %v, want pid %d", m, err, l.Target.PID)
			}
			await(t, "the program's stderr", func() bool { return strings.Contains(stderr.String(), "on stderr hello --no-warnings") })
			s.Close()
			group := procFS{}.descendants(l.PID())
			if err := l.Stop(ctx); err != nil {
				t.Errorf("Stop = %v", err)
			}
			for pid := range group {
				await(t, "the end of process "+strconv.Itoa(pid), func() bool {
					st, err := procFS{}.status(pid)
					return err != nil || st.zombie
				})
			}
			for _, line := range []string{"Debugger", "For help"} {
				if strings.Contains(stderr.String(), line) {
					t.Errorf("stderr has the inspector's own lines:\n%s", stderr.String())
				}
			}
		})
	}
}

func TestLiveLaunchFails(t *testing.T) {
	node := onPath(t)
	dir := t.TempDir()
	npm := filepath.Join(dir, "npm-cli.js")
	if err := os.WriteFile(npm, []byte("setInterval(() => {}, 1000)"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		argv []string
		want string
	}{
		{"no such command", []string{filepath.Join(dir, "nothing")}, "no such file"},
		{"a script that is not there", []string{"sh", "-c", "echo first >&2; echo last >&2; exit 7"}, "exit code 7; its last lines:\n  first\n  last"},
		{"no Node.js in it", []string{"sleep", "60"}, "no inspector appeared"},
		{"only npm", []string{"sh", "-c", node + " " + npm}, "only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := deadline(t, 60*time.Second)
			_, err := Launch(ctx, LaunchOptions{Argv: tt.argv, Wait: 2 * time.Second})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Launch = %v, want %q", err, tt.want)
			}
		})
	}
	// Node itself exits after its inspector appeared; that is seen by Done.
	l, err := Launch(deadline(t, 60*time.Second), LaunchOptions{Argv: []string{node, filepath.Join(dir, "missing.js")}})
	if err != nil {
		if !strings.Contains(err.Error(), "Cannot find module") {
			t.Errorf("Launch = %v", err)
		}
		return
	}
	if exit := l.Exit(); exit.Code != 1 || !strings.Contains(exit.String(), "Cannot find module") {
		t.Errorf("Exit = %v", exit)
	}
}

func TestLiveStopKillsWhatIgnoresSIGTERM(t *testing.T) {
	node := onPath(t)
	path := script(t, "app.js", `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`)
	ctx := deadline(t, 60*time.Second)
	l, err := Launch(ctx, LaunchOptions{Argv: []string{node, path}, Grace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Dial(ctx, l.Target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	await(t, "the handler", func() bool {
		var n int
		return s.Evaluate(ctx, "process.listenerCount('SIGTERM')", &n) == nil && n == 1
	})
	if err := l.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if exit := l.Exit(); exit.Signal != "killed" {
		t.Errorf("Exit = %v, want killed", exit)
	}
}

// Node closes the connection at a message in parts, so a command goes out whole.
func TestLiveLongCommand(t *testing.T) {
	path := script(t, "idle.js", "setInterval(() => {}, 1000)")
	eachNode(t, func(t *testing.T, node string) {
		_, s := launch(t, node, path)
		var length int
		expr := "'" + strings.Repeat("x", 100_000) + "'.length"
		if err := s.EvaluateBare(deadline(t, time.Minute), expr, &length); err != nil || length != 100_000 {
			t.Errorf("EvaluateBare of %d bytes = %d, %v", len(expr), length, err)
		}
		err := s.EvaluateBare(deadline(t, time.Minute), "'"+strings.Repeat("x", maxMessage)+"'", nil)
		if err == nil || errors.Is(err, ErrClosed) {
			t.Errorf("an expression above %d bytes: %v, want it refused before it is sent", maxMessage, err)
		}
		if err := s.EvaluateBare(deadline(t, time.Minute), "1", nil); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

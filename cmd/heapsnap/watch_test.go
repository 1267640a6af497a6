package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// watching is a heapsnap watch that runs, and the lines it has written.
type watching struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	text   bytes.Buffer
	stdout bytes.Buffer
}

func (w *watching) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stdout.Write(p)
}

// lines are those of a type so far.
func (w *watching) lines(t *testing.T, kind string) (all []report.WatchLine) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.stdout.String()
	text = text[:strings.LastIndexByte(text, '\n')+1]
	for line := range strings.Lines(text) {
		var l report.WatchLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if l.Type == kind {
			all = append(all, l)
		}
	}
	return all
}

func startWatch(t *testing.T, args ...string) *watching {
	t.Helper()
	w := &watching{}
	w.cmd = exec.Command(binary, append([]string{"watch", "--format", "ndjson", "--interval", "200ms"}, args...)...)
	w.cmd.Dir = t.TempDir()
	w.cmd.Stdout, w.cmd.Stderr = w, &w.text
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait()
	})
	return w
}

// busy is a service that makes garbage and keeps nothing, with a worker.
const busy = `
const { Worker, isMainThread } = require('worker_threads');
const work = () => { const all = []; for (let i = 0; i < 3000; i++) all.push({ i, text: 'x' + i }); return all.length; };
setInterval(work, 20);
if (isMainThread) {
	new Worker(__filename, { name: 'helper' }).once('online', () => console.log('ready'));
	setTimeout(() => {}, 1e6);
}
`

func runBusy(t *testing.T, node nodes.Node, script string) *exec.Cmd {
	t.Helper()
	if err := os.WriteFile(script, []byte(busy), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node.Path, "--inspect-port=0", "--max-old-space-size=100", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	waitFor(t, func() bool {
		all, err := cdp.Local(t.Context())
		for _, p := range all {
			if p.PID == cmd.Process.Pid && p.CatchesUSR1 {
				return true
			}
		}
		return err != nil
	})
	return cmd
}

func TestWatchSeesEveryThread(t *testing.T) {
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			cmd := runBusy(t, node, filepath.Join(t.TempDir(), "busy.js"))
			w := startWatch(t, "--pid", strconv.Itoa(cmd.Process.Pid))
			waitFor(t, func() bool {
				all := w.lines(t, "point")
				return len(all) > 8 && len(all[len(all)-1].Point.Threads) == 2
			})
			all := w.lines(t, "point")
			p := all[len(all)-1].Point
			m := p.Threads[0]
			if m.OldLimit != 100<<20 || m.HeapUsed == 0 || p.RSS == 0 || m.External == 0 || len(m.Spaces) < 5 || m.Utilization <= 0 || p.CPU <= 0 {
				t.Errorf("%+v", p)
			}
			collections := 0
			for _, l := range all {
				collections += l.Point.Threads[0].GCCount
			}
			if collections == 0 || p.Threads[1].ThreadID == 0 {
				t.Errorf("%d collections of a program that makes garbage; its worker: %+v", collections, p.Threads[1])
			}
			if all[0].Point.Handles["Timeout"] == 0 {
				t.Errorf("handles: %v", all[0].Point.Handles)
			}
			_ = w.cmd.Process.Signal(os.Interrupt)
			_ = w.cmd.Wait()
			if code := w.cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit %d after an interrupt: %s", code, w.text.String())
			}
			if r := w.lines(t, "report"); len(r) != 1 || len(r[0].Report.Targets) != 1 || len(r[0].Report.Targets[0].Curve) < 5 {
				t.Errorf("%d reports: %+v", len(r), r)
			}
		})
	}
}

// probes counts what watch has left in a process.
func probes(t *testing.T, target cdp.Target) (n int) {
	t.Helper()
	s, err := cdp.Dial(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	expr := "Object.getOwnPropertySymbols(globalThis).filter((s) => String(s.description).startsWith('heapsnap')).length"
	if err := s.EvaluateBare(t.Context(), expr, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Whatever ends heapsnap, its probe goes: at once, or when its lease is over.
func TestWatchLeavesNoProbe(t *testing.T) {
	all := nodes.All(t)
	node := all[len(all)-1]
	for _, end := range []os.Signal{os.Interrupt, os.Kill} {
		t.Run(end.String(), func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "busy.js")
			if err := os.WriteFile(script, []byte(busy), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(node.Path, "--inspect=127.0.0.1:0", script)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			var target *cdp.Target
			waitFor(t, func() bool {
				local, _ := cdp.Local(t.Context())
				for _, p := range local {
					if p.PID == cmd.Process.Pid {
						target = p.Target
					}
				}
				return target != nil
			})
			w := startWatch(t, "--pid", strconv.Itoa(cmd.Process.Pid))
			waitFor(t, func() bool { return len(w.lines(t, "point")) > 2 })
			if probes(t, *target) != 1 {
				t.Error("the probe of a watch that runs cannot be seen: this test tests nothing")
			}
			_ = w.cmd.Process.Signal(end)
			_ = w.cmd.Wait()
			begin := time.Now()
			for probes(t, *target) > 0 {
				if time.Since(begin) > 45*time.Second {
					t.Fatal("the probe is still there after 45 s")
				}
				time.Sleep(200 * time.Millisecond)
			}
			if end == os.Interrupt && time.Since(begin) > 5*time.Second {
				t.Errorf("the probe went after %s: it was not taken away", time.Since(begin))
			}
		})
	}
}

func TestWatchFindsARestartedProcess(t *testing.T) {
	all := nodes.All(t)
	script := filepath.Join(t.TempDir(), "busy-restarted.js")
	first := runBusy(t, all[0], script)
	w := startWatch(t, "--pid", strconv.Itoa(first.Process.Pid))
	waitFor(t, func() bool { return len(w.lines(t, "point")) > 1 })
	_ = first.Process.Kill()
	_ = first.Wait()
	second := runBusy(t, all[0], script)
	waitFor(t, func() bool {
		points := w.lines(t, "point")
		return points[len(points)-1].Point.PID == second.Process.Pid
	})
	_ = w.cmd.Process.Signal(os.Interrupt)
	_ = w.cmd.Wait()
	r := w.lines(t, "report")
	if len(r) != 1 || r[0].Report.Targets[0].Restarts != 1 {
		t.Errorf("reports: %+v", r)
	}
	var kinds []string
	for _, l := range w.lines(t, "event") {
		kinds = append(kinds, l.Event.Kind)
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "attached lost attached") {
		t.Errorf("events: %s", got)
	}
}

func TestWatchRefuses(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--interval 1ms x", exitUsage, "want 100ms or more"},
		{"--worker 1 x", exitUsage, "all worker threads are watched"},
		{"--pid 1 x", exitUsage, "by a flag or as an argument"},
		{"--format html x", exitUsage, "it has text, json, svg, png"},
		{"no-such-script-runs", exitTarget, "no Node.js process runs a script named like"},
	} {
		r := heapsnapIn(t, t.TempDir(), nil, append([]string{"watch"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) {
			t.Errorf("watch %s: exit %d, %q, want %d and %q", c.args, r.code, r.errors, c.code, c.want)
		}
	}
}

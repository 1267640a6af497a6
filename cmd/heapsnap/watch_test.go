package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

func (w *watching) messages() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
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
	w.cmd.Stdout, w.cmd.Stderr = w, writerFunc(func(p []byte) (int, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.text.Write(p)
	})
	start(t, w.cmd)
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
	start(t, cmd)
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
				t.Errorf("exit %d after an interrupt: %s", code, w.messages())
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
			script := writeScript(t, "busy.js", busy)
			cmd := exec.Command(node.Path, "--inspect=127.0.0.1:0", script)
			start(t, cmd)
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

// leaking is a program that leaks a megabyte or so a second.
const leaking = `
globalThis.kept = [];
setInterval(() => { for (let i = 0; i < 1200; i++) kept.push({ i, list: [i, i], text: 'leak ' + i + Math.random() }); }, 100);
`

// A condition that comes to hold takes one thing, and no more while it holds; a
// snapshot near the heap's limit is written by Node.js itself; metrics are served.
func TestWatchActs(t *testing.T) {
	all := nodes.All(t)
	for i, node := range []nodes.Node{all[0], all[len(all)-1]} {
		do, kind := []string{"capture", "sample"}[i], []string{"capture", "sample"}[i]
		t.Run(node.String()+"/"+do, func(t *testing.T) {
			dir, dumps := t.TempDir(), t.TempDir()
			script := filepath.Join(dir, "leaking.js")
			if err := os.WriteFile(script, []byte(leaking), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(node.Path, "--inspect-port=0", "--max-old-space-size=60", script)
			cmd.Dir = dir
			start(t, cmd)
			waitFor(t, func() bool { return process(t, cmd.Process.Pid).CatchesUSR1 })
			w := startWatch(t, "--pid", strconv.Itoa(cmd.Process.Pid), "--once", "--when", "heap>20%limit", "--when", "heap>25%limit", "--do", do, "--dir", dumps,
				"--sample-for", "1s", "--near-heap-limit", "1", "--metrics", "127.0.0.1:0")
			event := func(kind string) (found []*report.WatchEvent) {
				for _, l := range w.lines(t, "event") {
					if l.Event.Kind == kind {
						found = append(found, l.Event)
					}
				}
				return found
			}
			waitFor(t, func() bool { return len(event(kind)) > 0 })
			begin := len(w.lines(t, "point"))
			waitFor(t, func() bool { return len(w.lines(t, "point")) > begin+10 })
			taken := event(kind)
			if len(taken) != 1 {
				t.Errorf("%d taken, want 1: %+v", len(taken), taken)
			}
			if info, err := os.Stat(taken[0].File); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", taken[0].File, info, err)
			}
			if armed := event("armed"); len(armed) != 1 || !strings.Contains(armed[0].Text, " to "+dir+",") {
				t.Errorf("armed: %+v", armed)
			}
			address := regexp.MustCompile(`http://\S+/metrics`).FindString(w.messages())
			resp, err := http.Get(address)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if !strings.Contains(string(text), "v8js_memory_heap_used_bytes{") || !strings.HasSuffix(string(text), "# EOF\n") {
				t.Errorf("metrics at %q: %.200s", address, text)
			}
		})
	}
}

func TestWatchConditionsAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"--when heap=3 x": "want a figure, > or <", "--when heap>80% --dir /no/such x": "--dir", "--do dance --when heap>80% x": "it is capture or sample",
		"--keep 0 --when heap>80% x": "want 1 or more", "--metrics 9464 x": "want [HOST]:PORT",
	} {
		r := heapsnapIn(t, t.TempDir(), nil, append([]string{"watch"}, strings.Fields(args)...)...)
		if r.code != exitUsage || !strings.Contains(r.errors, want) {
			t.Errorf("watch %s: exit %d, %q, want %q", args, r.code, r.errors, want)
		}
	}
}

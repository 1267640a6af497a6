package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
)

// program starts a Node.js program that waits, and returns its pid.
func program(t *testing.T, flags ...string) int {
	t.Helper()
	all := nodes.All(t)
	script := writeScript(t, "waits-for-capture.js", `const { Worker } = require('node:worker_threads');
class Marked {} globalThis.marked = new Marked();
new Worker('setInterval(() => {}, 1e6); require("node:worker_threads").parentPort.postMessage(1)', { eval: true }).once('message', () => console.log('ready'));
setInterval(() => {}, 1e6);
`)
	cmd := exec.Command(all[len(all)-1].Path, append(flags, script)...)
	startUntil(t, cmd, "ready")
	return cmd.Process.Pid
}

func TestCaptureOfALiveProcess(t *testing.T) {
	pid := program(t)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
	}{
		{"by pid, through SIGUSR1", []string{"--pid", strconv.Itoa(pid), "-o", "a.heapsnapshot"}},
		{"by script's name, zstd", []string{"waits-for-capture.js", "-o", "b.heapsnapshot.zst"}},
		{"gzip", []string{"--pid", strconv.Itoa(pid), "-o", "c.heapsnapshot.gz"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, c.args[len(c.args)-1])
			r := heapsnapIn(t, dir, nil, append([]string{"capture"}, c.args...)...)
			if r.code != 0 || r.out != "" || !strings.Contains(r.errors, "objects") {
				t.Fatalf("code %d, stdout %q, stderr %q", r.code, r.out, r.errors)
			}
			s, err := heapsnap.Open(context.Background(), file, heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, a := range s.Aggregates() {
				found = found || a.Class == "Marked" && a.Count == 1
			}
			if !found {
				t.Error("the snapshot has no object of class Marked")
			}
			m, err := cdp.ReadMeta(file)
			if err != nil {
				t.Fatal(err)
			}
			if m.PID != pid || m.Nodes == 0 || !strings.HasSuffix(m.Script, "waits-for-capture.js") || m.Before == nil {
				t.Errorf("sidecar: %+v", m)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v, want a file for its owner only", info.Mode(), err)
			}
			p := process(t, pid)
			if p.Reach != cdp.ReachSignal {
				t.Errorf("the inspector is left %s", p.Reach)
			}
		})
	}
}

func process(t *testing.T, pid int) cdp.Process {
	t.Helper()
	all, err := cdp.Local(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.PID == pid {
			return p
		}
	}
	t.Fatalf("process %d is not in the list", pid)
	panic("unreachable")
}

func TestCaptureToStdoutOfAWorker(t *testing.T) {
	pid := program(t, "--inspect=127.0.0.1:0")
	addr := process(t, pid).Target.Addr()
	whole := heapsnapIn(t, t.TempDir(), nil, "capture", "--url", addr, "-o", "-")
	worker := heapsnapIn(t, t.TempDir(), nil, "capture", "--url", addr, "--worker", "1", "-o", "-")
	for name, r := range map[string]result{"main": whole, "worker": worker} {
		if r.code != 0 {
			t.Fatalf("%s: code %d, stderr %q", name, r.code, r.errors)
		}
		if _, err := heapsnap.Read(context.Background(), strings.NewReader(r.out), heapsnap.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(whole.out, `"Marked"`) || strings.Contains(worker.out, `"Marked"`) {
		t.Error("--worker does not choose the isolate")
	}
	if r := heapsnapIn(t, t.TempDir(), nil, "capture", "--url", addr, "--worker", "77", "-o", "-"); r.code != 3 || !strings.Contains(r.errors, "no such worker") {
		t.Errorf("--worker 77: code %d, stderr %q", r.code, r.errors)
	}
	// With --pid: to connect to another test's process would number its objects anew.
	r := heapsnapIn(t, t.TempDir(), nil, "targets", "--workers", "--pid", strconv.Itoa(pid))
	if !strings.Contains(r.out, addr) || !strings.Contains(r.out, "worker 1") {
		t.Errorf("targets --workers says\n%s", r.out)
	}
}

func TestQuietSaysNothing(t *testing.T) {
	pid := program(t, "--inspect=127.0.0.1:0")
	r := heapsnapIn(t, t.TempDir(), nil, "capture", "--pid", strconv.Itoa(pid), "-o", "a.heapsnapshot", "--quiet")
	if r.code != 0 || r.out+r.errors != "" {
		t.Errorf("code %d, stdout %q, stderr %q", r.code, r.out, r.errors)
	}
}

// Whatever ends heapsnap, an inspector that it opened is closed again.
func TestAnOpenedInspectorIsClosedAfterAnyEnd(t *testing.T) {
	for _, command := range [][]string{{"check", "--every", "1h"}, {"loop", "--duration", "1h"}} {
		for _, end := range []os.Signal{os.Interrupt, os.Kill} {
			t.Run(command[0]+"/"+end.String(), func(t *testing.T) {
				pid := program(t, "--inspect-port=0")
				reach := func() cdp.Reach {
					all, err := cdp.Local(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range all {
						if p.PID == pid {
							return p.Reach
						}
					}
					return cdp.ReachNone
				}
				cmd := exec.Command(binary, append(command, "--pid", strconv.Itoa(pid))...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				waitFor(t, func() bool { return reach() == cdp.ReachInspector })
				_ = cmd.Process.Signal(end)
				_ = cmd.Wait()
				waitFor(t, func() bool { return reach() == cdp.ReachSignal })
			})
		}
	}
}

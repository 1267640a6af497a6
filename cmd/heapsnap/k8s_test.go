package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
)

// fakeKubectl puts the kubectl of testdata on PATH. Variables are NAME=value.
func fakeKubectl(t *testing.T, variables ...string) (log string) {
	t.Helper()
	all := nodes.All(t)
	script, err := filepath.Abs("testdata/kubectl/kubectl.js")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\"\n", all[len(all)-1].Path, script)
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	log = filepath.Join(dir, "log")
	for _, v := range append(variables, "FAKE_LOG="+log, "FAKE_COUNT="+filepath.Join(dir, "count")) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return log
}

func TestCaptureInAPod(t *testing.T) {
	pid := strconv.Itoa(program(t))
	for _, c := range []struct {
		name      string
		variables []string
	}{
		{"node on PATH, a root that is read-only", nil},
		{"distroless, node elsewhere", []string{"FAKE_EXEC=path"}},
		{"the first tunnels fail", []string{"FAKE_REFUSE=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := fakeKubectl(t, c.variables...)
			dir := t.TempDir()
			r := heapsnapIn(t, dir, nil, "capture", "--k8s", "shop/api/app", "--pid", pid, "-o", "a.heapsnapshot")
			if r.code != 0 {
				text, _ := os.ReadFile(log)
				t.Fatalf("code %d, %s\n%s", r.code, r.errors, text)
			}
			if _, err := heapsnap.Open(context.Background(), filepath.Join(dir, "a.heapsnapshot"), heapsnap.Options{}); err != nil {
				t.Error(err)
			}
			if n, _ := strconv.Atoi(pid); process(t, n).Reach != cdp.ReachSignal {
				t.Error("the inspector is left open")
			}
		})
	}
}

// Commands other than capture find their way, too, and say how it would go by hand.
func TestOtherCommandsInAPod(t *testing.T) {
	number := program(t)
	pid := strconv.Itoa(number)
	for _, c := range []struct{ command, says string }{
		{"doctor", `"nodeVersion"`},
		{"sample --duration 1s", `"kind"`},
		{"loop --duration 2s", `"verdict"`},
	} {
		t.Run(c.command, func(t *testing.T) {
			fakeKubectl(t)
			args := append(strings.Fields(c.command), "--format", "json", "--k8s", "shop/api/app")
			if r := heapsnapIn(t, t.TempDir(), nil, append(args, "--pid", pid)...); r.code != 0 || !strings.Contains(r.out, c.says) {
				t.Errorf("code %d, %s, %.300s: want 0 and %s", r.code, r.errors, r.out, c.says)
			}
			if process(t, number).Reach != cdp.ReachSignal {
				t.Error("the inspector is left open")
			}
			fakeKubectl(t, "FAKE_EXEC=none", "FAKE_REFUSE=99")
			name := strings.Fields(c.command)[0]
			if r := heapsnapIn(t, t.TempDir(), nil, args...); r.code != 3 || !strings.Contains(r.errors, "-- heapsnap "+name+" --pid 1\n") {
				t.Errorf("no way in: code %d, %s", r.code, r.errors)
			}
		})
	}
}

// The tunnel breaks while the snapshot comes: no file, and the inspector that was
// opened is closed by another tunnel.
func TestTunnelToAPodThatBreaks(t *testing.T) {
	pid := program(t)
	fakeKubectl(t, "FAKE_DROP=400000")
	dir := t.TempDir()
	r := heapsnapIn(t, dir, nil, "capture", "--k8s", "shop/api", "--pid", strconv.Itoa(pid), "-o", "a.heapsnapshot")
	if r.code != 3 || !strings.Contains(r.errors, "closed the connection") {
		t.Errorf("code %d, %q, want 3", r.code, r.errors)
	}
	noWholeFile(t, dir)
	if process(t, pid).Reach != cdp.ReachSignal {
		t.Error("the inspector is left open")
	}
}

// Nothing can be run in the container: what to type, with the user filled in.
func TestPodWithoutAWayIn(t *testing.T) {
	fakeKubectl(t, "FAKE_EXEC=none", "FAKE_REFUSE=99")
	r := heapsnapIn(t, t.TempDir(), nil, "capture", "--k8s", "shop/api", "-o", "a.heapsnapshot")
	for _, want := range []string{
		`{"securityContext":{"runAsUser":1234}}`,
		"kubectl debug -n shop api --image=IMAGE --target=app --custom=uid.json",
		"kubectl exec -n shop api -c heapsnap -- heapsnap capture --pid 1 -o - > heap.heapsnapshot",
	} {
		if r.code != 3 || !strings.Contains(r.errors, want) {
			t.Errorf("code %d, %q, want 3 with %q", r.code, r.errors, want)
		}
	}
}

func TestPodsThatAreNotThere(t *testing.T) {
	fakeKubectl(t)
	dir := t.TempDir()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--k8s api", 2, "want NAMESPACE/POD"},
		{"--k8s shop/api/app/x", 2, "want NAMESPACE/POD"},
		{"--k8s shop/api --port 9229", 2, "name the target once"},
		{"--k8s shop/other", 3, "pods not found"},
		{"--k8s shop/api --pid 999999", 3, "process 999999 is no Node.js process of the container"},
	} {
		r := heapsnapIn(t, dir, nil, append([]string{"capture", "-o", "a.heapsnapshot"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.errors, c.says) {
			t.Errorf("%s: code %d, %q, want %d with %q", c.args, r.code, r.errors, c.code, c.says)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if r := heapsnapIn(t, dir, nil, "capture", "-o", "a.heapsnapshot", "--k8s", "shop/api"); r.code != 3 || !strings.Contains(r.errors, "kubectl is not on PATH") {
		t.Errorf("without kubectl: code %d, %q", r.code, r.errors)
	}
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/internal/nodes"
)

// A service is a Node program with a heap of some size that answers HTTP.
type service struct {
	cmd       *exec.Cmd
	url       string
	inspector string
}

// serve starts one with so many MiB of small objects: 8 MiB take a second or two
// to capture.
func serve(t *testing.T, mib int, flags ...string) *service {
	t.Helper()
	all := nodes.All(t)
	program, err := filepath.Abs("../../cdp/testdata/shapes.cjs")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{}
	s.cmd = exec.Command(all[len(all)-1].Path, append(append([]string{"--inspect=127.0.0.1:0"}, flags...), program, "objects", strconv.Itoa(mib))...)
	ready := make(chan string, 2)
	var mu sync.Mutex
	var text bytes.Buffer
	see := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		text.Write(p)
		_, port, said := strings.Cut(text.String(), "ready ")
		_, address, listens := strings.Cut(text.String(), "ws://")
		if said && listens && strings.Contains(port, "\n") && s.url == "" {
			s.url = "http://127.0.0.1:" + strings.Fields(port)[0]
			s.inspector, _, _ = strings.Cut(address, "/")
			ready <- ""
		}
		return len(p), nil
	})
	s.cmd.Stdout, s.cmd.Stderr = see, see
	start(t, s.cmd)
	select {
	case <-ready:
		return s
	case <-time.After(60 * time.Second):
		t.Fatalf("the service did not start: %s", text.String())
	}
	panic("unreachable")
}

// serves waits until the service answers, which may have a capture to finish.
func (s *service) serves(t *testing.T) {
	t.Helper()
	client := http.Client{Timeout: 60 * time.Second}
	resp, err := client.Get(s.url)
	if err != nil {
		t.Fatalf("the service does not serve any more: %v", err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) == 0 {
		t.Fatalf("the service answers %q, %v", body, err)
	}
}

// noWholeFile looks that there is no file that could be taken for a snapshot.
func noWholeFile(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".partial") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestCaptureThatIsCutShort(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		says  string
		alive bool
		// during is called once V8 has begun; it returns the flags to add.
		flags  []string
		during func(s *service, capture *exec.Cmd)
	}{
		{name: "the target is killed", code: 3, says: "closed the connection",
			during: func(s *service, _ *exec.Cmd) { _ = s.cmd.Process.Kill() }},
		{name: "interrupted", code: 130, says: "interrupted", alive: true,
			during: func(_ *service, capture *exec.Cmd) { _ = capture.Process.Signal(os.Interrupt) }},
		{name: "terminated", code: 130, says: "interrupted", alive: true,
			during: func(_ *service, capture *exec.Cmd) { _ = capture.Process.Signal(syscall.SIGTERM) }},
		{name: "killed", code: -1, alive: true,
			during: func(_ *service, capture *exec.Cmd) { _ = capture.Process.Kill() }},
		{name: "redacted and interrupted", code: 130, says: "interrupted", alive: true, flags: []string{"--redact"},
			during: func(_ *service, capture *exec.Cmd) { _ = capture.Process.Signal(os.Interrupt) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, 12)
			dir := t.TempDir()
			cmd := exec.Command(binary, append([]string{"capture", "--url", s.inspector, "--no-settle", "-o", "a.heapsnapshot"}, c.flags...)...)
			cmd.Dir = dir
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// V8 walks the heap before it sends: the program does not answer then.
			waitUntil(t, "the capture has begun", func() bool {
				client := http.Client{Timeout: 200 * time.Millisecond}
				resp, err := client.Get(s.url)
				if err == nil {
					resp.Body.Close()
				}
				return err != nil
			})
			c.during(s, cmd)
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("code %d, %q, want %d with %q", code, errs.String(), c.code, c.says)
			}
			noWholeFile(t, dir)
			if c.alive {
				s.serves(t)
				// And it can be captured: nothing of the first is in the way.
				if r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", "b.heapsnapshot"); r.code != 0 {
					t.Errorf("the next capture: code %d, %s", r.code, r.errors)
				}
			}
		})
	}
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("30 s over: not seen that %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCaptureTimeoutAtHalf(t *testing.T) {
	s := serve(t, 12)
	dir := t.TempDir()
	began := time.Now()
	if r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "--no-settle", "-o", "whole.heapsnapshot.zst"); r.code != 0 {
		t.Fatalf("code %d, %s", r.code, r.errors)
	}
	half := time.Since(began) / 2
	half = min(half, time.Second) // the second of a heap is faster, and the machine's load changes
	dir = t.TempDir()
	r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "--no-settle", "-o", "a.heapsnapshot", "--timeout", half.String())
	if r.code != 124 || !strings.Contains(r.errors, "--timeout is over") {
		t.Errorf("code %d, %q, want 124", r.code, r.errors)
	}
	noWholeFile(t, dir)
	s.serves(t)
}

// A tunnel that breaks, at the start of what is sent and near its end.
func TestCaptureThroughATunnelThatBreaks(t *testing.T) {
	for _, after := range []int64{100 << 10, 12 << 20} {
		t.Run(fmt.Sprintf("after %d bytes", after), func(t *testing.T) {
			s := serve(t, 12)
			dir := t.TempDir()
			tunnel := breakAfter(t, s.inspector, after)
			r := heapsnapIn(t, dir, nil, "capture", "--url", tunnel, "--no-settle", "-o", "a.heapsnapshot")
			if r.code != 3 || !strings.Contains(r.errors, "closed the connection") {
				t.Errorf("code %d, %q, want 3", r.code, r.errors)
			}
			noWholeFile(t, dir)
			s.serves(t)
		})
	}
}

// breakAfter is a tunnel to address that breaks when so many bytes have come
// from there.
func breakAfter(t *testing.T, address string, after int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var came atomic.Int64
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, near) }()
				_, _ = io.Copy(near, readerFunc(func(p []byte) (int, error) {
					if came.Load() > after {
						return 0, io.ErrUnexpectedEOF
					}
					n, err := far.Read(p)
					came.Add(int64(n))
					return n, err
				}))
			}()
		}
	}()
	return l.Addr().String()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCaptureOnAFullDisk(t *testing.T) {
	s := serve(t, 4)
	dir := t.TempDir()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("/dev/full is not there")
	}
	r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", "/dev/full")
	if r.code != 2 || !strings.Contains(r.errors, "no space left") {
		t.Errorf("code %d, %q, want 2", r.code, r.errors)
	}
	s.serves(t)
}

// What the pre-flight refuses does not touch the program.
func TestCaptureThatIsRefused(t *testing.T) {
	s := serve(t, 8)
	dir := t.TempDir()
	r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", "a.heapsnapshot", "--probe", "100ms*2")
	if r.code != 3 || !strings.Contains(r.errors, "stand still for too long") || !strings.Contains(r.errors, "100ms*2") {
		t.Errorf("code %d, %q, want 3 with the numbers", r.code, r.errors)
	}
	noWholeFile(t, dir)
	s.serves(t)
	r = heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", "a.heapsnapshot", "--probe", "100ms*2", "--force")
	if r.code != 0 || !strings.Contains(r.errors, "warning: the program would stand still") {
		t.Errorf("--force: code %d, %q", r.code, r.errors)
	}
	for _, probe := range []string{"10", "s*3", "10s*0", "10s*x", "-1s*2"} {
		if r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", "a.heapsnapshot", "--probe", probe); r.code != 2 || !strings.Contains(r.errors, "10s*3") {
			t.Errorf("--probe %s: code %d, %q", probe, r.code, r.errors)
		}
	}
}

// An object store takes the whole snapshot in one PUT, or has none.
func TestCaptureToASignedURL(t *testing.T) {
	s := serve(t, 4)
	var puts atomic.Int32
	var got bytes.Buffer
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := puts.Add(1); {
		case r.Method != http.MethodPut || r.ContentLength <= 0 || r.URL.Query().Get("sig") != "secret":
			http.Error(w, "bad request", http.StatusBadRequest)
		case n == 1: // stores do that
			http.Error(w, "slow down", http.StatusServiceUnavailable)
		case strings.Contains(r.URL.Path, "denied"):
			http.Error(w, "signature expired", http.StatusForbidden)
		default:
			got.Reset()
			_, _ = io.Copy(&got, r.Body)
		}
	}))
	defer store.Close()
	dir := t.TempDir()
	r := heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", store.URL+"/b/a.heapsnapshot.zst?sig=secret")
	if r.code != 0 || strings.Contains(r.errors, "secret") || puts.Load() != 2 {
		t.Fatalf("code %d, %q, %d puts", r.code, r.errors, puts.Load())
	}
	text, compressed, err := heapsnap.Decompress(&got)
	if err != nil || !compressed {
		t.Fatalf("compressed %v, %v", compressed, err)
	}
	if _, err := heapsnap.Read(context.Background(), text, heapsnap.Options{}); err != nil {
		t.Error(err)
	}
	r = heapsnapIn(t, dir, nil, "capture", "--url", s.inspector, "-o", store.URL+"/denied.heapsnapshot?sig=secret")
	if r.code != 2 || !strings.Contains(r.errors, "signature expired") || strings.Contains(r.errors, "secret") {
		t.Errorf("code %d, %q, want 2 without the signature", r.code, r.errors)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%v is left", entries)
	}
}

func TestCaptureOfAllThreads(t *testing.T) {
	pid := program(t, "--inspect=127.0.0.1:0")
	dir := t.TempDir()
	r := heapsnapIn(t, dir, nil, "capture", "--pid", strconv.Itoa(pid), "--worker", "all", "-o", "a.heapsnapshot.gz")
	if r.code != 0 {
		t.Fatalf("code %d, %s", r.code, r.errors)
	}
	for file, thread := range map[string]int{"a.heapsnapshot.gz": 0, "a.worker-1.heapsnapshot.gz": 1} {
		path := filepath.Join(dir, file)
		if _, err := heapsnap.Open(context.Background(), path, heapsnap.Options{}); err != nil {
			t.Error(err)
		}
		if m, err := cdp.ReadMeta(path); err != nil || m.ThreadID != thread {
			t.Errorf("%s: thread %d, %v", file, m.ThreadID, err)
		}
	}
}

// A memory limit of the kernel's that the capture would exceed: refused with the
// numbers, by what this machine says of the process and by what it says itself.
func TestCaptureUnderAMemoryLimit(t *testing.T) {
	group := filepath.Join("/sys/fs/cgroup/memory", fmt.Sprintf("heapsnap-test-%d", os.Getpid()))
	limit, procs := "memory.limit_in_bytes", "cgroup.procs"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil { // v2
		group, limit = filepath.Join("/sys/fs/cgroup", filepath.Base(group)), "memory.max"
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("no control group can be made here: %v", err)
	}
	s := serve(t, 24)
	t.Cleanup(func() { // before the process is killed and gone, it cannot be removed
		_ = s.cmd.Process.Kill()
		waitUntil(t, "the group is empty", func() bool { return os.Remove(group) == nil })
	})
	const mib = 256
	for file, text := range map[string]string{limit: strconv.Itoa(mib << 20), procs: strconv.Itoa(s.cmd.Process.Pid)} {
		if err := os.WriteFile(filepath.Join(group, file), []byte(text), 0o644); err != nil {
			t.Skipf("the control group cannot be set up here: %v", err)
		}
	}
	dir := t.TempDir()
	for name, target := range map[string][]string{"from outside": {"--pid", strconv.Itoa(s.cmd.Process.Pid)}, "from within": {"--url", s.inspector}} {
		r := heapsnapIn(t, dir, nil, append([]string{"capture", "-o", "a.heapsnapshot"}, target...)...)
		if r.code != 3 || !strings.Contains(r.errors, "not enough memory for a capture") || !strings.Contains(r.errors, "(256 MiB) has ") {
			t.Errorf("%s: code %d, %q, want 3 with the group's limit", name, r.code, r.errors)
		}
		noWholeFile(t, dir)
		s.serves(t)
	}
}

// A program that is in an endless loop is captured as it stands, on every line.
func TestCaptureOfABlockedProgram(t *testing.T) {
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			script := writeScript(t, "blocked.js", "class Marked {} globalThis.marked = new Marked(); setTimeout(() => { console.log('ready'); for (;;) globalThis.n = (globalThis.n | 0) + 1; }, 50);")
			cmd := exec.Command(node.Path, script)
			startUntil(t, cmd, "ready")
			dir := t.TempDir()
			r := heapsnapIn(t, dir, nil, "capture", "--pid", strconv.Itoa(cmd.Process.Pid), "-o", "a.heapsnapshot", "--timeout", "60s")
			if r.code != 0 || !strings.Contains(r.errors, "the event loop is blocked") {
				t.Fatalf("code %d, %s", r.code, r.errors)
			}
			s, err := heapsnap.Open(context.Background(), filepath.Join(dir, "a.heapsnapshot"), heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range s.Aggregates() {
				if a.Class == "Marked" && a.Count == 1 {
					return
				}
			}
			t.Error("the snapshot has no object of class Marked")
		})
	}
}

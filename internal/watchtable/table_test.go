//go:build watchtable

package watchtable

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"heapsnap/internal/cgroup"
	"heapsnap/internal/livetest"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

func TestMain(m *testing.M) { livetest.Main(m) }

// atHalf is how far the forecast at half time may be off, of the time that is left.
const atHalf = 0.25

var (
	mu   sync.Mutex
	rows []string
)

func row(format string, args ...any) {
	mu.Lock()
	defer mu.Unlock()
	rows = append(rows, fmt.Sprintf(format, args...))
}

func TestTable(t *testing.T) {
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := livetest.Binary(t, "watch")
	minutes, err := strconv.Atoi(os.Getenv("HEAPSNAP_WATCH_MINUTES"))
	if err != nil {
		minutes = 10
	}
	all := nodes.All(t)
	t.Run("leaks", func(t *testing.T) {
		for i, node := range all {
			t.Run(fmt.Sprintf("heap/%s", node), func(t *testing.T) {
				t.Parallel()
				leak(t, root, binary, node, nil, "heap limit 80 MiB", "heap>70%limit", "--max-old-space-size=80", "heap", "0.45")
			})
			if i%2 == 0 {
				t.Run(fmt.Sprintf("container/%s", node), func(t *testing.T) {
					t.Parallel()
					g := cgroup.New(t, 200<<20)
					leak(t, root, binary, node, g, "cgroup 200 MiB, Buffers", "container>70%", "--max-old-space-size=64", "buffers", "0.9")
				})
			}
		}
	})
	t.Run("sawtooth", func(t *testing.T) {
		for _, node := range all {
			t.Run(node.String(), func(t *testing.T) {
				t.Parallel()
				quiet(t, root, binary, node, time.Duration(minutes)*time.Minute)
			})
		}
	})
	slices.Sort(rows)
	text := fmt.Sprintf("%-26s %-5s %8s %10s %20s %6s %s\n", "service", "node", "died", "half time", "left: told / true", "off", "taken")
	text += strings.Join(rows, "")
	path := filepath.Join(root, ".cache", "watch", "table.txt")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, root string, node nodes.Node, g *cgroup.Group, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"--inspect-port=0", args[0], filepath.Join(root, "internal", "watchtable", "service.js")}, args[1:]...)
	cmd := exec.Command(node.Path, args...)
	if g != nil {
		cmd = g.Command(node.Path, args...)
	}
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
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// watched runs heapsnap watch until it ends, and returns its lines.
func watched(t *testing.T, binary, dir string, args ...string) (lines []report.WatchLine) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"watch", "--quiet", "--format", "ndjson"}, args...)...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var l report.WatchLine
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	_ = cmd.Wait()
	return lines
}

// leak watches a service until it dies: the forecast at half time has to be
// right, and one thing taken before the end.
func leak(t *testing.T, root, binary string, node nodes.Node, g *cgroup.Group, name, when string, args ...string) {
	begun := time.Now()
	cmd := start(t, root, node, g, args...)
	dir := t.TempDir()
	lines := watched(t, binary, dir, "--once", "--pid", strconv.Itoa(cmd.Process.Pid), "--when", when, "--sample-for", "5s", "--duration", "15m")
	var died time.Time
	taken, refused := 0, 0
	for _, l := range lines {
		if l.Event == nil {
			continue
		}
		switch l.Event.Kind {
		case "lost":
			died = l.Event.Time
		case "capture", "sample":
			taken++
		case "refused":
			refused++
		}
	}
	if died.IsZero() {
		t.Fatalf("it did not die: %d lines", len(lines))
	}
	half := begun.Add(died.Sub(begun) / 2)
	var told *report.WatchForecast
	var at time.Time
	for _, l := range lines {
		if l.Point == nil || l.Point.Time.After(half) {
			continue
		}
		told, at = nil, l.Point.Time
		for i, f := range l.Forecasts {
			if f.Left > 0 && (told == nil || f.Left < told.Left) {
				told = &l.Forecasts[i]
			}
		}
	}
	left := died.Sub(at).Seconds()
	what := fmt.Sprint(taken)
	if refused > 0 {
		what += fmt.Sprintf(" (a snapshot was refused %d times: a profile instead)", refused)
	}
	if taken != 1 {
		t.Errorf("%d taken, want 1", taken)
	}
	if told == nil {
		row("%-26s %-5d %6.0f s %8.0f s %20s %6s %s\n", name, node.Major, died.Sub(begun).Seconds(), at.Sub(begun).Seconds(), "nothing told", "-", what)
		t.Fatalf("at half time (%.0f s) nothing was told; it died %.0f s later", at.Sub(begun).Seconds(), left)
	}
	off := (told.Left - left) / left
	row("%-26s %-5d %6.0f s %8.0f s %9.0f s / %5.0f s %5.0f%% %s\n", name, node.Major, died.Sub(begun).Seconds(), at.Sub(begun).Seconds(), told.Left, left, 100*off, what)
	if math.Abs(off) > atHalf {
		t.Errorf("at half time %.0f s were told (%s), and it died %.0f s later", told.Left, told.Text, left)
	}
}

// quiet watches a service that leaks nothing: no alarm, at no moment.
func quiet(t *testing.T, root, binary string, node nodes.Node, d time.Duration) {
	cmd := start(t, root, node, nil, "--max-old-space-size=80", "none", "0")
	lines := watched(t, binary, t.TempDir(), "--pid", strconv.Itoa(cmd.Process.Pid), "--when", "left<24h", "--duration", d.String())
	alarms, points := 0, 0
	verdict := report.Verdict("")
	for _, l := range lines {
		switch {
		case l.Point != nil:
			points++
			for _, f := range l.Forecasts {
				if f.Left > 0 && f.Left < 86400 {
					alarms++
				}
			}
		case l.Event != nil && l.Event.Kind == "trigger":
			t.Errorf("%s", l.Event.Text)
		case l.Report != nil:
			verdict = l.Report.Verdict
		}
	}
	row("%-26s %-5d %8s %10s %20s %6s %s\n", fmt.Sprintf("no leak, %s", d), node.Major, "-", "-", fmt.Sprintf("%d alarms", alarms), "-", fmt.Sprintf("%s after %d looks", verdict, points))
	if alarms > 0 || points < int(d.Seconds()/2) {
		t.Errorf("%d alarms in %d looks", alarms, points)
	}
}

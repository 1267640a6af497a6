//go:build oomtable

package oomtable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"heapsnap/internal/cgroup"
	"heapsnap/internal/livetest"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

func TestMain(m *testing.M) { livetest.Main(m) }

// death is a way to die.
type death struct {
	name    string
	lines   []int  // Node lines that die so; nil: one of them, in turn
	limit   uint64 // of the container in MiB; 0: none
	options map[int]string
	option  string
	args    []string
	gc      bool           // doctor collects first
	doctor  string         // the rule that it has to name; "" for none
	signal  syscall.Signal // that ends it, if it does not die by itself
	ulimit  string
	kind    string // of death
	cause   string
	cut     bool // a snapshot that is cut short is left
}

var allLines = []int{18, 20, 22, 24, 26}

var deaths = []death{
	{name: "V8 limit", lines: allLines, limit: 2048, option: "--max-old-space-size=60 --report-on-fatalerror", args: []string{"heap", "54"}, doctor: "js-heap", kind: "v8-heap-limit", cause: "js-heap"},
	{name: "wrong flags, killed by the cgroup", lines: allLines, limit: 200, args: []string{"heap", "100"}, doctor: "limit-above-container", kind: "cgroup-kill", cause: "limit-above-container",
		options: map[int]string{18: "", 20: "--max-old-space-size=400", 22: "--max-old-space-size-percentage=100", 24: "--max-old-space-size=300 --max-semi-space-size=16", 26: ""}},
	{name: "Buffers, killed by the cgroup", limit: 300, option: "--max-old-space-size=100", args: []string{"buffers", "230"}, doctor: "buffers", kind: "cgroup-kill", cause: "buffers"},
	{name: "fragmentation, killed by the cgroup", limit: 400, option: "--max-old-space-size=150", args: []string{"fragments", "300"}, gc: true, doctor: "fragmentation", kind: "cgroup-kill", cause: "fragmentation"},
	{name: "child process, killed by the cgroup", limit: 300, option: "--max-old-space-size=100", args: []string{"child", "200"}, doctor: "other-process", kind: "cgroup-kill", cause: "other-process"},
	{name: "a worker's heap", limit: 2048, args: []string{"worker", "50"}, gc: true, doctor: "worker", kind: "worker-heap-limit", cause: "worker"},
	{name: "snapshot near the limit, cut short by the cgroup", limit: 300, option: "--max-old-space-size=80 --heapsnapshot-near-heap-limit=1", args: []string{"heap", "70"}, doctor: "js-heap", kind: "cgroup-kill", cut: true},
	{name: "no address space for Buffers", option: "--max-old-space-size=100", ulimit: "2500000", args: []string{"buffers", "50"}, kind: "allocation-refused", cause: "buffers"},
	{name: "native code aborts", args: []string{"abort", "0"}, kind: "native-abort"},
	{name: "killed from outside", limit: 1024, option: "--max-old-space-size=200", args: []string{"nothing", "0"}, signal: syscall.SIGKILL, kind: "not-memory"},
	{name: "garbage only, and no death", limit: 2048, option: "--max-old-space-size=1000 --max-semi-space-size=64", args: []string{"garbage", "100"}, kind: "-"},
}

// row is what came of one.
type row struct{ name, node, doctor, oom, want string }

func TestTable(t *testing.T) {
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := livetest.Binary(t, "oom")
	all := nodes.All(t)
	var rows []row
	turn := 0
	for _, d := range deaths {
		var on []nodes.Node
		for _, n := range all {
			for _, line := range d.lines {
				if n.Major == line {
					on = append(on, n)
				}
			}
		}
		if d.lines == nil {
			on = []nodes.Node{all[turn%len(all)]}
			turn++
		}
		for _, node := range on {
			t.Run(fmt.Sprintf("%s/%s", d.name, node), func(t *testing.T) {
				r := die(t, root, binary, node, d)
				r.name, r.node = d.name, strings.TrimPrefix(node.String(), "node")
				rows = append(rows, r)
				if want := join(d.doctor, d.kind, d.cause); join(r.doctor, r.oom, "") != want {
					t.Errorf("doctor %q, oom %q, want %q", r.doctor, r.oom, want)
				}
			})
		}
	}
	for _, rec := range recorded(t, binary) {
		rows = append(rows, rec)
	}
	write(t, root, rows)
}

func join(doctor, kind, cause string) string {
	return strings.TrimSuffix(doctor+" | "+strings.TrimSuffix(kind+" "+cause, " "), " ")
}

// die lets a program fill memory, asks doctor, lets it die, and asks oom.
func die(t *testing.T, root, binary string, node nodes.Node, d death) row {
	dir := t.TempDir()
	script := filepath.Join(root, "internal", "oomtable", "dying.js")
	option := d.option
	if d.options != nil {
		option = d.options[node.Major]
	}
	args := append(append([]string{"--inspect-port=0"}, strings.Fields(option)...), append([]string{script}, d.args...)...)
	var g *cgroup.Group
	cmd := exec.Command(node.Path, args...)
	if d.limit > 0 {
		g = cgroup.New(t, d.limit<<20)
		cmd = g.Command(node.Path, args...)
	} else if d.ulimit != "" {
		cmd = exec.Command("/bin/sh", append([]string{"-c", "ulimit -v " + d.ulimit + `; exec "$@"`, "sh", node.Path}, args...)...)
	}
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	await(t, ended, func() bool {
		text, _ := os.ReadFile(log.Name())
		return bytes.Contains(text, []byte("ready"))
	})
	var r row
	// What doctor says stays with the rest, as somebody's notes would.
	flags := []string{"doctor", "--quiet", "--pid", strconv.Itoa(cmd.Process.Pid), "--format", "json", "-o", "json=" + filepath.Join(dir, "doctor.json")}
	if d.gc || d.kind == "-" {
		flags = append(flags, "--gc")
	}
	text, code := run(t, binary, flags...)
	var doc report.Doctor
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("doctor: exit %d: %v", code, err)
	}
	if r.doctor = doc.Rule; doc.Verdict != report.Trouble {
		r.doctor = ""
	}
	if d.kind == "-" {
		r.oom = "-"
		return r
	}
	if d.signal != 0 {
		_ = cmd.Process.Signal(d.signal)
	} else if _, err := stdin.Write([]byte("on\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(3 * time.Minute):
		t.Fatal("it did not die within 3 min")
	}
	exit := cmd.ProcessState.ExitCode()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit = 128 + int(status.Signal())
	}
	if g != nil {
		if err := g.Save(dir); err != nil {
			t.Fatal(err)
		}
		saveKernel(dir, filepath.Base(g.Dir))
	}
	text, code = run(t, binary, "oom", "--quiet", "--format", "json", "--exit", strconv.Itoa(exit), dir)
	var o report.OOM
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatalf("oom: exit %d: %v\n%s", code, err, text)
	}
	r.oom = o.Death
	if d.cause != "" {
		r.oom += " " + o.Cause
	}
	if d.cut {
		short := false
		for _, f := range o.Files {
			short = short || f.Kind == "snapshot" && strings.Contains(f.Note, "cut short")
		}
		if !short {
			t.Error("no snapshot was cut short: this death shows nothing")
		}
	}
	return r
}

func run(t *testing.T, binary string, args ...string) ([]byte, int) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Logf("%s: %s", args[0], errs.Bytes())
	}
	return out.Bytes(), cmd.ProcessState.ExitCode()
}

// saveKernel keeps the kernel's lines about the group, where it lets us read them.
func saveKernel(dir, group string) {
	out, err := exec.Command("dmesg").Output()
	if err != nil {
		return
	}
	i := bytes.LastIndex(out, []byte(group))
	if i < 0 {
		return
	}
	from := bytes.LastIndexByte(out[:i], '\n') + 1
	_ = os.WriteFile(filepath.Join(dir, "dmesg.txt"), out[from:], 0o600)
}

func await(t *testing.T, ended <-chan struct{}, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !until(); {
		select {
		case <-ended:
			t.Fatal("the program ended before it was ready")
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the program was not ready within 2 min")
		}
	}
}

// recorded asks oom about deaths that this machine cannot make, by what they
// left; testdata/README.md says where each is from.
func recorded(t *testing.T, binary string) (rows []row) {
	for _, d := range []struct{ folder, kind, cause string }{
		{"cgroup-v2-pod", "cgroup-kill", "limit-above-container"}, {"liveness-probe", "not-memory", ""}, {"host", "host-kill", ""},
	} {
		t.Run("recorded/"+d.folder, func(t *testing.T) {
			text, _ := run(t, binary, "oom", "--quiet", "--format", "json", filepath.Join("testdata", d.folder))
			var o report.OOM
			if err := json.Unmarshal(text, &o); err != nil {
				t.Fatal(err)
			}
			r := row{name: "recorded: " + d.folder, node: "-", doctor: "-", oom: strings.TrimSpace(o.Death + " " + o.Cause)}
			rows = append(rows, r)
			if want := strings.TrimSpace(d.kind + " " + d.cause); r.oom != want {
				t.Errorf("oom %q, want %q", r.oom, want)
			}
		})
	}
	return rows
}

// write puts the table where make oom-table shows it.
func write(t *testing.T, root string, rows []row) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-52s %-5s %-24s %s\n", "death", "node", "doctor, before", "oom, after")
	for _, r := range rows {
		doctor := r.doctor
		if doctor == "" {
			doctor = "healthy"
		}
		fmt.Fprintf(&b, "%-52s %-5s %-24s %s\n", r.name, r.node, doctor, r.oom)
	}
	path := filepath.Join(root, ".cache", "oom", "table.txt")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

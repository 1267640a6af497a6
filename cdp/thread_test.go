package cdp

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// stat is /proc/PID/stat with what matters here; the name has what a parser trips over.
func stat(pid int, state string, ppid, utime, stime, start int) string {
	return fmt.Sprintf("%d (a (b) c) %s %d 1 1 0 -1 0 0 0 0 0 %d %d 0 0 20 0 1 0 %d 0 0", pid, state, ppid, utime, stime, start)
}

func TestMainThread(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the numbers of system calls below are amd64's")
	}
	p := newFakeProc(t)
	p.write("proc/uptime", "100.00 150.00\n")
	p.write("proc/7/stat", stat(7, "S", 1, 30, 12, 500))
	p.write("proc/7/task/7/stat", stat(7, "S", 1, 30, 12, 500))
	p.write("proc/7/task/7/wchan", "pipe_write")
	p.write("proc/7/task/7/syscall", "1 0x2 0x7f00 0x10 0x0 0x0 0x0 0x7ffe 0x7fff\n")
	p.write("proc/7/sched", "node (7, #threads: 11)\n---\nse.exec_start      :      1000.500000\n")
	p.write("proc/thread-self/sched", "se.exec_start      :      4000.500000\n")
	p.link("proc/7/fd/2", "pipe:[99]")
	p.write("proc/8/stat", stat(8, "S", 7, 1, 1, 9000))
	p.write("proc/8/cmdline", "sleep\x0030\x00")
	p.write("proc/9/stat", stat(9, "S", 7, 1, 1, 9500))
	p.write("proc/10/stat", stat(10, "Z", 7, 1, 1, 9900))
	p.write("proc/11/stat", stat(11, "S", 8, 1, 1, 9900))

	got, err := p.mainThread(7)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != "S" || !got.Sleeps() || got.Polls() || got.WaitChannel != "pipe_write" {
		t.Errorf("thread = %+v", got)
	}
	if got.Syscall != "write" || got.Descriptor != 2 || got.Path != "pipe:[99]" {
		t.Errorf("in %s on %d (%s), want write on 2 (pipe:[99])", got.Syscall, got.Descriptor, got.Path)
	}
	if got.CPU != 420*time.Millisecond || got.Asleep != 3*time.Second {
		t.Errorf("CPU %s, asleep %s, want 420ms, 3s", got.CPU, got.Asleep)
	}
	if len(got.Children) != 2 || got.Children[0].PID != 9 || got.Children[1].PID != 8 ||
		got.Children[1].Age != 10*time.Second || !slices.Equal(got.Children[1].Args, []string{"sleep", "30"}) {
		t.Errorf("children = %+v, want 9 and 8, not the grandchild, not the zombie", got.Children)
	}

	p.write("proc/7/task/7/schedstat", "123456789 5000000 10\n")
	p.write("proc/7/task/7/syscall", "running\n")
	if got, err = p.mainThread(7); err != nil || got.CPU != 123456789 || got.Queued != 5*time.Millisecond || got.Syscall != "" {
		t.Errorf("thread = %+v, %v, want CPU and queued from schedstat", got, err)
	}
	if _, err := p.mainThread(12); err == nil {
		t.Error("a process that is not there: no error")
	}
}

func TestParseStackText(t *testing.T) {
	got := parseStackText("Error\n    at f1\n    at f2 ([eval]:1:2)\n    at RegExp.test (<anonymous>)\n    at work (file:///app/a%20b.mjs:3:9)\n" +
		"    at async Promise.all (index 0)\n    at /app/x.js:7:1\n")
	want := []Frame{
		{Function: "test", Type: "RegExp"},
		{Function: "work", File: "/app/a b.mjs", Line: 3, Column: 9},
		{Function: "all", Type: "Promise"},
		{File: "/app/x.js", Line: 7, Column: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("parseStackText = %+v, want %+v", got, want)
	}
}

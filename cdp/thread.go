package cdp

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Thread is what the kernel says of a process's main thread. Fields that cannot
// be read, or not on this system, are zero.
type Thread struct {
	PID         int
	State       string // as in proc(5): R runs or wants to, S and D sleep, T stopped, t traced
	WaitChannel string // the kernel function that it sleeps in, such as "wait_for_partner"
	Syscall     string // the system call that it is in, such as "openat", or its number
	Path        string // the file, pipe or socket that the call is about
	Descriptor  int    // of Path, -1 if the call has none
	CPU         time.Duration
	Queued      time.Duration // it was ready to run and other threads had the cores
	Asleep      time.Duration // since it last ran
	Children    []Child       // youngest first
}

// Child is a child process.
type Child struct {
	PID  int
	Args []string
	Age  time.Duration
}

// Sleeps reports whether the thread waits for something.
func (t Thread) Sleeps() bool { return t.State == "S" || t.State == "D" }

// Stopped reports whether a signal or a debugger of the system holds it.
func (t Thread) Stopped() bool { return t.State == "T" || t.State == "t" }

// Polls reports whether the thread is where an event loop waits for events: the
// program's own or that of spawnSync.
func (t Thread) Polls() bool {
	switch t.Syscall {
	case "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll":
		return true
	}
	return false
}

// MainThread reads the state of a process's main thread from Linux's /proc.
func MainThread(pid int) (Thread, error) { return procFS{}.mainThread(pid) }

func (f procFS) mainThread(pid int) (Thread, error) {
	t := Thread{PID: pid, Descriptor: -1}
	task := filepath.Join("task", strconv.Itoa(pid))
	stat, err := os.ReadFile(f.of(pid, filepath.Join(task, "stat")))
	if err != nil {
		return Thread{}, fmt.Errorf("process %d: %w", pid, err)
	}
	fields := statFields(stat)
	if len(fields) < 20 {
		return Thread{}, fmt.Errorf("process %d: /proc/%d/stat has an unknown form", pid, pid)
	}
	t.State = fields[0]
	t.CPU = ticks(fields[11]) + ticks(fields[12])
	// Nanoseconds, where ticks are hundredths of a second.
	if b, err := os.ReadFile(f.of(pid, filepath.Join(task, "schedstat"))); err == nil {
		if cols := strings.Fields(string(b)); len(cols) == 3 {
			if ns, err := strconv.ParseInt(cols[0], 10, 64); err == nil && ns > 0 {
				t.CPU = time.Duration(ns)
			}
			ns, _ := strconv.ParseInt(cols[1], 10, 64)
			t.Queued = time.Duration(ns)
		}
	}
	if b, err := os.ReadFile(f.of(pid, filepath.Join(task, "wchan"))); err == nil && string(b) != "0" {
		t.WaitChannel = string(b)
	}
	f.syscall(&t, task)
	if t.Sleeps() {
		t.Asleep = f.asleep(pid)
	}
	t.Children = f.children(pid)
	return t, nil
}

// statFields are those after the name of the program, which may have spaces: the
// first is the state, the 20th the time of the start.
func statFields(stat []byte) []string {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return nil
	}
	return strings.Fields(string(stat[end+1:]))
}

// started is when the process started, in ticks since boot; "" if it is gone.
func (f procFS) started(pid int) string {
	stat, err := os.ReadFile(f.of(pid, "stat"))
	if err != nil {
		return ""
	}
	fields := statFields(stat)
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// ticks are hundredths of a second: USER_HZ is 100 on every architecture that
// Node.js runs on.
func ticks(text string) time.Duration {
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}

// syscall fills in which call the thread is in, and on which file. It needs the
// right to trace the process.
func (f procFS) syscall(t *Thread, task string) {
	b, err := os.ReadFile(f.of(t.PID, filepath.Join(task, "syscall")))
	if err != nil {
		return
	}
	cols := strings.Fields(string(b)) // number, six arguments, stack and program counter
	if len(cols) < 7 {
		return // "running"
	}
	number, err := strconv.Atoi(cols[0])
	if err != nil || number < 0 {
		return
	}
	call, known := syscalls[runtime.GOARCH][number]
	if !known {
		t.Syscall = "system call " + cols[0]
		return
	}
	t.Syscall = call.name
	argument := func(i int) uint64 {
		n, _ := strconv.ParseUint(strings.TrimPrefix(cols[1+i], "0x"), 16, 64)
		return n
	}
	switch {
	case call.path > 0:
		t.Path = f.text(t.PID, argument(call.path-1))
	case call.fd > 0:
		t.Descriptor = int(int32(argument(call.fd - 1)))
		t.Path, _ = os.Readlink(f.of(t.PID, filepath.Join("fd", strconv.Itoa(t.Descriptor))))
	}
}

// text reads a C string from the memory of the process.
func (f procFS) text(pid int, at uint64) string {
	mem, err := os.Open(f.of(pid, "mem"))
	if err != nil || at > 1<<62 {
		return ""
	}
	defer mem.Close()
	b := make([]byte, 4096) // PATH_MAX
	n, _ := mem.ReadAt(b, int64(at))
	text, _, ok := bytes.Cut(b[:n], []byte{0})
	if !ok {
		return ""
	}
	return string(text)
}

// asleep is how long ago the thread last ran, by the scheduler's own clock. What
// that shows now is read from our thread, which runs.
func (f procFS) asleep(pid int) time.Duration {
	theirs, ok := f.lastRan(f.of(pid, "sched"))
	ours, ok2 := f.lastRan(f.path("proc/thread-self/sched"))
	if !ok || !ok2 {
		return 0
	}
	return max(0, ours-theirs)
}

// lastRan is the line "se.exec_start : 13289898.124076" (ms) of /proc/PID/sched,
// which kernels have with CONFIG_SCHED_DEBUG.
func (f procFS) lastRan(name string) (time.Duration, bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "se.exec_start" {
			continue
		}
		ms, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return time.Duration(ms * float64(time.Millisecond)), err == nil
	}
	return 0, false
}

// children are the processes that the process has started, youngest first.
func (f procFS) children(pid int) []Child {
	pids, err := f.pids()
	if err != nil {
		return nil
	}
	uptime, _ := f.read("proc/uptime")
	seconds, _, _ := strings.Cut(uptime, " ")
	up, _ := strconv.ParseFloat(seconds, 64)
	var list []Child
	for _, child := range pids {
		stat, err := os.ReadFile(f.of(child, "stat"))
		if err != nil {
			continue
		}
		fields := statFields(stat)
		if len(fields) < 20 || fields[1] != strconv.Itoa(pid) || fields[0] == "Z" {
			continue
		}
		age := time.Duration(up*float64(time.Second)) - ticks(fields[19])
		list = append(list, Child{PID: child, Args: f.args(child), Age: max(0, age)})
	}
	slices.SortFunc(list, func(a, b Child) int { return cmp.Or(cmp.Compare(a.Age, b.Age), cmp.Compare(b.PID, a.PID)) })
	return list
}

// A syscall's path is the argument, counted from 1, that points to a path, its
// fd the one that is a descriptor; 0 for none.
type syscallForm struct {
	name     string
	path, fd int
}

// syscalls are those that a Node.js thread may be found waiting in, by Linux's
// numbers (asm/unistd.h).
var syscalls = map[string]map[int]syscallForm{
	"amd64": {
		0: {"read", 0, 1}, 1: {"write", 0, 1}, 2: {"open", 1, 0}, 4: {"stat", 1, 0}, 5: {"fstat", 0, 1}, 6: {"lstat", 1, 0}, 7: {"poll", 0, 0},
		16: {"ioctl", 0, 1}, 17: {"pread64", 0, 1}, 18: {"pwrite64", 0, 1}, 19: {"readv", 0, 1}, 20: {"writev", 0, 1}, 35: {"nanosleep", 0, 0},
		42: {"connect", 0, 1}, 43: {"accept", 0, 1}, 45: {"recvfrom", 0, 1}, 46: {"sendmsg", 0, 1}, 47: {"recvmsg", 0, 1}, 61: {"wait4", 0, 0},
		72: {"fcntl", 0, 1}, 73: {"flock", 0, 1}, 74: {"fsync", 0, 1}, 75: {"fdatasync", 0, 1}, 77: {"ftruncate", 0, 1}, 82: {"rename", 1, 0},
		83: {"mkdir", 1, 0}, 84: {"rmdir", 1, 0}, 87: {"unlink", 1, 0}, 202: {"futex", 0, 0}, 217: {"getdents64", 0, 1},
		230: {"clock_nanosleep", 0, 0}, 232: {"epoll_wait", 0, 0}, 247: {"waitid", 0, 0}, 257: {"openat", 2, 0}, 262: {"newfstatat", 2, 0},
		263: {"unlinkat", 2, 0}, 271: {"ppoll", 0, 0}, 281: {"epoll_pwait", 0, 0}, 285: {"fallocate", 0, 1}, 295: {"preadv", 0, 1},
		296: {"pwritev", 0, 1}, 332: {"statx", 2, 0}, 441: {"epoll_pwait2", 0, 0},
	},
	"arm64": {
		22: {"epoll_pwait", 0, 0}, 25: {"fcntl", 0, 1}, 29: {"ioctl", 0, 1}, 32: {"flock", 0, 1}, 34: {"mkdirat", 2, 0}, 35: {"unlinkat", 2, 0},
		46: {"ftruncate", 0, 1}, 47: {"fallocate", 0, 1}, 56: {"openat", 2, 0}, 61: {"getdents64", 0, 1}, 63: {"read", 0, 1}, 64: {"write", 0, 1},
		65: {"readv", 0, 1}, 66: {"writev", 0, 1}, 67: {"pread64", 0, 1}, 68: {"pwrite64", 0, 1}, 69: {"preadv", 0, 1}, 70: {"pwritev", 0, 1},
		73: {"ppoll", 0, 0}, 79: {"newfstatat", 2, 0}, 80: {"fstat", 0, 1}, 82: {"fsync", 0, 1}, 83: {"fdatasync", 0, 1}, 95: {"waitid", 0, 0},
		98: {"futex", 0, 0}, 101: {"nanosleep", 0, 0}, 115: {"clock_nanosleep", 0, 0}, 202: {"accept", 0, 1}, 203: {"connect", 0, 1},
		207: {"recvfrom", 0, 1}, 211: {"sendmsg", 0, 1}, 212: {"recvmsg", 0, 1}, 260: {"wait4", 0, 0}, 291: {"statx", 2, 0},
		441: {"epoll_pwait2", 0, 0},
	},
}

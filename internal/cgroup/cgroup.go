// Package cgroup makes control groups with a memory limit, for tests that need a
// process to live, or to die, under one. It does so below the group that the
// test runs in, where the system allows that (as root, with the memory
// controller at hand), and removes them again.
package cgroup

import (
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
)

// Group is a group with a limit.
type Group struct {
	Version int // of control groups: 1 or 2
	Dir     string
}

// New makes a group with a limit in bytes, and skips the test where that cannot
// be done. It is removed at the test's end, with all that still runs in it.
func New(tb testing.TB, limit uint64) *Group {
	tb.Helper()
	g, err := create(limit)
	if err != nil {
		tb.Skipf("no control group with a memory limit can be made here: %v", err)
	}
	tb.Cleanup(func() {
		for range 100 {
			for _, pid := range g.procs() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err = os.Remove(g.Dir); err == nil || os.IsNotExist(err) {
				return
			}
			time.Sleep(50 * time.Millisecond) // the last process is still dying
		}
		tb.Errorf("the control group stays: %v", err)
	})
	return g
}

func create(limit uint64) (*Group, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("heapsnap-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	var found *Group
	file := ""
	for line := range strings.Lines(string(text)) {
		cols := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(cols) != 3 {
			continue
		}
		switch {
		case cols[1] == "memory":
			found, file = &Group{1, filepath.Join("/sys/fs/cgroup/memory", cols[2], name)}, "memory.limit_in_bytes"
		case cols[0] == "0" && found == nil:
			found, file = &Group{2, filepath.Join("/sys/fs/cgroup", cols[2], name)}, "memory.max"
		}
	}
	if found == nil {
		return nil, fmt.Errorf("this process is in none")
	}
	if err := os.Mkdir(found.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(found.Dir, file), []byte(strconv.FormatUint(limit, 10)), 0); err != nil {
		return nil, fmt.Errorf("%w (the memory controller is not there)", errors.Join(err, os.Remove(found.Dir)))
	}
	return found, nil
}

// Command is a command that starts in the group.
func (g *Group) Command(program string, args ...string) *exec.Cmd {
	// A shell moves itself before it becomes the program.
	script := `echo $$ > "$0" && exec "$@"`
	return exec.Command("/bin/sh", append([]string{"-c", script, filepath.Join(g.Dir, "cgroup.procs"), program}, args...)...)
}

func (g *Group) procs() []int {
	text, _ := os.ReadFile(filepath.Join(g.Dir, "cgroup.procs"))
	var all []int
	for _, f := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(f); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// Save copies the group's files about memory to a folder, as somebody does who
// keeps them for later.
func (g *Group) Save(folder string) error {
	files, err := filepath.Glob(filepath.Join(g.Dir, "memory.*"))
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // some cannot be read
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

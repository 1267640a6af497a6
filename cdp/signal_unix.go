//go:build unix

package cdp

import (
	"errors"
	"os/exec"
	"syscall"
)

func sendUSR1(pid int) error { return syscall.Kill(pid, syscall.SIGUSR1) }

// ownGroup makes the command the leader of a process group of its own, so that
// a Ctrl-C in the terminal does not reach it and its children can be found.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals every process of the group; one that is gone is no error.
func signalGroup(leader int, kill bool) error {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	if err := syscall.Kill(-leader, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// signalName is the signal that ended the process, "" if it exited.
func signalName(state interface{ Sys() any }) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ws.Signal().String()
	}
	return ""
}

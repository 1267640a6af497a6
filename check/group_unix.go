//go:build unix

package check

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group that is killed as a
// whole when the command's context ends.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

func killGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }

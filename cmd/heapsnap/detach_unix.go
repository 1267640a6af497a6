//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach gives the command a session of its own: neither Ctrl-C in the terminal
// nor the end of the terminal reaches it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

//go:build !unix

package cdp

import (
	"errors"
	"os"
	"os/exec"
)

func sendUSR1(int) error { return errors.New("this system has no SIGUSR1") }

func ownGroup(*exec.Cmd) {}

func signalGroup(leader int, _ bool) error {
	p, err := os.FindProcess(leader)
	if err != nil {
		return nil
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func signalName(interface{ Sys() any }) string { return "" }

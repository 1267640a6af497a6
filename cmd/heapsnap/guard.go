package main

import (
	"context"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heapsnap/cdp"
)

// A guard is a second heapsnap that sees to it that an inspector opened by a
// signal is closed again, whatever becomes of this one: it is told by a pipe,
// whose other end also closes when this process is killed. A frozen program may
// open its inspector long after we have given up.
type guard struct {
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

// guardInspector starts the guard of a process whose inspector will be opened.
// Without a program of our own to start (in tests) it does nothing.
func (a *app) guardInspector(pid int) *guard {
	if a.self == "" {
		return &guard{}
	}
	cmd := exec.Command(a.self, "close-inspector", "--pid", strconv.Itoa(pid))
	detach(cmd)
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		a.note("warning: nobody will close the inspector of process %d if heapsnap is killed: %v", pid, err)
		return &guard{}
	}
	return &guard{pipe, cmd}
}

const guardOver = "closed"

// over ends the guard: the inspector is closed, or was never opened.
func (g *guard) over() {
	if g == nil || g.cmd == nil {
		return
	}
	_, _ = io.WriteString(g.pipe, guardOver)
	_ = g.pipe.Close()
	_ = g.cmd.Wait()
	g.cmd = nil
}

// guardLimit is how long a program may take to come back from native code.
const guardLimit = 24 * time.Hour

func newCloseInspector(a *app) *cobra.Command {
	pid := 0
	cmd := &cobra.Command{
		Use:    "close-inspector --pid N",
		Short:  "Close the inspector of a process as soon as it is open (used by heapsnap itself)",
		Hidden: true,
		Args:   arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pid <= 0 {
				return usagef("--pid is missing: heapsnap close-inspector --pid N")
			}
			said, _ := io.ReadAll(io.LimitReader(a.in, 64))
			if strings.TrimSpace(string(said)) == guardOver {
				return nil
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), guardLimit)
			defer cancel()
			return trouble(cdp.CloseWhenOpen(ctx, pid))
		},
	}
	cmd.Flags().IntVar(&pid, "pid", 0, "process id")
	return cmd
}

// Command heapsnap tells which line of a Node.js program leaks.
//
// One file per subcommand, and each is thin: flags in, one library call,
// report out. What they share is in root.go (flags, terminal), output.go
// (reports and files), target.go (how a process is named), progress.go and
// exit.go, which alone knows the exit codes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// hangPatience is how long a run may take to end after it was told to. Reads
// from a pipe that nobody writes to cannot be told.
const hangPatience = 20 * time.Second

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		select {
		case <-signals:
		case <-time.After(hangPatience):
		}
		fmt.Fprintln(os.Stderr)
		os.Exit(exitInterrupted)
	}()
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	a.self, _ = os.Executable() // without it there is no guard: see guard.go
	os.Exit(run(ctx, a, os.Args[1:]))
}

package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"heapsnap/cdp"
)

// Options describe a run. One of Launch.Argv and Target must be given, and one
// of LoadCommand, LoadFunction and Every.
type Options struct {
	Launch cdp.LaunchOptions // a command to start, which is stopped at the end
	Target cdp.Target        // or a process that runs, which is left running
	Opened bool              // Target's inspector was opened for this run: close it at the end
	Worker int               // thread id of the worker to check, 0 for the main thread
	// NoWorkers leaves the worker threads of the target alone. Else, where Worker
	// is 0, those that grow are captured, too, in three more rounds.
	NoWorkers bool

	Warmup int // rounds before the first capture: 2 if 0, none if negative
	Rounds int // rounds after it, with a capture after each: 5 if 0
	// Undecided is asked after those rounds, with the captures' files, whether one
	// more is needed to tell; and again after each, up to MaxRounds rounds in all.
	// The target runs on meanwhile. Nil is never.
	Undecided func(ctx context.Context, paths []string) (bool, error)
	MaxRounds int

	// LoadCommand is run by sh -c. It finds the round in HEAPSNAP_ROUND, counted
	// from 1 with the warm-up, and the target's pid in HEAPSNAP_PID.
	LoadCommand string
	LoadOutput  io.Writer // its stdout and stderr, nil to drop them
	// LoadFunction is the name of a function on globalThis, called with the round
	// and awaited.
	LoadFunction string
	// Every is a time to wait: the program has load of its own.
	Every       time.Duration
	LoadTimeout time.Duration // of one round; none if 0

	Ready        string        // URL that must answer before the first round
	ReadyTimeout time.Duration // for Ready, LoadFunction and Worker to appear: 30 s if 0

	Dir    string // where the captures go; made if missing
	Suffix string // after ".heapsnapshot", such as ".zst"
	// Create opens a file for a capture, compressing as Suffix says. It is called
	// with a name that ends in ".partial". Nil writes plain files.
	Create func(path string) (io.WriteCloser, error)
	Tool   string // written into the sidecars, such as "heapsnap 1.2"

	Numeric, Internals bool // see cdp.CaptureOptions
	// Stacks records which functions made what stays, from the first capture on.
	// The program is several times slower meanwhile.
	Stacks bool
	Settle cdp.SettleOptions
	Force  bool // capture even if the target may run out of memory

	// Progress is told what happens; it must return soon. It may be nil.
	Progress func(Event)
}

// Phase is what a run is doing.
type Phase string

const (
	Launching Phase = "launch"  // starting or connecting
	Waiting   Phase = "ready"   // for the program to be up
	Loading   Phase = "load"    // a round of load
	Settling  Phase = "settle"  // collecting garbage until the heap is quiet
	Capturing Phase = "capture" // the target's thread stands still
	Deciding  Phase = "decide"  // asking Undecided
)

// Event is a step of a run. A phase has one event when it begins; Capturing has
// more, with how far it is.
type Event struct {
	Phase  Phase
	Round  int  // from 1 with the warm-up; 0 before the first
	Rounds int  // how many there will be
	Warmup bool // this round is not measured
	// Capture is the capture under way, from 1, of Captures.
	Capture, Captures int
	Done, Total       int    // heap nodes walked
	Bytes             uint64 // written
}

func (o *Options) complete() error {
	switch {
	case len(o.Launch.Argv) == 0 && o.Target.WebSocketURL == "":
		return errors.New("check: no target: give a command to start or a process to attach to")
	case len(o.Launch.Argv) > 0 && o.Target.WebSocketURL != "":
		return errors.New("check: a command to start and a process to attach to: give one of them")
	case o.Dir == "":
		return errors.New("check: no directory for the captures")
	}
	loads := 0
	for _, given := range []bool{o.LoadCommand != "", o.LoadFunction != "", o.Every > 0} {
		if given {
			loads++
		}
	}
	if loads != 1 {
		return fmt.Errorf("check: %d kinds of load: give one of a load command, a load function and a time to wait", loads)
	}
	switch {
	case o.Warmup == 0:
		o.Warmup = 2
	case o.Warmup < 0:
		o.Warmup = 0
	}
	switch {
	case o.Rounds == 0:
		o.Rounds = 5
	case o.Rounds < 0:
		return fmt.Errorf("check: %d rounds", o.Rounds)
	}
	if o.ReadyTimeout <= 0 {
		o.ReadyTimeout = 30 * time.Second
	}
	if o.LoadOutput == nil {
		o.LoadOutput = io.Discard
	}
	if o.Create == nil {
		o.Create = createPlain
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	return nil
}

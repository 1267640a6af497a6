package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"heapsnap/cdp"
	"heapsnap/eventloop"
)

// Options describe a run. One of Launch.Argv and Target must be given, and one
// of LoadCommand, LoadFunction, HTTP, Tests and Every.
type Options struct {
	Launch cdp.LaunchOptions // a command to start, which is stopped at the end
	Target cdp.Target        // or a process that runs, which is left running
	Opened bool              // Target's inspector was opened for this run: close it at the end
	Worker int               // thread id of the worker to check, 0 for the main thread
	// NoWorkers leaves the worker threads of the target alone. Else, where Worker
	// is 0, those that grow are captured, too, in three more rounds.
	NoWorkers bool

	Warmup int // rounds before the first capture: 2 if 0, none if negative
	// MaxWarmup is how many it may become until the heap settles: until a round
	// adds little, or as much as the round before it. No more than Warmup if 0.
	MaxWarmup int
	Rounds    int // rounds after it, with a capture after each: 5 if 0
	MaxRounds int // how many it may become if Decide asks for more
	// Units is how often the load is run in a round: 1 if 0, and if negative as
	// often as fits into half a second, up to 101 times, or less often if that
	// leaves behind more than it takes to be seen. A leak of one object per run of
	// the load is one object per round otherwise, which is nothing.
	Units int

	// Decide is asked after the rounds what to do; the target runs on meanwhile.
	// Nil is Enough.
	Decide func(ctx context.Context, so *Series) (Decision, error)

	// LoadCommand is run by sh -c. It finds the round in HEAPSNAP_ROUND, counted
	// from 1 with the warm-up, in HEAPSNAP_RUN which run of the command it is,
	// over all rounds, and the target's pid in HEAPSNAP_PID.
	LoadCommand string
	LoadOutput  io.Writer // its stdout and stderr, nil to drop them
	// LoadFunction is the name of a function on globalThis, called with the number
	// of the call over all rounds, from 1, and awaited.
	LoadFunction string
	// Every is a time to wait: the program has load of its own.
	Every time.Duration
	// HTTP are requests that are sent in turn, Units of them in a round, and up to
	// 200 if that is negative; Concurrency is how many are under way at a time, 8
	// if 0. A round none of whose requests is answered below 400 ends the run.
	HTTP        []Request
	Concurrency int
	// Tests are files whose tests are the work: a unit is to run all of them, in
	// one process that has loaded them once. Launch.Argv is then node and its
	// flags, or empty. TestRunner is found out if it is empty.
	Tests       []string
	TestRunner  TestRunner
	LoadTimeout time.Duration // of one run of a command, or of all calls or requests of a round; none if 0

	// Ready is how to see that the program is up. Without it, an HTTP load waits
	// until the server of its first request accepts connections.
	Ready        Readiness
	ReadyTimeout time.Duration // for Ready, LoadFunction and Worker to appear: 30 s if 0

	Dir    string // where the captures go, and the output of a command that is started; made if missing
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

	// Loop is told what the event loop did under load, which is recorded behind all
	// rounds, in rounds without a snapshot, and says whether to record it once more.
	// Nil leaves that out. LoopBlock is how long a block is whose line has to be
	// clear, see [eventloop.RecordOptions].
	Loop      func(*eventloop.Recording) (again bool)
	LoopBlock time.Duration

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
	Deciding  Phase = "decide"  // asking Decide
	Repeating Phase = "repeat"  // load in one go, before what grew is looked at again
	Resting   Phase = "rest"    // waiting for what goes by itself, likewise
	Recording Phase = "loop"    // load while the event loop is recorded
	Ending    Phase = "end"     // letting the target go; there is no event of it
)

// Decision is what a run does next.
type Decision int

// The decisions. After More and Confirm, Decide is asked again.
const (
	Enough Decision = iota // end the run
	More                   // one round more, if MaxRounds allows it
	// Confirm is much work in one go, a rest, and a capture. What grows with the
	// work still grows then; what has a bound has come nearer to it, and what
	// lives for some time only is gone. There are no further rounds after it.
	Confirm
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
	// Repetition is the round under way of Repetitions in one go.
	Repetition, Repetitions int
	Done, Total             int    // heap nodes walked
	Bytes                   uint64 // written
}

func (o *Options) complete() error {
	switch {
	case len(o.Tests) > 0 && o.Target.WebSocketURL != "":
		return errors.New("check: test files and a process to attach to: tests are run in a process of their own")
	case len(o.Tests) == 0 && len(o.Launch.Argv) == 0 && o.Target.WebSocketURL == "":
		return errors.New("check: no target: give a command to start or a process to attach to")
	case len(o.Launch.Argv) > 0 && o.Target.WebSocketURL != "":
		return errors.New("check: a command to start and a process to attach to: give one of them")
	case o.Dir == "":
		return errors.New("check: no directory for the captures")
	}
	for _, r := range o.HTTP {
		if err := r.check(); err != nil {
			return fmt.Errorf("check: request %s %s: %w", r.Method, r.URL, err)
		}
	}
	if o.Loop != nil && o.Stacks {
		return errors.New("check: call stacks and the event loop: the program is several times slower while stacks are recorded, ask for one of them")
	}
	if o.Ready == (Readiness{}) && len(o.HTTP) > 0 {
		o.Ready.Addr = o.HTTP[0].address()
	}
	if o.Ready.Line != nil && len(o.Launch.Argv) == 0 {
		return errors.New("check: a line of output to wait for, and no command to start: the output of a program that runs is not seen")
	}
	loads := 0
	for _, given := range []bool{o.LoadCommand != "", o.LoadFunction != "", o.Every > 0, len(o.HTTP) > 0, len(o.Tests) > 0} {
		if given {
			loads++
		}
	}
	if loads != 1 {
		return fmt.Errorf("check: %d kinds of load: give one of a load command, a load function, HTTP requests, test files and a time to wait", loads)
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
	o.MaxWarmup = max(o.MaxWarmup, o.Warmup)
	if o.Units == 0 {
		o.Units = 1
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

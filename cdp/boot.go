package cdp

import (
	"context"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
)

// Node 18 deadlocks for good if an expression with the command line API (which
// gives require) interrupts its startup: GetCLIOptions in src/node_options.cc
// holds cli_options_mutex while it runs JavaScript, and installing require takes
// the mutex again. Seen in 11 of 100 launches; in none of 150 with 20, 22, 24
// and 26 each.
const bootSafe = 20

// bootWait is how long startup may take. A program that has not turned its
// event loop by then is past it, and at work in its main script.
const bootWait = 5 * time.Second

// boot waits until an expression with the command line API is safe; after the
// first time, and from Node 20, it does nothing.
func (s *Session) boot(ctx context.Context) error {
	if s.booted.Load() || s.target.Major() >= bootSafe {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, bootWait)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		// Neither of these needs the command line API. A worker starts up late in
		// the life of a process, so only the main thread may skip the turn.
		yes := true
		r, err := proto.Call(short, s, runtime.Evaluate, runtime.EvaluateParams{
			Expression:    "process.uptime()",
			ReturnByValue: &yes,
			Silent:        &yes,
		})
		var age float64
		if err == nil && decodeValue("age", r.Result, r.ExceptionDetails, &age) == nil && s.parent == nil && age > bootWait.Seconds() {
			break
		}
		if err == nil {
			r, err = proto.Call(short, s, runtime.Evaluate, runtime.EvaluateParams{
				Expression:   "new Promise((turned) => setTimeout(turned, 0))",
				AwaitPromise: &yes,
				Silent:       &yes,
			})
			if err == nil && r.ExceptionDetails == nil {
				break
			}
		}
		if s.Err() != nil || ctx.Err() != nil {
			return err
		}
		if short.Err() != nil {
			break
		}
		select {
		case <-tick.C:
		case <-short.Done():
		}
	}
	s.booted.Store(true)
	return nil
}

package cdp

import (
	"context"
	"errors"
	"time"
)

// bootWait is how long startup may take before it is taken for done: the
// program may have replaced what says so.
const bootWait = 5 * time.Second

// BootedExpression is true once Node's own startup is done: its process object
// then has argv, and a CommonJS program its main module; others have after a
// second. It touches nothing that Node makes on first use: looking at
// performance while Node 18 starts leaves the program without it for ever.
const BootedExpression = "typeof process === 'object' && Array.isArray(process.argv) && (process.mainModule !== undefined || process.uptime() > 1)"

// boot waits until an expression with the command line API (which gives require)
// is safe; after the first time it does nothing. What interrupts Node's startup:
//
//   - Node 18 may deadlock for good: GetCLIOptions in src/node_options.cc holds
//     cli_options_mutex while it runs JavaScript, and installing require takes the
//     mutex again. Seen in 11 of 100 launches.
//   - Later lines may not have process.argv yet, or a builtin's own dependencies
//     ("Class extends value undefined"). Seen with 20 on a busy machine, in 6 of
//     100 launches.
func (s *Session) boot(ctx context.Context) error {
	if s.booted.Load() {
		return nil
	}
	timeout := time.NewTimer(bootWait)
	defer timeout.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for done := false; !done; {
		err := s.EvaluateBare(ctx, BootedExpression, &done)
		var thrown *JSError // what it asks for comes up during startup
		if err != nil && !errors.As(err, &thrown) {
			return err
		}
		if done {
			break
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			done = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.booted.Store(true)
	return nil
}

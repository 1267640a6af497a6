package cdp

import (
	"context"
	"errors"
	"fmt"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
)

// SettleOptions say how long to wait for quiet. The zero value is the default.
type SettleOptions struct {
	MinPasses int           // 3: two for weak references and their callbacks, one to see that nothing follows
	MaxPasses int           // 12
	Pause     time.Duration // 50 ms: how long the event loop turns between two collections
}

// Settled is how the heap was left.
type Settled struct {
	Passes   int    `json:"passes"`
	HeapUsed uint64 `json:"heapUsed"`
	// Quiet is false if the heap still changed after MaxPasses: the program is at
	// work, and what is in flight will be in a snapshot.
	Quiet bool `json:"quiet"`
}

// Two readings agree if they differ by less than both would by themselves:
// inline caches, the evaluated expression, a timer.
const (
	settleBytes    = 64 << 10
	settleFraction = 0.005
)

// turnTimeout is how long the event loop may take for a turn that needs no time
// at all before the target is called blocked.
const turnTimeout = 30 * time.Second

// Settle collects garbage and lets the event loop turn, again and again, until
// the heap stops changing. Between collections FinalizationRegistry callbacks,
// immediates and due timers run, so what they let go of is gone too.
func (s *Session) Settle(ctx context.Context, o SettleOptions) (Settled, error) {
	if o.MinPasses <= 0 {
		o.MinPasses = 3
	}
	if o.MaxPasses <= 0 {
		o.MaxPasses = 12
	}
	o.MaxPasses = max(o.MaxPasses, o.MinPasses)
	// While an inspector is attached, V8 keeps what the last 1000 calls of
	// console.log were given.
	if _, err := proto.Call(ctx, s, runtime.DiscardConsoleEntries, proto.Empty{}); err != nil {
		return Settled{}, fmt.Errorf("settle: %w", err)
	}
	if o.Pause <= 0 {
		o.Pause = 50 * time.Millisecond
	}
	var last Settled
	for pass := 1; pass <= o.MaxPasses; pass++ {
		if err := s.turn(ctx, o.Pause); err != nil {
			return last, fmt.Errorf("settle: %w", err)
		}
		if _, err := proto.Call(ctx, s, heapprofiler.CollectGarbage, proto.Empty{}); err != nil {
			return last, fmt.Errorf("settle: %w", err)
		}
		usage, err := proto.Call(ctx, s, runtime.GetHeapUsage, proto.Empty{})
		if err != nil {
			return last, fmt.Errorf("settle: %w", err)
		}
		used := uint64(usage.UsedSize)
		change := used - last.HeapUsed
		if used < last.HeapUsed {
			change = last.HeapUsed - used
		}
		quiet := pass > 1 && float64(change) <= max(settleBytes, settleFraction*float64(used))
		last = Settled{Passes: pass, HeapUsed: used, Quiet: quiet}
		if quiet && pass >= o.MinPasses {
			break
		}
	}
	return last, nil
}

// turn lets the event loop of the target run for the duration, and then through
// its check phase twice.
func (s *Session) turn(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, turnTimeout+d, errBlocked)
	defer cancel()
	return s.Await(ctx, Builtins(fmt.Sprintf(`
	const t = m('timers');
	return new Promise((done) => t.setTimeout(() => t.setImmediate(() => t.setImmediate(done)), %d));`,
		d.Milliseconds())), nil)
}

var errBlocked = errors.New("the event loop did not turn for 30s: the target is blocked")

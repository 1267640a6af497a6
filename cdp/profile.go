package cdp

import (
	"context"
	"fmt"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/profiler"
)

// StartProfile starts V8's CPU profiler on the session's thread; a sample is
// taken every interval. [Session.StopProfile] is owed. The end of the session,
// also by the death of this program, ends the profiler in the target.
//
// Starting takes the thread 20 to 50 ms, and while it runs the loop's own
// utilization figures are wrong: the sampler's signals end the loop's waiting
// for events early (Linux, Node 18 to 26).
func (s *Session) StartProfile(ctx context.Context, interval time.Duration) error {
	if _, err := proto.Call(ctx, s, profiler.Enable, proto.Empty{}); err != nil {
		return fmt.Errorf("start profile: %w", err)
	}
	params := profiler.SetSamplingIntervalParams{Interval: interval.Microseconds()}
	_, err := proto.Call(ctx, s, profiler.SetSamplingInterval, params)
	if err == nil {
		_, err = proto.Call(ctx, s, profiler.Start, proto.Empty{})
	}
	if err != nil {
		s.dropProfiler(ctx)
		return fmt.Errorf("start profile: %w", err)
	}
	return nil
}

// StopProfile ends the profiler and returns what it saw as the text of a
// .cpuprofile file. A thread that is busy in native code answers when that
// returns. If ctx ends first the profile is lost, and the profiler is ended
// nevertheless.
func (s *Session) StopProfile(ctx context.Context) ([]byte, error) {
	defer s.dropProfiler(ctx)
	var r struct {
		Profile jsonv2.Value `json:"profile"`
	}
	if err := s.Call(ctx, profiler.Stop.Method, nil, &r); err != nil {
		return nil, fmt.Errorf("stop profile: %w", err)
	}
	return r.Profile, nil
}

// dropProfiler disables the profiler, which also ends a running profile.
func (s *Session) dropProfiler(ctx context.Context) { undo(ctx, s, profiler.Disable, undoPatience) }

// Deoptimize makes V8 drop the code it has optimized so far; what is hot is
// optimized anew within some hundred milliseconds. Code that was optimized
// before a profile began does not tell which function was inlined into which,
// and all its time goes to the caller (seen with 26; V8 notes inlined positions
// only while a profiler runs). It is a side effect of precise coverage, which
// is on for that moment only (V8's src/debug/debug-coverage.cc, SelectMode); V8
// walks the heap for it, 0.2 s for 100 MB.
func (s *Session) Deoptimize(ctx context.Context) error {
	defer undo(ctx, s, profiler.StopPreciseCoverage, undoPatience)
	no := false
	params := profiler.StartPreciseCoverageParams{CallCount: &no, Detailed: &no}
	if _, err := proto.Call(ctx, s, profiler.StartPreciseCoverage, params); err != nil {
		return fmt.Errorf("deoptimize: %w", err)
	}
	return nil
}

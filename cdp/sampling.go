package cdp

import (
	"context"
	"fmt"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/heapprofiler"
)

// SamplingOptions choose what a sampling heap profile is of.
type SamplingOptions struct {
	Interval uint64 // bytes between two samples on average; 64 KiB if 0
	// Collected includes what was collected meanwhile: who allocates, and not only
	// who keeps. Node 18 does not know it and goes on with what lives.
	Collected bool
}

// SamplingInterval is the default. It costs less than can be measured on a busy service, and finds
// what keeps a megabyte.
const SamplingInterval = 64 << 10

// StartSampling starts V8's sampling heap profiler on the session's thread.
// [Session.StopSampling] is owed. The end of the session, also by the death of
// this program, ends it in the target.
func (s *Session) StartSampling(ctx context.Context, o SamplingOptions) error {
	if o.Interval == 0 {
		o.Interval = SamplingInterval
	}
	params := heapprofiler.StartSamplingParams{SamplingInterval: float64(o.Interval)}
	if o.Collected {
		params.IncludeObjectsCollectedByMajorGC, params.IncludeObjectsCollectedByMinorGC = &o.Collected, &o.Collected
	}
	if _, err := proto.Call(ctx, s, heapprofiler.StartSampling, params); err != nil {
		return fmt.Errorf("start sampling: %w", err)
	}
	return nil
}

// StopSampling ends the sampler and returns what it saw as the text of a
// .heapprofile file. V8 collects all garbage first: what died is not in it, and
// the thread stands still for that. If ctx ends first the profile is lost, and
// the sampler is ended nevertheless.
func (s *Session) StopSampling(ctx context.Context) ([]byte, error) {
	var r struct {
		Profile jsonv2.Value `json:"profile"`
	}
	if err := s.Call(ctx, heapprofiler.StopSampling.Method, nil, &r); err != nil {
		s.DropSampling(ctx)
		return nil, fmt.Errorf("stop sampling: %w", err)
	}
	return r.Profile, nil
}

// DropSampling ends the sampler when nobody wants its profile any more. The
// command that was given up is on its way, so this waits behind it.
func (s *Session) DropSampling(ctx context.Context) {
	undo(ctx, s, heapprofiler.StopSampling, undoPatience)
}

package cdp

import (
	"context"
	"fmt"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
)

// trackingCleanup bounds the command that ends tracking.
const trackingCleanup = 5 * time.Second

// TrackAllocations makes V8 note, of every object from now on, which functions
// were being called when it was made; snapshots then have it for those that
// live. The target runs 5 to 8 times slower meanwhile (Node 18 to 26). stop ends
// that, and with it all object ids: snapshots after it cannot be compared with
// those before. The end of the session ends it too.
func (s *Session) TrackAllocations(ctx context.Context) (stop func(), err error) {
	yes := true
	if _, err := proto.Call(ctx, s, heapprofiler.StartTrackingHeapObjects, heapprofiler.StartTrackingHeapObjectsParams{TrackAllocations: &yes}); err != nil {
		return nil, fmt.Errorf("track allocations: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trackingCleanup)
		defer cancel()
		// stopTrackingHeapObjects would send a snapshot. If this fails, the
		// session is ending, and tracking ends with it.
		_, _ = proto.Call(ctx, s, heapprofiler.Disable, proto.Empty{})
	}, nil
}

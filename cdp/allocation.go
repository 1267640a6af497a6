package cdp

import (
	"context"
	"fmt"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
)

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
		// stopTrackingHeapObjects would send a snapshot.
		undo(ctx, s, heapprofiler.Disable, undoPatience)
	}, nil
}

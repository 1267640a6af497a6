package cdp

import (
	"context"
	"fmt"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
)

// CollectGarbage makes V8 collect all garbage of the session's thread, which
// stands still meanwhile: about a second for a gigabyte of live objects.
func (s *Session) CollectGarbage(ctx context.Context) error {
	if _, err := proto.Call(ctx, s, heapprofiler.CollectGarbage, proto.Empty{}); err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}

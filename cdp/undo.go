package cdp

import (
	"context"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
)

// undoPatience bounds a command that takes away what the session has brought.
const undoPatience = 5 * time.Second

// undo calls a command that takes away again what the session has brought into
// the target, even if ctx is over. If it fails, the session is ending, and what
// the command would have ended ends with it.
func undo[R any](ctx context.Context, s *Session, command proto.Command[proto.Empty, R], patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, _ = proto.Call(ctx, s, command, proto.Empty{})
}

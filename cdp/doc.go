// Package cdp talks to Node.js over its inspector: it finds or starts a target,
// opens one connection to it, and asks that connection for memory figures,
// garbage collections, heap snapshots, profiles, traces and stacks. It knows
// nothing of what is inside a snapshot; the bytes go to an [io.Writer] as they
// arrive.
//
// The types to know are [Target] (where a process can be reached), [Session]
// (one connection to it, or to one of its worker threads) and [Launched] (a
// target this program started and must stop).
//
//	t, err := cdp.Discover(ctx, "127.0.0.1:9229")
//	s, err := cdp.Dial(ctx, t)
//	defer s.Close()
//	_, err = s.Settle(ctx, cdp.SettleOptions{})
//	info, err := s.Capture(ctx, file, cdp.CaptureOptions{})
//
// Captures that are to be compared by object id must come from one Session:
// V8 forgets every id when a session that used the heap profiler ends.
package cdp

package cdp

import (
	"context"
	"fmt"
	"math"
)

// Descriptors are the file descriptors that the target's process has open: its
// sockets, pipes and files.
type Descriptors struct {
	Open  int `json:"open"`  // 0 where that is not known: /proc is Linux's
	Limit int `json:"limit"` // what it may have open at once, 0 if unlimited or not known
}

// Free is how many more may be opened, [math.MaxInt] if that is unlimited or not
// known.
func (d Descriptors) Free() int {
	if d.Limit == 0 {
		return math.MaxInt
	}
	return max(d.Limit-d.Open, 0)
}

// Node raises the soft limit to the hard one as it starts (node::PlatformInit, 18
// to 26), so the soft limit is what holds. With --permission, or where a test has
// replaced fs, reading fails and nothing is known.
var descriptorsExpression = Builtins(`
	try {
		const fs = m('fs');
		const limit = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'));
		return { open: fs.readdirSync('/proc/self/fd').length - 1, limit: limit ? +limit[1] : 0 };
	} catch { return { open: 0, limit: 0 }; }`)

// Descriptors counts the open file descriptors of the target's process. What
// cannot be known is 0, and no error.
func (s *Session) Descriptors(ctx context.Context) (Descriptors, error) {
	var d Descriptors
	if err := s.Evaluate(ctx, descriptorsExpression, &d); err != nil {
		return Descriptors{}, fmt.Errorf("file descriptors of %s: %w", s.target, err)
	}
	return d, nil
}

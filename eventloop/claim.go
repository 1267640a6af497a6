package eventloop

// A claim is a cause's explanation of a sample.
type claim struct {
	cause  *Cause
	site   Site
	detail string   // what was called: "fs.readFileSync", "JSON.parse", a pattern
	in     []module // the packages that did it for the program, innermost first
}

// part is a share of a call tree node's time and what it was spent on.
type part struct {
	share float64
	*claim
	line int
}

// claimKey is what the claims of one finding have in common.
type claimKey struct {
	cause *Cause
	functionKey
}

// claimTime is the time of a block that went into the claims of one key.
type claimTime struct {
	queue  bool  // of microtasks or ticks
	us     int64 // of the block's time
	lines  map[Site]int64
	detail map[string]int64
	leaves map[stackKey]int64
	in     map[module]int64 // packages on the stack
}

func newClaimTime() *claimTime {
	return &claimTime{lines: map[Site]int64{}, detail: map[string]int64{}, leaves: map[stackKey]int64{}, in: map[module]int64{}}
}

// explain asks the causes what a node's time was spent on, line by line.
func (a *analysis) explain(l *ledger, k stackKey) []part {
	if l == a.main {
		if parts, known := a.claims[k]; known {
			return parts
		}
	}
	tree := l.trees[k.profile]
	v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src}
	if tree.meta(k.node) {
		v.stack = nil
	}
	var parts []part
	total := 0
	ticks := tree.nodes[k.node].PositionTicks
	if len(v.stack) > 0 && v.user(0) {
		for _, t := range ticks {
			total += t.Ticks
		}
	}
	if total == 0 {
		parts = []part{{1, a.claim(v), 0}}
	} else {
		for _, t := range ticks {
			v.line = t.Line
			parts = append(parts, part{float64(t.Ticks) / float64(total), a.claim(v), t.Line})
		}
	}
	if l == a.main {
		a.claims[k] = parts
	}
	return parts
}

// claim is what the first cause says that claims the sample.
func (a *analysis) claim(v *sample) *claim {
	for _, c := range sampled {
		if len(v.stack) == 0 && c != &nativeCause {
			continue
		}
		if found := c.ofSample(v); found != nil {
			found.cause = c
			found.in = v.modules()
			if queue := a.storm(v, found); queue != nil {
				return queue
			}
			return found
		}
	}
	return nil // nativeCause claims everything
}

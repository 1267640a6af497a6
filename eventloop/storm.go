package eventloop

// storm finds time that was spent in very many short calls by the microtask or
// the nextTick queue. Code without a loop is over in microseconds; if it takes
// long all the same, and was called by the queue, the queue called it very often.
func (a *analysis) storm(v *sample, c *claim) *claim {
	if c.cause != &cpuCause && c.cause != &nativeCause || len(v.stack) == 0 {
		return nil
	}
	// The bottom of the stack: the queue itself, or a function that V8 resumed or
	// called, which then has nothing below it.
	bottom := len(v.stack) - 1
	byTick := false
	for ; bottom >= 0 && !v.user(bottom); bottom-- {
		switch f := v.frame(bottom); {
		case f.FunctionName == "processTicksAndRejections":
			byTick = true
		case f.FunctionName == "runMicrotasks" || f.FunctionName == "runMicrotask" || f.FunctionName == "runNextTicks":
			byTick = byTick && f.FunctionName != "runMicrotasks"
		case f.URL == "node:internal/process/task_queues" || f.URL == "node:internal/process/promises":
		case f.URL == "node:internal/timers" && byTick: // ticks between two timers
		default:
			return nil
		}
	}
	if bottom < 0 {
		return nil
	}
	src := a.src.of(v.frame(bottom).URL)
	if src == nil {
		return nil
	}
	f, ok := src.FunctionAt(v.frame(bottom).LineNumber, v.frame(bottom).ColumnNumber)
	if !ok || f.Head == 0 && f.Body == 0 {
		return nil // top-level code
	}
	awaits := -1 // an await that a loop comes to again and again
	for i := f.Body; i < f.End && i < len(src.Tokens); i++ {
		if src.At(i) == "await" && src.LoopAround(f, i) >= 0 {
			awaits = i
			break
		}
	}
	// Any loop on the way may be what takes the time, but one that awaits.
	seen := map[CallFrame]bool{}
	for i := bottom; i >= 0; i-- {
		if !v.user(i) {
			continue
		}
		frame := *v.frame(i)
		if seen[frame] {
			return nil // it calls itself
		}
		seen[frame] = true
		s := a.src.of(frame.URL)
		if s == nil {
			return nil
		}
		fn, ok := s.FunctionAt(frame.LineNumber, frame.ColumnNumber)
		if !ok {
			return nil
		}
		line := v.line
		if i > 0 {
			line, _ = v.callLine(i)
		}
		from, to := s.OnLine(line)
		if from >= to {
			continue
		}
		// Code that was inlined has the line of another function.
		if from >= fn.End || to <= fn.Head {
			if other, ok := s.Enclosing(from); ok {
				fn = other
			}
		}
		loop := s.LoopAround(fn, from)
		if loop < 0 {
			for k := from; k < to && loop < 0; k++ { // a loop on one line
				loop = s.LoopAround(fn, k)
			}
		}
		if loop >= 0 && !s.awaitsIn(loop) {
			return nil
		}
		if s.passed(fn.Head) >= 0 {
			return nil // called for every element of a collection
		}
	}
	if awaits >= 0 {
		return a.queued(&serialAwaitCause, v, bottom, src, awaits, "await")
	}
	if byTick {
		for i := f.Body; i < f.End && i < len(src.Tokens); i++ {
			if src.At(i) == "nextTick" && src.At(i+1) == "(" {
				return a.queued(&nextTickCause, v, bottom, src, i, "process.nextTick")
			}
		}
	}
	for i := f.Body; i < f.End && i < len(src.Tokens); i++ {
		switch src.At(i) {
		case "then", "queueMicrotask", "finally":
			if src.At(i+1) == "(" {
				return a.queued(&microtaskCause, v, bottom, src, i, src.At(i))
			}
		case "nextTick":
			if src.At(i+1) == "(" {
				return a.queued(&nextTickCause, v, bottom, src, i, "process.nextTick")
			}
		}
	}
	return nil
}

func (a *analysis) queued(c *Cause, v *sample, frame int, src *source, at int, detail string) *claim {
	s := siteOfFrame(v.frame(frame)) // and not that of a function inlined into it
	if s.Function == "" {
		if own, fn, ok := v.function(frame); ok {
			s.Function = own.passedTo(fn)
		}
	}
	s.Line, s.Column = src.LineOf(at), src.Column(at)
	return &claim{cause: c, site: s, detail: detail}
}

// awaitsIn reports whether the loop at a token awaits something.
func (src *source) awaitsIn(loop int) bool {
	open := loop + 1
	if src.At(open) == "await" {
		return true
	}
	_, end, ok := src.LoopBody(loop)
	return ok && src.Mentions(open, end, "await")
}

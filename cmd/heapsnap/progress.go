package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"heapsnap/report"
)

// progress is one line on a terminal that is written over and over. Off a
// terminal it writes nothing. Its methods may be called from any goroutine.
type progress struct {
	mu    sync.Mutex
	w     io.Writer // nil: silent
	last  time.Time
	shown bool
}

// progressPace is how often the line changes: often enough to seem alive.
const progressPace = 100 * time.Millisecond

func (a *app) progress() *progress {
	if a.quiet || !a.terminal {
		return &progress{}
	}
	return &progress{w: a.err}
}

// show replaces the line, if the last change is long enough ago.
func (p *progress) show(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.w == nil || time.Since(p.last) < progressPace {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprintf(p.w, "\r\x1b[K%s", report.Printable(fmt.Sprintf(format, args...)))
}

// clear takes the line away, before anything else is written.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
	p.last = time.Time{}
}

// judging shows how far check.Judge is.
func (p *progress) judging(what string, bytes uint64) {
	if bytes > 0 {
		what += ": " + report.FormatBytes(bytes)
	}
	p.show("%s", what)
}

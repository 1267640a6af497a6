package check

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// output is what a program that was started has printed: passed on, written to
// the log, and its end kept for when something goes wrong.
type output struct {
	mu      sync.Mutex
	log     io.Writer // app.log, nil if there is none
	tail    []byte
	partial []byte // the line that is not at its end yet
	line    *regexp.Regexp
	matched bool
}

const (
	tailBytes = 4 << 10
	tailLines = 20 // a crash of Node's takes 16: line and message come first, then the stack
	// matchedBytes of a line are looked at for its match.
	matchedBytes = 64 << 10
)

// to is a writer that passes on to w what it keeps; w may be nil.
func (o *output) to(w io.Writer) io.Writer { return teeing{o, w} }

type teeing struct {
	o *output
	w io.Writer
}

// Write never fails: a reader who went away must not end the program.
func (t teeing) Write(p []byte) (int, error) {
	t.o.note(p)
	if t.w != nil {
		_, _ = t.w.Write(p)
	}
	return len(p), nil
}

func (o *output) note(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.log != nil {
		_, _ = o.log.Write(p)
	}
	o.tail = append(o.tail, p...)
	if n := len(o.tail) - tailBytes; n > 0 {
		o.tail = append(o.tail[:0], o.tail[n:]...)
	}
	if o.line == nil || o.matched {
		return
	}
	for len(p) > 0 && !o.matched {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		if len(o.partial) < matchedBytes {
			o.partial = append(o.partial, line...)
		}
		// A prompt has no line end: what is there so far may match as well.
		o.matched = o.line.Match(bytes.TrimSuffix(o.partial, []byte("\r")))
		if whole {
			o.partial = o.partial[:0]
		}
		p = rest
	}
}

func (o *output) seen() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.matched
}

// lines are the last ones.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(string(o.tail))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-tailLines):]
}

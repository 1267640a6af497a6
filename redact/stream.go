package redact

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"

	"heapsnap/heapsnap"
)

// bufferSize is how much is read at a time.
const bufferSize = 1 << 20

// stream copies its input to its output, but for what is dropped from it and
// put in its place.
type stream struct {
	ctx      context.Context
	in       io.Reader
	out      *bufio.Writer
	progress func(int64)

	buf     []byte // buf[pos:] is read and not looked at
	pos     int
	from    int  // buf[from:pos] is not written yet
	drop    bool // and will not be
	base    int64
	eof     bool
	written uint64
	text    []byte // of string and value
}

func newStream(ctx context.Context, w io.Writer, r io.Reader, progress func(int64)) *stream {
	s := &stream{ctx: ctx, in: r, progress: progress, buf: make([]byte, 0, bufferSize)}
	s.out = bufio.NewWriterSize(countingWriter{w, &s.written}, bufferSize)
	return s
}

type countingWriter struct {
	w io.Writer
	n *uint64
}

func (c countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	*c.n += uint64(n)
	return n, err
}

func (s *stream) offset() int64 { return s.base + int64(s.pos) }

// more reads further bytes. The bytes from keep on stay in the buffer, where
// they then begin at 0; all before are written, or dropped.
func (s *stream) more(keep int) error {
	if s.eof {
		return io.EOF
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if err := s.writeTo(keep); err != nil {
		return err
	}
	rest := copy(s.buf[:cap(s.buf)], s.buf[keep:])
	s.base += int64(keep)
	s.buf, s.pos, s.from = s.buf[:rest], s.pos-keep, 0
	if rest == cap(s.buf) {
		s.buf = append(s.buf, 0)[:rest]
	}
	for range 100 {
		n, err := s.in.Read(s.buf[rest:cap(s.buf)])
		s.buf = s.buf[:rest+n]
		if n > 0 {
			if s.progress != nil {
				s.progress(s.base + int64(len(s.buf)))
			}
			return nil
		}
		if err == io.EOF {
			s.eof = true
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// writeTo writes what stands before end, if it is to be written.
func (s *stream) writeTo(end int) error {
	if s.from >= end {
		return nil
	}
	text := s.buf[s.from:end]
	s.from = end
	if s.drop {
		return nil
	}
	_, err := s.out.Write(text)
	return err
}

// leaveOut begins a part of the input that is not copied, up to putBack.
func (s *stream) leaveOut() error {
	if err := s.writeTo(s.pos); err != nil {
		return err
	}
	s.drop = true
	return nil
}

func (s *stream) putBack() {
	s.drop, s.from = false, s.pos
}

// finish looks that nothing follows the snapshot and flushes the output.
func (s *stream) finish() error {
	if err := s.writeTo(s.pos); err != nil {
		return err
	}
	c, err := s.peek("end", "")
	if err == nil {
		return s.bad("end", "the end of the input", c)
	}
	if !isTruncated(err) {
		return err
	}
	return s.out.Flush()
}

// peek returns the next byte that is not white space, without consuming it.
func (s *stream) peek(section, want string) (byte, error) {
	for {
		for ; s.pos < len(s.buf); s.pos++ {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c, nil
			}
		}
		if err := s.more(s.pos); err == io.EOF {
			return 0, s.truncated(section, want)
		} else if err != nil {
			return 0, err
		}
	}
}

func (s *stream) expect(section string, c byte) error {
	got, err := s.peek(section, fmt.Sprintf("%q", c))
	if err != nil {
		return err
	}
	if got != c {
		return s.bad(section, fmt.Sprintf("%q", c), got)
	}
	s.pos++
	return nil
}

func (s *stream) bad(section, want string, got byte) error {
	return &heapsnap.SyntaxError{Section: section, Offset: s.offset(), Want: want, Got: fmt.Sprintf("%q", got)}
}

// A truncatedError is a SyntaxError that is also heapsnap.ErrTruncated.
type truncatedError struct{ heapsnap.SyntaxError }

func (e *truncatedError) Unwrap() []error { return []error{&e.SyntaxError, heapsnap.ErrTruncated} }

func (s *stream) truncated(section, want string) error {
	return &truncatedError{heapsnap.SyntaxError{Section: section, Offset: s.offset(), Want: want,
		Got: "the end of the input (cut short: was its writer killed?)"}}
}

func isTruncated(err error) bool {
	_, ok := err.(*truncatedError)
	return ok
}

// string consumes a string and returns what stands between its quotes, escapes
// and all, valid until the next call.
func (s *stream) string(section string) ([]byte, error) {
	c, err := s.peek(section, "a string")
	if err != nil {
		return nil, err
	}
	if c != '"' {
		return nil, s.bad(section, "a string in double quotes", c)
	}
	s.pos++
	s.text = s.text[:0]
	escaped := false
	for {
		for i := s.pos; i < len(s.buf); i++ {
			switch c := s.buf[i]; {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				s.text = append(s.text, s.buf[s.pos:i]...)
				s.pos = i + 1
				return s.text, nil
			}
		}
		s.text = append(s.text, s.buf[s.pos:]...)
		s.pos = len(s.buf)
		if err := s.more(s.pos); err == io.EOF {
			return nil, s.truncated(section, "the rest of a string")
		} else if err != nil {
			return nil, err
		}
	}
}

// replace consumes a string and writes what change makes of it, quotes excluded
// on both sides.
func (s *stream) replace(section string, change func(raw []byte) []byte) error {
	if _, err := s.peek(section, "a string"); err != nil {
		return err
	}
	if err := s.leaveOut(); err != nil {
		return err
	}
	raw, err := s.string(section)
	if err != nil {
		return err
	}
	s.putBack()
	return s.quoted(change(raw))
}

// quoted writes a string.
func (s *stream) quoted(raw []byte) error {
	_ = s.out.WriteByte('"') // a bufio.Writer's error stays
	_, _ = s.out.Write(raw)
	return s.out.WriteByte('"')
}

// numbers copies an array of integers and shows each to each, which may return
// another to be written in its place. It returns how many there were.
func (s *stream) numbers(section string, each func(v uint64) uint64) (uint64, error) {
	if err := s.expect(section, '['); err != nil {
		return 0, err
	}
	count := uint64(0)
	for {
		c, err := s.peek(section, "numbers and ]")
		switch {
		case err != nil:
			return count, err
		case c == ']':
			s.pos++
			return count, nil
		case c == ',':
			s.pos++
			continue
		case c-'0' > 9:
			return count, s.bad(section, "numbers with commas between", c)
		}
		start, v := s.pos, uint64(0)
		for {
			for s.pos < len(s.buf) && s.buf[s.pos]-'0' <= 9 {
				v = v*10 + uint64(s.buf[s.pos]-'0')
				s.pos++
			}
			if s.pos < len(s.buf) {
				break
			}
			if err := s.more(start); err == io.EOF {
				return count, s.truncated(section, "further numbers and ]")
			} else if err != nil {
				return count, err
			}
			start = 0
		}
		if s.pos-start > 19 {
			s.pos = start
			return count, s.bad(section, "numbers below 10^19", s.buf[start])
		}
		count++
		if now := each(v); now != v {
			if err := s.writeTo(start); err != nil {
				return count, err
			}
			s.from = s.pos
			if _, err := s.out.Write(strconv.AppendUint(nil, now, 10)); err != nil {
				return count, err
			}
		}
	}
}

// value copies one JSON value of any kind and size; its strings are given to
// change. It needs no recursion: V8's trace_tree nests as deep as the program's
// stack.
func (s *stream) value(section string, change func(raw []byte) []byte) error {
	for depth, started := 0, false; ; {
		c, err := s.peek(section, "the rest of a value")
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if err := s.replace(section, change); err != nil {
				return err
			}
			if started = true; depth == 0 {
				return nil
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return s.outside(section, started, c)
			}
			if depth--; depth == 0 {
				s.pos++
				return nil
			}
		case ',':
			if depth == 0 {
				return s.outside(section, started, c)
			}
		}
		started = true
		s.pos++
	}
}

// outside is the end of a number or word, which what follows it tells.
func (s *stream) outside(section string, started bool, got byte) error {
	if !started {
		return s.bad(section, "a value", got)
	}
	return nil
}

// whole consumes one JSON value of at most limit bytes and returns its text,
// valid until the next call. It is not copied.
func (s *stream) whole(section string, limit int) ([]byte, error) {
	if _, err := s.peek(section, "a value"); err != nil {
		return nil, err
	}
	if err := s.leaveOut(); err != nil {
		return nil, err
	}
	var text []byte
	depth, quoted, escaped := 0, false, false
	for {
		for ; s.pos < len(s.buf); s.pos++ {
			c := s.buf[s.pos]
			text = append(text, c)
			switch {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth <= 0 {
					s.pos++
					s.putBack()
					return text, nil
				}
			}
			if len(text) > limit {
				return nil, s.bad(section, fmt.Sprintf("a value of at most %d bytes", limit), c)
			}
		}
		if err := s.more(s.pos); err == io.EOF {
			return nil, s.truncated(section, "the rest of a value")
		} else if err != nil {
			return nil, err
		}
	}
}

package heapsnap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// blockSize is how much is read, and handed to a worker, at a time: large
// enough that handing over costs nothing, small enough that one is still in the
// cache of the core that reads it when it is parsed.
const blockSize = 256 << 10

// input walks over the bytes of a snapshot. It knows JSON's outer shape only;
// long arrays of numbers are cut into blocks and parsed by several goroutines.
type input struct {
	ctx      context.Context
	r        io.Reader
	buf      []byte // buf[pos:] is read and not consumed
	pos      int
	base     int64 // offset of buf[0] in the input
	eof      bool
	salvage  bool // parse what stands before the end of an array that is cut short
	progress func(read int64)
	free     chan []byte

	// Where columns may not be made at once for all that the header promises,
	// grow makes room for so many numbers of the section that is read next, and
	// returns for how many there is now; no worker runs meanwhile.
	grow func(numbers uint64) uint64
	room uint64         // numbers that the columns have room for, with grow
	busy sync.WaitGroup // blocks that are sent and not parsed yet
}

func newInput(ctx context.Context, r io.Reader, progress func(int64)) *input {
	return &input{ctx: ctx, r: r, progress: progress, buf: make([]byte, 0, blockSize), free: make(chan []byte, 64)}
}

func (in *input) offset() int64 { return in.base + int64(in.pos) }

// more reads further bytes behind buf, dropping the consumed ones if there is
// no room. It returns io.EOF at the end of the input.
func (in *input) more() error {
	if in.eof {
		return io.EOF
	}
	if err := in.ctx.Err(); err != nil {
		return context.Cause(in.ctx)
	}
	if len(in.buf) == cap(in.buf) {
		rest := in.buf[in.pos:]
		to := in.buf[:0]
		if in.pos == 0 {
			to = make([]byte, 0, 2*cap(in.buf))
		}
		to = append(to, rest...)
		in.base += int64(in.pos)
		in.buf, in.pos = to, 0
	}
	for empty := 0; empty < 100; empty++ {
		n, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+n]
		if in.progress != nil && n > 0 {
			in.progress(in.base + int64(len(in.buf)))
		}
		if err == io.EOF {
			in.eof = true
			if n > 0 {
				return nil
			}
			return io.EOF
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// peek returns the next byte that is not white space, without consuming it.
func (in *input) peek(section, want string) (byte, error) {
	for {
		for in.pos < len(in.buf) {
			switch c := in.buf[in.pos]; c {
			case ' ', '\t', '\n', '\r':
				in.pos++
			default:
				return c, nil
			}
		}
		if err := in.more(); err == io.EOF {
			return 0, truncated(section, in.offset(), want)
		} else if err != nil {
			return 0, err
		}
	}
}

// expect consumes c.
func (in *input) expect(section string, c byte) error {
	got, err := in.peek(section, fmt.Sprintf("%q", c))
	if err != nil {
		return err
	}
	if got != c {
		return in.bad(section, fmt.Sprintf("%q", c), got)
	}
	in.pos++
	return nil
}

func (in *input) bad(section, want string, got byte) error {
	return &SyntaxError{section, in.offset(), want, fmt.Sprintf("%q", got)}
}

// key consumes a key and its colon.
func (in *input) key(section string) (string, error) {
	c, err := in.peek(section, "a key")
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", in.bad(section, "a key in double quotes", c)
	}
	raw, err := in.value(section, 1<<10)
	if err != nil {
		return "", err
	}
	key := string(raw[1 : len(raw)-1])
	return key, in.expect(section, ':')
}

// value consumes one JSON value of at most limit bytes and returns its text,
// valid until the next call.
func (in *input) value(section string, limit int) ([]byte, error) {
	if _, err := in.peek(section, "a value"); err != nil {
		return nil, err
	}
	var sc valueScanner
	for n := 0; ; {
		for in.pos+n < len(in.buf) {
			done, extra := sc.next(in.buf[in.pos+n])
			if done {
				if extra {
					n++
				}
				raw := in.buf[in.pos : in.pos+n]
				in.pos += n
				return raw, nil
			}
			if n++; n > limit {
				return nil, &SyntaxError{section, in.offset(), fmt.Sprintf("a value of at most %d bytes", limit), "a longer one"}
			}
		}
		if err := in.more(); err == io.EOF {
			return nil, truncated(section, in.base+int64(len(in.buf)), "the rest of a value")
		} else if err != nil {
			return nil, err
		}
	}
}

// skip consumes one JSON value of any size.
func (in *input) skip(section string) error {
	if _, err := in.peek(section, "a value"); err != nil {
		return err
	}
	var sc valueScanner
	for {
		for in.pos < len(in.buf) {
			done, extra := sc.next(in.buf[in.pos])
			if done {
				if extra {
					in.pos++
				}
				return nil
			}
			in.pos++
		}
		if err := in.more(); err == io.EOF {
			return truncated(section, in.offset(), "the rest of a value")
		} else if err != nil {
			return err
		}
	}
}

// skipNumbers consumes an array of numbers without looking at them.
func (in *input) skipNumbers(section string) error {
	if err := in.expect(section, '['); err != nil {
		return err
	}
	for {
		if end := bytes.IndexByte(in.buf[in.pos:], ']'); end >= 0 {
			in.pos += end + 1
			return nil
		}
		in.pos = len(in.buf)
		if err := in.more(); err == io.EOF {
			return truncated(section, in.offset(), "further numbers and ]")
		} else if err != nil {
			return err
		}
	}
}

// valueScanner finds the end of a JSON value without recursion: V8's
// trace_tree nests as deep as the program's stack.
type valueScanner struct {
	depth   int
	started bool
	str     bool // inside a string
	escaped bool
}

// next takes one byte. done says that the value ended, and extra that the byte
// is part of it.
func (s *valueScanner) next(c byte) (done, extra bool) {
	if s.str {
		switch {
		case s.escaped:
			s.escaped = false
		case c == '\\':
			s.escaped = true
		case c == '"':
			s.str = false
			return s.depth == 0, true
		}
		return false, false
	}
	switch c {
	case '"':
		s.str, s.started = true, true
	case '{', '[':
		s.depth++
		s.started = true
	case '}', ']':
		if s.depth == 0 {
			return true, false // the end of what is around a number
		}
		s.depth--
		return s.depth == 0, true
	case ',', ' ', '\n', '\t', '\r':
		if s.depth == 0 && s.started {
			return true, false
		}
	default:
		s.started = true
	}
	return false, false
}

// A block is a run of complete numbers, each followed by a comma.
type block struct {
	text   []byte
	first  uint64   // index of its first number in the section
	offset int64    // of text[0] in the input
	buf    []byte   // to be given back
	at     int      // where in text its next number begins
	seen   uint64   // numbers before that
	values []uint64 // room for those that next returns
}

// numbers consumes an array of numbers. It calls parse on several goroutines,
// once per block; no two calls see the same numbers. It returns how many
// numbers there were; more than limit is an error.
//
// A block's place in the section is known before it is parsed, because
// counting its commas is some 20 times as fast as reading its digits: so
// workers write straight into the columns.
func (in *input) numbers(section string, limit uint64, parse func(b *block) error) (uint64, error) {
	defer func() { in.grow = nil }()
	if err := in.expect(section, '['); err != nil {
		return 0, err
	}
	var (
		wg     sync.WaitGroup
		failed atomic.Bool
		mu     sync.Mutex
		first  error
		at     int64
		work   = make(chan block, 2)
	)
	fail := func(offset int64, err error) {
		mu.Lock()
		if first == nil || offset < at {
			first, at = err, offset
		}
		mu.Unlock()
		failed.Store(true)
	}
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			values := make([]uint64, 512) // 4 KiB
			for b := range work {
				if b.values = values; !failed.Load() {
					if err := parse(&b); err != nil {
						fail(b.offset, err)
					}
				}
				in.busy.Done()
				select {
				case in.free <- b.buf[:0]:
				default:
				}
			}
		}()
	}
	count, err := in.cut(section, limit, work, &failed)
	close(work)
	wg.Wait()
	if first != nil {
		return count, first
	}
	return count, err
}

// cut divides the array into blocks up to its closing bracket.
func (in *input) cut(section string, limit uint64, work chan<- block, failed *atomic.Bool) (count uint64, err error) {
	send := func(text, buf []byte, offset int64) error {
		n := uint64(bytes.Count(text, []byte{','}))
		if count+n > limit {
			return &SyntaxError{section, offset, fmt.Sprintf("%d numbers, as the header's counts say", limit), "more"}
		}
		if in.grow != nil && count+n > in.room {
			in.busy.Wait()
			in.room = in.grow(count + n)
		}
		in.busy.Add(1)
		work <- block{text: text, first: count, offset: offset, buf: buf}
		count += n
		return nil
	}
	for !failed.Load() {
		for len(in.buf) < cap(in.buf) { // fill the block: short reads of a pipe would make tiny ones
			if err := in.more(); err == io.EOF {
				break
			} else if err != nil {
				return count, err
			}
		}
		rest := in.buf[in.pos:]
		if end := bytes.IndexByte(rest, ']'); end >= 0 {
			text := bytes.TrimLeft(rest[:end], " \t\r\n")
			offset := in.offset() + int64(end-len(text))
			if text = bytes.TrimRight(text, " \t\r\n"); len(text) > 0 {
				buf := append(in.buffer(), text...)
				buf = append(buf, ',')
				if err := send(buf, buf, offset); err != nil {
					return count, err
				}
			}
			in.pos += end + 1
			return count, nil
		}
		cut := bytes.LastIndexByte(rest, ',') + 1
		if in.eof {
			end := in.base + int64(len(in.buf))
			if in.salvage && cut > 0 {
				text, buf, offset := rest[:cut], in.buf, in.offset()
				in.base, in.buf, in.pos = end, nil, 0
				if err := send(text, buf, offset); err != nil {
					return count, err
				}
			}
			return count, truncated(section, end, "further numbers and ]")
		}
		if cut == 0 && in.pos > 0 { // the section began near the buffer's end
			in.base += int64(in.pos)
			in.buf, in.pos = append(in.buf[:0], rest...), 0
			continue
		}
		if cut == 0 {
			return count, &SyntaxError{section, in.offset(), "numbers with commas between", "none in 256 KiB"}
		}
		next := append(in.buffer(), rest[cut:]...)
		text, buf, offset := rest[:cut], in.buf, in.offset()
		in.base = offset + int64(cut)
		in.buf, in.pos = next, 0
		if err := send(text, buf, offset); err != nil {
			return count, err
		}
	}
	return count, errors.New("stopped") // a worker's error is the one that is told
}

func (in *input) buffer() []byte {
	select {
	case b := <-in.free:
		return b
	default:
		return make([]byte, 0, blockSize)
	}
}

// next returns the numbers that follow, some hundreds at a time, and none at
// the block's end. first is the index of the first of them in the section. They
// are overwritten by the next call.
func (b *block) next(section string) (values []uint64, first uint64, err error) {
	n := 0
	for n < len(b.values) && b.at < len(b.text) {
		more, at := decimals(b.values[n:], b.text, b.at)
		n, b.at = n+more, at
		if n == len(b.values) || at == len(b.text) {
			break
		}
		v, at, err := b.number(section, at) // what decimals leaves
		if err != nil && n == 0 {
			return nil, 0, err
		}
		if err != nil {
			break // told by the next call, when those before it were looked at
		}
		b.values[n] = v
		n, b.at = n+1, at
	}
	first = b.first + b.seen
	b.seen += uint64(n)
	return b.values[:n], first, nil
}

// number reads one number of a block at i and consumes the comma behind it.
func (b *block) number(section string, i int) (v uint64, next int, err error) {
	t := b.text
	for isSpace(t[i]) {
		i++
	}
	from := i
	for ; t[i]-'0' <= 9; i++ {
		v = v*10 + uint64(t[i]-'0')
	}
	if i == from || i-from > 19 {
		return 0, 0, b.bad(section, from)
	}
	for isSpace(t[i]) {
		i++
	}
	if t[i] != ',' {
		return 0, 0, b.bad(section, from)
	}
	return v, i + 1, nil
}

// wrong is the error for number i of the section, one of the block's, which is v
// and not what is wanted.
func (b *block) wrong(section string, i uint64, want string, v uint64) error {
	at := 0
	for range i - b.first {
		at += bytes.IndexByte(b.text[at:], ',') + 1
	}
	for isSpace(b.text[at]) {
		at++
	}
	return &SyntaxError{section, b.offset + int64(at), want, fmt.Sprint(v)}
}

func (b *block) bad(section string, i int) error {
	end := min(len(b.text), i+12)
	return &SyntaxError{section, b.offset + int64(i), "numbers with commas between", fmt.Sprintf("%q", b.text[i:end])}
}

func isSpace(c byte) bool { return c == '\n' || c == ' ' || c == '\r' || c == '\t' }

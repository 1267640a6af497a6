package cdp

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Snapshot chunks arrive as {"method":M,"params":{"chunk":"..."}}, 0.1 MB each
// up to Node 22 and 1.3 MB from 24, thousands per snapshot. They skip the JSON
// decoder: the string is unescaped once and written. In a worker the whole
// message is itself a string in {"method":W,"params":{"sessionId":"1","message":"..."}}.
var (
	chunkPrefix  = []byte(`{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"`)
	workerPrefix = []byte(`{"method":"NodeWorker.receivedMessageFromWorker","params":{"sessionId":"`)
	messageKey   = []byte(`","message":"`)
	paramsSuffix = []byte(`"}}`)
)

// dispatchChunk writes the chunk in msg to the capture that runs, if any. It is
// false if msg is anything else, or a chunk in a form it does not know.
func (s *Session) dispatchChunk(msg []byte) bool {
	body, ok := bytes.CutPrefix(msg, chunkPrefix)
	if !ok {
		return false
	}
	if body, ok = bytes.CutSuffix(body, paramsSuffix); !ok {
		return false
	}
	if s.scratch, ok = appendUnescaped(s.scratch[:0], body); !ok {
		return false
	}
	s.writeChunk(s.scratch)
	return true
}

func (s *Session) writeChunk(p []byte) {
	s.mu.Lock()
	sink := s.sink
	s.mu.Unlock()
	if sink != nil {
		sink.write(p)
	}
}

// dispatchToWorker hands a worker's message to its session.
func (s *Session) dispatchToWorker(msg []byte) bool {
	body, ok := bytes.CutPrefix(msg, workerPrefix)
	if !ok {
		return false
	}
	id, body, ok := bytes.Cut(body, messageKey)
	if !ok {
		return false
	}
	if body, ok = bytes.CutSuffix(body, paramsSuffix); !ok {
		return false
	}
	if s.scratch, ok = appendUnescaped(s.scratch[:0], body); !ok {
		return false
	}
	s.dispatchInWorker(string(id), s.scratch)
	return true
}

// appendUnescaped appends the text of a JSON string's body (what is between the
// quotes) to dst. It is false if src is not such a body.
func appendUnescaped(dst, src []byte) ([]byte, bool) {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\\')
		run := src
		if i >= 0 {
			run = src[:i]
		}
		if bytes.IndexByte(run, '"') >= 0 {
			return dst, false
		}
		dst = append(dst, run...)
		if i < 0 {
			break
		}
		src = src[i+1:]
		if len(src) == 0 {
			return dst, false
		}
		c := src[0]
		src = src[1:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, ok := hex4(src)
			if !ok {
				return dst, false
			}
			src = src[4:]
			if utf16.IsSurrogate(r) && len(src) >= 6 && src[0] == '\\' && src[1] == 'u' {
				if low, ok := hex4(src[2:]); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
						src = src[6:]
					}
				}
			}
			dst = utf8.AppendRune(dst, r) // a lone surrogate becomes U+FFFD
		default:
			return dst, false
		}
	}
	return dst, true
}

func hex4(src []byte) (rune, bool) {
	if len(src) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range src[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// sink is where the chunks of one capture go. It is written by the read loop,
// and dropped by the capture that gives up.
type sink struct {
	failed chan struct{} // closed at the first error of the writer

	mu      sync.Mutex
	w       io.Writer
	dropped bool
	err     error
	bytes   uint64
	last    byte   // the last byte that is not white space
	head    []byte // the first bytes, with the counts
	census  *census
}

// headBytes is more than V8 writes before the node_count of a snapshot: its
// meta has 1.2 kB.
const headBytes = 16 << 10

func newSink(w io.Writer) *sink { return &sink{w: w, failed: make(chan struct{}), census: newCensus()} }

func (k *sink) write(p []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dropped || k.err != nil {
		return
	}
	if _, err := k.w.Write(p); err != nil {
		k.err = err
		close(k.failed)
		return
	}
	k.bytes += uint64(len(p))
	if n := headBytes - len(k.head); n > 0 {
		k.head = append(k.head, p[:min(n, len(p))]...)
	}
	k.census.add(p)
	if t := bytes.TrimRight(p, " \n\r\t"); len(t) > 0 {
		k.last = t[len(t)-1]
	}
}

// drop makes sure that the writer is not used again.
func (k *sink) drop() {
	k.mu.Lock()
	k.dropped = true
	k.mu.Unlock()
}

// whileOpen calls f with what was written, unless the sink was dropped; drop
// waits for f.
func (k *sink) whileOpen(f func(bytes uint64)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.dropped && k.err == nil {
		f(k.bytes)
	}
}

var nodeCount = regexp.MustCompile(`"node_count":(\d+)`)

// result is how it ended; nodes is 0 if that was not read, and lacks says what an
// incomplete snapshot lacks.
func (k *sink) result() (size uint64, nodes int, lacks, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if m := nodeCount.FindSubmatch(k.head); m != nil {
		nodes, _ = strconv.Atoi(string(m[1]))
	}
	if k.last != '}' {
		lacks = errors.New("its end is missing")
	} else {
		lacks = k.census.check(k.head)
	}
	return k.bytes, nodes, lacks, k.err
}

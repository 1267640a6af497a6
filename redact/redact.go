package redact

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"
)

// Names says which names of properties, classes and symbols stay.
type Names string

const (
	// NamesOfCode keeps what the program's code spells: names that stand in the
	// bytecode of its functions, name a function, a class or a variable, or are
	// Node's own. Keys that came as data (obj[email] = ...) are spelled nowhere
	// and are replaced. It is the default.
	NamesOfCode Names = "code"
	// AllNames keeps all but those that look like data: long numbers, addresses,
	// tokens, text with spaces.
	AllNames Names = "all"
	// NoNames keeps only V8's and Node's own, and replaces the names of functions,
	// variables and scripts too.
	NoNames Names = "none"
)

// Options say how to redact; the zero value keeps the names of code and makes a
// key that nobody knows.
type Options struct {
	Names Names // NamesOfCode if empty
	// Key makes the replacements. Snapshots that are to be compared by name need
	// the same one. Empty: random.
	Key []byte
}

// minKey is the least length of a key, in bytes. One that can be guessed lets
// texts be guessed: each guess can be tried.
const minKey = 16

// A Redactor replaces texts. It may be used for several snapshots, one after
// the other.
type Redactor struct {
	names Names
	mac   hash.Hash
	sum   []byte
	id    string
	short map[string]string // see placeholders.name
	taken map[string]bool

	spelled textSet // texts of this snapshot that code spells
	kept    textSet // names that stayed
}

// New returns a Redactor; the error is about the options.
func New(o Options) (*Redactor, error) {
	switch o.Names {
	case "":
		o.Names = NamesOfCode
	case NamesOfCode, AllNames, NoNames:
	default:
		return nil, fmt.Errorf("names %q: want %s, %s or %s", o.Names, NamesOfCode, AllNames, NoNames)
	}
	key := o.Key
	switch {
	case len(key) == 0:
		key = make([]byte, sha256.Size)
		rand.Read(key)
	case len(key) < minKey:
		return nil, fmt.Errorf("the key has %d bytes: want %d or more, from a random source", len(key), minKey)
	}
	r := &Redactor{
		names: o.Names, mac: hmac.New(sha256.New, key),
		short: map[string]string{}, taken: map[string]bool{}, spelled: newTextSet(), kept: newTextSet(),
	}
	r.id = hex.EncodeToString(r.hash([]byte("heapsnap redact: which key"))[:8])
	return r, nil
}

// KeyID tells keys apart and says nothing else of them.
func (r *Redactor) KeyID() string { return r.id }

// Names is what stays.
func (r *Redactor) Names() Names { return r.names }

// Counts is what was done to a snapshot's table of strings.
type Counts struct {
	Strings  int // entries of the table
	Replaced int // those whose text was replaced, in whole or in part
	Bytes    uint64
}

// Copy copies the snapshot in src to w, redacted. The input is held to V8's
// order of sections; what it knows nothing of loses its texts. Errors of src
// and w come back as they are, others are a *heapsnap.SyntaxError.
func (r *Redactor) Copy(ctx context.Context, w io.Writer, src io.Reader, progress func(read int64)) (Counts, error) {
	s := newStream(ctx, w, src, progress)
	p := &pass{r: r, s: s}
	r.spelled, r.kept = newTextSet(), newTextSet()
	if err := p.sections(); err != nil {
		return p.counts, err
	}
	if err := s.finish(); err != nil {
		return p.counts, err
	}
	p.counts.Bytes = s.written
	return p.counts, nil
}

// A Writer redacts a snapshot that is written to it.
type Writer struct {
	pipe   *io.PipeWriter
	done   chan struct{}
	once   sync.Once
	counts Counts
	err    error
}

// Writer returns a writer whose redacted text goes to w. Close is owed, and
// after it w is not used any more. A snapshot that is not whole is an error of
// Close; what w got of it then is of no use.
func (r *Redactor) Writer(ctx context.Context, w io.Writer) *Writer {
	from, to := io.Pipe()
	out := &Writer{pipe: to, done: make(chan struct{})}
	go func() {
		defer close(out.done)
		out.counts, out.err = r.Copy(ctx, w, from, nil)
		// White space may follow; more than that Copy has refused.
		if out.err == nil {
			_, _ = io.Copy(io.Discard, from)
		}
		from.CloseWithError(out.err)
	}()
	return out
}

// Write takes the next part of the snapshot. Its error is the one of what
// became of the parts before.
func (w *Writer) Write(p []byte) (int, error) { return w.pipe.Write(p) }

// Close ends the snapshot and waits until all is written.
func (w *Writer) Close() error {
	w.once.Do(func() {
		w.pipe.Close()
		<-w.done
	})
	return w.err
}

// Counts is what was done, after Close.
func (w *Writer) Counts() Counts { return w.counts }

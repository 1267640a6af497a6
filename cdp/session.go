package cdp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/heapprofiler"
)

// ErrClosed says that the other side ended the session: the process exited, was
// killed, closed its inspector, or a tunnel to it broke.
var ErrClosed = errors.New("the target closed the connection")

var errSelfClosed = errors.New("this session was closed")

// CommandError is the target's refusal of a command.
type CommandError struct {
	Method  string
	Code    int
	Message string
}

func (e *CommandError) Error() string { return fmt.Sprintf("%s: %s", e.Method, e.Message) }

// link carries a session's messages: a websocket, or the parent session of a
// worker.
type link interface {
	send(msg []byte) error
	close() error
}

// Session is one conversation with a target's main thread or with one of its
// worker threads. It satisfies the Session interface of cdproto's cdp package,
// so every generated command runs on it. All methods may be called by several
// goroutines.
//
// A Session that ends by itself (see [Session.Done]) fails every pending and
// later call with an error that is [ErrClosed].
type Session struct {
	target Target
	worker Worker // zero on the main thread
	parent *Session
	link   link
	done   chan struct{} // closed when the session has ended; err is set before

	mu       sync.Mutex
	err      error
	lastID   int64
	pending  map[int64]chan response
	subs     map[string][]*subscription
	handlers map[string][]*handler
	workers  map[string]*Session // by NodeWorker session id; main session only
	sink     *sink               // where snapshot chunks go while a capture runs

	capturing chan struct{} // holds one token while a snapshot is on its way
	lastNodes int           // nodes of the last complete capture; guarded by mu

	held   bool          // see HoldExit; guarded by mu
	atExit chan struct{} // closed when a program that is held has ended

	booted  atomic.Bool // see boot
	scratch []byte      // of the read loop: the unescaped chunk
}

var _ proto.Session = (*Session)(nil)

type response struct {
	result jsonv2.Value
	err    error
}

// handler is called in the read loop, so it must not call the session.
type handler struct{ fn func(params jsonv2.Value) }

// Dial connects to the target. It enables nothing in the target that changes
// how it runs, and sees to it that the open session does not keep a program
// from exiting.
func Dial(ctx context.Context, t Target) (*Session, error) {
	ws, err := dialSocket(ctx, t)
	if err != nil {
		return nil, err
	}
	s := newSession(t, ws)
	go s.read(ws)
	// A program at its end waits for every session (18, 20), or for one with Runtime
	// enabled, or before it kills itself with process.kill (22 and later). We ask
	// to be told, and let go. The answer is not waited for: the program may be
	// busy, and that is no reason not to connect.
	s.on(waitingForDisconnect.Method, func(jsonv2.Value) {
		if !s.heldAtExit() {
			s.end(fmt.Errorf("the program ended: %w", ErrClosed))
		}
	})
	if err := s.post(notifyWhenWaitingForDisconnect.Method, notifyParams{Enabled: true}); err != nil {
		s.Close()
		return nil, fmt.Errorf("connect to inspector at %s: %w", t.Addr(), err)
	}
	return s, nil
}

func newSession(t Target, l link) *Session {
	return &Session{
		target:    t,
		link:      l,
		done:      make(chan struct{}),
		pending:   map[int64]chan response{},
		subs:      map[string][]*subscription{},
		handlers:  map[string][]*handler{},
		capturing: make(chan struct{}, 1),
		atExit:    make(chan struct{}),
	}
}

// Target is what the session is connected to.
func (s *Session) Target() Target { return s.target }

// Done is closed when the session has ended, by either side.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed; then it says why the session ended.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session. What it had enabled in the target ends with it, and a
// paused target runs on.
func (s *Session) Close() error {
	return s.end(errSelfClosed)
}

// HoldExit makes a program that comes to its end wait for this session, so that
// it can still be asked for what was recorded: expressions and profiles work,
// the event loop does not turn any more (Node 18 to 26). The channel is closed
// when that has happened; [Session.Close] lets the program go.
func (s *Session) HoldExit() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
	return s.atExit
}

// heldAtExit reports whether the program that has ended is held, and says so to
// who holds it.
func (s *Session) heldAtExit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return false
	}
	select {
	case <-s.atExit:
	default:
		close(s.atExit)
	}
	return true
}

// Call runs a command and decodes its result into result, which may be nil. It
// has no deadline of its own: a target whose thread is busy in native code
// answers when that returns.
func (s *Session) Call(ctx context.Context, method string, params, result any) error {
	id, answer, err := s.start(method, params)
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		return r.decode(method, result)
	case <-s.done:
		return s.lost(method, answer, result)
	case <-ctx.Done():
		s.forget(id)
		return fmt.Errorf("%s: no answer yet: %w", method, context.Cause(ctx))
	}
}

// lost is the end of a call whose session ended; the answer may still have come.
func (s *Session) lost(method string, answer chan response, result any) error {
	select {
	case r := <-answer:
		return r.decode(method, result)
	default:
		return fmt.Errorf("%s: %w", method, s.Err())
	}
}

func (r response) decode(method string, result any) error {
	if r.err != nil {
		var refused *CommandError
		if errors.As(r.err, &refused) {
			refused.Method = method
		}
		return r.err
	}
	if result == nil || len(r.result) == 0 {
		return nil
	}
	if err := jsonv2.Unmarshal(r.result, result, jsonv2.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("%s: result: %w", method, err)
	}
	return nil
}

// start sends a command; its answer will arrive on the channel, once.
func (s *Session) start(method string, params any) (int64, chan response, error) {
	if params == nil {
		params = proto.Empty{}
	}
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return 0, nil, fmt.Errorf("%s: %w", method, s.err)
	}
	s.lastID++
	id := s.lastID
	answer := make(chan response, 1)
	s.pending[id] = answer
	s.mu.Unlock()

	msg, err := jsonv2.Marshal(struct {
		ID     int64  `json:"id"`
		Method string `json:"method"`
		Params any    `json:"params"`
	}{id, method, params}, jsonv2.AllowInvalidUTF8(true))
	if err != nil {
		s.forget(id)
		return 0, nil, fmt.Errorf("%s: params: %w", method, err)
	}
	if len(msg) > maxMessage {
		s.forget(id)
		return 0, nil, fmt.Errorf("%s: a command of %d bytes is too long, %d are possible", method, len(msg), maxMessage)
	}
	if err := s.link.send(msg); err != nil {
		s.end(ErrClosed) // a half-written frame cannot be taken back
		return 0, nil, fmt.Errorf("%s: %w", method, s.Err())
	}
	return id, answer, nil
}

// post sends a command whose answer nobody waits for.
func (s *Session) post(method string, params any) error {
	id, _, err := s.start(method, params)
	s.forget(id)
	return err
}

func (s *Session) forget(id int64) {
	s.mu.Lock()
	delete(s.pending, id)
	s.mu.Unlock()
}

// on calls fn in the read loop for each event of the method, until off.
func (s *Session) on(method string, fn func(params jsonv2.Value)) (off func()) {
	h := &handler{fn}
	s.mu.Lock()
	s.handlers[method] = append(s.handlers[method], h)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		hs := s.handlers[method]
		for i := range hs {
			if hs[i] == h {
				// A new array: the read loop may be walking the old one.
				s.handlers[method] = append(append([]*handler(nil), hs[:i]...), hs[i+1:]...)
				return
			}
		}
	}
}

// read is the read loop: the only goroutine that takes messages off the socket.
func (s *Session) read(ws *socket) {
	for {
		msg, err := ws.next()
		if err != nil {
			s.end(ErrClosed)
			return
		}
		if err := s.dispatch(msg); err != nil {
			s.end(err)
			return
		}
	}
}

type envelope struct {
	ID     int64        `json:"id"`
	Method string       `json:"method"`
	Params jsonv2.Value `json:"params"`
	Result jsonv2.Value `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// dispatch hands one message to whoever waits for it. msg is not kept.
func (s *Session) dispatch(msg []byte) error {
	if s.dispatchChunk(msg) || s.dispatchToWorker(msg) {
		return nil
	}
	var e envelope
	if err := jsonv2.Unmarshal(msg, &e, jsonv2.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("the inspector sent what is not a protocol message: %w", err)
	}
	if e.Method == heapprofiler.AddHeapSnapshotChunk.Method {
		var p heapprofiler.EventAddHeapSnapshotChunk
		if err := jsonv2.Unmarshal(e.Params, &p, jsonv2.AllowInvalidUTF8(true)); err != nil {
			return fmt.Errorf("the inspector sent a snapshot chunk of unknown form: %w", err)
		}
		s.writeChunk([]byte(p.Chunk))
	}
	if e.Method != "" {
		s.mu.Lock()
		handlers, subs := s.handlers[e.Method], s.subs[e.Method]
		s.mu.Unlock()
		for _, h := range handlers {
			h.fn(e.Params)
		}
		for _, sub := range subs {
			sub.push(e.Params)
		}
		return nil
	}
	s.mu.Lock()
	answer := s.pending[e.ID]
	delete(s.pending, e.ID)
	s.mu.Unlock()
	if answer == nil {
		return nil // its caller has given up
	}
	r := response{result: e.Result}
	if e.Error != nil {
		r.err = &CommandError{Code: e.Error.Code, Message: e.Error.Message}
	}
	answer <- r
	return nil
}

// end ends the session once; the first reason stays.
func (s *Session) end(reason error) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil
	}
	s.err = reason
	subs, workers := s.subs, s.workers
	s.subs, s.workers = map[string][]*subscription{}, nil
	close(s.done)
	s.mu.Unlock()
	for _, of := range subs {
		for _, sub := range of {
			sub.finish()
		}
	}
	for _, w := range workers {
		w.end(reason)
	}
	return s.link.close()
}

package cdp

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
)

// Worker is a worker thread of a target. The zero Worker is the main thread.
type Worker struct {
	ThreadID int    // worker_threads' threadId, never 0 for a worker
	Name     string // the name option, or "WorkerThread"
	URL      string // file URL of its script, "" for an eval worker
}

// Worker is the worker thread that the session talks to, the zero Worker for
// the main thread.
func (s *Session) Worker() Worker { return s.worker }

// Workers connects to the worker threads that run now, nested ones included,
// and returns a session for each in the order of thread ids. A worker that was
// returned before keeps its session. Closing a worker's session detaches from
// it for as long as s is open; closing s ends them all.
func (s *Session) Workers(ctx context.Context) ([]*Session, error) {
	if s.parent != nil {
		return nil, errors.New("workers: a worker's session does not list workers, the main thread's does")
	}
	s.mu.Lock()
	first := s.workers == nil && s.err == nil
	if first {
		s.workers = map[string]*Session{}
	}
	s.mu.Unlock()
	if first {
		s.on(attachedToWorker.Method, s.workerAttached)
		s.on(detachedFromWorker.Method, s.workerDetached)
	}
	// Node reports the running workers before it answers, once per connection;
	// later ones are reported as they start.
	if _, err := proto.Call(ctx, s, workerEnable, workerEnableParams{}); err != nil {
		return nil, fmt.Errorf("workers: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Session, 0, len(s.workers))
	for _, w := range s.workers {
		list = append(list, w)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].worker.ThreadID < list[j].worker.ThreadID })
	return list, nil
}

func (s *Session) workerAttached(params jsonv2.Value) {
	var p attachedParams
	if err := jsonv2.Unmarshal(params, &p, jsonv2.AllowInvalidUTF8(true)); err != nil {
		return
	}
	w := newSession(s.target, &workerLink{main: s, id: p.SessionID})
	w.parent = s
	w.worker = parseWorker(p.WorkerInfo.Title, p.WorkerInfo.URL)
	s.mu.Lock()
	if s.workers != nil {
		s.workers[p.SessionID] = w
	}
	s.mu.Unlock()
}

func (s *Session) workerDetached(params jsonv2.Value) {
	var p workerDetachParams
	if err := jsonv2.Unmarshal(params, &p); err != nil {
		return
	}
	s.mu.Lock()
	w := s.workers[p.SessionID]
	delete(s.workers, p.SessionID)
	s.mu.Unlock()
	if w != nil {
		w.end(fmt.Errorf("worker %d ended: %w", w.worker.ThreadID, ErrClosed))
	}
}

// parseWorker reads Node's title "[worker 3] name"; the number is the thread id.
func parseWorker(title, url string) Worker {
	w := Worker{Name: title, URL: url}
	if rest, ok := strings.CutPrefix(title, "[worker "); ok {
		if number, name, ok := strings.Cut(rest, "]"); ok {
			w.ThreadID, _ = strconv.Atoi(number)
			w.Name = strings.TrimSpace(name)
		}
	}
	return w
}

// dispatchInWorker runs in the read loop of the main session.
func (s *Session) dispatchInWorker(id string, msg []byte) {
	s.mu.Lock()
	w := s.workers[id]
	s.mu.Unlock()
	if w == nil {
		return
	}
	if err := w.dispatch(msg); err != nil {
		w.end(err)
	}
}

// workerLink carries a worker's messages in commands of the main session. Node
// answers a message to a dead worker as if it had arrived, so its end is known
// only by the event.
type workerLink struct {
	main *Session
	id   string
}

func (l *workerLink) send(msg []byte) error {
	return l.main.post(workerSend.Method, workerSendParams{SessionID: l.id, Message: string(msg)})
}

func (l *workerLink) close() error {
	l.main.mu.Lock()
	_, attached := l.main.workers[l.id]
	delete(l.main.workers, l.id)
	l.main.mu.Unlock()
	if !attached {
		return nil
	}
	return l.main.post(workerDetach.Method, workerDetachParams{SessionID: l.id})
}

package cdp

import (
	"sync"

	"github.com/chromedp/cdproto/cdp/jsonv2"
)

// subscription is the queue between the read loop and one reader of events. It
// has no bound: a full queue would have to stop the read loop, and with it the
// answer that the reader may be waiting for. Snapshot chunks do not pass here.
type subscription struct {
	out       chan jsonv2.Value
	cancelled chan struct{}
	wake      chan struct{} // holds a token when there may be something to do

	mu       sync.Mutex
	queue    []jsonv2.Value
	finished bool
}

// Subscribe starts to buffer the events of the method. The channel is closed
// when the session has ended and what came before was read, or after cancel.
func (s *Session) Subscribe(method string) (events <-chan jsonv2.Value, cancel func()) {
	sub := &subscription{
		out:       make(chan jsonv2.Value),
		cancelled: make(chan struct{}),
		wake:      make(chan struct{}, 1),
	}
	s.mu.Lock()
	if s.err != nil {
		sub.finished = true
	} else {
		s.subs[method] = append(s.subs[method], sub)
	}
	s.mu.Unlock()
	go sub.pump()
	var once sync.Once
	return sub.out, func() {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			var rest []*subscription // a new array: the read loop may walk the old one
			for _, other := range s.subs[method] {
				if other != sub {
					rest = append(rest, other)
				}
			}
			s.subs[method] = rest
			close(sub.cancelled)
		})
	}
}

func (q *subscription) push(v jsonv2.Value) {
	q.mu.Lock()
	q.queue = append(q.queue, v)
	q.mu.Unlock()
	q.signal()
}

func (q *subscription) finish() {
	q.mu.Lock()
	q.finished = true
	q.mu.Unlock()
	q.signal()
}

func (q *subscription) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *subscription) pump() {
	defer close(q.out)
	for {
		q.mu.Lock()
		batch, finished := q.queue, q.finished
		q.queue = nil
		q.mu.Unlock()
		for _, v := range batch {
			select {
			case q.out <- v:
			case <-q.cancelled:
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if finished {
			return
		}
		select {
		case <-q.wake:
		case <-q.cancelled:
			return
		}
	}
}

package cdp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// dialTimeout bounds the websocket handshake, which the inspector's own thread
// answers even when the program is frozen.
const dialTimeout = 10 * time.Second

// writeTimeout bounds one write. Commands are small; a write that takes this
// long means that the peer or the tunnel is gone.
const writeTimeout = 30 * time.Second

// maxMessage is what a command may be long. Node's inspector takes no message in
// parts (src/inspector_socket.cc, Node 18 to 26).
const maxMessage = 256 << 10

// socket is the one websocket connection to a target. next is for a single
// reader; send may be called by any goroutine.
type socket struct {
	conn *websocket.Conn
	buf  bytes.Buffer // the message next returned last
	mu   sync.Mutex   // one writer at a time
}

func dialSocket(ctx context.Context, t Target) (*socket, error) {
	dialer := websocket.Dialer{
		HandshakeTimeout: dialTimeout,
		ReadBufferSize:   64 << 10,   // snapshot chunks are 0.1 to 1.3 MB
		WriteBufferSize:  maxMessage, // what does not fit goes out in parts, at which Node closes the connection
	}
	conn, resp, err := dialer.DialContext(ctx, t.WebSocketURL, http.Header{"Host": {t.hostHeader()}})
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusBadRequest {
			return nil, fmt.Errorf("inspector at %s refuses %q: the process was restarted since, or the id is wrong", t.Addr(), t.ID)
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("connect to inspector at %s: %w", t.Addr(), err)
	}
	conn.SetReadLimit(0) // no limit: a CPU profile is one message of tens of MB
	return &socket{conn: conn}, nil
}

// next returns the next message, valid until the following call.
func (w *socket) next() ([]byte, error) {
	_, r, err := w.conn.NextReader()
	if err != nil {
		return nil, err
	}
	w.buf.Reset()
	if _, err := w.buf.ReadFrom(r); err != nil {
		return nil, err
	}
	return w.buf.Bytes(), nil
}

func (w *socket) send(msg []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return w.conn.WriteMessage(websocket.TextMessage, msg)
}

// close says goodbye and closes; it does not wait for an answer.
func (w *socket) close() error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	err := w.conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	if errors.Is(err, websocket.ErrCloseSent) {
		err = nil
	}
	return errors.Join(err, w.conn.Close())
}

package cdp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// fakeInspector is a scripted target: respond is called for each command and
// returns the messages to send, in order. Its connections end with the test.
type fakeInspector struct {
	t       *testing.T
	server  *httptest.Server
	respond func(c fakeCommand) []string
	browser string

	mu    sync.Mutex
	hosts []string // Host headers seen
	conns []*websocket.Conn
}

type fakeCommand struct {
	ID     int64
	Method string
	Params json.RawMessage
	conn   *websocket.Conn
}

// ok is the empty result of the command.
func (c fakeCommand) ok() string { return c.result("{}") }

func (c fakeCommand) result(json string) string {
	return fmt.Sprintf(`{"id":%d,"result":%s}`, c.ID, json)
}

const fakeUUID = "0f2c936f-b1cd-4ac9-aab3-f63b0f33d55e"

func newFakeInspector(t *testing.T, respond func(c fakeCommand) []string) *fakeInspector {
	f := &fakeInspector{t: t, respond: respond, browser: "node.js/v24.0.0"}
	mux := http.NewServeMux()
	mux.HandleFunc("/json/version", func(w http.ResponseWriter, r *http.Request) {
		f.sawHost(r)
		fmt.Fprintf(w, `{"Browser":%q,"Protocol-Version":"1.1"}`, f.browser)
	})
	mux.HandleFunc("/json/list", func(w http.ResponseWriter, r *http.Request) {
		f.sawHost(r)
		// Like Node, the URL repeats the Host header, whatever that was.
		fmt.Fprintf(w, `[{"id":%q,"title":"/app/server.js","type":"node","url":"file:///app/server.js","webSocketDebuggerUrl":"ws://%s/%s"}]`,
			fakeUUID, "somewhere.else:1", fakeUUID)
	})
	mux.HandleFunc("/"+fakeUUID, f.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "WebSockets request was expected", http.StatusBadRequest)
	})
	f.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.drop()
		f.server.Close()
	})
	return f
}

func (f *fakeInspector) sawHost(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts = append(f.hosts, r.Host)
}

func (f *fakeInspector) addr() string { return strings.TrimPrefix(f.server.URL, "http://") }

func (f *fakeInspector) serve(w http.ResponseWriter, r *http.Request) {
	f.sawHost(r)
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.conns = append(f.conns, conn)
	f.mu.Unlock()
	for {
		_, msg, err := conn.ReadMessage()
		if err != nil {
			return
		}
		c := fakeCommand{conn: conn}
		if err := json.Unmarshal(msg, &c); err != nil {
			f.t.Errorf("command %s: %v", msg, err)
			return
		}
		if f.respond == nil {
			continue
		}
		for _, answer := range f.respond(c) {
			if conn.WriteMessage(websocket.TextMessage, []byte(answer)) != nil {
				return
			}
		}
	}
}

// drop ends all connections without a goodbye, as a killed process does.
func (f *fakeInspector) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.UnderlyingConn().Close()
	}
	f.conns = nil
}

// dial connects to the fake; the session ends with the test.
func (f *fakeInspector) dial(ctx context.Context) *Session {
	f.t.Helper()
	target, err := Discover(ctx, f.addr())
	if err != nil {
		f.t.Fatalf("Discover: %v", err)
	}
	s, err := Dial(ctx, target)
	if err != nil {
		f.t.Fatalf("Dial: %v", err)
	}
	f.t.Cleanup(func() { s.Close() })
	return s
}

// deadline is a context that fails a test that hangs.
func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func chunkEvent(text string) string {
	quoted, _ := json.Marshal(text)
	return `{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":` + string(quoted) + `}}`
}

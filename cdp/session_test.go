package cdp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
)

func TestDiscover(t *testing.T) {
	f := newFakeInspector(t, nil)
	got, err := Discover(deadline(t, 10*time.Second), f.addr())
	if err != nil {
		t.Fatal(err)
	}
	want := "ws://" + f.addr() + "/" + fakeUUID
	if got.WebSocketURL != want {
		t.Errorf("WebSocketURL = %q, want the address given, %q", got.WebSocketURL, want)
	}
	if got.Script != "/app/server.js" || got.NodeVersion != "v24.0.0" || got.ID != fakeUUID {
		t.Errorf("Discover = %+v", got)
	}
	byURL, err := Discover(deadline(t, 10*time.Second), want)
	if err != nil || byURL != got {
		t.Errorf("Discover(%q) = %+v, %v, want %+v", want, byURL, err, got)
	}
}

func TestHostHeaderIsOneTheInspectorAccepts(t *testing.T) {
	for _, tt := range []struct{ host, want string }{
		{"127.0.0.1", "127.0.0.1:9229"},
		{"localhost", "localhost:9229"},
		{"::1", "[::1]:9229"},
		{"my-service.default.svc", "127.0.0.1:9229"},
	} {
		if got := (Target{Host: tt.host, Port: 9229}).hostHeader(); got != tt.want {
			t.Errorf("hostHeader for %s = %q, want %q", tt.host, got, tt.want)
		}
	}
}

func TestDiscoverRefuses(t *testing.T) {
	chrome := newFakeInspector(t, nil)
	chrome.browser = "Chrome/120.0"
	closed := newFakeInspector(t, nil)
	closedAddr := closed.addr()
	closed.server.Close()
	for _, tt := range []struct{ addr, want string }{
		{chrome.addr(), `calls itself "Chrome/120.0"`},
		{closedAddr, "start the program with --inspect"},
		{"9229", "want host:port"},
		{"localhost:http", "not a number"},
	} {
		_, err := Discover(deadline(t, 10*time.Second), tt.addr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Discover(%q) = %v, want one line with %q", tt.addr, err, tt.want)
		}
	}
}

func TestCall(t *testing.T) {
	f := newFakeInspector(t, func(c fakeCommand) []string {
		switch c.Method {
		case "X.echo":
			return []string{c.result(string(c.Params))}
		case "X.refused":
			return []string{fmt.Sprintf(`{"id":%d,"error":{"code":-32601,"message":"'X.refused' wasn't found"}}`, c.ID)}
		}
		return nil // never answered
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	var got struct{ A string }
	if err := s.Call(ctx, "X.echo", map[string]string{"A": "ü\x01"}, &got); err != nil || got.A != "ü\x01" {
		t.Errorf("Call = %q, %v", got.A, err)
	}
	var refused *CommandError
	if err := s.Call(ctx, "X.refused", nil, nil); !errors.As(err, &refused) || refused.Code != -32601 || refused.Method != "X.refused" {
		t.Errorf("Call(X.refused) = %v, want a CommandError", err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Call(short, "X.never", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Call with ended context = %v", err)
	}
	if err := s.Call(ctx, "X.echo", nil, nil); err != nil {
		t.Errorf("Call after a given up one = %v", err)
	}
}

func TestTargetDeathFailsPendingAndLaterCalls(t *testing.T) {
	received := make(chan struct{})
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method == "X.never" {
			close(received)
		}
		return nil
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	events, stop := s.Subscribe("X.event")
	defer stop()
	go func() {
		<-received
		f.drop()
	}()
	if err := s.Call(ctx, "X.never", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("pending Call = %v, want ErrClosed", err)
	}
	if err := s.Call(ctx, "X.later", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("later Call = %v, want ErrClosed", err)
	}
	if _, ok := <-events; ok {
		t.Error("the subscription's channel is open after the end")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close after the end = %v", err)
	}
}

func TestCloseIsNotTheTargetsDeath(t *testing.T) {
	f := newFakeInspector(t, nil)
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := s.Call(ctx, "X.later", nil, nil); err == nil || errors.Is(err, ErrClosed) {
		t.Errorf("Call after Close = %v, want an error that is not ErrClosed", err)
	}
}

func TestSubscribeLosesNothing(t *testing.T) {
	const n = 5000
	f := newFakeInspector(t, func(c fakeCommand) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"method":"X.event","params":{"n":%d}}`, i))
		}
		return append(all, c.ok())
	})
	ctx := deadline(t, 30*time.Second)
	s := f.dial(ctx)
	type numbered struct {
		N int `json:"n"`
	}
	// Nobody reads until the answer is there, which comes after the events.
	events := proto.Events(ctx, s, proto.Event[numbered]{Method: "X.event"})
	if err := s.Call(ctx, "X.go", nil, nil); err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, err := range events {
		if err != nil || e.N != i {
			t.Fatalf("event %d = %+v, %v", i, e, err)
		}
		if i++; i == n {
			break
		}
	}
}

func TestWaitingForDisconnectLetsTheTargetGo(t *testing.T) {
	asked := make(chan string, 8)
	f := newFakeInspector(t, func(c fakeCommand) []string {
		asked <- c.Method
		if c.Method == "X.work" {
			return []string{`{"method":"NodeRuntime.waitingForDisconnect","params":{}}`}
		}
		return []string{c.ok()}
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	if m := <-asked; m != "NodeRuntime.notifyWhenWaitingForDisconnect" {
		t.Errorf("first command = %s", m)
	}
	if err := s.Call(ctx, "X.work", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Call at the program's end = %v, want ErrClosed", err)
	}
}

func TestCapture(t *testing.T) {
	text := `{"snapshot":{"meta":{},"node_count":69,"edge_count":3},"strings":["a\"b","\u00e9\ud83d","` + "\n" + `"]}`
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method != "HeapProfiler.takeHeapSnapshot" {
			return []string{c.ok()}
		}
		if string(c.Params) != `{"reportProgress":true,"captureNumericValue":true,"exposeInternals":false}` {
			t.Errorf("params = %s", c.Params)
		}
		return []string{
			`{"method":"HeapProfiler.reportHeapSnapshotProgress","params":{"done":0,"total":70}}`,
			`{"method":"HeapProfiler.reportHeapSnapshotProgress","params":{"done":70,"total":70,"finished":true}}`,
			chunkEvent(text[:10]),
			// Another order of keys, and white space: the slow path.
			`{ "params": {"chunk": ` + quoted(text[10:20]) + ` }, "method":"HeapProfiler.addHeapSnapshotChunk" }`,
			chunkEvent(text[20:]),
			c.ok(),
		}
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	var out bytes.Buffer
	var seen []Progress
	info, err := s.Capture(ctx, &out, CaptureOptions{Numeric: true, Progress: func(p Progress) { seen = append(seen, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != text {
		t.Errorf("captured %q, want %q", out.String(), text)
	}
	if info.Nodes != 69 || info.Bytes != uint64(len(text)) {
		t.Errorf("info = %+v", info)
	}
	if len(seen) != 2 || seen[0] != (Progress{Total: 70}) || !seen[1].Finished {
		t.Errorf("progress = %+v", seen)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestCaptureRefusesAnIncompleteSnapshot(t *testing.T) {
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method != "HeapProfiler.takeHeapSnapshot" {
			return []string{c.ok()}
		}
		return []string{chunkEvent(`{"snapshot":{},"strings":["a"`), c.ok()}
	})
	ctx := deadline(t, 10*time.Second)
	if _, err := f.dial(ctx).Capture(ctx, io.Discard, CaptureOptions{}); err == nil || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("Capture = %v", err)
	}
}

// After a capture was given up its rest still arrives, and the next capture
// must not contain any of it.
func TestAbandonedCaptureLeavesTheSessionUsable(t *testing.T) {
	for _, why := range []string{"writer fails", "context ends"} {
		t.Run(why, func(t *testing.T) {
			finish := make(chan struct{})
			captures := 0
			f := newFakeInspector(t, func(c fakeCommand) []string {
				if c.Method != "HeapProfiler.takeHeapSnapshot" {
					return []string{c.ok()}
				}
				if captures++; captures == 2 {
					return []string{chunkEvent(`{"snapshot":{},"second":1}`), c.ok()}
				}
				for _, m := range []string{chunkEvent(`{"first":`), chunkEvent(`1,`)} {
					if err := c.conn.WriteMessage(1, []byte(m)); err != nil {
						t.Error(err)
					}
				}
				<-finish
				return []string{chunkEvent(`2}`), c.ok()}
			})
			ctx := deadline(t, 10*time.Second)
			s := f.dial(ctx)
			first, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			want := errors.New("enough")
			var returned atomic.Bool
			w := writerFunc(func(p []byte) (int, error) {
				switch {
				case returned.Load():
					t.Error("the writer is used after Capture returned")
				case why == "writer fails" && string(p) == "1,":
					return 0, want
				case why == "context ends":
					cancel(want)
				}
				return len(p), nil
			})
			if _, err := s.Capture(first, w, CaptureOptions{}); !errors.Is(err, want) {
				t.Errorf("first Capture = %v, want %v", err, want)
			}
			returned.Store(true)
			close(finish)
			var out bytes.Buffer
			if _, err := s.Capture(ctx, &out, CaptureOptions{}); err != nil || out.String() != `{"snapshot":{},"second":1}` {
				t.Errorf("second Capture = %q, %v", out.String(), err)
			}
		})
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestTargetDeathDuringCapture(t *testing.T) {
	f := newFakeInspector(t, nil)
	f.respond = func(c fakeCommand) []string {
		if c.Method != "HeapProfiler.takeHeapSnapshot" {
			return []string{c.ok()}
		}
		if err := c.conn.WriteMessage(1, []byte(chunkEvent(`{"snap`))); err != nil {
			t.Error(err)
		}
		go f.drop()
		return nil
	}
	ctx := deadline(t, 10*time.Second)
	_, err := f.dial(ctx).Capture(ctx, io.Discard, CaptureOptions{})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("Capture = %v, want ErrClosed", err)
	}
}

func TestWorkerCapture(t *testing.T) {
	inWorker := func(msg string) string {
		return `{"method":"NodeWorker.receivedMessageFromWorker","params":{"sessionId":"7","message":` + quoted(msg) + `}}`
	}
	detached := make(chan string, 1)
	f := newFakeInspector(t, func(c fakeCommand) []string {
		switch c.Method {
		case "NodeWorker.enable":
			return []string{
				`{"method":"NodeWorker.attachedToWorker","params":{"sessionId":"7","workerInfo":{"workerId":"7","type":"worker","title":"[worker 3] pool-A","url":"file:///app/w.js"},"waitingForDebugger":false}}`,
				c.ok(),
			}
		case "NodeWorker.detach":
			detached <- string(c.Params)
			return []string{c.ok()}
		case "NodeWorker.sendMessageToWorker":
			var p struct{ SessionID, Message string }
			_ = json.Unmarshal(c.Params, &p)
			var inner fakeCommand
			_ = json.Unmarshal([]byte(p.Message), &inner)
			if inner.Method == "X.die" {
				return []string{c.ok(), `{"method":"NodeWorker.detachedFromWorker","params":{"sessionId":"7"}}`}
			}
			return []string{c.ok(), inWorker(chunkEvent(`{"snapshot":{},"strings":["\u00e9"]`)), inWorker(chunkEvent("}\n")), inWorker(inner.ok())}
		}
		return []string{c.ok()}
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	ws, err := s.Workers(ctx)
	if err != nil || len(ws) != 1 {
		t.Fatalf("Workers = %v, %v", ws, err)
	}
	if got, want := ws[0].Worker(), (Worker{3, "pool-A", "file:///app/w.js"}); got != want {
		t.Errorf("Worker = %+v, want %+v", got, want)
	}
	var out bytes.Buffer
	if _, err := ws[0].Capture(ctx, &out, CaptureOptions{}); err != nil || out.String() != `{"snapshot":{},"strings":["\u00e9"]`+"}\n" {
		t.Errorf("Capture = %q, %v", out.String(), err)
	}
	if err := ws[0].Call(ctx, "X.die", nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Call to a worker that ends = %v, want ErrClosed", err)
	}
	if rest, err := s.Workers(ctx); err != nil || len(rest) != 1 {
		t.Fatalf("Workers again = %v, %v", rest, err)
	} else if err := rest[0].Close(); err != nil {
		t.Error(err)
	}
	if got := <-detached; got != `{"sessionId":"7"}` {
		t.Errorf("detach = %s", got)
	}
}

func TestEvaluateErrors(t *testing.T) {
	var answer atomic.Value
	f := newFakeInspector(t, func(c fakeCommand) []string {
		if c.Method != "Runtime.evaluate" {
			return []string{c.ok()}
		}
		return []string{c.result(answer.Load().(string))}
	})
	ctx := deadline(t, 10*time.Second)
	s := f.dial(ctx)
	for _, tt := range []struct{ name, answer, want string }{
		{"an Error", `{"result":{"type":"object"},"exceptionDetails":{"exceptionId":1,"text":"Uncaught","lineNumber":0,"columnNumber":0,"exception":{"type":"object","description":"TypeError: x is not a function\n    at f (a.js:1:2)"}}}`, "evaluate: TypeError: x is not a function"},
		{"a thrown string", `{"result":{"type":"string"},"exceptionDetails":{"exceptionId":1,"text":"Uncaught","lineNumber":0,"columnNumber":0,"exception":{"type":"string","value":"no"}}}`, `evaluate: thrown: "no"`},
		{"a syntax error", `{"result":{"type":"object"},"exceptionDetails":{"exceptionId":1,"text":"Uncaught","lineNumber":0,"columnNumber":0,"exception":{"type":"object","description":"SyntaxError: Unexpected token ')'"}}}`, "evaluate: SyntaxError: Unexpected token ')'"},
		{"NaN", `{"result":{"type":"number","unserializableValue":"NaN"}}`, "evaluate: the value NaN cannot be sent as JSON"},
	} {
		answer.Store(tt.answer)
		var into any
		if err := s.Evaluate(ctx, "x", &into); err == nil || err.Error() != tt.want {
			t.Errorf("%s: Evaluate = %v, want %s", tt.name, err, tt.want)
		}
	}
	answer.Store(`{"result":{"type":"undefined"}}`)
	n := 5
	if err := s.Evaluate(ctx, "undefined", &n); err != nil || n != 5 {
		t.Errorf("Evaluate of undefined = %d, %v, want it untouched", n, err)
	}
}

// Package browser drives a headless Chromium for tests of the pages that
// package report writes. It speaks the DevTools protocol over a pipe, so that no
// port is opened and no library needed.
package browser

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long any answer may take, on a machine that is busy.
const patience = 60 * time.Second

// Find returns the browser on PATH.
func Find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no chromium, chromium-browser or google-chrome on PATH")
}

// Browser is a running Chromium.
type Browser struct {
	t      testing.TB
	in     io.Writer // to the browser
	closed chan struct{}

	mu    sync.Mutex
	last  int
	calls map[int]chan answer
	pages map[string]*Page // by session
}

type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type answer struct {
	result json.RawMessage
	err    error
}

// Start starts the browser for a test, and stops it at the test's end. Where
// there is none, the test is skipped.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := Find()
	if err != nil {
		t.Skipf("needs a browser: %v", err)
	}
	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4, as the flag has it
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toBrowser.Close(), fromBrowser.Close()
	b := &Browser{t: t, in: in, closed: make(chan struct{}), calls: map[int]chan answer{}, pages: map[string]*Page{}}
	go b.read(out)
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil)
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		_, _ = in.Close(), out.Close()
		if t.Failed() {
			t.Logf("the browser said: %.2000s", log.String())
		}
	})
	return b
}

// read takes messages, which end in NUL, until the browser ends.
func (b *Browser) read(from io.Reader) {
	defer close(b.closed)
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		call, page := b.calls[m.ID], b.pages[m.SessionID]
		delete(b.calls, m.ID)
		b.mu.Unlock()
		switch {
		case call != nil && m.Error != nil:
			call <- answer{err: errors.New(m.Error.Message)}
		case call != nil:
			call <- answer{result: m.Result}
		case page != nil:
			page.event(m.Method, m.Params)
		}
	}
}

func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	if params == nil {
		raw = []byte("{}")
	}
	ch := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	m := message{ID: b.last, SessionID: session, Method: method, Params: raw}
	b.calls[m.ID] = ch
	text, err := json.Marshal(m)
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-ch:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", method, a.err)
		}
		return a.result, nil
	case <-b.closed:
		return nil, fmt.Errorf("%s: the browser ended", method)
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer in %s", method, patience)
	}
}

// Look is how a page is shown.
type Look struct {
	Width, Height int
	Dark          bool
}

// Page is one page of the browser.
type Page struct {
	b       *Browser
	t       testing.TB
	session string
	loaded  chan struct{}

	mu       sync.Mutex
	url      string
	requests []string // of anything but the page itself
	errors   []string
}

// Open shows a file and waits until it is loaded.
func (b *Browser) Open(path string, look Look) *Page {
	b.t.Helper()
	p := &Page{b: b, t: b.t, loaded: make(chan struct{}), url: "file://" + path}
	var made struct{ TargetID, SessionID string }
	b.must(&made, "", "Target.createTarget", map[string]any{"url": "about:blank"})
	b.must(&made, "", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true})
	p.session = made.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		p.must(nil, domain+".enable", nil)
	}
	p.must(nil, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": look.Width, "height": look.Height, "deviceScaleFactor": 1, "mobile": false})
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	p.must(nil, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	p.must(nil, "Page.navigate", map[string]any{"url": p.url})
	select {
	case <-p.loaded:
	case <-time.After(patience):
		b.t.Fatalf("%s was not loaded in %s", path, patience)
	}
	return p
}

func (b *Browser) must(result any, session, method string, params any) {
	b.t.Helper()
	raw, err := b.call(session, method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (p *Page) must(result any, method string, params any) {
	p.t.Helper()
	p.b.must(result, p.session, method, params)
}

// event keeps what a page should not do.
func (p *Page) event(method string, params json.RawMessage) {
	var e struct {
		Request struct{ URL string }
		Entry   struct{ Level, Text, URL string }
		Type    string
		Args    []struct {
			Value       any
			Description string
		}
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Message string
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		select {
		case <-p.loaded:
		default:
			close(p.loaded)
		}
	case "Network.requestWillBeSent":
		if e.Request.URL != p.url {
			p.requests = append(p.requests, e.Request.URL)
		}
	case "Runtime.exceptionThrown":
		p.errors = append(p.errors, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case "Runtime.consoleAPICalled":
		p.errors = append(p.errors, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case "Log.entryAdded":
		p.errors = append(p.errors, e.Entry.Level+": "+e.Entry.Text+" "+e.Entry.URL)
	case "Page.javascriptDialogOpening":
		p.errors = append(p.errors, "dialog: "+e.Message)
	}
}

// Quiet fails the test if the page asked for anything but itself, or wrote to
// the console, or threw, or opened a dialog.
func (p *Page) Quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		p.t.Errorf("the page asked for %.200s", r)
	}
	for _, e := range p.errors {
		p.t.Errorf("the page said %.500s", e)
	}
}

// Eval computes an expression in the page, awaits it if it is a promise, and
// puts its value into result.
func (p *Page) Eval(expr string, result any) {
	p.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	p.must(&r, "Runtime.evaluate", map[string]any{"expression": expr, "returnByValue": true, "awaitPromise": true})
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expr, r.ExceptionDetails.Exception.Description)
	}
	if result == nil {
		return
	}
	if len(r.Result.Value) == 0 {
		p.t.Fatalf("%s: undefined", expr)
	}
	if err := json.Unmarshal(r.Result.Value, result); err != nil {
		p.t.Fatalf("%s: %v", expr, err)
	}
}

// Text is what a person reads in the first element of a selector.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	var s string
	p.Eval(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "(no such element)"`, selector), &s)
	return s
}

// Count is how many elements match a selector and can be seen.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	var n int
	p.Eval(fmt.Sprintf(`[...document.querySelectorAll(%q)].filter((e) => e.checkVisibility()).length`, selector), &n)
	return n
}

// frame lets the page draw twice, after which observers have run.
const frame = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// Click clicks with the mouse on the middle of the n-th element of a selector.
func (p *Page) Click(selector string, n int) {
	p.t.Helper()
	var at struct {
		X, Y float64
		Hit  bool
	}
	p.Eval(fmt.Sprintf(`(async () => {
		const find = () => document.querySelectorAll(%q)[%d];
		if (!find()) throw new Error('no such element');
		find().scrollIntoView({block: 'center'});
		await %s;
		const e = find(); // drawing may have made it anew
		const r = e.getBoundingClientRect();
		const [x, y] = [r.left + r.width / 2, r.top + r.height / 2];
		const top = document.elementFromPoint(x, y);
		return {X: x, Y: y, Hit: e === top || e.contains(top)};
	})()`, selector, n, frame), &at)
	if !at.Hit {
		p.t.Errorf("a click on %s %d does not reach it", selector, n)
	}
	p.mouse("mousePressed", at.X, at.Y)
	p.mouse("mouseReleased", at.X, at.Y)
	p.Eval(frame, nil)
}

// Drag moves the mouse over an element with the button down, between two shares
// of its width.
func (p *Page) Drag(selector string, from, to float64) {
	p.t.Helper()
	var r struct{ Left, Top, Width, Height float64 }
	p.Eval(fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({block: 'center'});
		const r = e.getBoundingClientRect();
		return {Left: r.left, Top: r.top, Width: r.width, Height: r.height};
	})()`, selector), &r)
	y := r.Top + r.Height/3
	p.mouse("mousePressed", r.Left+from*r.Width, y)
	for k := range 5 {
		p.mouse("mouseMoved", r.Left+(from+(to-from)*float64(k+1)/5)*r.Width, y)
	}
	p.mouse("mouseReleased", r.Left+to*r.Width, y)
	p.Eval(frame, nil)
}

func (p *Page) mouse(kind string, x, y float64) {
	p.t.Helper()
	p.must(nil, "Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1})
}

// keys are the codes that the browser wants with a key's name.
var keys = map[string]int{"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Home": 36, "End": 35, "Tab": 9}

// Key presses a key, by the name that events have for it.
func (p *Page) Key(name string) {
	p.t.Helper()
	code, known := keys[name]
	if !known {
		p.t.Fatalf("key %q is not in internal/browser", name)
	}
	press := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": code}
	if name == "Enter" {
		press["text"] = "\r"
	}
	p.must(nil, "Input.dispatchKeyEvent", press)
	p.must(nil, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name, "windowsVirtualKeyCode": code})
	p.Eval(frame, nil)
}

// Type writes text into what has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.must(nil, "Input.insertText", map[string]any{"text": text})
	p.Eval(frame, nil)
}

// Screenshot writes the whole page as a PNG.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	var size struct{ Width, Height float64 }
	p.Eval(`(() => { const e = document.documentElement; return {Width: e.clientWidth, Height: e.scrollHeight}; })()`, &size)
	var shot struct{ Data string }
	p.must(&shot, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]float64{"x": 0, "y": 0, "width": size.Width, "height": size.Height, "scale": 1}})
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TooWide lists what is wider than the page, so that a reader has to scroll
// sideways; what scrolls inside a box of its own does not count.
func (p *Page) TooWide() []string {
	p.t.Helper()
	var wide []string
	p.Eval(`(() => {
		const limit = document.documentElement.clientWidth + 1;
		if (document.documentElement.scrollWidth <= limit) return [];
		return [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > limit)
			.slice(0, 5).map((e) => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 40));
	})()`, &wide)
	return slices.DeleteFunc(wide, func(s string) bool { return strings.TrimSpace(s) == "" })
}

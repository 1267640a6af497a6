package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Request is one request of an HTTP load. In URL, header values and body,
// {{round}} is the round, from 1 with the warm-up, and {{request}} the number of
// the request over all rounds.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

var (
	requestMethod = regexp.MustCompile(`^[A-Z]+$`)
	placeholder   = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
)

// ParseRequest reads "GET http://127.0.0.1:3000/search?q={{round}}"; without a
// method it is GET.
func ParseRequest(text string) (Request, error) {
	method, address, ok := strings.Cut(strings.TrimSpace(text), " ")
	if !ok {
		method, address = http.MethodGet, method
	}
	r := Request{Method: method, URL: strings.TrimSpace(address)}
	return r, r.check()
}

// check says what is wrong with a request, before it is sent.
func (r Request) check() error {
	if !requestMethod.MatchString(r.Method) {
		return fmt.Errorf("%q is no method: want METHOD URL, such as GET http://127.0.0.1:3000/", r.Method)
	}
	texts := append(slices.Concat(slices.Collect(maps.Values(r.Header))...), r.URL, r.Body)
	for _, text := range texts {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			if m[1] != "round" && m[1] != "request" {
				return fmt.Errorf("%s is no placeholder: there are {{round}} and {{request}}", m[0])
			}
		}
	}
	u, err := url.Parse(expand(r.URL, 1, 1))
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is no URL: want http://HOST:PORT/PATH", r.URL)
	}
	return nil
}

func expand(text string, round, request int) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if strings.Contains(p, "round") {
			return strconv.Itoa(round)
		}
		return strconv.Itoa(request)
	})
}

// address is HOST:PORT of the server.
func (r Request) address() string {
	u, err := url.Parse(expand(r.URL, 1, 1))
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

const (
	// sizedRequests and sizedTime bound a round whose size nobody gave.
	sizedRequests = 200
	// defaultConcurrency is how many requests are under way at a time.
	defaultConcurrency = 8
	// answerTimeout is for one request.
	answerTimeout = 30 * time.Second
	// shownBody is how much of an answer is quoted.
	shownBody = 200
)

// httpLoad sends requests and counts what comes back.
type httpLoad struct {
	requests    []Request
	concurrency int
	client      *http.Client
	sent        int // over all rounds

	mu     sync.Mutex
	counts map[string]int // of this round: "200", "500", "refused"
	failed map[string]int // of all rounds, without what succeeded
	good   int            // of this round
	bad    string         // an answer that was an error, in words
}

func newHTTPLoad(requests []Request, concurrency int) *httpLoad {
	if concurrency <= 0 {
		concurrency = defaultConcurrency
	}
	return &httpLoad{
		requests: requests, concurrency: concurrency, failed: map[string]int{},
		client: &http.Client{
			Timeout:       answerTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			// No proxy of the environment: the program is here.
			Transport: &http.Transport{MaxIdleConnsPerHost: concurrency, MaxConnsPerHost: concurrency},
		},
	}
}

// round sends most requests or, where within is not 0, as many as are sent in
// that time; it returns how many. All are answered then, and no connection is
// left open: sockets would be in the snapshots. If none succeeds, that is an
// error.
func (l *httpLoad) round(ctx context.Context, round, most int, within time.Duration) (int, error) {
	l.counts, l.good, l.bad = map[string]int{}, 0, ""
	defer l.client.CloseIdleConnections()
	started := time.Now()
	next := make(chan int)
	var all sync.WaitGroup
	for range min(l.concurrency, most) {
		all.Go(func() {
			for n := range next {
				l.note(l.send(ctx, round, n))
			}
		})
	}
	n := 0
	for n < most && ctx.Err() == nil && (within == 0 || n < 2*l.concurrency || time.Since(started) < within) {
		n++
		l.sent++
		next <- l.sent
	}
	close(next)
	all.Wait()
	if ctx.Err() != nil {
		return n, context.Cause(ctx)
	}
	if l.good == 0 {
		return n, fmt.Errorf("%s failed: %s; %s", allOf(n), tally(l.counts), l.bad)
	}
	return n, nil
}

func allOf(n int) string {
	if n == 1 {
		return "the only request"
	}
	return fmt.Sprintf("all %d requests", n)
}

// answered is what came of one request.
type answered struct {
	kind  string // a status code, or why there is none
	ok    bool
	words string
}

func (l *httpLoad) send(ctx context.Context, round, n int) answered {
	r := l.requests[(n-1)%len(l.requests)]
	where := expand(r.URL, round, n)
	fail := func(err error) answered {
		kind := failure(err)
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it repeats method and URL
			err = wrapped.Err
		}
		return answered{kind: kind, words: fmt.Sprintf("%s %s: %v", r.Method, where, err)}
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, where, strings.NewReader(expand(r.Body, round, n)))
	if err != nil {
		return fail(err)
	}
	req.Header.Set("User-Agent", "heapsnap")
	for name, values := range r.Header {
		for i, v := range values {
			if v = expand(v, round, n); i == 0 {
				req.Header.Set(name, v)
			} else {
				req.Header.Add(name, v)
			}
		}
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	var head strings.Builder
	_, err = io.CopyN(&head, resp.Body, shownBody)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	a := answered{kind: strconv.Itoa(resp.StatusCode), ok: resp.StatusCode < 400}
	if !a.ok {
		a.words = fmt.Sprintf("%s %s answered %s", r.Method, where, resp.Status)
		if first, _, _ := strings.Cut(strings.TrimSpace(head.String()), "\n"); first != "" {
			a.words += ": " + first
		}
	}
	return a
}

// failure is a short name for why there is no answer.
func failure(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut off"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	}
	return "failed"
}

func (l *httpLoad) note(a answered) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[a.kind]++
	if a.ok {
		l.good++
		return
	}
	l.failed[a.kind]++
	l.bad = cmp.Or(l.bad, a.words)
}

// tally says "150 answered 500, 50 refused".
func tally(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		if _, err := strconv.Atoi(kind); err == nil {
			parts = append(parts, fmt.Sprintf("%d answered %s", counts[kind], kind))
		} else {
			parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
		}
	}
	return strings.Join(parts, ", ")
}

// warning is about requests that failed while others did not, "" if none did.
func (l *httpLoad) warning() string {
	n := 0
	for _, k := range l.failed {
		n += k
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("of %d requests %d failed: %s", l.sent, n, tally(l.failed))
}

package check

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Readiness is how to see that the program is up. The zero value asks nothing
// of it but that its main script has run.
type Readiness struct {
	URL  string         // it answers, an error page is an answer
	Line *regexp.Regexp // a line of its output matches
	Addr string         // HOST:PORT accepts connections
}

// ParseReadiness tells the kinds apart by their shape: a URL, line:REGEXP, and
// PORT or HOST:PORT.
func ParseReadiness(text string) (r Readiness, err error) {
	if expr, ok := strings.CutPrefix(text, "line:"); ok {
		if r.Line, err = regexp.Compile(expr); err != nil {
			return r, fmt.Errorf("%q: %w", text, err)
		}
		return r, nil
	}
	if strings.Contains(text, "://") {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return r, fmt.Errorf("%q is no URL: want http://HOST:PORT/PATH", text)
		}
		return Readiness{URL: text}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = "127.0.0.1", text
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return r, fmt.Errorf("%q: want a URL, a PORT, HOST:PORT or line:REGEXP", text)
	}
	return Readiness{Addr: net.JoinHostPort(host, port)}, nil
}

// port is the one that the program is to listen on, 0 if none is known.
func (r Readiness) port() int {
	addr := r.Addr
	if r.URL != "" {
		addr = Request{URL: r.URL}.address()
	}
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return n
}

// up waits until the program is.
func (r *run) up(ctx context.Context) error {
	switch a := r.Ready; {
	case a.URL != "":
		return r.poll(ctx, a.URL+" did not answer", r.answers)
	case a.Line != nil:
		return r.poll(ctx, fmt.Sprintf("no line of the program's output matched %q", a.Line), func(context.Context) (bool, error) {
			return r.output.seen(), nil
		})
	case a.Addr != "":
		return r.poll(ctx, "nothing listened on "+a.Addr, func(ctx context.Context) (bool, error) {
			var d net.Dialer
			ctx, cancel := context.WithTimeout(ctx, requestTimeout)
			defer cancel()
			conn, err := d.DialContext(ctx, "tcp", a.Addr)
			if err != nil {
				return false, nil
			}
			return true, conn.Close()
		})
	}
	return nil
}

// answers reports whether the program's server answers at all.
func (r *run) answers(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Ready.URL, nil)
	if err != nil {
		return false, fmt.Errorf("ready URL %q: %w", r.Ready.URL, err)
	}
	// A connection of its own: one that stays open would be in the snapshots.
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, nil
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return true, resp.Body.Close()
}

package check

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseRequest(t *testing.T) {
	for _, test := range []struct{ text, method, url, addr, wrong string }{
		{"GET http://127.0.0.1:3000/search?q={{round}}", "GET", "http://127.0.0.1:3000/search?q={{round}}", "127.0.0.1:3000", ""},
		{" http://localhost/ ", "GET", "http://localhost/", "localhost:80", ""},
		{"DELETE https://[::1]/{{ request }}", "DELETE", "https://[::1]/{{ request }}", "[::1]:443", ""},
		{"get http://x/", "", "", "", `"get" is no method`},
		{"GET /search", "", "", "", "is no URL"},
		{"GET ftp://x/", "", "", "", "is no URL"},
		{"GET http://x/{{rnd}}", "", "", "", "{{rnd}} is no placeholder: there are {{round}} and {{request}}"},
		{"", "", "", "", "is no URL"},
	} {
		r, err := ParseRequest(test.text)
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("ParseRequest(%q) = %v, want %q", test.text, err, test.wrong)
			}
			continue
		}
		if err != nil || r.Method != test.method || r.URL != test.url || r.address() != test.addr {
			t.Errorf("ParseRequest(%q) = %+v at %s, %v", test.text, r, r.address(), err)
		}
	}
}

func TestHTTPLoadSendsWhatItIsTold(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("X-Try"), body))
	}))
	defer server.Close()
	l := newHTTPLoad([]Request{
		{Method: "GET", URL: server.URL + "/a?r={{round}}"},
		{Method: "POST", URL: server.URL + "/b", Header: http.Header{"X-Try": {"n{{request}}"}}, Body: `{"id":{{request}}}`},
	}, 1)
	for round := 1; round <= 2; round++ {
		if n, err := l.round(t.Context(), round, 3, 0); n != 3 || err != nil {
			t.Fatalf("round = %d, %v", n, err)
		}
	}
	want := []string{"GET /a?r=1  ", `POST /b n2 {"id":2}`, "GET /a?r=1  ", `POST /b n4 {"id":4}`, "GET /a?r=2  ", `POST /b n6 {"id":6}`}
	if !slices.Equal(got, want) {
		t.Errorf("sent %q\nwant %q", got, want)
	}
	if w := l.warning(); w != "" {
		t.Errorf("warning %q", w)
	}
}

func TestHTTPLoadIsConcurrentAndLeavesNoConnection(t *testing.T) {
	var mu sync.Mutex
	under, most := 0, 0
	open := map[net.Conn]bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond) // the work of a real server
		mu.Lock()
		under--
		mu.Unlock()
	}))
	none := make(chan struct{}, 100)
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if open[c] = true; s == http.StateClosed {
			if delete(open, c); len(open) == 0 {
				none <- struct{}{}
			}
		}
	}
	server.Start()
	defer server.Close()
	l := newHTTPLoad([]Request{{Method: "GET", URL: server.URL}}, 5)
	if _, err := l.round(t.Context(), 1, 25, 0); err != nil || most != 5 {
		t.Errorf("%d requests at a time, %v, want 5", most, err)
	}
	select {
	case <-none:
	case <-time.After(10 * time.Second):
		t.Errorf("%d connections are open after the round", len(open))
	}
}

func TestHTTPLoadOfErrors(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			http.Error(w, "no database\nand more", http.StatusInternalServerError)
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/moved":
			http.Redirect(w, r, "/bad", http.StatusFound)
		}
	}))
	defer server.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct {
		name    string
		urls    []string
		fails   string
		warning string
	}{
		{"errors only", []string{server.URL + "/bad"}, "all 6 requests failed: 6 answered 500; GET " + server.URL + "/bad answered 500 Internal Server Error: no database", ""},
		{"nobody there", []string{gone.URL}, "all 6 requests failed: 6 refused; GET " + gone.URL + ": dial tcp", ""},
		{"some fail", []string{server.URL + "/good", server.URL + "/bad", server.URL + "/cut"}, "", "of 6 requests 4 failed: 2 answered 500, 2 cut off"},
		{"a redirect is an answer", []string{server.URL + "/moved"}, "", ""},
	} {
		var rs []Request
		for _, u := range test.urls {
			rs = append(rs, Request{Method: "POST", URL: u})
		}
		if test.name != "some fail" {
			rs[0].Method = "GET"
		}
		l := newHTTPLoad(rs, 2)
		_, err := l.round(t.Context(), 1, 6, 0)
		switch {
		case test.fails == "" && err != nil, test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
			t.Errorf("%s: %v, want %q", test.name, err, test.fails)
		case test.fails == "" && l.warning() != test.warning:
			t.Errorf("%s: warning %q, want %q", test.name, l.warning(), test.warning)
		}
	}
}

func TestHTTPLoadIsSizedByTime(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(30 * time.Millisecond) }))
	defer server.Close()
	l := newHTTPLoad([]Request{{Method: "GET", URL: server.URL}}, 2)
	if n, err := l.round(t.Context(), 1, 1000, 300*time.Millisecond); err != nil || n < 4 || n > 40 {
		t.Errorf("%d requests of 30 ms, two at a time, in 300 ms, %v", n, err)
	}
}

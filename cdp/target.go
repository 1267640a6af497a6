package cdp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Target is one Node.js process whose inspector is open. Fields that were not
// learned are zero: PID is only known for a process of this machine.
type Target struct {
	ID           string // the inspector's UUID, its only secret
	Title        string // main script's path, or "node[PID]" for node -e
	URL          string // file URL of the main script
	WebSocketURL string // always with the host and port that were dialled
	Host         string
	Port         int
	PID          int
	NodeVersion  string // such as "v20.20.2"
	Script       string // main script's path, "" for node -e
}

// Addr is the target's host:port.
func (t Target) Addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// String names the target the way a person would: pid, script, address.
func (t Target) String() string {
	var b strings.Builder
	if t.PID > 0 {
		fmt.Fprintf(&b, "pid %d ", t.PID)
	}
	switch {
	case t.Script != "":
		fmt.Fprintf(&b, "(%s) ", t.Script)
	case t.Title != "":
		fmt.Fprintf(&b, "(%s) ", t.Title)
	}
	return b.String() + "at " + t.Addr()
}

// Major is the Node.js major version, 0 if the version is not known.
func (t Target) Major() int { return majorOf(t.NodeVersion) }

func majorOf(version string) int {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// discoverTimeout bounds one HTTP exchange: the inspector answers from its own
// thread, so even a frozen program answers in milliseconds.
const discoverTimeout = 5 * time.Second

// Discover asks the inspector at addr ("host:port", or the whole
// "ws://host:port/uuid" that Node printed) what it is. The address that was
// given is the one that will be dialled, whatever the inspector says of itself.
func Discover(ctx context.Context, addr string) (Target, error) {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	id := ""
	if rest, ok := strings.CutPrefix(addr, "ws://"); ok {
		addr, id, _ = strings.Cut(rest, "/")
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return Target{}, fmt.Errorf("inspector address %q: want host:port, such as 127.0.0.1:9229", addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port <= 0 || port > 65535 {
		return Target{}, fmt.Errorf("inspector address %q: port %q is not a number from 1 to 65535", addr, portText)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	t := Target{ID: id, Host: host, Port: port}

	var version struct {
		Browser string `json:"Browser"`
	}
	if err := t.get(ctx, "/json/version", &version); err != nil {
		return Target{}, err
	}
	v, ok := strings.CutPrefix(version.Browser, "node.js/")
	if !ok {
		return Target{}, fmt.Errorf("%s is not a Node.js inspector: it calls itself %q", addr, version.Browser)
	}
	t.NodeVersion = v

	var list []struct {
		ID, Title, URL       string
		WebSocketDebuggerURL string `json:"webSocketDebuggerUrl"`
	}
	err = t.get(ctx, "/json/list", &list)
	switch {
	case err != nil && id == "":
		return Target{}, fmt.Errorf("%w: it may run with --inspect-publish-uid=stderr; pass the ws:// URL it printed", err)
	case err == nil && len(list) == 0 && id == "":
		return Target{}, fmt.Errorf("inspector at %s lists no target", addr)
	case err == nil && len(list) > 0:
		t.Title, t.URL = list[0].Title, list[0].URL
		if t.ID == "" {
			// The URL repeats the Host header we sent; only its path is the target's.
			if u, err := url.Parse(list[0].WebSocketDebuggerURL); err == nil {
				t.ID = strings.TrimPrefix(u.Path, "/")
			}
		}
		if t.ID == "" {
			t.ID = list[0].ID
		}
	}
	t.Script = scriptPath(t.URL, t.Title)
	t.WebSocketURL = "ws://" + t.Addr() + "/" + t.ID
	return t, nil
}

// scriptPath is the main script's path. Node gives "file://" as the URL and
// "/path/to/node[PID]" as the title of a program without one.
func scriptPath(fileURL, title string) string {
	if u, err := url.Parse(fileURL); err == nil && u.Scheme == "file" && u.Path != "" {
		return u.Path
	}
	if strings.HasSuffix(title, "]") {
		return ""
	}
	return title
}

// hostHeader is the Host header for the target: the inspector refuses every
// name but localhost, to withstand DNS rebinding.
func (t Target) hostHeader() string {
	if t.Host == "localhost" || net.ParseIP(t.Host) != nil {
		return t.Addr()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
}

// inspectorHTTP ignores proxies: an inspector is reached directly or by a tunnel.
var inspectorHTTP = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (t Target) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr()+path, nil)
	if err != nil {
		return fmt.Errorf("inspector address %s: %w", t.Addr(), err)
	}
	req.Host = t.hostHeader()
	resp, err := inspectorHTTP.Do(req)
	if err != nil {
		var uerr *url.Error
		if errors.As(err, &uerr) {
			err = uerr.Err
		}
		return fmt.Errorf("no inspector at %s: %w: start the program with --inspect, or name it by its pid", t.Addr(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("inspector at %s: reading %s: %w", t.Addr(), path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s with status %d: not an inspector, or one that hides its targets", t.Addr(), path, resp.StatusCode)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s answers %s with something other than JSON: not an inspector", t.Addr(), path)
	}
	return nil
}

package check

import (
	"strings"
	"testing"
)

func TestParseReadiness(t *testing.T) {
	for _, test := range []struct {
		text, url, line, addr string
		port                  int
		wrong                 string
	}{
		{text: "http://127.0.0.1:3000/health", url: "http://127.0.0.1:3000/health", port: 3000},
		{text: "https://localhost", url: "https://localhost", port: 443},
		{text: "3000", addr: "127.0.0.1:3000", port: 3000},
		{text: "db.local:5432", addr: "db.local:5432", port: 5432},
		{text: "line:listening on \\d+", line: "listening on \\d+"},
		{text: "line:http://", line: "http://"},
		{text: "line:(", wrong: "missing closing"},
		{text: "listening", wrong: "want a URL, a PORT, HOST:PORT or line:REGEXP"},
		{text: "70000", wrong: "want a URL"},
		{text: "ftp://x", wrong: "is no URL"},
	} {
		r, err := ParseReadiness(test.text)
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("ParseReadiness(%q) = %v, want %q", test.text, err, test.wrong)
			}
			continue
		}
		line := ""
		if r.Line != nil {
			line = r.Line.String()
		}
		if err != nil || r.URL != test.url || line != test.line || r.Addr != test.addr || r.port() != test.port {
			t.Errorf("ParseReadiness(%q) = %+v, port %d, %v", test.text, r, r.port(), err)
		}
	}
}

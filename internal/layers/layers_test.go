package layers

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestImportsPointDownwards(t *testing.T) {
	breaches, err := Breaches(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches {
		t.Error(b)
	}
}

// Each row is one file with one import; a row without want is allowed.
func TestBreaches(t *testing.T) {
	tests := []struct {
		file, imported, want string
	}{
		{"cmd/heapsnap/main.go", "heapsnap/check", ""},
		{"cmd/heapsnap/main.go", "heapsnap/fixtures", ""},
		{"cmd/heapsnap/main.go", "github.com/spf13/cobra", ""},
		{"cmd/heapsnap/main.go", "heapsnap/internal/nodes", "test helpers"},
		{"cmd/heapsnap/main_test.go", "heapsnap/internal/nodes", ""},
		{"check/run.go", "heapsnap/report", ""},
		{"check/run.go", "heapsnap/heapprofile", "check may import of ours: cdp"},
		{"check/run.go", "github.com/spf13/cobra/doc", "only in cmd: a library has no command line"},
		{"leak/listener.go", "heapsnap/diff", ""},
		{"leak/listener.go", "heapsnap/report", "leak may import of ours: diff heapsnap"},
		{"leak/listener_test.go", "heapsnap/fixtures", ""},
		{"leak/listener_test.go", "heapsnap/report", ""},
		{"leak/listener_test.go", "heapsnap/check", "leak may import"},
		{"jssource/source.go", "github.com/tdewolff/parse/v2/js", ""},
		{"diff/diff.go", "github.com/tdewolff/parse/v2/js", "only in jssource"},
		{"report/plot.go", "gonum.org/v1/plot/vg", ""},
		{"report/text.go", "heapsnap/leak", "report may import of ours: nothing"},
		{"diff/plot.go", "gonum.org/v1/plot", "only in report"},
		{"heapsnap/read.go", "github.com/klauspost/compress/zstd", ""},
		{"heapsnap/read.go", "heapsnap/cdp", "heapsnap may import of ours: nothing"},
		{"cdp/session.go", "github.com/chromedp/cdproto/runtime", ""},
		{"cdp/session.go", "github.com/chromedp/cdproto", "the root has all domains"},
		{"cdp/session_test.go", "github.com/chromedp/cdproto", "the root has all domains"},
		{"eventloop/record.go", "heapsnap/cdp", ""},
		{"eventloop/record.go", "github.com/chromedp/cdproto/profiler", "only in cdp"},
		{"report/json_test.go", "github.com/santhosh-tekuri/jsonschema/v6", ""},
		{"report/json.go", "github.com/santhosh-tekuri/jsonschema/v6", "_test.go files only"},
		{"report/json.go", "github.com/stretchr/testify", "not in internal/layers"},
		{"report/json.go", "C", "without cgo"},
		{"report/json.go", "encoding/json", ""},
		{"util/strings.go", "strings", "no package of the diagram"},
		{"main.go", "os", "no package of the diagram"},
		{"tools/other/x.go", "github.com/stretchr/testify", ""}, // a module of its own
		{"leak/testdata/x.go", "github.com/stretchr/testify", ""},
		{".cache/x.go", "github.com/stretchr/testify", ""},
	}
	for _, test := range tests {
		t.Run(test.file+" "+test.imported, func(t *testing.T) {
			root := fstest.MapFS{
				test.file:      {Data: []byte("//go:build never\n\npackage x\n\nimport _ \"" + test.imported + "\"\n")},
				"tools/go.mod": {},
			}
			breaches, err := Breaches(root)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" && len(breaches) == 0 {
				return
			}
			if len(breaches) != 1 || test.want == "" || !strings.Contains(breaches[0].String(), test.want) {
				t.Errorf("Breaches = %v, want one with %q", breaches, test.want)
			}
		})
	}
}

func TestOneFileHasTheConnection(t *testing.T) {
	const src = "package cdp\n\nimport _ \"github.com/gorilla/websocket\"\n"
	breaches, err := Breaches(fstest.MapFS{
		"cdp/conn.go":      {Data: []byte(src)},
		"cdp/conn_test.go": {Data: []byte(src)},
		"cdp/socket.go":    {Data: []byte(src)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(breaches) != 1 || breaches[0].File != "cdp/socket.go" {
		t.Errorf("Breaches = %v, want one, in cdp/socket.go", breaches)
	}
}

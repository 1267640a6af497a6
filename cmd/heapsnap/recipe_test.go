package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"heapsnap/internal/nodes"
)

// The README's recipe for CI, as pasted, on a program that leaks and on one that
// does not. Only the port is another, and npx is the binary of this test.
func TestReadmeRecipeForCI(t *testing.T) {
	all := nodes.All(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("the README has %d YAML blocks, want the configuration and the workflow", len(blocks))
	}
	config, workflow := blocks[0][1], blocks[1][1]
	if n := strings.Count(config+workflow, "\n"); n >= 20 {
		t.Errorf("the recipe has %d lines, want fewer than 20", n)
	}
	step := regexp.MustCompile(`run: npx heapsnap (.*)\n`).FindStringSubmatch(workflow)
	if step == nil {
		t.Fatalf("no step runs heapsnap:\n%s", workflow)
	}
	for _, test := range []struct {
		handler string
		code    int
	}{
		{"res.end('found ' + req.url)", exitClean},
		{"seen.push({ url: req.url }); res.end('found')", exitFindings},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
		l.Close()
		dir := t.TempDir()
		app := fmt.Sprintf("const seen = [];\nrequire('node:http').createServer((req, res) => { %s; }).listen(%s, '127.0.0.1');\n", test.handler, port)
		for name, text := range map[string]string{"app.js": app, ".heapsnap.yaml": strings.ReplaceAll(config, "3000", port)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", filepath.Dir(all[len(all)-1].Path)+string(os.PathListSeparator)+os.Getenv("PATH"))
		r := heapsnapIn(t, dir, nil, strings.Fields(step[1])...)
		if r.code != test.code {
			t.Errorf("%s: code %d, want %d\n%s%s", test.handler, r.code, test.code, r.out, r.errors)
		}
		if test.code == exitFindings && !strings.Contains(r.out, "app.js:2") {
			t.Errorf("the leak's line is not told:\n%s", r.out)
		}
	}
}

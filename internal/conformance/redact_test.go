//go:build conformance

package conformance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"heapsnap/redact"
)

// TestRedactedSnapshots opens every snapshot and its redacted copy in DevTools'
// worker: all figures are the same, and what had one name has one.
func TestRedactedSnapshots(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH; DevTools' worker needs it")
	}
	run(t, "setup.mjs")
	for _, file := range snapshots(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".heapsnapshot"), func(t *testing.T) {
			dir := t.TempDir()
			r, err := redact.New(redact.Options{Key: []byte("a secret of sixteen and more")})
			if err != nil {
				t.Fatal(err)
			}
			ask := func(files ...string) []string {
				args := []string{"--max-old-space-size=4000", "oracle.mjs", files[0]}
				if len(files) > 1 {
					args = append(args, "--base", files[1])
				}
				oracle := exec.Command("node", args...)
				oracle.Stderr = os.Stderr
				out, err := oracle.Output()
				if err != nil {
					t.Fatal(err)
				}
				return figuresOf(out)
			}
			files := []string{file}
			if earlier := strings.TrimSuffix(file, "-2.heapsnapshot") + "-1.heapsnapshot"; earlier != file+"-1.heapsnapshot" {
				files = append(files, earlier)
			}
			var copies []string
			for _, file := range files {
				in, err := os.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				var out bytes.Buffer
				if _, err := r.Copy(context.Background(), &out, in, nil); err != nil {
					t.Fatal(err)
				}
				copied := filepath.Join(dir, filepath.Base(file))
				if err := os.WriteFile(copied, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				copies = append(copies, copied)
			}
			want, got := ask(files...), ask(copies...)
			if len(want) < 1000 || len(got) != len(want) {
				t.Fatalf("%d rows became %d", len(want), len(got))
			}
			shown := 0
			for i := range want {
				if strings.HasPrefix(want[i], "node") && strings.HasSuffix(want[i], "\t") { // a text that is no text
					got[i] = got[i][:strings.LastIndexByte(got[i], '\t')+1]
				}
				if want[i] != got[i] && shown < maxShown {
					shown++
					t.Errorf("%q became %q", want[i], got[i])
				}
			}
		})
	}
}

// named are the columns of a row that have a string's number.
var named = map[string][]int{
	"node": {9, 10, 11, 12}, "class": {1, 2}, "diff": {1, 2},
}

// figuresOf are the rows of an answer without texts. Nodes are in file order, and
// of their names it is told which node first had the same; classes come in the
// order of their names and are sorted by their figures. Texts that are many times
// there are left out: "ab" + "c" is "abc" no more when the parts are replaced.
func figuresOf(out []byte) []string {
	var nodes, others []string
	var lossy []bool // text -> whether
	first := map[string]int{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch fields[0] {
		case "string":
			// V8 writes ? for what is no text, and may have ??? twice in its table: the
			// name of a property, which is Node's own, and a text, which is not.
			lossy = append(lossy, strings.Trim(fields[1], `"?`) == "")
			continue
		case "oracle":
			lossy = lossy[:0]
		case "interfaces", "end", "duplicate":
			continue
		case "filter":
			if fields[1] == "duplicatedStrings" {
				continue
			}
		}
		for _, at := range named[fields[0]] {
			name := fields[at]
			fields[at] = ""
			if fields[0] != "node" {
				continue
			}
			// Not the display name: DevTools puts a part of an object's names into it.
			if number, err := strconv.Atoi(name); at == 11 || err != nil || at == 12 && lossy[number] {
				continue
			}
			key := strconv.Itoa(at) + " " + name
			if _, ok := first[key]; !ok {
				first[key] = len(nodes)
			}
			fields[at] = strconv.Itoa(first[key])
		}
		row := strings.Join(fields, "\t")
		if fields[0] == "node" {
			nodes = append(nodes, row)
		} else {
			others = append(others, row)
		}
	}
	slices.Sort(others)
	return append(nodes, others...)
}

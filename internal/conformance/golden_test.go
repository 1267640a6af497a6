package conformance

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"heapsnap/heapsnap"
)

// unzip returns the uncompressed text of a file in testdata.
func unzip(t *testing.T, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestGoldenSnapshots compares the snapshots of testdata with the answers that
// DevTools gave when they were made; testdata/README.md tells how.
func TestGoldenSnapshots(t *testing.T) {
	files, err := filepath.Glob("testdata/*.heapsnapshot.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata has no snapshots: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".heapsnapshot.gz")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			s, err := heapsnap.Read(context.Background(), iotest.HalfReader(unzip(t, file)), heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var base *heapsnap.Snapshot
			if earlier, ok := strings.CutSuffix(name, "-2"); ok {
				if _, err := os.Stat(earlier + "-1.heapsnapshot.gz"); err == nil {
					base, err = heapsnap.Read(context.Background(), unzip(t, earlier+"-1.heapsnapshot.gz"), heapsnap.Options{})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			compare(t, newAnswer(unzip(t, name+".oracle.gz")), s, base)
		})
	}
}

// TestGoldenGraphs compares random small heaps, several to a file; see
// graphs.mjs.
func TestGoldenGraphs(t *testing.T) {
	files, err := filepath.Glob("testdata/graphs*.gz")
	if err != nil {
		t.Fatal(err)
	}
	// More of them than the repository holds, e.g. of another seed.
	if more := os.Getenv("HEAPSNAP_CONFORMANCE_GRAPHS"); more != "" {
		files = append(files, more)
	}
	if len(files) == 0 {
		t.Fatal("testdata has no graphs")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".gz"), func(t *testing.T) {
			t.Parallel()
			compareGraphs(t, newAnswer(unzip(t, file)))
		})
	}
}

func compareGraphs(t *testing.T, a *answer) {
	n := 0
	for row := a.row(); row != nil; row = a.row() {
		if row[0] != "graph" {
			t.Fatalf("graph %d: a row %q between two graphs", n, row[0])
		}
		n++
		text, earlier := row[1], ""
		if row = a.peek(); row[0] == "base" {
			earlier = a.row()[1]
			row = a.peek()
		}
		refused := row[0] == "error" // DevTools gives up on some that are no trouble
		if refused {
			a.row()
		}
		ok := t.Run(strconv.Itoa(n), func(t *testing.T) {
			s, err := heapsnap.Read(context.Background(), iotest.OneByteReader(strings.NewReader(text)), heapsnap.Options{})
			if err != nil {
				for row := a.peek(); !refused && row[0] != "" && row[0] != "end"; {
					row = a.row()
				}
				t.Fatal(err)
			}
			if refused {
				return
			}
			var base *heapsnap.Snapshot
			if earlier != "" {
				base = read(t, earlier)
			}
			compare(t, a, s, base)
		})
		if !ok {
			t.Logf("graph %d:\n%s\nbase:\n%s", n, text, earlier)
		}
	}
	if a.err != nil {
		t.Fatal(a.err)
	}
	t.Logf("%d graphs", n)
}

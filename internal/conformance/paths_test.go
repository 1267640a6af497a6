package conformance

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// TestGoldenRetainingPaths compares the retaining paths of nodes of the
// snapshots in testdata with what paths.mjs wrote about them.
func TestGoldenRetainingPaths(t *testing.T) {
	files, err := filepath.Glob("testdata/*.paths*.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata has no paths: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, _, _ = strings.Cut(name, ".")
			s, err := heapsnap.Read(context.Background(), unzip(t, "testdata/"+name+".heapsnapshot.gz"), heapsnap.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var limits heapsnap.PathLimits
			wrong, some := 0, 0
			rows := bufio.NewScanner(unzip(t, file))
			for rows.Scan() && wrong < maxShown {
				f := strings.Split(rows.Text(), "\t")
				if f[0] == "limits" {
					if l := strings.Split(f[1], ","); len(l) == 3 {
						limits = heapsnap.PathLimits{Depth: number(l[0]), Nodes: number(l[1]), Siblings: number(l[2])}
					}
					continue
				}
				n := heapsnap.Node(number(f[0]))
				p := s.RetainingPaths(n, limits)
				got := forest(p.Paths)
				if len(got) > 200 {
					got = fmt.Sprintf("%x", sha256.Sum256([]byte(got)))
				}
				if got != f[2] || reached(p) != f[1] {
					t.Errorf("RetainingPaths(%d, %+v) = %s, limits %s, want %s, %s", n, limits, got, reached(p), f[2], f[1])
					wrong++
				}
				if got != "" {
					some++
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if some < 20 {
				t.Errorf("%d nodes have paths: too few to tell anything", some)
			}
		})
	}
}

func forest(refs []heapsnap.RetainingEdge) string {
	var b strings.Builder
	for i, r := range refs {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(r.From)) + "." + strconv.Itoa(int(r.Edge)))
		if len(r.Holders) > 0 {
			b.WriteString("[" + forest(r.Holders) + "]")
		}
	}
	return b.String()
}

func reached(p *heapsnap.RetainingPaths) string {
	text := ""
	for _, l := range []struct {
		reached bool
		mark    string
	}{{p.DepthReached, "d"}, {p.NodesReached, "n"}, {p.SiblingsReached, "s"}} {
		if l.reached {
			text += l.mark
		}
	}
	if text == "" {
		return "-"
	}
	return text
}

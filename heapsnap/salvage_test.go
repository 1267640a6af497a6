package heapsnap

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// capture returns a capture of Node 24 with a few thousand nodes.
func capture(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../internal/conformance/testdata/node24-plain-2.heapsnapshot.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// salvage reads data, which may be cut short, and compares what was read with
// whole. It returns nil where there is nothing to salvage.
func salvage(t *testing.T, data []byte, size int64, whole *Snapshot) *Snapshot {
	t.Helper()
	s, err := Read(context.Background(), bytes.NewReader(data), Options{Size: size, Salvage: true})
	if err != nil {
		if !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v, want an error that wraps ErrTruncated", len(data), err)
		}
		return nil
	}
	v := s.Salvaged()
	if v == nil || v.Nodes != s.NodeCount() || v.Edges != s.EdgeCount() || v.NodeCount != whole.NodeCount() || v.EdgeCount != whole.EdgeCount() {
		t.Fatalf("cut at %d: Salvaged() = %+v of %d nodes and %d edges", len(data), v, s.NodeCount(), s.EdgeCount())
	}
	if w := s.Warnings(); len(w) == 0 || !strings.HasPrefix(w[0], "salvaged: ") {
		t.Fatalf("cut at %d: Warnings() = %q, want what was salvaged", len(data), w)
	}
	named := func(got, want string) bool { return got == want || got == missingName }
	for i := range s.NodeCount() {
		n := Node(i)
		if s.ID(n) != whole.ID(n) || s.Type(n) != whole.Type(n) || !named(s.RawName(n), whole.RawName(n)) {
			t.Fatalf("cut at %d: node %d is @%d %s %q, want @%d %s %q", len(data), n,
				s.ID(n), s.Type(n), s.RawName(n), whole.ID(n), whole.Type(n), whole.RawName(n))
		}
	}
	for i := range s.EdgeCount() {
		e := Edge(i)
		if s.EdgeType(e) != whole.EdgeType(e) || s.To(e) != whole.To(e) || !named(s.EdgeName(e), whole.EdgeName(e)) {
			t.Fatalf("cut at %d: edge %d is %s %q -> %d, want %s %q -> %d", len(data), e,
				s.EdgeType(e), s.EdgeName(e), s.To(e), whole.EdgeType(e), whole.EdgeName(e), whole.To(e))
		}
	}
	return s
}

// askMore asks what askEverything does not.
func askMore(s, whole *Snapshot) {
	paths := s.Paths(nil)
	for i := 0; i < s.NodeCount(); i += 1 + s.NodeCount()/50 {
		n := Node(i)
		paths.To(n)
		s.RetainedBy([]Node{n})
		s.AllocationStack(n)
		s.Detachedness(n)
		for range s.Retainers(n) {
		}
		for range s.Dominated(n) {
		}
	}
	s.Census().Compare(whole)
	whole.Census().Compare(s)
	s.DuplicateStrings()
	s.AllocationProfile()
	s.Samples()
}

func TestSalvage(t *testing.T) {
	data := capture(t)
	whole := mustRead(t, data)
	if whole.Salvaged() != nil {
		t.Errorf("Salvaged() of a whole file = %v", whole.Salvaged())
	}
	section := func(name string) int { return bytes.Index(data, []byte(`"`+name+`":`)) }
	cuts := map[int]bool{}
	for _, name := range []string{"nodes", "edges", "trace_function_infos", "trace_tree", "samples", "locations", "strings"} {
		for d := -3; d < 24; d++ {
			cuts[section(name)+d] = true
		}
	}
	for d := 1; d < 12; d++ {
		cuts[len(data)-d] = true
	}
	random := rand.New(rand.NewPCG(1, 2))
	cutCount := 200
	if testing.Short() {
		cutCount = 20
	}
	for range cutCount {
		cuts[random.IntN(len(data))] = true
	}
	firstNode := section("nodes") + len(`"nodes":[`)
	for at := range cuts {
		s := salvage(t, data[:at], int64(at), whole)
		switch {
		case s == nil && at > firstNode+40:
			t.Errorf("cut at %d, in the nodes or later: nothing salvaged", at)
		case s == nil:
		case at > section("edges") && s.NodeCount() != whole.NodeCount():
			t.Errorf("cut at %d, behind the nodes: %v", at, s.Salvaged())
		case at > section("trace_function_infos") && s.EdgeCount() != whole.EdgeCount():
			t.Errorf("cut at %d, behind the edges: %v", at, s.Salvaged())
		}
		if s != nil {
			askEverything(t, s)
			askMore(s, whole)
		}
	}
	// Without a size, as in a pipe.
	if s := salvage(t, data[:section("edges")+5000], 0, whole); s == nil || s.EdgeCount() == 0 {
		t.Error("cut in the edges, size unknown: nothing salvaged")
	}
}

// A file that lacks only its last brace has lost nothing.
func TestSalvageBehindStrings(t *testing.T) {
	data := capture(t)
	whole := mustRead(t, data)
	s := salvage(t, bytes.TrimRight(data, "}\n "), 0, whole)
	if v := s.Salvaged(); v.Strings != v.StringCount || v.Edges != v.EdgeCount {
		t.Errorf("Salvaged() = %+v, want all", v)
	}
	for i := range s.NodeCount() {
		n := Node(i)
		if s.RetainedSize(n) != whole.RetainedSize(n) || s.Distance(n) != whole.Distance(n) || s.ClassName(n) != whole.ClassName(n) {
			t.Fatalf("node %d: retained %d, distance %d, class %s, want %d, %d, %s", n, s.RetainedSize(n), s.Distance(n), s.ClassName(n),
				whole.RetainedSize(n), whole.Distance(n), whole.ClassName(n))
		}
	}
}

func TestSalvageSentence(t *testing.T) {
	at := strings.Index(valid, ",1,2,5,24,0]") + 7
	s, err := Read(context.Background(), strings.NewReader(valid[:at]), Options{Salvage: true})
	if err != nil {
		t.Fatal(err)
	}
	const want = "salvaged: 66 % of nodes, 0 % of edges, 0 % of strings: the input ends in nodes, at byte "
	if got := s.Salvaged().String(); !strings.HasPrefix(got, want) {
		t.Errorf("Salvaged() = %q, want %q...", got, want)
	}
	if got := s.Name(1); got != "(missing)" {
		t.Errorf("Name(1) = %q, want (missing)", got)
	}
}

// A file that is no snapshot, or damaged before its end, is not salvaged.
func TestSalvageRefused(t *testing.T) {
	for _, text := range []string{
		"", "{", "[1,2", `{"snapshot":{"meta":`, valid[:strings.Index(valid, "[0,0,1")+1], valid[:strings.Index(valid, "[0,0,1")+9],
		strings.Replace(valid, "1,1,3,16", "1,1,x,16", 1)[:strings.Index(valid, "locations")],
	} {
		s, err := Read(context.Background(), strings.NewReader(text), Options{Salvage: true, Size: int64(len(text))})
		if err == nil {
			t.Errorf("Read(%.300q) = %v, want an error", text, s.Salvaged())
		}
		if _, err := ReadIdentities(context.Background(), strings.NewReader(text), Options{Salvage: true}); err == nil {
			t.Errorf("ReadIdentities(%.300q): no error", text)
		}
	}
}

// A header cut off from its rows must not take memory for them.
func TestSalvageHugeCounts(t *testing.T) {
	text := strings.Replace(valid, `"node_count":3,"edge_count":2`, `"node_count":4000000000,"edge_count":4000000000`, 1)
	text = text[:strings.Index(text, `],`+"\n"+`"edges"`)]
	s, err := Read(context.Background(), strings.NewReader(text), Options{Salvage: true, Size: int64(len(text))})
	if err != nil || s.NodeCount() != 2 {
		t.Errorf("Read = %v, %v, want the 2 nodes that something follows", s, err)
	}
}

func TestSalvageCompressed(t *testing.T) {
	data := capture(t)
	whole := mustRead(t, data)
	for name, packed := range map[string][]byte{"gzip": gzipped(t, string(data)), "zstd": zstandard(t, string(data))} {
		opened := 0
		for part := 1; part < 40; part++ {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, packed[:len(packed)*part/40], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(context.Background(), path, Options{}); err == nil {
				t.Errorf("Open of %d/40 of a %s file without Salvage: no error", part, name)
			}
			s, err := Open(context.Background(), path, Options{Salvage: true})
			if err != nil {
				if !errors.Is(err, ErrTruncated) {
					t.Errorf("Open of %d/40 of a %s file: %v", part, name, err)
				}
				continue
			}
			opened++
			askEverything(t, s)
			askMore(s, whole)
			if ids, err := OpenIdentities(context.Background(), path, Options{Salvage: true}); err != nil || ids.Count() != s.NodeCount() {
				t.Errorf("OpenIdentities of %d/40 of a %s file = %v, %v, want %d nodes", part, name, ids, err, s.NodeCount())
			}
		}
		if opened < 20 {
			t.Errorf("%d of 39 parts of a %s file were opened", opened, name)
		}
	}
}

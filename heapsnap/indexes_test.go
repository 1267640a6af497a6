package heapsnap

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answers is what a snapshot says to every question, as text. A snapshot made
// of an index says the same as one that was read.
func answers(s *Snapshot) string {
	var b strings.Builder
	p := func(args ...any) { fmt.Fprintln(&b, args...) }
	p(s.NodeCount(), s.EdgeCount(), s.Root(), s.Mode(), s.Bytes(), s.TotalSize(), s.Warnings(), s.Salvaged())
	stats := s.Statistics()
	p(stats)
	for i := range s.NodeCount() {
		n := Node(i)
		p(n, s.Type(n), s.ID(n), s.Name(n), s.RawName(n), s.ClassName(n), s.SelfSize(n), s.RetainedSize(n), s.Distance(n),
			s.Dominator(n), s.Detachedness(n), s.RetainerCount(n), slices.Collect(s.Dominated(n)), s.Script(n))
		if l := s.Location(n); l != nil {
			p(*l)
		}
		for e := range s.Edges(n) {
			p(s.EdgeType(e), s.EdgeName(e), s.To(e), s.Strong(n, e))
		}
		for from, e := range s.Retainers(n) {
			p(from, e)
		}
		p(s.AllocationStack(n))
	}
	for _, a := range s.Aggregates() {
		p(a.Class, a.Count, a.Shallow, a.Retained, a.Distance)
		if a.Location != nil {
			p(*a.Location)
		}
	}
	for i, text := range s.Strings() {
		p(i, text)
	}
	p(s.StringUses())
	p(s.DuplicateStrings())
	p(s.Samples())
	p(s.AllocationProfile())
	p(s.Scripts())
	p(s.DominatorOrder())
	last := Node(s.NodeCount() - 1)
	p(s.RetainedBy([]Node{last, last / 2}))
	t := s.KeptPaths("odd last", func(_ Node, e Edge) int { return int(e) & 1 })
	for i := range s.NodeCount() {
		p(t.To(Node(i)))
	}
	for i := 0; i < s.NodeCount(); i += s.NodeCount()/10 + 1 {
		p(s.RetainingPaths(Node(i), PathLimits{}))
	}
	p(s.Identities().MaxID(), s.Identities().SameProcess(s))
	return b.String()
}

// withIndex opens a snapshot, and says whether it came from the index.
func withIndex(t testing.TB, path string, ix *Indexes) (s *Snapshot, indexed bool) {
	t.Helper()
	s, err := Open(context.Background(), path, Options{Indexes: ix})
	if err != nil {
		t.Fatal(err)
	}
	return s, s.index != nil && s.index.file != nil
}

// sameAnswers holds a snapshot to the answers of one that was read.
func sameAnswers(t testing.TB, what string, s *Snapshot, want string) {
	t.Helper()
	if got := answers(s); got != want {
		t.Fatalf("%s: the answers are others: %s", what, firstDifference(got, want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %.200q, want %.200q", i, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// indexedFile writes a snapshot and the whole index of it, and returns what it
// answers.
func indexedFile(t testing.TB, data []byte) (path string, ix *Indexes, want string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a.heapsnapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ix = &Indexes{Dir: filepath.Join(t.TempDir(), "cache", "heapsnap")}
	s, indexed := withIndex(t, path, ix)
	if indexed {
		t.Fatal("there is an index before the first command")
	}
	want = answers(s)
	if err := s.WriteIndex(context.Background()); err != nil {
		t.Fatal(err)
	}
	return path, ix, want
}

// indexFiles returns the files of a folder by kind.
func indexFiles(t testing.TB, ix *Indexes) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(ix.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		files[strings.TrimPrefix(filepath.Ext(name), ".")] = name
	}
	return files
}

func TestIndexAnswers(t *testing.T) {
	golden, err := filepath.Glob("../internal/conformance/testdata/*.heapsnapshot.gz")
	if err != nil || len(golden) < 5 {
		t.Fatalf("%d snapshots in testdata, %v", len(golden), err)
	}
	for _, path := range golden {
		ix := &Indexes{Dir: t.TempDir()}
		_ = os.Chmod(ix.Dir, 0o700)
		s, _ := withIndex(t, path, ix)
		want := answers(s)
		summary := s.summary()
		if err := s.WriteIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, indexed := withIndex(t, path, ix)
		if !indexed {
			t.Fatalf("%s: no index", path)
		}
		sameAnswers(t, path, s, want)
		if s.index.hurt.Load() || !s.index.strings || len(s.index.paths) != 1 {
			t.Errorf("%s: hurt %v, strings %v, paths %v: something was computed anew", path, s.index.hurt.Load(), s.index.strings, s.index.paths)
		}
		kept, err := OpenSummary(t.Context(), path, Options{Indexes: ix})
		if err != nil || !reflect.DeepEqual(kept, summary) {
			t.Errorf("%s: OpenSummary = %+v, %v, want %+v", path, kept, err, summary)
		}
	}
}

func TestIndexAnswersRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 200 {
		path, ix, want := indexedFile(t, randomModel(r).write())
		s, indexed := withIndex(t, path, ix)
		if !indexed {
			t.Fatalf("heap %d: no index", i)
		}
		sameAnswers(t, fmt.Sprint("heap ", i), s, want)
		if s.index.hurt.Load() {
			t.Errorf("heap %d: something was computed anew", i)
		}
	}
}

// A summary is kept for the next, byte for byte, whichever command kept it; and
// summary alone writes no columns.
func TestIndexSummary(t *testing.T) {
	path := "../internal/conformance/testdata/node24-plain-2.heapsnapshot.gz"
	want, err := OpenSummary(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ix := &Indexes{Dir: filepath.Join(t.TempDir(), "x")}
	for i := range 3 {
		got, err := OpenSummary(t.Context(), path, Options{Indexes: ix})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("run %d: OpenSummary = %+v, %v, want %+v", i, got, err, want)
		}
	}
	if files := indexFiles(t, ix); files[summaryKind] == "" || files[graphKind] != "" {
		t.Errorf("files %v, want a summary and no graph", files)
	}
	for _, name := range indexFiles(t, ix) {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want it to be the user's alone", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(ix.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v, want it to be the user's alone", ix.Dir, info.Mode(), err)
	}
}

// Whatever happens to a file of the index, the answers are the same, and the
// index is whole again afterwards.
func TestIndexDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := randomModel(r)
	for len(m.nodes) < 4 || len(m.edges) < 6 {
		m = randomModel(r)
	}
	path, ix, want := indexedFile(t, m.write())
	summary, err := OpenSummary(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	try := func(file, what string, text []byte) {
		t.Helper()
		// Never in place: nobody does that, and a mapped file must not shrink.
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		got, err := OpenSummary(t.Context(), path, Options{Indexes: ix})
		if err != nil || !reflect.DeepEqual(got, summary) {
			t.Fatalf("%s: OpenSummary = %+v, %v, want %+v", what, got, err, summary)
		}
		s, _ := withIndex(t, path, ix)
		sameAnswers(t, what, s, want)
		if err := s.WriteIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	files := indexFiles(t, ix)
	for _, kind := range []string{graphKind, summaryKind, stringsKind, pathsKind, stampKind} {
		file := files[kind]
		if file == "" && kind == stampKind {
			continue // the snapshot is too young
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(whole); i += r.IntN(12) + 1 { // every byte was tried
			text := bytes.Clone(whole)
			text[i] ^= 1 << r.IntN(8)
			try(file, fmt.Sprintf("%s: byte %d of %d", kind, i, len(whole)), text)
			if r.IntN(4) == 0 {
				try(file, fmt.Sprintf("%s: cut to %d of %d", kind, i, len(whole)), whole[:i])
			}
		}
		try(file, kind+": longer", append(bytes.Clone(whole), 0))
		try(file, kind+": swapped", []byte("something else"))
		try(file, kind+": another kind", whole)
	}
	s, indexed := withIndex(t, path, ix)
	if !indexed || s.index.hurt.Load() {
		t.Fatal("the index was not written anew")
	}
}

// Damage in one part is found when that part is asked for.
func TestIndexDamagedPart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	data := shapeGraph(200_000, func(i int, to func(int)) {
		if i+1 < 200_000 {
			to(i + 1)
		}
		to(r.IntN(200_000))
	})
	path := filepath.Join(t.TempDir(), "a.heapsnapshot")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(s *Snapshot) string {
		var b strings.Builder
		for n := Node(0); n < Node(s.NodeCount()); n += 997 {
			fmt.Fprintln(&b, s.Dominator(n), s.RetainedSize(n), s.Distance(n), s.ClassName(n), slices.Collect(s.Dominated(n)))
			for from, e := range s.Retainers(n) {
				fmt.Fprintln(&b, from, e)
			}
		}
		return b.String()
	}
	want := ask(mustRead(t, data))
	ix := &Indexes{Dir: filepath.Join(t.TempDir(), "x")}
	s, _ := withIndex(t, path, ix)
	if err := s.WriteIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	hurt := 0
	for _, name := range []string{"node type", "edge target", "node dominator", "node retained size", "node distance", "node class", "retainers", "dominated nodes", "edge sources"} {
		file := indexFiles(t, ix)[graphKind]
		x := ix.open(strings.TrimSuffix(filepath.Base(file), "."+graphKind), graphKind)
		if x == nil {
			t.Fatal("no index")
		}
		sec, ok := x.section(name)
		if !ok {
			t.Fatalf("no column %q in %v", name, x.Columns)
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole[len(whole)-int(x.Size)+int(sec.Offset)+sec.Row*sec.Rows/2] ^= 4
		if err := os.WriteFile(file+".new", whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		s, indexed := withIndex(t, path, ix)
		if got := ask(s); got != want {
			t.Errorf("%s: %s", name, firstDifference(got, want))
		}
		if indexed && s.index.hurt.Load() {
			hurt++
		} else if indexed {
			t.Errorf("%s: the damage was not seen", name)
		}
		if err := s.WriteIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, indexed := withIndex(t, path, ix); !indexed || ask(s) != want || s.index.hurt.Load() {
			t.Errorf("%s: the index was not written anew", name)
		}
	}
	if hurt < 5 {
		t.Errorf("%d parts were computed anew, the others were read with the snapshot: too few to tell", hurt)
	}
}

// A file of the same size and the same modification time, but other content, is
// another snapshot, changed in place or put in the other's place.
func TestIndexOfChangedFile(t *testing.T) {
	for _, settled := range []time.Duration{-time.Hour, time.Hour} { // stamps are believed at once, or never
		path, ix, _ := indexedFile(t, []byte(wide))
		ix.settled = settled
		if settled < 0 { // with a stamp
			s, indexed := withIndex(t, path, ix)
			if !indexed {
				t.Fatal("no index")
			}
			s.index.file = nil
			if err := s.WriteIndex(t.Context()); err != nil {
				t.Fatal(err)
			}
			if free, _ := stamp(mustStat(t, path)); free != "" && indexFiles(t, ix)[stampKind] == "" {
				t.Fatal("no stamp")
			}
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		// The clock that files are dated by moves on once in 10 ms at most.
		time.Sleep(20 * time.Millisecond)
		changed := strings.Replace(wide, `"wide name"`, `"WIDE NAME"`, 1)
		if changed == wide {
			t.Fatal("nothing was changed")
		}
		for i, replace := range []func() error{
			func() error { return os.WriteFile(path, []byte(changed), 0o600) },
			func() error {
				if err := os.WriteFile(path+".new", []byte(wide), 0o600); err != nil {
					return err
				}
				return os.Rename(path+".new", path)
			},
		} {
			if err := replace(); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
				t.Fatal(err)
			}
			now, err := os.Stat(path)
			if err != nil || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) {
				t.Fatalf("%v, %v: size or time changed", now, err)
			}
			s, indexed := withIndex(t, path, ix)
			if indexed != (i == 1) {
				t.Errorf("settled %v, change %d: from the index: %v", settled, i, indexed)
			}
			plain, err := Open(t.Context(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			sameAnswers(t, "changed", s, answers(plain))
			sum, err := OpenSummary(t.Context(), path, Options{Indexes: ix})
			if want := plain.summary(); err != nil || !reflect.DeepEqual(sum, want) {
				t.Errorf("OpenSummary = %+v, %v, want %+v", sum, err, want)
			}
		}
	}
}

func mustStat(t testing.TB, path string) (*os.File, os.FileInfo) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info
}

// wide has a name that can be exchanged for another of the same size.
const wide = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],` +
	`"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic"],"string","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property"],"string_or_number","node"]},` +
	`"node_count":2,"edge_count":1},"nodes":[9,0,1,0,1,3,1,3,4294967299,0],"edges":[2,1,5],"strings":["","wide name"]}`

// While a young file's stamp is not believed, its content is.
func TestIndexOfYoungFile(t *testing.T) {
	path, ix, want := indexedFile(t, []byte(wide))
	if files := indexFiles(t, ix); files[stampKind] != "" {
		t.Fatalf("%v: a file that was just written has a stamp", files)
	}
	s, indexed := withIndex(t, path, ix)
	if !indexed {
		t.Fatal("no index")
	}
	sameAnswers(t, "young", s, want)
	// A copy of another name and age is the same content.
	twin := path + ".copy"
	if err := os.WriteFile(twin, []byte(wide), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, indexed = withIndex(t, twin, ix); !indexed {
		t.Fatal("no index of a copy")
	}
	sameAnswers(t, "copy", s, want)
}

func TestIndexOfAnotherProgram(t *testing.T) {
	path, ix, want := indexedFile(t, []byte(wide))
	file := indexFiles(t, ix)[graphKind]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSuffix(filepath.Base(file), "."+graphKind)
	open := func(program, content string) error {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = openIndex(f, program, content)
		return err
	}
	if err := open(program(), key); err != nil {
		t.Fatalf("openIndex = %v", err)
	}
	if open(program()+" ", key) == nil || open(program(), key+"0") == nil {
		t.Error("an index of another program, or of another file, was opened")
	}
	for _, at := range []int{0, 8, 12} { // magic, format, byte order; the sum is made right
		text := bytes.Clone(whole)
		text[at]++
		length := int(text[16]) | int(text[17])<<8 | int(text[18])<<16
		sum := headerSum(text[:indexFixed], text[indexFixed:indexFixed+length])
		copy(text[24:], []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		if open(program(), key) == nil {
			t.Errorf("byte %d is another: openIndex = nil", at)
		}
		s, indexed := withIndex(t, path, ix)
		if indexed {
			t.Errorf("byte %d is another: the index was taken", at)
		}
		sameAnswers(t, "another format", s, want)
		if err := s.WriteIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, indexed := withIndex(t, path, ix); !indexed {
			t.Error("the index was not written anew")
		}
	}
}

// Where nothing can be written nothing is said.
func TestIndexUnwritable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.heapsnapshot")
	if err := os.WriteFile(path, []byte(wide), 0o600); err != nil {
		t.Fatal(err)
	}
	want := answers(mustRead(t, []byte(wide)))
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, ix := range []*Indexes{
		{Dir: filepath.Join(dir, "file")}, {Dir: filepath.Join(dir, "file", "below")}, {Dir: "/proc/heapsnap"},
		{Dir: open}, // anybody could have written an index there
		{Dir: filepath.Join(dir, "small"), Limit: 100},
	} {
		for range 2 {
			s, indexed := withIndex(t, path, ix)
			if indexed {
				t.Errorf("%v: an index", ix)
			}
			sameAnswers(t, ix.Dir, s, want)
			if err := s.WriteIndex(t.Context()); err == nil {
				t.Errorf("%v: WriteIndex = nil", ix)
			}
			if _, err := OpenSummary(t.Context(), path, Options{Indexes: ix}); err != nil {
				t.Errorf("%v: OpenSummary: %v", ix, err)
			}
			if found, _ := filepath.Glob(filepath.Join(ix.Dir, "*")); len(found) != 0 {
				t.Errorf("%v: files %q", ix, found)
			}
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	ix := &Indexes{Dir: filepath.Join(dir, "stopped")}
	s, _ := withIndex(t, path, ix)
	stop()
	if err := s.WriteIndex(stopped); err == nil {
		t.Error("WriteIndex = nil although it was stopped")
	}
	if found, _ := filepath.Glob(filepath.Join(ix.Dir, "*")); len(found) != 0 {
		t.Errorf("stopped: files %q", found)
	}
}

// Standard input and salvaged files have no index.
func TestIndexNotOfSalvaged(t *testing.T) {
	path, ix, _ := indexedFile(t, []byte(wide))
	for _, name := range indexFiles(t, ix) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(t.Context(), path, Options{Indexes: ix, Salvage: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WriteIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files := indexFiles(t, ix); len(files) != 0 {
		t.Errorf("files %v", files)
	}
}

// The folder stays below its limit: what was not used for longest goes.
func TestIndexLimit(t *testing.T) {
	dir := t.TempDir()
	ix := &Indexes{Dir: filepath.Join(dir, "x")}
	var paths []string
	var size int64
	for i := range 4 {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(strings.Replace(wide, "wide name", fmt.Sprint("the name ", i), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	folder := func() (sum int64) {
		for _, e := range indexedSizes(t, ix) {
			sum += e
		}
		return sum
	}
	for i, path := range paths {
		if i == 3 { // the first is used again, and so the second is the one to go
			if _, indexed := withIndex(t, paths[0], ix); !indexed {
				t.Fatal("no index")
			}
			ix.Limit = folder() + size/2
		}
		s, indexed := withIndex(t, path, ix)
		if indexed {
			t.Fatalf("snapshot %d has an index", i)
		}
		if err := s.WriteIndex(t.Context()); err != nil {
			t.Fatal(err)
		}
		size = folder() - size*int64(i)
		time.Sleep(20 * time.Millisecond) // files have different times
	}
	if got := folder(); got > ix.Limit {
		t.Errorf("%d bytes, the limit is %d", got, ix.Limit)
	}
	for i, want := range []bool{true, false, true, true} {
		if _, indexed := withIndex(t, paths[i], ix); indexed != want {
			t.Errorf("snapshot %d: an index: %v, want %v", i, indexed, want)
		}
	}
	old := filepath.Join(ix.Dir, "x.1.partial")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * partialAge)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	ix.forget("")
	if _, err := os.Stat(old); err == nil {
		t.Error("an unfinished file stays for ever")
	}
}

func indexedSizes(t *testing.T, ix *Indexes) map[string]int64 {
	t.Helper()
	names, err := os.ReadDir(ix.Dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range names {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Name()] = info.Size()
	}
	return sizes
}

// Many at once read and write one index, while somebody deletes it.
func TestIndexConcurrent(t *testing.T) {
	data := mustGolden(t)
	path, ix, want := indexedFile(t, data)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, name := range indexFiles(t, ix) {
				_ = os.Remove(name)
			}
			time.Sleep(time.Millisecond)
		}
	})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 5 {
				s, err := Open(context.Background(), path, Options{Indexes: ix})
				if err != nil {
					t.Error(err)
					return
				}
				if got := answers(s); got != want {
					t.Errorf("the answers are others: %s", firstDifference(got, want))
				}
				_ = s.WriteIndex(context.Background())
			}
		})
	}
	work.Wait()
	close(stop)
	wg.Wait()
}

// mustGolden returns the text of a real snapshot.
func mustGolden(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../internal/conformance/testdata/node18-internals-2.heapsnapshot.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, _, err := Decompress(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

package heapsnap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Indexes is a folder in which commands leave for the next one what they
// computed of a snapshot file. Everything in it may be deleted at any time, and
// several programs may use it at once: files get their name when they are
// complete, are never changed and are checked when they are opened. What cannot
// be written or does not fit is left out without a word.
//
// A file's name is the snapshot's content, and so a copy, or a file of another
// name, has the same index.
type Indexes struct {
	Dir string
	// Limit bounds the bytes of all files: the ones not used for longest go
	// first. 0 is [IndexLimit].
	Limit int64

	settled time.Duration // 0 is stampAge; tests do not wait so long
}

const (
	// IndexLimit is the size that an index folder has at most.
	IndexLimit = 4 << 30
	// indexRoom is what stays free on the folder's disk.
	indexRoom = 1 << 30
	// stampAge is how long a file has to be unchanged before its times are
	// believed: a change within the clock's tick, or two seconds on FAT, has the
	// time of the one before.
	stampAge = 3 * time.Second
	// partialAge is when an unfinished file is nobody's any more.
	partialAge = time.Hour
)

// The files of an index.
const (
	graphKind   = "graph"   // graphFacts and columns
	summaryKind = "summary" // a Summary
	stringsKind = "strings" // DuplicateStrings
	pathsKind   = "paths"   // of KeptPaths; its name stands before it
	stampKind   = "stamp"   // the key of a file's content, see stamp
)

// UserIndexes returns the folder of this user: heapsnap in [os.UserCacheDir].
func UserIndexes() (*Indexes, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return &Indexes{Dir: filepath.Join(dir, "heapsnap")}, nil
}

// origin is a file that was read: the name of its content and its stamp, if
// that is to be believed.
type origin struct{ key, stamp string }

// program tells this program from others: even of one version, two builds may
// have different answers.
var program = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d %s", info.Size(), info.ModTime().UnixNano(), runtime.Version())
})

// usable reports whether the folder is there and only its owner may write to it.
func (ix *Indexes) usable() bool {
	info, err := os.Stat(ix.Dir)
	return err == nil && info.IsDir() && (info.Mode().Perm()&0o022 == 0 || runtime.GOOS == "windows")
}

func (ix *Indexes) path(name, kind string) string { return filepath.Join(ix.Dir, name+"."+kind) }

// find returns the origin of a snapshot that the folder has an index of.
func (ix *Indexes) find(ctx context.Context, path string) (origin, bool) {
	if !ix.usable() {
		return origin{}, false
	}
	f, err := os.Open(path)
	if err != nil {
		return origin{}, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return origin{}, false
	}
	text := ix.settledStamp(f, info)
	if key, ok := ix.readStamp(text); ok && ix.has(key) {
		return origin{key, text}, true
	}
	if !ix.has(fmt.Sprintf("%d-", info.Size())) {
		return origin{}, false // reading will tell the content
	}
	key, err := hashFile(ctx, f, info.Size())
	if err != nil || !ix.has(key) {
		return origin{}, false
	}
	ix.writeStamp(text, key)
	return origin{key, text}, true
}

// has reports whether there is a file with an index whose name begins so.
func (ix *Indexes) has(prefix string) bool {
	names, err := os.ReadDir(ix.Dir)
	return err == nil && slices.ContainsFunc(names, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), prefix) && !strings.HasSuffix(e.Name(), ".partial")
	})
}

// settledStamp is stamp for files that were not changed just now, else "".
func (ix *Indexes) settledStamp(f *os.File, info fs.FileInfo) string {
	now := time.Now()
	text, changed := stamp(f, info)
	if now.Sub(changed) < cmp.Or(ix.settled, stampAge) {
		return ""
	}
	return text
}

func stampName(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

func (ix *Indexes) readStamp(text string) (key string, ok bool) {
	if text == "" {
		return "", false
	}
	raw, err := os.ReadFile(ix.path(stampName(text), stampKind))
	if err != nil {
		return "", false
	}
	key, sum, _ := strings.Cut(string(raw), " ")
	return key, sum == stampSum(key)
}

func stampSum(key string) string {
	return fmt.Sprintf("%08x\n", crc32.Checksum([]byte(key), castagnoli))
}

func (ix *Indexes) writeStamp(text, key string) {
	if text == "" {
		return
	}
	_ = ix.create(stampName(text), stampKind, func(w io.Writer) error {
		_, err := io.WriteString(w, key+" "+stampSum(key))
		return err
	})
}

// open opens a file of an index, or returns nil. One that is of no use is left
// to be written anew.
func (ix *Indexes) open(key, kind string) *indexFile {
	path := ix.path(key, kind)
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	x, err := openIndex(f, program(), key)
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // for forget
	return x
}

// write makes a file of an index.
func (ix *Indexes) write(of origin, kind string, content func(w io.Writer, h indexHeader, room func(size int64) error) error) error {
	if err := os.MkdirAll(ix.Dir, 0o700); err != nil {
		return err
	}
	if !ix.usable() {
		return fmt.Errorf("%s: %w: others may write to it", ix.Dir, errIndex)
	}
	room := func(size int64) error {
		if size > cmp.Or(ix.Limit, IndexLimit) {
			return fmt.Errorf("%w: %d bytes are more than the limit", errIndex, size)
		}
		if left, ok := free(ix.Dir); ok && left-size < indexRoom {
			return fmt.Errorf("%w: %d bytes leave less than %d free on the disk", errIndex, size, int64(indexRoom))
		}
		return nil
	}
	err := ix.create(of.key, kind, func(w io.Writer) error {
		return content(w, indexHeader{Program: program(), Content: of.key}, room)
	})
	if err != nil {
		return err
	}
	ix.writeStamp(of.stamp, of.key)
	ix.forget(ix.path(of.key, kind))
	return nil
}

// create writes a file that has its name only when it is complete. It is not
// forced to the disk: after a power failure the sums tell.
func (ix *Indexes) create(name, kind string, content func(w io.Writer) error) error {
	f, err := os.CreateTemp(ix.Dir, name+".*.partial") // 0600
	if err != nil {
		return err
	}
	err = content(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), ix.path(name, kind))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// forget deletes what was not used for longest until the limit is kept, but not
// the file at last.
func (ix *Indexes) forget(last string) {
	names, err := os.ReadDir(ix.Dir)
	if err != nil {
		return
	}
	var (
		files []fs.FileInfo
		sum   int64
	)
	for _, e := range names {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch strings.TrimPrefix(filepath.Ext(e.Name()), ".") {
		case graphKind, summaryKind, stringsKind, pathsKind, stampKind:
			files = append(files, info)
			sum += info.Size()
		case "partial":
			if time.Since(info.ModTime()) > partialAge {
				_ = os.Remove(filepath.Join(ix.Dir, e.Name()))
			}
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range files {
		path := filepath.Join(ix.Dir, info.Name())
		if sum <= cmp.Or(ix.Limit, IndexLimit) {
			return
		}
		if path != last && os.Remove(path) == nil {
			sum -= info.Size()
		}
	}
}

// contentKey names a content by its size and the sums of its blocks. Against
// somebody who looks for two files with one key it is no protection, and need be
// none: who can write the file can write any answer into it.
func contentKey(size int64, sums []uint32) string {
	h := sha256.New()
	for _, s := range sums {
		h.Write([]byte{byte(s), byte(s >> 8), byte(s >> 16), byte(s >> 24)})
	}
	return fmt.Sprintf("%d-%x", size, h.Sum(nil)[:16])
}

// hashFile returns the content key of a file.
func hashFile(ctx context.Context, f io.ReaderAt, size int64) (string, error) {
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		failed atomic.Bool
		sums   = make([]uint32, (size+sumSize-1)/sumSize)
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			buf := make([]byte, sumSize)
			for !failed.Load() && ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(sums)) {
					return
				}
				part := buf[:min(sumSize, size-i*sumSize)]
				if _, err := f.ReadAt(part, i*sumSize); err != nil {
					failed.Store(true)
					return
				}
				sums[i] = crc32.Checksum(part, castagnoli)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if failed.Load() {
		return "", errors.New("the file could not be read")
	}
	return contentKey(size, sums), nil
}

// A watch reads a file and learns its origin on the way.
type watch struct {
	ix    *Indexes
	f     *os.File
	info  fs.FileInfo
	stamp string
	sums  blockSums
	size  int64
}

// watched returns a reader of f, which is a regular file.
func (ix *Indexes) watched(f *os.File, info fs.FileInfo) *watch {
	return &watch{ix: ix, f: f, info: info, stamp: ix.settledStamp(f, info)}
}

func (w *watch) Read(p []byte) (int, error) {
	n, err := w.f.Read(p)
	w.sums.write(p[:n])
	w.size += int64(n)
	return n, err
}

// origin is called when the snapshot was read, and reads what is behind it. It
// returns false if the file changed meanwhile.
func (w *watch) origin() (origin, bool) {
	if _, err := io.Copy(io.Discard, w); err != nil {
		return origin{}, false
	}
	info, err := w.f.Stat()
	if err != nil || info.Size() != w.info.Size() || w.size != info.Size() || !info.ModTime().Equal(w.info.ModTime()) {
		return origin{}, false
	}
	before, _ := stamp(w.f, w.info)
	if after, _ := stamp(w.f, info); after != before {
		return origin{}, false
	}
	return origin{contentKey(w.size, w.sums.finish()), w.stamp}, true
}

// OpenSummary returns the summary of the snapshot in the file at path: with
// [Options.Indexes] the one that was kept there, else it reads the file, by the
// rules of [Open], and keeps it.
func OpenSummary(ctx context.Context, path string, opts Options) (*Summary, error) {
	if ix := opts.indexes(path); ix != nil {
		if of, ok := ix.find(ctx, path); ok {
			if x := ix.open(of.key, summaryKind); x != nil {
				sum := &Summary{}
				if x.facts(sum) == nil {
					return sum, nil
				}
			}
		}
	}
	s, err := Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	of := s.index
	sum := s.Summarize()
	if of != nil {
		_ = of.store.writeSummary(ctx, of.origin, sum)
	}
	return sum, nil
}

func (ix *Indexes) writeSummary(ctx context.Context, of origin, sum *Summary) error {
	return ix.write(of, summaryKind, func(w io.Writer, h indexHeader, room func(int64) error) error {
		return writeIndex(ctx, w, h, sum, nil, room)
	})
}

// indexes returns where the index of a file is kept, or nil for none.
func (o Options) indexes(path string) *Indexes {
	if o.Salvage || o.NoHandles || path == "-" || program() == "" {
		return nil
	}
	return o.Indexes
}

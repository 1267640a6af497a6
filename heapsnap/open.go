package heapsnap

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Open reads the snapshot in the file at path, compressed with gzip or zstd or
// not at all, as its first bytes tell; "-" is standard input. Errors begin
// with the path.
func Open(ctx context.Context, path string, opts Options) (*Snapshot, error) {
	ix := opts.indexes(path)
	if ix != nil {
		if of, ok := ix.find(ctx, path); ok {
			if x := ix.open(of.key, graphKind); x != nil {
				if s := x.snapshot(ix, of); s != nil {
					return s, nil
				}
			}
		}
	}
	var s *Snapshot
	of, err := withFile(path, ix, func(r io.Reader, size int64) (err error) {
		if opts.Size == 0 {
			opts.Size = size
		}
		s, err = Read(ctx, r, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	if of != (origin{}) {
		s.index = &indexed{store: ix, origin: of}
	}
	return s, nil
}

// OpenIdentities is [ReadIdentities] for a file, with the rules of [Open].
func OpenIdentities(ctx context.Context, path string, opts Options) (*Identities, error) {
	var ids *Identities
	_, err := withFile(path, nil, func(r io.Reader, size int64) (err error) {
		if opts.Size == 0 {
			opts.Size = size
		}
		ids, err = ReadIdentities(ctx, r, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// withFile calls read with the uncompressed text of a file and its size, 0 if
// that is not known. With ix it returns where the text came from, if that is a
// file that an index can be kept of.
func withFile(path string, ix *Indexes, read func(r io.Reader, size int64) error) (origin, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return origin{}, err // os.PathError has the path
		}
		defer f.Close()
	}
	var size int64
	info, err := f.Stat()
	if err != nil {
		return origin{}, err
	}
	if info.IsDir() {
		return origin{}, fmt.Errorf("%s: is a directory: name a .heapsnapshot file", path)
	}
	var (
		w *watch
		t io.Reader = f
	)
	if info.Mode().IsRegular() {
		if size = info.Size(); size == 0 {
			return origin{}, fmt.Errorf("%s: %w", path, truncated("header", 0, "a heap snapshot"))
		}
		if ix != nil {
			w = ix.watched(f, info)
			t = w
		}
	}
	r, compressed, err := Decompress(t)
	if err != nil {
		return origin{}, fmt.Errorf("%s: %w", path, err)
	}
	if compressed {
		size = 0
	}
	err = read(r, size)
	r.Close() // whatever it says: what was asked for is read
	if err != nil {
		if compressed && errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", err, truncated("compressed data", info.Size(), "the rest of it"))
		}
		return origin{}, fmt.Errorf("%s: %w", path, err)
	}
	if w != nil {
		if of, ok := w.origin(); ok {
			return of, nil
		}
	}
	return origin{}, nil
}

// Decompress returns a reader of r's uncompressed text and whether r is
// compressed: gzip and zstd are known by their magic bytes, all else is passed
// on. Closing it does not close r.
func Decompress(r io.Reader) (io.ReadCloser, bool, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	magic, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, true, fmt.Errorf("gzip: %w", err)
		}
		return zr, true, nil
	case string(magic) == "\x28\xb5\x2f\xfd":
		zr, err := zstd.NewReader(br)
		if err != nil {
			return nil, true, fmt.Errorf("zstd: %w", err)
		}
		return zr.IOReadCloser(), true, nil
	}
	return io.NopCloser(br), false, nil
}

package heapsnap

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, text string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(text), nil)
}

// The first bytes tell what a file is, whatever its name says.
func TestOpenCompressed(t *testing.T) {
	for name, data := range map[string][]byte{"plain.gz": []byte(valid), "gzip.heapsnapshot": gzipped(t, valid), "zstd": zstandard(t, valid)} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Errorf("Open(%s): %v", name, err)
			continue
		}
		if got := columns(s); got != validColumns {
			t.Errorf("Open(%s): columns =\n%s\nwant\n%s", name, got, validColumns)
		}
		ids, err := OpenIdentities(context.Background(), path, Options{})
		if err != nil || ids.Count() != 3 {
			t.Errorf("OpenIdentities(%s) = %v, %v, want 3 nodes", name, ids, err)
		}
		_, compressed, err := Decompress(bytes.NewReader(data))
		if err != nil || compressed != (name != "plain.gz") {
			t.Errorf("Decompress(%s) = %v, %v", name, compressed, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := gzipped(t, valid)
	tests := []struct {
		path, want string
		is         error
	}{
		{filepath.Join(dir, "missing"), "missing", fs.ErrNotExist},
		{dir, "is a directory", nil},
		{write("empty", nil), "empty: header", ErrTruncated},
		{write("short", []byte(valid[:400])), "short: nodes", ErrTruncated},
		{write("json", []byte("{}")), "json: header", nil},
		{write("short.gz", whole[:len(whole)/2]), "short.gz: ", nil},
		{write("bad.gz", append([]byte{0x1f, 0x8b}, "no gzip"...)), "bad.gz: gzip", nil},
		{write("cut.gz", gzipped(t, valid[:400])), "cut.gz: nodes", ErrTruncated},
		{write("huge", []byte(strings.Replace(valid, `"node_count":3`, `"node_count":4000000000`, 1))), "huge: header: at byte 12: want a file of at least", ErrTruncated},
	}
	for _, test := range tests {
		_, err := Open(context.Background(), test.path, Options{})
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("Open(%s) = %v, want %q and %v", filepath.Base(test.path), err, test.want, test.is)
		}
		if _, idsErr := OpenIdentities(context.Background(), test.path, Options{}); idsErr == nil {
			t.Errorf("OpenIdentities(%s) has no error", filepath.Base(test.path))
		}
	}
}

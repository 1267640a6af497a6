//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package heapsnap

import (
	"io"
	"os"
)

// mapFile reads the file.
func mapFile(f *os.File, size int64) ([]byte, error) {
	all := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, size), all)
	return all, err
}

//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package heapsnap

import (
	"os"
	"syscall"
)

// mapFile returns the file's bytes, which nobody may write to. They stay when
// the file is closed or deleted.
func mapFile(f *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, syscall.EFBIG
	}
	return syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
}

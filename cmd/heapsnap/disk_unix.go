//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// diskFree is how much a file in that folder can grow to, ok is false if that
// cannot be told.
func diskFree(folder string) (free uint64, ok bool) {
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}

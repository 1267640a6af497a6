package heapsnap

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// stamp returns a text that is another one as soon as the file is changed: every
// write and every change of its times sets ctime, which no program can choose.
// changed is when that was last. "" says that the file has no such text: on
// network and user-space file systems another machine may change it, with a
// clock of its own.
func stamp(f *os.File, info fs.FileInfo) (text string, changed time.Time) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", time.Time{}
	}
	var of syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &of); err != nil {
		return "", time.Time{}
	}
	switch uint32(of.Type) { // linux/magic.h
	case 0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x5346414f, 0x00c36400:
		return "", time.Time{} // NFS, SMB, CIFS, SMB2, FUSE, 9P, AFS, Ceph
	}
	return fmt.Sprintf("%d %d %d %d.%09d %d.%09d", st.Dev, st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec),
		time.Unix(st.Ctim.Unix())
}

// free returns the bytes that may still be written to dir's disk, and false if
// that is not known.
func free(dir string) (int64, bool) {
	var of syscall.Statfs_t
	if err := syscall.Statfs(dir, &of); err != nil {
		return 0, false
	}
	return int64(of.Bavail) * int64(of.Bsize), true
}

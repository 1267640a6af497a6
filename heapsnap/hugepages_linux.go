package heapsnap

import (
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hugePage  = 2 << 20  // on amd64 and arm64 with pages of 4 KiB
	heapArena = 64 << 20 // Go reserves its heap in pieces of this size (runtime/malloc.go, 1.26)
)

// adviseHugePages asks the kernel for huge pages where column is, if they are the
// cheaper ones here: first writes are much of what is left of reading, and one
// page of 2 MiB stands for 512. The advice is for all of the heap's arenas that the
// column is in, as what else is in them is either such a column or soon the place
// of one; it changes neither what the memory holds nor, but for a page at an end,
// how much of it.
func adviseHugePages[T any](column []T) {
	if size := uintptr(cap(column)) * unsafe.Sizeof(*new(T)); size >= hugePage && hugePagesPay() {
		markHuge(uintptr(unsafe.Pointer(unsafe.SliceData(column))), size)
	}
}

func markHuge(at, size uintptr) {
	from := at &^ (heapArena - 1)
	end := (at + size + heapArena - 1) &^ (heapArena - 1)
	// Not unix.Madvise, whose slice would have to lie over memory of others. An
	// error, as of a kernel without huge pages, leaves the small ones.
	unix.RawSyscall(unix.SYS_MADVISE, from, end-from, unix.MADV_HUGEPAGE)
}

// hugePagesPay reports whether first writing to a huge page takes less processor
// time than writing to as much memory in small ones. Seen were, for 100 MB, 37 ms
// in small pages and 4 to 143 in huge ones on one virtual machine, 340 and 30 to
// 110 on another: it depends on what the host has at hand, and so it is measured,
// once.
var hugePagesPay = sync.OnceValue(func() bool {
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	const small = 64 // pages of 4 KiB
	// One huge page at a multiple of its size, and the small ones behind it.
	all, err := unix.Mmap(-1, 0, 3*hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer unix.Munmap(all)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(all))) & (hugePage - 1)
	huge, rest := all[skip:skip+hugePage], all[skip+hugePage:]
	if unix.Madvise(huge, unix.MADV_HUGEPAGE) != nil || unix.Madvise(rest, unix.MADV_NOHUGEPAGE) != nil {
		return false
	}
	start := threadTime()
	huge[0] = 1
	between := threadTime()
	for i := range small {
		rest[i<<12] = 1
	}
	end := threadTime()
	return start >= 0 && (between-start)*small < (end-between)*(hugePage>>12)
})

// threadTime returns the processor time of the thread in nanoseconds, -1 if it
// cannot be had.
func threadTime() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return -1
	}
	return t.Nano()
}

package heapsnap

import (
	"unsafe"
)

// The only file with unsafe. It makes slices and strings of bytes that are in
// memory already: the text of a snapshot's strings, and the columns of an index,
// which is mapped and not read. Copies would double what both are there to save.

// textOf returns a string that shares raw's memory, which nobody may change.
func textOf(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	return unsafe.String(&raw[0], len(raw))
}

// bytesOf returns the memory of a column. T has no pointers.
func bytesOf[T any](column []T) []byte {
	if len(column) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&column[0])), len(column)*int(unsafe.Sizeof(column[0])))
}

// columnOf returns raw as a column, and false if it cannot be one: its length
// is no multiple of a row's, or it does not stand where T may. T has no
// pointers. The column shares raw's memory.
func columnOf[T any](raw []byte) ([]T, bool) {
	var row T
	if len(raw) == 0 {
		return []T{}, true
	}
	at := unsafe.Pointer(&raw[0])
	if uintptr(len(raw))%unsafe.Sizeof(row) != 0 || uintptr(at)%unsafe.Alignof(row) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(at), len(raw)/int(unsafe.Sizeof(row))), true
}

// rowSize returns the bytes of a T in a column.
func rowSize[T any]() int {
	var row T
	return int(unsafe.Sizeof(row))
}

// byteOrderMark is written in the machine's byte order: another machine reads
// another number, and its columns are not ours.
const byteOrderMark = 0x01020304

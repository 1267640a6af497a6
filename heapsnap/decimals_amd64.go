package heapsnap

import "golang.org/x/sys/cpu"

var fastDecimals = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// decimalsBefore is how many bytes of text have to stand before the first number:
// a number is read as the 16 bytes that end with it.
const decimalsBefore = 16

// decimalsAVX2 is decimals where at is decimalsBefore or more. It leaves the last
// 64 bytes of text alone, and may stop earlier than it has to, but for a text of
// numbers with commas between, and line ends at most before them, it does not.
//
//go:noescape
func decimalsAVX2(values []uint64, text []byte, at int) (n, end int)

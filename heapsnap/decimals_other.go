//go:build !amd64

package heapsnap

const (
	fastDecimals   = false
	decimalsBefore = 0
)

func decimalsAVX2(values []uint64, text []byte, at int) (n, end int) {
	return decimalsSlowly(values, text, at)
}

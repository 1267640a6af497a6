package heapsnap

import "sync"

// newColumn returns n zeros, in huge pages where those are cheaper.
func newColumn[T any](n int) []T {
	c := make([]T, n)
	adviseHugePages(c)
	return c
}

// wideColumn is a column of numbers that nearly all fit 32 bits: those that do
// not are kept aside, so that sizes and ids never wrap and the column stays
// half as wide.
type wideColumn struct {
	low  []uint32 // row -> value, or wideMark
	mu   sync.Mutex
	high map[uint32]uint64 // row -> value of wideMark or more
}

const wideMark = 1<<32 - 1

func (c *wideColumn) at(i uint32) uint64 {
	if v := c.low[i]; v != wideMark {
		return uint64(v)
	}
	return c.high[i]
}

// set may be called for different rows by several goroutines at a time.
func (c *wideColumn) set(i uint32, v uint64) {
	if v < wideMark {
		c.low[i] = uint32(v)
		return
	}
	c.low[i] = wideMark
	c.mu.Lock()
	if c.high == nil {
		c.high = map[uint32]uint64{}
	}
	c.high[i] = v
	c.mu.Unlock()
}

package heapsnap

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// A file of an index is a header and, behind it, columns as they stand in
// memory:
//
//	8 bytes   indexMagic
//	4 bytes   indexFormat
//	4 bytes   byteOrder
//	8 bytes   size of the description
//	4 bytes   CRC-32C of the four above and of the description
//	...       the description: gob of indexHeader
//	...       the columns, each on a multiple of columnAlign
//
// The description has a CRC-32C of every sumSize bytes of the columns, so
// that what is asked for can be checked without reading the rest.
const (
	indexMagic  = "heapidx\n"
	indexFormat = 1
	indexFixed  = 28
	columnAlign = 64
	sumSize     = 1 << 20
)

type indexHeader struct {
	Program string // who wrote it: another program may have computed other figures
	Content string // the snapshot's, see contentKey
	Size    int64  // of the columns
	Sums    []uint32
	Columns []indexSection
	Facts   []byte // gob of what is not a column
}

type indexSection struct {
	Name   string
	Row    int // bytes
	Rows   int // -1: the snapshot does not have this column
	Offset int64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errIndex is the reason for not using a file of an index; nobody is told.
var errIndex = errors.New("no usable index")

// A column is one slice of a snapshot and its place in an index.
type column struct {
	name  string
	row   int
	rows  int           // how many there have to be; -1 if that is free
	bytes func() []byte // nil if the snapshot has no such column
	set   func([]byte) bool
}

// columnAt describes the column at p.
func columnAt[T any](name string, p *[]T, rows int) column {
	return column{
		name: name, row: rowSize[T](), rows: rows,
		bytes: func() []byte {
			if *p == nil {
				return nil
			}
			if b := bytesOf(*p); b != nil {
				return b
			}
			return []byte{}
		},
		set: func(raw []byte) bool {
			if raw == nil {
				*p = nil
				return true
			}
			v, ok := columnOf[T](raw)
			*p = v
			return ok
		},
	}
}

// writeIndex writes a file of an index. room is asked, with its size, whether
// there is room for it.
func writeIndex(ctx context.Context, f io.Writer, h indexHeader, facts any, columns []column, room func(size int64) error) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(facts); err != nil {
		return err
	}
	h.Facts = b.Bytes()
	var parts [][]byte // of the columns' bytes, with what stands between
	for _, c := range columns {
		raw := c.bytes()
		s := indexSection{Name: c.name, Row: c.row, Rows: -1, Offset: h.Size}
		if raw != nil {
			s.Rows = len(raw) / c.row
			fill := make([]byte, -(h.Size+int64(len(raw)))&(columnAlign-1))
			parts = append(parts, raw, fill)
			h.Size += int64(len(raw) + len(fill))
		}
		h.Columns = append(h.Columns, s)
	}
	if err := room(h.Size + int64(len(h.Facts))); err != nil {
		return err
	}
	var sum blockSums
	for _, p := range parts {
		sum.write(p)
	}
	h.Sums = sum.finish()
	b = bytes.Buffer{}
	if err := gob.NewEncoder(&b).Encode(h); err != nil {
		return err
	}
	for (indexFixed+b.Len())%columnAlign != 0 {
		b.WriteByte(0)
	}
	fixed := append([]byte(indexMagic), make([]byte, indexFixed-len(indexMagic))...)
	binary.LittleEndian.PutUint32(fixed[8:], indexFormat)
	binary.NativeEndian.PutUint32(fixed[12:], byteOrderMark)
	binary.LittleEndian.PutUint64(fixed[16:], uint64(b.Len()))
	binary.LittleEndian.PutUint32(fixed[24:], headerSum(fixed, b.Bytes()))
	for _, p := range append([][]byte{fixed, b.Bytes()}, parts...) {
		for len(p) > 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n := min(len(p), 8*sumSize)
			if _, err := f.Write(p[:n]); err != nil {
				return err
			}
			p = p[n:]
		}
	}
	return nil
}

func headerSum(fixed, description []byte) uint32 {
	return crc32.Update(crc32.Checksum(fixed[:24], castagnoli), castagnoli, description)
}

// An indexFile is an open file of an index whose header was found sound.
type indexFile struct {
	indexHeader
	data []byte // the columns
}

// openIndex maps a file of an index. The mapping is there to the program's end:
// strings and columns that were handed out share it.
func openIndex(f *os.File, program, content string) (*indexFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	fixed := make([]byte, indexFixed)
	if _, err := f.ReadAt(fixed, 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(fixed[16:])
	switch {
	case string(fixed[:8]) != indexMagic,
		binary.LittleEndian.Uint32(fixed[8:]) != indexFormat,
		binary.NativeEndian.Uint32(fixed[12:]) != byteOrderMark,
		length > uint64(info.Size()),
		(indexFixed+length)%columnAlign != 0:
		return nil, errIndex
	}
	description := make([]byte, length)
	if _, err := f.ReadAt(description, indexFixed); err != nil {
		return nil, err
	}
	if headerSum(fixed, description) != binary.LittleEndian.Uint32(fixed[24:]) {
		return nil, errIndex
	}
	x := &indexFile{}
	if err := gob.NewDecoder(bytes.NewReader(description)).Decode(&x.indexHeader); err != nil {
		return nil, err
	}
	start := int64(indexFixed + length)
	if x.Program != program || x.Content != content || info.Size() != start+x.Size || int64(len(x.Sums)) != (x.Size+sumSize-1)/sumSize {
		return nil, errIndex
	}
	if x.Size == 0 {
		return x, nil
	}
	all, err := mapFile(f, info.Size())
	if err != nil {
		return nil, err
	}
	x.data = all[start:]
	return x, nil
}

func (x *indexFile) facts(to any) error {
	return gob.NewDecoder(bytes.NewReader(x.Facts)).Decode(to)
}

// load sets columns if all of them are there, of the right size and with the
// right sums; else it sets none.
func (x *indexFile) load(columns []column) bool {
	sections := make([]indexSection, len(columns))
	todo := map[int64]bool{} // blocks
	for i, c := range columns {
		s, ok := x.section(c.name)
		size := int64(s.Row) * int64(s.Rows)
		if !ok || s.Row != c.row || s.Rows >= 0 && c.rows >= 0 && s.Rows != c.rows ||
			s.Rows < -1 || s.Offset < 0 || s.Offset%columnAlign != 0 || s.Rows > 0 && (s.Offset > x.Size || size/int64(s.Row) != int64(s.Rows) || size > x.Size-s.Offset) {
			return false
		}
		sections[i] = s
		if s.Rows > 0 {
			for b := s.Offset / sumSize; b <= (s.Offset+size-1)/sumSize; b++ {
				todo[b] = true
			}
		}
	}
	blocks := make([]int64, 0, len(todo))
	for b := range todo {
		blocks = append(blocks, b)
	}
	if !x.sound(blocks) {
		return false
	}
	for i, c := range columns {
		s := sections[i]
		var raw []byte
		if s.Rows >= 0 {
			raw = []byte{}
		}
		if s.Rows > 0 {
			raw = x.data[s.Offset : s.Offset+int64(s.Row)*int64(s.Rows)]
		}
		if !c.set(raw) {
			for _, c := range columns {
				c.set(nil)
			}
			return false
		}
	}
	return true
}

func (x *indexFile) section(name string) (indexSection, bool) {
	for _, s := range x.Columns {
		if s.Name == name {
			return s, true
		}
	}
	return indexSection{}, false
}

// sound compares the sums of blocks.
func (x *indexFile) sound(blocks []int64) bool {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		bad  atomic.Bool
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !bad.Load() {
				i := next.Add(1) - 1
				if i >= int64(len(blocks)) {
					return
				}
				b := blocks[i]
				part := x.data[b*sumSize : min((b+1)*sumSize, x.Size)]
				if crc32.Checksum(part, castagnoli) != x.Sums[b] {
					bad.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return !bad.Load()
}

// blockSums adds up what is written to it, by blocks.
type blockSums struct {
	done []uint32
	sum  uint32
	n    int // bytes in sum
}

func (s *blockSums) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), sumSize-s.n)
		s.sum = crc32.Update(s.sum, castagnoli, p[:n])
		p = p[n:]
		if s.n += n; s.n == sumSize {
			s.done = append(s.done, s.sum)
			s.sum, s.n = 0, 0
		}
	}
}

func (s *blockSums) finish() []uint32 {
	if s.n > 0 {
		s.done = append(s.done, s.sum)
		s.sum, s.n = 0, 0
	}
	return s.done
}

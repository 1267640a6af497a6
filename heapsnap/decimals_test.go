package heapsnap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// compareDecimals holds decimals, called again and again as blocks do, to the
// slow twin.
func compareDecimals(t *testing.T, text []byte, room int) {
	t.Helper()
	all := make([]uint64, len(text)/2+1)
	n, end := decimalsSlowly(all, text, 0)
	want := all[:n]
	// Memory before and after text is not its own: what is in it must not matter.
	for _, around := range []string{"7", ",", "\xff"} {
		buf := append(bytes.Repeat([]byte(around), decimalsBefore), text...)
		buf = append(buf, bytes.Repeat([]byte(around), 100)...)
		mine := buf[: decimalsBefore+len(text) : decimalsBefore+len(text)]
		var got []uint64
		values := make([]uint64, room)
		at := decimalsBefore
		for {
			n, next := decimals(values, mine, at)
			got = append(got, values[:n]...)
			if at = next; n > 0 {
				continue
			}
			if n, next = decimalsSlowly(values[:1], mine, at); n == 0 { // what decimalsAVX2 leaves to its caller
				break
			}
			got, at = append(got, values[0]), next
		}
		if !slices.Equal(got, want) || at-decimalsBefore != end {
			t.Fatalf("%q, %d at a time: %d numbers up to %d %v, want %d up to %d %v",
				text, room, len(got), at-decimalsBefore, got, len(want), end, want)
		}
	}
}

// What is no number stops decimals wherever it stands among numbers, in the
// middle of 64 bytes or at their end.
func TestDecimalsStop(t *testing.T) {
	for _, odd := range []string{"", "x", ":", "/", "1:3", "-1", "1 2", "\n", "1\n\n", "\n7", "\xb5", "123456789012345",
		"1234567890123456", "12345678901234567", "00000000000000000000000000000001", strings.Repeat("1", 70)} {
		for _, line := range []string{"", "\n"} {
			for at := range 60 {
				var text []byte
				for i := range 60 {
					if i == at {
						text = append(text, odd...)
					} else {
						text = strconv.AppendUint(text, 123456789>>(i*i%28), 10)
					}
					if i%3 == 2 {
						text = append(text, line...)
					}
					text = append(text, ',')
				}
				compareDecimals(t, text, 100)
			}
		}
	}
}

func FuzzDecimals(f *testing.F) {
	f.Add([]byte("1,22,333,4444,55555,666666,7777777,88888888,999999999,1010101010,"), 512)
	f.Add([]byte("3,70193,90\n,2,1,5631852\n,3,12,4\n,5,123456789012345,1\n,1,1234567890123456,1\n,"), 7)
	f.Add([]byte("1,2,,3,x,4\n\n,5 ,6,0007,00000000000000000001,8,9,10,11,12,13,14,15,16,17,18,"), 1)
	f.Fuzz(func(t *testing.T, data []byte, room int) {
		if room < 1 || room > 600 || len(data) > 4000 {
			return
		}
		compareDecimals(t, data, room)
		// Most bytes are no digits and end a text at once: of this text they are
		// the numbers' lengths, and now and then one of them.
		var text []byte
		for i, c := range data {
			for k := range int(c % 17) {
				text = append(text, '0'+(c+byte(i*7+k*3))%10)
			}
			switch {
			case c < 8:
				text = append(text, c)
			case c < 16:
				text = append(text, '\n')
			}
			text = append(text, ',')
		}
		compareDecimals(t, text, room)
	})
}

// decimalsAVX2 leaves only the end of a text, and what no snapshot has, to its
// callers: else it would be slow and nobody would know.
func TestDecimalsReadNearlyAll(t *testing.T) {
	if !fastDecimals {
		t.Skip("this processor has no AVX2")
	}
	for _, line := range []string{"", "\n"} {
		text := rows(line)
		values := make([]uint64, len(text))
		_, end := decimals(values, text, numberIn(text))
		if left := len(text) - end; left >= 64 {
			t.Errorf("rows with %q between: %d of %d bytes are left", line, left, len(text))
		}
	}
}

// numberIn returns where a number begins that has enough before it.
func numberIn(text []byte) int { return 100 + bytes.IndexByte(text[100:], ',') + 1 }

// rows returns 60,000 edges as V8 writes them.
func rows(line string) []byte {
	var text []byte
	r := rand.New(rand.NewPCG(1, 2))
	for len(text) < 1<<20 {
		text = strconv.AppendUint(text, uint64(r.IntN(7)), 10)
		text = append(text, ',')
		text = strconv.AppendUint(text, uint64(r.Uint32()>>r.IntN(30)), 10)
		text = append(text, ',')
		text = strconv.AppendUint(text, uint64(r.Uint32()>>r.IntN(30)), 10)
		text = append(text, line...)
		text = append(text, ',')
	}
	return text
}

func BenchmarkDecimals(b *testing.B) {
	for _, line := range []string{"", "\n"} {
		text := rows(line)
		values := make([]uint64, 512)
		for _, by := range []struct {
			name string
			do   func(values []uint64, text []byte, at int) (int, int)
		}{{"decimals", decimals}, {"slowly", decimalsSlowly}} {
			b.Run(fmt.Sprintf("%s/%q", by.name, line), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				numbers := 0
				for b.Loop() {
					at := numberIn(text)
					for {
						n, next := by.do(values, text, at)
						if n == 0 {
							break
						}
						numbers, at = numbers+n, next
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(numbers), "ns/number")
			})
		}
	}
}

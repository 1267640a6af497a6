package redact

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
)

// A placeholder begins with mark, has eleven characters of the text's keyed
// hash, 64 bits, and is filled up to its length. Names of less than shortest
// characters have Braille patterns instead.
const (
	mark     = '~'
	digits   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	hashed   = 11 // characters
	filler   = '.'
	shortest = 8
)

// hash is the keyed hash of a text, valid until the next call.
func (r *Redactor) hash(raw []byte) []byte {
	r.mac.Reset()
	r.mac.Write(raw)
	r.sum = r.mac.Sum(r.sum[:0])
	return r.sum
}

// content is what stands for a text of the program's.
func (r *Redactor) content(raw []byte) []byte {
	if len(raw) == 0 {
		return raw
	}
	return r.placeholder(raw, lengthClass(utf16Length(raw)))
}

// lengthClass is the length that texts of about this length get, in UTF-16
// units: that of a password is not told.
func lengthClass(n int) int {
	const least, most = 12, 1024 // V8 cuts texts at 1024
	switch {
	case n <= least:
		return least
	case n > most:
		return (n + most - 1) / most * most
	}
	class := 16
	for class < n {
		class *= 2
	}
	return class
}

func (r *Redactor) placeholder(raw []byte, length int) []byte {
	sum := binary.BigEndian.Uint64(r.hash(raw))
	out := make([]byte, 0, length)
	out = append(out, mark)
	for len(out) < min(length, 1+hashed) {
		out = append(out, digits[sum%uint64(len(digits))])
		sum /= uint64(len(digits))
	}
	return append(out, bytes.Repeat([]byte{filler}, length-len(out))...)
}

// name is what stands for the name of a property or class. It has the name's
// length, as DevTools tells shapes apart by names and cuts long ones: another
// length would move objects from one row of its summary to another.
func (r *Redactor) name(raw []byte) []byte {
	length := shownLength(raw)
	if length >= shortest {
		return r.placeholder(raw, length)
	}
	// Of one or two characters there are too few to rely on a hash alone.
	if out, ok := r.short[string(raw)]; ok {
		return []byte(out)
	}
	sum := bytes.Clone(r.hash(raw))
	for try := 0; ; try++ {
		var out []byte
		for i := range length {
			// U+2801 to U+28FF, the way V8 escapes them
			out = append(out, `\u28`...)
			c := 1 + (int(sum[i])+try>>(8*i))%255
			out = append(out, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		if !r.taken[string(out)] || try > 1<<16 {
			r.taken[string(out)], r.short[string(raw)] = true, string(out)
			return out
		}
	}
}

// shownLength is the length of a property's name as DevTools shows it: as a
// string literal, where one of these is in it.
func shownLength(raw []byte) int {
	text := unescaped(raw)
	if !strings.ContainsAny(text, `,'"{}`) {
		return utf16Length(raw)
	}
	shown, _ := json.Marshal(text) // of a string: no error
	return utf16Length(shown)
}

// fields is the period of the places in the tables of Maps, whose entries have
// three fields, and of Sets, whose entries have two.
const fields = 6

// number is what stands for a number that is a key: another of as many digits,
// with the same place among the fields of a Map's or Set's table. Two numbers of
// one length become two.
func (r *Redactor) number(n uint64) uint64 {
	low := uint64(1)
	for low*10 <= n {
		low *= 10
	}
	high := low * 10
	if n < 1<<32 {
		high = min(high, 1<<32) // an element's index has 32 bits
	}
	first, last := (low+fields-1)/fields, high/fields
	at := n / fields
	if at < first || at >= last {
		return n // one of the first or last few of its length
	}
	return (first+r.permuted(at-first, last-first))*fields + n%fields
}

// permuted is a permutation of the numbers below m: a Feistel network of the
// bits that m needs, walked until it is below m.
func (r *Redactor) permuted(x, m uint64) uint64 {
	half := (bits.Len64(m-1) + 1) / 2
	mask := uint64(1)<<half - 1
	for {
		left, right := x>>half, x&mask
		for round := range uint64(4) {
			var block [24]byte
			binary.BigEndian.PutUint64(block[0:], m)
			binary.BigEndian.PutUint64(block[8:], round)
			binary.BigEndian.PutUint64(block[16:], right)
			left, right = right, left^binary.BigEndian.Uint64(r.hash(block[:]))&mask
		}
		if x = left<<half | right; x < m {
			return x
		}
	}
}

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// smallNumber is the number that a text is, if it is one as V8 writes it.
func smallNumber(raw []byte) (uint64, bool) {
	if len(raw) == 0 || len(raw) > 10 || raw[0] == '0' && len(raw) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	return n, err == nil
}

// utf16Length is the length of an escaped text as JavaScript counts it.
func utf16Length(raw []byte) int {
	n := 0
	for _, c := range unescaped(raw) {
		n += max(1, utf16.RuneLen(c))
	}
	return n
}

// unescaped is the text that stands escaped in a snapshot; halves of surrogate
// pairs become U+FFFD.
func unescaped(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var text string
	if json.Unmarshal(join([]byte(`"`), raw, []byte(`"`)), &text) != nil {
		return string(raw)
	}
	return text
}

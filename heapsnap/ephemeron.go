package heapsnap

import (
	"regexp"
	"strconv"
)

// An ephemeron is what a WeakMap entry's edge name says: V8 writes the edge to
// the value twice, from the key and from the table, both named
// "12 / part of key (K @1) -> value (V @3) pair in WeakMap (table @5)".
type ephemeron struct {
	table uint64 // id of the WeakMap's table
	pair  uint32 // equal for the two copies; the leading number differs
}

// ephemeronName is the expression of HS:2040; "." in JavaScript does not match
// line ends.
var ephemeronName = regexp.MustCompile(
	`^\d+( / part of key \([^\n\r\x{2028}\x{2029}]*? @\d+\) -> value \([^\n\r\x{2028}\x{2029}]*? @\d+\) pair in WeakMap \(table @(\d+)\))$`)

// addEphemeron notes string i if it is the name of a WeakMap entry's edge.
func (s *Snapshot) addEphemeron(i uint32) {
	m := ephemeronName.FindStringSubmatch(s.strings.at(i))
	if m == nil {
		return
	}
	table, err := strconv.ParseUint(m[2], 10, 64)
	if err != nil {
		return
	}
	if s.ephemerons == nil {
		s.ephemerons = map[uint32]ephemeron{}
		s.ephemeronPairs = map[string]uint32{}
	}
	pair, ok := s.ephemeronPairs[m[1]]
	if !ok {
		pair = uint32(len(s.ephemeronPairs))
		s.ephemeronPairs[m[1]] = pair
	}
	s.tags[i] = tagEphemeron
	s.ephemerons[i] = ephemeron{table, pair}
}

package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"heapsnap/heapsnap"
)

// maxShown is how many differences of a kind are printed: enough to see a
// pattern, few enough to read.
const maxShown = 20

// An answer is a reader of the rows that oracle.mjs writes.
type answer struct {
	in      *bufio.Reader
	strings []string // of the current snapshot, by number
	ahead   []string // the next row, if it was looked at
	err     error
}

func newAnswer(r io.Reader) *answer { return &answer{in: bufio.NewReaderSize(r, 1<<20)} }

// row returns the next row that is not a string, or nil at the end.
func (a *answer) row() []string {
	if row := a.ahead; row != nil {
		a.ahead = nil
		return row
	}
	for a.err == nil {
		line, err := a.in.ReadString('\n')
		if err != nil {
			if err != io.EOF || line != "" {
				a.err = fmt.Errorf("the oracle's answer ends in %q: %w", line, err)
			}
			return nil
		}
		fields := strings.Split(line[:len(line)-1], "\t")
		switch fields[0] {
		case "oracle":
			a.strings = a.strings[:0]
			continue
		case "string":
			text, err := unquote(fields[1])
			if err != nil {
				a.err = err
				return nil
			}
			a.strings = append(a.strings, text)
			continue
		}
		return fields
	}
	return nil
}

// peek returns the next row without taking it; one with no fields at the end.
func (a *answer) peek() []string {
	if a.ahead == nil {
		a.ahead = a.row()
	}
	if a.ahead == nil {
		return []string{""}
	}
	return a.ahead
}

// text returns the string that a field refers to.
func (a *answer) text(field string) string { return a.strings[number(field)] }

func number(field string) int {
	v, err := strconv.Atoi(field)
	if err != nil {
		panic(err) // the oracle's format, not the snapshot's
	}
	return v
}

// unquote decodes a JSON string. A lone surrogate becomes the three bytes that
// UTF-8 would use for it, as in package heapsnap.
func unquote(quoted string) (string, error) {
	if !strings.Contains(quoted, `\u`) {
		var text string
		err := json.Unmarshal([]byte(quoted), &text)
		return text, err
	}
	var b []byte
	for i := 1; i < len(quoted)-1; i++ {
		c := quoted[i]
		if c != '\\' {
			b = append(b, c)
			continue
		}
		i++
		switch quoted[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			v, err := strconv.ParseUint(quoted[i+1:i+5], 16, 16)
			if err != nil {
				return "", err
			}
			i += 4
			if r := rune(v); utf16.IsSurrogate(r) {
				b = append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
			} else {
				b = utf8.AppendRune(b, r)
			}
		default:
			b = append(b, quoted[i])
		}
	}
	return string(b), nil
}

// report collects differences by kind.
type report struct {
	count map[string]int
	shown map[string][]string
	kinds []string
	asked map[string]bool // kinds of which there was something to compare, if that is not sure
}

func (r *report) differ(kind, where string, got, want any) {
	if r.count == nil {
		r.count, r.shown = map[string]int{}, map[string][]string{}
	}
	if r.count[kind] == 0 {
		r.kinds = append(r.kinds, kind)
	}
	if r.count[kind]++; r.count[kind] <= maxShown {
		r.shown[kind] = append(r.shown[kind], fmt.Sprintf("%s: %s = %s, want %s", where, kind, show(got), show(want)))
	}
}

func show(v any) string {
	if text, ok := v.(string); ok {
		const most = 200
		if len(text) > most {
			text = text[:most] + "..."
		}
		return strconv.Quote(text)
	}
	return fmt.Sprint(v)
}

// fail prints what was collected, if anything.
func (r *report) fail(t *testing.T) {
	t.Helper()
	for _, kind := range r.kinds {
		t.Errorf("%d differences in %s, the first:\n\t%s", r.count[kind], kind, strings.Join(r.shown[kind], "\n\t"))
	}
}

// class is a row of a summary or of a comparison.
type class struct {
	count                    int
	self, retained, distance int64
}

// compare reads the rows up to "end" and compares them with s and, if base is
// not nil, with what changed since base. It fails t on any difference, and
// returns all of them.
func compare(t *testing.T, a *answer, s, base *heapsnap.Snapshot) *report {
	t.Helper()
	r := &report{asked: map[string]bool{"Compare": base != nil}}
	defer r.fail(t)
	check := func(kind, where string, got, want any) {
		if got != want {
			r.differ(kind, where, got, want)
		}
	}
	classes := map[string][]class{}
	for _, g := range s.Aggregates() {
		key := classKey(g)
		classes[key] = append(classes[key], class{g.Count, int64(g.Shallow), int64(g.Retained), int64(g.Distance)})
	}
	deltas := map[string][]heapsnap.ClassDelta{}
	allocators := s.AllocationProfile()
	duplicates := s.DuplicateStrings()
	n, ended := heapsnap.Node(0), false
	for row := a.row(); row != nil && !ended; {
		switch row[0] {
		case "snapshot":
			var want struct {
				NodeCount, EdgeCount, Root, TotalSize int64
				MaxJSObjectID                         int64 `json:"maxJSObjectId"`
			}
			if err := json.Unmarshal([]byte(row[1]), &want); err != nil {
				t.Fatal(err)
			}
			check("NodeCount", "snapshot", int64(s.NodeCount()), want.NodeCount)
			check("EdgeCount", "snapshot", int64(s.EdgeCount()), want.EdgeCount)
			check("Root", "snapshot", int64(s.Root()), want.Root)
			check("TotalSize", "snapshot", int64(s.TotalSize()), want.TotalSize)
			check("Identities().MaxID", "snapshot", int64(s.Identities().MaxID()), want.MaxJSObjectID)
			if int64(s.NodeCount()) != want.NodeCount {
				return r
			}
		case "statistics":
			var want struct {
				Total  uint64
				Native struct{ Total, TypedArrays uint64 }
				V8Heap struct{ Total, Code, JSArrays, Strings, System uint64 }
			}
			if err := json.Unmarshal([]byte(row[1]), &want); err != nil {
				t.Fatal(err)
			}
			got := s.Statistics()
			check("Statistics", "", got, heapsnap.Statistics{
				Total: want.Total, Native: want.Native.Total, TypedArrays: want.Native.TypedArrays,
				Code: want.V8Heap.Code, Strings: want.V8Heap.Strings, Arrays: want.V8Heap.JSArrays, System: want.V8Heap.System,
			})
		case "samples":
			r.asked["Samples"] = true
			var want struct {
				Timestamps             []float64 // ms
				LastAssignedIDs, Sizes []uint64
			}
			if err := json.Unmarshal([]byte(row[1]), &want); err != nil {
				t.Fatal(err)
			}
			var samples []heapsnap.Sample
			for i, ms := range want.Timestamps {
				samples = append(samples, heapsnap.Sample{
					Time:   time.Duration(math.Round(ms*1000)) * time.Microsecond,
					LastID: heapsnap.ObjectID(want.LastAssignedIDs[i]), Size: want.Sizes[i],
				})
			}
			if got := s.Samples(); !slices.Equal(got, samples) {
				r.differ("Samples", "", got, samples)
			}
		case "allocation":
			r.asked["AllocationProfile"] = true
			var want struct {
				Name, ScriptName                 string
				ScriptID                         uint32
				Line, Column                     int
				Count, Size, LiveCount, LiveSize uint64
			}
			if err := json.Unmarshal([]byte(row[1]), &want); err != nil {
				t.Fatal(err)
			}
			wanted := heapsnap.Allocator{
				Function: want.Name, Place: heapsnap.Location{ScriptID: want.ScriptID, Script: want.ScriptName, Line: want.Line, Column: want.Column},
				Count: int(want.Count), LiveCount: int(want.LiveCount), Size: want.Size, LiveSize: want.LiveSize,
			}
			if len(allocators) == 0 {
				r.differ("AllocationProfile", "row", "none", wanted)
				break
			}
			if got := allocators[0]; got != wanted {
				r.differ("AllocationProfile", "row", got, wanted)
			}
			allocators = allocators[1:]
		case "stack":
			r.asked["AllocationStack"] = true
			var want []struct {
				FunctionName, ScriptName string
				ScriptID                 uint32
				Line, Column             int
			}
			if err := json.Unmarshal([]byte(row[2]), &want); err != nil {
				t.Fatal(err)
			}
			var frames []heapsnap.Frame
			for _, f := range want {
				frames = append(frames, heapsnap.Frame{Function: f.FunctionName, Place: heapsnap.Location{
					ScriptID: f.ScriptID, Script: f.ScriptName, Line: f.Line, Column: f.Column}})
			}
			n := heapsnap.Node(number(row[1]))
			if got := s.AllocationStack(n); !slices.Equal(got, frames) {
				r.differ("AllocationStack", fmt.Sprintf("node %d @%d", n, s.ID(n)), got, frames)
			}
		case "duplicate":
			var got heapsnap.DuplicateStrings
			if len(duplicates) > 0 {
				got, duplicates = duplicates[0], duplicates[1:]
			}
			check("DuplicateStrings", "group",
				fmt.Sprintf("%.100q %d %d %d", got.Text, len(got.Nodes), got.Self, got.Retained),
				fmt.Sprintf("%.100q %d %d %d", a.text(row[1]), number(row[2]), number(row[3]), number(row[4])))
		case "node":
			where := func() string { return fmt.Sprintf("node %d @%d %s %.60q", n, s.ID(n), s.Type(n), s.Name(n)) }
			ints := [...]struct {
				kind string
				got  int64
			}{
				{"ID", int64(s.ID(n))}, {"SelfSize", int64(s.SelfSize(n))}, {"RetainedSize", int64(s.RetainedSize(n))},
				{"Distance", int64(s.Distance(n))}, {"Dominator", int64(s.Dominator(n))},
				{"Detachedness", int64(s.Detachedness(n))},
			}
			for i, field := range ints {
				if want := int64(number(row[1+i])); field.got != want {
					r.differ(field.kind, where(), field.got, want)
				}
			}
			if got, want := s.ClassName(n), a.text(row[9]); got != want {
				r.differ("ClassName", where(), got, want)
			}
			if got, want := s.Name(n), a.text(row[11]); got != want {
				r.differ("Name", where(), got, want)
			}
			if got, want := rawName(s, n), a.text(row[12]); got != want {
				r.differ("RawName", where(), got, want)
			}
			n++
		case "diff":
			key := a.text(row[1])
			deltas[key] = append(deltas[key], heapsnap.ClassDelta{
				Class: className(key), Added: number(row[3]), Removed: number(row[4]),
				AddedSize: uint64(number(row[5])), RemovedSize: uint64(number(row[6])),
			})
		case "class":
			key := a.text(row[1])
			want := class{number(row[3]), int64(number(row[4])), int64(number(row[5])), int64(number(row[6]))}
			got := classes[key]
			delete(classes, key)
			switch {
			case len(got) == 0:
				r.differ("Aggregates", fmt.Sprintf("class %.100q", key), "none", want)
			case !contains(got, want):
				r.differ("Aggregates", fmt.Sprintf("class %.100q", key), got, want)
			}
		case "end":
			ended = true
			continue
		}
		row = a.row()
	}
	if a.err != nil {
		t.Fatal(a.err)
	}
	if !ended {
		t.Fatal("the oracle's answer has no end")
	}
	for key, got := range classes {
		r.differ("Aggregates", fmt.Sprintf("class %.100q", key), got, "none")
	}
	if n > 0 && int(n) != s.NodeCount() {
		r.differ("NodeCount", "rows", s.NodeCount(), int(n))
	}
	for _, f := range allocators {
		r.differ("AllocationProfile", "row", f, "none")
	}
	for _, d := range duplicates {
		r.differ("DuplicateStrings", "group", d.Text, "none")
	}
	if got := s.Samples(); got != nil && !r.asked["Samples"] {
		r.differ("Samples", "", got, "none")
	}
	if base != nil {
		compareDeltas(r, s, base, deltas)
	}
	compareRetainedBy(r, s)
	return r
}

// classKey is DevTools' public key of a class.
func classKey(g heapsnap.Aggregate) string {
	if l := g.Location; l != nil {
		return fmt.Sprintf("%d,%d,%d,%s", l.ScriptID, l.Line-1, l.Column-1, g.Class)
	}
	return "," + g.Class
}

// className returns the class that a public key names.
func className(key string) string {
	if rest, ok := strings.CutPrefix(key, ","); ok {
		return rest
	}
	return strings.SplitN(key, ",", 4)[3]
}

// rawName is n's name as DevTools has it: with "Detached " before those that
// the state of a document was spread to.
func rawName(s *heapsnap.Snapshot, n heapsnap.Node) string {
	name := s.RawName(n)
	if s.Type(n) == heapsnap.Native && s.Detachedness(n) == 2 && s.Name(n) == "Detached "+name {
		return s.Name(n)
	}
	return name
}

// compareDeltas compares what changed since base with the rows of DevTools'
// comparison, by class name, as a ClassDelta does not tell the location. Of
// classes with the same text DevTools compares only one (see contains): names
// of several classes are left out.
func compareDeltas(r *report, s, base *heapsnap.Snapshot, want map[string][]heapsnap.ClassDelta) {
	ambiguous := map[string]bool{}
	for _, side := range []*heapsnap.Snapshot{s, base} {
		seen := map[string]bool{}
		for _, g := range side.Aggregates() {
			key := classKey(g)
			ambiguous[g.Class] = ambiguous[g.Class] || seen[key]
			seen[key] = true
		}
		// Shapes of the one can be names in the other.
		for n := range heapsnap.Node(side.NodeCount()) {
			if name := side.RawName(n); strings.HasPrefix(name, "{") && side.Type(n) == heapsnap.Object {
				ambiguous[name] = true
			}
		}
	}
	rows := map[string][]heapsnap.ClassDelta{}
	for _, list := range want {
		rows[list[0].Class] = append(rows[list[0].Class], list...)
	}
	for _, got := range base.Census().Compare(s) {
		if ambiguous[got.Class] {
			continue
		}
		at := slices.Index(rows[got.Class], got)
		if at < 0 {
			r.differ("Compare", fmt.Sprintf("class %.100q", got.Class), got, rows[got.Class])
			continue
		}
		rows[got.Class] = slices.Delete(rows[got.Class], at, at+1)
	}
	for name, rest := range rows {
		for _, row := range rest {
			if !ambiguous[name] {
				r.differ("Compare", fmt.Sprintf("class %.100q", name), "none", row)
			}
		}
	}
}

// compareRetainedBy holds RetainedBy of one node to its retained size, on all
// nodes of a small heap and on a few of a large one.
func compareRetainedBy(r *report, s *heapsnap.Snapshot) {
	step := max(1, s.NodeCount()/16)
	if s.NodeCount() <= 100 {
		step = 1
	}
	for n := heapsnap.Node(0); int(n) < s.NodeCount(); n += heapsnap.Node(step) {
		if got, _ := s.RetainedBy([]heapsnap.Node{n}); got != s.RetainedSize(n) {
			r.differ("RetainedBy", fmt.Sprintf("node %d @%d", n, s.ID(n)), got, s.RetainedSize(n))
		}
	}
}

// contains reports whether want is among got. DevTools keys classes by name,
// so that of two classes with the same text only the one met last is in its
// answer (HeapSnapshot.ts: getAggregatesByClassKey).
func contains(got []class, want class) bool {
	for _, g := range got {
		if g == want {
			return true
		}
	}
	return false
}

package diff

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
)

// roots is what every graph begins with: the user's global object @3 and V8's
// roots @5, both with room for more.
const roots = `
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global": property app -> @7
@5 synthetic "(GC roots)": element 1 -> @9, element 2 -> @11
@9 synthetic "(Global handles)": element j -> @90001+2*j j<100, element 100+j -> @90002+2*j j<100
@11 synthetic "(Stack roots)"
`

// Objects of round r have ids from r*1000 on: V8's ids only grow.

func snapshots(t *testing.T, text string) []*heapsnap.Snapshot {
	t.Helper()
	var all []*heapsnap.Snapshot
	for i, data := range textgraph.Series(t, text) {
		s, err := heapsnap.Read(context.Background(), bytes.NewReader(data), heapsnap.Options{})
		if err != nil {
			t.Fatalf("capture %d: %v", i, err)
		}
		all = append(all, s)
	}
	return all
}

// compare finds the growth of a series, with populations from the captures
// themselves.
func compare(t *testing.T, all []*heapsnap.Snapshot) *Diff {
	t.Helper()
	opts := Options{Populations: func(_ context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
		found := map[heapsnap.ObjectID]heapsnap.Filling{}
		for _, id := range ids {
			if n, ok := all[capture].Find(id); ok {
				found[id] = heapsnap.Filling{References: all[capture].Population(n)}
			}
		}
		return found, nil
	}}
	d, err := Compare(context.Background(), identities(all[:len(all)-1]), all[len(all)-1], opts)
	if err != nil {
		t.Fatalf("Compare: %v", err)
	}
	return d
}

func identities(all []*heapsnap.Snapshot) []*heapsnap.Identities {
	var ids []*heapsnap.Identities
	for _, s := range all {
		ids = append(ids, s.Identities())
	}
	return ids
}

// told writes a diff as a test wants it: a line per site that has survivors,
// and what is in none.
//
//	leak @7 [x]: 100 100 100, entries 100 100 100, also @9
func told(d *Diff) string {
	var b strings.Builder
	for _, g := range d.Sites {
		if g.Survivors() == (Amount{}) {
			continue // all it reaches is another's
		}
		fmt.Fprintf(&b, "%s @%d %s: %s, entries %s", g.Judgement, d.Last.ID(g.Holder), g.Label, numbers(g.Count), numbers(g.Entry))
		for _, n := range g.Holders {
			if n != g.Holder {
				fmt.Fprintf(&b, ", also @%d", d.Last.ID(n))
			}
		}
		b.WriteByte('\n')
	}
	if churn := d.Parts[Churn]; churn.Count > 0 {
		fmt.Fprintf(&b, "churn: %d\n", churn.Count)
	}
	return b.String()
}

func numbers(n []int) string { return strings.Trim(fmt.Sprint(n), "[]") }

// Each row is a series and all there is to say about it. Objects of the embedder
// have even ids.
func TestCompare(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing grows", `captures 4
@7 object "App": property a -> @13
@13 object "A"
`, ""},
		{"an array gets a hundred a round", `
@7 object "App": property list -> @13
@13 object "Array": element j -> @1001+j/100*1000+2*(j%100) j<300
@1001+i/100*1000+2*(i%100) i<300 +1+i/100 closure "f" 64
`, "leak @13 [x]: 100 100 100, entries 100 100 100\n"},
		{"and so does its owner, by its storage, new in every round", `
@7 object "App": property list -> @13
@13 object "Array": internal elements -> @15 -1, internal elements -> @1999+1000*j +1+j -(2+j) j<1,
  internal elements -> @2999 +2 -3, internal elements -> @3999 +3, element j -> @1001+j/100*1000+2*(j%100) j<300
@15 -1 array "(object elements)"
@1999 +1 -2 array "(object elements)" 800: internal j -> @1001+2*j j<100
@2999 +2 -3 array "(object elements)" 1600: internal j -> @1001+j/100*1000+2*(j%100) j<200
@3999 +3 array "(object elements)" 2400: internal j -> @1001+j/100*1000+2*(j%100) j<300
@1001+i/100*1000+2*(i%100) i<300 +1+i/100 closure "f" 64
`, "leak @13 [x]: 100 100 100, entries 100 100 100\nchurn: 1\n"},
		{"a Map's entries, with what they hold", `
@7 object "App": property sessions -> @13
@13 object "Map": internal table -> @15
@15 array "": internal {5+3*j} -> @1001+j/50*1000+4*(j%50) j<150, internal {6+3*j} -> @1003+j/50*1000+4*(j%50) j<150
@1001+i/50*1000+4*(i%50) i<150 +1+i/50 string "key {i}" 16
@1003+i/50*1000+4*(i%50) i<150 +1+i/50 object "Session" 48: property user -> @1501+i/50*1000+2*(i%50)
@1501+i/50*1000+2*(i%50) i<150 +1+i/50 object "User" 32
`, "leak @13 [x]: 150 150 150, entries 100 100 100\n"},
		{"a Map whose table is new in every round", `
@7 object "App": property sessions -> @13
@13 object "Map": internal table -> @15 -1, internal table -> @1999 +1 -2, internal table -> @2999 +2 -3, internal table -> @3999 +3
@15 -1 array ""
@1999 +1 -2 array "" 800: internal {5+3*j} -> @1001+2*j j<50
@2999 +2 -3 array "" 1600: internal {5+3*j} -> @1001+j/50*1000+2*(j%50) j<100
@3999 +3 array "" 2400: internal {5+3*j} -> @1001+j/50*1000+2*(j%50) j<150
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Session" 48
`, "leak @13 [x]: 50 50 50, entries 50 50 50\nchurn: 1\n"},
		{"a dictionary: more names than an object has", `
@7 object "App": property user{j} -> @1001+j/20*1000+2*(j%20) j<60
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "User" 32
`, "leak @7 [x]: 20 20 20, entries 20 20 20\n"},
		{"a new table with the same entries", `captures 4
@7 object "App": property m -> @13
@13 object "Map": internal table -> @15 -1, internal table -> @1001 +1 -2, internal table -> @2001 +2 -3, internal table -> @3001 +3
@15 -1 array "" 64: internal 5 -> @17
@1001 +1 -2 array "" 64: internal 5 -> @17
@2001 +2 -3 array "" 64: internal 5 -> @17
@3001 +3 array "" 64: internal 5 -> @17
@17 object "Session"
`, "churn: 1\n"},
		{"an array copied and replaced every round is its variable's", `
@7 object "App": context list -> @13 -1, context list -> @1901 +1 -2, context list -> @2901 +2 -3, context list -> @3901 +3
@13 -1 object "Array"
@1901 +1 -2 object "Array": element j -> @1001+j/50*1000+2*(j%50) j<50
@2901 +2 -3 object "Array": element j -> @1001+j/50*1000+2*(j%50) j<100
@3901 +3 object "Array": element j -> @1001+j/50*1000+2*(j%50) j<150
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Row" 32
`, "leak @7 list: 50 50 51, entries 0 0 1\n"},

		{"a collection of each round's collection", `
@7 object "App": property byDay -> @13
@13 object "Map": internal table -> @15
@15 array "": internal {5+3*j} -> @1901+1000*j j<3
@1901+1000*i i<3 +1+i object "Map" 32: internal table -> @1903+1000*i
@1903+1000*i i<3 +1+i array "": internal {j} -> @1001+1000*i+2*j j<50
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Row" 32
`, "leak @13 [x]: 51 51 51, entries 1 1 1\n"},
		{"a text that is added to", `
@7 object "App": property log -> @13 -1, property log -> @1001 +1 -2, property log -> @2001 +2 -3, property log -> @3001 +3
@13 string "log" 1000
@1001 +1 concatenated string "" 32: internal first -> @13, internal second -> @1003
@2001 +2 concatenated string "" 32: internal first -> @1001, internal second -> @2003
@3001 +3 concatenated string "" 32: internal first -> @2001, internal second -> @3003
@1003+1000*i i<3 +1+i string "line" 100000
`, "leak @7 log: 2 2 2, entries 0 0 1\n"},

		{"warm-up", `captures 5
@7 object "App": element j -> @1001+2*j j<200
@1001+2*i i<200 +1 object "Module" 100
`, "warm-up @7 [x]: 200 0 0 0, entries 200 0 0 0\n"},
		{"warm-up that dies down", `captures 5
@7 object "App": element j -> @1001+2*j j<200, element 200+j -> @2001+2*j j<20, element 300+j -> @3001+2*j j<3, element 400+j -> @4001+2*j j<2
@1001+2*i i<200 +1 object "Module" 100
@2001+2*i i<20 +2 object "Module" 100
@3001+2*i i<3 +3 object "Module" 100
@4001+2*i i<2 +4 object "Module" 100
`, "warm-up @7 [x]: 200 20 3 2, entries 200 20 3 2\n"},
		{"in flight", `captures 4
@7 object "Server": element j -> @1001+j/50*1000+2*(j%50) j<150
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 -(2+i/50) object "Request" 100
`, "in-flight @7 [x]: 0 0 50, entries 0 0 50\n"},
		{"a cache at its bound", `captures 4
@7 object "LRU": element j -> @101+2*j j<100, element 100+j -> @1001+2*j j<40, element 200+j -> @2001+2*j j<40, element 300+j -> @3001+2*j j<40
@101+2*i i<100 -(1+i/40) object "Entry" 8
@1001+2*i i<40 +1 -(4-i/20) object "Entry" 8
@2001+2*i i<40 +2 object "Entry" 8
@3001+2*i i<40 +3 object "Entry" 8
`, "bounded @7 [x]: 20 40 40, entries 20 40 40\n"},
		{"a cache that reaches its bound in the second of four rounds", `captures 5
@7 object "Cache": element j -> @1001+j/100*1000+2*(j%100) j<400
@1001+2*i i<50 +1 -3 object "Entry" 8
@1101+2*i i<25 +1 -4 object "Entry" 8
@1151+2*i i<25 +1 object "Entry" 8
@2001+2*i i<50 +2 -3 object "Entry" 8
@2101+2*i i<25 +2 -4 object "Entry" 8
@2151+2*i i<25 +2 object "Entry" 8
@3001+2*i i<50 +3 -4 object "Entry" 8
@3101+2*i i<50 +3 object "Entry" 8
@4001+2*i i<100 +4 object "Entry" 8
`, "bounded @7 [x]: 25 25 50 100, entries 25 25 50 100\n"},
		{"a cache of two generations, the older of which is thrown away as a whole", `captures 5
@7 object "LRU": property old -> @101 -4, property old -> @3001 +4, property new -> @3001 +3 -4, property new -> @4001 +4
@101 -4 object "Map": element j -> @201+2*j j<100
@201+2*i i<100 -4 object "Entry" 8
@3001 +3 object "Map": element j -> @3101+2*j j<20, element 20+j -> @4101+2*j j<30
@3101+2*i i<20 +3 object "Entry" 8
@4001 +4 object "Map": element j -> @4201+2*j j<4
@4101+2*i i<30 +4 object "Entry" 8
@4201+2*i i<4 +4 object "Entry" 8
`, "bounded @3001 [x]: 0 0 21 30, entries 0 0 20 30, also @7\nin-flight @7 new: 0 0 0 5, entries 0 0 0 1\n"},
		{"a leak into a Map that was made in the second round", `captures 5
@7 object "App": property seen -> @2001 +2
@2001 +2 object "Map": element j -> @2101+j/20*1000+2*(j%20) j<60
@2101+i/20*1000+2*(i%20) i<60 +2+i/20 object "Entry" 8
`, "leak @2001 [x]: 0 21 20 20, entries 0 20 20 20, also @7\n"},
		{"older rounds are let go", `captures 4
@7 object "Log": element j -> @1001+2*j j<70, element 70+j -> @2001+2*j j<70, element 200+j -> @3001+2*j j<70
@1001+2*i i<10 +1 object "Line" 8
@1021+2*i i<60 +1 -3 object "Line" 8
@2001+2*i i<60 +2 object "Line" 8
@2121+2*i i<10 +2 -3 object "Line" 8
@3001+2*i i<70 +3 object "Line" 8
`, "bounded @7 [x]: 10 60 70, entries 10 60 70\n"},
		{"rounds differ, but all is kept", `captures 4
@7 object "Log": element j -> @1001+2*j j<60, element 100+j -> @2001+2*j j<300, element 500+j -> @3001+2*j j<310
@1001+2*i i<60 +1 object "Line" 8
@2001+2*i i<300 +2 object "Line" 8
@3001+2*i i<310 +3 object "Line" 8
`, "leak @7 [x]: 60 300 310, entries 60 300 310\n"},
		{"one object a round is a habit of V8", `
@7 object "App": element j -> @1001+1000*j j<3
@1001+1000*i i<3 +1+i object "Counter" 16
`, "small @7 [x]: 1 1 1, entries 1 1 1\n"},
		{"one entry a round, with what hangs on it, is a window of time", `
@7 object "Window": element j -> @1001+1000*j j<3
@1001+1000*i i<3 +1+i object "Bucket" 16: property a -> @1003+1000*i, property b -> @1005+1000*i
@1003+1000*i i<3 +1+i object "Counter" 16
@1005+1000*i i<3 +1+i object "Counter" 16
`, "small @7 [x]: 3 3 3, entries 1 1 1\n"},
		{"two entries a round are none", `
@7 object "Window": element j -> @1001+1000*j j<3, element 3+j -> @1003+1000*j j<3
@1001+1000*i i<3 +1+i object "Bucket" 16: property a -> @1005+1000*i
@1003+1000*i i<3 +1+i object "Bucket" 16
@1005+1000*i i<3 +1+i object "Counter" 16
`, "leak @7 [x]: 3 3 3, entries 2 2 2\n"},
		{"what hangs on entries comes and goes, the entries stay", `
@7 object "Breakers": element j -> @1001+j/20*1000+2*(j%20) j<60
@1001+2*i i<20 +1 object "Breaker" 64: property bucket -> @3101+6*i
@2001+2*i i<20 +2 object "Breaker" 64: property bucket -> @3103+6*i
@3001+2*i i<20 +3 object "Breaker" 64: property bucket -> @3105+6*i
@3101+2*i i<60 +3 object "Bucket" 64
`, "leak @7 [x]: 20 20 80, entries 20 20 20\n"},
		{"unless it is large", `
@7 object "App": element j -> @1001+1000*j j<3
@1001+1000*i i<3 +1+i object "Page" 65536
`, "leak @7 [x]: 1 1 1, entries 1 1 1\n"},
		{"two captures tell growth only", `
@7 object "App": element j -> @1001+2*j j<20
@1001+2*i i<20 +1 object "A" 16
`, "growth @7 [x]: 20, entries 20\n"},

		{"two collections of the same objects", `
@7 object "App": property byID -> @13, property byName -> @15
@13 object "Map": internal table -> @17
@15 object "Map": internal table -> @19
@17 array "": internal {5+3*j} -> @1001+j/20*1000+2*(j%20) j<60
@19 array "": internal {5+3*j} -> @1001+j/20*1000+2*(j%20) j<60
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "Session" 16
`, "leak @13 [x]: 20 20 20, entries 20 20 20, also @15\n"},
		{"three of them", `
@7 object "App": element 1 -> @13, element 2 -> @15, element 3 -> @17
@13+2*i i<3 object "Index{i}": element j -> @1001+j/20*1000+2*(j%20) j<60
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "X" 16
`, "leak @13 [x]: 20 20 20, entries 20 20 20, also @15, also @17\n"},
		{"two collections of different objects", `
@7 object "App": property a -> @13, property b -> @15
@13 object "A": element j -> @1001+j/20*1000+2*(j%20) j<60
@15 object "B": element j -> @1501+j/30*1000+2*(j%30) j<90
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "X" 16
@1501+i/30*1000+2*(i%30) i<90 +1+i/30 object "Y" 16
`, "leak @15 [x]: 30 30 30, entries 30 30 30\nleak @13 [x]: 20 20 20, entries 20 20 20\n"},
		{"alike elements of one collection", `
@7 object "Rooms": element j -> @101+4*j j<10
@101+4*i i<10 object "Room": property messages -> @103+4*i
@103+4*i i<10 object "Array": element j -> @1001+j/5*1000+2*(j%5)+10*i j<15
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Message" 16
`, "leak @103 [x]: 50 50 50, entries 5 5 5, also @107, also @111, also @115, also @119, also @123, also @127, also @131, also @135, also @139\n"},

		{"a list that is appended to", `
@7 object "Trail": property first -> @13, property last -> @13 -1, property last -> @1099 +1 -2, property last -> @2099 +2 -3, property last -> @3099 +3
@13 object "Record": property next -> @1001
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Record" 16: property next -> @1001+(i+1)/50*1000+2*((i+1)%50)
`, "leak @13 next: 50 50 50, entries 1 0 0\n"},
		{"a list without a pointer to its end", `
@7 object "Trail": property first -> @13
@13 object "Record": property next -> @1001
@1001+i/50*1000+2*(i%50) i<150 +1+i/50 object "Record" 16: property next -> @1001+(i+1)/50*1000+2*((i+1)%50)
`, "leak @13 next: 50 50 50, entries 1 0 0\n"},
		{"a list that is prepended to", `
@7 object "Stack": property top -> @13 -1, property top -> @1099 +1 -2, property top -> @2099 +2 -3, property top -> @3099 +3
@13 object "Frame"
@1001+2*i i<50 +1 object "Frame" 16: property next -> @999+2*i
@999 object "Frame" 16: property next -> @13
@2001 +2 object "Frame" 16: property next -> @1099
@2003+2*i i<49 +2 object "Frame" 16: property next -> @2001+2*i
@3001 +3 object "Frame" 16: property next -> @2099
@3003+2*i i<49 +3 object "Frame" 16: property next -> @3001+2*i
`, "leak @7 top: 50 50 50, entries 0 0 1\n"},
		{"a tree that grows at its leaves", `
@7 object "Index": property root -> @101
@101+2*i i<15 object "Branch" 32: property left -> @103+4*i, property right -> @105+4*i, element 1 -> @1001+2*i, element 2 -> @2001+2*i, element 3 -> @3001+2*i
@1001+2*i i<15 +1 object "Branch" 32
@2001+2*i i<15 +2 object "Branch" 32
@3001+2*i i<15 +3 object "Branch" 32
`, "leak @101 [x]: 15 15 15, entries 15 15 15\n"},

		{"a collection made on first use", `captures 4
@7 object "App": property cache -> @1001
@1001 +1 object "Map" 32: internal table -> @1003 +1 -2, internal table -> @2003 +2 -3, internal table -> @3003 +3
@1003 +1 -2 array "": internal {5+3*j} -> @1101+2*j j<40
@2003 +2 -3 array "": internal {5+3*j} -> @1101+j/40*1000+2*(j%40) j<80
@3003 +3 array "": internal {5+3*j} -> @1101+j/40*1000+2*(j%40) j<120
@1101+i/40*1000+2*(i%40) i<120 +1+i/40 object "Result" 16
`, "leak @1001 [x]: 41 40 40, entries 40 40 40, also @7\n"},

		{"native objects are as old as their owner", `
@7 object "Pool": property a -> @13, element j -> @1001+j/10*1000+2*(j%10) j<30
@13 object "Socket": internal handle -> @20 -1, internal handle -> @22 +1 -2, internal handle -> @24 +2 -3, internal handle -> @26 +3
@20 -1 native "TCP" 8
@22 +1 -2 native "TCP" 8
@24 +2 -3 native "TCP" 8
@26 +3 native "TCP" 8
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "Socket" 16: internal handle -> @1002+i/10*1000+2*(i%10)
@1002+i/10*1000+2*(i%10) i<30 +1+i/10 native "TCP" 8
`, "leak @7 [x]: 20 20 20, entries 10 10 10\nchurn: 1\n"},
		{"memory outside the heap is its owner's", `
@7 object "App": element j -> @1001+j/20*1000+2*(j%20) j<60
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "ArrayBuffer" 16: internal backing_store -> @1002+i/20*1000+4*(i%20)
@1002+i/20*1000+4*(i%20) i<60 +1+i/20 native "system / JSArrayBufferData" 65536
`, "leak @7 [x]: 40 40 40, entries 20 20 20\n"},
		{"native objects that only V8's roots hold have an age of their own", `
@7 object "App"
@90002+2*i i<60 +1+i/20 native "Handle" 16
`, "leak @9 Handle: 20 20 20, entries 20 20 20\n"},
		{"V8's roots hold each class for a reason of its own", `
@7 object "App"
@90001+2*i i<60 +1+i/20 object "Wrap" 16: property data -> @92002+2*i
@90002+2*i i<30 +1+i/10 native "Handle" 16
@92002+2*i i<60 +1+i/20 object "Data" 16
`, "leak @9 Wrap: 40 40 40, entries 20 20 20\nleak @9 Handle: 10 10 10, entries 10 10 10\n"},
		{"but classes that hold the same are one", `
@7 object "App"
@90001+2*i i<60 +1+i/20 object "Wrap" 16: property data -> @92002+2*i
@90002+2*i i<60 +1+i/20 native "Handle" 16: property data -> @92002+2*i
@92002+2*i i<60 +1+i/20 object "Data" 16
`, "leak @9 Wrap: 60 60 60, entries 40 40 40\n"},
		{"V8's roots are named last", `
@7 object "App": element j -> @90001+2*j j<60
@90001+2*i i<60 +1+i/20 object "Wrap" 16
`, "leak @7 [x]: 20 20 20, entries 20 20 20\n"},
		{"and join nothing that objects keep apart", `
@7 object "App": property a -> @13, property b -> @15
@13 object "A": element j -> @90001+4*j j<20
@15 object "B": element j -> @90003+4*j j<20
@90001+2*i i<40 +1+i/20 object "Wrap" 16
`, "leak @13 [x]: 10 10, entries 10 10\nleak @15 [x]: 10 10, entries 10 10\n"},
		{"and alone if nobody else is there", `
@7 object "App"
@90001+2*i i<60 +1+i/20 object "Wrap" 16
`, "leak @9 Wrap: 20 20 20, entries 20 20 20\n"},
		{"weak references hold nothing", `
@7 object "App": weak j -> @90001+2*j j<60
@90001+2*i i<60 +1+i/20 object "Wrap" 16
`, "leak @9 Wrap: 20 20 20, entries 20 20 20\n"},
		{"code and feedback of a function are named behind objects", `
@7 object "App": property f -> @13, element j -> @1001+j/10*1000+2*(j%10) j<30
@13 closure "f": internal shared -> @15
@15 code "f": internal j -> @1001+j/10*1000+2*(j%10) j<30
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "A" 16
`, "leak @7 [x]: 10 10 10, entries 10 10 10\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			all := snapshots(t, roots+test.text)
			d := compare(t, all)
			if got := told(d); got != test.want {
				t.Errorf("Compare tells\n%s\nwant\n%s", got, test.want)
			}
			checkAccount(t, all, d)
		})
	}
}

// checkAccount: every new object is in exactly one part.
func checkAccount(t *testing.T, all []*heapsnap.Snapshot, d *Diff) {
	t.Helper()
	var sum, sites Amount
	for _, part := range d.Parts {
		sum.Count += part.Count
		sum.Bytes += part.Bytes
	}
	if sum != d.Total {
		t.Errorf("Parts add up to %+v, Total = %+v", sum, d.Total)
	}
	var fresh Amount
	inSite := map[*GrowthSite]uint64{}
	for i := range d.Last.NodeCount() {
		n := heapsnap.Node(i)
		if _, ok := all[0].Find(d.Last.ID(n)); !ok {
			fresh.add(d.Last.SelfSize(n))
		}
		if g := d.SiteOf(n); g != nil {
			inSite[g] += d.Last.SelfSize(n)
		}
	}
	if fresh != d.Total {
		t.Errorf("Total = %+v, want %+v: what the first capture does not have", d.Total, fresh)
	}
	for _, g := range d.Sites {
		a := g.Survivors()
		sites.Bytes += a.Bytes
		if a.Bytes != inSite[g] {
			t.Errorf("the site of @%d has %d bytes, its survivors %d", d.Last.ID(g.Holder), a.Bytes, inSite[g])
		}
	}
	if churn := d.Parts[Churn]; sites.Bytes+churn.Bytes != d.Total.Bytes {
		t.Errorf("sites have %d bytes and churn %d, Total %d", sites.Bytes, churn.Bytes, d.Total.Bytes)
	}
}

// What a series says does not depend on the order in which V8 writes objects.
func TestCompareOrder(t *testing.T) {
	const head, tail = "@1 synthetic \"\": shortcut global -> @3\n@3 object \"global\": property a -> @7, property b -> @11\n", `
@7 object "Map": internal table -> @9
@9 array "": internal {5+3*j} -> @1001+j/20*1000+2*(j%20) j<60
@11 object "Array": element j -> @1001+j/20*1000+2*(j%20) j<60, element 100+j -> @1501+j/30*1000+2*(j%30) j<90
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "X" 16
@1501+i/30*1000+2*(i%30) i<90 +1+i/30 object "Y" 24: property x -> @1001+i/30*1000+2*(i%30%20)`
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	want := told(compare(t, snapshots(t, head+tail)))
	for range 3 {
		lines = append(lines[1:], lines[0])
		if got := told(compare(t, snapshots(t, head+strings.Join(lines, "\n")))); got != want {
			t.Errorf("in the order\n%s\nCompare tells\n%s\nwant\n%s", strings.Join(lines, "\n"), got, want)
		}
	}
}

// The classes of a leak are counted per round, the most frequent first.
func TestCompareClasses(t *testing.T) {
	d := compare(t, snapshots(t, roots+`
@7 object "App": element j -> @1001+j/10*1000+2*(j%10) j<30
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "Session" 16: property a -> @1101+i/10*1000+4*(i%10), property b -> @1103+i/10*1000+4*(i%10), internal elements -> @1501+i/10*1000+2*(i%10)
@1101+i/10*1000+4*(i%10) i<30 +1+i/10 object "Quote" 16
@1103+i/10*1000+4*(i%10) i<30 +1+i/10 object "Quote" 16
@1501+i/10*1000+2*(i%10) i<30 +1+i/10 array "" 16
`))
	var got []string
	for _, k := range d.Sites[0].Classes {
		got = append(got, fmt.Sprintf("%s %v %d %s", k.Class, k.PerRound, k.Total, d.Last.ClassName(k.Sample)))
	}
	if want := "[Quote [20 20 20] 60 Quote Session [10 10 10] 30 Session]"; fmt.Sprint(got) != want {
		t.Errorf("Classes = %v, want %s: storage is no class of its own", got, want)
	}
	if a := d.Sites[0].Survivors(); a.Count != 90 || a.Bytes != 120*16 {
		t.Errorf("Survivors = %+v, want 90 objects, and the bytes of their storage too", a)
	}
}

// Populations are asked for once per earlier capture, of the holders only.
func TestCompareAsksPopulations(t *testing.T) {
	all := snapshots(t, roots+`
@7 object "App": property list -> @13, property few -> @15
@13 object "Array": element j -> @1001+j/100*1000+2*(j%100) j<300
@15 object "Array": element j -> @1901+j/2*1000+2*(j%2) j<6
@1001+i/100*1000+2*(i%100) i<300 +1+i/100 closure "f" 64
@1901+i/2*1000+2*(i%2) i<6 +1+i/2 closure "g" 64
`)
	asked := make([]string, 4) // by several goroutines
	opts := Options{Populations: func(_ context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
		asked[capture] += fmt.Sprint(ids)
		return map[heapsnap.ObjectID]heapsnap.Filling{13: {References: 100 * capture}}, nil
	}}
	d, err := Compare(context.Background(), identities(all[:3]), all[3], opts)
	if err != nil {
		t.Fatal(err)
	}
	if want := "[[13] [13] [13] ]"; fmt.Sprint(asked) != want {
		t.Errorf("Populations was asked for %v, want %s", asked, want)
	}
	if g := d.Sites[0]; !slices.Equal(g.Population, []int{0, 100, 200, 300}) || g.Judgement != Leak {
		t.Errorf("Population, Judgement = %v, %v, want one more hundred per capture, leak", g.Population, g.Judgement)
	}
	// A holder that is as full as ever is bounded, whatever the rounds say.
	opts.Populations = func(context.Context, int, []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
		return map[heapsnap.ObjectID]heapsnap.Filling{13: {References: 300}}, nil
	}
	d, err = Compare(context.Background(), identities(all[:3]), all[3], opts)
	if want := "leak @15 [x]: 2 2 2, entries 2 2 2\nbounded @13 [x]: 100 100 100, entries 100 100 100\n"; err != nil || told(d) != want {
		t.Errorf("Compare tells\n%s, %v, want\n%s", told(d), err, want)
	}
	broken := fmt.Errorf("the file is gone")
	opts.Populations = func(_ context.Context, capture int, _ []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
		if capture == 1 {
			return nil, broken
		}
		return nil, nil
	}
	if _, err = Compare(context.Background(), identities(all[:3]), all[3], opts); err == nil || err.Error() != "capture 2: the file is gone" {
		t.Errorf("Compare = %v, want capture 2: the file is gone", err)
	}
	// Without populations it is a leak all the same, a little less surely.
	d, err = Compare(context.Background(), identities(all[:3]), all[3], Options{})
	if err != nil || d.Sites[0].Judgement != Leak || d.Sites[0].Population != nil || d.Sites[0].Confidence >= 0.9 {
		t.Errorf("Compare without populations = %+v, %v, want a leak with confidence below 0.9", d.Sites[0], err)
	}
}

func TestCompareRefuses(t *testing.T) {
	series := snapshots(t, roots+`
@7 object "App": element j -> @1001+j/100*1000+2*(j%100) j<300
@101+2*i i<400 closure "f" 64
@1001+i/100*1000+2*(i%100) i<300 +1+i/100 closure "f" 64
`)
	other := snapshots(t, roots+`
@7 object "App": element j -> @101+2*j j<400
@101+2*i i<400 object "Session" 64
@10001 object "later"
`)
	for _, test := range []struct {
		name    string
		earlier []*heapsnap.Snapshot
		last    *heapsnap.Snapshot
		want    string
	}{
		{"nothing to compare with", nil, series[0], "two captures or more"},
		{"newest first", []*heapsnap.Snapshot{series[3]}, series[0], "not in order"},
		{"the last two the wrong way round", []*heapsnap.Snapshot{series[0], series[3]}, series[2], "not in order"},
		{"another process", []*heapsnap.Snapshot{series[0]}, other[0], "not of one process"},
		{"another process among them", []*heapsnap.Snapshot{series[0], other[0]}, series[3], "not of one process"},
		{"too many", slices.Repeat(series[:1], 251), series[3], "252 captures"},
	} {
		d, err := Compare(context.Background(), identities(test.earlier), test.last, Options{})
		if d != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Compare = %v, %v, want an error with %q", test.name, d, err, test.want)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := fmt.Errorf("nobody waits any more")
	cancel(gone)
	if _, err := Compare(ctx, identities(series[:3]), series[3], Options{}); err != gone {
		t.Errorf("Compare = %v, want the cause of the cancellation", err)
	}
}

// Earlier captures the wrong way round are found too.
func TestCompareRefusesEarlierOutOfOrder(t *testing.T) {
	series := snapshots(t, roots+`
@7 object "App": element j -> @1001+j/100*1000+2*(j%100) j<300
@1001+i/100*1000+2*(i%100) i<300 +1+i/100 closure "f" 64
`)
	earlier := []*heapsnap.Snapshot{series[1], series[0], series[2]}
	if d, err := Compare(context.Background(), identities(earlier), series[3], Options{}); err == nil || !strings.Contains(err.Error(), "not in order") {
		t.Errorf("Compare of captures 1, 0, 2 and 3 tells\n%s, %v, want an error", told(d), err)
	}
}

// A ring whose new links stand among old ones in any order, as repeating timers do, is one site of the object that has
// the ring: what is left of each round is not divided by neighbours.
func TestCompareRing(t *testing.T) {
	var b strings.Builder
	b.WriteString(roots + `
@7 object "List": property prev -> @13, property next -> @31
@31 object "Timer": property next -> @1001, property prev -> @7
`)
	// Old and new links in turn: 13, 15, ... are old, three of each round are new.
	ring := []int{31, 1001, 2001, 15, 3001, 17, 1003, 19, 2003, 3003, 21, 1005, 3005, 2005, 23, 13}
	for i, id := range ring {
		if id == 31 {
			continue
		}
		next := 7
		if i+1 < len(ring) {
			next = ring[i+1]
		}
		born := ""
		if id > 1000 {
			born = fmt.Sprintf("+%d ", id/1000)
		}
		fmt.Fprintf(&b, "@%d %sobject \"Timer\" 64: property next -> @%d, property prev -> @%d\n", id, born, next, ring[i-1])
	}
	if got, want := told(compare(t, snapshots(t, b.String()))), "leak @7 [x]: 3 3 3, entries 3 3 3\n"; got != want {
		t.Errorf("Compare tells\n%s, want\n%s", got, want)
	}
}

// Objects that refer to each other and are reached in several ways, as modules are, are no ring of what dominates them.
func TestCompareIsNoRing(t *testing.T) {
	d := compare(t, snapshots(t, roots+`
@7 object "App": property main -> @13, property cache -> @15
@13 object "Holder": property module -> @17
@15 object "Array": element 0 -> @17
@17 object "Module": property children -> @19, property self -> @21
@19 object "Array": element j -> @1001+j/20*1000+2*(j%20) j<60
@21 object "Module": property parent -> @17
@1001+i/20*1000+2*(i%20) i<60 +1+i/20 object "Module" 64: property parent -> @17
`))
	if got, want := told(d), "leak @17 [x]: 20 20 20, entries 20 20 20\n"; got != want {
		t.Errorf("Compare tells\n%s, want\n%s", got, want)
	}
}

// What an attached inspector keeps of the console is nobody's growth; other global handles are somebody's.
func TestCompareLeavesOutTheConsole(t *testing.T) {
	d := compare(t, snapshots(t, `
@1 synthetic "": element 1 -> @3
@3 synthetic "(Global handles)": internal "7 / DevTools console" -> @1001+j/10*1000+2*(j%10) j<30, internal "8" -> @1301+j/10*1000+2*(j%10) j<30
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "Job" 40
@1301+i/10*1000+2*(i%10) i<30 +1+i/10 object "Handle" 24
`))
	if got, want := told(d), "leak @3 Handle: 10 10 10, entries 10 10 10\nchurn: 30\n"; got != want {
		t.Errorf("Compare tells\n%s, want\n%s", got, want)
	}
	if got, want := d.Parts[Churn], (Amount{30, 30 * 40}); got != want {
		t.Errorf("churn = %+v, want %+v", got, want)
	}
}

// A holder of small integers has no survivors: only its storage grows.
func TestCompareFindsSwelling(t *testing.T) {
	all := snapshots(t, roots+`
@7 object "App": property numbers -> @13, property ring -> @15
@13 object "Array" 16: internal elements -> @21
@15 object "Array" 16: internal elements -> @23
@21 +3 array "" 90000
@23 +3 array "" 90000
`)
	for _, c := range []struct {
		name    string
		storage []uint64 // of @13, per capture
		refs    []int
		want    Judgement
	}{
		{"steps", []uint64{1000, 1000, 30000, 90000}, []int{1, 1, 1, 1}, Leak},
		{"the same object again and again", []uint64{1000, 30000, 60000, 90000}, []int{100, 200, 300, 400}, Leak},
		// Storage grows in steps, so the references decide where they are gained evenly, and only there.
		{"evenly, in one step of storage", []uint64{1000, 1000, 1000, 90000}, []int{100, 200, 300, 390}, Leak},
		{"unevenly, in one step of storage", []uint64{1000, 1000, 1000, 90000}, []int{100, 110, 300, 400}, Small},
		{"early only", []uint64{1000, 90000, 90000, 90000}, []int{1, 1, 1, 1}, WarmUp},
		{"no larger than ever", []uint64{90000, 90000, 90000, 90000}, []int{1, 1, 1, 1}, ""},
	} {
		opts := Options{Populations: func(_ context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error) {
			return map[heapsnap.ObjectID]heapsnap.Filling{
				13: {References: c.refs[capture], Storage: c.storage[capture]},
				15: {References: 1, Storage: 90000},
			}, nil
		}}
		d, err := Compare(context.Background(), identities(all[:3]), all[3], opts)
		if err != nil {
			t.Fatal(err)
		}
		got := Judgement("")
		for _, g := range d.Sites {
			if g.Swelling && d.Last.ID(g.Holder) == 13 {
				got = g.Judgement
			}
			if d.Last.ID(g.Holder) == 15 {
				t.Errorf("%s: a ring that is as large as ever is a site: %s", c.name, g.Why)
			}
		}
		if got != c.want {
			t.Errorf("%s: judgement %q, want %q", c.name, got, c.want)
		}
	}
}

// A flat text that is made anew, and longer in every capture, has no survivors either.
func TestCompareFindsGrowingText(t *testing.T) {
	all := snapshots(t, roots+`
@7 object "App": property page -> @3001 +3, property name -> @13, property short -> @3003 +3
@13 string "name" 60000
@3001 +3 string "page" 9000
@3003 +3 string "short" 100
`)
	for _, c := range []struct {
		name  string
		sizes []uint64 // of @7's text, but in the last capture, which has 69,100 bytes
		want  string
	}{
		{"longer in every round", []uint64{63100, 65100, 67100}, "leak page 63100, 65100, 67100, 69100"},
		{"as long as ever", []uint64{69100, 69100, 69100}, ""},
		{"longer in most rounds", []uint64{65100, 67100, 67100}, ""},
		{"by very different parts", []uint64{60400, 69000, 68100}, ""},
		{"by next to nothing", []uint64{69070, 69080, 69090}, ""},
	} {
		opts := Options{Texts: func(_ context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]uint64, error) {
			if fmt.Sprint(ids) != "[7]" {
				t.Errorf("asked for %v, want [7]", ids)
			}
			return map[heapsnap.ObjectID]uint64{7: c.sizes[capture]}, nil
		}}
		d, err := Compare(context.Background(), identities(all[:3]), all[3], opts)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, g := range d.Sites {
			if g.Text != nil {
				got = fmt.Sprintf("%s %s %s", g.Judgement, g.Label, join(g.Text))
				if g.Survivors().Bytes != 6000 {
					t.Errorf("%s: %d bytes, want 6000", c.name, g.Survivors().Bytes)
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// A text that hangs together of pieces of every round is told by these.
	all = snapshots(t, roots+`
@7 object "App": property log -> @13 -1, property log -> @1001 +1 -2, property log -> @2001 +2 -3, property log -> @3001 +3
@13 string "log" 1000
@1001 +1 concatenated string "" 32: internal first -> @13, internal second -> @1003
@2001 +2 concatenated string "" 32: internal first -> @1001, internal second -> @2003
@3001 +3 concatenated string "" 32: internal first -> @2001, internal second -> @3003
@1003+1000*i i<3 +1+i string "line" 100000
`)
	d, err := Compare(context.Background(), identities(all[:3]), all[3], Options{Texts: func(_ context.Context, capture int, _ []heapsnap.ObjectID) (map[heapsnap.ObjectID]uint64, error) {
		return map[heapsnap.ObjectID]uint64{7: 1000 + 100032*uint64(capture)}, nil
	}})
	if want := "leak @7 log: 2 2 2, entries 0 0 1\n"; err != nil || told(d) != want {
		t.Errorf("Compare tells\n%s, %v, want\n%s", told(d), err, want)
	}
}

// Somebody who knows a holder may judge otherwise: its part of the account goes along, that of others stays.
func TestRejudge(t *testing.T) {
	all := snapshots(t, `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5, element 2 -> @7
@5 object "Array" 16: element j -> @1001+j/10*1000+2*(j%10) j<30
@7 object "Array" 16: element j -> @1301+j/20*1000+2*(j%20) j<60
@1001+i/10*1000+2*(i%10) i<30 +1+i/10 object "Timing" 40
@1301+i/20*1000+2*(i%20) i<60 +1+i/20 object "Session" 24
`)
	d := compare(t, all)
	if len(d.Sites) != 2 || d.Parts[Leak] != (Amount{90, 30*40 + 60*24}) {
		t.Fatalf("%d sites, leaks %+v, want 2 with 90 objects", len(d.Sites), d.Parts[Leak])
	}
	timings := d.Sites[slices.IndexFunc(d.Sites, func(g *GrowthSite) bool { return g.Classes[0].Class == "Timing" })]
	d.Rejudge(timings, Bounded, "it has a bound")
	d.Rejudge(timings, Bounded, "said twice")
	if got, want := d.Parts[Leak], (Amount{60, 60 * 24}); got != want {
		t.Errorf("leaks = %+v, want %+v", got, want)
	}
	if got, want := d.Parts[Bounded], (Amount{30, 30 * 40}); got != want {
		t.Errorf("bounded = %+v, want %+v", got, want)
	}
	if timings.Judgement != Bounded || timings.Why != "it has a bound" {
		t.Errorf("Judgement, Why = %s, %q", timings.Judgement, timings.Why)
	}
	checkAccount(t, all, d)
}

// V8 uses the id @13 of code that was thrown away for a link in the middle of a
// chain: the chain has one holder all the same.
func TestAnIdThatIsUsedAgain(t *testing.T) {
	const rounds = 3
	chain := func(captures int) string {
		var b strings.Builder
		b.WriteString(roots + "@7 object \"App\": property last -> @LAST\n")
		before := 0
		for r := 1; r < captures; r++ {
			for i := range 20 {
				id := 1000*r + 2*i + 1
				if r == 2 && i == 10 {
					id = 13
				}
				fmt.Fprintf(&b, "@%d object \"Link\" 40", id)
				if before > 0 {
					fmt.Fprintf(&b, ": property previous -> @%d", before)
				}
				b.WriteString("\n")
				before = id
			}
		}
		if before == 0 {
			before = 7
		}
		return strings.Replace(b.String(), "@LAST", fmt.Sprintf("@%d", before), 1)
	}
	var all []*heapsnap.Snapshot
	for k := range rounds + 1 {
		text := chain(k + 1)
		if k < 2 { // not yet
			text += "@13 code \"(function)\" 24\n"
		}
		all = append(all, snapshots(t, text)...)
	}
	d := compare(t, all)
	var links []*GrowthSite
	for _, g := range d.Sites {
		if g.Survivors().Count > 0 {
			links = append(links, g)
		}
	}
	if len(links) != 1 || !slices.Equal(links[0].Count, []int{20, 20, 20}) || d.Last.ID(links[0].Holder) != 7 {
		for _, g := range links {
			t.Errorf("@%d has %v", d.Last.ID(g.Holder), g.Count)
		}
		t.Fatal("want one site of @7 with 20 links a round")
	}
}

// In the last round old windows get functions that reach what a list holds: the
// list was there first, and more windows than seeds are told apart do not hide it.
func TestWhoHeldItFirstIsTold(t *testing.T) {
	d := compare(t, snapshots(t, roots+`
captures 5
@7 object "App": property timers -> @301, property w{j} -> @101+2*j j<6
@101+2*i i<6 object "Window{i}": property late -> @9001+2*i
@9001+2*i i<6 +4 closure "late": context first -> @1001
@301 object "TimersList": property next -> @1001
@1001+2*i i<19 +1 object "Timeout": property next -> @1003+2*i
@1039 +1 object "Timeout": property next -> @2001
@2001+2*i i<19 +2 object "Timeout": property next -> @2003+2*i
@2039 +2 object "Timeout": property next -> @3001
@3001+2*i i<19 +3 object "Timeout": property next -> @3003+2*i
@3039 +3 object "Timeout": property next -> @4001
@4001+2*i i<19 +4 object "Timeout": property next -> @4003+2*i
@4039 +4 object "Timeout"
`))
	if len(d.Sites) == 0 || d.Last.ID(d.Sites[0].Holder) != 301 {
		for _, g := range d.Sites {
			t.Errorf("@%d .%s has %v", d.Last.ID(g.Holder), g.Label, g.Count)
		}
		t.Fatal("want the list @301 first")
	}
}

// The poorest round has half of the usual one, or it is no steady growth.
func TestSteadily(t *testing.T) {
	for _, test := range []struct {
		gained []int
		want   bool
	}{
		{[]int{40, 40, 40}, true}, {[]int{20, 40, 40, 400}, true}, {[]int{19, 40, 40}, false}, {[]int{7}, true},
	} {
		if got := steadily(test.gained); got != test.want {
			t.Errorf("steadily(%v) = %t", test.gained, got)
		}
	}
}

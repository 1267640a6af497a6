package diff

import (
	"context"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// Two processes: ids say nothing, the ways to objects do.
func TestAcross(t *testing.T) {
	const (
		one = `
@7 object "App": property list -> @13, property map -> @15
@13 object "Array": element j -> @1001+2*j j<50
@15 object "Map"
@1001+2*i i<50 closure "f" 64
`
		other = `
@7 object "App": property map -> @113, property list -> @115
@113 object "Map": internal table -> @117
@115 object "Array": element j -> @2001+2*j j<60
@117 array "": internal {5+3*j} -> @3001+2*j j<200
@2001+2*i i<60 closure "f" 64
@3001+2*i i<200 object "Session" 48
`
		some = `
@7 object "App": property sessions -> @13
@13 object "Array": element j -> @1001+2*j j<50
@1001+2*i i<50 object "Session" 48: property tags -> @3001+2*i
@3001+2*i i<50 object "Array": element j -> @10001+20*i+2*j j<9
@10001+20*(i/9)+2*(i%9) i<450 object "Tag" 16
`
		many = `
@7 object "App": property sessions -> @13
@13 object "Array": element j -> @1001+2*j j<200
@1001+2*i i<200 object "Session" 48: property tags -> @3001+2*i, property late -> @6001+2*i
@3001+2*i i<200 object "Array": element j -> @10001+20*i+2*j j<9
@6001+2*i i<200 object "Late" 16
@10001+20*(i/9)+2*(i%9) i<1800 object "Tag" 16
`
		chain = `
@7 object "App": property trail -> @13
@13 object "Trail": property first -> @1001
@1001+2*i i<5 object "Record" 64: property next -> @1003+2*i
@1011 object "Record" 64
`
		longer = `
@7 object "App": property trail -> @13
@13 object "Trail": property first -> @1001
@1001+2*i i<105 object "Record" 64: property next -> @1003+2*i
@1211 object "Record" 64
`
		settled = `
@7 object "App": property ready -> @13
@13 object "Promise"
`
		waiting = `
@7 object "App": property ready -> @13
@13 object "Promise": internal reactions_or_result -> @15
@15 array "": internal {j} -> @1001+4*j j<100
@1001+4*i i<100 object "Generator" 32: internal result -> @1003+4*i
@1003+4*i i<100 object "Promise" 32
`
		idle = `
@7 object "App": property threads -> @13
@13 object "Array"
`
		threads = `
@7 object "App": property threads -> @13
@13 object "Array": element j -> @1001+2*j j<12
@1001+2*i i<6 object "Worker" 64
@1013+2*i i<6 object "Session" 64
`
		rope = `
@7 object "App": property a -> @13
@13 object "Log": property text -> @1001
@1001+4*i i<90 concatenated string "(concatenated string)" 32: internal first -> @1005+4*i, internal second -> @1003+4*i
@1003+4*i i<90 string "line" 4000
@1361 string "line" 4000
`
		bare = `
@7 object "App": property a -> @13
@13 object "Array"
`
		text = `
@7 object "App": property a -> @13
@13 object "Array": element 0 -> @15
@15 string "long" 300000
`
	)
	for _, test := range []struct{ name, a, b, want string }{
		{"one that has more", one, other, "more @113 [x]: 200, entries 200\n"},
		{"one that has less", other, one, ""},
		{"the same", other, other, ""},
		{"more of what has much itself: it is they that are more", some, many, "more @13 [x]: 1800, entries 150\n"},
		{"what the first had no use for yet: the innermost", idle, strings.ReplaceAll(other, "map", "threads"), "more @113 [x]: 200, entries 200\nmore @115 [x]: 60, entries 60\n"},
		{"a list that is longer, behind where it begins", chain, longer, "more @1001 next: 100, entries 1\n"},
		{"many that wait for one promise", settled, waiting, "more @13 [x]: 200, entries 100\n"},
		{"few, but each of a thread", idle, threads, "more @13 [x]: 6, entries 6\n"},
		{"text that is longer", strings.ReplaceAll(bare, "Array", "Log"), rope, "more @13 text: 181, entries 1\n"},
		{"few, but large", bare, text, "more @13 [x]: 1, entries 1\n"},
	} {
		d, err := Across(context.Background(), snapshots(t, roots+test.a)[0], snapshots(t, roots+test.b)[0], AcrossOptions{
			Usual:  func(holder heapsnap.Node, _ []heapsnap.Node) bool { return holder == 0 },
			Costly: func(class string) bool { return class == "Worker" },
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := told(d); got != test.want {
			t.Errorf("%s: Across = %q, want %q", test.name, got, test.want)
		}
	}
}

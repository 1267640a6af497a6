package diff

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// alone finds the suspects of a text's only capture. What hangs on @21 is the
// runtime's.
func alone(t *testing.T, text string) (*Diff, string) {
	t.Helper()
	s := snapshots(t, roots+text)[0]
	d, err := Alone(context.Background(), s, AloneOptions{Usual: func(holder heapsnap.Node, _ []heapsnap.Node) bool {
		return s.ID(holder) <= 5 || s.ID(holder) == 21
	}})
	if err != nil {
		t.Fatalf("Alone: %v", err)
	}
	return d, told(d)
}

func TestAlone(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"few of each", `
@7 object "App": property list -> @13
@13 object "Array": element j -> @1001+2*j j<30
@1001+2*i i<30 closure "f" 64
`, ""},
		{"a crowd in an array", `
@7 object "App": property list -> @13
@13 object "Array": element j -> @1001+2*j j<100
@1001+2*i i<100 closure "f" 64: internal context -> @3001+2*i
@3001+2*i i<100 object "system / Context" 32
`, "suspect @13 [x]: 200, entries 100\n"},
		{"through its storage, under many names", `
@7 object "App": property sessions -> @13
@13 object "Object": property {j} -> @1001+2*j j<100
@1001+2*i i<100 object "Session" 64
`, "suspect @13 [x]: 100, entries 100\n"},
		{"the runtime's", `
@7 object "App": property list -> @21
@21 object "Array": element j -> @1001+2*j j<100
@1001+2*i i<100 closure "f" 64
`, ""},
		{"each of many has some: it is they that are many", `
@7 object "App": property sessions -> @13
@13 object "Map": internal table -> @15
@15 array "": internal {5+3*j} -> @1001+2*j j<100
@1001+2*i i<100 object "Session" 64: property records -> @3001+2*i
@3001+2*i i<100 object "Array" 16: element j -> @10001+200*i+2*j j<60
@10001+200*(i/60)+2*(i%60) i<6000 object "Record" 64
`, "suspect @13 [x]: 6200, entries 100\n"},
		{"each of some has many", `
@7 object "App": property tenants -> @13
@13 object "Map": internal table -> @15
@15 array "": internal {5+3*j} -> @1001+2*j j<50
@1001+2*i i<50 object "Array" 16: element j -> @10001+200*i+2*j j<80
@10001+200*(i/80)+2*(i%80) i<4000 object "Record" 64
`, "suspect @1001 [x]: 4000, entries 80, also @1003"},
		{"one of many has more than all others", `
@7 object "App": property modules -> @13
@13 object "Object": property {j} -> @1001+2*j j<100
@1001+2*i i<100 object "Module" 64: property list -> @3001+2*i
@3001 object "Array" 16: element j -> @10001+2*j j<90
@3003+2*i i<99 object "Array" 16
@10001+2*i i<90 object "Record" 64
`, "suspect @13 [x]: 198, entries 99\nsuspect @3001 [x]: 90, entries 90\n"},
		{"what hangs on two is told with the one that has more", `
@7 object "App": property list -> @13, property map -> @15
@13 object "Array": element j -> @1001+2*j j<100
@15 object "Set": internal table -> @17
@17 array "": internal {5+2*j} -> @3001+2*j j<100
@1001+2*i i<100 closure "f" 64: internal context -> @2001+2*i
@2001+2*i i<100 object "system / Context" 32: context s -> @3001+2*i
@3001+2*i i<100 object "Session" 64
`, "suspect @13 [x]: 300, entries 100\n"},
		{"a list, by its first link", `
@7 object "App": property trail -> @13
@13 object "Trail": property first -> @1001
@1001+2*i i<100 object "Record" 64: property next -> @1003+2*i
@1201 object "Record" 64
`, "suspect @1001 next: 100, entries 1\n"},
		{"a list of plain objects, by what leads to it", `
@7 object "App": property trail -> @13
@13 object "Trail": property first -> @1001
@1001+2*i i<100 object "Object" 64: property next -> @1003+2*i
@1201 object "Object" 64
`, "suspect @13 first: 101, entries 1\n"},
		{"functions that keep the one before", `
@7 object "system / Context": context current -> @1001
@1001+6*i i<100 object "Object" 16: property onMessage -> @1003+6*i
@1003+6*i i<100 closure "onMessage" 64: internal context -> @1005+6*i
@1005+6*i i<100 object "system / Context" 32: context previous -> @1007+6*i
`, "suspect @7 current: 300, entries 1\n"},
		{"a ring, whose dominator is its head", `
@7 object "App": property timers -> @13
@13 object "TimersList": property next -> @1001, property prev -> @1199
@1001+2*i i<100 object "Timeout" 64: property next -> @1003+2*i, property prev -> @999+2*i
@999 object "Timeout" 64
@1201 object "Timeout" 64
`, "suspect @13 next: 102, entries 2\n"},
		{"a tree", `
@7 object "App": property root -> @1001
@1001+2*i i<100 object "Slot" 64: property left -> @1003+4*i, property right -> @1005+4*i
@1203+2*i i<200 object "Slot" 64
`, "suspect @1001 left: 199, entries 2\n"},
		{"what refers to each other everywhere, by what dominates it", `
@7 object "Program": property check -> @13
@13 object "Checker": property first -> @1001, property last -> @1201
@1001+2*i i<101 object "Object" 64: property a -> @1001+2*((i*7+1)%101), property b -> @1001+2*((i*3+2)%101), property c -> @1001+2*((i*5+3)%101)
`, "suspect @13 [x]: 99, entries 99\n"},
		{"one object has most of the heap", `
@7 object "App": property a -> @13, property b -> @15
@13 object "Store" 16: property x -> @101, property y -> @103, property z -> @105
@101 object "X" 3000000
@103 object "Y" 3000000
@105 object "Z" 3000000
@15 object "Other" 200000
`, "suspect @13 [x]: 3, entries 3\n"},
		{"numbers, which have no objects", `
@7 object "App": property a -> @13
@13 object "Array" 16: internal elements -> @15
@15 array "(object elements)" 9000000
`, "suspect @13 [x]: 0, entries 0\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, got := alone(t, test.text)
			if got != test.want && !(strings.Count(got, "\n") == 1 && !strings.HasSuffix(test.want, "\n") && strings.HasPrefix(got, test.want)) {
				t.Errorf("Alone =\n%swant\n%s", got, test.want)
			}
		})
	}
}

// What a crowd would free is what its site has, and no byte is in two.
func TestAloneBytes(t *testing.T) {
	d, _ := alone(t, `
@7 object "App": property list -> @13, property map -> @15, property big -> @19
@13 object "Array": element j -> @1001+2*j j<100
@15 object "Set": internal table -> @17
@17 array "": internal {5+2*j} -> @3001+2*j j<100
@19 object "Buffer" 900
@1001+2*i i<100 closure "f" 64: property to -> @19
@3001+2*i i<100 object "Session" 40
`)
	var got []string
	for _, g := range d.Sites {
		got = append(got, fmt.Sprint(d.Last.ID(g.Holder), g.Survivors().Bytes))
	}
	if text := strings.Join(got, ", "); text != "13 6400, 15 4000" {
		t.Errorf("holders and bytes = %s, want 13 6400, 15 4000: the Buffer is the App's, too", text)
	}
}

func TestAloneCancelled(t *testing.T) {
	s := snapshots(t, roots+`@7 object "App"`)[0]
	gone := errors.New("nobody waits")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	if _, err := Alone(ctx, s, AloneOptions{}); !errors.Is(err, gone) {
		t.Errorf("Alone = %v, want the cause of the cancellation", err)
	}
}

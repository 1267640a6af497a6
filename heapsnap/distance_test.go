package heapsnap

import "testing"

// Each row has all distances, by id; 0 is the root's without user's roots.
func TestDistance(t *testing.T) {
	const system = SystemDistance
	tests := []struct {
		name, text string
		want       map[ObjectID]int
	}{
		{"from the user's roots", `
@1 synthetic "": element 1 -> @5, shortcut global -> @3
@3 object "global": property a -> @7
@5 synthetic "(GC roots)": element 1 -> @7, element 2 -> @9
@7 object "a": property x -> @3
@9 object "b"
`, map[ObjectID]int{1: system, 3: 1, 5: system + 1, 7: 2, 9: system + 2}},
		{"without user's roots", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5, element 2 -> @7
@5 object "a": property x -> @7
@7 object "b": property x -> @9
@9 object "c"
@11 object "nobody's"
`, map[ObjectID]int{1: 0, 3: 1, 5: 2, 7: 2, 9: 3, 11: Unreachable}},
		{"weak references are no way", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5, weak 2 -> @7
@5 object "a": property x -> @9
@7 object "b"
@9 object "c": property x -> @7
`, map[ObjectID]int{1: 0, 3: 1, 5: 2, 7: 4, 9: 3}},
		{"document trees are a user's root", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(Document DOM trees)": element 1 -> @5
@5 native "HTMLDocument"
`, map[ObjectID]int{1: system, 3: 1, 5: 2}},
		{"a WeakMap's value is behind key and table", `
@1 synthetic "": element 1 -> @3, element 2 -> @7
@3 synthetic "(GC roots)": element 1 -> @5
@5 array "": internal "2 / part of key (A @11) -> value (B @13) pair in WeakMap (table @5)" -> @13
@7 synthetic "(more)": element 1 -> @9
@9 object "x": property a -> @11
@11 object "A": internal "1 / part of key (A @11) -> value (B @13) pair in WeakMap (table @5)" -> @13
@13 object "B"
`, map[ObjectID]int{1: 0, 3: 1, 5: 2, 7: 1, 9: 2, 11: 3, 13: 4}},
		{"of map descriptors only some count", `
@1 synthetic "": element 1 -> @3
@3 array "(map descriptors)": internal 0 -> @5, internal 1 -> @7, internal 2 -> @9, internal 3 -> @11, internal 4 -> @13, internal x4 -> @15
@5+2*i i<6 object "d"
`, map[ObjectID]int{1: system, 3: 1, 5: 2, 7: 2, 9: 2, 11: 2, 13: Unreachable, 15: 2}},
		{"not by the sloppy function's map", `
@1 synthetic "": element 1 -> @3
@3 hidden "system / NativeContext": internal sloppy_function_map -> @5, internal other -> @7
@5 hidden "system / Map"
@7 hidden "system / Map"
`, map[ObjectID]int{1: system, 3: 1, 5: Unreachable, 7: 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, near := graph(t, test.text), graph(t, test.text)
			for i := range s.NodeCount() {
				n := Node(i)
				if got, want := s.Distance(n), test.want[s.ID(n)]; got != want {
					t.Errorf("Distance(@%d) = %d, want %d", s.ID(n), got, want)
				}
				if got, want := near.NearRoot(n), test.want[s.ID(n)] >= 0 && test.want[s.ID(n)] <= 2; got != want {
					t.Errorf("NearRoot(@%d) = %v, want %v", s.ID(n), got, want)
				}
			}
		})
	}
}

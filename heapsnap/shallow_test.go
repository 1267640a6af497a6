package heapsnap

import "testing"

func TestSelfSize(t *testing.T) {
	const roots = "@1 synthetic \"\": shortcut global -> @3\n"
	tests := []struct {
		name, text string
		want       map[ObjectID]uint64 // ids not named have 0
	}{
		{"a table belongs to its map", roots + `
@3 object "global" 1: property m -> @5
@5 object "Map" 2: internal table -> @7
@7 array "" 4: internal 3 -> @9
@9 string "key" 8
`, map[ObjectID]uint64{3: 1, 5: 2 + 4, 9: 8}},
		{"storage of storage", roots + `
@3 object "global" 1: internal properties -> @5
@5 array "" 2: internal 1 -> @7
@7 hidden "cell" 4: hidden 1 -> @9
@9 array "" 8
`, map[ObjectID]uint64{3: 15}},
		{"what two share stays", roots + `
@3 object "global" 1: property a -> @5, internal map -> @7
@5 object "a" 2: internal map -> @7
@7 hidden "system / Map" 4: internal descriptors -> @9
@9 array "" 8
`, map[ObjectID]uint64{3: 1, 5: 2, 7: 4, 9: 8}},
		{"weak references own nothing", roots + `
@3 object "global" 1: property a -> @5, weak w -> @7
@5 object "a" 2: internal elements -> @7
@7 array "" 4
`, map[ObjectID]uint64{3: 1, 5: 6}},
		{"V8's roots own nothing", roots + `
@3 object "global" 1
@5 synthetic "(GC roots)" 2: element 1 -> @7
@7 hidden "x" 4
`, map[ObjectID]uint64{3: 1, 5: 2, 7: 4}},
		{"a ring of storage that nothing holds stays", roots + `
@3 object "global" 1
@5 array "" 2: internal 1 -> @7
@7 array "" 4: internal 1 -> @5
`, map[ObjectID]uint64{3: 1, 5: 2, 7: 4}},
		{"text outside the heap", roots + `
@3 object "global" 1: property s -> @5
@5 string "long" 2: internal data -> @6
@6 native "system / ExternalStringData" 4000
`, map[ObjectID]uint64{3: 1, 5: 4002}},
		{"with internals exposed all stays", `
@1 synthetic "": element 1 -> @3
@3 synthetic "(GC roots)": element 1 -> @5
@5 object "Map" 2: internal table -> @7
@7 array "" 4
`, map[ObjectID]uint64{5: 2, 7: 4}},
		{"beyond 4 GiB", roots + `
@3 object "global" 4294967295: internal elements -> @5
@5 array "" 4294967295
`, map[ObjectID]uint64{3: 2 * (1<<32 - 1)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := graph(t, test.text)
			for i := range s.NodeCount() {
				n := Node(i)
				if got, want := s.SelfSize(n), test.want[s.ID(n)]; got != want {
					t.Errorf("SelfSize(@%d) = %d, want %d", s.ID(n), got, want)
				}
			}
		})
	}
}

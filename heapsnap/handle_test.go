package heapsnap

import (
	"bytes"
	"testing"

	"heapsnap/internal/textgraph"
)

// A Map grows: V8 copies its table @9, and is about to make @15.
func TestHandlesAreLeftOut(t *testing.T) {
	data := textgraph.Snapshot(t, `
@1 synthetic "": element 1 -> @5, element 2 -> @3
@3 synthetic "(more)": property sessions -> @7
@5 synthetic "(GC roots)": element 1 -> @11
@7 object "Map": internal table -> @9
@9 array "": internal 0 -> @13
@11 synthetic "(Handle scope)": element 0 -> @9, element 1 -> @15
@13 object "Session"
@15 object "Map"
`)
	for _, test := range []struct {
		opts              Options
		table, half, want ObjectID // dominators of @9, @15, @13
	}{
		{Options{}, 1, 11, 9},
		{Options{NoHandles: true}, 7, 11, 9},
	} {
		s, err := Read(t.Context(), bytes.NewReader(data), test.opts)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[ObjectID]ObjectID{9: test.table, 15: test.half, 13: test.want} {
			n, ok := s.Find(id)
			if !ok {
				t.Fatalf("@%d is gone", id)
			}
			if got := s.ID(s.Dominator(n)); got != want {
				t.Errorf("%+v: @%d is dominated by @%d, want @%d", test.opts, id, got, want)
			}
		}
	}
}

package heapsnap

import (
	"fmt"
	"strings"
	"testing"
)

// way writes steps as ids: 1 3 7.
func way(s *Snapshot, steps []Step) string {
	if steps == nil {
		return "none"
	}
	var b strings.Builder
	for _, st := range steps {
		fmt.Fprintf(&b, "%d -%s-> ", s.ID(st.From), s.EdgeName(st.Edge))
	}
	return b.String() + fmt.Sprint(s.ID(s.To(steps[len(steps)-1].Edge)))
}

func TestPaths(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @3, element 2 -> @5, weak w -> @11
@3 synthetic "(table of everything)": element 1 -> @9, element 2 -> @13
@5 object "a": property x -> @7, weak w -> @11
@7 object "b": property y -> @9, property z -> @5
@9 object "c": property first -> @15, property second -> @15
@11 object "only weakly held"
@13 object "only in the table": property x -> @17
@15 object "d"
@17 object "behind"
`)
	table := func(at int) func(Node, Edge) int {
		return func(from Node, e Edge) int {
			if s.Type(from) == Synthetic && from != s.Root() {
				return at
			}
			return 0
		}
	}
	tests := []struct {
		name string
		cost func(Node, Edge) int
		want map[ObjectID]string
	}{
		{"shortest", nil, map[ObjectID]string{
			9: "1 -1-> 3 -1-> 9", 15: "1 -1-> 3 -1-> 9 -first-> 15", 17: "1 -1-> 3 -2-> 13 -x-> 17", 11: "none"}},
		{"the table late", table(2), map[ObjectID]string{
			9: "1 -2-> 5 -x-> 7 -y-> 9", 15: "1 -2-> 5 -x-> 7 -y-> 9 -first-> 15", 17: "1 -1-> 3 -2-> 13 -x-> 17", 11: "none"}},
		{"never through the table", table(-1), map[ObjectID]string{
			9: "1 -2-> 5 -x-> 7 -y-> 9", 13: "none", 17: "none"}},
		{"a cost above 3 is 3", table(9), map[ObjectID]string{9: "1 -2-> 5 -x-> 7 -y-> 9", 17: "1 -1-> 3 -2-> 13 -x-> 17"}},
		{"the cheaper of two detours", func(from Node, e Edge) int {
			if s.ID(from) == 3 {
				return 2
			}
			if s.ID(from) == 7 {
				return 1
			}
			return 0
		}, map[ObjectID]string{9: "1 -2-> 5 -x-> 7 -y-> 9"}},
		{"and the other way round", func(from Node, e Edge) int {
			if s.ID(from) == 3 {
				return 1
			}
			if s.ID(from) == 7 {
				return 2
			}
			return 0
		}, map[ObjectID]string{9: "1 -1-> 3 -1-> 9"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			paths := s.Paths(test.cost)
			for id, want := range test.want {
				n := node(t, s, id)
				steps := paths.To(n)
				if got := way(s, steps); got != want {
					t.Errorf("To(@%d) = %s, want %s", id, got, want)
				}
				before, ok := paths.Before(n)
				if ok != (steps != nil) || ok && before != steps[len(steps)-1] {
					t.Errorf("Before(@%d) = %v, %v, want the last of %v", id, before, ok, steps)
				}
			}
			// Ways are found as they are asked for: which they are does not depend on
			// what was asked before.
			all := s.Paths(test.cost)
			all.reach(NoNode)
			for i := range s.NodeCount() {
				if got, want := way(s, s.Paths(test.cost).To(Node(i))), way(s, all.To(Node(i))); got != want {
					t.Errorf("To(@%d) = %s, after all others %s", s.ID(Node(i)), got, want)
				}
			}
			if steps := paths.To(s.Root()); len(steps) != 0 {
				t.Errorf("To(root) = %v", steps)
			}
			if _, ok := paths.Before(s.Root()); ok {
				t.Error("Before(root) is a step")
			}
		})
	}
}

func TestRetainers(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @3, element 2 -> @5
@3 object "a": property x -> @5, property y -> @5
@5 object "b": weak w -> @5
`)
	var got []string
	for from, e := range s.Retainers(node(t, s, 5)) {
		got = append(got, fmt.Sprintf("%d %s", s.ID(from), s.EdgeName(e)))
	}
	if want := "[1 2 3 x 3 y 5 w]"; fmt.Sprint(got) != want || s.RetainerCount(node(t, s, 5)) != 4 {
		t.Errorf("Retainers(@5) = %v, count %d, want %s", got, s.RetainerCount(node(t, s, 5)), want)
	}
	if s.RetainerCount(s.Root()) != 0 {
		t.Errorf("RetainerCount(root) = %d", s.RetainerCount(s.Root()))
	}
}

// Every reference knows whose it is, whatever stands between: nodes without
// references, and nodes with more than share an entry of the source column.
func TestSourceOfEdges(t *testing.T) {
	for _, most := range []int{1, 3, 200} {
		s := mustRead(t, shapeGraph(1000, func(i int, to func(int)) {
			if i%7 == 0 || i > 500 && i < 900 {
				return
			}
			for k := range i % (most + 1) {
				to(k)
			}
		}))
		s.computeRetainers()
		for i := range s.NodeCount() {
			for e := range s.Edges(Node(i)) {
				if got := s.from(e); got != Node(i) {
					t.Fatalf("from(%d) = %d, want %d", e, got, i)
				}
			}
		}
	}
}

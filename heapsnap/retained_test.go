package heapsnap

import "testing"

// slowRetainedBy is what the root does not reach any more without the set.
func slowRetainedBy(s *Snapshot, set []Node) (bytes uint64, count int) {
	for i, kept := range reachable(augmented(s), s.Root(), set) {
		if !kept {
			bytes += s.SelfSize(Node(i))
			count++
		}
	}
	return bytes, count
}

// compareRetainedBy takes sets of one to four nodes from the bytes.
func compareRetainedBy(t *testing.T, text string, data []byte) {
	t.Helper()
	s := graph(t, text)
	for at := 0; at+4 < len(data); at += 4 {
		var set []Node
		for _, b := range data[at : at+1+int(data[at+3])%4] {
			set = append(set, Node(int(b)%s.NodeCount()))
		}
		bytes, count := s.RetainedBy(set)
		wantBytes, wantCount := slowRetainedBy(s, set)
		if bytes != wantBytes || count != wantCount {
			t.Fatalf("RetainedBy(%v) = %d, %d, want %d, %d in\n%s", set, bytes, count, wantBytes, wantCount, text)
		}
	}
}

func TestRetainedByRandom(t *testing.T) {
	for seed := range uint64(300) {
		data := randomBytes(seed + 5000)
		compareRetainedBy(t, byteGraph(data), data)
	}
}

func TestRetainedBy(t *testing.T) {
	s := graph(t, `
@1 synthetic "": element 1 -> @3, element 2 -> @5, element 3 -> @13
@3 object "a" 1: property x -> @7, property y -> @9
@5 object "b" 2: property x -> @7
@7 object "shared" 4: property x -> @11
@9 object "c" 8
@11 object "below shared" 16
@13 object "d" 32
`)
	for _, test := range []struct {
		name  string
		ids   []ObjectID
		bytes uint64
		count int
	}{
		{"nothing", nil, 0, 0},
		{"one", []ObjectID{3}, 1 + 8, 2},
		{"what only both hold", []ObjectID{3, 5}, 1 + 2 + 4 + 8 + 16, 5},
		{"one inside the other", []ObjectID{3, 9}, 1 + 8, 2},
		{"twice the same", []ObjectID{7, 7}, 4 + 16, 2},
		{"the root", []ObjectID{1}, 63, 7},
		{"the root and more", []ObjectID{13, 1}, 63, 7},
	} {
		var set []Node
		for _, id := range test.ids {
			set = append(set, node(t, s, id))
		}
		if bytes, count := s.RetainedBy(set); bytes != test.bytes || count != test.count {
			t.Errorf("RetainedBy(%s) = %d, %d, want %d, %d", test.name, bytes, count, test.bytes, test.count)
		}
	}
}

package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// What DevTools gets wrong because it keeps the file in arrays of 32 bits and
// the strings in one: here we do not want its answers.

// limited is a heap of three nodes, with gaps for the second one's id and self
// size, the third one's, and where the second edge leads.
const limited = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],` +
	`"node_types":[["synthetic","object","string"],"string","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property"],"string_or_number","node"]},` +
	`"node_count":3,"edge_count":2},"nodes":[0,0,1,0,1, 1,1,%s,%s,1, 1,2,%s,%s,0],"edges":[0,1,5, 0,1,%s],"strings":["","\ud800","\udc00\ud801"]}`

// DevTools' Uint32Array holds sizes modulo 2^32: it shows 5 GiB as 1 GiB.
func TestSelfSizeAbove32Bits(t *testing.T) {
	const size = 5 << 30
	s := read(t, fmt.Sprintf(limited, "3", "5368709120", "5", "4294967295", "10"))
	if got := s.SelfSize(1); got != size {
		t.Errorf("SelfSize(1) = %d, want %d", got, uint64(size))
	}
	if got := s.RetainedSize(s.Root()); got != size+1<<32-1 {
		t.Errorf("RetainedSize(root) = %d, want %d", got, uint64(size+1<<32-1))
	}
	if got := s.TotalSize(); got != size+1<<32-1 {
		t.Errorf("TotalSize() = %d, want %d", got, uint64(size+1<<32-1))
	}
}

// For DevTools @4294967301 is @5, so that it counts neither as new.
func TestIDsAbove32Bits(t *testing.T) {
	s := read(t, fmt.Sprintf(limited, "4294967301", "16", "4294967295", "24", "10"))
	if n, ok := s.Find(1<<32 + 5); !ok || n != 1 {
		t.Errorf("Find(2^32+5) = %d, %v, want node 1", n, ok)
	}
	if n, ok := s.Find(5); ok {
		t.Errorf("Find(5) = %d, want none", n)
	}
	ids := s.Identities()
	if !ids.Has(1<<32+5) || !ids.Has(1<<32-1) || ids.Has(5) || ids.MaxID() != 1<<32+5 {
		t.Errorf("Identities(): has 2^32+5 %v, 2^32-1 %v, 5 %v, greatest %d, want true, true, false, 2^32+5",
			ids.Has(1<<32+5), ids.Has(1<<32-1), ids.Has(5), ids.MaxID())
	}
	earlier := read(t, fmt.Sprintf(limited, "5", "16", "4294967295", "24", "10"))
	deltas := earlier.Census().Compare(s)
	if len(deltas) != 1 || deltas[0].Added != 1 || deltas[0].Removed != 1 {
		t.Errorf("Compare = %v, want @5 removed and @4294967301 added", deltas)
	}
}

// DevTools would follow 2^32+10 to node 2.
func TestToNodeAbove32Bits(t *testing.T) {
	for _, to := range []string{"4294967306", "42949672970", "18446744073709551616", "11", "15"} {
		text := fmt.Sprintf(limited, "3", "16", "5", "24", to)
		_, err := heapsnap.Read(context.Background(), strings.NewReader(text), heapsnap.Options{})
		var syntax *heapsnap.SyntaxError
		if !errors.As(err, &syntax) || syntax.Section != "edges" || syntax.Offset != int64(strings.Index(text, "0,1,"+to)+4) {
			t.Errorf("Read with to_node %s: %v, want an error in edges, at that number", to, err)
		}
	}
}

// Go's encoding/json would make them all U+FFFD, and one class.
func TestLoneSurrogates(t *testing.T) {
	s := read(t, fmt.Sprintf(limited, "3", "16", "5", "24", "10"))
	if a, b := s.ClassName(1), s.ClassName(2); a != "\xed\xa0\x80" || b != "\xed\xb0\x80\xed\xa0\x81" {
		t.Errorf("ClassName(1), ClassName(2) = %q, %q, want the surrogates as they are", a, b)
	}
	if got := len(s.Aggregates()); got != 2 {
		t.Errorf("Aggregates() has %d classes, want 2", got)
	}
}

func TestRootLast(t *testing.T) {
	s := read(t, `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],
"node_types":[["synthetic","object"],"string","number","number","number"],
"edge_fields":["type","name_or_index","to_node"],"edge_types":[["element","property"],"string_or_number","node"]},
"node_count":3,"edge_count":2,"root_index":10},
"nodes":[1,1,3,16,0, 1,1,5,24,1, 0,0,1,0,1],"edges":[0,1,0, 0,1,5],"strings":["","A"]}`)
	expect(t, "Dominator", column(s, s.Dominator), []heapsnap.Node{1, 2, 2})
	expect(t, "RetainedSize", column(s, s.RetainedSize), []uint64{16, 40, 40})
	expect(t, "Distance", column(s, s.Distance), []int{2, 1, 100000000})
}

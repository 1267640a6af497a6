package leak

import (
	"fmt"
	"strings"
	"testing"
)

// Of a program with more places that grow than are explained, the largest are.
func TestTheLargestSitesAreExplained(t *testing.T) {
	const places = maxExplained + 30
	var b strings.Builder
	fmt.Fprintf(&b, `captures 4
@1 synthetic "": shortcut global -> @3, element 1 -> @5
@3 object "global": property app -> @7
@5 synthetic "(GC roots)"
@7 object "App": property place{j} -> @101+2*j j<%d
`, places)
	for i := range places {
		// Place i gains 3 objects of 100+i bytes a round.
		fmt.Fprintf(&b, "@%d object \"Place%d\": element j -> @%d+2*j j<9\n", 101+2*i, i, 10001+100*i)
		for k := range 9 {
			fmt.Fprintf(&b, "@%d +%d object \"Thing%d\" %d\n", 10001+100*i+2*k, 1+k/3, i, 100+i)
		}
	}
	findings := run(t, b.String(), nil)
	if len(findings) != maxExplained {
		t.Fatalf("%d findings, want %d", len(findings), maxExplained)
	}
	if got, want := findings[0].Holder.Name, fmt.Sprintf("Place%d", places-1); !strings.Contains(got, want) {
		t.Errorf("the first is %q, want %s", got, want)
	}
}

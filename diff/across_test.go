package diff

import (
	"context"
	"testing"
)

// Two processes: ids say nothing, the ways to objects do.
func TestAcross(t *testing.T) {
	const one = roots + `
@7 object "App": property list -> @13, property map -> @15
@13 object "Array": element j -> @1001+2*j j<50
@15 object "Map"
@1001+2*i i<50 closure "f" 64
`
	const other = roots + `
@7 object "App": property map -> @113, property list -> @115
@113 object "Map": internal table -> @117
@115 object "Array": element j -> @2001+2*j j<60
@117 array "": internal {5+3*j} -> @3001+2*j j<200
@2001+2*i i<60 closure "f" 64
@3001+2*i i<200 object "Session" 48
`
	for _, test := range []struct{ name, a, b, want string }{
		{"one that has more", one, other, "growth @113 [x]: 200, entries 200\n"},
		{"one that has less", other, one, ""},
		{"the same", other, other, ""},
	} {
		d, err := Across(context.Background(), snapshots(t, test.a)[0], snapshots(t, test.b)[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(d); got != test.want {
			t.Errorf("%s: Across = %q, want %q", test.name, got, test.want)
		}
	}
}

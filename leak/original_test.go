package leak

import (
	"strings"
	"testing"
)

// A script that was compiled, every line of it from 100 lines further down in a file that is not there: the map brings
// its text along.
func TestALocationIsWhereAPersonWroteIt(t *testing.T) {
	graph, sources := readCase(t, "cache")
	plain := only(t, graph, sources)
	original := strings.Repeat("// licence\\n", 100) + strings.Repeat("results.set(url, answer) // typed\\n", 20)
	comment := `//# sourceMappingURL=data:application/json,{"version":3,"sources":["../src/shop.ts"],"names":[],` +
		`"sourcesContent":["` + original + `"],"mappings":"AAoGA` + strings.Repeat(";AACA", 15) + `"}`
	sources["/app/shop.js"] += "\n" + comment
	mapped := only(t, graph, sources)
	l, was := mapped.Location, plain.Location
	if l.File != "/src/shop.ts" || l.Line != was.Line+100 || l.Column != 1 {
		t.Errorf("location = %s:%d:%d, want /src/shop.ts:%d:1", l.File, l.Line, l.Column, was.Line+100)
	}
	if l.Code != "results.set(url, answer) // typed" {
		t.Errorf("code = %q, want the original's", l.Code)
	}
	if want := "/app/shop.js:9:3"; l.Compiled != want {
		t.Errorf("compiled = %q, want %s", l.Compiled, want)
	}
	if mapped.Fingerprint != plain.Fingerprint {
		t.Errorf("fingerprint = %s, without the map %s", mapped.Fingerprint, plain.Fingerprint)
	}
}

// A bundle has packages and program in one file: the program's line comes first.
func TestTheProgramsLineOfABundleComesFirst(t *testing.T) {
	graph, sources := readCase(t, "cache")
	sources["/app/shop.js"] += "\n" + `//# sourceMappingURL=shop.js.map`
	// Lines 1 to 8 are the program's, the rest is a package's.
	sources["/app/shop.js.map"] = `{"version":3,"sources":["src/shop.ts","node_modules/kept/index.js"],"mappings":"AAAA` +
		strings.Repeat(";AACA", 7) + ";ACPA" + strings.Repeat(";AACA", 5) + `"}`
	f := only(t, graph, sources)
	all := append([]Location{*f.Location}, f.Locations...)
	for i, l := range all {
		if i > 0 && !strings.Contains(l.File, "node_modules") && strings.Contains(all[i-1].File, "node_modules") {
			t.Errorf("locations = %+v, want the program's before the package's", all)
		}
	}
	if !strings.Contains(all[len(all)-1].File, "node_modules/kept") {
		t.Errorf("locations = %+v, want the package's too", all)
	}
}

// Minified code has a program in one line: what a map leads to different lines is different places.
func TestLinesOfMinifiedCodeAreToldApart(t *testing.T) {
	// Columns 0, 10 and 20 of line 1 are lines 1, 2 and 2 of the source.
	p := passOf(map[string]string{"/app/min.js": strings.Repeat("x", 40) +
		"\n//# sourceMappingURL=data:application/json," + `{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA,UACA,UAAU"}`})
	at := func(column int) Location { return Location{File: "/app/min.js", Line: 1, Column: column} }
	if got := p.compact([]Location{at(1), at(11), at(21), at(1)}); len(got) != 2 || got[0].Column != 1 || got[1].Column != 11 {
		t.Errorf("compact = %+v, want columns 1 and 11", got)
	}
	plain := []Location{{File: "/app/a.js", Line: 1, Column: 1}, {File: "/app/a.js", Line: 1, Column: 9}, {File: "/app/a.js", Line: 2}}
	if got := p.compact(plain); len(got) != 2 {
		t.Errorf("compact = %+v, want two lines", got)
	}
}

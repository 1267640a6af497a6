package leak

import (
	"strings"
	"testing"
)

// One call that adds to two collections of a package is one leak, with two holders.
func TestOneCallIsOneLeak(t *testing.T) {
	graph, sources := readCase(t, "cache-package")
	graph = strings.Replace(graph, "context cache -> @15\n", "context cache -> @15, context order -> @31\n", 1) + `
@31 object "Array" 16: element j -> @1701+j/35*1000+2*(j%35) j<105
@1701+i/35*1000+2*(i%35) i<105 +1+i/35 object "Turn" 32
`
	const script = "/app/node_modules/@acme/memo/lib/index.js"
	sources[script] = strings.Replace(sources[script], "const key = JSON.stringify(args);", "const key = JSON.stringify(args); order.push(new Turn(key));", 1)
	f := only(t, graph, sources)
	if want := `/app/quotes.js:11:18 in handle`; !strings.HasPrefix(at(f.Location), want) {
		t.Errorf("Location = %s, want %s", at(f.Location), want)
	}
	if !strings.HasPrefix(f.Fix, "What grows is inside @acme/memo@2.3.1") {
		t.Errorf("Fix = %s, want what can be done about a package", f.Fix)
	}
	if len(f.Also) != 1 || f.Also[0].Name != `Array "order" in @acme/memo/lib/index.js` {
		t.Errorf("Also = %v, want the list", f.Also)
	}
	if told := strings.Join(f.Evidence, "\n"); !strings.Contains(told, `it goes hand in hand with this: Array "order" in @acme/memo/lib/index.js only grows`) {
		t.Errorf("Evidence = %s", told)
	}
	// It need not grow in step, as the tables of an index do not.
	other := strings.Replace(graph, "element j -> @1701+j/35*1000+2*(j%35) j<105", "element j -> @1701+2*j j<20, element 50+j -> @2701+2*j j<21, element 100+j -> @3701+2*j j<23", 1)
	only(t, other, sources)
	// What another call adds to is another leak.
	sources["/app/quotes.js"] += "\nconst { turns } = require('@acme/turns');\nfunction turn(x) {\n  turns.push(new Turn(x));\n}\n"
	apart := strings.Replace(graph, "context cache -> @15, context order -> @31\n", "context cache -> @15\n", 1)
	apart = strings.Replace(apart, "context quote -> @7\n", "context quote -> @7, context turns -> @31\n", 1)
	if found := run(t, apart, sources); len(found) != 2 {
		t.Errorf("%d findings, want two: the list is the program's own", len(found))
	}
}

// Of connections that a process makes to itself, one end is told.
func TestBothEndsAreOneLeak(t *testing.T) {
	graph, sources := readCase(t, "socket")
	const far = `
@41 object "Server" 64: property _events -> @45
@45 object "Object" 24: property connection -> @47
@47 closure "accept" 64 at 4:9:10: internal shared -> @17
@1601+i/{n}*1000+2*(i%{n}) i<{all} +1+i/{n} object "TCP" 72: internal javascript_to_native -> @91002+2*i, property "<symbol owner_symbol>" -> @1701+i/{n}*1000+2*(i%{n})
@1701+i/{n}*1000+2*(i%{n}) i<{all} +1+i/{n} object "Socket" 336: property "<symbol kHandle>" -> @1601+i/{n}*1000+2*(i%{n}), property server -> @41
@91002+2*i i<{all} +1+i/{n} native "Node / TCPSocketWrap" 424: internal native_to_javascript -> @1601+i/{n}*1000+2*(i%{n})
@43 synthetic "(Traced handles)": element j -> @1601+j/{n}*1000+2*(j%{n}) j<{all}
`
	series := func(n, all string) string {
		return strings.Replace(graph, "element 2 -> @9\n", "element 2 -> @9, element 3 -> @43\n", 1) + strings.NewReplacer("{n}", n, "{all}", all).Replace(far)
	}
	f := only(t, series("40", "120"), sources)
	if f.Title != "connections are opened and never closed" {
		t.Errorf("Title = %s, want what opens them", f.Title)
	}
	if told := strings.Join(f.Evidence, "\n"); !strings.Contains(told, "the other ends of them are in this process too") {
		t.Errorf("Evidence = %s", told)
	}
	if found := run(t, series("15", "45"), sources); len(found) != 2 {
		t.Errorf("%d findings, want two: 40 are opened and 15 accepted", len(found))
	}
}

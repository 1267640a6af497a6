package leak

import (
	"strings"
	"testing"
)

// Emitters of packages keep a record with the function, and are emitters all the same.
func TestListenersInRecords(t *testing.T) {
	graph, sources := readCase(t, "listener")
	graph = strings.Replace(graph, `closure "" 64 at 4:14:20: internal shared -> @27,
  internal context -> @1201+i/40*1000+2*(i%40)`, `object "EE" 24: property fn -> @1601+i/40*1000+2*(i%40)
@1601+i/40*1000+2*(i%40) i<120 +1+i/40 closure "" 64 at 4:14:20: internal shared -> @27,
  internal context -> @1201+i/40*1000+2*(i%40)`, 1)
	f := only(t, graph, sources)
	if want := `listeners for "price" on PriceFeed "feed" in quotes.js are added and never removed`; f.Rule != "listener" || f.Title != want {
		t.Errorf("%s: %s, want listener: %s", f.Rule, f.Title, want)
	}
	if want := "/app/quotes.js:14:8"; !strings.HasPrefix(at(f.Location), want) {
		t.Errorf("Location = %s, want %s", at(f.Location), want)
	}
}

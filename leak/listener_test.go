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

// A method that all listeners share says where it is written; where it is added for an event that only the running
// program knows, the call that passes it is the one to look at.
func TestSharedMethodForComputedEvent(t *testing.T) {
	graph, sources := readCase(t, "listener")
	graph = strings.Replace(graph, `closure "" 64 at 4:14:20: internal shared -> @27,
  internal context -> @1201+i/40*1000+2*(i%40)`, `object "EE" 24: property fn -> @31, property context -> @1401+i/40*1000+2*(i%40)
@31 closure "refresh" 64 at 4:19:10: internal shared -> @33, internal context -> @9
@33 code "refresh" 56: internal script -> @13`, 1)
	graph = strings.Replace(graph, "@1201+i/40*1000+2*(i%40) i<120", "@1201+i/40*1000+2*(i%40) i<0", 1)
	source := sources["/app/quotes.js"]
	source = strings.Replace(source, "feed.on('price', (price) => session.update(price));", "feed.on(req.pair, session.refresh, session);", 1)
	source += `class Session {
  refresh(price) {
    this.price = price;
  }
}
`
	sources["/app/quotes.js"] = source
	f := only(t, graph, sources)
	if f.Rule != "listener" {
		t.Errorf("Rule = %s, want listener", f.Rule)
	}
	if want := "/app/quotes.js:14:8"; !strings.HasPrefix(at(f.Location), want) {
		t.Errorf("Location = %s, want %s, where it is added", at(f.Location), want)
	}
}

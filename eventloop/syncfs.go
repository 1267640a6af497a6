package eventloop

import (
	"fmt"
	"math"
	"strings"
)

var syncFSCause = Cause{
	Name:  "sync-fs",
	Title: "Files are read or written synchronously",
	Why: "The Sync functions of node:fs wait for the disk on the event loop. One call on a warm cache is short; one per file, " +
		"per request, or on a network disk is not.",
	Sign: "The time is spent in functions of node:fs whose names end with Sync.",
	Fix: "Use the functions of node:fs/promises or streams. What does not change while the program runs can be read once, at " +
		"the start, and kept.",
	Before: `app.get('/', (req, res) => {
  res.end(fs.readFileSync('page.html'));
});`,
	After: `const page = await fs.promises.readFile('page.html');
app.get('/', (req, res) => res.end(page));`,
	Links: []string{"https://nodejs.org/en/learn/asynchronous-work/overview-of-blocking-vs-non-blocking"},
	ofSample: func(v *sample) *claim {
		i := v.within("node:fs", "node:internal/fs/")
		if i < 0 {
			return nil
		}
		// A method of fs that is not synchronous takes no time worth telling.
		at := v.caller(i)
		if at < 0 {
			return nil
		}
		sync := v.find(func(i int) bool { return strings.HasSuffix(v.name(i), "Sync") && internal(v.frame(i).URL) })
		if sync < 0 || sync > at {
			return nil
		}
		for i := sync; i < at; i++ { // as the program called it
			if strings.HasSuffix(v.name(i), "Sync") {
				sync = i
			}
		}
		return &claim{site: v.siteOf(at), detail: "fs." + v.name(sync)}
	},
}

// syncCalls says in a finding's evidence how many there were.
func (a *analysis) syncCalls() []string {
	var calls int
	for _, c := range a.main.thread.SyncFS {
		calls += c.Count
	}
	if calls == 0 {
		return nil
	}
	n := len(a.rec.Requests)
	if n == 0 {
		return []string{fmt.Sprintf("%d synchronous file operations in the recording", calls)}
	}
	return []string{fmt.Sprintf("%d synchronous file operations, %.0f for each request", calls, math.Round(float64(calls)/float64(n)))}
}

package eventloop

import "strings"

var moduleCause = Cause{
	Name:  "module",
	Title: "Modules are loaded while requests wait",
	Why: "require finds, reads and compiles files synchronously. A require inside a handler does so at the first request, and at " +
		"every one if the cache is emptied.",
	Sign: "The time is spent below require, in node:internal/modules.",
	Fix:  "Load modules at the start, before the server listens. To renew data, read a data file asynchronously instead of requiring it again.",
	Before: `app.get('/report', (req, res) => {
  const pdf = require('pdf-kit');
  pdf.render(res);
});`,
	After: `const pdf = require('pdf-kit');
app.get('/report', (req, res) => pdf.render(res));`,
	Links: []string{"https://nodejs.org/api/modules.html#caching"},
	ofSample: func(v *sample) *claim {
		// The outermost load is what the program asked for; modules may load others.
		outer := -1
		for i := range v.stack {
			if strings.HasPrefix(v.frame(i).URL, "node:internal/modules/") {
				outer = i
			}
		}
		if outer < 0 {
			return nil
		}
		at := v.caller(outer)
		if at < 0 {
			return nil // the main script itself: no request waits yet
		}
		return &claim{site: v.siteOf(at), detail: "require"}
	},
}

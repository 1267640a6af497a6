package eventloop

import "strings"

var consoleCause = Cause{
	Name:  "console",
	Title: "Output is formatted and written while everything waits",
	Why: "console.log formats its arguments like the inspector does, and writing to a terminal, a file, or on Linux a pipe is " +
		"synchronous: the loop goes on when the reader has taken the text.",
	Sign: "The time is spent in console's functions or in writes to stdout and stderr.",
	Fix: "Take out output that nobody reads, lower the log level, and log one line per request instead of one per item. A logger " +
		"with an asynchronous destination (pino with a worker transport) moves writing out of the loop.",
	Before: `for (const row of rows) console.log('row', row);`,
	After:  `log.debug({ rows: rows.length }, 'rows read');`,
	Links:  []string{"https://nodejs.org/api/process.html#a-note-on-process-io"},
	ofSample: func(v *sample) *claim {
		// consoleCall is V8's wrapper while an inspector is attached; below it is
		// lib/internal/console/constructor.js. A stdout that is a file is a
		// SyncWriteStream (lib/internal/fs/sync_write_stream.js).
		i := v.find(func(i int) bool {
			f := v.frame(i)
			return f.FunctionName == "consoleCall" && f.URL == "" || strings.HasPrefix(f.URL, "node:internal/console/") ||
				f.URL == "node:internal/fs/sync_write_stream"
		})
		if i < 0 {
			return nil
		}
		at := v.caller(i)
		if at < 0 {
			return nil
		}
		c := &claim{site: v.siteOf(at), detail: "console." + v.calledName(at)}
		if v.calledName(at) == "write" {
			c.detail = "process.stdout.write"
		}
		if src, _ := v.call(at); src != nil {
			return c
		}
		if src, _, call := v.inlined(at); src != nil {
			c.detail = "console." + src.At(call)
			return c
		}
		// Node 18's methods have no name on the stack.
		if src, call := v.consoleCall(at); src != nil {
			c.site.Line, c.site.Column = src.LineOf(call), src.Column(call)
			c.detail = "console." + src.At(call+2)
		}
		return c
	},
}

// consoleCall is the first call of a console's method in the source of frame i.
func (v *sample) consoleCall(i int) (*source, int) {
	src, f, ok := v.function(i)
	if !ok {
		return nil, 0
	}
	for k := f.Body; k < f.End && k < len(src.Tokens); k++ {
		if src.At(k) == "console" && src.At(k+1) == "." && src.At(k+3) == "(" {
			return src, k
		}
	}
	return nil, 0
}

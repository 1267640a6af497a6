package eventloop

var cpuCause = Cause{
	Name:  "cpu",
	Title: "JavaScript computes for too long at once",
	Why: "A loop over much data, sorting, rendering, parsing, hashing in JavaScript: nothing else runs on the thread until it " +
		"returns.",
	Sign: "The samples are in the program's own code or a package's, and the thread uses a whole core.",
	Fix: "Do less: a better algorithm, a result that is kept. What has to be computed belongs into a worker thread (piscina keeps " +
		"a pool of them), or is cut into pieces with setImmediate between them, so that requests get their turn.",
	Before: `const picture = blur(pixels);`,
	After:  `const picture = await pool.run(pixels, { name: 'blur' }); // piscina`,
	Links:  []string{"https://nodejs.org/en/learn/asynchronous-work/dont-block-the-event-loop"},
	ofSample: func(v *sample) *claim {
		if v.caller(0) < 0 {
			return nil
		}
		c := &claim{site: v.site(0)}
		if v.within("node:net", "node:_http_outgoing", "node:internal/stream_base_commons", "node:internal/streams/", "node:buffer", "node:zlib") >= 0 &&
			v.find(func(i int) bool {
				n := v.name(i)
				return internal(v.frame(i).URL) && (n == "end" || n == "write" || n == "write_" || n == "_send")
			}) >= 0 {
			c.detail = sending
		}
		src, tokens := v.running()
		for _, i := range tokens {
			if src.At(i) == "." && src.At(i+1) == "sort" && src.At(i+2) == "(" {
				c.detail = ".sort()"
			}
			if src.At(i) == "Atomics" && src.At(i+2) == "wait" {
				c.detail = "Atomics.wait"
			}
		}
		return c
	},
}

// sending is handing a body to Node: copying and encoding it.
const sending = "sending a body"

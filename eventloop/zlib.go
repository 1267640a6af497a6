package eventloop

var zlibCause = Cause{
	Name:  "zlib",
	Title: "Data is compressed or expanded synchronously",
	Why: "gzipSync, brotliCompressSync and their like work on the whole buffer at once, on the event loop. A megabyte takes tens " +
		"of milliseconds, brotli at its default quality seconds.",
	Sign: "The time is spent in zlib's writeSync.",
	Fix: "Pipe through zlib.createGzip(), or use zlib.gzip with a callback or promise: both work in the thread pool. What is " +
		"sent often can be compressed once and kept.",
	Before: `res.end(zlib.gzipSync(body));`,
	After:  `stream.pipeline(Readable.from(rows), zlib.createGzip(), res, done);`,
	Links:  []string{"https://nodejs.org/api/zlib.html#threadpool-usage-and-performance-considerations"},
	ofSample: func(v *sample) *claim {
		if v.find(func(i int) bool { return v.name(i) == "writeSync" || v.name(i) == "processChunkSync" }) < 0 {
			return nil // an asynchronous one only begins and ends here
		}
		return nodeCall(v, "zlib", "node:zlib")
	},
}

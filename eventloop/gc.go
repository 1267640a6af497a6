package eventloop

var gcCause = Cause{
	Name:  "gc",
	Title: "Garbage collection stops the loop",
	Why: "Objects that are made in great number and live just long enough are copied again and again; and the closer the heap is " +
		"to its limit, the more often all of it is walked.",
	Sign: "At least half of the time of the blocks is the garbage collector's.",
	Fix: "Make fewer objects at a time: work on pages or streams, reuse buffers, keep numbers in typed arrays. A larger young " +
		"generation (node --max-semi-space-size=64) helps against many short collections. If the heap grows without end, it is a " +
		"leak: heapsnap check finds it.",
	Before: `const events = rows.map((r) => ({ ...r, at: new Date(r.at) })); // 150,000 a request`,
	After:  `const events = rows.slice(from, from + 50).map((r) => ({ ...r, at: new Date(r.at) }));`,
	Links:  []string{"https://nodejs.org/en/learn/diagnostics/memory/using-gc-traces"},
}

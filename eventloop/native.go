package eventloop

var nativeCause = Cause{
	Name:  "native",
	Title: "Native code, or Node's own, keeps the loop",
	Why: "The thread was busy outside the program's JavaScript: in an addon, in Node's handling of very many connections, or in " +
		"the engine itself.",
	Sign: "The samples have no function of the program on their stack.",
	Fix: "Look at the stack for the module of Node that is at work, and at addons (.node files): whether they offer an " +
		"asynchronous form, or can be used in a worker thread.",
	Links: []string{"https://nodejs.org/en/learn/asynchronous-work/dont-block-the-event-loop"},
	ofSample: func(v *sample) *claim {
		if len(v.stack) == 0 {
			return &claim{site: Site{Function: programName}}
		}
		return &claim{site: v.siteOf(0)}
	},
}

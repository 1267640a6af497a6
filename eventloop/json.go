package eventloop

var jsonCause = Cause{
	Name:  "json",
	Title: "Large data is turned into JSON or back at once",
	Why: "JSON.parse and JSON.stringify do not stop half way. A few megabytes take tens of milliseconds, and " +
		"JSON.parse(JSON.stringify(x)) and structuredClone do it to copy.",
	Sign: "The samples are in a line that calls JSON.parse, JSON.stringify or structuredClone.",
	Fix: "Send and read less: pages, fields that are needed. Keep the text of what is sent often. For data that has to be large, " +
		"stream it (newline-delimited JSON, stream-json) or move it to a worker thread.",
	Before: `res.end(JSON.stringify(catalogue));`,
	After: `let text; // made anew when the catalogue changes
res.end(text ??= JSON.stringify(catalogue));`,
	Links: []string{"https://nodejs.org/en/learn/asynchronous-work/dont-block-the-event-loop#blocking-the-event-loop-json-dos"},
	ofSample: func(v *sample) *claim {
		// Builtins of V8 have no frame of their own (Node 18 to 26): the line tells.
		src, tokens := v.running()
		if src == nil {
			for _, name := range []string{"structuredClone", "serialize", "deserialize"} {
				if i := v.find(func(i int) bool { return v.name(i) == name && !v.user(i) }); i >= 0 && v.caller(i) > i {
					return &claim{site: v.site(i), detail: name}
				}
			}
			return nil
		}
		for _, i := range tokens {
			switch {
			case src.At(i) == "JSON" && src.At(i+1) == "." && src.At(i+3) == "(" && (src.At(i+2) == "parse" || src.At(i+2) == "stringify"):
				c := &claim{site: v.siteAt(src, i), detail: "JSON." + src.At(i+2)}
				if src.At(i+2) == "parse" && src.At(i+4) == "JSON" && src.At(i+6) == "stringify" {
					c.detail = deepCopy
				}
				return c
			case src.At(i) == "structuredClone" && src.At(i+1) == "(":
				return &claim{site: v.siteAt(src, i), detail: "structuredClone"}
			}
		}
		return nil
	},
}

const deepCopy = "JSON.parse(JSON.stringify())"

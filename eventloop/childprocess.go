package eventloop

var childProcessCause = Cause{
	Name:  "child-process",
	Title: "The loop waits for a child process",
	Why: "execSync, execFileSync and spawnSync start a command and wait for its end. They are made for scripts; in a server " +
		"every request, timer and connection waits with them.",
	Sign: "The time is spent in spawnSync, and the thread uses hardly any CPU meanwhile.",
	Fix: "Use execFile or spawn with a callback or promise. If the answer does not change, start the command once and keep " +
		"what it said.",
	Before: `app.get('/version', (req, res) => {
  res.end(execSync('git rev-parse HEAD'));
});`,
	After: `const run = promisify(execFile);
app.get('/version', async (req, res) => {
  const { stdout } = await run('git', ['rev-parse', 'HEAD']);
  res.end(stdout);
});`,
	Links: []string{"https://nodejs.org/api/child_process.html#synchronous-process-creation"},
	ofSample: func(v *sample) *claim {
		// lib/child_process.js over lib/internal/child_process.js (Node 18 to 26).
		i := v.within("node:child_process", "node:internal/child_process")
		if i < 0 || v.find(func(i int) bool { return v.name(i) == "spawnSync" }) < 0 {
			return nil
		}
		at := v.caller(i)
		if at < 0 {
			return nil
		}
		return &claim{site: v.siteOf(at), detail: "child_process." + v.calledName(v.nearest(i))}
	},
}

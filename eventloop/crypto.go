package eventloop

var cryptoCause = Cause{
	Name:  "crypto",
	Title: "Cryptography runs on the event loop",
	Why: "pbkdf2Sync, scryptSync, generateKeyPairSync and hashing of large buffers are slow by design, and the Sync functions do " +
		"it on the thread that serves everybody.",
	Sign: "The time is spent in natives of node:crypto.",
	Fix: "Use the form with a callback or promise, which runs in libuv's thread pool. Many of them at a time fill the pool: limit " +
		"them, or give them worker threads.",
	Before: `const key = crypto.pbkdf2Sync(password, salt, 250_000, 64, 'sha512');`,
	After: `const pbkdf2 = util.promisify(crypto.pbkdf2);
const key = await pbkdf2(password, salt, 250_000, 64, 'sha512');`,
	Links: []string{"https://nodejs.org/api/crypto.html#cryptopbkdf2password-salt-iterations-keylen-digest-callback"},
	ofSample: func(v *sample) *claim {
		return nodeCall(v, "crypto", "node:crypto", "node:internal/crypto/")
	},
}

// nodeCall claims the time that the program spends in a module of Node's.
func nodeCall(v *sample, module string, urls ...string) *claim {
	i := v.within(urls...)
	if i < 0 {
		return nil
	}
	at := v.caller(i)
	if at < 0 {
		return nil
	}
	return &claim{site: v.siteOf(at), detail: module + "." + v.calledName(v.nearest(i))}
}

package eventloop

// Fix says what to do about a freeze of this cause, "" for none.
func (c FreezeCause) Fix() string { return freezeFixes[c] }

var freezeFixes = map[FreezeCause]string{
	FreezeJavaScript: "If the loop does not end, look at the condition that should end it and at what this call was given. If it is only long, " +
		"do less, move it to a worker thread, or cut it into pieces with setImmediate between them.",
	FreezeRegExp: "The pattern can match the same text in very many ways, such as (a+)+ or (a|a)*, and V8 tries them all. Rewrite it so that a text " +
		"fits in one way only, and check the text's length before; until then keep the text that came from outside away from it.",
	FreezeAtomics: "The thread sleeps until another one calls Atomics.notify on the same element. Give Atomics.wait a timeout, wait with " +
		"Atomics.waitAsync (Node 18 and later), and look why the other thread does not notify.",
	FreezeMicrotask: "Promises that are resolved already run before the event loop turns, and so does what they call. Let it turn every few hundred " +
		"steps with `await new Promise(setImmediate)`, and look at what should end the chain.",
	FreezeNextTick: "Callbacks of process.nextTick run before the event loop turns, also those that they queue themselves. Use setImmediate for the " +
		"next step.",
	FreezeSyncFS: "Use the function of node:fs/promises, or a stream: a disk, pipe or mount that does not answer then holds a thread of the pool " +
		"and not the event loop.",
	FreezeOutput: "Whoever should read the output does not (a full pipe, a stopped terminal or log collector). Read it, or send output to a " +
		"file; write less, and by a logger that has a thread of its own.",
	FreezeChildProcess: "execSync, execFileSync and spawnSync wait for the end of the command. Use execFile or spawn with a callback, give the command " +
		"a timeout, and look why it does not end.",
	FreezeCrypto: "Use the form with a callback or promise: it runs in the thread pool.",
	FreezeZlib:   "Use the form with a callback, or a stream: both run in the thread pool.",
	FreezeJSON:   "Handle less at once: pages, newline-delimited JSON, a streaming parser; or do it in a worker thread.",
	FreezeModule: "Load modules when the program starts, not in a request.",
	FreezeNative: "Native code cannot be interrupted: crypto, zlib, JSON, sorting, a database driver or an addon. Look for its asynchronous form, " +
		"or call it in a worker thread. `heapsnap loop` names the line if it comes back now and then.",
	FreezePaused:  "Let it go on in the debugger that is attached, or close that one.",
	FreezeStopped: "kill -CONT lets a stopped process go on; one that is traced is held by a debugger such as gdb.",
}

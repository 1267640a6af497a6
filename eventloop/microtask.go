package eventloop

var microtaskCause = Cause{
	Name:  "microtask",
	Title: "Promises that are already resolved keep the loop from turning",
	Why: "What a promise calls runs before the loop turns, and so does what that calls in turn. A chain of then, or queueMicrotask " +
		"that queues itself, never lets timers or sockets have a turn, however small each step is.",
	Sign: "One iteration of the loop consists of very many short calls by the microtask queue.",
	Fix: "Let the loop turn every few hundred steps: await new Promise(setImmediate), or timers/promises' scheduler.yield(). " +
		"promise.then and queueMicrotask do not.",
	Before: `const next = () => queue.length && send(queue.shift()).then(next);`,
	After: `for (let i = 0; queue.length; i++) {
  await send(queue.shift());
  if (i % 200 === 0) await new Promise(setImmediate);
}`,
	Links: []string{"https://nodejs.org/en/learn/asynchronous-work/event-loop-timers-and-nexttick"},
}

var nextTickCause = Cause{
	Name:  "next-tick",
	Title: "process.nextTick keeps the loop from turning",
	Why: "Callbacks of process.nextTick run before the loop goes on, those that they queue themselves too. Recursion by nextTick " +
		"looks asynchronous, and blocks like a loop.",
	Sign: "One iteration of the loop consists of very many calls by processTicksAndRejections.",
	Fix:  "Use setImmediate for the next step: it lets timers and sockets have their turn.",
	Before: `function each(i) {
  work(i);
  process.nextTick(each, i + 1);
}`,
	After: `function each(i) {
  work(i);
  if (i % 200 === 0) setImmediate(each, i + 1); else each(i + 1);
}`,
	Links: []string{"https://nodejs.org/en/learn/asynchronous-work/event-loop-timers-and-nexttick#processnexttick-vs-setimmediate"},
}

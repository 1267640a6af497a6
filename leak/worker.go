package leak

import (
	"slices"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var workerRule = Rule{
	Name:  "worker",
	Title: "Worker threads or message ports are started and never closed",
	Cause: "A Worker is started for a job and runs on when the job is done, because it listens for messages; or a " +
		"MessageChannel or BroadcastChannel is made for one exchange and stays open. A worker costs megabytes outside the " +
		"heap of the thread that started it.",
	Sign: "Survivors have open Worker or MessagePort handles of every round, which only V8's global handles hold.",
	Fix: "terminate() the worker, or let its code close parentPort, when the job is done; better, keep a pool of a fixed " +
		"size. close() one side of a channel when the last message has come; close() a BroadcastChannel with its owner.",
	Before: `function render(page) {
  const worker = new Worker('./render.js');            // waits for messages for ever
  worker.postMessage(page);
  return once(worker, 'message');
}`,
	After: `async function render(page) {
  const worker = new Worker('./render.js');
  try {
    worker.postMessage(page);
    return await once(worker, 'message');
  } finally {
    await worker.terminate();
  }
}`,
	Links: []string{
		"https://nodejs.org/api/worker_threads.html#workerterminate",
		"https://nodejs.org/api/worker_threads.html#portclose",
	},
	explain: explainWorker,
}

func explainWorker(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	f, handles := p.leadingFamily(g, holder)
	if f == nil || f.rule != "worker" {
		return nil
	}
	c := p.handleClaim(holder, f, handles)
	p.madeBy(c, ownersOf(handles), f.api, "starts it")
	if f.one == "worker thread" {
		c.title = "worker threads are started and never ended"
		c.evidence = append(c.evidence, "each runs with a heap and a thread of its own, some megabytes that this heap does not show")
		c.fix = "Call terminate() on the Worker when its job is done, or parentPort.close() in its code; or keep a pool of a fixed number."
		return c
	}
	c.fix = "Close the port when the last message has come: close() on either end of a MessageChannel frees both; a BroadcastChannel is closed with its owner."
	if p.haveClass(handles, "BroadcastChannel") {
		c.title = "broadcast channels are opened and never closed"
	}
	return c
}

// haveClass reports whether the handles are in objects of a class.
func (p *Pass) haveClass(handles []handle, class string) bool {
	return slices.ContainsFunc(handles, func(h handle) bool { return p.class(h.owner) == class })
}

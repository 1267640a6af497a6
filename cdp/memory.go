package cdp

import (
	"context"
	"fmt"
)

// Memory is what the target says of its own memory, in bytes. In a worker the
// heap figures are the worker's, RSS is the whole process's.
type Memory struct {
	RSS          uint64 `json:"rss"`
	HeapTotal    uint64 `json:"heapTotal"`
	HeapUsed     uint64 `json:"heapUsed"`
	External     uint64 `json:"external"`
	ArrayBuffers uint64 `json:"arrayBuffers"`
	HeapLimit    uint64 `json:"heapLimit"` // where V8 gives up
	Malloced     uint64 `json:"malloced"`  // V8's own, outside the heap
	// LargeObjects is the part of HeapUsed in objects that have pages of their own:
	// few objects of 100 kB and more.
	LargeObjects uint64 `json:"largeObjects,omitempty"`
	// Constrained is the limit the process knows of from its cgroup, 0 if none.
	Constrained      uint64 `json:"constrained,omitempty"`
	NativeContexts   int    `json:"nativeContexts"`
	DetachedContexts int    `json:"detachedContexts"` // more than 0: a vm context was dropped but is held

	PID         int    `json:"pid"` // as the target sees it, in its own namespace
	NodeVersion string `json:"nodeVersion"`
	V8Version   string `json:"v8Version"`
	Script      string `json:"script,omitempty"` // process.argv[1]
}

var memoryExpression = Builtins(`
	const p = m('process'), u = p.memoryUsage(), h = m('v8').getHeapStatistics();
	const limit = typeof p.constrainedMemory === 'function' ? p.constrainedMemory() : 0;
	let large = 0;
	for (const space of m('v8').getHeapSpaceStatistics()) {
		if (space.space_name.includes('large_object')) large += space.space_used_size;
	}
	return {
		largeObjects: large,
		rss: u.rss, heapTotal: u.heapTotal, heapUsed: u.heapUsed, external: u.external, arrayBuffers: u.arrayBuffers,
		heapLimit: h.heap_size_limit, malloced: h.malloced_memory,
		constrained: limit > 0 && limit <= Number.MAX_SAFE_INTEGER ? limit : 0,
		nativeContexts: h.number_of_native_contexts, detachedContexts: h.number_of_detached_contexts,
		pid: p.pid, nodeVersion: p.version, v8Version: p.versions.v8, script: p.argv[1] || '',
	};`)

// Memory reads the figures now, without a garbage collection; see [Session.Settle].
func (s *Session) Memory(ctx context.Context) (Memory, error) {
	var m Memory
	if err := s.Evaluate(ctx, memoryExpression, &m); err != nil {
		return Memory{}, fmt.Errorf("memory of %s: %w", s.target, err)
	}
	return m, nil
}

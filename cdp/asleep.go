package cdp

import (
	"context"
	"encoding/json"
	"fmt"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
)

// A worker thread may sleep in Atomics.wait whenever it has no work, as those of
// pools do. Commands that V8 carries out as tasks then wait for ever, collectGarbage
// and (from Node 22 on) takeHeapSnapshot among them, as its event loop does not
// turn. Expressions and what belongs to them are carried out in its sleep.

const asleepGroup = "heapsnap asleep"

// CollectedHeap collects garbage, and returns the bytes in use by the heap and
// its array buffers. It works in a thread that sleeps, and unlike
// [Session.Settle] lets no event loop turn.
func (s *Session) CollectedHeap(ctx context.Context) (uint64, error) {
	used, err := s.collectedHeap(ctx)
	if err != nil {
		return 0, fmt.Errorf("heap of %s: %w", s.target, err)
	}
	return used, nil
}

func (s *Session) collectedHeap(ctx context.Context) (uint64, error) {
	// V8 collects all garbage before it looks for objects (HeapProfiler::QueryObjects,
	// Node 18 to 26). Those of a class that is made for it are none.
	class, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{Expression: "(class {}).prototype", ObjectGroup: asleepGroup})
	if err != nil {
		return 0, err
	}
	defer s.post(runtime.ReleaseObjectGroup.Method, runtime.ReleaseObjectGroupParams{ObjectGroup: asleepGroup})
	if class.Result == nil || class.Result.ObjectID == "" {
		return 0, fmt.Errorf("a class has no prototype")
	}
	for range 2 { // for what weak references let go of
		if _, err := proto.Call(ctx, s, runtime.QueryObjects, runtime.QueryObjectsParams{PrototypeObjectID: class.Result.ObjectID, ObjectGroup: asleepGroup}); err != nil {
			return 0, err
		}
	}
	usage, err := proto.Call(ctx, s, runtime.GetHeapUsage, proto.Empty{})
	if err != nil {
		return 0, err
	}
	return uint64(usage.UsedSize) + uint64(usage.BackingStorageSize), nil
}

// WriteSnapshot lets the target itself write a snapshot to a file, as the
// options' zero value of [CaptureOptions] would be. It works in a thread that
// sleeps; the file is on the target's machine.
func (s *Session) WriteSnapshot(ctx context.Context, path string) error {
	name, err := json.Marshal(path)
	if err != nil {
		return err
	}
	yes := true
	r, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{ // no timeout: a heap takes its time
		Expression:            Builtins(fmt.Sprintf("return m('v8').writeHeapSnapshot(%s);", name)),
		IncludeCommandLineAPI: &yes,
		ReturnByValue:         &yes,
		Silent:                &yes,
	})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	var written string
	return decodeValue("snapshot", r.Result, r.ExceptionDetails, &written)
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// dying is a program whose heap grows until V8 gives up.
const dying = `
class Session { constructor(n) { this.n = n; this.tags = ['a', 'b', 'c']; this.more = { a: n, b: n }; } }
const sessions = new Map();
globalThis.sessions = sessions;
let n = 0;
(function grow() {
	for (let i = 0; i < 2000; i++) sessions.set(++n, new Session(n));
	setImmediate(grow);
})();
`

// A process that V8 gave up on, with what Node.js leaves: a log, a report, a
// snapshot near the limit, and beside it one that is cut short. With 26 MiB the
// Map mostly dies growing, when V8 holds its table, too.
func TestOOMOfAHeapLimit(t *testing.T) {
	all := nodes.All(t)
	node := all[len(all)-1]
	dir := t.TempDir()
	script := writeScript(t, "dying.js", dying)
	cmd := exec.Command(node.Path, "--max-old-space-size=26", "--report-on-fatalerror", "--heapsnapshot-near-heap-limit=1", script)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	_ = cmd.Run()
	if err := os.WriteFile(filepath.Join(dir, "app.log"), log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Heap.99991231.000000.1.0.001.heapsnapshot"), []byte(`{"snapshot":{"meta":{`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := heapsnapIn(t, dir, nil, "oom", "--format", "json", "--exit", "134", ".")
	var o report.OOM
	if err := json.Unmarshal([]byte(r.out), &o); err != nil || r.code != exitFindings {
		t.Fatalf("exit %d: %v\n%s%s\n%s", r.code, err, r.out, r.errors, log.Bytes())
	}
	if o.Death != "v8-heap-limit" || o.Cause != "js-heap" || o.Target.NodeVersion == "" || len(o.Heaps) != 1 || o.Heaps[0].OldLimit != 26<<20 {
		t.Errorf("%s, %s: %s\n%s", o.Death, o.Cause, o.Sentence, r.out)
	}
	if len(o.Suspects) == 0 || !strings.Contains(o.Suspects[0].Title+o.Suspects[0].Holder, "sessions") {
		t.Errorf("suspects: %+v", o.Suspects)
	}
	short := false
	for _, c := range o.Collect {
		short = short || strings.Contains(c, "is cut short")
	}
	if !short {
		t.Errorf("no word on the snapshot that is cut short: %q", o.Collect)
	}
}

func TestOOMSaysWhatItCannotTell(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.log"), []byte("listening\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := heapsnapIn(t, dir, nil, "oom", "app.log"); r.code != exitInconclusive || !strings.Contains(r.out, "UNKNOWN") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.errors)
	}
	if r := heapsnapIn(t, dir, nil, "oom", "none"); r.code != exitUsage {
		t.Errorf("a folder that is not there: exit %d, %s", r.code, r.errors)
	}
	if r := heapsnapIn(t, dir, nil, "oom", "--exit", "999", "app.log"); r.code != exitUsage {
		t.Errorf("--exit 999: exit %d, %s", r.code, r.errors)
	}
}

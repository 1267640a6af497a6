package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// script writes a program and returns its path and a Node.js to run it.
func script(t *testing.T, source string) (node, path string) {
	t.Helper()
	all := nodes.All(t)
	return all[len(all)-1].Path, writeScript(t, "app.js", source)
}

// A leak of a kind that is in no rule: a ring of WeakRef's opposite, made up
// here. Each order is chained to the one before by a private field of a symbol.
const madeUp = `
const BEFORE = Symbol('before');
class Ledger {
  post(order) {
    order[BEFORE] = this.top;
    this.top = order;
  }
}
class Order { constructor(n) { this.lines = [{ sku: 'a' + n }, { sku: 'b' + n }]; this.note = 'order ' + n; } }
const ledger = new Ledger();
let n = 0;
globalThis.work = async () => { for (let i = 0; i < 80; i++) ledger.post(new Order(++n)); };
setInterval(() => {}, 1e6);
`

// Rounds of differing work that keep all they make are a leak. Where part of it
// is let go, more rounds are run, and the limit ends that: with its own exit
// code, and told.
func TestCheckGoesOnWhileUndecided(t *testing.T) {
	const program = `
class Row { constructor() { this.x = { y: 1 }; } }
const kept = [];
let n = 0, last = 0;
globalThis.work = () => {
  kept.length -= Math.floor(LET_GO * last); // of what the round before made
  last = n++ % 3 ? 1500 : 200;
  for (let i = 0; i < last; i++) kept.push(new Row());
};
setInterval(() => {}, 1e6);
`
	for _, test := range []struct {
		letGo          string
		code, captures int
		told           string
	}{
		{"0", exitFindings, 5, "only grows"},
		{"0.4", exitInconclusive, 7, "6 rounds are the limit that --max-rounds set"}, // 1500 200 1500 1500 200 1500
	} {
		node, path := script(t, strings.Replace(program, "LET_GO", test.letGo, 1))
		r := heapsnapIn(t, t.TempDir(), nil, "check", "--load-fn", "work", "--repeat", "1", "--warmup", "2", "--max-warmup", "2", "--rounds", "4", "--max-rounds", "6", "--format", "json", "--", node, path)
		var got report.Report
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatalf("%v: %q", err, r.errors)
		}
		if r.code != test.code || len(got.Captures) != test.captures || !strings.Contains(got.Sentence, test.told) {
			t.Errorf("%s let go: code %d, %d captures, %q, want %d, %d, %q", test.letGo, r.code, len(got.Captures), got.Sentence, test.code, test.captures, test.told)
		}
	}
}

func TestCheckReportsALeakThatNoRuleKnows(t *testing.T) {
	node, path := script(t, madeUp)
	r := heapsnapIn(t, t.TempDir(), nil, "check", "--load-fn", "work", "--repeat", "1", "--rounds", "3", "--format", "json", "--", node, path)
	if r.code != 1 {
		t.Fatalf("code %d, stderr %q", r.code, r.errors)
	}
	var got report.Report
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	f := got.Findings[0]
	if f.Rule != "growth" || !strings.Contains(f.Holder.Name, "Ledger") || len(f.Path) < 2 {
		t.Errorf("rule %s, holder %q, path %v", f.Rule, f.Holder.Name, f.Path)
	}
	line := 1 + strings.Count(madeUp[:strings.Index(madeUp, "this.top = order")], "\n")
	if f.Location == nil || f.Location.File != path || f.Location.Line != line {
		t.Errorf("location %+v, want line %d", f.Location, line)
	}
	if len(f.Survivors.Entries) != 3 || f.Survivors.Entries[1] != 80 {
		t.Errorf("entries per round %v, want 80 each", f.Survivors.Entries)
	}
}

// noneRuns fails the test if a process still runs the script.
func noneRuns(t *testing.T, path string) {
	t.Helper()
	all, err := cdp.Local(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if strings.Contains(p.Script, path) {
			t.Errorf("process %d still runs %s", p.PID, path)
		}
	}
}

func TestCheckFaults(t *testing.T) {
	idle := "setInterval(() => {}, 1e6); globalThis.work = async () => {}"
	for _, c := range []struct {
		name   string
		source string
		args   []string
		code   int
		says   string
	}{
		{"the load fails", idle, []string{"--load", "echo no server >&2; exit 7", "--rounds", "2"}, 3, "no server"},
		{"the load hangs", idle, []string{"--load", "sleep 600", "--load-timeout", "500ms", "--rounds", "2"}, 3, "round 1"},
		{"no such function", idle, []string{"--load-fn", "nowhere", "--rounds", "2", "--timeout", "6s"}, 124, "nowhere"},
		{"the program ends", "globalThis.work = () => {}", []string{"--load-fn", "work", "--rounds", "2"}, 3, "exit code 0"},
		{"the program crashes under load", "setInterval(() => {}, 1e6); globalThis.work = async () => { process.exit(9) }",
			[]string{"--load-fn", "work", "--rounds", "2"}, 3, "9"},
		{"the program does not start", "syntax error", []string{"--every", "1ms", "--rounds", "2"}, 3, "app.js"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			node, path := script(t, c.source)
			dir := t.TempDir()
			r := heapsnapIn(t, dir, nil, append(append([]string{"check", "--dir", "snaps"}, c.args...), "--", node, path)...)
			if r.code != c.code || !strings.Contains(r.errors, c.says) || r.out != "" {
				t.Errorf("code %d, want %d; stderr %q, want %q in it; stdout %q", r.code, c.code, r.errors, c.says, r.out)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "snaps", "*.partial")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			noneRuns(t, path)
		})
	}
	for _, args := range [][]string{
		{"check", "--", "node", "x.js"},
		{"check", "--load", "true", "--every", "1s", "--", "node", "x.js"},
		{"check", "--every", "1s", "--rounds", "0", "--", "node", "x.js"},
		{"check", "--every", "1s", "app.js", "--", "node", "x.js"},
	} {
		if r := heapsnapIn(t, t.TempDir(), nil, args...); r.code != 2 || strings.Count(r.errors, "\n") != 1 {
			t.Errorf("%v: code %d, stderr %q", args, r.code, r.errors)
		}
	}
}

// An interrupt leaves nothing of a program that was started, and an attached
// one as it was.
func TestCheckInterrupted(t *testing.T) {
	node, path := script(t, "setInterval(() => {}, 1e6); globalThis.work = () => { require('fs').writeFileSync(__filename + '.up', ''); return new Promise(() => {}); }")
	cmd := exec.Command(binary, "check", "--load-fn", "work", "--", node, path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path + ".up"); err == nil {
			break
		}
		if time.Now().After(until) {
			_ = cmd.Process.Kill()
			t.Fatal("the program was not asked to work within 30 s")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("code %d, want 130", code)
	}
	noneRuns(t, path)
}

func TestDemo(t *testing.T) {
	all := nodes.All(t)
	dir := t.TempDir()
	r := heapsnapIn(t, dir, nil, "demo", "cache", "--node", all[len(all)-1].Path)
	if r.code != 0 || !strings.Contains(r.out, "cache/leak.js:35") || !strings.Contains(r.out, "results.set(url, result);") || strings.Contains(r.out, "//@") {
		t.Errorf("code %d, stderr %q, stdout\n%s", r.code, r.errors, r.out)
	}
	for _, name := range []string{"growth.svg", "growth.png"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestDemoWithoutNode(t *testing.T) {
	r := heapsnapIn(t, t.TempDir(), nil, "demo", "--node", "node-that-is-nowhere")
	if r.code != 0 || !strings.Contains(r.out, "listener/leak.js:43") || !strings.Contains(r.errors, "nodejs.org") {
		t.Errorf("code %d, stderr %q, stdout\n%s", r.code, r.errors, r.out)
	}
	if r := heapsnapIn(t, t.TempDir(), nil, "demo", "timer", "--node", "node-that-is-nowhere"); r.code != 2 {
		t.Errorf("timer: code %d, stderr %q", r.code, r.errors)
	}
}

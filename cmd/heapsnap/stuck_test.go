package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// frozen is a program that freezes in a way that its argument says, until a
// file appears: a worker thread looks for it, for the main thread cannot.
const frozen = `
const fs = require('fs');
const { Worker, isMainThread, workerData } = require('worker_threads');
const [, , kind, folder] = process.argv;
const release = folder + '/release';
if (!isMainThread) {
	setInterval(() => {
		if (!fs.existsSync(release)) return;
		Atomics.store(workerData, 0, 1);
		Atomics.notify(workerData, 0);
	}, 20);
	return;
}
const flag = new Int32Array(new SharedArrayBuffer(4));
// The profile of a loop of promises may name a function that V8 has inlined into it: there it is written out.
const held = () => Atomics.load(flag, 0) === 0;
const kinds = {
	loop() {
		let n = 0;
		while (held()) n++; //@ loop
		return n;
	},
	regexp() {
		while (held()) /^(\w+\s?)*$/.test('a word and another one!'.repeat(1)); //@ regexp
	},
	fifo() {
		fs.readFileSync(folder + '/fifo', 'utf8'); //@ fifo
	},
	child() {
		const poll = "setInterval(() => require('fs').existsSync(process.argv[1]) && process.exit(), 20)";
		require('child_process').execFileSync(process.execPath, ['-e', poll, release], { env: { ...process.env, NODE_OPTIONS: '' } }); //@ child
	},
	atomics() {
		Atomics.wait(flag, 0, 0); //@ atomics
	},
	native() {
		while (held()) require('crypto').pbkdf2Sync('a', 'b', 8e6, 64, 'sha512'); //@ native
	},
	async promises() {
		while (Atomics.load(flag, 0) === 0) await null; //@ promises
	},
	ticks() {
		const again = () => {
			if (held()) process.nextTick(again); //@ ticks
		};
		again();
	},
	nothing() {},
};
setTimeout(async function freeze() {
	new Worker(__filename, { argv: process.argv.slice(2), workerData: flag }).unref();
	await new Promise((resolve) => setTimeout(resolve, 200));
	setTimeout(() => console.log('free'), 0);
	fs.writeSync(1, 'frozen\n');
	await kinds[kind]();
}, 50);
setInterval(() => {}, 1000);
`

// freezes says what stuck has to find of each kind.
var freezes = []struct {
	kind     string
	cause    []string // any of them
	function string   // "" if the thread cannot say
	syscall  string
}{
	{"loop", []string{"cpu"}, "loop", ""},
	{"regexp", []string{"regexp"}, "regexp", ""},
	{"fifo", []string{"sync-fs"}, "", "openat"},
	{"child", []string{"child-process"}, "", ""},
	{"atomics", []string{"atomics-wait"}, "atomics", ""},
	// It comes back now and then, and may say so.
	{"native", []string{"native", "crypto"}, "", ""},
	{"promises", []string{"microtask"}, "promises", ""},
	{"ticks", []string{"next-tick"}, "again", ""},
}

// A frozenProgram runs and is frozen.
type frozenProgram struct {
	pid    int
	folder string
	path   string
	out    func() string
}

// freeze starts the program and waits until it says that it is frozen.
func freeze(t *testing.T, node nodes.Node, kind string, flags ...string) *frozenProgram {
	t.Helper()
	dir := t.TempDir()
	p := &frozenProgram{folder: dir, path: filepath.Join(dir, "frozen.js")}
	if err := os.WriteFile(p.path, []byte(frozen), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node.Path, append(flags, p.path, kind, dir)...)
	p.out = transcript(t, cmd)
	start(t, cmd)
	t.Cleanup(func() { p.release(t) }) // before the program is killed: its child process ends by itself
	p.pid = cmd.Process.Pid
	waitFor(t, func() bool { return strings.Contains(p.out(), "frozen\n") })
	time.Sleep(50 * time.Millisecond) // it says so just before
	return p
}

// release ends the freeze.
func (p *frozenProgram) release(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, "release"), nil, 0o644); err != nil {
		t.Error(err)
	}
	if f, err := os.OpenFile(filepath.Join(p.folder, "fifo"), os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		f.Close() // whoever reads it has read all
	}
}

// lineOfMark is the line that carries //@ and the kind, counted from 1.
func lineOfMark(kind string) int {
	for i, line := range strings.Split(frozen, "\n") {
		if strings.HasSuffix(line, "//@ "+kind) {
			return i + 1
		}
	}
	return 0
}

// stuck runs `heapsnap stuck` and reads its JSON.
func stuck(t *testing.T, pid int) (report.Stuck, result, time.Duration) {
	t.Helper()
	begin := time.Now()
	r := heapsnapIn(t, t.TempDir(), nil, "stuck", "--pid", strconv.Itoa(pid), "--format", "json")
	took := time.Since(begin)
	var s report.Stuck
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		t.Logf("exit %d, %v\n%s%s", r.code, err, r.out, r.errors) // the exit code tells
	}
	return s, r, took
}

// The machine that runs this has other work to do: an answer takes less than
// three seconds on an idle one, and an overloaded one may need to be asked twice.
const (
	slowestAnswer = 10 * time.Second
	stuckAttempts = 3
)

// Each line has a third of the kinds, in turn; HEAPSNAP_ALL runs all of them on all lines.
func TestStuckSaysWhere(t *testing.T) {
	for i, node := range nodes.All(t) {
		for j, f := range freezes {
			if os.Getenv("HEAPSNAP_ALL") == "" && (i+j)%3 != 0 {
				continue
			}
			// Each kind with the inspector open on some lines, and opened by us on the others.
			flags, how := []string{"--inspect=127.0.0.1:0"}, "open"
			if i%2 == 1 {
				flags, how = []string{"--inspect-port=0"}, "signal"
			}
			t.Run(fmt.Sprintf("%s/%s/%s", node, f.kind, how), func(t *testing.T) {
				p := freeze(t, node, f.kind, flags...)
				var wrong []string
				for range stuckAttempts {
					s, r, took := stuck(t, p.pid)
					if took > slowestAnswer {
						t.Errorf("the answer took %s", took)
					}
					if wrong = stuckFaults(s, r, f.function, f.syscall, f.kind, f.cause, p.path); wrong == nil {
						break
					}
					time.Sleep(time.Second) // what the last look opened is being closed
				}
				for _, w := range wrong {
					t.Error(w)
				}
				p.goesOn(t, how)
			})
		}
	}
}

func stuckFaults(s report.Stuck, r result, function, syscall, kind string, causes []string, path string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.code != exitFindings || s.Verdict != report.StuckNow {
		say("exit %d, verdict %s, want %d, stuck: %s", r.code, s.Verdict, exitFindings, r.out)
	}
	if !slices.Contains(causes, s.Cause) {
		say("cause = %s, want %s: %s", s.Cause, strings.Join(causes, " or "), s.Title)
	}
	if syscall != "" && (s.Thread == nil || s.Thread.Syscall != syscall) {
		say("thread = %+v, want it in %s", s.Thread, syscall)
	}
	if kind == "child" && (len(s.Children) == 0 || !strings.Contains(s.Children[0].Command, "setInterval")) {
		say("children = %+v", s.Children)
	}
	if l := s.Location; l != nil && (l.File != path || l.Line != lineOfMark(kind) || !strings.Contains(l.Code, "//@ "+kind)) {
		say("location = %+v, want line %d", *l, lineOfMark(kind))
	}
	if function != "" && (s.Location == nil || s.Location.Function != function) {
		say("location = %+v, want function %s", s.Location, function)
	}
	if s.Fix == "" || s.Title == "" {
		say("fix = %q, title = %q", s.Fix, s.Title)
	}
	return wrong
}

// goesOn holds the program to what was promised: it runs on when what froze it
// is over, and has no inspector that we opened.
func (p *frozenProgram) goesOn(t *testing.T, how string) {
	t.Helper()
	p.release(t)
	waitFor(t, func() bool {
		p.release(t)
		return strings.Contains(p.out(), "free\n")
	})
	if how != "signal" {
		return
	}
	// It would open once more when the event loop turns: see cdp.CloseWhenOpen.
	closed := 0
	waitFor(t, func() bool {
		time.Sleep(50 * time.Millisecond)
		all, err := cdp.Local(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(q cdp.Process) bool { return q.PID == p.pid })
		if closed++; i < 0 || all[i].Reach != cdp.ReachSignal {
			closed = 0
		}
		return closed == 10
	})
}

func TestStuckOfAProcessThatRuns(t *testing.T) {
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			p := freeze(t, node, "nothing", "--inspect-port=0")
			s, r, _ := stuck(t, p.pid)
			if r.code != exitClean || s.Verdict != report.StuckNot || s.Location != nil {
				t.Errorf("exit %d, %s%s", r.code, r.out, r.errors)
			}
			p.goesOn(t, "signal")
		})
	}
}

// Whatever ends heapsnap, the program is not paused, and its inspector closed.
func TestStuckLeavesNothingBehind(t *testing.T) {
	all := nodes.All(t)
	for _, node := range []nodes.Node{all[0], all[len(all)-1]} {
		for _, c := range []struct {
			kind  string
			after time.Duration
		}{{"loop", 300 * time.Millisecond}, {"loop", 900 * time.Millisecond}, {"native", 900 * time.Millisecond}} {
			for _, end := range []os.Signal{os.Interrupt, os.Kill} {
				t.Run(fmt.Sprintf("%s/%s/%s/%s", node, c.kind, c.after, end), func(t *testing.T) {
					p := freeze(t, node, c.kind, "--inspect-port=0")
					cmd := exec.Command(binary, "stuck", "--pid", strconv.Itoa(p.pid))
					cmd.Dir = t.TempDir()
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(c.after)
					_ = cmd.Process.Signal(end) // it may be over already
					_ = cmd.Wait()
					p.goesOn(t, "signal")
				})
			}
		}
	}
}

func TestStuckOfAStoppedProcess(t *testing.T) {
	all := nodes.All(t)
	p := freeze(t, all[len(all)-1], "nothing", "--inspect=127.0.0.1:0")
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(p.pid, syscall.SIGCONT) }()
	if s, r, _ := stuck(t, p.pid); r.code != exitFindings || s.Cause != "stopped" {
		t.Errorf("exit %d, cause %s", r.code, s.Cause)
	}
}

package cdp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LaunchOptions describe a command to start. Argv[0] is node, or anything that
// starts node in the end: a shell, npm, a version manager's shim.
type LaunchOptions struct {
	Argv   []string
	Dir    string   // "" is the current directory
	Env    []string // nil is this process's environment
	Stdout io.Writer
	Stderr io.Writer // without the inspector's own lines

	// Process chooses among the processes of the command: a part of the script's
	// name, or several with | between them, and #2 behind it for the second that
	// runs such a script, as the first worker of a cluster is. "" is the first that
	// is no package manager or tool.
	Process string
	// Port prefers the process that listens on it, where Argv[0] is not node; 0 if
	// that does not matter.
	Port int

	Wait  time.Duration // how long an inspector may take to appear; 30 s if 0
	Grace time.Duration // between SIGTERM and SIGKILL in Stop; 5 s if 0
}

// Launched is a command that Launch started. Someone must call Stop.
type Launched struct {
	Target Target // the process that runs the user's program

	cmd   *exec.Cmd
	grace time.Duration
	err   *inspectorFilter
	done  chan struct{}
	exit  Exit // valid when done is closed
}

// Exit is how a command ended.
type Exit struct {
	Code   int      // -1 if a signal ended it
	Signal string   // such as "killed", "" if it exited
	Tail   []string // last lines of its stderr
}

func (e Exit) String() string {
	what := fmt.Sprintf("exit code %d", e.Code)
	if e.Signal != "" {
		what = "signal: " + e.Signal
	}
	if len(e.Tail) == 0 {
		return what
	}
	return what + "; its last lines:\n  " + strings.Join(e.Tail, "\n  ")
}

// inspectFlag lets the system choose the port, so that children of the program
// get an inspector of their own and not a port that is in use.
const inspectFlag = "--inspect=127.0.0.1:0"

// toolPatience is how long a command that is only seen to run tools from
// node_modules may take to start something else.
const toolPatience = 2 * time.Second

// Launch starts the command with its inspector open and waits until that
// answers. ctx governs the waiting, not the command's life: when Launch returns
// without error, [Launched.Stop] is owed. A command that starts several Node.js
// processes is searched for the one that runs the user's script.
func Launch(ctx context.Context, o LaunchOptions) (*Launched, error) {
	if len(o.Argv) == 0 {
		return nil, errors.New("launch: no command")
	}
	if o.Wait <= 0 {
		o.Wait = 30 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 5 * time.Second
	}
	argv, env := slices.Clone(o.Argv), o.Env
	if env == nil {
		env = os.Environ()
	}
	name, nth, err := processName(o.Process)
	if err != nil {
		return nil, fmt.Errorf("launch: %w", err)
	}
	// The flag is not inherited by what the program spawns, the variable is.
	direct := nodeName.MatchString(filepath.Base(argv[0])) && name == ""
	if direct {
		argv = slices.Insert(argv, 1, inspectFlag)
	} else {
		env = withNodeOption(env, inspectFlag)
	}

	l := &Launched{
		cmd:   exec.Command(argv[0], argv[1:]...),
		grace: o.Grace,
		err:   newInspectorFilter(o.Stderr),
		done:  make(chan struct{}),
	}
	l.cmd.Dir, l.cmd.Env = o.Dir, env
	l.cmd.Stdout, l.cmd.Stderr = o.Stdout, l.err
	l.cmd.WaitDelay = time.Second // for a child that keeps our pipes open
	ownGroup(l.cmd)
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("launch %s: %w", o.Argv[0], err)
	}
	go l.wait()

	t, err := l.find(ctx, search{direct: direct, script: name, nth: nth, port: o.Port, wait: o.Wait})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("launch %s: %w", strings.Join(o.Argv, " "), err), l.Stop(ctx))
	}
	l.Target = t
	return l, nil
}

// withNodeOption appends the option to NODE_OPTIONS; the last --inspect counts.
func withNodeOption(env []string, option string) []string {
	out := make([]string, 0, len(env)+1)
	value := option
	for _, kv := range env {
		if old, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
			value = strings.TrimSpace(old + " " + option)
			continue
		}
		out = append(out, kv)
	}
	return append(out, "NODE_OPTIONS="+value)
}

func (l *Launched) wait() {
	_ = l.cmd.Wait() // what it says is in ProcessState
	// What the command left running in its group ends with it.
	_ = signalGroup(l.cmd.Process.Pid, true)
	l.err.flush()
	state := l.cmd.ProcessState
	l.exit = Exit{Code: state.ExitCode(), Signal: signalName(state), Tail: l.err.tail()}
	close(l.done)
}

// PID is the process that was started; Target.PID may be a descendant.
func (l *Launched) PID() int { return l.cmd.Process.Pid }

// Done is closed when the command has ended.
func (l *Launched) Done() <-chan struct{} { return l.done }

// Exit is how the command ended; it waits for that.
func (l *Launched) Exit() Exit {
	<-l.done
	return l.exit
}

// Stop ends the command and all it started: SIGTERM, and after a grace, or when
// ctx ends, SIGKILL to what is left. It returns when nothing is left. Close the
// sessions first: up to Node 20 a process waits for them at exit.
func (l *Launched) Stop(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	default:
	}
	pid := l.cmd.Process.Pid
	if err := signalGroup(pid, false); err != nil {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	grace := time.NewTimer(l.grace)
	defer grace.Stop()
	select {
	case <-l.done:
		return nil
	case <-grace.C:
	case <-ctx.Done():
	}
	if err := signalGroup(pid, true); err != nil {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	<-l.done
	return nil
}

// rank orders the processes of one command by how likely each is the program.
type rank int

const (
	packageManager rank = iota
	tool                // a script in node_modules: a runner, a transpiler
	program
)

var packageManagers = regexp.MustCompile(`^(npm|npx|pnpm|pnpx|yarn|yarnpkg|corepack)(-cli)?([-.].*)?$`)

func rankOf(t Target) rank {
	script := filepath.ToSlash(t.Script)
	switch {
	case packageManagers.MatchString(path.Base(script)):
		return packageManager
	case strings.Contains(script, "/node_modules/"):
		return tool
	}
	return program
}

// processName splits "server.js#2".
func processName(text string) (name string, nth int, err error) {
	name, number, ok := strings.Cut(text, "#")
	if !ok {
		return name, 1, nil
	}
	if nth, err = strconv.Atoi(number); err != nil || nth < 1 || name == "" {
		return "", 0, fmt.Errorf("process %q: want a part of a script's name, or NAME#2 for the second that runs such a script", text)
	}
	return name, nth, nil
}

// search says which process of a command is wanted.
type search struct {
	direct bool // the one that was started
	script string
	nth    int
	port   int
	wait   time.Duration
}

const (
	findPace = 100 * time.Millisecond
	// treePace and treePatience are for processes that are found in the tree and
	// not by what they print: its stderr may go elsewhere, or have a prefix.
	treePace     = 500 * time.Millisecond
	treePatience = time.Second
	// listenPatience is how long a program may run without that anything listens
	// on the port that is waited for: a proxy may be in front of it.
	listenPatience = 5 * time.Second
)

// A candidate is a Node.js process of the command.
type candidate struct {
	Target
	seen time.Time
}

// find waits for the inspector of the program.
func (l *Launched) find(ctx context.Context, want search) (Target, error) {
	timeout := time.NewTimer(want.wait)
	defer timeout.Stop()
	tick := time.NewTicker(findPace) // each asks every candidate whether it lives
	defer tick.Stop()
	started, looked := time.Now(), time.Now()
	var live []candidate
	for {
		select {
		case url := <-l.err.urls:
			t, err := Discover(ctx, url)
			if err != nil {
				continue // it has ended since
			}
			if want.direct {
				t.PID = l.cmd.Process.Pid // the first to say it; later ones are its children
				return t, nil
			}
			live = withCandidate(live, t)
		case <-tick.C:
			if !want.direct && time.Since(started) > treePatience && time.Since(looked) > treePace {
				for _, t := range l.tree(ctx, live) {
					live = withCandidate(live, t)
				}
				looked = time.Now()
			}
		case <-l.done:
			return Target{}, fmt.Errorf("the command ended before an inspector appeared: %s", l.exit)
		case <-timeout.C:
			var seen []string
			for _, c := range live {
				seen = append(seen, c.Target.String())
			}
			switch {
			case len(live) > 0 && want.script != "":
				return Target{}, fmt.Errorf("no process of it ran %s within %s, but these: %s", want.words(), want.wait, strings.Join(seen, ", "))
			case len(live) > 0:
				return Target{}, fmt.Errorf("only %s was seen to run within %s, and no program started by it", strings.Join(seen, ", "), want.wait)
			}
			return Target{}, fmt.Errorf("no inspector appeared within %s: does it run Node.js, and without --permission?", want.wait)
		case <-ctx.Done():
			return Target{}, context.Cause(ctx)
		}
		if len(live) == 0 {
			continue
		}
		// A build step that has ended is no candidate any more.
		live = slices.DeleteFunc(live, func(c candidate) bool {
			_, err := Discover(ctx, c.WebSocketURL)
			return err != nil
		})
		for i := range live {
			live[i].PID = cmp.Or(live[i].PID, l.pidOf(live[i].Target))
		}
		if at := want.choose(live, listensOn); at >= 0 {
			return live[at].Target, nil
		}
	}
}

func (w search) words() string {
	if w.nth > 1 {
		return fmt.Sprintf("a script named like %q for the %dth time", w.script, w.nth)
	}
	return fmt.Sprintf("a script named like %q", w.script)
}

func (w search) names(script string) bool {
	script = filepath.ToSlash(script)
	return slices.ContainsFunc(strings.Split(w.script, "|"), func(part string) bool { return strings.Contains(script, part) })
}

func withCandidate(live []candidate, t Target) []candidate {
	if slices.ContainsFunc(live, func(c candidate) bool { return c.Addr() == t.Addr() }) {
		return live
	}
	return append(live, candidate{t, time.Now()})
}

// choose returns the index of the wanted candidate, -1 while there is none.
func (w search) choose(live []candidate, listens func(pid, port int) bool) int {
	if w.script != "" {
		nth := 0
		for i, c := range live {
			if w.names(c.Script) {
				if nth++; nth == w.nth {
					return i
				}
			}
		}
		return -1
	}
	first := -1
	for i, c := range live {
		// Among programs the first one seen started the others.
		if r := rankOf(c.Target); first < 0 && (r == program || r == tool && time.Since(c.seen) > toolPatience) {
			first = i
		}
		if w.port != 0 && listens(c.PID, w.port) {
			return i
		}
	}
	if first >= 0 && w.port != 0 && time.Since(live[first].seen) < listenPatience {
		return -1
	}
	return first
}

// listensOn reports whether the process listens on the port, which cannot be
// seen everywhere.
func listensOn(pid, port int) bool {
	if pid == 0 {
		return false
	}
	own, _ := procFS{}.ownListeners(pid)
	return slices.ContainsFunc(own, func(l listener) bool { return int(l.addr.Port()) == port })
}

// tree looks for Node.js processes among the command's that are not known yet.
func (l *Launched) tree(ctx context.Context, known []candidate) (found []Target) {
	var f procFS
	for _, pid := range slices.Sorted(maps.Keys(f.descendants(l.cmd.Process.Pid))) {
		if slices.ContainsFunc(known, func(c candidate) bool { return c.PID == pid }) || !f.isNode(pid) {
			continue
		}
		if t, ok, err := f.findInspector(ctx, pid); err == nil && ok {
			found = append(found, t)
		}
	}
	return found
}

// pidOf is the process of the command's that listens on the target's port, 0 if
// that cannot be seen.
func (l *Launched) pidOf(t Target) int {
	var f procFS
	for pid := range f.descendants(l.cmd.Process.Pid) {
		own, err := f.ownListeners(pid)
		if err != nil {
			continue
		}
		for _, s := range own {
			if int(s.addr.Port()) == t.Port {
				return pid
			}
		}
	}
	return 0
}

// inspectorFilter passes a program's stderr on without the lines that the
// inspector writes, and keeps the last lines and the inspectors' URLs. A line
// that is not yet complete is held back only while it may be the inspector's.
type inspectorFilter struct {
	urls chan string

	mu    sync.Mutex
	w     io.Writer
	line  []byte // held back
	mid   bool   // the start of the current line was passed on
	lines []string
	cur   []byte // current line, for lines
}

const (
	listening = "Debugger listening on "
	tailLines = 20  // a crash of Node's takes 16: line and message come first, then the stack
	tailWidth = 500 // bytes kept of one line
)

// inspectorLines are what src/inspector_agent.cc and inspector_socket_server.cc
// print (Node 18 to 26).
var inspectorLines = []string{
	listening,
	"For help, see: https://nodejs.org/",
	"Debugger attached.",
	"Debugger ending on ws://",
	"Waiting for the debugger to disconnect...",
}

func newInspectorFilter(w io.Writer) *inspectorFilter {
	if w == nil {
		w = io.Discard
	}
	return &inspectorFilter{w: w, urls: make(chan string, 64)}
}

func (f *inspectorFilter) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []byte
	for _, c := range p {
		if f.mid {
			out = append(out, c)
		} else {
			f.line = append(f.line, c)
			if !f.held(c == '\n') {
				out = append(out, f.line...)
				f.line, f.mid = f.line[:0], true
			}
		}
		if c == '\n' {
			if !f.mid {
				f.inspector(strings.TrimSpace(string(f.line)))
			} else {
				f.remember()
			}
			f.line, f.cur, f.mid = f.line[:0], f.cur[:0], false
		} else if len(f.cur) < tailWidth {
			f.cur = append(f.cur, c)
		}
	}
	if len(out) > 0 {
		// A reader who went away must not end the program.
		_, _ = f.w.Write(out)
	}
	return len(p), nil
}

// held reports whether the held back line is, or may become, the inspector's.
func (f *inspectorFilter) held(complete bool) bool {
	for _, s := range inspectorLines {
		n := min(len(s), len(f.line))
		if string(f.line[:n]) == s[:n] && (n == len(s) || !complete) {
			return true
		}
	}
	return false
}

func (f *inspectorFilter) inspector(line string) {
	if url, ok := strings.CutPrefix(line, listening); ok {
		select {
		case f.urls <- url:
		default: // nobody listens any more
		}
	}
}

func (f *inspectorFilter) remember() {
	f.lines = append(f.lines, string(f.cur))
	if len(f.lines) > tailLines {
		f.lines = f.lines[1:]
	}
}

// flush passes on what was held back when the program has ended.
func (f *inspectorFilter) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.mid && len(f.line) > 0 {
		_, _ = f.w.Write(f.line)
	}
	if len(f.cur) > 0 {
		f.remember()
	}
	f.line, f.cur, f.mid = nil, nil, false
}

func (f *inspectorFilter) tail() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

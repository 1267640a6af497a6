package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// keeper is a program that keeps a megabyte in ten turns and makes as much that
// it lets go; grow is for those who drive it themselves.
const keeper = `
globalThis.kept = [];
// Too large to be inlined: V8 puts what an inlined function makes down to its caller.
const pad = (s) => s + 'p'.repeat(3);
function remember(n) {
	for (let i = 0; i < n; i++) kept.push({ i, list: [i, i, i], text: pad('remember' + i), more: { a: i, b: i, c: i } });
	if (kept.length < 0) eval('');
}
function forget(n) {
	const all = [];
	for (let i = 0; i < n; i++) all.push({ i, text: pad('forget' + i), more: { a: i, b: i, c: i } });
	if (all.length < 0) eval('');
	return all.length;
}
globalThis.grow = () => remember(40000);
const { isMainThread } = require('worker_threads');
if (process.argv[2] === 'alone') setInterval(() => {}, 1e6);
else setInterval(() => { remember(600); forget(600); }, 30);
console.log('ready');
`

func runKeeper(t *testing.T, node nodes.Node, args ...string) int {
	t.Helper()
	script := writeScript(t, "keeper.js", keeper)
	cmd := exec.Command(node.Path, append([]string{"--inspect-port=0", script}, args...)...)
	startUntil(t, cmd, "ready")
	return cmd.Process.Pid
}

func sampled(t *testing.T, args ...string) report.Sample {
	t.Helper()
	r := heapsnapIn(t, t.TempDir(), nil, append([]string{"sample", "--format", "json"}, args...)...)
	var s report.Sample
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.code != exitClean {
		t.Fatalf("heapsnap sample %v: exit %d: %v\n%s%s", args, r.code, err, r.out, r.errors)
	}
	return s
}

func TestSampleNamesWhoKeeps(t *testing.T) {
	line := 1 + strings.Count(keeper[:strings.Index(keeper, "function remember")], "\n")
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			pid := strconv.Itoa(runKeeper(t, node))
			dir := t.TempDir()
			file := filepath.Join(dir, "a.heapprofile")
			s := sampled(t, "--pid", pid, "--duration", "3s", "--interval", "16384", "--export", "heapprofile="+file, "--export", "pprof="+filepath.Join(dir, "a.pb.gz"))
			if len(s.Sites) == 0 || s.Sites[0].Function != "remember" || s.Sites[0].Line != line || !strings.HasSuffix(s.Sites[0].File, "keeper.js") || s.Sites[0].Share < 0.6 {
				t.Errorf("%s\n%+v\nwant most in remember, keeper.js:%d", s.Sentence, s.Sites, line)
			}
			if s.Kind != "live" || s.Bytes < 1<<20 || s.Target.NodeVersion == "" || s.Interval != 16384 {
				t.Errorf("%+v", s)
			}
			saved := sampled(t, file)
			if saved.Bytes != s.Bytes || len(saved.Sites) != len(s.Sites) || saved.DurationMS != s.DurationMS {
				t.Errorf("from its file: %+v, was %+v", saved, s)
			}
			if d := sampled(t, "--diff", file, file); d.Before == nil || *d.Before != d.Bytes || *d.Sites[0].Before != d.Sites[0].Bytes {
				t.Errorf("a profile compared with itself: %+v", d)
			}
			if node.Major < 20 {
				return // does not know the flag
			}
			all := sampled(t, "--pid", pid, "--duration", "3s", "--interval", "16384", "--all")
			var forgets uint64
			for _, x := range all.Sites {
				if x.Function == "forget" {
					forgets += x.Bytes
				}
			}
			if all.Kind != "allocated" || forgets < all.Bytes/10 {
				t.Errorf("with --all, %d of %d bytes in forget: %+v", forgets, all.Bytes, all.Sites)
			}
		})
	}
}

// The sampler of a heapsnap that was killed goes with its connection.
func TestSampleLeavesNoSampler(t *testing.T) {
	all := nodes.All(t)
	for _, node := range []nodes.Node{all[0], all[len(all)-1]} {
		t.Run(node.String(), func(t *testing.T) {
			pid := runKeeper(t, node, "alone")
			cmd := exec.Command(binary, "sample", "--duration", "1h", "--pid", strconv.Itoa(pid))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			reach := func() *cdp.Process {
				local, err := cdp.Local(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range local {
					if p.PID == pid {
						return &p
					}
				}
				t.Fatal("the program is gone")
				return nil
			}
			waitFor(t, func() bool { return reach().Reach == cdp.ReachInspector })
			time.Sleep(time.Second) // it asks for the figures first, and then for the sampler
			s, err := cdp.Dial(t.Context(), *reach().Target)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.EvaluateBare(t.Context(), "grow()", nil); err != nil {
				t.Fatal(err)
			}
			s.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			waitFor(t, func() bool { return reach().Reach == cdp.ReachSignal && !guarded(pid) })
			if got := sampled(t, "--pid", strconv.Itoa(pid), "--duration", "500ms"); got.Bytes > 2<<20 {
				t.Errorf("%d bytes were made by a program that does nothing: the sampler of the killed one went on\n%+v", got.Bytes, got.Sites)
			}
		})
	}
}

// guarded reports whether a guard still looks after the process: it would close
// what another heapsnap opens.
func guarded(pid int) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		text, _ := os.ReadFile(f)
		if strings.HasSuffix(string(text), "close-inspector\x00--pid\x00"+strconv.Itoa(pid)+"\x00") {
			return true
		}
	}
	return false
}

func TestSampleRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.heapprofile"), []byte(`{"nodes":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"a.heapprofile", "a.heapprofile: no sampling heap profile: it has no head"},
		{"none.heapprofile", "none.heapprofile"},
		{"--diff a.heapprofile", "--diff compares two files"},
		{"--diff a.heapprofile b.heapprofile --pid 1", "and no process"},
		{"--duration 0s", "want a duration above 0"},
		{"--export gif=x.gif a.heapprofile", "FORMAT being one of heapprofile, pprof, speedscope, collapsed"},
		{"a b", "to compare two files, say --diff"},
	} {
		r := heapsnapIn(t, dir, nil, append([]string{"sample"}, strings.Fields(c.args)...)...)
		if r.code != exitUsage || !strings.Contains(r.errors, c.want) {
			t.Errorf("sample %s: exit %d, %q, want %q", c.args, r.code, r.errors, c.want)
		}
	}
}

package main

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"heapsnap/internal/cgroup"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// hoarder is a program that keeps what its arguments say, in MiB, and says when
// it has it.
const hoarder = `
const { Worker, isMainThread, workerData } = require('worker_threads');
const [, , kind, size] = isMainThread ? process.argv : [0, 0, ...workerData];
const bytes = Number(size) << 20;
globalThis.kept = [];
const kinds = {
	heap() {
		while (process.memoryUsage().heapUsed < bytes) for (let i = 0; i < 1000; i++) kept.push({ i, text: 'x' + i, list: [i] });
	},
	buffers() {
		for (let n = 0; n < bytes; n += 1 << 20) kept.push(Buffer.alloc(1 << 20, 1));
	},
	// Of many small blocks one in forty stays: the rest of their pages is of no use to anybody.
	fragments() {
		const all = [];
		for (let n = 0; n < bytes; n += all.at(-1).length) all.push(Buffer.allocUnsafeSlow(1000 + (all.length % 37) * 16).fill(1));
		for (let i = 0; i < all.length; i += 40) kept.push(all[i]);
	},
	worker() {
		new Worker(__filename, { workerData: ['heap', size], resourceLimits: { maxOldGenerationSizeMb: Number(size) * 1.1 } }).once('message', () => console.log('ready'));
	},
	child() {
		require('child_process').fork(__filename, ['buffers', size], { execArgv: [] }).once('message', () => console.log('ready'));
	},
	nothing() {},
};
kinds[kind]();
setInterval(() => kept.length, 1e6);
if (!isMainThread) require('worker_threads').parentPort.postMessage('ready');
else if (process.send) process.send('ready');
else if (kind !== 'worker' && kind !== 'child') console.log('ready');
`

// hoard starts the program and waits until it has what it keeps.
func hoard(t *testing.T, g *cgroup.Group, node nodes.Node, args ...string) int {
	t.Helper()
	script := writeScript(t, "hoarder.js", hoarder)
	for i, a := range args {
		if a == "SCRIPT" {
			args[i] = script
		}
	}
	cmd := exec.Command(node.Path, args...)
	if g != nil {
		cmd = g.Command(node.Path, args...)
	}
	startUntil(t, cmd, "ready")
	return cmd.Process.Pid
}

// diagnose runs heapsnap doctor and reads its JSON.
func diagnose(t *testing.T, pid int, flags ...string) (report.Doctor, result) {
	t.Helper()
	r := heapsnapIn(t, t.TempDir(), nil, append([]string{"doctor", "--pid", strconv.Itoa(pid), "--format", "json"}, flags...)...)
	var d report.Doctor
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("exit %d: %v\n%s%s", r.code, err, r.out, r.errors)
	}
	return d, r
}

func TestDoctorNamesWhatFillsTheMemory(t *testing.T) {
	all := nodes.All(t)
	const mib = 1 << 20
	for i, c := range []struct {
		rule  string // "" is healthy
		limit uint64 // MiB of the container
		args  []string
	}{
		{"js-heap", 1024, []string{"--max-old-space-size=100", "SCRIPT", "heap", "90"}},
		{"buffers", 512, []string{"--max-old-space-size=100", "SCRIPT", "buffers", "380"}},
		{"fragmentation", 512, []string{"--max-old-space-size=200", "SCRIPT", "fragments", "330"}},
		{"limit-above-container", 256, []string{"--max-old-space-size=300", "SCRIPT", "nothing", "0"}},
		{"worker", 1024, []string{"--inspect-port=0", "SCRIPT", "worker", "60"}},
		{"other-process", 256, []string{"--max-old-space-size=100", "SCRIPT", "child", "190"}},
		{"", 1024, []string{"--max-old-space-size=200", "SCRIPT", "heap", "30"}},
	} {
		name := c.rule
		if name == "" {
			name = "healthy"
		}
		t.Run(name, func(t *testing.T) {
			g := cgroup.New(t, c.limit*mib)
			pid := hoard(t, g, all[i%len(all)], append([]string{"--inspect-port=0"}, c.args...)...)
			d, r := diagnose(t, pid, "--gc")
			if c.rule == "" {
				if d.Verdict != report.Healthy || r.code != exitClean {
					t.Errorf("exit %d, %s: %s\n%s", r.code, d.Verdict, d.Sentence, r.out)
				}
				return
			}
			if d.Verdict != report.Trouble || d.Rule != c.rule || r.code != exitFindings {
				t.Errorf("exit %d, %s [%s] %s, want %s\n%s", r.code, d.Verdict, d.Rule, d.Sentence, c.rule, r.out)
			}
			if d.Container == nil || d.Container.Limit != c.limit*mib {
				t.Errorf("container: %+v, want a limit of %d MiB", d.Container, c.limit)
			}
		})
	}
}

// The parts add up, and what is known exactly is found again, on every line.
func TestDoctorAccountsForTheMemory(t *testing.T) {
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			pid := hoard(t, nil, node, "--inspect-port=0", "SCRIPT", "buffers", "100")
			d, _ := diagnose(t, pid)
			var sum uint64
			part := map[string]uint64{}
			for _, m := range d.Memory {
				sum += m.Bytes
				part[m.Part] = m.Bytes
			}
			const mib = 1 << 20
			if sum != d.Process.RSS || sum == 0 {
				t.Errorf("the parts are %d bytes, RSS is %d", sum, d.Process.RSS)
			}
			if b := part["buffers"]; b < 100*mib || b > 102*mib {
				t.Errorf("Buffers have %d MiB, the program keeps 100", b/mib)
			}
			if u := part["unexplained"]; u > 25*mib {
				t.Errorf("%d MiB are unexplained in a program without native code", u/mib)
			}
			if part["stacks"] == 0 || d.Process.Threads < 5 || d.Target.PID != pid || d.Heaps[0].OldLimit == 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestDoctorSamples(t *testing.T) {
	all := nodes.All(t)
	pid := runKeeper(t, all[len(all)-1])
	d, _ := diagnose(t, pid, "--sample", "3s")
	if d.SampledMS < 3000 || len(d.Sites) == 0 || d.Sites[0].Function != "remember" {
		t.Errorf("sampled for %g ms: %+v", d.SampledMS, d.Sites)
	}
}

func TestDoctorRefusesOneWorker(t *testing.T) {
	r := heapsnapIn(t, t.TempDir(), nil, "doctor", "--worker", "1")
	if r.code != exitUsage || !strings.Contains(r.errors, "all worker threads are looked at") {
		t.Errorf("exit %d: %s", r.code, r.errors)
	}
}

package check

import (
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/report"
)

func TestGrows(t *testing.T) {
	const kib = 1 << 10
	for _, test := range []struct {
		name string
		used []uint64 // KiB
		lost bool
		want bool
	}{
		{"in every round", []uint64{9000, 9050, 9100, 9150, 9200, 9250}, false, true},
		{"after a warm-up that shrank", []uint64{9300, 9050, 9100, 9150, 9200, 9250}, false, true},
		{"less than noise", []uint64{9000, 9001, 9002, 9003, 9004, 9005}, false, false},
		{"and shrinks again", []uint64{9000, 9050, 9100, 9150, 9140, 9250}, false, false},
		{"in the first rounds only", []uint64{9000, 9050, 9100, 9100, 9100, 9100}, false, false},
		{"but has gone", []uint64{9000, 9050, 9100, 9150, 9200, 9250}, true, false},
		{"once", []uint64{9000, 9050}, false, false},
	} {
		w := WorkerSeries{lost: test.lost}
		for _, u := range test.used {
			w.Used = append(w.Used, u*kib)
		}
		if got := w.grows(); got != test.want {
			t.Errorf("%s: grows = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestThreadName(t *testing.T) {
	for want, w := range map[string]cdp.Worker{
		"worker thread 3 (resize)":    {ThreadID: 3, Name: "resize", URL: "file:///app/w.js"},
		"worker thread 3 (resize.js)": {ThreadID: 3, Name: "WorkerThread", URL: "file:///app/resize.js"},
		"worker thread 3":             {ThreadID: 3},
	} {
		if got := threadName(w); got != want {
			t.Errorf("threadName(%+v) = %s, want %s", w, got, want)
		}
	}
}

// Of three workers one does not grow, and two of a pool leak in the same way, one of which sleeps in Atomics.wait
// between jobs and so does not turn its event loop: one finding, which names a thread, and mentions the other.
func TestWorkersThatGrow(t *testing.T) {
	bin := node(t)
	path := script(t, `
		const { Worker, isMainThread, parentPort, receiveMessageOnPort, workerData } = require('worker_threads');
		if (isMainThread) {
			const flag = new Int32Array(new SharedArrayBuffer(4));
			const workers = ['polls', 'listens', 'idle'].map((name) => new Worker(__filename, { name, workerData: { name, flag } }));
			const answered = (w) => new Promise((done) => w.once('message', done));
			const up = Promise.all(workers.map(answered));
			globalThis.load = async () => {
				await up;
				const all = Promise.all(workers.map(answered));
				for (const w of workers) w.postMessage(40);
				Atomics.add(flag, 0, 1);
				Atomics.notify(flag, 0);
				await all;
			};
		} else {
			class Job { constructor(n) { this.n = n; this.text = 'job ' + n; } }
			const done = [];
			const work = (count) => {
				for (let i = 0; i < count; i++) if (workerData.name !== 'idle') done.push(new Job(i));
				parentPort.postMessage('done');
			};
			parentPort.postMessage('up');
			if (workerData.name !== 'polls') parentPort.on('message', work);
			else {
				for (let seen = 0; ; seen = Atomics.load(workerData.flag, 0)) {
					Atomics.wait(workerData.flag, 0, seen);
					for (let m = receiveMessageOnPort(parentPort); m; m = receiveMessageOnPort(parentPort)) work(m.message);
				}
			}
		}`)
	ctx := deadline(t)
	series, err := Run(ctx, Options{Launch: cdp.LaunchOptions{Argv: []string{bin, path}}, LoadFunction: "load", Rounds: 4, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range series.Captures {
		paths = append(paths, c.Path)
	}
	r, err := Judge(ctx, paths, JudgeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Clean {
		t.Fatalf("the main thread is %s: %s", r.Verdict, r.Sentence)
	}
	if err := JudgeWorkers(ctx, r, series, JudgeOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, th := range r.Threads {
		t.Logf("%s: used %d, captured %d times, %s", th.Name, th.Used, th.Captures, th.Verdict)
	}
	if len(r.Threads) != 3 || r.Threads[2].Captures != 0 || len(r.Threads[2].Used) != 5 {
		t.Errorf("Threads = %+v, want three, and no capture of the one that is idle", r.Threads)
	}
	if len(r.Findings) != 1 || r.Verdict != report.Leak || !strings.HasPrefix(r.Sentence, "in worker thread ") {
		t.Fatalf("%s, %d findings: %s; want one leak in a worker thread", r.Verdict, len(r.Findings), r.Sentence)
	}
	f := r.Findings[0]
	told := strings.Join(append(f.Evidence, f.Thread), "\n")
	if !strings.Contains(told, "worker thread 1 (polls)") || !strings.Contains(told, "worker thread 2 (listens)") {
		t.Errorf("told is\n%s\nwant both threads named", told)
	}
	if f.Rule != "cache" || f.Location == nil || !strings.Contains(f.Location.Code, "done.push(new Job(i))") {
		t.Errorf("%s at %+v, want cache at the line that pushes", f.Rule, f.Location)
	}
}

package eventloop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"heapsnap/cdp"
	"heapsnap/fixtures"
	"heapsnap/internal/nodes"
)

// programs writes the programs of fixtures/loop to a folder.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, fixtures.LoopFiles()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func launch(t *testing.T, node nodes.Node, path string) *cdp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	l, err := cdp.Launch(ctx, cdp.LaunchOptions{Argv: []string{node.Path, path}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s, err := cdp.Dial(ctx, l.Target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Await(ctx, "new Promise((done) => setTimeout(() => setImmediate(done), 500))", nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// probeHolds lists what a recording has open in the target: channels, a file, the
// profiler's thread.
var probeHolds = cdp.Builtins(`const fs = m('fs'), heard = m('diagnostics_channel');
	const channels = ['http.server.request.start', 'http.server.response.finish', 'http.client.request.start', 'http.client.response.finish',
		'undici:request:create', 'undici:request:headers'].filter((name) => heard.channel(name).hasSubscribers);
	const link = (fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
	const comm = (id) => { try { return fs.readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim(); } catch { return ''; } };
	return channels.concat(fs.readdirSync('/proc/self/fd').map(link).filter((path) => path.includes('schedstat')),
		fs.readdirSync('/proc/self/task').map(comm).filter((name) => name.includes('ProfEvntProc')));`)

// nothingLeft fails where the target still carries something of a recording.
func nothingLeft(t *testing.T, s *cdp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	other, err := cdp.Dial(ctx, s.Target())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var symbols []string
	if err := other.Evaluate(ctx, "Object.getOwnPropertySymbols(globalThis).map(String).filter((s) => s.includes('heapsnap'))", &symbols); err != nil || len(symbols) > 0 {
		t.Errorf("left in the target: %v, %v", symbols, err)
	}
	var held []string
	if err := other.Evaluate(ctx, probeHolds, &held); err != nil || len(held) > 0 {
		t.Errorf("the target still has what the probe had: %v, %v", held, err)
	}
	trace, err := other.StartTrace(ctx, []string{"node.environment"}, func([]cdp.TraceEvent) {})
	if err != nil {
		t.Errorf("the trace still runs: %v", err)
		return
	}
	if err := trace.Stop(ctx); err != nil {
		t.Error(err)
	}
	var refused *cdp.CommandError
	if _, err := s.StopProfile(ctx); !errors.As(err, &refused) {
		t.Errorf("the profiler still runs: StopProfile = %v, want it refused", err)
	}
}

func TestLiveRecordingFindsTheLineAndLeavesNothing(t *testing.T) {
	dir := programs(t)
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			// A regular expression is interrupted by whatever is asked of the program.
			s := launch(t, node, dir+"/loop/regexp/blocked.js")
			r, err := Record(t.Context(), s, RecordOptions{Vitals: 1500 * time.Millisecond, Profile: 3 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, s)
			if !r.Traced || r.Main().Turns == 0 || len(r.Main().Profiles) == 0 || r.Main().Vitals.Samples == 0 || len(r.Memory) != 2 || len(r.Sources) == 0 {
				t.Errorf("the recording lacks something: traced %v, %d turns, %d profiles, %d delays, %d sources, warnings %v",
					r.Traced, r.Main().Turns, len(r.Main().Profiles), r.Main().Vitals.Samples, len(r.Sources), r.Warnings)
			}
			// With a low threshold, whatever the machine is doing there is a block.
			a := Analyze(r, Options{Threshold: 10 * time.Millisecond})
			if len(a.Findings) == 0 || a.Findings[0].Cause.Name != "regexp" || a.Findings[0].Site.Function != "check" {
				t.Errorf("verdict %s, findings %+v, want regexp in check", a.Verdict, a.Findings)
			}
		})
	}
}

func TestLiveInterruptedRecordingLeavesNothing(t *testing.T) {
	dir := programs(t)
	lines := nodes.All(t)
	for _, node := range []nodes.Node{lines[0], lines[len(lines)-1]} {
		for _, phase := range []string{"vitals", "profile"} {
			t.Run(node.String()+"/"+phase, func(t *testing.T) {
				s := launch(t, node, dir+"/loop/healthy/api/clean.js")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				stop := errors.New("interrupted")
				o := RecordOptions{Vitals: 2 * time.Second, Profile: 20 * time.Second}
				o.Progress = func(now string, passed, _ time.Duration) {
					if now == phase && passed > time.Second {
						cancel(stop)
					}
				}
				if _, err := Record(ctx, s, o); !errors.Is(err, stop) {
					t.Errorf("Record = %v, want the interrupt", err)
				}
				nothingLeft(t, s)
			})
		}
	}
}

func TestLiveProbeEndsWithItsReader(t *testing.T) {
	dir := programs(t)
	lines := nodes.All(t)
	s := launch(t, lines[len(lines)-1], dir+"/loop/healthy/api/clean.js")
	ctx := t.Context()
	if err := turn(ctx, s, startProbe, nil); err != nil {
		t.Fatal(err)
	}
	there := "globalThis[" + probeKey + "] !== undefined"
	var yes bool
	if err := s.EvaluateBare(ctx, there, &yes); err != nil || !yes {
		t.Fatalf("the probe is there: %v, %v", yes, err)
	}
	deadline := time.Now().Add(time.Minute)
	for yes && time.Now().Before(deadline) {
		time.Sleep(probePace)
		if err := s.EvaluateBare(ctx, there, &yes); err != nil {
			t.Fatal(err)
		}
	}
	if yes {
		t.Error("the probe is still there though nobody reads it")
	}
	nothingLeft(t, s)
}

// A heapsnap that is killed closes its connection and does nothing else.
func TestLiveLostConnectionLeavesNothing(t *testing.T) {
	dir := programs(t)
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			s := launch(t, node, dir+"/loop/healthy/api/clean.js")
			o := RecordOptions{Vitals: time.Second, Profile: 30 * time.Second}
			o.Progress = func(now string, passed, _ time.Duration) {
				if now == "profile" && passed > time.Second {
					_ = s.Close()
				}
			}
			if _, err := Record(t.Context(), s, o); err == nil {
				t.Fatal("Record without a connection gives no error")
			}
			other, err := cdp.Dial(t.Context(), s.Target())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			there := "globalThis[" + probeKey + "] !== undefined"
			yes := true
			for deadline := time.Now().Add(time.Minute); yes && time.Now().Before(deadline); time.Sleep(probePace) {
				if err := other.EvaluateBare(t.Context(), there, &yes); err != nil {
					t.Fatal(err)
				}
			}
			nothingLeft(t, other)
		})
	}
}

func TestLiveRecordingOfOneWorker(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pool.js")
	text := `const { Worker, isMainThread, workerData } = require('node:worker_threads');
function crunch() { const t = Date.now(); let s = 0; while (Date.now() - t < 120) s += Math.sqrt(s + 1); return s; }
if (isMainThread) { new Worker(__filename, { workerData: 'busy' }); new Worker(__filename, { workerData: 'calm' }); }
setInterval(workerData === 'busy' ? crunch : () => {}, 300);`
	if err := os.WriteFile(program, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			s := launch(t, node, program)
			workers, err := s.Workers(t.Context())
			if err != nil || len(workers) != 2 {
				t.Fatalf("%d workers, %v", len(workers), err)
			}
			for i, want := range []Verdict{Blocked, Healthy} {
				r, err := Record(t.Context(), workers[i], RecordOptions{Vitals: time.Second, Profile: 2 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Threads) != 1 || r.Main().ID != workers[i].Worker().ThreadID || r.Main().Turns == 0 {
					t.Errorf("threads %d, the first has id %d and %d turns, want the worker's alone", len(r.Threads), r.Main().ID, r.Main().Turns)
				}
				// On a busy machine, what it had no core for is no block, so half of 120 ms is.
				a := Analyze(r, Options{Threshold: 20 * time.Millisecond})
				if a.Verdict != want || want == Blocked && a.Findings[0].Site.Function != "crunch" {
					t.Errorf("worker %d: %s, findings %+v, want %s", i, a.Verdict, a.Findings, want)
				}
				var left bool
				if err := workers[i].EvaluateBare(t.Context(), "globalThis["+probeKey+"] !== undefined", &left); err != nil || left {
					t.Errorf("the probe is still in worker %d: %v, %v", i, left, err)
				}
			}
			nothingLeft(t, s)
		})
	}
}

// The probe's ledger has to be that of the trace events, which it replaces.
func TestLiveProbeSeesTheTurnsThatTheTraceSees(t *testing.T) {
	const long = 20_000
	dir := programs(t)
	// Turns so short that the probe rests between them, and a long one now and then.
	// If they were shorter, Node's tracing could not keep up, and would break.
	short := "let at = Date.now(); const turn = () => { const t = Date.now(); if (t - at > 200) { const c = process.cpuUsage(); while (process.cpuUsage(c).user < 50000); at = Date.now(); } for (const p = performance.now(); performance.now() - p < 0.05;); setImmediate(turn); }; turn();"
	if err := os.WriteFile(dir+"/loop/short.js", []byte(short), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.All(t) {
		for _, program := range []string{"regexp/blocked.js", "microtask/blocked.js", "short.js"} {
			t.Run(node.String()+"/"+program, func(t *testing.T) {
				s := launch(t, node, dir+"/loop/"+program)
				ctx := t.Context()
				if err := turn(ctx, s, startProbe, nil); err != nil {
					t.Fatal(err)
				}
				v := newSieve()
				trace, err := s.StartTrace(ctx, []string{"node.environment"}, v.add)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(2500 * time.Millisecond)
				var got reading
				if err := s.EvaluateBare(ctx, readProbe, &got); err != nil {
					t.Fatal(err)
				}
				if err := trace.Stop(ctx); err != nil {
					t.Fatal(err)
				}
				var gone bool
				if err := s.EvaluateBare(ctx, stopProbe, &gone); err != nil || !gone {
					t.Errorf("the probe is gone: %v, %v", gone, err)
				}
				nothingLeft(t, s)
				var turns []Iteration
				for _, thread := range v.threads {
					turns = append(turns, thread.iterations...)
				}
				seen := 0
				for _, want := range turns {
					if want.CPU < long || want.Start+want.Duration > got.At {
						continue
					}
					seen++
					// Immediates before the probe's own are part of the turn before; and the thread
					// may have lost its core between the two clocks.
					slack := long/2 + want.Duration - want.CPU
					if !slices.ContainsFunc(got.Turns, func(it Iteration) bool {
						common := min(it.Start+it.Duration, want.Start+want.Duration) - max(it.Start, want.Start)
						ran := it.Duration
						most := want.Duration + slack
						if it.Wait != nil {
							ran -= *it.Wait // before it, if the probe rested
							// A thread that has no core comes late to every turn, and makes a long one of
							// each: the probe may rest through the next as well.
							if want.Duration-want.CPU > long {
								for _, other := range turns {
									if other.Start > want.Start && other.Start < it.Start+it.Duration {
										most += other.Duration
									}
								}
							}
						}
						return common > want.Duration/2 && common > want.Duration-slack && ran < most
					}) {
						near := slices.DeleteFunc(slices.Clone(got.Turns), func(it Iteration) bool {
							return it.Start > want.Start+want.Duration || it.Start+it.Duration < want.Start
						})
						t.Errorf("the turn %+v of the trace is not in the probe's ledger, which has %+v then", want, near)
					}
				}
				if seen == 0 {
					t.Errorf("the trace has no long turn among %d: there is nothing to compare", len(turns))
				}
			})
		}
	}
}

// The native objects of a program that comes to its end are gone before that is
// known: what is evaluated then fails, or crashes it.
func TestLiveProgramThatEndsInTheFirstPhase(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ends.js")
	text := "const t = setInterval(() => {}, 50);\nsetTimeout(() => clearInterval(t), 1500);\n"
	if err := os.WriteFile(program, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			l, err := cdp.Launch(t.Context(), cdp.LaunchOptions{Argv: []string{node.Path, program}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Stop(context.WithoutCancel(t.Context())) }()
			s, err := cdp.Dial(t.Context(), l.Target)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := Record(t.Context(), s, RecordOptions{Vitals: 10 * time.Second, Profile: 3 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if a := Analyze(r, Options{}); !r.Ended || a.Verdict != Inconclusive {
				t.Errorf("ended %v, verdict %s, want it ended and inconclusive", r.Ended, a.Verdict)
			}
			_ = s.Close() // lets it go
			select {
			case <-l.Done():
				if exit := l.Exit(); exit.Code != 0 {
					t.Errorf("the program ended with %s", exit)
				}
			case <-time.After(20 * time.Second):
				t.Error("the program does not end")
			}
		})
	}
}

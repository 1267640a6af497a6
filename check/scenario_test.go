package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/report"
)

// shop is started by a supervisor, which an npm script starts. Its server leaks an
// entry per request; the supervisor, which runs first, does nothing.
func shop(t *testing.T, port int) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not on PATH; a package script needs it")
	}
	dir = t.TempDir()
	for name, text := range map[string]string{
		"package.json":  `{"name": "shop", "version": "1.0.0", "scripts": {"start": "node supervisor.js"}}`,
		"supervisor.js": `require('node:child_process').spawn(process.execPath, ['server.js'], { stdio: ['ignore', 'inherit', 'inherit'] });`,
		"server.js": fmt.Sprintf(`
			const seen = [];
			class Visit { constructor(url) { this.url = url; } }
			require('node:http').createServer((req, res) => {
				if (req.url.startsWith('/broken')) { console.error('no table named visits'); res.statusCode = 503; }
				else seen.push(new Visit(req.url));
				res.end('hello ' + process.env.SHOP);
			}).listen(%d, '127.0.0.1', () => console.log('shop ' + process.env.SHOP + ' is open'));`, port),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func get(t *testing.T, text string) Request {
	t.Helper()
	r, err := ParseRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTPScenarioOfAPackageScript(t *testing.T) {
	node(t)
	port := freePort(t)
	app := shop(t, port)
	dir := t.TempDir()
	o := Options{
		Launch: cdp.LaunchOptions{Argv: []string{"npm", "run", "start"}, Dir: app, Env: append(os.Environ(), "SHOP=corner")},
		HTTP:   []Request{get(t, fmt.Sprintf("GET http://127.0.0.1:%d/visit?n={{request}}", port))},
		Units:  30, Rounds: 3, MaxRounds: 5, Dir: dir,
	}
	r, err := Examine(deadline(t), o, JudgeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Leak || len(r.Findings) == 0 || r.Target != filepath.Join(app, "server.js") {
		t.Fatalf("%s in %s, want a leak in server.js", r.Sentence, r.Target)
	}
	if f := r.Findings[0]; f.Location == nil || !strings.Contains(f.Location.Code, "seen.push") || r.Run.Unit != "request" || r.Run.Units != 30 {
		t.Errorf("location %+v, run %+v", f.Location, r.Run)
	}
	log, err := os.ReadFile(filepath.Join(dir, "app.log"))
	if err != nil || !strings.Contains(string(log), "shop corner is open\n") || strings.Contains(string(log), "Debugger listening") {
		t.Errorf("app.log has %q, %v", log, err)
	}
}

func TestAFailureShowsWhatTheProgramPrinted(t *testing.T) {
	node(t)
	port := freePort(t)
	o := Options{
		Launch: cdp.LaunchOptions{Argv: []string{"npm", "run", "start"}, Dir: shop(t, port), Env: append(os.Environ(), "SHOP=corner")},
		HTTP:   []Request{get(t, fmt.Sprintf("http://127.0.0.1:%d/broken", port))},
		Ready:  Readiness{Line: regexp.MustCompile(`^shop \w+ is open$`)},
		Units:  5, Dir: t.TempDir(),
	}
	_, err := Examine(deadline(t), o, JudgeOptions{})
	for _, want := range []string{"round 1 of 7: load: all 5 requests failed: 5 answered 503", "the program's last lines:\n", "no table named visits"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Examine = %v\nwant %q", err, want)
		}
	}
}

func TestAnotherProcessOfTheTree(t *testing.T) {
	node(t)
	port := freePort(t)
	o := Options{
		Launch: cdp.LaunchOptions{Argv: []string{"npm", "run", "start"}, Dir: shop(t, port), Env: append(os.Environ(), "SHOP=corner"), Process: "supervisor.js"},
		HTTP:   []Request{get(t, fmt.Sprintf("http://127.0.0.1:%d/", port))},
		Units:  20, Rounds: 3, MaxRounds: 3, Dir: t.TempDir(),
	}
	r, err := Examine(deadline(t), o, JudgeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != report.Clean || filepath.Base(r.Target) != "supervisor.js" {
		t.Errorf("%s in %s, want the supervisor, which is clean", r.Sentence, r.Target)
	}
}

// A child whose output goes elsewhere is found all the same.
func TestSilentProcessOfTheTree(t *testing.T) {
	node(t)
	port := freePort(t)
	app := shop(t, port)
	quiet := `require('node:child_process').spawn(process.execPath, ['server.js'], { stdio: 'ignore' }); setInterval(() => {}, 1e6);`
	if err := os.WriteFile(filepath.Join(app, "supervisor.js"), []byte(quiet), 0o600); err != nil {
		t.Fatal(err)
	}
	series, err := Run(deadline(t), Options{
		Launch: cdp.LaunchOptions{Argv: []string{"npm", "start"}, Dir: app}, HTTP: []Request{get(t, fmt.Sprintf("http://127.0.0.1:%d/", port))},
		Units: 2, Rounds: 1, Warmup: -1, Dir: t.TempDir(),
	})
	if err != nil || filepath.Base(series.Target.Script) != "server.js" {
		t.Errorf("%s was checked, %v, want server.js", series.Target, err)
	}
}

// A line and a port that do not come are told as such.
func TestNotReady(t *testing.T) {
	bin := node(t)
	idle := script(t, `console.log('almost there'); setInterval(() => {}, 1e6)`)
	for _, test := range []struct {
		ready string
		want  string
	}{
		{"line:^ready", `no line of the program's output matched "^ready" within 1s; the program's last lines:` + "\n  almost there"},
		{fmt.Sprint(freePort(t)), "nothing listened on 127.0.0.1:"},
	} {
		ready, err := ParseReadiness(test.ready)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(deadline(t), Options{
			Launch: cdp.LaunchOptions{Argv: []string{bin, idle}}, LoadCommand: "true", Ready: ready, ReadyTimeout: 1e9, Dir: t.TempDir(),
		})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.ready, err, test.want)
		}
	}
	_, err := Run(t.Context(), Options{Target: cdp.Target{WebSocketURL: "ws://x"}, Every: 1, Dir: t.TempDir(), Ready: Readiness{Line: regexp.MustCompile("x")}})
	if err == nil || !strings.Contains(err.Error(), "the output of a program that runs is not seen") {
		t.Errorf("a line of a program that runs: %v", err)
	}
}

// The load runs where the program does, with what it is given.
func TestLoadCommandHasTheEnvironment(t *testing.T) {
	bin, dir := node(t), t.TempDir()
	var out strings.Builder
	_, err := Run(deadline(t), Options{
		Launch:      cdp.LaunchOptions{Argv: []string{bin, script(t, `setInterval(() => {}, 1e6)`)}, Dir: dir, Env: append(os.Environ(), "TABLE=visits")},
		LoadCommand: `echo "$TABLE $(pwd) $HEAPSNAP_ROUND $HEAPSNAP_RUN"`, LoadOutput: &out, Units: 2, Warmup: -1, Rounds: 1, Dir: t.TempDir(),
	})
	if real, _ := filepath.EvalSymlinks(dir); err != nil || out.String() != "visits "+real+" 1 1\nvisits "+real+" 1 2\n" {
		t.Errorf("the load printed %q, %v", out.String(), err)
	}
}

package cdp

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInspectorFilter(t *testing.T) {
	const input = "one\nDebugger listening on ws://127.0.0.1:1/a\nFor help, see: https://nodejs.org/en/docs/inspector\n" +
		"Debugger is my word\n\nDebugger attached.\nDebugger listening on ws://127.0.0.1:2/b\nFor help\nWaiting for the debugger to disconnect...\nprompt> "
	const want = "one\nDebugger is my word\n\nFor help\nprompt> "
	for _, step := range []int{1, 2, 7, len(input)} {
		var out strings.Builder
		f := newInspectorFilter(&out)
		for piece := range slices.Chunk([]byte(input), step) {
			if n, err := f.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if out.String() != want {
			t.Errorf("in steps of %d: passed on %q, want %q", step, out.String(), want)
		}
		if a, b := <-f.urls, <-f.urls; a != "ws://127.0.0.1:1/a" || b != "ws://127.0.0.1:2/b" {
			t.Errorf("urls = %q, %q", a, b)
		}
		f.flush()
		if got, want := f.tail(), []string{"one", "Debugger is my word", "", "For help", "prompt> "}; !slices.Equal(got, want) {
			t.Errorf("tail = %q, want %q", got, want)
		}
	}
}

func TestInspectorFilterHoldsBackNoPrompt(t *testing.T) {
	var out strings.Builder
	f := newInspectorFilter(&out)
	_, _ = f.Write([]byte("Delete? "))
	if out.String() != "Delete? " {
		t.Errorf("passed on %q before the line's end", out.String())
	}
	_, _ = f.Write([]byte("\nDebug"))
	if out.String() != "Delete? \n" {
		t.Errorf("passed on %q", out.String())
	}
	f.flush()
	if out.String() != "Delete? \nDebug" {
		t.Errorf("after the end: %q", out.String())
	}
}

func TestRankOf(t *testing.T) {
	for script, want := range map[string]rank{
		"/usr/lib/node_modules/npm/bin/npm-cli.js":      packageManager,
		"/usr/lib/node_modules/npm/bin/npx-cli.js":      packageManager,
		"/app/.yarn/releases/yarn-4.1.0.cjs":            packageManager,
		"/usr/lib/node_modules/corepack/dist/pnpm.js":   packageManager,
		"/app/node_modules/tsx/dist/cli.mjs":            tool,
		"/app/node_modules/.bin/next":                   tool,
		"/app/server.js":                                program,
		"":                                              program,
		"/app/npmlike.js":                               program,
		"/home/me/.nvm/versions/node/v20/lib/server.js": program,
	} {
		if got := rankOf(Target{Script: script}); got != want {
			t.Errorf("rankOf(%q) = %d, want %d", script, got, want)
		}
	}
}

func TestWithNodeOption(t *testing.T) {
	got := withNodeOption([]string{"A=1", "NODE_OPTIONS=--inspect=9229 -r x", "B=2"}, "--inspect=127.0.0.1:0")
	if want := []string{"A=1", "B=2", "NODE_OPTIONS=--inspect=9229 -r x --inspect=127.0.0.1:0"}; !slices.Equal(got, want) {
		t.Errorf("withNodeOption = %q, want %q", got, want)
	}
}

func TestChooseAmongTheProcessesOfACommand(t *testing.T) {
	npm := candidate{Target{Script: "/usr/lib/node_modules/npm/bin/npm-cli.js", PID: 1}, time.Now()}
	runner := candidate{Target{Script: "/app/node_modules/.bin/nodemon", PID: 2}, time.Now()}
	supervisor := candidate{Target{Script: "/app/supervisor.js", PID: 3}, time.Now()}
	server := candidate{Target{Script: "/app/server.js", PID: 4}, time.Now()}
	second := candidate{Target{Script: "/app/server.js", PID: 5}, time.Now()}
	long := func(c candidate) candidate { c.seen = c.seen.Add(-time.Minute); return c }
	all := []candidate{npm, runner, supervisor, server, second}
	listens := func(pid, port int) bool { return port == 3000 && pid == 4 }
	for _, test := range []struct {
		name string
		want search
		live []candidate
		at   int
	}{
		{"the first program", search{}, all, 2},
		{"a package manager is none", search{}, []candidate{npm}, -1},
		{"a runner may start something yet", search{}, []candidate{npm, runner}, -1},
		{"a runner that does not", search{}, []candidate{npm, long(runner)}, 1},
		{"the one that listens", search{port: 3000}, all, 3},
		{"nobody listens yet", search{port: 4000}, all, -1},
		{"nobody will listen", search{port: 4000}, []candidate{npm, long(supervisor), server}, 1},
		{"by name", search{script: "server.js", nth: 1}, all, 3},
		{"the second of that name", search{script: "server.js", nth: 2}, all, 4},
		{"a third of that name", search{script: "server.js", nth: 3}, all, -1},
		{"a tool, if it is named", search{script: "nodemon", nth: 1}, all, 1},
	} {
		if got := test.want.choose(test.live, listens); got != test.at {
			t.Errorf("%s: %d, want %d", test.name, got, test.at)
		}
	}
}

func TestProcessName(t *testing.T) {
	for _, test := range []struct {
		text, name string
		nth        int
		ok         bool
	}{
		{"", "", 1, true}, {"server.js", "server.js", 1, true}, {"server.js#3", "server.js", 3, true},
		{"server.js#0", "", 0, false}, {"#2", "", 0, false}, {"a#b", "", 0, false},
	} {
		name, nth, err := processName(test.text)
		if name != test.name || nth != test.nth || (err == nil) != test.ok {
			t.Errorf("processName(%q) = %q, %d, %v", test.text, name, nth, err)
		}
	}
}

package cdp

import (
	"slices"
	"strings"
	"testing"
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

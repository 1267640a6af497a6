package eventloop

import (
	"errors"
	"strings"
	"testing"

	"heapsnap/cdp"
)

func TestFreezePlaces(t *testing.T) {
	const source = "import { go } from 'runner';\n\nexport const work = (job: Job): void => {\n  go(job);\n};\n"
	const compiled = `"use strict";var r=require("runner");exports.work=n=>{(0,r.go)(n)};`
	files := map[string]string{"/app/dist/work.js": compiled, "/app/node_modules/runner/package.json": `{"version":"3.1.0"}`}
	line, column := at(t, compiled, "go)(n)")
	toLine, toColumn := at(t, source, "go(job)")
	fnLine, fnColumn := at(t, compiled, "work=n")
	srcLine, srcColumn := at(t, source, "work =")
	files["/app/dist/work.js"] += inlineMap(t, []string{"../src/work.ts"}, []string{source},
		stretch{fnLine, fnColumn, 0, srcLine, srcColumn}, stretch{line, column, 0, toLine, toColumn})
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	f := &Freeze{Stack: []cdp.Frame{
		{Function: "go", File: "/app/node_modules/runner/index.js", Line: 7, Column: 3},
		{Function: "work", File: "/app/dist/work.js", Line: line + 1, Column: column + 1},
		{Function: "listOnTimeout", File: "node:internal/timers", Line: 581, Column: 17},
	}}
	f.Frame = &f.Stack[0]
	to := f.Places(read)
	if to.Frame == nil || to.Frame.Package != "runner@3.1.0" || to.Frame.Line != 7 {
		t.Errorf("frame = %+v, want line 7 of runner@3.1.0", to.Frame)
	}
	if c := to.Caller; c == nil || c.Function != "work" || c.File != "/app/src/work.ts" || c.Line != 4 || c.Compiled == "" || to.CallerCode != "  go(job);" {
		t.Errorf("caller = %+v %q, want work, /app/src/work.ts:4", c, to.CallerCode)
	}
	if len(to.Stack) != 3 || to.Stack[2].File != "node:internal/timers" || to.Stack[2].Compiled != "" {
		t.Errorf("stack = %+v", to.Stack)
	}
	f.Frame = &f.Stack[1]
	if to := f.Places(read); to.Caller != nil || to.Frame.File != "/app/src/work.ts" {
		t.Errorf("the program's own frame = %+v, caller %+v", to.Frame, to.Caller)
	}
	f.Frame = nil
	if to := f.Places(read); to.Frame != nil || len(to.Stack) != 3 {
		t.Errorf("without a frame: %+v", to)
	}
}

// A minified line has a call of everything: only what is at the column counts.
func TestFreezeOnAMinifiedLine(t *testing.T) {
	line := "function a(n){return/x/.test(n)}" + strings.Repeat("var q=1;", 60) + "function b(n){for(;;)n++}function c(n){return r.test(n)}"
	for part, want := range map[string]FreezeCause{"for(;;)": FreezeJavaScript, "test(n)}": FreezeRegExp} {
		column := strings.LastIndex(line, part) + 1
		f := &Freeze{Cause: FreezeJavaScript, Stack: []cdp.Frame{{Function: "b", File: "/app/a.js", Line: 1, Column: column}}}
		f.Frame = &f.Stack[0]
		if f.ReadSource([]byte(line)); f.Cause != want {
			t.Errorf("at %q the cause is %s, want %s", part, f.Cause, want)
		}
	}
}

package check

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heapsnap/cdp"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunnerOf(t *testing.T) {
	for _, test := range []struct {
		name, text, manifest string
		want                 TestRunner
		wrong                string
	}{
		{"import", `import { test } from "vitest"`, "", Vitest, ""},
		{"require", `const { test } = require('node:test');`, "", NodeTest, ""},
		{"what it imports counts more than its package", `require('node:test')`, `{"devDependencies": {"jest": "1"}}`, NodeTest, ""},
		{"jest's globals", `import { test } from '@jest/globals'`, "", Jest, ""},
		{"globals of a package with jest", `test('a', () => {})`, `{"devDependencies": {"jest": "^30.0.0"}}`, Jest, ""},
		{"globals of a package with vitest", `test('a', () => {})`, `{"dependencies": {"vitest": "^4.0.0"}}`, Vitest, ""},
		{"globals of a package with both", `test('a', () => {})`, `{"devDependencies": {"jest": "1", "vitest": "1"}}`, "", "on vitest and on jest"},
		{"globals of no package", `test('a', () => {})`, `{"devDependencies": {"mocha": "1"}}`, "", "name it, one of node, jest, vitest"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"test/a.test.js": test.text})
		if test.manifest != "" {
			write(t, dir, map[string]string{"package.json": test.manifest})
		}
		got, err := runnerOf(filepath.Join(dir, "test", "a.test.js"))
		if got != test.want || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %q, %v, want %q, %q", test.name, got, err, test.want, test.wrong)
		}
	}
}

// A test leaks a subscriber with each run; hooks, suites, subtests and modes do
// what node:test does with them, or the tests fail.
var nodeTests = map[string]string{
	"hub.js": `
		const subscribers = [];
		exports.subscribe = (fn) => { subscribers.push(fn); };
		exports.count = () => subscribers.length;`,
	"a.test.js": `
		const { test, describe, it, before, after, beforeEach, afterEach } = require('node:test');
		const assert = require('node:assert');
		const hub = require('./hub.js');
		let order = [];
		before(() => { order = ['before']; });
		after(() => { assert.deepStrictEqual(order, ['before', 'each', 'first', 'sub', 'done', 'each', 'inner each', 'inner', 'inner done', 'done', 'each', 'callback', 'done']); });
		beforeEach(() => { order.push('each'); });
		afterEach(() => { order.push('done'); });
		test('first', async (t) => {
			order.push('first');
			const f = t.mock.fn();
			f();
			assert.equal(f.mock.callCount(), 1);
			await t.test('sub', () => { order.push('sub'); });
			assert.equal(t.signal.aborted, false);
			hub.subscribe(() => t.name); // leaks
		});
		describe('suite', async () => {
			await null;
			beforeEach(() => { order.push('inner each'); });
			it('inner', function () { order.push('inner'); assert.equal(this.fullName, 'suite > inner'); });
			afterEach(() => { order.push('inner done'); });
			it.skip('skipped', () => { throw new Error('skipped'); });
		});
		test('callback', (t, done) => { order.push('callback'); setImmediate(done); });
		test('todo', { todo: true }, () => { throw new Error('todo'); });
		test.todo('nothing yet');`,
	"b.test.mjs": `
		import test, { describe, it, mock } from 'node:test';
		import assert from 'node:assert';
		import hub from './hub.js';
		test('a module', () => { assert.ok(hub.count() > 0); assert.equal(typeof mock.fn, 'function'); });
		describe('suite', () => { it('inner', () => {}); });`,
}

func TestNodeTestFiles(t *testing.T) {
	for _, node := range nodes.All(t) {
		t.Run(node.String(), func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, nodeTests)
			out := t.TempDir()
			r, err := Examine(deadline(t), Options{
				Launch: cdp.LaunchOptions{Argv: []string{node.Path}, Dir: dir}, Tests: []string{"a.test.js", "b.test.mjs"},
				Units: 7, Rounds: 3, MaxRounds: 3, Dir: out,
			}, JudgeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != report.Leak || len(r.Findings) != 1 || r.Findings[0].Location == nil || !strings.Contains(r.Findings[0].Location.Code, "hub.subscribe(() => t.name); // leaks") {
				t.Errorf("%s, findings %+v, want the one line that leaks", r.Sentence, r.Findings)
			}
			log, _ := os.ReadFile(filepath.Join(out, appLog))
			if !strings.Contains(string(log), "heapsnap: 5 tests\n") {
				t.Errorf("app.log has %q, want 5 tests", log)
			}
		})
	}
}

func TestTestFilesThatDoNotPass(t *testing.T) {
	bin := node(t)
	for _, test := range []struct{ name, text, want string }{
		{"a test fails", `const { describe, it } = require('node:test'); describe('cart', () => { it('adds up', () => { require('node:assert').equal(1, 2); }); });`,
			`round 1 of 6: load: test "cart > adds up" fails: AssertionError [ERR_ASSERTION]: 1 == 2`},
		{"a subtest fails", `require('node:test').test('cart', async (t) => { t.test('adds up', async () => { throw new TypeError('no cart'); }); });`,
			`test "cart > adds up" fails: TypeError: no cart`},
		{"a hook fails", `const { test, beforeEach } = require('node:test'); beforeEach(() => { throw new Error('no database'); }); test('cart', () => {});`,
			`test "cart" fails: Error: no database`},
		{"a test is late", `require('node:test').test('cart', { timeout: 50 }, () => new Promise(() => {}));`, `it takes longer than its timeout of 50 ms`},
		{"no test", `require('node:test').test.skip('cart', () => {});`, `have no test that is not skipped`},
		{"a file that does not load", `require('node:test'); require('./nowhere.js');`, `Cannot find module './nowhere.js'`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"a.test.js": test.text})
			_, err := Examine(deadline(t), Options{
				Launch: cdp.LaunchOptions{Argv: []string{bin}, Dir: dir}, Tests: []string{"a.test.js"}, Rounds: 4, Dir: t.TempDir(),
			}, JudgeOptions{})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "recorder.cjs") && test.name != "no test" {
				t.Errorf("Examine = %v\nwant %q, and none of our own calls", err, test.want)
			}
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "heapsnap-tests-*", "a.test.js")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// Jest and Vitest, of the versions that `make test-runners` brings.
func TestOtherTestRunners(t *testing.T) {
	bin := node(t)
	root, err := nodes.Root()
	if err != nil {
		t.Fatal(err)
	}
	installed, _ := filepath.Glob(filepath.Join(root, ".cache", "runners", "*"))
	if len(installed) == 0 {
		t.Skip("no test runner in .cache/runners: make test-runners brings them from npm")
	}
	files := map[string]map[string]string{
		"jest": {
			"hub.js": nodeTests["hub.js"],
			"a.test.js": `
				const hub = require('./hub');
				let runs = 0;
				const order = [];
				beforeAll(() => { order.length = 0; });
				beforeEach(() => { order.push('each'); });
				afterAll(() => { expect(order).toEqual(['each', 'a', 'each', 'each', 'each']); });
				test('leaks', () => { order.push('a'); hub.subscribe(() => runs++); expect(hub.count()).toBeGreaterThan(0); });
				describe('inner', () => {
					test.each([1, 2])('of %d', (n) => { expect(n).toBeGreaterThan(0); });
					it('calls back', (done) => { setTimeout(done, 1); });
					it.skip('is skipped', () => { throw new Error('skipped'); });
				});`,
			"b.test.js": `
				const { test, expect, jest: j } = require('@jest/globals');
				test('mocks', () => { const f = j.fn(); f(1); expect(f).toHaveBeenCalledWith(1); });`,
		},
		"vitest": {
			"hub.js": `const subscribers = []; export const subscribe = (fn) => { subscribers.push(fn); }; export const count = () => subscribers.length;`,
			"a.test.js": `
				import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
				import { count, subscribe } from './hub.js';
				const order = [];
				beforeAll(() => { order.length = 0; });
				beforeEach(() => { order.push('each'); return () => { order.push('done'); }; });
				afterAll(() => { expect(order).toEqual(['each', 'a', 'done', 'each', 'done', 'each', 'done']); });
				test('leaks', ({ task }) => { order.push('a'); subscribe(() => task); expect(count()).toBeGreaterThan(0); });
				describe('inner', () => {
					test.each([1, 2])('of %d', (n) => { expect(n).toBeGreaterThan(0); });
					test.skip('is skipped', () => { throw new Error('skipped'); });
				});`,
			"b.test.js": `
				import { expect, test, vi } from 'vitest';
				test('mocks', () => { const f = vi.fn(); f(1); expect(f).toHaveBeenCalledWith(1); });`,
		},
	}
	for _, dir := range installed {
		name := filepath.Base(dir)
		runner, _, _ := strings.Cut(name, "@")
		// The folder is below the runner's, where its packages are found.
		examine := func(t *testing.T, folder string, files map[string]string) (*report.Report, error) {
			app := filepath.Join(dir, folder)
			if err := os.RemoveAll(app); err != nil {
				t.Fatal(err)
			}
			write(t, app, files)
			var tests []string
			for f := range files {
				if strings.HasSuffix(f, ".test.js") {
					tests = append(tests, f)
				}
			}
			slices.Sort(tests)
			return Examine(deadline(t), Options{
				Launch: cdp.LaunchOptions{Argv: []string{bin}, Dir: app}, Tests: tests, TestRunner: TestRunner(runner),
				Units: 7, Rounds: 3, MaxRounds: 4, Dir: t.TempDir(),
			}, JudgeOptions{})
		}
		t.Run(name, func(t *testing.T) {
			r, err := examine(t, "leaks", files[runner])
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != report.Leak || len(r.Findings) != 1 || r.Findings[0].Location == nil || !strings.Contains(r.Findings[0].Location.Code, "subscribe(() =>") {
				t.Errorf("%s, findings %+v, want the one line that leaks", r.Sentence, r.Findings)
			}
		})
		t.Run(name+"/repaired", func(t *testing.T) {
			repaired := maps.Clone(files[runner])
			repaired["hub.js"] = strings.Replace(repaired["hub.js"], "subscribers.push(fn)", "subscribers[0] = fn", 1)
			r, err := examine(t, "repaired", repaired)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != report.Clean {
				t.Errorf("%s, findings %+v, want none", r.Sentence, r.Findings)
			}
		})
		head := map[string]string{"jest": "", "vitest": "import { describe, expect, test } from 'vitest';\n"}[runner]
		for _, test := range []struct{ folder, text, want string }{
			{"fails", `describe('cart', () => { test('adds up', () => { expect(1).toBe(2); }); });`, `load: test "cart > adds up" fails:`},
			{"hangs", `test('cart', () => new Promise(() => {}), 50);`, `test "cart" fails:`},
			{"broken", `throw new Error('no database');`, "no database"},
			{"skipped", `test.skip('cart', () => {});`, "heapsnap: the files have no test that is not skipped"},
		} {
			t.Run(name+"/"+test.folder, func(t *testing.T) {
				_, err := examine(t, test.folder, map[string]string{"a.test.js": head + test.text})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Examine = %v\nwant %q", err, test.want)
				}
			})
		}
	}
}

// Vitest's runner, but that the tests of its files are run by heapsnap, when all files have been loaded.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import recorder from './recorder.cjs';

const from = createRequire(process.env.HEAPSNAP_VITEST);
const { TestRunner } = await import(pathToFileURL(path.join(path.dirname(process.env.HEAPSNAP_VITEST), 'dist', 'index.js')).href);
let Base = TestRunner;
let getFn = TestRunner?.getTestFn;
let getHooks = TestRunner?.getSuiteHooks;
if (getFn === undefined) { // before Vitest 4.1
  Base = (await import(from.resolve('vitest/runners'))).VitestTestRunner;
  ({ getFn, getHooks } = await import(from.resolve('vitest/suite')));
}

// Vitest 1 and 2 let the timer of a timeout run on when the test or hook has ended, and with it what it holds. This is
// where Vitest takes its timers from.
const timers = new Set();
const safe = globalThis[Object.getOwnPropertySymbols(globalThis).find((s) => s.description === 'vitest:SAFE_TIMERS')];
if (safe !== undefined && Number.parseInt(from(process.env.HEAPSNAP_VITEST).version, 10) < 3) {
  const start = safe.setTimeout;
  safe.setTimeout = (...args) => {
    const timer = start(...args);
    timers.add(timer);
    return timer;
  };
}
function stopTimers() {
  for (const timer of timers) safe.clearTimeout(timer);
  timers.clear();
}

const all = []; // files, in the order they were loaded

export default class extends Base {
  async onBeforeRunFiles(files) {
    await super.onBeforeRunFiles?.(files);
    all.push(...files);
    // Vitest's own run is left out. It is called for each file; with what cannot be loaded it has to go on, and tells of it.
    if (!files.some(failed)) files.length = 0;
    const tests = all.reduce((n, f) => n + count(f), 0);
    if (all.length < Number(process.env.HEAPSNAP_TEST_FILES) || all.some(failed) || tests === 0) return;
    for (const file of all) await this.onBeforeRunSuite?.(file); // its snapshots
    const run = async () => {
      try {
        for (const file of all) await runSuite(this, file, []);
      } finally {
        stopTimers();
      }
    };
    recorder.serve(run, tests);
    await new Promise(() => {});
  }
}

const failed = (file) => file.result?.state === 'fail';
const skipped = (task) => task.mode === 'skip' || task.mode === 'todo';
const count = (suite) => (skipped(suite) ? 0 : suite.tasks.reduce((n, t) => n + (t.type === 'suite' ? count(t) : skipped(t) ? 0 : 1), 0));
const fullName = (task) => [task.suite?.name, task.name].filter(Boolean).join(' > ');

// What a hook returns is called when its counterpart is due, as Vitest has it.
async function before(list, args, then) {
  for (const fn of list) {
    const cleanup = await fn(...args);
    if (typeof cleanup === 'function') then.unshift(cleanup);
  }
}

async function runSuite(runner, suite, outer) {
  if (count(suite) === 0) return;
  const hooks = getHooks(suite);
  const cleanups = [];
  try {
    await before(hooks.beforeAll, [suite], cleanups);
    for (const task of suite.tasks) {
      if (skipped(task)) continue;
      if (task.type === 'suite') await runSuite(runner, task, [...outer, hooks]);
      else await runTest(runner, task, [...outer, hooks]);
    }
  } finally {
    for (const fn of hooks.afterAll) await fn(suite);
    for (const fn of cleanups) await fn();
  }
}

async function runTest(runner, test, suites) {
  const cleanups = [];
  // Vitest listens to be cancelled with every run of a test, of which it expects one.
  if (test.context.signal) test.context.signal.addEventListener = () => {};
  try {
    await runner.onBeforeRunTask?.(test);
    runner.onBeforeTryTask?.(test, { retry: 0, repeats: 0 });
    try {
      for (const h of suites) await before(h.beforeEach, [test.context, test.suite], cleanups);
      await getFn(test)();
    } finally {
      for (const h of [...suites].reverse()) for (const fn of h.afterEach) await fn(test.context, test.suite);
      for (const fn of cleanups) await fn();
      for (const fn of (test.onFinished ?? []).splice(0)) await fn(test.context);
      test.onFailed?.splice(0);
    }
    runner.onAfterTryTask?.(test, { retry: 0, repeats: 0 });
  } catch (err) {
    throw recorder.failure(fullName(test), err);
  }
}

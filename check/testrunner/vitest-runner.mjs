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

const all = []; // files, in the order they were loaded

export default class extends Base {
  // Vitest's own run of the tests is left out.
  async runSuite() {}
  async onBeforeRunFiles(files) {
    await super.onBeforeRunFiles?.(files);
    all.push(...files);
    if (all.length < Number(process.env.HEAPSNAP_TEST_FILES)) return;
    const failed = all.find((f) => f.result?.state === 'fail');
    if (failed) {
      console.error(`heapsnap: ${failed.filepath} cannot be loaded: ${failed.result.errors?.[0]?.stack ?? ''}`);
      process.exit(1);
    }
    for (const file of all) await this.onBeforeRunSuite?.(file); // its snapshots
    const run = async () => {
      for (const file of all) await runSuite(this, file, []);
    };
    recorder.serve(run, all.reduce((n, f) => n + count(f), 0));
    await new Promise(() => {});
  }
}

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

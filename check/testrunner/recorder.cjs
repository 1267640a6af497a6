// The tree of suites and tests that test files register, and one run of all of it. Test frameworks keep what they have
// run, for their reports; here nothing of a run is kept, so what grows from run to run is what the tests leave behind.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');

class Suite {
  constructor(name, parent) {
    this.name = name;
    this.parent = parent;
    this.skip = parent?.skip ?? false;
    this.only = false;
    this.children = []; // suites and tests, in their order
    this.before = []; // hooks: { fn, timeout }
    this.after = [];
    this.beforeEach = [];
    this.afterEach = [];
  }

  get fullName() {
    return [this.parent?.fullName, this.name].filter(Boolean).join(' > ');
  }
}

class Test {
  constructor(name, suite, fn, { skip = false, only = false, timeout } = {}) {
    this.name = name;
    this.suite = suite;
    this.fn = fn;
    this.skip = skip || suite.skip || fn === undefined;
    this.only = only;
    this.timeout = timeout;
  }

  get fullName() {
    return [this.suite.fullName, this.name].filter(Boolean).join(' > ');
  }
}

class TestFailure extends Error {
  constructor(where, err) {
    const lines = String(err?.stack ?? err).split('\n').filter((line) => !line.includes(__dirname)); // our own calls
    super(`test "${where}" fails: ${lines.join('\n')}`);
    this.stack = this.message; // where it was noticed says nothing
  }
}

const failure = (where, err) => (err instanceof TestFailure ? err : new TestFailure(where, err));

// within gives up when something takes longer than its timeout in milliseconds.
function within(timeout, made) {
  if (!(timeout > 0 && timeout < 2 ** 31) || typeof made?.then !== 'function') return made;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes longer than its timeout of ${timeout} ms`)), timeout);
  });
  return Promise.race([made, late]).finally(() => clearTimeout(timer));
}

// callWithDone calls fn, which has its callback last if it takes so many arguments.
function callWithDone(fn, self, args) {
  if (fn.length <= args.length) return fn.apply(self, args);
  return new Promise((resolve, reject) => {
    fn.call(self, ...args, (err) => (err ? reject(err) : resolve()));
  });
}

class Recorder {
  #current = new AsyncLocalStorage(); // the suite whose function is running, also after an await in it
  #loading = [];

  // frame has what the framework is like: context(test), what a test and its hooks are called with, and end(context).
  constructor(frame) {
    this.frame = frame;
    this.root = new Suite('', null);
    this.file = this.root; // the suite of the file that is being loaded
  }

  get suite() {
    return this.#current.getStore() ?? this.file;
  }

  // load loads a file into a suite of its own: its hooks are for its tests.
  async load(loading) {
    this.file = new Suite('', this.root);
    this.root.children.push(this.file);
    await loading();
    while (this.#loading.length > 0) await this.#loading.shift(); // suites whose function is async
    this.file = this.root;
  }

  addTest(name, fn, options) {
    this.suite.children.push(new Test(name, this.suite, fn, options));
  }

  addSuite(name, fn, { skip = false, only = false } = {}, ...args) {
    const inner = new Suite(name, this.suite);
    inner.skip ||= skip;
    inner.only = only;
    inner.parent.children.push(inner);
    if (fn === undefined) return;
    const made = this.#current.run(inner, () => fn(...args));
    if (typeof made?.then === 'function') this.#loading.push(made);
  }

  addHook(kind, fn, timeout) {
    this.suite[kind].push({ fn, timeout });
  }

  count() {
    return [...this.tests(this.root)].filter((t) => !t.skip).length;
  }

  *tests(suite) {
    for (const child of suite.children) {
      if (child instanceof Suite) yield* this.tests(child);
      else yield child;
    }
  }

  // onlyMarked skips what is not marked by .only, if anything is.
  onlyMarked() {
    const marked = (x) => x.only || (x instanceof Suite && x.children.some(marked));
    const narrow = (suite) => {
      if (!suite.children.some(marked)) return;
      for (const child of suite.children) {
        if (!marked(child)) child.skip = true;
        else if (child instanceof Suite) narrow(child);
      }
    };
    narrow(this.root);
  }

  async run() {
    await this.#runSuite(this.root, []);
  }

  async hooks(list, self, args) {
    for (const h of list) await within(h.timeout, callWithDone(h.fn, self, args));
  }

  async #runSuite(suite, outer) {
    if (suite.skip || ![...this.tests(suite)].some((t) => !t.skip)) return;
    const { self, args } = this.frame.suiteContext(suite);
    try {
      try {
        await this.hooks(suite.before, self, args);
        for (const child of suite.children) {
          if (child instanceof Suite) await this.#runSuite(child, [...outer, suite]);
          else if (!child.skip) await this.runTest(child, [...outer, suite]);
        }
      } finally {
        await this.hooks(suite.after, self, args);
      }
    } catch (err) {
      throw failure(suite.fullName || 'file', err);
    }
  }

  async runTest(test, suites) {
    const context = this.frame.context(test, this);
    const { self, args } = context;
    try {
      try {
        for (const s of suites) await this.hooks(s.beforeEach, self, args);
        await within(test.timeout, callWithDone(test.fn, self, args));
        await context.settled?.();
      } finally {
        for (const s of [...suites].reverse()) await this.hooks(s.afterEach, self, args);
        await context.end?.();
      }
    } catch (err) {
      throw failure(test.fullName, err);
    }
  }
}

// refuse ends the process for a file that cannot be loaded.
function refuse(err) {
  const lines = String(err?.stack ?? err).split('\n').filter((line) => !line.includes(__dirname));
  console.error(lines.slice(0, 6).join('\n'));
  process.exit(1);
}

// serve hands the runs to heapsnap, and keeps the process up.
function serve(run, count) {
  if (count === 0) {
    console.error('heapsnap: the files have no test that is not skipped');
    process.exit(1);
  }
  console.log(`heapsnap: ${count} ${count === 1 ? 'test' : 'tests'}`);
  setInterval(() => {}, 2 ** 30);
  globalThis.heapsnapTests = run;
}

module.exports = { Recorder, Test, failure, refuse, serve };

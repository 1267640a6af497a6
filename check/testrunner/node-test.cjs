// Runs test files that are written with node:test, again and again in this one process: heapsnap check --test.
//
// The files are loaded once. In the place of node:test they get functions that only note what they are given; one run
// is then all of it: hooks, suites, tests, and subtests as they come.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const Module = require('node:module');
const { pathToFileURL } = require('node:url');
const real = require('node:test');
const { Recorder, Test, refuse, serve } = require('./recorder.cjs');

// node:test takes (name, options, fn), each of which may be left out.
function given(args) {
  const rest = [...args];
  const name = typeof rest[0] === 'string' ? rest.shift() : undefined;
  const options = typeof rest[0] === 'object' && rest[0] !== null ? rest.shift() : {};
  const fn = typeof rest[0] === 'function' ? rest.shift() : undefined;
  return { name: name || fn?.name || '<anonymous>', fn, options: { skip: Boolean(options.skip || options.todo), timeout: options.timeout } };
}

// What a test is called with: the parts of node:test's context that tests use.
class Context {
  #mock;
  #abort;
  #test;
  #recorder;
  #subtests = [];
  #begun = false;
  #hooks = { before: [], after: [], beforeEach: [], afterEach: [] };

  constructor(test, recorder) {
    this.#test = test;
    this.#recorder = recorder;
    for (const kind of Object.keys(this.#hooks)) this[kind] = (fn, options) => { this.#hooks[kind].push({ fn, timeout: options?.timeout }); };
    this.test = Object.assign((...args) => this.#subtest(args), {
      skip: async () => {}, todo: async () => {}, only: (...args) => this.#subtest(args), test: (...args) => this.#subtest(args),
    });
  }

  get name() { return this.#test.name; }
  get fullName() { return this.#test.fullName; }
  get signal() { return (this.#abort ??= new AbortController()).signal; }
  get mock() { return (this.#mock ??= new real.mock.constructor()); }
  get assert() { return { ...assert, snapshot() {}, fileSnapshot() {} }; }
  diagnostic() {}
  plan() {}
  runOnly() {}
  skip() {}
  todo() {}

  async waitFor(condition, { interval = 50, timeout = 1000 } = {}) {
    const started = Date.now();
    for (;;) {
      try {
        return await condition();
      } catch (err) {
        if (Date.now() - started > timeout) throw err;
        await new Promise((done) => setTimeout(done, interval));
      }
    }
  }

  // One after the other, also where they are not awaited.
  #subtest(args) {
    const { name, fn, options } = given(args);
    const inner = new Test(name, { fullName: this.fullName, skip: false }, fn, options);
    const before = this.#subtests.at(-1) ?? Promise.resolve();
    const made = before.then(async () => {
      if (inner.skip) return;
      const r = this.#recorder;
      if (!this.#begun) {
        this.#begun = true;
        await r.hooks(this.#hooks.before, this, [this]);
      }
      await r.hooks(this.#hooks.beforeEach, this, [this]);
      await r.runTest(inner, []);
      await r.hooks(this.#hooks.afterEach, this, [this]);
    });
    made.catch(() => {}); // it is awaited when the test has ended
    this.#subtests.push(made);
    return made;
  }

  async settled() {
    await Promise.all(this.#subtests);
  }

  async end() {
    await this.#recorder.hooks(this.#hooks.after, this, [this]);
    this.#mock?.reset();
    this.#abort?.abort();
  }
}

const recorder = new Recorder({
  suiteContext(suite) {
    const self = { name: suite.name, fullName: suite.fullName, signal: new AbortController().signal };
    return { self, args: [self] };
  },
  context(test, r) {
    const context = new Context(test, r);
    return { self: context, args: [context], settled: () => context.settled(), end: () => context.end() };
  },
});

function withModes(add) {
  const mode = (more) => async (...args) => {
    const { name, fn, options } = given(args);
    add(name, fn, { ...options, ...more });
  };
  return Object.assign(mode({}), { skip: mode({ skip: true }), todo: mode({ skip: true }), only: mode({}) }); // only counts with --test-only
}

const test = withModes((name, fn, options) => recorder.addTest(name, fn, options));
const describe = withModes((name, fn, options) => recorder.addSuite(name, options.skip ? undefined : fn, options, { name, signal: new AbortController().signal }));
const hook = (kind) => (fn, options) => recorder.addHook(kind, fn, options?.timeout);

const standIn = Object.assign(test, {
  test,
  it: withModes((name, fn, options) => recorder.addTest(name, fn, options)),
  describe,
  suite: describe,
  before: hook('before'),
  after: hook('after'),
  beforeEach: hook('beforeEach'),
  afterEach: hook('afterEach'),
});
// What else node:test has on this Node: mock, run, and others.
for (const [name, value] of Object.entries(real)) if (!(name in standIn)) standIn[name] = value;

const load = Module._load;
Module._load = function (request, ...rest) {
  return request === 'node:test' ? standIn : load.call(this, request, ...rest);
};

// import asks a hook, which gives a module of its own: it finds the functions by a key.
const KEY = 'heapsnap.node-test';
globalThis[Symbol.for(KEY)] = standIn;
const names = Object.keys(standIn).filter((n) => n !== 'default' && n !== 'test.test');
const shimURL = `data:text/javascript,${encodeURIComponent(`const s = globalThis[Symbol.for(${JSON.stringify(KEY)})];
export default s;
${names.map((n) => `export const ${n} = s[${JSON.stringify(n)}];`).join('\n')}`)}`;
if (typeof Module.registerHooks === 'function') {
  Module.registerHooks({
    resolve: (specifier, context, next) => (specifier === 'node:test' ? { url: shimURL, format: 'module', shortCircuit: true } : next(specifier, context)),
  });
} else {
  Module.register('./hooks.mjs', { parentURL: pathToFileURL(__filename), data: { url: shimURL } });
}

async function main() {
  for (const file of process.argv.slice(2)) {
    await recorder.load(() => import(pathToFileURL(path.resolve(file)).href));
  }
  serve(() => recorder.run(), recorder.count());
}

main().catch(refuse);

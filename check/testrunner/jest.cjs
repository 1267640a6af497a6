// A test runner for Jest (--testRunner), with which its files run again and again in one process: heapsnap check --test.
//
// jest-circus sets up what it always does, expect and mocks and the files of the configuration. Then the functions that
// register tests are replaced by ones that note them, and the file is loaded. The last file's one test of jest-circus
// never ends; meanwhile heapsnap has the noted tests run. HEAPSNAP_TEST_FILES says how many files there are.
'use strict';

const path = require('node:path');
const { Recorder, serve } = require('./recorder.cjs');

const KEY = Symbol.for('heapsnap.jest');
const recorders = [];

module.exports = async function (globalConfig, config, environment, runtime, testPath, ...rest) {
  const from = { paths: [config.rootDir, globalConfig.rootDir] };
  const circusPath = require.resolve('jest-circus/runner', from);
  const loaded = require(circusPath);
  const circus = loaded.default ?? loaded;
  const { bind } = require(require.resolve('jest-each', { paths: [path.dirname(circusPath)] }));
  const recorder = new Recorder({
    suiteContext: () => ({ self: undefined, args: [] }),
    context: () => ({ self: undefined, args: [] }),
  });
  recorders.push(recorder);
  const last = recorders.length === Number(process.env.HEAPSNAP_TEST_FILES);

  const names = install(recorder, bind);
  // Also what import { test } from '@jest/globals' gives.
  const setGlobals = runtime.setGlobalsForRuntime;
  let realTest;
  runtime.setGlobalsForRuntime = (globals) => {
    realTest = globals.test;
    setGlobals.call(runtime, { ...globals, ...names });
  };
  environment.global[KEY] = () => {
    for (const [name, value] of Object.entries(names)) if (name in environment.global) environment.global[name] = value;
    realTest('heapsnap', last ? () => new Promise(() => {
      recorder.onlyMarked();
      // After the files' own loading has come to an end.
      setImmediate(() => serve(runAll, recorders.reduce((n, r) => n + r.count(), 0)));
    }) : () => recorder.onlyMarked(), 2 ** 31 - 1);
  };
  if (!last) { // its modules stay in use
    environment.teardown = async () => {};
    runtime.teardown = () => {};
  }
  const setup = path.join(__dirname, 'jest-setup.cjs');
  return circus(globalConfig, { ...config, setupFilesAfterEnv: [...config.setupFilesAfterEnv, setup] }, environment, runtime, testPath, ...rest);
};

async function runAll() {
  for (const r of recorders) await r.run();
}

function install(recorder, bind) {
  const adder = (add, more) => {
    const f = (name, fn, timeout) => add(typeof name === 'function' ? name.name : String(name), fn, { timeout: timeout ?? 5000, ...more });
    f.each = bind(f);
    return f;
  };
  const test = (name, fn, options) => recorder.addTest(name, fn, options);
  const failing = (name, fn, options) => recorder.addTest(name, fn && (async () => {
    try {
      await fn();
    } catch {
      return;
    }
    throw new Error('it was to fail and does not');
  }), options);
  const suite = (name, fn, options) => recorder.addSuite(name, fn, options);
  const modes = (add) => Object.assign(adder(add, {}), {
    only: adder(add, { only: true }), skip: adder(add, { skip: true }), todo: adder(add, { skip: true }),
  });
  const it = modes(test);
  it.failing = modes(failing);
  it.concurrent = modes(test); // one after the other: rounds are to be alike
  const describe = modes(suite);
  const hook = (kind) => (fn, timeout) => recorder.addHook(kind, fn, timeout ?? 5000);
  return {
    test: it, it, fit: it.only, xit: it.skip, xtest: it.skip,
    describe, fdescribe: describe.only, xdescribe: describe.skip,
    beforeAll: hook('before'), afterAll: hook('after'), beforeEach: hook('beforeEach'), afterEach: hook('afterEach'),
  };
}

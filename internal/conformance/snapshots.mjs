// snapshots.mjs: makes the snapshots that the conformance test compares.
//
//   node internal/conformance/snapshots.mjs OUTDIR NAME=NODE...     e.g. node24=/usr/bin/node
//   node internal/conformance/snapshots.mjs OUTDIR chromium[=BINARY]
//
// A Node binary runs program.cjs in every mode and yields
// NAME-MODE-1.heapsnapshot and NAME-MODE-2.heapsnapshot. Chromium opens page.html
// and yields chromium-MODE-1 and -2.

import {spawn, spawnSync} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const modes = ['plain', 'internals', 'numeric', 'tracking'];

function node(name, binary, dir) {
  for (const mode of modes) {
    const out = path.join(dir, `${name}-${mode}`);
    const run = spawnSync(binary, ['--expose-gc', path.join(here, 'program.cjs'), mode, out], {stdio: ['ignore', 2, 2]});
    if (run.status !== 0) {
      throw new Error(`${binary} program.cjs ${mode} ended with ${run.status ?? run.signal ?? run.error}`);
    }
  }
}

// Pipe speaks CDP over --remote-debugging-pipe: JSON messages that end in NUL.
class Pipe {
  constructor(child) {
    this.child = child;
    this.calls = new Map();
    this.listeners = new Set();
    this.last = 0;
    let rest = [];
    child.stdio[4].on('data', data => {
      for (let end; (end = data.indexOf(0)) !== -1; data = data.subarray(end + 1)) {
        rest.push(data.subarray(0, end));
        this.receive(JSON.parse(Buffer.concat(rest).toString()));
        rest = [];
      }
      rest.push(data);
    });
  }
  receive(message) {
    if (message.id) {
      const {resolve, reject} = this.calls.get(message.id);
      this.calls.delete(message.id);
      message.error ? reject(new Error(message.error.message)) : resolve(message.result);
    } else {
      this.listeners.forEach(f => f(message));
    }
  }
  send(method, params = {}, sessionId) {
    const id = ++this.last;
    this.child.stdio[3].write(JSON.stringify({id, method, params, sessionId}) + '\0');
    return new Promise((resolve, reject) => this.calls.set(id, {resolve, reject}));
  }
  event(method, f) {
    const listener = message => message.method === method && f(message.params);
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

async function chromium(binary, dir) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'conformance-chromium-'));
  const child = spawn(binary, [
    '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`, '--js-flags=--expose-gc',
    '--remote-debugging-pipe', 'about:blank',
  ], {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
  const exited = new Promise(resolve => child.once('exit', resolve));
  try {
    const pipe = new Pipe(child);
    const page = pathToFileURL(path.join(here, 'page.html')).href;
    const {targetId} = await pipe.send('Target.createTarget', {url: page});
    const {sessionId} = await pipe.send('Target.attachToTarget', {targetId, flatten: true});
    const call = (method, params) => pipe.send(method, params, sessionId);
    const evaluate = expression => call('Runtime.evaluate', {expression, awaitPromise: true});
    await call('HeapProfiler.enable');
    for (const [mode, params] of Object.entries({
      plain: {}, internals: {exposeInternals: true, captureNumericValue: true}, numeric: {captureNumericValue: true},
    })) {
      await evaluate(`new Promise(resolve => document.readyState === 'complete' ? resolve() : addEventListener('load', resolve))
        .then(() => start())`);
      for (const capture of [1, 2]) {
        const file = fs.createWriteStream(path.join(dir, `chromium-${mode}-${capture}.heapsnapshot`));
        const off = pipe.event('HeapProfiler.addHeapSnapshotChunk', ({chunk}) => file.write(chunk));
        await call('HeapProfiler.collectGarbage');
        await call('HeapProfiler.takeHeapSnapshot', {reportProgress: false, ...params});
        off();
        await new Promise(resolve => file.end(resolve));
        await evaluate('change()');
      }
    }
    await pipe.send('Browser.close').catch(() => {});
  } finally {
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
    fs.rmSync(profile, {recursive: true, force: true});
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(path.delimiter).map(d => path.join(d, name)).find(p => fs.existsSync(p));
}

const [dir, ...sources] = process.argv.slice(2);
if (!sources.length) {
  console.error('usage: snapshots.mjs OUTDIR NAME=NODE... | chromium[=BINARY]');
  process.exit(2);
}
fs.mkdirSync(dir, {recursive: true});
for (const source of sources) {
  const [name, given] = source.split('=');
  if (name !== 'chromium') {
    node(name, given ?? name, dir);
    continue;
  }
  const binary = given ?? onPath('chromium') ?? onPath('chromium-browser') ?? onPath('google-chrome');
  if (!binary) {
    console.error('chromium is not on PATH; its page is left out (Debian: apt-get install chromium)');
    continue;
  }
  await chromium(binary, dir);
}

// A program that fills memory in the way that its first argument says, up to so many MiB, says that it is ready, and
// when a line arrives on its standard input goes on until it dies.
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const [kind, size] = isMainThread ? process.argv.slice(2) : workerData;
const MiB = 2 ** 20;
globalThis.kept = [];
let n = 0;

class Session {
  constructor(id) {
    this.id = id;
    this.tags = ['a', 'b', String(id)];
  }
}

const fills = {
  heap() {
    for (let i = 0; i < 2000; i++) kept.push(new Session(++n));
    return process.memoryUsage().heapUsed;
  },
  buffers() {
    kept.push(Buffer.alloc(MiB, 1));
    return kept.length * MiB;
  },
  // Of many small blocks one in forty stays: the rest of their pages is of no use to anybody.
  fragments() {
    const some = [];
    for (let bytes = 0; bytes < 40 * MiB; bytes += some.at(-1).length) some.push(Buffer.allocUnsafeSlow(1000 + (some.length % 37) * 16).fill(1));
    for (let i = 0; i < some.length; i += 40) kept.push(some[i]);
    n += 40 * MiB;
    return n;
  },
  nothing: () => Infinity,
};

// The fragments of all rounds at once: freed ones would be used again.
function fragmentAll(bytes) {
  const all = [];
  for (let sum = 0; sum < bytes; sum += all.at(-1).length) all.push(Buffer.allocUnsafeSlow(1000 + (all.length % 37) * 16).fill(1));
  for (let i = 0; i < all.length; i += 40) kept.push(all[i]);
}

function until(fill, bytes, done) {
  for (let i = 0; i < 5; i++) if (fill() >= bytes) return done();
  setImmediate(until, fill, bytes, done);
}

function ready() {
  setInterval(() => kept.length, 1e6);
  if (!isMainThread) parentPort.postMessage('ready');
  else if (process.send) process.send('ready');
  else console.log('ready');
}

function onward(then) {
  if (!isMainThread) parentPort.once('message', then);
  else if (process.send) process.once('message', then);
  else process.stdin.once('data', then);
}

if (kind === 'worker') {
  const w = new Worker(__filename, { workerData: ['heap', size], resourceLimits: { maxOldGenerationSizeMb: Math.round(size * 1.15) } });
  w.once('message', () => {
    console.log('ready');
    process.stdin.once('data', () => w.postMessage('on'));
  });
} else if (kind === 'child') {
  const child = require('child_process').fork(__filename, ['buffers', size], { execArgv: [] });
  child.once('message', () => {
    console.log('ready');
    process.stdin.once('data', () => child.send('on'));
  });
  child.once('exit', () => process.exit(1));
} else if (kind === 'fragments') {
  fragmentAll(size * MiB);
  ready();
  onward(() => until(fills.fragments, Infinity, () => {}));
} else if (kind === 'garbage') {
  // Much that nobody needs any more, and little that lives.
  let all = [];
  for (let i = 0; i < size * 9000; i++) all.push(new Session(i));
  all = null;
  ready();
} else if (kind === 'abort') {
  ready();
  onward(() => process.abort());
} else {
  until(fills[kind], size * MiB, () => {
    ready();
    onward(() => until(fills[kind], Infinity, () => {}));
  });
}

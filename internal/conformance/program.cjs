// program.cjs: a heap with a little of everything, captured twice.
//
//   NODE --expose-gc internal/conformance/program.cjs MODE OUT
//
// MODE is plain (v8.writeHeapSnapshot), internals (DevTools' own options:
// exposeInternals and captureNumericValue), numeric (captureNumericValue alone)
// or tracking (allocation stacks). Writes OUT-1.heapsnapshot and
// OUT-2.heapsnapshot; between the two, things are added, dropped and moved.

'use strict';
const {AsyncLocalStorage} = require('node:async_hooks');
const {EventEmitter, once, setMaxListeners} = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const inspector = require('node:inspector');
const net = require('node:net');
const v8 = require('node:v8');
const vm = require('node:vm');
const zlib = require('node:zlib');
const {Worker, MessageChannel} = require('node:worker_threads');

const [mode, out] = process.argv.slice(2);
const heap = globalThis.heap = {};

class Session {
  constructor(i) {
    this.i = i;
    this.tags = [`tag ${i}`, i + 0.5];
    this.parent = null;
  }
}
const Other = {Session: class Session { constructor() { this.other = {}; } }}.Session;  // same name, other place
const named = name => ({[name]: class { constructor() { this.self = this; } }})[name];

heap.classes = [];
heap.shapes = [
  {}, {a: 'x'}, {b: 'y', a: 'x'}, {a: 'x', b: 'y', c: {}}, {x: 1, y: []}, {x: 2, y: []}, {x: 1.5, y: ['z']},
  {'a,b': 'q', '{': 'r', '"': 's', "it's": 't', '}': 'u'}, {'a,b': 'q', '{': 'r', '"': 's', "it's": 't', '}': 'u'},
  {'\u00e9\u4e2d': 'v', '\u{1f600}': 'w', '\ud800': 'lone', '\n\t': 'control', '<&>': 'html', '\u2028': 'separator'},
  {'\u00e9\u4e2d': 'v', '\u{1f600}': 'w', '\ud800': 'lone', '\n\t': 'control', '<&>': 'html', '\u2028': 'separator'},
  Object.create(null, {n: {value: 'null prototype', enumerable: true}}),
  {['__proto__']: 'own', after: 'z'}, {['__proto__']: 'own', after: 'z'},
  Object.fromEntries(Array.from({length: 40}, (_, i) => [`property${i}`, `value${i}`])),
  Object.fromEntries(Array.from({length: 40}, (_, i) => [`property${i}`, `other${i}`])),
  Object.fromEntries([['p'.repeat(130), 'long'], ['q', 'short']]),
  Object.fromEntries([['p'.repeat(130), 'long'], ['q', 'short']]),
  {7: 'element', 8: 'element', name: 'both'}, {get accessor() { return 1; }, set accessor(v) {}},
];

function strings(i) {
  let cons = `cons ${i} `;
  for (let k = 0; k < 40; k++) {
    cons = cons + `${i} piece number ${k} of the rope; `;
  }
  return {
    cons,
    right: 'left ' + (`right part that is long enough ${i} ` + cons),
    sliced: `a string that is long enough to be sliced ${i}`.repeat(3).slice(5, 60),
    flat: Buffer.from(`flat string ${i}`).toString('latin1'),
    wide: `wide \u4e2d\u6587 \u{1f600} \ud800 ${i}`,
    zero: `nul \0 quote " backslash \\ ${i}`,
    long: `x${i}`.repeat(1000),
    same: Buffer.from('the same text again and again').toString(),
  };
}

function* generator(a) {
  const held = {a};
  yield held;
  yield a;
}

async function waits(promise, i) {
  const local = {waiting: i};
  await promise;
  return local;
}

function fill(from, to) {
  for (let i = from; i < to; i++) {
    heap.sessions.set(`session ${i}`, new Session(i));
    heap.byObject.set(new Session(i), {meta: `meta ${i}`});
    heap.set.add(`member ${i}`).add(Symbol(`symbol ${i}`));
    const key = {key: i, name: `key ${i}`};
    heap.keys.push(key);
    heap.weakMap.set(key, {value: `value ${i}`, back: i % 2 ? key : null});
    heap.weakMap2.set(key, [`shared ${i}`]);
    heap.weakSet.add(key);
    heap.weakRefs.push(new WeakRef(key));
    heap.registry.register(key, `token ${i}`);
    const captured = {captured: i};
    heap.closures.push(() => captured, function() { return heap.keys[i]; }.bind(captured, 1, 'bound'));
    heap.strings.push(strings(i));
    heap.promises.push(Promise.resolve({settled: i}), waits(heap.gate, i), heap.gate.then(v => [v, i]));
    const g = generator({generated: i});
    g.next();
    heap.generators.push(g);
    heap.buffers.push(Buffer.alloc(10 + i), Buffer.from(`pooled ${i}`), new Float64Array(20), new Uint8Array(100).subarray(5));
    heap.numbers.push(i, i + 0.25, -0, NaN, 2 ** 40 + i, BigInt(2) ** BigInt(70 + i));
    heap.emitter.on(`event ${i % 3}`, () => captured);
    heap.emitter.once('first', () => i);
    heap.target.addEventListener('change', () => captured);
    heap.timers.push(setInterval(() => captured, 1e6 + i));
    heap.errors.push(new Error(`error ${i}`));
    heap.regexps.push(new RegExp(`(a|b${i})+`, 'gi'));
    heap.proxies.push(new Proxy(captured, {get: (t, p) => t[p]}));
    heap.scripts.push(new Function('a', `return a + ${i}`), vm.runInThisContext(`({evaluated: ${i}})`, {filename: `file${i}.js`}));
    heap.storage.run({store: i}, () => heap.stored.push(new Promise(() => {}), setTimeout(() => {}, 1e6)));
    heap.classes.push(new (named('<div id="a">'))(), new (named('Detached <p class=b>'))(), new Other(), new (named('system / Fake'))());
    heap.list = {next: heap.list, data: {linked: i}};
    heap.sparse[i * 1000] = {sparse: i};
    heap.dictionary[`key ${i}`] = {in: 'dictionary'};
    delete heap.dictionary[`key ${i - 1}`];
  }
}

// Streams, sockets, workers and other contexts: what has a native part.
async function natives() {
  const server = heap.server = http.createServer((request, response) => {
    heap.responses.push(response);
    response.write('held open');
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const requests = [];
  for (let i = 0; i < 3; i++) {
    const request = http.get({port: server.address().port, host: '127.0.0.1', agent: false, path: `/${i}`});
    heap.requests.push(request);
    requests.push(once(request, 'response'));
  }
  await Promise.all(requests);
  heap.socket = net.connect(server.address().port, '127.0.0.1');
  await once(heap.socket, 'connect');
  heap.zlib = [zlib.createGzip(), zlib.createInflate()];
  heap.channel = new MessageChannel();
  heap.channel.port1.on('message', () => {});
  heap.worker = new Worker('setInterval(() => {}, 1e6); require("worker_threads").parentPort.postMessage({up: 1})', {eval: true});
  await once(heap.worker, 'message');
  heap.context = vm.createContext({inside: {sandbox: 'value'}});
  vm.runInContext('class Inner { constructor() { this.x = {inner: 1}; } }; inside.list = [new Inner(), new Map([[{}, []]])]', heap.context);
  vm.runInContext('globalThis.shared = inside', heap.context);
  heap.abort = new AbortController();
  heap.signals = [AbortSignal.any ? AbortSignal.any([heap.abort.signal]) : heap.abort.signal, AbortSignal.timeout(1e6)];
  heap.wasm = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(
      '0061736d0100000001070160027f7f017f030201000503010001070801046d61696e00000a09010700200020016a0b', 'hex')));
  heap.intl = [new Intl.NumberFormat('de'), new Intl.DateTimeFormat('en'), new Intl.Segmenter('en')];
  heap.other = [new Date(0), new URL('https://example.com/?q=1'), new TextDecoder(), new SharedArrayBuffer(64),
                new DataView(new ArrayBuffer(16)), new Blob(['blob']), performance, new Boolean(true), new String('boxed')];
  heap.watcher = fs.watch(__dirname, () => {});
}

async function start() {
  let open;
  heap.gate = new Promise(resolve => { open = resolve; });
  Object.assign(heap, {
    open, sessions: new Map(), byObject: new Map(), set: new Set(), keys: [], weakMap: new WeakMap(), weakMap2: new WeakMap(),
    weakSet: new WeakSet(), weakRefs: [], registry: new FinalizationRegistry(() => {}), closures: [], strings: [],
    promises: [], generators: [], buffers: [], numbers: [], emitter: new EventEmitter().setMaxListeners(0),
    target: new EventTarget(), timers: [], errors: [], regexps: [], proxies: [], scripts: [], stored: [],
    storage: new AsyncLocalStorage(), list: null, sparse: [], dictionary: {}, responses: [], requests: [],
  });
  setMaxListeners(0, heap.target);
  fill(0, 20);
  await natives();
}

const session = new inspector.Session();
const post = (method, params) => new Promise((resolve, reject) => {
  session.post(method, params, (error, result) => error ? reject(error) : resolve(result));
});

async function capture(name) {
  globalThis.gc?.();
  await new Promise(resolve => setTimeout(resolve, 100));
  if (mode === 'plain' || mode === 'tracking') {
    // Allocations of a chunk handler would enter the trace tree after the table
    // of its functions was written, and DevTools cannot open such a file.
    v8.writeHeapSnapshot(name);
    return;
  }
  const fd = fs.openSync(name, 'w');
  const write = ({params}) => fs.writeSync(fd, params.chunk);
  session.on('HeapProfiler.addHeapSnapshotChunk', write);
  await post('HeapProfiler.takeHeapSnapshot', {
    reportProgress: false, captureNumericValue: true, exposeInternals: mode === 'internals',
    treatGlobalObjectsAsRoots: mode !== 'internals',
  });
  session.off('HeapProfiler.addHeapSnapshotChunk', write);
  fs.closeSync(fd);
}

(async () => {
  if (mode !== 'plain') {
    session.connect();
    await post('HeapProfiler.enable');
  }
  if (mode === 'tracking') {
    await post('HeapProfiler.startTrackingHeapObjects', {trackAllocations: true});
  }
  await start();
  await capture(`${out}-1.heapsnapshot`);
  fill(20, 35);
  heap.sessions.delete('session 3');
  heap.keys.splice(0, 5);
  heap.shapes.push(...Array.from({length: 30}, (_, i) => ({fresh: `${i}`, shape: []})));
  heap.shapes[1].b = 'now of another shape';
  heap.moved = heap.strings.splice(2, 3);
  await capture(`${out}-2.heapsnapshot`);
  process.exit(0);
})();

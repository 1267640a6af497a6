// Loads Node's modules and uses a little of each, so that the heap has the names
// that belong to Node. See `make vocabulary`.
const { builtinModules } = require('module');
for (const name of builtinModules) {
  if (!/^(_|sys$|punycode$|inspector|repl|test|wasi|trace_events)/.test(name)) {
    try { require(name); } catch {}
  }
}
process.removeAllListeners('warning');
process.on('warning', () => {});
const http = require('http'), https = require('https'), net = require('net'), fs = require('fs'), v8 = require('v8');
const { EventEmitter, once } = require('events');
const { Worker, MessageChannel } = require('worker_threads');
const { AsyncLocalStorage } = require('async_hooks');
const { Readable, Writable, Transform, pipeline } = require('stream');
const { spawn } = require('child_process');
const zlib = require('zlib'), crypto = require('crypto'), vm = require('vm'), perf = require('perf_hooks');

const kept = [];
const keep = (x) => (kept.push(x), x);

(async () => {
  const server = keep(http.createServer((req, res) => { keep(req); keep(res); res.setHeader('content-type', 'text/plain'); res.end('ok'); }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = keep(new http.Agent({ keepAlive: true }));
  const request = keep(http.request({ port: server.address().port, host: '127.0.0.1', agent, method: 'POST', headers: { accept: '*/*' } }));
  request.end('x');
  const [response] = await once(request, 'response');
  keep(response).resume();
  await once(response, 'end');
  const fetched = keep(await fetch(`http://127.0.0.1:${server.address().port}/`));
  await fetched.text();
  keep(new https.Agent());
  keep(setInterval(() => {}, 1e6)); keep(setTimeout(() => {}, 1e6)); keep(setImmediate(() => {}));
  const emitter = keep(new EventEmitter());
  emitter.on('error', () => {}); emitter.once('end', () => {}); emitter.on('end', () => {});
  const target = keep(new EventTarget());
  target.addEventListener('abort', () => {}, { once: true, passive: true });
  const abort = keep(new AbortController());
  abort.signal.addEventListener('abort', () => {});
  keep(AbortSignal.timeout(1e6)); keep(AbortSignal.any?.([abort.signal]));
  const als = keep(new AsyncLocalStorage());
  als.run({ a: 1 }, () => { keep(new Promise(() => {})); keep(setTimeout(() => {}, 1e6)); });
  keep(new Readable({ read() {} })); keep(new Writable({ write(c, e, cb) { cb(); } })); keep(new Transform());
  keep(fs.createReadStream(__filename)); keep(fs.watch(__dirname)); keep(await fs.promises.open(__filename));
  keep(fs.statSync(__filename)); keep(fs.readdirSync(__dirname, { withFileTypes: true }));
  keep(zlib.createGzip()); keep(crypto.createHash('sha256')); keep(crypto.randomBytes(8)); keep(crypto.createCipheriv('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16)));
  keep(crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  keep(new vm.Script('1')); keep(vm.createContext({}));
  keep(perf.monitorEventLoopDelay()).enable();
  keep(new perf.PerformanceObserver(() => {})).observe({ entryTypes: ['gc', 'measure'] });
  const channel = keep(new MessageChannel());
  channel.port1.on('message', () => {});
  keep(new BroadcastChannel('a')).unref();
  const worker = keep(new Worker('setInterval(() => {}, 1e6)', { eval: true }));
  await once(worker, 'online');
  const child = keep(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']));
  keep(new URL('http://a/b?c=d#e')); keep(new URLSearchParams('a=b')); keep(new Headers({ a: 'b' })); keep(new Blob(['x'])); keep(new FormData());
  keep(new TextDecoder()); keep(new ReadableStream({ pull() {} }).getReader()); keep(new WritableStream()); keep(new TransformStream()); keep(new CompressionStream('gzip'));
  keep(new Error('x')).stack; keep(new WeakRef({})); keep(new FinalizationRegistry(() => {})); keep(new Intl.NumberFormat()); keep(new Intl.DateTimeFormat());
  keep(new Date()); keep(new Map([[{}, 1]])); keep(new Set([1])); keep(new WeakMap([[{}, {}]])); keep(new WeakSet([{}])); keep(Symbol('x')); keep(new Proxy({}, {}));
  keep(process.memoryUsage()); keep(process.resourceUsage()); keep(process.report.getReport?.length); keep(v8.getHeapStatistics()); keep(v8.getHeapSpaceStatistics());
  keep(require('dns').promises); keep(new (require('dns').Resolver)()); keep(require('dgram').createSocket('udp4')); keep(require('readline').createInterface({ input: new Readable({ read() {} }) }));
  keep(require('http2').createServer()); keep(require('tls').createSecureContext()); keep(new net.Socket());
  keep((async function* () { yield 1; })()).next(); keep((function* () { yield 1; })()).next();
  keep(os()); keep(require('util').inspect(kept, { depth: 1 })); keep(console); keep(require('querystring').parse('a=b')); keep(structuredClone({ a: [1] }));
  keep(await import('data:text/javascript,export const a = 1')); await import('data:text/javascript,').catch(() => {});
  v8.writeHeapSnapshot(process.argv[2]);
  child.kill('SIGKILL');
  process.exit(0);
})();

function os() { const os = require('os'); return [os.cpus(), os.networkInterfaces(), os.userInfo(), os.constants]; }

// A service with some load of its own: it keeps so many MiB a second (0: nothing), in the heap or as Buffers, and makes
// ten times as much garbage.
'use strict';
const http = require('http');
const [, , kind, rate] = process.argv;
const MiB = 2 ** 20;
const TICK = 50; // ms
const sessions = (globalThis.sessions = []);
let n = 0;

const session = () => ({ id: ++n, tags: ['a', 'b', String(n)], at: { day: n % 7, minute: n % 60 }, text: 'session number ' + n });
// Bytes of a session, measured here: it differs between Node lines.
globalThis.gc?.();
const sample = [];
const before = process.memoryUsage().heapUsed;
for (let i = 0; i < 20000; i++) sample.push(session());
const SESSION = Math.max(100, (process.memoryUsage().heapUsed - before) / 20000);
sample.length = 0;

// By the clock: on a busy machine ticks come late.
let owed = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  owed += rate * MiB * (now - last) / 1000;
  last = now;
  if (kind === 'buffers') {
    for (; owed >= 64 * 1024; owed -= 64 * 1024) sessions.push(Buffer.alloc(64 * 1024, 1));
  } else {
    for (; owed >= SESSION; owed -= SESSION) sessions.push(session());
  }
}, TICK);

const server = http.createServer((req, res) => {
  const all = [];
  for (let i = 0; i < 400; i++) all.push(session());
  res.end(JSON.stringify(all.slice(0, 20)));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true });
  const next = () => http.get({ host: '127.0.0.1', port, agent }, (res) => res.resume().on('end', () => setTimeout(next, 4))).on('error', () => process.exit(1));
  next();
  next();
  console.log('ready');
});

// A heap of one shape, of about so many MiB: node shapes.cjs SHAPE MIB
// Then it answers HTTP on a port that it prints.
'use strict';
const [, , shape, mib] = process.argv;
const enough = Number(mib) * 2 ** 20;
const kept = (globalThis.kept = []);
const used = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
const until = (make) => {
  const from = used();
  for (let i = 0; used() - from < enough; ) {
    for (let j = 0; j < 20000; j++) kept.push(make(i++));
  }
};
switch (shape) {
  case 'objects': // records with a few fields, as of rows of a database
    until((i) => ({ id: i, next: { a: i, b: null }, tags: [i, i + 1], at: i + 0.5 }));
    break;
  case 'strings': // texts, each its own
    until((i) => `${i}:${Math.random()}`);
    break;
  case 'closures': // listeners and their scopes
    until((i) => {
      const own = { i };
      return () => own;
    });
    break;
  case 'maps': { // caches by name
    const cache = new Map();
    kept.push(cache);
    until((i) => (cache.set('key-' + i, { i, v: [i] }), 0));
    break;
  }
  case 'buffers': { // large things: buffers, typed arrays, long texts
    const from = used();
    for (let i = 0; used() - from < 8 * enough; i++) {
      kept.push(Buffer.alloc(256 << 10, i), new Float64Array(1 << 14), 'x'.repeat(1 << 18) + i, new Array(1 << 14).fill(1.5));
      kept[kept.length - 2].charCodeAt(1); // one text and not a tree of parts
    }
    break;
  }
}
let served = 0;
require('http')
  .createServer((req, res) => res.end(String(++served)))
  .listen(0, '127.0.0.1', function () { console.log(`ready ${this.address().port}`); });

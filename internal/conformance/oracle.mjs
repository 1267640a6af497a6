// oracle.mjs: what DevTools' own heap snapshot worker says about a snapshot.
//
//   node internal/conformance/oracle.mjs FILE [--base BASE] [-o OUT] [--no-nodes]
//
// FILE and BASE may end in .gz. With --base, BASE is the earlier capture and the
// comparison of FILE with it is added. Without -o the answer goes to stdout; an
// OUT that ends in .gz is compressed. The rows are described in README.md.

import fs from 'node:fs';
import zlib from 'node:zlib';
import {parseArgs} from 'node:util';

import {devtools} from './setup.mjs';

const {values: options, positionals: [file]} = parseArgs({
  allowPositionals: true,
  options: {base: {type: 'string'}, output: {type: 'string', short: 'o'}, 'no-nodes': {type: 'boolean'}},
});
if (!file) {
  console.error('usage: oracle.mjs FILE [--base BASE] [-o OUT] [--no-nodes]');
  process.exit(2);
}

console.warn = () => {};  // the worker lists the nodes that only weak references reach
const {HeapSnapshot, HeapSnapshotLoader} = await devtools();

// One channel serves one snapshot; both ends live on this thread, as in DevTools' own tests.
async function load(path) {
  const channel = new MessageChannel();
  new HeapSnapshot.SecondaryInitManager(channel.port2);
  const loader = new HeapSnapshotLoader.HeapSnapshotLoader();
  let input = fs.createReadStream(path, {highWaterMark: 8 << 20});
  if (path.endsWith('.gz')) {
    input = input.pipe(zlib.createGunzip({chunkSize: 8 << 20}));
  }
  input.setEncoding('utf8');
  for await (const chunk of input) {
    loader.write(chunk);
    await new Promise(setImmediate);  // lets the parser take the chunk before the next one is read
  }
  loader.close();
  const snapshot = await loader.buildSnapshot(channel.port1);
  channel.port1.close();
  return snapshot;
}

class Output {
  constructor(path) {
    this.fd = path ? fs.openSync(path, 'w') : 1;
    this.gzip = path?.endsWith('.gz');
    this.text = '';
  }
  line(...fields) {
    this.text += fields.join('\t') + '\n';
    if (this.text.length > 4 << 20) {
      this.flush();
    }
  }
  flush() {
    let data = Buffer.from(this.text);
    if (this.gzip) {
      data = zlib.gzipSync(data, {level: 9});  // one member per block; readers join them
    }
    for (let at = 0; at < data.length;) {
      at += fs.writeSync(this.fd, data, at);
    }
    this.text = '';
  }
}

const output = new Output(options.output);

// string returns the number of text; its row comes before its first use. The
// text is JSON with every lone surrogate escaped.
const numbers = new Map();
function string(text) {
  let number = numbers.get(text);
  if (number === undefined) {
    number = numbers.size;
    numbers.set(text, number);
    output.line('string', JSON.stringify(text));
  }
  return number;
}

function nodes(s) {
  const {nodeCount, nodeFieldCount} = s;
  const node = s.createNode(0);
  for (let i = 0; i < nodeCount; i++) {
    node.nodeIndex = i * nodeFieldCount;
    const key = node.classKeyInternal();
    output.line(
        'node', node.id(), node.selfSize(), s.retainedSizes[i], s.nodeDistances[i], s.dominatorsTree[i],
        node.detachedness(), s.flags[i], s.nodeNativeContextAttribution[i], string(node.className()),
        string(typeof key === 'number' ? ',' + s.strings[key] : key), string(node.name()), string(node.rawName()));
  }
}

function aggregates(s) {
  const all = s.aggregatesWithFilter({});
  for (const key in all) {
    const {name, count, self, maxRet, distance} = all[key];
    output.line('class', string(key), string(name), count, self, maxRet, distance);
  }
}

// Filters that DevTools offers in the class filter box, by name.
const filters = [
  'objectsRetainedByContexts', 'objectsRetainedByDetachedDomNodes', 'objectsRetainedByConsole',
  'objectsRetainedByEventHandlers', 'duplicatedStrings', 'sharedNativeContext', 'noNativeContext',
];

function filtered(s) {
  for (const filterName of filters) {
    let classes = 0, count = 0, self = 0, maxRet = 0;
    for (const aggregate of Object.values(s.aggregatesWithFilter({filterName}))) {
      classes++;
      count += aggregate.count;
      self += aggregate.self;
      maxRet += aggregate.maxRet;
    }
    output.line('filter', filterName, classes, count, self, maxRet);
  }
  for (const group of s.getDuplicateStrings()) {
    output.line('duplicate', string(group.value), group.count, group.totalSelfSize, group.totalRetainedSize);
  }
}

// The comparison as DevTools' Comparison view does it (HeapSnapshotProxy.calculateSnapshotDiff).
function comparison(s, base) {
  const diff = s.calculateSnapshotDiff(1, base.aggregatesForDiff(s.interfaceDefinitions()));
  const sum = ids => ids.reduce((a, b) => a + b, 0);
  for (const key in diff) {
    const d = diff[key];
    output.line('diff', string(key), string(d.name), d.addedCount, d.removedCount, d.addedSize, d.removedSize,
                sum(d.addedIds), sum(d.deletedIds ?? []));
  }
}

const snapshot = await load(file);
output.line('oracle', 1);
output.line('snapshot', JSON.stringify({
  nodeCount: snapshot.nodeCount,
  edgeCount: snapshot.containmentEdges.length / snapshot.edgeFieldsCount,
  root: snapshot.rootNodeIndex / snapshot.nodeFieldCount,
  totalSize: snapshot.totalSize,
  maxJSObjectId: snapshot.maxJsNodeId(),
}));
output.line('statistics', JSON.stringify(snapshot.getStatistics()));
output.line('contexts', JSON.stringify(snapshot.getNativeContextSizes()));
output.line('interfaces', snapshot.interfaceDefinitions());
const samples = snapshot.getSamples();
if (samples) {
  output.line('samples', JSON.stringify(samples));
}
if (snapshot.profile.snapshot.trace_function_count) {
  for (const top of snapshot.allocationTracesTops()) {
    output.line('allocation', JSON.stringify(top));
  }
}
if (!options['no-nodes']) {
  nodes(snapshot);
}
aggregates(snapshot);
filtered(snapshot);
if (options.base) {
  comparison(snapshot, await load(options.base));
}
output.line('end');
output.flush();
process.exit(0);

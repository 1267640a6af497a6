// oracle.mjs: what DevTools' own heap snapshot worker says about a snapshot.
//
//   node internal/conformance/oracle.mjs FILE [--base BASE] [-o OUT] [--no-nodes]
//
// FILE and BASE may end in .gz. With --base, BASE is the earlier capture and the
// comparison of FILE with it is added. Without -o the answer goes to stdout; an
// OUT that ends in .gz is compressed. The rows are described in README.md.

import fs from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import zlib from 'node:zlib';

import {devtools} from './setup.mjs';

console.warn = () => {};  // the worker lists the nodes that only weak references reach
const {HeapSnapshot, HeapSnapshotLoader} = await devtools();

// load returns the JSHeapSnapshot of the text in chunks. One channel serves one
// snapshot; both ends live on this thread, as in DevTools' own tests.
export async function load(chunks) {
  const channel = new MessageChannel();
  new HeapSnapshot.SecondaryInitManager(channel.port2);
  const loader = new HeapSnapshotLoader.HeapSnapshotLoader();
  for await (const chunk of chunks) {
    loader.write(chunk);
    await new Promise(setImmediate);  // lets the parser take the chunk before the next one is read
  }
  loader.close();
  try {
    return await loader.buildSnapshot(channel.port1);
  } finally {
    channel.port1.close();
  }
}

export function open(path) {
  let input = fs.createReadStream(path, {highWaterMark: 8 << 20});
  if (path.endsWith('.gz')) {
    input = input.pipe(zlib.createGunzip({chunkSize: 8 << 20}));
  }
  return load(input.setEncoding('utf8'));
}

// Output writes rows of tab-separated fields.
export class Output {
  constructor(path) {
    this.fd = path ? fs.openSync(path, 'w') : 1;
    this.gzip = path?.endsWith('.gz');
    this.text = '';
    this.numbers = new Map();
  }
  row(...fields) {
    this.text += fields.join('\t') + '\n';
    if (this.text.length > 4 << 20) {
      this.flush();
    }
  }
  // string returns the number of text; its row comes before its first use. The
  // text is JSON, with every lone surrogate escaped.
  string(text) {
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.numbers.size;
      this.numbers.set(text, number);
      this.row('string', JSON.stringify(text));
    }
    return number;
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

function nodes(s, output) {
  const {nodeCount, nodeFieldCount} = s;
  const node = s.createNode(0);
  for (let i = 0; i < nodeCount; i++) {
    node.nodeIndex = i * nodeFieldCount;
    const key = node.classKeyInternal();
    output.row(
        'node', node.id(), node.selfSize(), s.retainedSizes[i], s.nodeDistances[i], s.dominatorsTree[i],
        node.detachedness(), s.flags[i], s.nodeNativeContextAttribution[i], output.string(node.className()),
        output.string(typeof key === 'number' ? ',' + s.strings[key] : key), output.string(node.name()),
        output.string(node.rawName()));
  }
}

function aggregates(s, output) {
  const all = s.aggregatesWithFilter({});
  for (const key in all) {
    const {name, count, self, maxRet, distance} = all[key];
    output.row('class', output.string(key), output.string(name), count, self, maxRet, distance);
  }
}

// Filters that DevTools offers in the class filter box, by name.
const filters = [
  'objectsRetainedByContexts', 'objectsRetainedByDetachedDomNodes', 'objectsRetainedByConsole',
  'objectsRetainedByEventHandlers', 'duplicatedStrings', 'sharedNativeContext', 'noNativeContext',
];

function filtered(s, output) {
  for (const filterName of filters) {
    let classes = 0, count = 0, self = 0, maxRet = 0;
    for (const aggregate of Object.values(s.aggregatesWithFilter({filterName}))) {
      classes++;
      count += aggregate.count;
      self += aggregate.self;
      maxRet += aggregate.maxRet;
    }
    output.row('filter', filterName, classes, count, self, maxRet);
  }
  for (const group of s.getDuplicateStrings()) {
    output.row('duplicate', output.string(group.value), group.count, group.totalSelfSize, group.totalRetainedSize);
  }
}

// The comparison as DevTools' Comparison view does it (HeapSnapshotProxy.calculateSnapshotDiff).
function comparison(s, base, output) {
  const diff = s.calculateSnapshotDiff(1, base.aggregatesForDiff(s.interfaceDefinitions()));
  const sum = ids => ids.reduce((a, b) => a + b, 0);
  for (const key in diff) {
    const d = diff[key];
    output.row('diff', output.string(key), output.string(d.name), d.addedCount, d.removedCount, d.addedSize,
               d.removedSize, sum(d.addedIds), sum(d.deletedIds));
  }
}

// answer writes all rows about s and, with a base, their comparison.
export function answer(s, base, output, {withNodes = true} = {}) {
  output.row('oracle', 1);
  output.numbers.clear();
  output.row('snapshot', JSON.stringify({
    nodeCount: s.nodeCount,
    edgeCount: s.containmentEdges.length / s.edgeFieldsCount,
    root: s.rootNodeIndex / s.nodeFieldCount,
    totalSize: s.totalSize,
    maxJSObjectId: s.maxJsNodeId(),
  }));
  output.row('statistics', JSON.stringify(s.getStatistics()));
  output.row('contexts', JSON.stringify(s.getNativeContextSizes()));
  output.row('interfaces', s.interfaceDefinitions());
  const samples = s.getSamples();
  if (samples) {
    output.row('samples', JSON.stringify(samples));
  }
  if (s.profile.snapshot.trace_function_count) {
    for (const top of s.allocationTracesTops()) {
      output.row('allocation', JSON.stringify(top));
    }
    for (let i = 0, shown = 0; i < s.nodeCount && shown < 500; i += 7) {
      const stack = s.allocationStack(i * s.nodeFieldCount);
      if (stack) {
        output.row('stack', i, JSON.stringify(stack));
        shown++;
      }
    }
  }
  if (withNodes) {
    nodes(s, output);
  }
  aggregates(s, output);
  filtered(s, output);
  if (base) {
    comparison(s, base, output);
  }
  output.row('end');
}

async function main() {
  const {values: options, positionals: [file]} = parseArgs({
    allowPositionals: true,
    options: {base: {type: 'string'}, output: {type: 'string', short: 'o'}, 'no-nodes': {type: 'boolean'}},
  });
  if (!file) {
    console.error('usage: oracle.mjs FILE [--base BASE] [-o OUT] [--no-nodes]');
    process.exit(2);
  }
  const snapshot = await open(file);
  const base = options.base && await open(options.base);
  const output = new Output(options.output);
  answer(snapshot, base, output, {withNodes: !options['no-nodes']});
  output.flush();
  process.exit(0);
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main();
}

// golden.mjs: writes the golden files of testdata, so that `go test` compares
// with DevTools without npm.
//
//   node internal/conformance/golden.mjs SNAPSHOTS
//
// SNAPSHOTS is a folder of snapshots.mjs. A real heap of a few thousand nodes is
// cut out of each chosen capture: what the program made, the way to it, and as
// much of the rest as there is room for, with every edge between kept nodes.

import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import zlib from 'node:zlib';

import {answer, load, Output} from './oracle.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.resolve(here, '../..');

// File of SNAPSHOTS -> nodes to keep. Every line and every mode is there, small enough to live in a repository.
const chosen = {
  'node18-internals-2': 5000,
  'node20-plain-2': 7000,
  'node22-numeric-2': 7000,
  'node24-plain-1': 7000,
  'node24-plain-2': 7000,
  'node26-plain-2': 7000,
  'node26-internals-2': 5000,
  'chromium-plain-2': 7000,
  'chromium-internals-2': 5000,
};

// Graph is the parsed file with what cutting needs.
class Graph {
  constructor(file) {
    this.file = file;
    const {snapshot: {meta}, nodes, edges} = file;
    this.fields = Object.fromEntries(meta.node_fields.map((f, i) => [f, i]));
    this.width = meta.node_fields.length;
    this.nodes = nodes;
    this.edges = edges;
    this.count = nodes.length / this.width;
    this.first = [0];
    for (let i = 0; i < this.count; i++) {
      this.first.push(this.first[i] + 3 * nodes[i * this.width + this.fields.edge_count]);
    }
    this.edgeTypes = meta.edge_types[0];
  }
  * out(i) {
    for (let e = this.first[i]; e < this.first[i + 1]; e += 3) {
      const type = this.edgeTypes[this.edges[e]];
      const name = type === 'element' || type === 'hidden' ? this.edges[e + 1] : this.file.strings[this.edges[e + 1]];
      yield {e, type, name, to: this.edges[e + 2] / this.width};
    }
  }
  // reach adds nodes to kept, nearest first, until it has limit of them.
  reach(from, kept, limit) {
    const queue = [...from];
    for (let at = 0; at < queue.length && kept.size < limit; at++) {
      kept.add(queue[at]);
      for (const {type, to} of this.out(queue[at])) {
        if (type !== 'weak' && !kept.has(to) && kept.size < limit) {
          kept.add(to);
          queue.push(to);
        }
      }
    }
  }
  // way returns the nodes from the root to the first edge named name, and its target.
  way(name) {
    const parent = new Map([[0, -1]]);
    const queue = [0];
    for (const from of queue) {
      for (const edge of this.out(from)) {
        if (edge.type === 'property' && edge.name === name) {
          const way = [edge.to];
          for (let at = from; at !== -1; at = parent.get(at)) {
            way.push(at);
          }
          return way;
        }
        if (edge.type !== 'weak' && !parent.has(edge.to)) {
          parent.set(edge.to, from);
          queue.push(edge.to);
        }
      }
    }
    throw new Error(`no property ${name}`);
  }
}

function cut(file, size) {
  const g = new Graph(file);
  const way = g.way('heap');
  const kept = new Set(way);
  for (const {to} of g.out(0)) {
    kept.add(to);
  }
  // The collections first, then down from them; a part is left for the roots' side.
  g.reach([way[0], ...[...g.out(way[0])].map(v => v.to)], kept, Math.round(size * 0.75));
  g.reach([0], kept, size);
  const {meta} = file.snapshot;
  const order = [...kept].sort((a, b) => a - b);
  const place = new Map(order.map((old, i) => [old, i]));
  const numbers = new Map(), strings = [];
  const string = old => {
    if (!numbers.has(old)) {
      numbers.set(old, strings.push(file.strings[old].replaceAll(repository, '/app')) - 1);
    }
    return numbers.get(old);
  };
  const nodes = [], edges = [], locations = [];
  for (const old of order) {
    const row = g.nodes.slice(old * g.width, (old + 1) * g.width);
    row[g.fields.name] = string(row[g.fields.name]);
    row[g.fields.edge_count] = 0;
    if (g.fields.trace_node_id !== undefined) {
      row[g.fields.trace_node_id] = 0;
    }
    for (const {e, type, to} of g.out(old)) {
      if (place.has(to)) {
        const name = g.edges[e + 1];
        edges.push(g.edges[e], type === 'element' || type === 'hidden' ? name : string(name), place.get(to) * g.width);
        row[g.fields.edge_count]++;
      }
    }
    nodes.push(...row);
  }
  const fields = meta.location_fields;
  const [object, script] = [fields.indexOf('object_index'), fields.indexOf('script_object_index')];
  for (let i = 0; i < file.locations.length; i += fields.length) {
    const row = file.locations.slice(i, i + fields.length);
    if (place.has(row[object] / g.width)) {
      row[object] = place.get(row[object] / g.width) * g.width;
      if (script >= 0) {
        row[script] = (place.get(row[script] / g.width) ?? 0) * g.width;
      }
      locations.push(...row);
    }
  }
  const {scope_fields, scope_context_var_fields, scope_use_fields, ...rest} = meta;
  return JSON.stringify({
    snapshot: {...file.snapshot, meta: rest, node_count: order.length, edge_count: edges.length / 3, trace_function_count: 0},
    nodes, edges, trace_function_infos: [], trace_tree: [], samples: [], locations, strings,
  });
}

const [dir] = process.argv.slice(2);
if (!dir) {
  console.error('usage: golden.mjs SNAPSHOTS');
  process.exit(2);
}
const made = new Map();
for (const [name, size] of Object.entries(chosen)) {
  const text = cut(JSON.parse(fs.readFileSync(path.join(dir, `${name}.heapsnapshot`), 'utf8')), size);
  made.set(name, text);
  const out = path.join(here, 'testdata', name);
  fs.writeFileSync(`${out}.heapsnapshot.gz`, zlib.gzipSync(text, {level: 9}));
  const earlier = made.get(name.replace(/-2$/, '-1'));  // the capture before, if it is chosen too
  const base = name.endsWith('-2') && earlier ? await load([earlier]) : undefined;
  const output = new Output(`${out}.oracle.gz`);
  answer(await load([text]), base, output);
  output.flush();
}
process.exit(0);

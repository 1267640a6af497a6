// graphs.mjs: random small heaps full of corner cases, with DevTools' answer.
//
//   node internal/conformance/graphs.mjs COUNT SEED OUT [NODES]
//
// For every graph, OUT has a row "graph" with the snapshot's JSON, every second
// one a row "base" with an earlier capture of the same heap, and then the rows of
// oracle.mjs. A graph that DevTools refuses has a row "error" instead. OUT may end
// in .gz. NODES is the most nodes of a graph, 40 unless given.

import {answer, load, Output} from './oracle.mjs';

// mulberry32: the same graphs for the same seed on every machine.
function random(seed) {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const nodeTypes = [
  'hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native', 'synthetic',
  'concatenated string', 'sliced string', 'symbol', 'bigint', 'object shape', 'wasm object',
];
const edgeTypes = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'];

// What the algorithms ask for by name, and what could be taken for it.
const nodeNames = [
  'Object', 'Object', 'Object', 'Object', 'Array', 'Array', 'Foo', 'Function', 'RegExp', 'global', '(string)', '(system)', '',
  'system / NativeContext', 'system / NativeContext / file://', 'system / Context', 'system / Context / scope @5',
  'system / ExternalStringData', 'system / ExternalStringData', 'system / JSArrayBufferData', 'system / Map',
  '(map descriptors)', '(map descriptors)', '(GC roots)', '(Document DOM trees)', 'V8EventListener', 'smi number',
  '<div>', '<div id="a b">', '<div', '<p class=x>', 'Detached <p class=x>', 'Detached <p>', 'Detached Foo', 'Detached ',
  '{a}', '{a, b}', 'x'.repeat(600), 'caf\u00e9 \u4e2d\u6587', '\u{1f600}', '\ud800', 'a\u2028b', 'line\nend\t"\\',
];
const propertyNames = [
  'a', 'b', 'c', 'd', 'a', 'b', 'c', '__proto__', 'a,b', "it's", '"', '{', '}', '\u00e9', '\ud83d', '\ue000', '\u{1f600}', '\ud800,', '',
  '<x>', '\u2028,', 'p'.repeat(50), 'q'.repeat(70), 'r'.repeat(119), '\u4e2d'.repeat(60), 'constructor', '0', '10', 'Z',
];
const internalNames = [
  'elements', 'elements', 'first', 'second', 'map', 'map', 'native_context', 'sloppy_function_map', 'code', '1', '4', '7', '7x', 'table',
  '-4', 'first',
];

function graph(most, pick, chance, below) {
  const strings = [], numbers = new Map();
  const string = text => {
    // V8 never writes a text twice; other producers do.
    if (!numbers.has(text) || chance(0.02)) {
      numbers.set(text, strings.push(text) - 1);
    }
    return numbers.get(text);
  };
  if (chance(0.5)) {
    string('<dummy>');
  }
  const count = 1 + below(chance(0.3) ? 8 : most);
  const userRoots = chance(0.6);
  const root = 0;
  const types = chance(0.3) ? nodeTypes : nodeTypes.slice(0, 15);
  const nodes = Array.from({length: count}, (_, i) => ({
    type: pick(chance(0.5) ? ['object', 'hidden', 'array', 'native'] : types),
    name: pick(nodeNames), id: i === root ? 1 : 2 * i + 3 - (chance(0.1) ? 1 : 0), self: chance(0.2) ? 0 : below(200),
    detachedness: chance(0.85) ? 0 : 1 + below(2), trace: 0, edges: [],
  }));
  nodes[root].type = chance(0.9) ? 'synthetic' : 'hidden';
  const name = (type, from, to) => {
    if (type === 'element' || type === 'hidden') {
      return below(12);
    }
    if (type === 'property') {
      return pick(propertyNames);
    }
    if (type === 'shortcut') {
      return pick(['a', '5', '5x', 'b']);
    }
    return pick(chance(0.7) ? internalNames : propertyNames);
  };
  const link = (from, to, type = pick(edgeTypes), label = name(type)) => {
    // A rope that contains itself would never end, neither here nor in V8.
    if ((label === 'first' || label === 'second') && nodes[from].type === 'concatenated string' && to <= from) {
      return;
    }
    nodes[from].edges.push({type, label, to});
  };
  const density = 0.5 + 3 * (chance(0.5) ? 0.3 : 1);
  for (let from = 0; from < count; from++) {
    const edges = from === root ? 1 + below(5) : below(2 * density + 1);
    for (let k = 0; k < edges; k++) {
      const to = chance(0.9) ? below(count) : from;
      if (from === root) {
        if (userRoots || nodes[to].type === 'synthetic' && nodes[to].name !== '(Document DOM trees)') {
          link(from, to, pick(['element', 'element', 'shortcut', 'shortcut', 'internal', 'weak', 'property']));
        }
      } else {
        link(from, to, chance(0.35) ? 'property' : chance(0.35) ? 'internal' : undefined);
      }
    }
  }
  // WeakMap entries: two edges with the same text behind a number, sometimes one, three, or a broken text.
  for (let k = chance(0.5) ? below(6) : 0; k > 0; k--) {
    const [key, value, table] = [below(count), below(count), below(count)];
    const odd = chance(0.1) ? 'x' : '';
    const part = ` / part of key (${pick(['K', 'a) (b', 'new\nline', 'sep\u2028', ''])} @${nodes[key].id}) -> value (V @${
        nodes[value].id}) pair in WeakMap (table @${nodes[table].id})${odd}`;
    const number = below(20);
    const times = chance(0.85) ? 2 : 1 + below(3);
    for (let copy = 0; copy < times; copy++) {
      link(copy % 2 ? table : key, value, chance(0.9) ? 'internal' : 'property', `${number + copy}${part}`);
    }
  }
  return {
    nodes, string, strings, types,
    extra: chance(0.3) ? below(1000) : undefined,
    detachedness: chance(0.8),
    trace: chance(0.3),
    located: chance(0.5),
    shuffle: chance(0.15),
    // A rope's missing part is node 0: no rope there, it would contain itself.
    rootLast: chance(0.1) && nodes[1]?.type !== 'concatenated string',
  };
}

// snapshot returns g as the JSON of a heap snapshot.
function snapshot(g, pick, chance, below) {
  const {string, nodes} = g;
  const shuffled = list => g.shuffle ? list.map(v => [chance(1) && below(1000), v]).sort((a, b) => a[0] - b[0]).map(v => v[1]) : list;
  const nodeFields = shuffled(['type', 'name', 'id', 'self_size', 'edge_count', ...(g.trace ? ['trace_node_id'] : []),
                               ...(g.detachedness ? ['detachedness'] : [])]);
  const edgeFields = shuffled(['type', 'name_or_index', 'to_node']);
  const locationFields = chance(0.7) ? ['object_index', 'script_id', 'line', 'column'] :
                                       ['object_index', 'script_id', 'script_object_index', 'line', 'column'];
  const rows = [], edges = [], locations = [];
  // The root is the first row, as V8 has it, or the last.
  const place = i => g.rootLast ? (i + nodes.length - 1) % nodes.length : i;
  const order = g.rootLast ? [...nodes.slice(1), nodes[0]] : nodes;
  for (const [ordinal, n] of order.entries()) {
    const row = {
      type: g.types.indexOf(n.type), name: string(n.name), id: n.id, self_size: n.self, edge_count: n.edges.length,
      trace_node_id: 0, detachedness: n.detachedness,
    };
    rows.push(...nodeFields.map(f => row[f]));
    for (const {type, label, to} of n.edges) {
      const edge = {
        type: edgeTypes.indexOf(type), name_or_index: typeof label === 'number' ? label : string(label),
        to_node: place(to) * nodeFields.length,
      };
      edges.push(...edgeFields.map(f => edge[f]));
    }
    if (g.located && n.location) {
      const spot = {object_index: ordinal * nodeFields.length, script_object_index: 0, ...n.location};
      locations.push(...locationFields.map(f => spot[f]));
    }
  }
  return JSON.stringify({
    snapshot: {
      meta: {
        node_fields: nodeFields,
        node_types: nodeFields.map(f => f === 'type' ? g.types : f === 'name' ? 'string' : 'number'),
        edge_fields: edgeFields,
        edge_types: edgeFields.map(f => f === 'type' ? edgeTypes : f === 'to_node' ? 'node' : 'string_or_number'),
        trace_function_info_fields: ['function_id', 'name', 'script_name', 'script_id', 'line', 'column'],
        trace_node_fields: ['id', 'function_info_index', 'count', 'size', 'children'],
        sample_fields: ['timestamp_us', 'last_assigned_id'],
        location_fields: locationFields,
      },
      node_count: nodes.length, edge_count: edges.length / 3, trace_function_count: 0,
      ...(g.extra === undefined ? {} : {extra_native_bytes: g.extra}),
      ...(g.rootLast ? {root_index: (nodes.length - 1) * nodeFields.length} : {}),
    },
    nodes: rows, edges, trace_function_infos: [], trace_tree: [], samples: [], locations, strings: g.strings,
  });
}

const [count, seed, out, most = '40'] = process.argv.slice(2);
if (!out) {
  console.error('usage: graphs.mjs COUNT SEED OUT [NODES]');
  process.exit(2);
}
const output = new Output(out);
for (let i = 0; i < Number(count); i++) {
  const next = random(Number(seed) * 1e6 + i);
  const below = n => Math.floor(next() * n);
  const chance = p => next() < p;
  const pick = list => list[below(list.length)];
  const g = graph(Number(most), pick, chance, below);
  for (const n of g.nodes) {
    if (chance(0.3)) {
      n.location = {script_id: below(3), line: below(3), column: below(2)};
    }
  }
  let base;
  if (i % 2) {
    base = snapshot(g, pick, chance, below);
    const ids = new Set(g.nodes.map(n => n.id));
    for (const n of g.nodes) {  // the same heap a little later
      if (chance(0.2) && n.id !== 1) {
        n.id = 1000 + 2 * below(1000) + 1;
        for (; ids.has(n.id); n.id += 2) {
        }
        ids.add(n.id);
      }
      n.edges = n.edges.filter(() => chance(0.9));
      n.self = chance(0.1) ? below(100) : n.self;
    }
  }
  const text = snapshot(g, pick, chance, below);
  output.row('graph', text);
  if (base) {
    output.row('base', base);
  }
  try {
    const target = await load([text]);
    answer(target, base && await load([base]), output);
  } catch (error) {
    output.row('error', JSON.stringify(String(error)));
  }
}
output.flush();
process.exit(0);

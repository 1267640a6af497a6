// paths.mjs: the retaining paths that DevTools' own worker finds.
//
//   node internal/conformance/paths.mjs FILE STEP OUT [DEPTH NODES SIBLINGS]
//
// For every STEP-th node of FILE a row: its number, the limits reached (d depth,
// n nodes, s siblings, - none) and the forest, as retainer.edge[its retainers],
// both numbered in file order. A forest of more than 200 characters is its
// SHA-256. FILE and OUT may end in .gz.

import crypto from 'node:crypto';
import fs from 'node:fs';
import zlib from 'node:zlib';

import {open} from './oracle.mjs';

const [file, step, out, ...limits] = process.argv.slice(2);
const s = await open(file);
const forest = edges =>
    edges.map(e => {
           const holders = e.children.length ? `[${forest(e.children)}]` : '';
           return e.nodeIndex / s.nodeFieldCount + '.' + e.edgeIndex / s.edgeFieldsCount + holders;
         })
        .join(' ');
const rows = [`limits\t${limits.join(',')}`];
for (let i = 0; i < s.nodeCount; i += Number(step)) {
  const {paths, limitsReached: l} = s.getRetainingPaths(i * s.nodeFieldCount, ...limits.map(Number));
  let text = forest(paths);
  if (text.length > 200) {
    text = crypto.createHash('sha256').update(text).digest('hex');
  }
  rows.push([i, (l.depth ? 'd' : '') + (l.nodes ? 'n' : '') + (l.siblings ? 's' : '') || '-', text].join('\t'));
}
let data = Buffer.from(rows.join('\n') + '\n');
if (out.endsWith('.gz')) {
  data = zlib.gzipSync(data, {level: 9});
}
fs.writeFileSync(out, data);
process.exit(0);

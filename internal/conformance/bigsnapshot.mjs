// bigsnapshot.mjs: writes large snapshots for measurements: the heap of the
// TypeScript compiler after it has type-checked part of DevTools' own sources.
//
//   NODE24 --max-old-space-size=12000 internal/conformance/bigsnapshot.mjs FILES OUT [CAPTURES [STEP]]
//
// FILES of the package's sources are checked (in order of their paths), then OUT
// is written. With CAPTURES above 1 the next STEP files are checked between two
// captures, as a program of their own that stays alive, and the captures go to
// OUT-1.heapsnapshot, OUT-2.heapsnapshot ... README.md has the recipes in use.

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import v8 from 'node:v8';

import {cache, packages} from './setup.mjs';

const [count, out, captures = '1', step = '0'] = process.argv.slice(2);
if (!out) {
  console.error('usage: bigsnapshot.mjs FILES OUT [CAPTURES [STEP]]');
  process.exit(2);
}

packages();
const ts = createRequire(path.join(cache, 'package.json'))('typescript');
const root = path.join(cache, 'node_modules/chrome-devtools-frontend/front_end');
const sources = fs.readdirSync(root, {recursive: true, encoding: 'utf8'})
                    .filter(name => name.endsWith('.ts')).sort().map(name => path.join(root, name));

const options = {
  noEmit: true,
  noResolve: true,  // so that FILES alone decides the size
  strict: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.esnext.d.ts', 'lib.dom.d.ts'],
};

globalThis.programs = [];
for (let capture = 1, from = 0, to = Number(count); capture <= Number(captures); capture++) {
  const program = ts.createProgram(sources.slice(from, to), {...options, noLib: from > 0});
  const problems = program.getSemanticDiagnostics().length;
  programs.push(program);
  const name = Number(captures) === 1 ? out : `${out}-${capture}.heapsnapshot`;
  console.error(`files ${from} to ${Math.min(to, sources.length)} of ${sources.length}, ${problems} problems, ` +
                `heap ${process.memoryUsage().heapUsed}`);
  const start = Date.now();
  v8.writeHeapSnapshot(name);
  console.error(`${name}: ${fs.statSync(name).size} bytes in ${Date.now() - start} ms`);
  from = to;
  to += Number(step);
}

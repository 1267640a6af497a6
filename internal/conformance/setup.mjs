// setup.mjs: installs the pinned npm packages into .cache/conformance and
// bundles DevTools' heap snapshot worker into a plain ES module, worker.mjs.
//
//   node internal/conformance/setup.mjs

import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const cache = path.resolve(here, '../../.cache/conformance');

const worker = 'chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker';

// What DevTools generates at build time and the npm package does not carry.
const generated = {
  './locales.js': `export const BUNDLED_LOCALES = [], DEFAULT_LOCALE = 'en-US', LOCALES = ['en-US'];
    export const LOCAL_FETCH_PATTERN = '', REMOTE_FETCH_PATTERN = '';`,
};

// packages installs package.json's packages, once per content of the lock file.
export function packages() {
  const stamp = path.join(cache, 'installed.json');
  const want = fs.readFileSync(path.join(here, 'package-lock.json'), 'utf8');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === want) {
    return;
  }
  fs.mkdirSync(cache, {recursive: true});
  for (const name of ['package.json', 'package-lock.json']) {
    fs.copyFileSync(path.join(here, name), path.join(cache, name));
  }
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'],
                        {cwd: cache, stdio: ['ignore', 2, 2]});
  if (npm.status !== 0) {
    throw new Error(`npm ci in ${cache} ended with ${npm.status ?? npm.error}`);
  }
  fs.rmSync(path.join(cache, 'worker.mjs'), {force: true});
  fs.writeFileSync(stamp, want);
}

// devtools returns the bundled worker: HeapSnapshot.* and HeapSnapshotLoader.*.
export async function devtools() {
  packages();
  const out = path.join(cache, 'worker.mjs');
  if (!fs.existsSync(out)) {
    const esbuild = createRequire(path.join(cache, 'package.json'))('esbuild');
    await esbuild.build({
      stdin: {
        contents: ['HeapSnapshot', 'HeapSnapshotLoader']
                      .map(m => `export * as ${m} from './node_modules/${worker}/${m}.js';`).join('\n'),
        resolveDir: cache,
      },
      outfile: out,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: true,
      plugins: [{
        name: 'generated',
        setup(build) {
          build.onResolve({filter: /^\.\/locales\.js$/}, a => ({path: a.path, namespace: 'generated'}));
          build.onLoad({filter: /.*/, namespace: 'generated'}, a => ({contents: generated[a.path]}));
        },
      }],
    });
  }
  // Node 20 has no Promise.withResolvers; the worker uses it.
  Promise.withResolvers ??= function() {
    let resolve, reject;
    const promise = new this((a, b) => { resolve = a; reject = b; });
    return {promise, resolve, reject};
  };
  return import(pathToFileURL(out));
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await devtools();
  console.error(`ready: ${path.join(cache, 'worker.mjs')}`);
}

// Makes npm packages of the binaries that `make dist` has built: one per platform, and heapsnap, which depends on all of
// them optionally, so that npm installs the one that fits. No package has an install script.
//   node deploy/npm/pack.mjs VERSION DIST
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';

const [version, dist] = process.argv.slice(2);
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const OS = { linux: 'linux', darwin: 'darwin', windows: 'win32' };
const CPU = { amd64: 'x64', arm64: 'arm64' };
const out = path.resolve(dist, 'npm');
const common = { version, license: 'MIT', description: 'Which line of a Node.js program leaks, or blocks its event loop' };

function make(name, manifest, files) {
  const dir = path.join(out, name);
  mkdirSync(path.join(dir, 'bin'), { recursive: true });
  for (const [from, to] of files) {
    copyFileSync(from, path.join(dir, to));
    chmodSync(path.join(dir, to), 0o755);
  }
  copyFileSync(path.join(here, '..', '..', 'LICENSE'), path.join(dir, 'LICENSE'));
  writeFileSync(path.join(dir, 'package.json'), `${JSON.stringify({ name, ...common, ...manifest }, null, 2)}\n`);
  execFileSync('npm', ['pack', '--silent', '--pack-destination', out], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' });
}

const optionalDependencies = {};
for (const file of readdirSync(dist).sort()) {
  const [, os, arch, exe = ''] = /^heapsnap-(linux|darwin|windows)-(amd64|arm64)(\.exe)?$/.exec(file) ?? [];
  if (!os) continue;
  const name = `heapsnap-${OS[os]}-${CPU[arch]}`;
  make(name, { os: [OS[os]], cpu: [CPU[arch]], preferUnplugged: true }, [[path.join(dist, file), `bin/heapsnap${exe}`]]);
  optionalDependencies[name] = version;
}
if (Object.keys(optionalDependencies).length === 0) throw new Error(`no heapsnap-OS-ARCH in ${dist}: make dist builds them`);
make('heapsnap', { bin: { heapsnap: 'bin/heapsnap.js' }, engines: { node: '>=16' }, optionalDependencies }, [[path.join(here, 'heapsnap.js'), 'bin/heapsnap.js']]);

#!/usr/bin/env node
// Runs the binary of this platform's package.
'use strict';

const { spawn } = require('node:child_process');
const os = require('node:os');

const name = `heapsnap-${process.platform}-${process.arch}`;
let binary;
try {
  binary = require.resolve(`${name}/bin/heapsnap${process.platform === 'win32' ? '.exe' : ''}`);
} catch {
  console.error(`heapsnap: the package ${name} is not installed: install without --omit=optional, or there is none for this platform`);
  process.exit(2);
}
const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' });
// Ctrl-C reaches the binary from the terminal, too; it decides when to end. One more would be its second.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (err) => {
  console.error(`heapsnap: ${binary}: ${err.message}`);
  process.exit(2);
});
child.on('exit', (code, signal) => process.exit(signal ? 128 + os.constants.signals[signal] : code));

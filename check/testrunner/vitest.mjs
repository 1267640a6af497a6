// Starts Vitest of the project in the current folder with the runner beside this file: heapsnap check --test.
// All files are in one process, a child of this one, and stay loaded.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const files = process.argv.slice(2);
const manifest = createRequire(path.resolve('package.json')).resolve('vitest/package.json');
const { startVitest } = await import(pathToFileURL(createRequire(manifest).resolve('vitest/node')).href);
const major = Number.parseInt(createRequire(manifest)('./package.json').version, 10);
const forks = { singleFork: true, isolate: false, execArgv: process.execArgv };
const vitest = await startVitest('test', files, {
  watch: false, run: true, pool: 'forks', fileParallelism: false, coverage: { enabled: false }, teardownTimeout: 2 ** 31 - 1,
  ...(major < 4 ? { poolOptions: { forks } } : { isolate: false, maxWorkers: 1, execArgv: process.execArgv }),
  runner: fileURLToPath(new URL('./vitest-runner.mjs', import.meta.url)),
  env: { HEAPSNAP_VITEST: manifest, HEAPSNAP_TEST_FILES: String(files.length) },
});
// It comes to this only when there was nothing to run, or the files could not be loaded.
await vitest?.close();
console.error('heapsnap: Vitest ran none of the files: see its messages above');
process.exit(1);

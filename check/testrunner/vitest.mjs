// Starts Vitest of the project in the current folder with the runner beside this file: heapsnap check --test.
// All files are in one process, a child of this one, and stay loaded.
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const files = process.argv.slice(2);
const manifest = createRequire(path.resolve('package.json')).resolve('vitest/package.json');
const { startVitest } = await import(pathToFileURL(createRequire(manifest).resolve('vitest/node')).href);
const major = Number.parseInt(createRequire(manifest)('./package.json').version, 10);
// One process, and none before it is needed: with singleFork Vitest 1 to 3 start one that they stop before the first test.
const forks = { singleFork: false, minForks: 0, maxForks: 1, isolate: false, execArgv: process.execArgv };
const vitest = await startVitest('test', files, {
  watch: false, run: true, pool: 'forks', coverage: { enabled: false }, teardownTimeout: 2 ** 31 - 1,
  ...(major < 4 ? { fileParallelism: true, poolOptions: { forks } } : { fileParallelism: false, isolate: false, maxWorkers: 1, execArgv: process.execArgv }),
  runner: fileURLToPath(new URL('./vitest-runner.mjs', import.meta.url)),
  env: { HEAPSNAP_VITEST: manifest, HEAPSNAP_TEST_FILES: String(files.length) },
});
// It comes to this only when there was nothing to run, or files could not be loaded.
const loaded = vitest?.state.getFiles() ?? [];
await vitest?.close();
const failed = loaded.filter((f) => f.result?.state === 'fail');
for (const f of failed) console.error(`heapsnap: ${f.filepath} cannot be loaded: ${firstLines(f.result.errors?.[0])}`);
if (failed.length === 0) {
  console.error(loaded.length > 0 ? 'heapsnap: the files have no test that is not skipped' : 'heapsnap: Vitest ran none of the files: see its messages above');
}
process.exit(1);

function firstLines(err) {
  const text = err?.stack?.includes(err.message) ? err.stack : `${err?.message}\n${err?.stack ?? ''}`;
  return text.split('\n').slice(0, 4).join('\n');
}

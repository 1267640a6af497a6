// A kubectl that knows one pod, "api" of namespace "shop" with the container "app",
// whose processes are those of this machine. What goes wrong is said by the environment:
//   FAKE_EXEC=none     nothing can be run in the container, as in a distroless image
//   FAKE_EXEC=path     node is not on PATH there, but at /nodejs/bin/node
//   FAKE_DROP=BYTES    a tunnel breaks after so many bytes
//   FAKE_REFUSE=N      the first N tunnels fail; counted in the file FAKE_COUNT
//   FAKE_LOG=FILE      commands, a line each
'use strict';
const fs = require('fs'), net = require('net');
const { spawnSync } = require('child_process');
const args = process.argv.slice(2);
const env = process.env;
const die = (text) => { console.error(text); process.exit(1); };
if (env.FAKE_LOG) fs.appendFileSync(env.FAKE_LOG, args.slice(0, 6).map((a) => a.slice(0, 60)).join(' ') + '\n');
if (args.shift() !== '--namespace' || args.shift() !== 'shop') die('Error from server (NotFound): namespaces not found');
const verb = args.shift();
const pod = verb === 'get' ? (args.shift(), args.shift()) : args.find((a) => a === 'api' || a === 'pod/api');
if (!pod || !pod.endsWith('api')) die('Error from server (NotFound): pods not found');
switch (verb) {
  case 'get':
    console.log(JSON.stringify({ spec: { securityContext: { runAsUser: 1000 }, containers: [{ name: 'app', securityContext: { runAsUser: 1234, readOnlyRootFilesystem: true } }] } }));
    break;
  case 'exec': {
    const [program, ...rest] = args.slice(args.indexOf('--') + 1);
    if (env.FAKE_EXEC === 'none' || (env.FAKE_EXEC === 'path' && program !== '/nodejs/bin/node')) {
      die(`OCI runtime exec failed: exec failed: unable to start container process: exec: "${program}": executable file not found in $PATH: unknown`);
    }
    // A folder that nothing can be written to is the working directory, as with a read-only root.
    const r = spawnSync(process.execPath, rest, { stdio: ['ignore', 'inherit', 'inherit'], cwd: '/proc', env: { PATH: env.PATH, HOME: '/proc', TMPDIR: '/proc' } });
    process.exit(r.status);
  }
  case 'port-forward': {
    if (env.FAKE_REFUSE) {
      const n = Number(fs.existsSync(env.FAKE_COUNT) ? fs.readFileSync(env.FAKE_COUNT, 'utf8') : 0) + 1;
      fs.writeFileSync(env.FAKE_COUNT, String(n));
      if (n <= Number(env.FAKE_REFUSE)) die('error: error upgrading connection: error dialing backend: EOF');
    }
    const port = Number(args.at(-1).slice(1));
    let left = Number(env.FAKE_DROP || Infinity);
    net.createServer((near) => {
      const far = net.connect(port, '127.0.0.1');
      near.pipe(far);
      far.on('data', (part) => {
        left -= part.length;
        if (left < 0) {
          console.error('E1127 portforward.go:413] an error occurred forwarding: lost connection to pod');
          near.destroy();
          far.destroy();
          left = Infinity; // the next connection is a new one
        } else if (!near.write(part)) {
          far.pause();
          near.once('drain', () => far.resume());
        }
      });
      for (const s of [near, far]) s.on('error', () => (near.destroy(), far.destroy())).on('close', () => (near.destroy(), far.destroy()));
    }).listen(0, '127.0.0.1', function () { console.log(`Forwarding from 127.0.0.1:${this.address().port} -> ${port}`); });
    break;
  }
  default:
    die(`unknown command "${verb}"`);
}

// Runs in the container, as node -e: finds the Node.js process there and opens its
// inspector. Prints one line of JSON. It needs no shell, no kill, no writable disk.
const fs = require('fs'), http = require('http'), path = require('path');
const want = Number(process.argv[1]) || 0;
const read = (file) => { try { return fs.readFileSync(file, 'utf8'); } catch (e) { return ''; } };
const say = (answer) => { console.log(JSON.stringify(answer)); process.exit(0); };
const isNode = (pid) => {
  try { return /^node(js)?[-v0-9.]*$/.test(path.basename(fs.readlinkSync('/proc/' + pid + '/exe'))); } catch (e) { return false; }
};
const args = (pid) => read('/proc/' + pid + '/cmdline').split('\0').filter(Boolean).slice(0, 6);
const listening = (pid) => {
  const mine = new Set();
  let fds = [];
  try { fds = fs.readdirSync('/proc/' + pid + '/fd'); } catch (e) { say({ error: 'the files of process ' + pid + ' are not readable as user ' + process.getuid() }); }
  for (const fd of fds) {
    try { mine.add(fs.readlinkSync('/proc/' + pid + '/fd/' + fd)); } catch (e) {}
  }
  const ports = [];
  for (const line of (read('/proc/' + pid + '/net/tcp') + read('/proc/' + pid + '/net/tcp6')).split('\n')) {
    const cols = line.trim().split(/\s+/);
    if (cols[3] === '0A' && mine.has('socket:[' + cols[9] + ']')) ports.push(parseInt(cols[1].split(':')[1], 16));
  }
  return ports;
};
const isInspector = (port) => new Promise((resolve) => {
  const request = http.get({ host: '127.0.0.1', port, path: '/json/version', timeout: 500 }, (response) => {
    let text = '';
    response.on('data', (part) => (text += part));
    response.on('end', () => resolve(text.includes('node.js/')));
  });
  request.on('error', () => resolve(false));
  request.on('timeout', () => { request.destroy(); resolve(false); });
});
const inspector = async (pid) => {
  for (const port of listening(pid)) if (await isInspector(port)) return port;
  return 0;
};
(async () => {
  let pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
    .filter((pid) => pid !== process.pid && (!want || pid === want) && isNode(pid));
  if (pids.length === 0) say({ error: want ? 'process ' + want + ' is no Node.js process of the container' : 'no Node.js process runs in the container' });
  if (pids.length > 1) say({ error: 'several Node.js processes run in the container: name one with --pid: ' + pids.map((pid) => pid + ' (' + args(pid).slice(1).join(' ') + ')').join(', ') });
  const pid = pids[0];
  let port = await inspector(pid);
  if (port) say({ pid, port, opened: false });
  // SIGUSR1 kills a process that does not catch it.
  const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(read('/proc/' + pid + '/status'));
  if (!caught || !(BigInt('0x' + caught[1]) & 0x200n)) say({ error: 'process ' + pid + ' does not catch SIGUSR1: restart it with --inspect=127.0.0.1:0' });
  process.kill(pid, 'SIGUSR1');
  for (let i = 0; i < 100 && !port; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    port = await inspector(pid);
  }
  say(port ? { pid, port, opened: true } : { error: 'process ' + pid + ' took SIGUSR1 and opened no inspector within 5 s' });
})();

// What a recording costs the program that is recorded: two equal services with equal load run side by side, and one
// of them is recorded, then the other.
//
//	node internal/loopcost/cost.mjs bin/heapsnap [node] [seconds] [command] [further flags of it]
//
// The command is loop unless another is named, such as watch.
//
// Both share the machine's load, so it is the ratio of the two that tells; CPU time per request tells the same on a
// machine whose cores are busy with other work.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const file = fileURLToPath(import.meta.url);
const CONNECTIONS = 8;
const WARM_UP = 8; // s
const BASE = 20; // s without a recording

// A service: routes, JSON of some kilobytes, a Map, a little string work, a timer per request.
function serve() {
  const people = new Map(Array.from({ length: 5000 }, (_, i) => [i, { id: i, name: `Person ${i}`, tags: ['a', 'b', String(i % 7)] }]));
  let n = 0;
  const server = http.createServer(async (req, res) => {
    const from = n++ % 4900;
    const list = [];
    for (let i = from; i < from + 40; i++) list.push({ ...people.get(i), at: new Date().toISOString(), path: req.url.split('/') });
    await new Promise(setImmediate);
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(list));
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

// A client that is cheap, so that what it takes of the machine does not hide what the services do: it writes the same
// bytes again when the answer's last byte has come.
function load(port) {
  let count = 0;
  const request = Buffer.from('GET /people/list HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
    let missing = 0; // bytes of the answer
    socket.setNoDelay(true).on('data', (bytes) => {
      if (missing === 0) {
        const body = bytes.indexOf('\r\n\r\n') + 4;
        missing = body + Number(/content-length: (\d+)/i.exec(bytes.latin1Slice(0, body))[1]);
      }
      missing -= bytes.length;
      if (missing > 0) return;
      count++;
      socket.write(request);
    }).on('error', () => process.exit());
  }
  process.on('message', () => process.send(count));
}

const cpuTime = (pid) => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10; // ms, of threads that have ended, too
};
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024; // MiB

class Service {
  static async start(node) {
    const s = new Service();
    const options = { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] };
    s.server = spawn(node, ['--inspect=127.0.0.1:0', file, 'serve'], options);
    const [port] = await once(s.server, 'message');
    s.client = spawn(process.execPath, [file, 'load', String(port)], options);
    return s;
  }

  async look() {
    this.client.send('count');
    const [count] = await once(this.client, 'message');
    return { count, cpu: cpuTime(this.server.pid), at: performance.now() };
  }

  stop() {
    this.client.kill();
    this.server.kill();
  }
}

async function measure(services, seconds, recorded) {
  const before = await Promise.all(services.map((s) => s.look()));
  const memory = () => services.map((s) => rss(s.server.pid));
  const start = memory();
  let peak = start;
  const watch = setInterval(() => { peak = memory().map((m, i) => Math.max(m, peak[i])); }, 200);
  if (recorded) {
    const tool = spawn(heapsnap, [command, '--quiet', '--pid', String(recorded.server.pid), '--duration', `${seconds}s`, ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
    await Promise.race([once(tool, 'exit'), sleep(seconds * 1000)]);
    if (tool.exitCode === null) once(tool, 'exit').catch(() => {});
    recorded.tool = tool;
  } else {
    await sleep(seconds * 1000);
  }
  const after = await Promise.all(services.map((s) => s.look()));
  if (recorded?.tool.exitCode === null) await once(recorded.tool, 'exit');
  clearInterval(watch);
  return {
    rate: after.map((a, i) => (a.count - before[i].count) / (a.at - before[i].at) * 1000),
    cpu: after.map((a, i) => (a.cpu - before[i].cpu) / (a.count - before[i].count)),
    memory: start.map((m, i) => `${m.toFixed(0)} MiB, ${peak[i].toFixed(0)} at most`),
  };
}

async function main() {
  const services = [await Service.start(node), await Service.start(node)];
  try {
    await sleep(WARM_UP * 1000);
    const base = await measure(services, BASE);
    const first = await measure(services, seconds, services[0]);
    const second = await measure(services, seconds, services[1]);
    const line = (name, m) => console.log(`${name}: ${m.rate.map((r) => r.toFixed(0)).join(' and ')} requests/s, ` +
      `${m.cpu.map((c) => (c * 1000).toFixed(0)).join(' and ')} us of CPU per request` +
      `; RSS ${m.memory.join(' and ')}`);
    line('none recorded  ', base);
    line('first recorded ', first);
    line('second recorded', second);
    // What the services differ in by themselves cancels out.
    const ratio = (of) => Math.sqrt((first[of][0] / first[of][1]) * (second[of][1] / second[of][0]));
    console.log(`recorded / not: ${(100 * ratio('rate')).toFixed(1)} % of the requests per second, ` +
      `${(100 * ratio('cpu')).toFixed(1)} % of the CPU time per request`);
  } finally {
    for (const s of services) s.stop();
  }
}

const [, , heapsnap, node = process.execPath, secondsText = '60', ...words] = process.argv;
const [command, ...flags] = words[0] && !words[0].startsWith('-') ? words : ['loop', ...words];
const seconds = Number(secondsText);
if (heapsnap === 'serve') serve();
else if (heapsnap === 'load') load(Number(node));
else if (heapsnap) await main();
else console.error('usage: node internal/loopcost/cost.mjs bin/heapsnap [node] [seconds]');

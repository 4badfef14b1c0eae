#!/usr/bin/env bash
# Run: pebble-challtestsrv of Debian's pebble (2.4.0+ds1-2+b4), four times on loopback ports, with `-dns01` and
#   `-management` alone. The first time all its ports are free. Then somebody else has the UDP port of `-dns01`,
#   then its TCP port, then the port of `-management`. node asks the management interface
#   (POST /clear-request-history), asks for the A record of app.example over UDP and over TCP, and then looks
#   whether the program runs.
# Expected: where it cannot have a port that it was told to listen at, it ends with an error, or its management
#   interface says that it is not ready.
# Seen:
#   pebble 2.4.0+ds1-2+b4, none taken: runs; error lines 0; management 200; UDP answers; TCP answers
#   pebble 2.4.0+ds1-2+b4, UDP taken: runs; error lines 1; management 200; UDP silent; TCP answers
#   pebble 2.4.0+ds1-2+b4, TCP taken: runs; error lines 1; management 200; UDP answers; TCP silent
#   pebble 2.4.0+ds1-2+b4, management taken: runs; error lines 1; management silent; UDP answers; TCP answers
# Means for us: a test that waits for the process or for its management port goes on without names, and every
#   lookup over UDP fails later. Ours waits until the DNS port itself answers, and else starts it again on other ports
#   (`is_up` in crates/server/src/tls/acme/tests.rs).
set -euo pipefail
for need in dpkg-query node pebble-challtestsrv; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
# The program cannot say its version.
version=$(dpkg-query --show --showformat='${Version}' pebble)
cat >run.mjs <<'JS'
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

process.once('SIGTERM', () => process.exit(1));
const HOST = '127.0.0.1';
// A question for the A record of app.example.
const question = Buffer.from('07070100000100000000000003617070076578616d706c650000010001', 'hex');
const isAnswer = (data) => data.length > question.length && data.readUInt16BE(0) === 0x0707 && (data[2] & 0x80) !== 0 && data.readUInt16BE(6) === 1;

const listen = async (port) => {
  const server = net.createServer((socket) => socket.on('error', () => undefined).destroy()).listen(port, HOST);
  await once(server, 'listening');
  return server;
};
const bind = async (port) => {
  const socket = dgram.createSocket('udp4').bind(port, HOST);
  await once(socket, 'listening');
  return socket;
};
const close = (held) => new Promise((done) => held.close(done));
// A port that nobody has, neither of UDP nor of TCP; both are held.
async function both() {
  for (;;) {
    const tcp = await listen(0);
    try {
      return { port: tcp.address().port, tcp, udp: await bind(tcp.address().port) };
    } catch {
      await close(tcp);
    }
  }
}

async function overUdp(port) {
  const socket = await bind(0);
  try {
    for (let tries = 0; tries < 5; tries++) {
      socket.send(question, port, HOST);
      const answer = await Promise.race([once(socket, 'message'), wait(400)]);
      if (answer && isAnswer(answer[0])) return 'answers';
    }
    return 'silent';
  } finally {
    await close(socket);
  }
}

async function overTcp(port) {
  const socket = net.connect(port, HOST);
  let data = Buffer.alloc(0);
  socket.on('error', () => undefined).on('data', (more) => (data = Buffer.concat([data, more])));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(question.length);
  socket.write(Buffer.concat([length, question]));
  for (let tries = 0; tries < 20 && !isAnswer(data.subarray(2)); tries++) await wait(100);
  socket.destroy();
  return isAnswer(data.subarray(2)) ? 'answers' : 'silent';
}

async function manage(port) {
  for (let tries = 0; tries < 50; tries++) {
    try {
      const url = `http://${HOST}:${port}/clear-request-history`;
      const { status } = await fetch(url, { method: 'POST', body: JSON.stringify({ host: 'app.example', type: 'dns' }), signal: AbortSignal.timeout(1000) });
      return String(status);
    } catch {
      await wait(100);
    }
  }
  return 'silent';
}

// What is seen where somebody else has one of its ports.
async function look(taken) {
  const names = await both();
  const management = await listen(0);
  const { port } = management.address();
  if (taken !== 'UDP') await close(names.udp);
  if (taken !== 'TCP') await close(names.tcp);
  if (taken !== 'management') await close(management);
  const silent = ['-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', ''];
  const child = spawn('pebble-challtestsrv', [...silent, '-dns01', `${HOST}:${names.port}`, '-management', `${HOST}:${port}`]);
  process.once('exit', () => child.kill());
  const ended = once(child, 'exit');
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
  const seen = { management: await manage(port), udp: await overUdp(names.port), tcp: await overTcp(names.port) };
  const runs = child.exitCode === null && child.signalCode === null;
  if (runs) child.kill();
  await ended;
  if (taken === 'UDP') await close(names.udp);
  if (taken === 'TCP') await close(names.tcp);
  if (taken === 'management') await close(management);
  const errors = said.split('\n').filter((line) => line.includes('address already in use')).length;
  return `${runs ? 'runs' : `ended ${child.exitCode}`}; error lines ${errors}; management ${seen.management}; UDP ${seen.udp}; TCP ${seen.tcp}`;
}

const SEEN = {
  none: 'runs; error lines 0; management 200; UDP answers; TCP answers',
  UDP: 'runs; error lines 1; management 200; UDP silent; TCP answers',
  TCP: 'runs; error lines 1; management 200; UDP answers; TCP silent',
  management: 'runs; error lines 1; management silent; UDP answers; TCP answers',
};
let same = true;
for (const [taken, expected] of Object.entries(SEEN)) {
  const seen = await look(taken);
  console.log(`pebble ${process.argv[2]}, ${taken} taken: ${seen}`);
  same &&= seen === expected;
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 100 node run.mjs "$version"

// WebTorrent's clients at the tracker of the server under test, unmodified: over WebRTC, one process each.
//
//   node clients.mjs hash                       prints the info-hash of what is shared
//   node clients.mjs seed FOLDER TRACKER        shares it, writes `content.torrent` there, prints `announced`, then `uploaded BYTES` once somebody has it all
//   node clients.mjs get FOLDER TRACKER         takes it by that file, prints `done BYTES` once everything is verified, and ends
//   node clients.mjs faults FOLDER TRACKER      announces what the tracker does not serve, then scrapes; prints what the client shows, and ends
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import TrackerClient from 'bittorrent-tracker';
import WebTorrent from 'webtorrent';

// Everything that looks for peers elsewhere than at the tracker is off.
const options = { dht: false, lsd: false, natUpnp: false, natPmp: false, utp: false, tracker: { rtcConfig: { iceServers: [] } } };
const LEN = 3 * 1024 * 1024;

function content() {
  const bytes = Buffer.alloc(LEN);
  for (let at = 0, state = 1; at < LEN; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  bytes.name = 'content.bin';
  return bytes;
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

// What it has is kept in a folder of its own: two clients would find each other's there.
async function share(folder, announce, shared) {
  const torrents = new WebTorrent(options);
  torrents.on('error', fail);
  const path = await mkdtemp(join(folder, 'seed-'));
  torrents.seed(content(), { announce, name: 'content', path }, shared);
}

function hash(folder) {
  share(folder, [], (torrent) => {
    console.log(torrent.infoHash);
    process.exit(0);
  });
}

function seed(folder, tracker) {
  share(folder, [tracker], async (torrent) => {
    await writeFile(join(folder, 'content.torrent'), torrent.torrentFile);
    torrent.on('warning', (error) => console.log(`warning ${error.message}`));
    torrent.on('trackerAnnounce', () => console.log('announced'));
    let told = 0;
    torrent.on('upload', () => {
      if (torrent.uploaded - told >= LEN) {
        told = torrent.uploaded;
        console.log(`uploaded ${told}`);
      }
    });
  });
}

async function get(folder, tracker) {
  const torrents = new WebTorrent(options);
  torrents.on('error', fail);
  const path = await mkdtemp(join(folder, 'get-'));
  const torrent = torrents.add(await readFile(join(folder, 'content.torrent')), { announce: [tracker], path });
  torrent.on('warning', (error) => console.log(`warning ${error.message}`));
  torrent.on('done', () => {
    console.log(`done ${torrent.downloaded}`);
    // Its `stopped` is still to leave.
    torrents.destroy(() => setTimeout(() => process.exit(0), 500));
  });
}

async function faults(_, tracker) {
  const client = new TrackerClient({ infoHash: 'f'.repeat(40), peerId: '2d5757303330302d' + '1'.repeat(24), announce: [tracker], port: 6881 });
  client.on('error', fail);
  client.on('warning', (error) => console.log(`warning ${error.message}`));
  client.on('scrape', (files) => console.log(`scrape ${files.infoHash} ${files.complete} ${files.incomplete}`));
  // No offers, so that no WebRTC is needed.
  client.start({ numwant: 0 });
  await after(1500);
  // Through the same socket, if the client kept it: a new one would take it ten seconds at least.
  client.scrape();
  await after(1500);
  console.log('end');
  process.exit(0);
}

const [what, folder, tracker] = process.argv.slice(2);
({ hash, seed, get, faults })[what](folder, tracker);

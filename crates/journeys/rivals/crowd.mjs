// One member of a WebTorrent crowd, as the lab starts it: WebTorrent's defaults over WebRTC, but rarest pieces first. Its default order is a
// player's, in which a crowd has little to exchange: everybody asks the first seeder for the same pieces.
//
//   node crowd.mjs seed ADDRESS FOLDER TORRENT   the tracker and the first seeder; writes the torrent file, prints `ready`
//   node crowd.mjs get TORRENT FOLDER            prints `ready`, begins at SIGUSR2, prints `done` once everything is verified, then seeds
//
// Both print how many bytes they uploaded at SIGTERM, and end.
import { readFile, writeFile } from 'node:fs/promises';
import WebTorrent from 'webtorrent';

const TRACKER_PORT = 8000;

// Everything that looks for peers elsewhere than at the lab's own tracker is off.
const options = { dht: false, lsd: false, natUpnp: false, natPmp: false, utp: false, tracker: { rtcConfig: { iceServers: [] } } };

function fail(error) {
  console.error(error);
  process.exit(1);
}

function join() {
  const torrents = new WebTorrent(options);
  torrents.on('error', fail);
  process.on('SIGTERM', () => {
    const uploaded = torrents.torrents.reduce((sum, torrent) => sum + torrent.uploaded, 0);
    process.stdout.write(`${JSON.stringify({ uploaded })}\n`, () => process.exit(0));
  });
  return torrents;
}

async function track(address) {
  const { default: Server } = await import('bittorrent-tracker/server');
  const tracker = new Server({ udp: false, http: true, ws: true, stats: false });
  tracker.on('error', fail);
  await new Promise((resolve) => tracker.listen(TRACKER_PORT, address, resolve));
}

async function seed(address, folder, torrentFile) {
  await track(address);
  const announce = [`ws://${address}:${TRACKER_PORT}`];
  join().seed(folder, { announce }, (torrent) => {
    writeFile(torrentFile, torrent.torrentFile).then(() => console.log('ready'), fail);
  });
}

async function get(torrentFile, folder) {
  const torrents = join();
  process.once('SIGUSR2', async () => {
    const torrent = torrents.add(await readFile(torrentFile), { path: folder, strategy: 'rarest' });
    torrent.on('done', () => console.log('done'));
  });
  // Waits for the signal; nothing else keeps it alive.
  setInterval(() => {}, 60_000);
  console.log('ready');
}

const [what, ...words] = process.argv.slice(2);
await (what === 'seed' ? seed(...words) : get(...words));

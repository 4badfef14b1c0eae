// WebTorrent's clients in a page, as their documentation says they are used, with the tracker of the server that the page came from.

const tracker = `${location.origin.replace('http', 'ws')}/.viral/announce`;
const rtcConfig = { iceServers: [] };

// --- webtorrent: files ---

async function client() {
  const { default: WebTorrent } = await import('/webtorrent.min.js');
  return new WebTorrent({ dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: { rtcConfig } });
}

// Shares what is at `path`; the torrent file, once the tracker knows.
export async function seedFile(path) {
  const body = await (await fetch(path)).blob();
  const torrents = await client();
  window.seeding = torrents;
  return new Promise((resolve, reject) => {
    torrents.on('error', reject);
    const torrent = torrents.seed(new File([body], 'shared.bin'), { announce: [tracker] });
    torrent.on('trackerAnnounce', () => resolve(Array.from(torrent.torrentFile)));
  });
}

// The SHA-256 of what came from others.
export async function takeFile(torrentFile) {
  const torrents = await client();
  const torrent = await new Promise((resolve, reject) => {
    torrents.on('error', reject);
    torrents.add(new Uint8Array(torrentFile), {}, (torrent) => torrent.on('done', () => resolve(torrent)));
  });
  const bytes = await (await torrent.files[0].blob()).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// --- p2p-media-loader: segments of a stream ---

// Loads a segment of each path, over HTTP at most `atOnce` at a time (0: never). How many bytes came from where, and what the tracker said.
export async function watch(paths, atOnce) {
  const { Core } = await import('/p2p-media-loader-core.js');
  const core = new Core({ announceTrackers: [tracker], rtcConfig, swarmId: 'journey', simultaneousHttpDownloads: atOnce, highDemandTimeWindow: 60 });
  const came = { http: 0, p2p: 0, warnings: [] };
  core.addEventListener('onChunkDownloaded', (length, source) => {
    came[source] += length;
  });
  core.addEventListener('onTrackerWarning', ({ warning }) => came.warnings.push(String(warning)));
  core.setManifestResponseUrl(new URL('/stream.m3u8', location).href);
  core.addStreamIfNoneExists({ runtimeId: 'main', type: 'main', index: '0' });
  const segments = paths.map((path, at) => ({
    runtimeId: path, externalId: at, url: new URL(path, location).href, startTime: at * 4, endTime: (at + 1) * 4,
  }));
  core.updateStream('main', segments);
  core.updatePlayback(0, 1);
  window.watching = core;
  const load = (path) => new Promise((resolve, reject) => {
    core.loadSegment(path, { onSuccess: ({ data }) => resolve(data.byteLength), onError: (error) => reject(new Error(String(error.type))) });
  });
  for (const path of paths) await load(path);
  return came;
}

// The other sides of the goodput comparison, run in the same pages as viral.

const gathered = (peer) =>
  new Promise((resolve) => {
    if (peer.iceGatheringState === 'complete') resolve();
    peer.addEventListener('icegatheringstatechange', () => peer.iceGatheringState === 'complete' && resolve());
  });

// --- a raw data channel: 64 KiB messages, at most 1 MiB buffered ---

const MESSAGE = 64 * 1024;
const HIGH_WATER = 1024 * 1024;
const LOW_WATER = 256 * 1024;
let raw;

export async function rawOffer(length) {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel('raw', { negotiated: true, id: 0 });
  channel.binaryType = 'arraybuffer';
  const took = new Promise((resolve) => {
    let start;
    let received = 0;
    channel.onopen = () => {
      start = performance.now();
      channel.send('go');
    };
    channel.onmessage = ({ data }) => {
      received += data.byteLength;
      if (received >= length) resolve(performance.now() - start);
    };
  });
  raw = { peer, took };
  await peer.setLocalDescription();
  await gathered(peer);
  return peer.localDescription.sdp;
}

export async function rawAnswer(sdp, length) {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel('raw', { negotiated: true, id: 0 });
  channel.bufferedAmountLowThreshold = LOW_WATER;
  const message = crypto.getRandomValues(new Uint8Array(MESSAGE));
  let left = length;
  const pump = () => {
    while (left > 0 && channel.bufferedAmount < HIGH_WATER) {
      channel.send(message);
      left -= MESSAGE;
    }
  };
  channel.onmessage = pump;
  channel.onbufferedamountlow = pump;
  channel.onclose = () => peer.close();
  await peer.setRemoteDescription({ type: 'offer', sdp });
  await peer.setLocalDescription();
  await gathered(peer);
  return peer.localDescription.sdp;
}

export async function rawRun(sdp) {
  await raw.peer.setRemoteDescription({ type: 'answer', sdp });
  const took = await raw.took;
  raw.peer.close();
  return took;
}

// --- WebTorrent, as its documentation says it is used ---

async function client() {
  const { default: WebTorrent } = await import('/webtorrent.min.js');
  return new WebTorrent({ dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: { rtcConfig: { iceServers: [] } } });
}

export async function seedTorrent(path, announce) {
  const body = await (await fetch(path)).blob();
  const torrents = await client();
  window.seedingTorrents = torrents;
  const torrent = await new Promise((resolve, reject) => {
    torrents.on('error', reject);
    torrents.seed(new File([body], 'big.bin'), { announce: [announce] }, resolve);
  });
  return Array.from(torrent.torrentFile);
}

// Milliseconds from the first byte to the last: finding the peer and connecting are not counted against it.
export async function leechTorrent(torrentFile, length) {
  const torrents = await client();
  try {
    return await new Promise((resolve, reject) => {
      torrents.on('error', reject);
      torrents.add(new Uint8Array(torrentFile), {}, (torrent) => {
        let start;
        torrent.on('download', () => {
          start ??= performance.now();
        });
        torrent.on('done', () => (torrent.downloaded >= length ? resolve(performance.now() - start) : reject(new Error('short'))));
      });
    });
  } finally {
    await new Promise((resolve) => torrents.destroy(resolve));
  }
}

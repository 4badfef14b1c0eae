// A WebTorrent tracker on a free loopback port; prints the port once it listens.
// Only the server: the client would load WebRTC for node, which this does not need.
import Server from 'bittorrent-tracker/server';

const tracker = new Server({ udp: false, http: true, ws: true, stats: false });
tracker.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
tracker.listen(0, '127.0.0.1', () => console.log(`tracker on port ${tracker.http.address().port}`));

// A WebTorrent tracker on a free loopback port; prints the port once it listens.
import { Server } from 'bittorrent-tracker';

const tracker = new Server({ udp: false, http: true, ws: true, stats: false });
tracker.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
tracker.listen(0, '127.0.0.1', () => console.log(`tracker on port ${tracker.http.address().port}`));

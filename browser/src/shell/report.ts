/** What the browser's timing says of the document, and the beacon of a visit that ends without a socket. */

import type { Totals } from '../core/counts';
import type { VisitPost } from '../core/generated/VisitPost';

/** Bytes of the document itself, as it travelled. */
export function documentBytes(): number {
  const [entry] = performance.getEntriesByType('navigation');
  return entry instanceof PerformanceNavigationTiming ? entry.transferSize : 0;
}

/** Tells the tracker of a visit, even while the page goes away. */
export function sendVisit(ticket: string, { bytesFromPeers, bytesFromOrigin, piecesVerified, sources }: Totals, faults: VisitPost['faults']): void {
  const visit: VisitPost = {
    ticket,
    counts: {
      bytes_from_peers: bytesFromPeers,
      bytes_from_origin: bytesFromOrigin,
      bytes_to_peers: 0,
      pieces_verified: piecesVerified,
      sources: [...sources].map(([peer, bytes]) => ({ peer, bytes })),
    },
    faults,
  };
  navigator.sendBeacon('/.viral/visit', new Blob([JSON.stringify(visit)], { type: 'application/json' }));
}

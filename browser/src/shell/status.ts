/** `window.viral`: what a page, or a person in the console, can see and decide. */

import type { Totals } from '../core/counts';
import { STATUS_MS } from './limits';
import type { Marks } from './handover';

/** What `window.viral.status()` gives. */
export interface Status {
  /** `seeder`: serves others. `leecher`: runs the app it got from others. `off`: neither. */
  readonly role: 'seeder' | 'leecher' | 'off';
  /** Why the role is `off`. */
  readonly reason?: string;
  /** How this page came: whole from the origin, or from peers. */
  readonly answer: 'full' | 'thin';
  /** Open connections. */
  readonly peers: number;
  /** Bytes of verified pieces, as the app has them: in transit they may be compressed. `bytesToPeers` counts the same way. */
  readonly bytesFromPeers: number;
  /** The same by ring of the page set: what deploy waited for, what at least half of the visits use, everything else. */
  readonly bytesFromPeersByRing: { readonly critical: number; readonly expected: number; readonly onDemand: number };
  /** Bytes of the document, its assets and our own scripts and pieces, as they travelled. */
  readonly bytesFromOrigin: number;
  readonly bytesToPeers: number;
  readonly piecesVerified: number;
  readonly piecesFromPeers: number;
  /** Peers banned for forged bytes. */
  readonly bans: number;
  /** The tracker's numbers of the peers that gave something, and how many bytes. */
  readonly sources: readonly { readonly peer: number; readonly bytes: number }[];
  /** Our own number at the tracker. */
  readonly peer: number | null;
  /** Milliseconds since the navigation began. */
  readonly marks: Marks;
}

/** What the page has to offer to this module. */
export interface StatusSource {
  readonly role: Status['role'];
  readonly reason: string | null;
  readonly answer: Status['answer'];
  readonly totals: Totals;
  readonly marks: Marks;
  readonly peer: number | null;
  /** How many connections are open. */
  opened(): number;
  optOut(): Promise<void>;
}

/** Defines `window.viral` unless the site has something of that name, and yields as soon as it gets one. */
function defineGlobal(viral: object): void {
  if ('viral' in window) return;
  Object.defineProperty(window, 'viral', {
    configurable: true,
    get: () => viral,
    set: (value: unknown) => void Object.defineProperty(window, 'viral', { value, writable: true, enumerable: true, configurable: true }),
  });
}

/** Defines `window.viral`; gives back the function to call after each change. */
export function publish(source: StatusSource): () => void {
  const status = (): Status => {
    const { role, reason, answer, peer, marks } = source;
    const { bytes, rings, sources, piecesFromPeers, bans } = source.totals;
    const [critical, expected, onDemand] = rings;
    return {
      role,
      ...(role === 'off' && reason ? { reason } : {}),
      answer,
      peers: source.opened(),
      bytesFromPeers: bytes.bytes_from_peers,
      bytesFromPeersByRing: { critical, expected, onDemand },
      bytesFromOrigin: bytes.bytes_from_origin,
      bytesToPeers: bytes.bytes_to_peers,
      piecesVerified: bytes.pieces_verified,
      piecesFromPeers,
      bans,
      sources: [...sources].map(([from, got]) => ({ peer: from, bytes: got })),
      peer,
      marks: { ...marks },
    };
  };
  defineGlobal(Object.freeze({ status, optOut: () => source.optOut() }));
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      window.dispatchEvent(new Event('viralchange'));
    }, STATUS_MS);
  };
}

/** What this visitor got from where; and the growth of it since the last report. */

import type { Counts } from './generated/Counts';

/** Totals of one visit, the names as in the signal. */
export interface Totals {
  readonly bytes: Omit<Counts, 'sources'>;
  /** Bytes of verified pieces by the tracker's number of the peer that sent them. */
  readonly sources: Map<number, number>;
  /** Bytes per second that these give, as measured last; JSON leaves out what is undefined. */
  readonly rates: Map<number, number | undefined>;
  /** Bytes of verified pieces from peers by ring: critical, expected, on demand. */
  readonly rings: [number, number, number];
  piecesFromPeers: number;
  bans: number;
}

/** Totals of nothing. */
export function noTotals(): Totals {
  return {
    bytes: { bytes_from_peers: 0, bytes_from_origin: 0, bytes_to_peers: 0, pieces_verified: 0 },
    sources: new Map(),
    rates: new Map(),
    rings: [0, 0, 0],
    piecesFromPeers: 0,
    bans: 0,
  };
}

/** The totals as a report of everything so far. */
export function countsOf({ bytes, rings, sources, rates }: Totals): Counts {
  return { ...bytes, rings: [...rings], sources: [...sources].map(([peer, got]) => ({ peer, bytes: got, rate: rates.get(peer)! })) };
}

/** Growth from the report `before` to `now`, at most `sourcesMax` sources, largest first; null if nothing grew. */
export function growth(before: Counts, now: Counts, sourcesMax: number): Counts | null {
  const sources = now.sources
    .map(({ peer, bytes, ...rest }) => ({ ...rest, peer, bytes: bytes - (before.sources.find((source) => source.peer === peer)?.bytes ?? 0) }))
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, sourcesMax);
  const { sources: _, rings = [], ...bytes } = now;
  const grown = Object.entries(bytes).map(([name, value]) => [name, value - before[name as keyof typeof bytes]] as const);
  const byRing = rings.map((got, ring) => got - (before.rings?.[ring] ?? 0));
  if (!grown.some(([, by]) => by)) return null;
  return { ...(Object.fromEntries(grown) as typeof bytes), ...(byRing.some(Boolean) && { rings: byRing as Counts['rings'] & {} }), sources };
}

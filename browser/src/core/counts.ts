/** What this visitor got from where, in bytes; and the growth of it since the last report. */

/** Totals of one visit. */
export interface Totals {
  bytesFromPeers: number;
  bytesFromOrigin: number;
  bytesToPeers: number;
  piecesVerified: number;
  piecesFromPeers: number;
  bans: number;
  /** Bytes of verified pieces by the tracker's number of the peer that sent them. */
  readonly sources: Map<number, number>;
}

/** The `counts` of a signal. */
export interface Growth {
  readonly bytes_from_peers: number;
  readonly bytes_from_origin: number;
  readonly bytes_to_peers: number;
  readonly pieces_verified: number;
  readonly sources: { readonly peer: number; readonly bytes: number }[];
}

/** Totals of nothing. */
export function noTotals(): Totals {
  return { bytesFromPeers: 0, bytesFromOrigin: 0, bytesToPeers: 0, piecesVerified: 0, piecesFromPeers: 0, bans: 0, sources: new Map() };
}

/** An independent copy, to be the `before` of a later [`growth`]. */
export function copyTotals(totals: Totals): Totals {
  return { ...totals, sources: new Map(totals.sources) };
}

/** Growth from `before` to `now`, at most `sourcesMax` sources; null if nothing grew. */
export function growth(before: Totals, now: Totals, sourcesMax: number): Growth | null {
  const sources = [...now.sources]
    .map(([peer, bytes]) => ({ peer, bytes: bytes - (before.sources.get(peer) ?? 0) }))
    .filter((source) => source.bytes > 0)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, sourcesMax);
  const grown = {
    bytes_from_peers: now.bytesFromPeers - before.bytesFromPeers,
    bytes_from_origin: now.bytesFromOrigin - before.bytesFromOrigin,
    bytes_to_peers: now.bytesToPeers - before.bytesToPeers,
    pieces_verified: now.piecesVerified - before.piecesVerified,
    sources,
  };
  const any = grown.bytes_from_peers || grown.bytes_from_origin || grown.bytes_to_peers || grown.pieces_verified;
  return any ? grown : null;
}

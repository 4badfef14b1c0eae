/** Who is interested in which pieces, and hears of them once they are here. Same decisions as `crates/swarm/src/client/announce.rs`. */

import type { PieceId } from '../digest';
import type { PeerKey } from '../fetch/types';
import { HAVE_MS, INTERESTED_IDS_MAX } from '../generated/sessionPolicy';
import { QUERY_IDS_MAX } from '../limits';

/** Send a `have`: at most `QUERY_IDS_MAX` ids, none if a query named nothing that is held. */
export interface AnnounceOutput {
  readonly kind: 'have';
  readonly peer: PeerKey;
  readonly ids: readonly PieceId[];
}

/** Answers queries, and announces what was asked about and came later. */
export class Announce {
  readonly #serves: boolean;
  /** By peer, in the order of their keys: pieces that it asked about and that were not here. */
  readonly #interested: Set<PieceId>[] = [];
  /** Pieces that came since the last announcement and that somebody asked about. */
  readonly #haveQueue: PieceId[] = [];
  #due: number | null = null;
  readonly #out: AnnounceOutput[] = [];

  /** Nobody asked yet. `serves`: whether anything is uploaded at all; who uploads nothing holds nothing for others. */
  constructor(serves: boolean) {
    this.#serves = serves;
  }

  /** A peer asks which of these are here; `held` tells. It hears of the others later, as many as there is room for. */
  handleQuery(peer: PeerKey, ids: readonly PieceId[], held: (id: PieceId) => boolean): void {
    const interest = (this.#interested[peer] ??= new Set());
    const here: PieceId[] = [];
    for (const id of this.#serves ? ids : []) {
      if (held(id)) here.push(id);
      else if (interest.size < INTERESTED_IDS_MAX) interest.add(id);
    }
    this.#out.push({ kind: 'have', peer, ids: here });
  }

  /** A peer holds these: that they are here, too, is no news to it. */
  handleHeldBy(peer: PeerKey, ids: readonly PieceId[]): void {
    for (const id of ids) this.#interested[peer]?.delete(id);
  }

  /** A piece is here now, verified and stored. */
  handleKept(now: number, id: PieceId): void {
    if (!this.#interested.some((interest) => interest.has(id))) return;
    this.#haveQueue.push(id);
    this.#due ??= now + HAVE_MS;
  }

  /** A peer's connection ended. */
  handleClosed(peer: PeerKey): void {
    delete this.#interested[peer];
  }

  /** Time passed. */
  handleTimeout(now: number): void {
    if (this.#due === null || now < this.#due) return;
    this.#due = null;
    const queue = this.#haveQueue.splice(0);
    this.#interested.forEach((interest, peer) => {
      const ids = queue.filter((id) => interest.delete(id));
      while (ids.length) this.#out.push({ kind: 'have', peer, ids: ids.splice(0, QUERY_IDS_MAX) });
    });
  }

  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): AnnounceOutput | null {
    return this.#out.shift() ?? null;
  }

  /** When to call {@link handleTimeout}, in milliseconds; null = not needed. */
  pollTimeout(): number | null {
    return this.#due;
  }
}

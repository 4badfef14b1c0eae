/** What goes in and out of the fetch engine. Names match `crates/swarm/src/fetch/types.rs`, but for `ask-share`, which is `AskLease` there. */

import type { PieceId } from '../digest';
import type { Fault } from '../generated/Fault';

/** A peer, as the shell numbers it: a whole number from 0, never used for two peers of one engine. */
export type PeerKey = number;

/** Where bytes come from. */
export type Source = { readonly kind: 'peer'; readonly peer: PeerKey } | { readonly kind: 'origin' };

/** What the shell must do next; the engine itself performs no I/O. */
export type FetchOutput =
  | { readonly kind: 'want'; readonly peer: PeerKey; readonly ids: readonly PieceId[] }
  | { readonly kind: 'cancel'; readonly peer: PeerKey; readonly ids: readonly PieceId[] }
  | { readonly kind: 'query'; readonly peer: PeerKey; readonly ids: readonly PieceId[] }
  /** Ask the origin for these in one request; `handlePiece` for each that comes, `handleOriginFailed` for the others. */
  | { readonly kind: 'ask-origin'; readonly ids: readonly PieceId[] }
  /**
   * Ask the tracker for a lease of the crowd's work, then `handleLease`. `done` pieces of the leases so far, oldest first, are held now and
   * were not reported yet.
   */
  | { readonly kind: 'ask-share'; readonly done: number }
  /** Close the connection and report the fault; the engine has forgotten the peer already. Every fault but `silent` and `slow` is for good. */
  | { readonly kind: 'drop'; readonly peer: PeerKey; readonly fault: Fault }
  /** Every piece is held. Said again when pieces were added since. */
  | { readonly kind: 'done' }
  /** Pieces are missing and there is no peer: said once each time this begins, and at each failure of the origin meanwhile. */
  | { readonly kind: 'need-peers' };

/** What to do with a piece that arrived, before it is inflated or hashed. */
export type Accepted =
  | { readonly kind: 'take'; readonly len: number }
  /** Held already (a hedge or a crossed cancel): drop it silently. */
  | { readonly kind: 'late' }
  /** Never asked of this source: `handleFault(now, peer, 'unasked')`. */
  | { readonly kind: 'unasked' };

/** How far the download is. */
export interface Progress {
  readonly held: number;
  readonly total: number;
  readonly bytesHeld: number;
  readonly bytesTotal: number;
  readonly done: boolean;
}

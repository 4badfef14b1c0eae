/** What one of a crowd takes from the origin: the lease that the tracker gives it, and after a while of nothing more, until a peer gives something. */

import type { PieceTable } from './piecetable';
import { ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, LEASE_ASK_MS, LEASE_RETRY_MS, LEASE_STALL_LAST_MS, LEASE_STALL_MS, LEFT_MS, LEFT_RATE_MIN, NEIGHBOURS_MIN } from './config';
import { EXPECTED, NEVER } from './state';
import type { PieceState, SourceState } from './state';

/** The lease of one engine. */
export class OriginLease {
  /** Pieces given and not yet reported as held, oldest first. */
  readonly #given: PieceState[] = [];
  /** How many of those before them are held and not reported yet. */
  #done = 0;
  /** A `share` waits for its reply. */
  #asked = false;
  /** The tracker had nothing to grant at the last reply. */
  #isAllGranted = false;
  /** Until then the tracker is not asked again, because it had nothing to grant. */
  #retryAt = NEVER;
  /** The tracker was asked a moment ago: nothing is said until then. */
  #silentUntil = NEVER;
  /** When a piece was verified last, from whomever. */
  #advancedAt: number;
  /** Pieces that the origin is asked for next beside the lease, because nobody gave anything; 0 = somebody does. */
  #originFallback = 0;
  /** Since when a peer stands idle for what is left to neighbours, later by what these gave meanwhile: by the last round and by this one. */
  #leftSince = NEVER;
  #leftNow = NEVER;
  /** Neighbours gave nothing for so long that nothing is left to them any more. */
  #takesAll = false;
  readonly #salt: number;

  constructor(now: number, salt: number) {
    this.#advancedAt = now;
    this.#salt = salt;
  }

  _give(now: number, pieces: readonly PieceState[]): void {
    this.#asked = false;
    this.#isAllGranted = !pieces.length;
    this.#retryAt = this.#isAllGranted ? now + LEASE_RETRY_MS : NEVER;
    // A lease that took too long may be granted to the same taker again.
    for (const piece of pieces) if (!this.#given.includes(piece)) this.#given.push(piece);
  }

  /** Something is missing from now on: whoever gave nothing before had nothing to give. */
  _begin(now: number): void {
    this._advance(now, true);
  }

  /** A piece was verified; `nearLen`: its bytes if a neighbour gave it. */
  _advance(now: number, isFromPeer: boolean, nearLen = 0): void {
    this.#advancedAt = now;
    const since = this.#leftSince + Math.floor((nearLen * 1000) / LEFT_RATE_MIN);
    this.#leftSince = since < now ? since : NEVER;
    if (isFromPeer) this.#originFallback = 0;
  }

  /** The origin did not give what it was asked for: asking for more would not help it. */
  _shrinkFallback(): void {
    this.#originFallback = Math.min(this.#originFallback, 1);
  }

  _expire(now: number): void {
    if (this.#stallsAt() <= now) {
      this.#advancedAt = now;
      // From now on the origin stands in, with little at first: where its line is what everybody waits for, all would ask for everything at once.
      this.#originFallback ||= 1;
    }
    if (this.#leftUntil() <= now) this.#takesAll = true;
    if (this.#retryAt <= now) this.#retryAt = NEVER;
    if (this.#silentUntil <= now) this.#silentUntil = NEVER;
  }

  _due(): number {
    return Math.min(this.#retryAt, this.#silentUntil, this.#stallsAt(), this.#takesAll ? NEVER : this.#leftUntil());
  }

  /** When nothing is left to neighbours any more. */
  #leftUntil(): number {
    return this.#leftSince + LEFT_MS;
  }

  /** When the crowd counts as giving nothing. */
  #stallsAt(): number {
    return this.#advancedAt + (this.#isAllGranted ? LEASE_STALL_LAST_MS : LEASE_STALL_MS);
  }

  /** The place of a piece in an order that is another one for each of the crowd. Below 2^53 at every step. */
  _placeOf({ _at: at }: PieceState): number {
    return (((at * 48271 + this.#salt * 7) % 2147483647) * 16807) % 2147483647;
  }

  /** Of the first ring of which this peer can send something, the piece that the fewest peers have, so that it spreads; among equals each of the crowd begins elsewhere. */
  _rarest(table: PieceTable, state: SourceState): PieceState | undefined {
    let rarest: PieceState | undefined;
    let leaves = false;
    const neighbours = this.#neighbours(table, state);
    const consider = (piece: PieceState): void => {
      if (!table._isFree(piece) || !table._can(state, piece)) return;
      if (rarest && (piece._ring - rarest._ring || piece._availability - rarest._availability || this._placeOf(piece) - this._placeOf(rarest)) >= 0) return;
      if (isLeft(table, neighbours, piece)) leaves = true;
      else rarest = piece;
    };
    if (state._complete) for (let at = 0; at < table._boot; at++) consider(table._pieces[at]!);
    for (const piece of state._has) consider(piece);
    // It stands idle for what is left to neighbours.
    if (leaves && !rarest) this.#leftNow = Math.min(this.#leftSince, table._now);
    return rarest;
  }

  /** The neighbours to whom something is left of what this peer could send; none where nothing is. */
  #neighbours(table: PieceTable, { _beyond }: SourceState): SourceState[] {
    if (this.#takesAll || !_beyond) return [];
    const neighbours = [...table._peers.values()].filter((state) => state._open && !state._beyond);
    return neighbours.length < NEIGHBOURS_MIN ? [] : neighbours;
  }

  /** What the origin is asked for next: what of the lease is neither held nor under way; after a while of nothing, more and more of the rest until a peer gives something. */
  _nextRequest(table: PieceTable): PieceState[] | undefined {
    if (table._origin._pause !== NEVER || table._requestCount >= ORIGIN_REQUESTS_MAX) return undefined;
    let batch = this.#given.filter((piece) => table._isFree(piece)).slice(0, ORIGIN_IDS_MAX);
    if (!batch.length && this.#originFallback > 0 && table._requestCount === 0) {
      batch = this.#fallbackPieces(table);
      if (batch.length) this.#originFallback = Math.min(this.#originFallback * 2, ORIGIN_IDS_MAX);
    }
    return batch.length ? batch : undefined;
  }

  /** Pieces that nobody gives, each of the crowd others: those that nobody owes before those that somebody is overdue with. */
  #fallbackPieces(table: PieceTable): PieceState[] {
    const missing = table._pieces.filter(({ _held, _ring, _from }) => _ring < EXPECTED && !_held && _from.length < 2 && _from.every(({ _overdue }) => _overdue));
    missing.sort((a, b) => a._from.length - b._from.length || this._placeOf(a) - this._placeOf(b));
    return missing.slice(0, this.#originFallback);
  }

  /** Whether the tracker is asked now: with how much of the lease is held, once that is worth saying, or for more, once all of it is under way. */
  _pollAsk(table: PieceTable): number | undefined {
    // The round is over.
    this.#leftSince = this.#leftNow;
    this.#leftNow = NEVER;
    const given = this.#given;
    const isDone = table._held === table._pieces.length;
    while (given[0]?._held) {
      given.shift();
      this.#done++;
    }
    // The last word must not come too late, or what is held here counts as lost.
    if (this.#silentUntil !== NEVER && !isDone) return undefined;
    const wantsMore = !isDone && !this.#asked && this.#retryAt === NEVER;
    const isUnderWay = given.every((piece) => piece._held || piece._from.length > 0);
    // Half of a lease at a time: a message for each piece would be too many on a fast line.
    const isWorthSaying = this.#done > 0 && this.#done >= given.length;
    if (!isWorthSaying && !(wantsMore && isUnderWay)) return undefined;
    this.#asked = true;
    this.#silentUntil = table._now + LEASE_ASK_MS;
    const done = this.#done;
    this.#done = 0;
    return done;
  }
}

/** Whether a piece that a peer could send is left to these neighbours: over the line this one takes only its stripe, and of that nothing that one of them has. */
function isLeft(table: PieceTable, neighbours: readonly SourceState[], piece: PieceState): boolean {
  const { stripe, stripes } = table._beyond ?? { stripe: 0, stripes: 1 };
  const isOurs = parseInt(piece.id.slice(-2), 16) % stripes === stripe;
  return neighbours.length > 0 && (!isOurs || neighbours.some((state) => table._can(state, piece)));
}

/** Makes the lease of an engine that becomes one of a crowd. */
export const newOriginLease = (now: number, salt: number): OriginLease => new OriginLease(now, salt);

/**
 * What one of a crowd takes from the origin: the share that the tracker gives it, and after a while of nothing more, until a peer gives something.
 * A script that is built without `CROWD` has nothing of this.
 */

import { EXPECTED } from './board';
import type { Board, Slot } from './board';
import { ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, SHARE_ASK_MS, SHARE_RETRY_MS, SHARE_STALL_LAST_MS, SHARE_STALL_MS } from './config';
import { request } from './fill';
import { NEVER } from './link';

/** The share of one engine. */
export class Sharing {
  /** Pieces given and not yet reported as held, oldest first. */
  readonly _given: Slot[] = [];
  /** How many of those before them are held and not reported yet. */
  _done = 0;
  /** A `share` waits for its reply. */
  _asked = false;
  /** The tracker had nothing to deal at the last reply. */
  #isDealt = false;
  /** It had not: the next question waits until then. */
  _retryAt = NEVER;
  /** The tracker was asked a moment ago: nothing is said until then. */
  _silentUntil = NEVER;
  /** When a piece was verified last, from whomever. */
  #advancedAt: number;
  /** Pieces that the origin is asked for next beside the share, because nobody gave anything; 0 = somebody does. */
  _rescue = 0;
  readonly #salt: number;

  constructor(now: number, salt: number) {
    this.#advancedAt = now;
    this.#salt = salt;
  }

  _give(now: number, slots: readonly Slot[]): void {
    this._asked = false;
    this.#isDealt = !slots.length;
    this._retryAt = this.#isDealt ? now + SHARE_RETRY_MS : NEVER;
    // A share that took too long may be dealt to the same taker again.
    for (const slot of slots) if (!this._given.includes(slot)) this._given.push(slot);
  }

  /** Something is missing from now on: whoever gave nothing before had nothing to give. */
  _begin(now: number): void {
    this._advance(now, true);
  }

  /** A piece was verified. */
  _advance(now: number, isFromPeer: boolean): void {
    this.#advancedAt = now;
    if (isFromPeer) this._rescue = 0;
  }

  /** The origin did not give what it was asked for: asking for more would not help it. */
  _relent(): void {
    this._rescue = Math.min(this._rescue, 1);
  }

  _expire(now: number): void {
    if (this.#stallsAt() <= now) {
      this.#advancedAt = now;
      // From now on the origin stands in, with little at first: where its line is what everybody waits for, all would ask for everything at once.
      this._rescue ||= 1;
    }
    if (this._retryAt <= now) this._retryAt = NEVER;
    if (this._silentUntil <= now) this._silentUntil = NEVER;
  }

  _due(): number {
    return Math.min(this._retryAt, this._silentUntil, this.#stallsAt());
  }

  /** When the crowd counts as giving nothing. */
  #stallsAt(): number {
    return this.#advancedAt + (this.#isDealt ? SHARE_STALL_LAST_MS : SHARE_STALL_MS);
  }

  /** The place of a piece in an order that is another one for each of the crowd. Below 2^53 at every step. */
  _placeOf({ _at: at }: Slot): number {
    return (((at * 48271 + this.#salt * 7) % 2147483647) * 16807) % 2147483647;
  }
}

/** Everything that no peer gives may be asked of the origin now. Whoever was one of a crowd asks with one request at a time: the others need their shares. */
export function leaveCrowd(board: Board): void {
  if (board._sharing) board._requestsMax = 1;
  board._sharing = undefined;
}

/** Requests what of the share is neither held nor under way; after a while of nothing, more and more of the rest until a peer gives something. */
export function askOrigin(board: Board, sharing: Sharing): void {
  while (board._origin._pause === NEVER && board._requestCount < ORIGIN_REQUESTS_MAX) {
    let batch = sharing._given.filter((slot) => board._isFree(slot)).slice(0, ORIGIN_IDS_MAX);
    const isRescue = !batch.length && sharing._rescue > 0 && board._requestCount === 0;
    if (isRescue) batch = toRescue(board, sharing);
    if (!batch.length) return;
    for (const slot of batch) board._assign(board._origin, slot);
    request(board, batch);
    if (isRescue) sharing._rescue = Math.min(sharing._rescue * 2, ORIGIN_IDS_MAX);
  }
}

/** Pieces that nobody gives, each of the crowd others: those that nobody owes before those that somebody is late with. */
function toRescue(board: Board, sharing: Sharing): Slot[] {
  const missing = board._slots.filter(({ _held, _ring, _from }) => _ring < EXPECTED && !_held && _from.length < 2 && _from.every(({ _late }) => _late));
  missing.sort((a, b) => a._from.length - b._from.length || sharing._placeOf(a) - sharing._placeOf(b));
  return missing.slice(0, sharing._rescue);
}

/** Reports what of the share is held, and asks for more once all of it is under way. */
export function askShare(board: Board, sharing: Sharing): void {
  const given = sharing._given;
  const isDone = board._held === board._slots.length;
  while (given[0]?._held) {
    given.shift();
    sharing._done++;
  }
  // The last word must not come too late, or what is held here counts as lost.
  if (sharing._silentUntil !== NEVER && !isDone) return;
  const wantsMore = !isDone && !sharing._asked && sharing._retryAt === NEVER;
  const isUnderWay = given.every((slot) => slot._held || slot._from.length > 0);
  // Half of a share at a time: a message for each piece would be too many on a fast line.
  const isWorthSaying = sharing._done > 0 && sharing._done >= given.length;
  if (!isWorthSaying && !(wantsMore && isUnderWay)) return;
  sharing._asked = true;
  sharing._silentUntil = board._now + SHARE_ASK_MS;
  board._out.push({ kind: 'ask-share', done: sharing._done });
  sharing._done = 0;
}

/**
 * Fetches pieces from several peers and the origin at once. Sans-IO: call one `handle*` (or `addPieces`), drain `poll` until null, then sleep
 * until `pollTimeout` and call `handleTimeout`. Time is in whole milliseconds and never decreases. Same decisions as `crates/swarm/src/fetch.rs`.
 */

import type { PieceId } from './digest';
import { Board } from './fetch/board';
import { DIAL_MS, GRACE_MS, OPEN_MS, PAUSE_MS, PAUSE_MS_MAX, PEERS_MAX, PIECES_MAX, RETRY_MS, RETRY_MS_MAX } from './fetch/config';
import type { FetchConfig } from './fetch/config';
import { fill } from './fetch/fill';
import { DEMANDED, EXPECTED, NEVER, WANTED, backoff, bePatient, hear, isAwaited, isMute, lateAt, measure, newLink, silentAt, startOver, turnBack } from './fetch/link';
import type { Link, Slot } from './fetch/link';
import { leaveCrowd, newPolicy, settled } from './fetch/origin';
import { Sharing } from './fetch/sharing';
import type { Accepted, Output, PeerKey, Progress, Source } from './fetch/types';
import type { Piece } from './manifest';

export type { FetchConfig } from './fetch/config';
export type { Accepted, Output, PeerFault, PeerKey, Progress, Source } from './fetch/types';

/** The engine of one page. */
export class Fetch {
  readonly #board = new Board();
  readonly #policy = newPolicy();
  #stale = false;
  #done = false;
  #alone = false;
  #random: number;

  constructor(config?: Partial<FetchConfig>) {
    this.#random = (config?.seed ?? 0) % 2147483647 || 1;
  }

  /**
   * Pieces to fetch, in order of need; known ones are ignored. The first call names the page manifest's, which complete peers hold.
   * `peersOnly`: only peers are asked for them, after all others and in this order, until `handleDemand` names them; they are the page manifest's,
   * too, if this follows the call that names it, with no other in between, and not `outside`: then only who says so holds them.
   */
  addPieces(now: number, pieces: readonly Piece[], peersOnly = false, outside = false): void {
    const board = this.#at(now);
    const { _slots: slots } = board;
    if (CROWD && board._held === slots.length) this.#policy._sharing?._begin(board._now);
    const isPage = !outside && slots.length === (peersOnly ? board._boot : 0);
    for (const { len, digest } of pieces) {
      const id = digest.slice(0, 32);
      if (board._index.has(id) || slots.length >= PIECES_MAX) continue;
      const slot: Slot = { id, len, _at: slots.length, _ring: EXPECTED + 1, _place: 0, _held: false, _from: [], _copies: 0 };
      board._index.set(id, slot);
      slots.push(slot);
      board._promote(slot, peersOnly ? EXPECTED : WANTED);
      board._bytesTotal += len;
      this.#done = false;
    }
    if (!isPage) return;
    board._boot = slots.length;
    for (const link of board._links.values()) if (link._complete) link._answered = Math.max(link._answered, board._boot);
  }

  /** Whether one of these is held or a peer gives it now; null while a peer may still say so. */
  supply(ids: readonly PieceId[]): boolean | null {
    const board = this.#board;
    const slots = this.#known(ids);
    const links = [...board._links.values()];
    if (slots.some((slot) => slot._held || slot._from.length || links.some((link) => board._can(link, slot)))) return true;
    return slots.every((slot) => board._orphan(slot)) ? false : null;
  }

  /** The page waits for these: they come before all others, in the order of their first demand, and the origin may give them. */
  handleDemand(now: number, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    for (const slot of this.#known(ids)) board._promote(slot, DEMANDED);
  }

  /** These were found in the store: no need to fetch them. */
  handleHeld(now: number, ids: readonly PieceId[]): void {
    this.#at(now);
    for (const slot of this.#known(ids)) if (!slot._held) this.#settle(slot);
  }

  /** A connection to a peer is being opened; `push` are the pieces it will send unasked, as far as they are known. */
  handleDial(now: number, peer: PeerKey, push: readonly PieceId[]): void {
    const board = this.#at(now);
    if (board._dialBy < 0) board._dialBy = board._now + DIAL_MS + OPEN_MS;
    const link = this.#meet(peer);
    if (!link || link._open) return;
    link._grace = board._now + DIAL_MS;
    for (const slot of this.#known(push)) board._promise(link, slot);
  }

  /** What the peer will send unasked became known: call it before the next `poll` after `addPieces`. */
  handlePromise(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (link) for (const slot of this.#known(ids)) board._promise(link, slot);
  }

  /** Both channels of a peer opened, dialled or not. */
  handleOpen(now: number, peer: PeerKey): void {
    const board = this.#at(now);
    const link = this.#meet(peer);
    if (!link || link._open) return;
    link._open = true;
    link._late = false;
    link._since = board._now;
    link._grace = board._now + GRACE_MS;
    for (const slot of link._promised) board._expect(link, slot);
    link._promised = [];
  }

  /** A peer's connection ended or never came to be. */
  handleClosed(now: number, peer: PeerKey): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (link) board._remove(link);
  }

  /** The peer's `hello`; `complete`: it names our page manifest. */
  handleHello(now: number, peer: PeerKey, complete: boolean): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (!link?._open) return;
    board._wake(link);
    link._known = true;
    link._complete ||= complete;
    if (link._complete) link._answered = Math.max(link._answered, board._boot);
    if (!link._asking) link._grace = NEVER;
    startOver(link);
    startOver(board._origin);
  }

  /** The peer holds these: the answer to a query, or news. */
  handleHave(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (!link) return;
    board._wake(link);
    link._heard = true;
    for (const slot of this.#known(ids)) {
      if (slot._held || link._has.has(slot)) continue;
      link._has.add(slot);
      if (CROWD) slot._copies++;
      turnBack(link, slot);
    }
    if (!link._asking) return;
    link._answered = Math.max(link._answered, link._asking);
    link._asking = 0;
    link._grace = NEVER;
    startOver(board._origin);
  }

  /** The peer will not send these. It is left alone for a while. */
  handleRefuse(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (!link) return;
    const refused = this.#known(ids).filter((slot) => link._flight.has(slot));
    if (!refused.length) return;
    for (const slot of refused) {
      board._unassign(link, slot);
      link._asked.delete(slot);
      if (link._has.delete(slot) && CROWD) slot._copies--;
    }
    startOver(board._origin);
    if (link._pause !== NEVER) return;
    link._pause = board._now + backoff(PAUSE_MS, link._refusals++, PAUSE_MS_MAX);
  }

  /** A piece arrived: whether its bytes are worth inflating and hashing. Ask once per arrival. */
  accept(source: Source, id: PieceId): Accepted {
    const board = this.#board;
    const slot = board._index.get(id);
    if (!slot) return { kind: 'unasked' };
    if (source.kind === 'peer') {
      const link = board._links.get(source.peer);
      if (!link?._asked.delete(slot)) return { kind: 'unasked' };
      // Too late is a sign of life; what is taken counts once it is verified.
      if (slot._held) hear(link, board._now);
    }
    return slot._held ? { kind: 'late' } : { kind: 'take', len: slot.len };
  }

  /** An accepted piece was hashed. Unverified bytes from a peer end it for good. */
  handlePiece(now: number, source: Source, id: PieceId, verified: boolean): void {
    const board = this.#at(now);
    const slot = board._index.get(id);
    const link = source.kind === 'peer' ? board._links.get(source.peer) : board._origin;
    if (!slot) return;
    if (!verified) {
      if (link === board._origin) this.handleOriginFailed(now, [id]);
      else if (link) board._drop(link, 'forged');
      return;
    }
    const slow = link ? measure(link, board._now, slot.len) : false;
    if (!slot._held) this.#settle(slot, link);
    if (CROWD && this.#policy._sharing) return;
    if (slow && link && link !== board._origin && board._missing && !board._origin._refusals && this.#policy._help._lead > 0) board._drop(link, 'slow');
  }

  /** Whether this is one of a crowd, that takes from the origin what the tracker gives it as its share, and more only where nobody gives anything. */
  handleCrowd(now: number, inCrowd: boolean): void {
    if (!CROWD) return;
    const board = this.#at(now);
    startOver(board._origin);
    if (!inCrowd) leaveCrowd(this.#policy);
    else if (!this.#policy._sharing) {
      this.#policy._sharing = new Sharing(board._now, this.#random);
      for (const link of board._links.values()) bePatient(link);
    }
  }

  /** The tracker's reply to a `share`: pieces to take from the origin; none = everything is with somebody. */
  handleShare(now: number, ids: readonly PieceId[]): void {
    if (!CROWD) return;
    const board = this.#at(now);
    const slots = this.#known(ids);
    this.#policy._sharing?._give(board._now, slots);
    // The crowd counts on this one for them.
    if (this.#policy._sharing) for (const slot of slots) board._promote(slot, WANTED);
  }

  /** The peer broke the protocol. */
  handleFault(now: number, peer: PeerKey, fault: 'malformed' | 'unasked'): void {
    const board = this.#at(now);
    const link = board._links.get(peer);
    if (link) board._drop(link, fault);
  }

  /** The origin did not deliver these. It is asked again after a pause; it is never given up. */
  handleOriginFailed(now: number, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const origin = board._origin;
    for (const slot of this.#known(ids)) board._unassign(origin, slot);
    if (CROWD) this.#policy._sharing?._relent();
    this.#alone = false;
    if (origin._pause !== NEVER) return;
    const ms = backoff(RETRY_MS, origin._refusals++, RETRY_MS_MAX);
    origin._pause = board._now + ms - (this.#draw() % ((ms >> 1) + 1));
  }

  /** Time passed. */
  handleTimeout(now: number): void {
    const board = this.#at(now);
    if (CROWD) this.#policy._sharing?._expire(board._now);
    for (const link of board._all()) {
      if (link._pause <= board._now) link._pause = NEVER;
      if (link._grace <= board._now && !link._open && !link._late) {
        link._late = true;
        link._grace = board._now + OPEN_MS;
        // What others can give need not be hedged.
        if (board._all().some(({ _complete }) => _complete)) board._release(link);
      } else if (link._grace <= board._now) {
        link._grace = NEVER;
        startOver(board._origin);
        const mute = isMute(link);
        if (mute) {
          link._promised = [...link._flight];
          // What it says may wait to be read, where nothing ran for a while.
          link._since = board._now;
        }
        if (mute || !link._open) board._release(link);
      }
      if (!isAwaited(link)) continue;
      if (link !== board._origin && silentAt(link) <= board._now) board._drop(link, 'silent');
      else if (lateAt(link) <= board._now) link._late = true;
    }
  }

  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): Output | null {
    const board = this.#board;
    if (this.#stale && !board._out.length) {
      this.#stale = false;
      fill(board, this.#policy);
      this.#tell();
    }
    return board._out.shift() ?? null;
  }

  /** When to call {@link handleTimeout}; null = not needed. */
  pollTimeout(): number | null {
    const board = this.#board;
    let at = CROWD && this.#policy._sharing && !this.progress().done ? this.#policy._sharing._due() : NEVER;
    for (const link of board._all()) {
      at = Math.min(at, link._pause, link._grace);
      if (!isAwaited(link)) continue;
      if (!link._late) at = Math.min(at, lateAt(link));
      else if (link !== board._origin) at = Math.min(at, silentAt(link));
    }
    return at === NEVER ? null : at;
  }

  /** How far it is. */
  progress(): Progress {
    const { _held: held, _slots: slots, _bytesHeld: bytesHeld, _bytesTotal: bytesTotal } = this.#board;
    return { held, total: slots.length, bytesHeld, bytesTotal, done: slots.length > 0 && held === slots.length };
  }

  /** The piece, not held yet, is held from now on. */
  #settle(slot: Slot, source?: Link): void {
    const board = this.#board;
    board._settle(slot, source);
    settled(this.#policy, board._now, slot, !!source && source !== board._origin, source);
  }

  #at(now: number): Board {
    this.#stale = true;
    this.#board._now = Math.max(this.#board._now, now);
    return this.#board;
  }

  #known(ids: readonly PieceId[]): Slot[] {
    return ids.flatMap((id) => this.#board._index.get(id) ?? []);
  }

  /** The peer's state, made on first sight unless it is banned or there are too many. */
  #meet(peer: PeerKey): Link | undefined {
    const board = this.#board;
    if (board._banned.has(peer)) {
      board._out.push({ kind: 'drop', peer, fault: 'forged' });
      return undefined;
    }
    let link = board._links.get(peer);
    if (!link && board._links.size < PEERS_MAX) {
      board._links.set(peer, (link = newLink(peer)));
      if (CROWD && this.#policy._sharing) bePatient(link);
    }
    if (link) this.#alone = false;
    return link;
  }

  /** Says once that everything is held, or that somebody is needed. */
  #tell(): void {
    const board = this.#board;
    const { done } = this.progress();
    if (done && !this.#done) board._out.push({ kind: 'done' });
    this.#done = done;
    const alone = board._missing > 0 && !board._links.size;
    if (alone && !this.#alone) board._out.push({ kind: 'need-peers' });
    this.#alone = alone;
  }

  /** Park and Miller's generator (1988): 31 bits, exact in a number. */
  #draw(): number {
    this.#random = (this.#random * 16807) % 2147483647;
    return this.#random;
  }
}

/**
 * Fetches pieces from several peers and the origin at once. Sans-IO: call one `handle*` (or `addPieces`), drain `poll` until null, then sleep
 * until `pollTimeout` and call `handleTimeout`. Time is in whole milliseconds and never decreases. Same decisions as `crates/swarm/src/fetch.rs`.
 */

import type { PieceId } from './digest';
import { Board } from './fetch/board';
import { DIAL_MS, GRACE_MS, PAUSE_MS, PAUSE_MS_MAX, PEERS_MAX, PIECES_MAX, RETRY_MS, RETRY_MS_MAX } from './fetch/config';
import type { FetchConfig } from './fetch/config';
import { fill } from './fetch/fill';
import { NEVER, backoff, lateAt, measure, newLink, silentAt } from './fetch/link';
import type { Link } from './fetch/link';
import type { Accepted, Output, PeerFault, PeerKey, Progress, Source } from './fetch/types';
import type { Piece } from './manifest';

export type { FetchConfig } from './fetch/config';
export type { Accepted, Output, PeerFault, PeerKey, Progress, Source } from './fetch/types';

/** The engine of one page. */
export class Fetch {
  readonly #board = new Board();
  #stale = false;
  #done = false;
  #alone = false;
  #random: number;

  constructor(config?: Partial<FetchConfig>) {
    this.#random = config?.seed || 1;
  }

  /** Pieces to fetch, in order of need; known ones are ignored. The first call names the page manifest's, which complete peers hold. */
  addPieces(now: number, pieces: readonly Piece[]): void {
    const board = this.#at(now);
    const first = !board.slots.length;
    for (const { len, digest } of pieces) {
      const id = digest.slice(0, 32);
      if (board.index.has(id) || board.slots.length >= PIECES_MAX) continue;
      board.index.set(id, board.slots.length);
      board.slots.push({ id, len, held: false, from: [] });
      board.free++;
      board.bytesTotal += len;
      this.#done = false;
    }
    if (!first) return;
    board.boot = board.slots.length;
    for (const link of board.links.values()) if (link.complete) link.answered = board.boot;
  }

  /** These were found in the store: no need to fetch them. */
  handleHeld(now: number, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    for (const i of this.#known(ids)) if (!board.slots[i]!.held) board.settle(i, undefined);
  }

  /** A connection to a peer is being opened; `push` are the pieces it will send unasked, as far as they are known. */
  handleDial(now: number, peer: PeerKey, push: readonly PieceId[]): void {
    const board = this.#at(now);
    if (board.dialBy < 0) board.dialBy = board.now + DIAL_MS;
    const link = this.#meet(peer);
    if (!link || link.open) return;
    link.grace = board.now < board.dialBy ? board.dialBy : board.now + DIAL_MS;
    for (const i of this.#known(push)) board.promise(link, i);
  }

  /** What the peer will send unasked became known: call it before the next `poll` after `addPieces`. */
  handlePromise(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (link) for (const i of this.#known(ids)) board.promise(link, i);
  }

  /** Both channels of a peer opened, dialled or not. */
  handleOpen(now: number, peer: PeerKey): void {
    const board = this.#at(now);
    const link = this.#meet(peer);
    if (!link || link.open) return;
    link.open = true;
    link.since = board.now;
    link.grace = board.now + GRACE_MS;
    for (const i of link.promised) board.expect(link, i);
    link.promised = [];
  }

  /** A peer's connection ended or never came to be. */
  handleClosed(now: number, peer: PeerKey): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (link) board.remove(link);
  }

  /** The peer's `hello`; `complete`: it names our page manifest. */
  handleHello(now: number, peer: PeerKey, complete: boolean): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (!link?.open) return;
    link.known = true;
    link.complete ||= complete;
    if (link.complete) link.answered = Math.max(link.answered, board.boot);
    if (!link.asking) link.grace = NEVER;
    link.cursor = board.origin.cursor = 0;
  }

  /** The peer holds these: the answer to a query, or news. */
  handleHave(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (!link) return;
    for (const i of this.#known(ids)) {
      if (board.slots[i]!.held || link.has.has(i)) continue;
      link.has.add(i);
      link.cursor = Math.min(link.cursor, i);
    }
    if (!link.asking) return;
    link.answered = Math.max(link.answered, link.asking);
    link.asking = 0;
    link.grace = NEVER;
    board.origin.cursor = 0;
  }

  /** The peer will not send these. It is left alone for a while. */
  handleRefuse(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (!link) return;
    const refused = this.#known(ids).filter((i) => link.flight.has(i));
    if (!refused.length) return;
    for (const i of refused) {
      board.unassign(link, i);
      link.asked.delete(i);
      link.has.delete(i);
    }
    board.origin.cursor = 0;
    if (link.pause !== NEVER) return;
    link.pause = board.now + backoff(PAUSE_MS, link.refusals++, PAUSE_MS_MAX);
  }

  /** A piece arrived: whether its bytes are worth inflating and hashing. Ask once per arrival. */
  accept(source: Source, id: PieceId): Accepted {
    const board = this.#board;
    const i = board.index.get(id);
    if (i === undefined) return { kind: 'unasked' };
    if (source.kind === 'peer' && !board.links.get(source.peer)?.asked.delete(i)) return { kind: 'unasked' };
    const slot = board.slots[i]!;
    return slot.held ? { kind: 'late' } : { kind: 'take', len: slot.len };
  }

  /** An accepted piece was hashed. Unverified bytes from a peer end it for good. */
  handlePiece(now: number, source: Source, id: PieceId, verified: boolean): void {
    const board = this.#at(now);
    const i = board.index.get(id);
    const link = source.kind === 'peer' ? board.links.get(source.peer) : board.origin;
    if (i === undefined) return;
    if (!verified) {
      if (link === board.origin) this.handleOriginFailed(now, [id]);
      else if (link) board.drop(link, 'forged');
      return;
    }
    const slow = link ? measure(link, board.now, board.slots[i]!.len) : false;
    if (!board.slots[i]!.held) board.settle(i, link);
    if (slow && link && link !== board.origin && !board.origin.refusals) board.drop(link, 'slow');
  }

  /** The peer broke the protocol. */
  handleFault(now: number, peer: PeerKey, fault: 'malformed' | 'unasked'): void {
    const board = this.#at(now);
    const link = board.links.get(peer);
    if (link) board.drop(link, fault);
  }

  /** The origin did not deliver these. It is asked again after a pause; it is never given up. */
  handleOriginFailed(now: number, ids: readonly PieceId[]): void {
    const board = this.#at(now);
    const { origin } = board;
    for (const i of this.#known(ids)) board.unassign(origin, i);
    this.#alone = false;
    if (origin.pause !== NEVER) return;
    const ms = backoff(RETRY_MS, origin.refusals++, RETRY_MS_MAX);
    origin.pause = board.now + ms - (this.#draw() % ((ms >> 1) + 1));
  }

  /** Time passed. */
  handleTimeout(now: number): void {
    const board = this.#at(now);
    for (const link of board.all()) {
      if (link.pause <= board.now) link.pause = NEVER;
      if (link.grace <= board.now) {
        link.grace = NEVER;
        board.origin.cursor = 0;
        if (!link.open) board.release(link);
      }
      if (!link.open || !link.flight.size) continue;
      if (link !== board.origin && silentAt(link) <= board.now) board.drop(link, 'silent');
      else if (lateAt(link) <= board.now) link.late = true;
    }
  }

  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): Output | null {
    const board = this.#board;
    if (this.#stale && !board.out.length) {
      this.#stale = false;
      fill(board);
      this.#tell();
    }
    return board.out.shift() ?? null;
  }

  /** When to call {@link handleTimeout}; null = not needed. */
  pollTimeout(): number | null {
    const board = this.#board;
    let at = NEVER;
    for (const link of board.all()) {
      at = Math.min(at, link.pause, link.grace);
      if (!link.open || !link.flight.size) continue;
      if (!link.late) at = Math.min(at, lateAt(link));
      else if (link !== board.origin) at = Math.min(at, silentAt(link));
    }
    return at === NEVER ? null : at;
  }

  /** How far it is. */
  progress(): Progress {
    const { held, slots, bytesHeld, bytesTotal } = this.#board;
    return { held, total: slots.length, bytesHeld, bytesTotal, done: slots.length > 0 && held === slots.length };
  }

  #at(now: number): Board {
    this.#stale = true;
    this.#board.now = Math.max(this.#board.now, now);
    return this.#board;
  }

  #known(ids: readonly PieceId[]): number[] {
    return ids.map((id) => this.#board.index.get(id)).filter((i) => i !== undefined);
  }

  /** The peer's state, made on first sight unless it is banned or there are too many. */
  #meet(peer: PeerKey): Link | undefined {
    const board = this.#board;
    if (board.banned.has(peer)) {
      board.out.push({ kind: 'drop', peer, fault: 'forged' });
      return undefined;
    }
    let link = board.links.get(peer);
    if (!link && board.links.size < PEERS_MAX) board.links.set(peer, (link = newLink(peer)));
    if (link) this.#alone = false;
    return link;
  }

  /** Says once that everything is held, or that somebody is needed. */
  #tell(): void {
    const board = this.#board;
    const { done } = this.progress();
    if (done && !this.#done) board.out.push({ kind: 'done' });
    this.#done = done;
    const alone = board.held < board.slots.length && !board.links.size;
    if (alone && !this.#alone) board.out.push({ kind: 'need-peers' });
    this.#alone = alone;
  }

  /** Marsaglia's xorshift, 32 bits. */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return this.#random;
  }
}

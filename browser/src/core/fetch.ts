/**
 * Fetches pieces from several peers and the origin at once. Sans-IO: call one `handle*` (or `addPieces`), drain `poll` until null, then sleep
 * until `pollTimeout` and call `handleTimeout`. Time is in whole milliseconds and never decreases. Same decisions as `crates/swarm/src/fetch.rs`.
 */

import type { PieceId } from './digest';
import { PieceTable } from './fetch/piecetable';
import { DIAL_MS, GRACE_MS, OPEN_MS, PAUSE_MS, PAUSE_MS_MAX, PEERS_MAX, PIECES_MAX, RETRY_MS, RETRY_MS_MAX } from './fetch/config';
import type { FetchConfig } from './fetch/config';
import { schedule } from './fetch/schedule';
import { DEMANDED, EXPECTED, NEVER, WANTED, backoff, bePatient, noteActivity, measure, newSourceState, startOver, turnBack } from './fetch/state';
import type { SourceState, PieceState } from './fetch/state';
import { leaveCrowd, newPolicy, settled } from './fetch/origin';
import type { OriginLease } from './fetch/originlease';
import { due, expire } from './fetch/timeouts';
import type { Accepted, FetchOutput, PeerKey, Progress, Source } from './fetch/types';
import type { Beyond } from './generated/Beyond';
import type { Piece } from './manifest';

export type { FetchConfig } from './fetch/config';
export type { Accepted, FetchOutput, PeerKey, Progress, Source } from './fetch/types';
export type { Fault } from './generated/Fault';

/** The engine of one page. */
export class Fetch {
  readonly #table = new PieceTable();
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
    const table = this.#at(now);
    const { _pieces: known } = table;
    if (table._held === known.length) this.#policy._lease?._begin(table._now);
    const isPage = !outside && known.length === (peersOnly ? table._boot : 0);
    for (const { len, digest } of pieces) {
      const id = digest.slice(0, 32);
      if (table._index.has(id) || known.length >= PIECES_MAX) continue;
      const piece: PieceState = { id, len, _at: known.length, _ring: EXPECTED + 1, _place: 0, _held: false, _from: [], _availability: 0 };
      table._index.set(id, piece);
      known.push(piece);
      table._promote(piece, peersOnly ? EXPECTED : WANTED);
      table._bytesTotal += len;
      this.#done = false;
    }
    if (!isPage) return;
    table._boot = known.length;
    for (const state of table._peers.values()) if (state._complete) state._answered = Math.max(state._answered, table._boot);
  }

  /** Whether one of these is held or a peer gives it now; null while a peer may still say so. */
  supply(ids: readonly PieceId[]): boolean | null {
    const table = this.#table;
    const pieces = this.#known(ids);
    const peers = [...table._peers.values()];
    if (pieces.some((piece) => piece._held || piece._from.length || peers.some((state) => table._can(state, piece)))) return true;
    return pieces.every((piece) => table._noPeerHas(piece)) ? false : null;
  }

  /** The page waits for these: they come before all others, in the order of their first demand, and the origin may give them. */
  handleDemand(now: number, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    for (const piece of this.#known(ids)) table._promote(piece, DEMANDED);
  }

  /** These were found in the store: no need to fetch them. */
  handleHeld(now: number, ids: readonly PieceId[]): void {
    this.#at(now);
    for (const piece of this.#known(ids)) if (!piece._held) this.#settle(piece);
  }

  /** A connection to a peer is being opened; `push` are the pieces it will send unasked, as far as they are known. */
  handleDial(now: number, peer: PeerKey, push: readonly PieceId[]): void {
    const table = this.#at(now);
    if (table._dialBy < 0) table._dialBy = table._now + DIAL_MS + OPEN_MS;
    const state = this.#meet(peer);
    if (!state || state._open) return;
    // One that is dialled anew while it is dialled has the time of a first dial again.
    state._overdue = false;
    state._grace = table._now + DIAL_MS;
    for (const piece of this.#known(push)) table._announcePush(state, piece);
  }

  /** What the peer will send unasked became known: call it before the next `poll` after `addPieces`. */
  handlePushAnnounced(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (state) for (const piece of this.#known(ids)) table._announcePush(state, piece);
  }

  /** Both channels of a peer opened, dialled or not. */
  handleOpen(now: number, peer: PeerKey): void {
    const table = this.#at(now);
    const state = this.#meet(peer);
    if (!state || state._open) return;
    state._open = true;
    state._overdue = false;
    state._since = table._now;
    state._grace = table._now + GRACE_MS;
    for (const piece of state._announced) table._awaitPush(state, piece);
    state._announced = [];
  }

  /**
   * A peer that opened is behind another line than this one. In a crowd what comes from there crosses the line about once: this one takes of it what `beyond` says, and leaves the
   * rest to neighbours as long as they give something.
   */
  handleBeyond(now: number, peer: PeerKey, beyond: Beyond): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (!state) return;
    state._beyond = beyond;
    // Who introduces and does not know this one's stripe takes none away: another server, or the page's answer.
    if (beyond.stripe < beyond.stripes) table._beyond = beyond;
    table._beyond ??= beyond;
  }

  /** A peer's connection ended or never came to be. */
  handleClosed(now: number, peer: PeerKey): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (state) table._remove(state);
  }

  /** The peer's `hello`; `complete`: it names our page manifest. */
  handleHello(now: number, peer: PeerKey, complete: boolean): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (!state?._open) return;
    table._wake(state);
    state._known = true;
    state._complete ||= complete;
    if (state._complete) state._answered = Math.max(state._answered, table._boot);
    if (!state._asking) state._grace = NEVER;
    startOver(state);
    startOver(table._origin);
  }

  /** The peer holds these: the answer to a query, or news. */
  handleHave(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (!state) return;
    table._wake(state);
    state._heard = true;
    for (const piece of this.#known(ids)) {
      if (piece._held || state._has.has(piece)) continue;
      state._has.add(piece);
      piece._availability++;
      turnBack(state, piece);
    }
    if (!state._asking) return;
    state._answered = Math.max(state._answered, state._asking);
    state._asking = 0;
    state._grace = NEVER;
    startOver(table._origin);
  }

  /** The peer will not send these. It is left alone for a while. */
  handleRefuse(now: number, peer: PeerKey, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (!state) return;
    const refused = this.#known(ids).filter((piece) => state._flight.has(piece));
    if (!refused.length) return;
    for (const piece of refused) {
      table._unassign(state, piece);
      state._asked.delete(piece);
      if (state._has.delete(piece)) piece._availability--;
    }
    startOver(table._origin);
    if (state._pause !== NEVER) return;
    state._pause = table._now + backoff(PAUSE_MS, state._refusals++, PAUSE_MS_MAX);
  }

  /** A piece arrived: whether its bytes are worth inflating and hashing. Ask once per arrival. */
  accept(source: Source, id: PieceId): Accepted {
    const table = this.#table;
    const piece = table._index.get(id);
    if (!piece) return { kind: 'unasked' };
    if (source.kind === 'peer') {
      const state = table._peers.get(source.peer);
      if (!state?._asked.delete(piece)) return { kind: 'unasked' };
      // Too late is a sign of life; what is taken counts once it is verified.
      if (piece._held) noteActivity(state, table._now);
    }
    return piece._held ? { kind: 'late' } : { kind: 'take', len: piece.len };
  }

  /** An accepted piece was hashed. Unverified bytes from a peer end it for good. */
  handlePiece(now: number, source: Source, id: PieceId, verified: boolean): void {
    const table = this.#at(now);
    const piece = table._index.get(id);
    const state = source.kind === 'peer' ? table._peers.get(source.peer) : table._origin;
    if (!piece) return;
    if (!verified) {
      if (state === table._origin) this.handleOriginFailed(now, [id]);
      else if (state) table._drop(state, 'forged');
      return;
    }
    const slow = state ? measure(state, table._now, piece.len) : false;
    if (!piece._held) this.#settle(piece, state);
    if (this.#policy._lease) return;
    if (slow && state && state !== table._origin && table._missing && !table._origin._refusals && this.#policy._help._lead > 0) table._drop(state, 'slow');
  }

  /**
   * Whether this is one of a crowd, that takes from the origin what the tracker gives it as its lease, and more only where nobody gives anything: `lease` makes the policy, which only
   * the script of a crowd has; null = not in a crowd.
   */
  handleCrowd(now: number, lease: ((now: number, salt: number) => OriginLease) | null): void {
    const table = this.#at(now);
    startOver(table._origin);
    if (!lease) leaveCrowd(this.#policy);
    else if (!this.#policy._lease) {
      this.#policy._lease = lease(table._now, this.#random);
      for (const state of table._peers.values()) bePatient(state);
    }
  }

  /** No more than so many requests to the origin at the same time; without a number, as many as usual. */
  limit(now: number, requests?: number): void {
    this.#at(now);
    this.#policy._requestsMax = requests;
  }

  /** The tracker's reply to a `share`: pieces to take from the origin; none = everything is with somebody. */
  handleLease(now: number, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    const pieces = this.#known(ids);
    this.#policy._lease?._give(table._now, pieces);
    // The crowd counts on this one for them.
    if (this.#policy._lease) for (const piece of pieces) table._promote(piece, WANTED);
  }

  /** The peer broke the protocol. */
  handleFault(now: number, peer: PeerKey, fault: 'malformed' | 'unasked'): void {
    const table = this.#at(now);
    const state = table._peers.get(peer);
    if (state) table._drop(state, fault);
  }

  /** The origin did not deliver these. It is asked again after a pause; it is never given up. */
  handleOriginFailed(now: number, ids: readonly PieceId[]): void {
    const table = this.#at(now);
    const origin = table._origin;
    for (const piece of this.#known(ids)) table._unassign(origin, piece);
    this.#policy._lease?._shrinkFallback();
    this.#alone = false;
    if (origin._pause !== NEVER) return;
    const ms = backoff(RETRY_MS, origin._refusals++, RETRY_MS_MAX);
    origin._pause = table._now + ms - (this.#draw() % ((ms >> 1) + 1));
  }

  /** Time passed. */
  handleTimeout(now: number): void {
    const table = this.#at(now);
    this.#policy._lease?._expire(table._now);
    expire(table);
  }

  /** The next thing to do; null when there is nothing until the next call or {@link pollTimeout}. */
  poll(): FetchOutput | null {
    const table = this.#table;
    if (this.#stale && !table._out.length) {
      this.#stale = false;
      schedule(table, this.#policy);
      this.#reportProgress();
    }
    return table._out.shift() ?? null;
  }

  /** When to call {@link handleTimeout}; null = not needed. */
  pollTimeout(): number | null {
    const lease = this.#policy._lease && !this.progress().done ? this.#policy._lease._due() : NEVER;
    const at = Math.min(lease, due(this.#table));
    return at === NEVER ? null : at;
  }

  /** Bytes per second of a peer, smoothed; undefined while that is not measured. */
  rateOf(peer: PeerKey): number | undefined {
    return this.#table._peers.get(peer)?._rate || undefined;
  }

  /** How far it is. */
  progress(): Progress {
    const { _held: held, _pieces: pieces, _bytesHeld: bytesHeld, _bytesTotal: bytesTotal } = this.#table;
    return { held, total: pieces.length, bytesHeld, bytesTotal, done: pieces.length > 0 && held === pieces.length };
  }

  /** The piece, not held yet, is held from now on. */
  #settle(piece: PieceState, source?: SourceState): void {
    const table = this.#table;
    table._settle(piece, source);
    settled(this.#policy, table._now, piece, !!source && source !== table._origin, source);
  }

  #at(now: number): PieceTable {
    this.#stale = true;
    this.#table._now = Math.max(this.#table._now, now);
    return this.#table;
  }

  #known(ids: readonly PieceId[]): PieceState[] {
    return ids.flatMap((id) => this.#table._index.get(id) ?? []);
  }

  /** The peer's state, made on first sight unless it is banned or there are too many. */
  #meet(peer: PeerKey): SourceState | undefined {
    const table = this.#table;
    if (table._banned.has(peer)) {
      table._out.push({ kind: 'drop', peer, fault: 'forged' });
      return undefined;
    }
    let state = table._peers.get(peer);
    if (!state && table._peers.size < PEERS_MAX) {
      table._peers.set(peer, (state = newSourceState(peer)));
      if (this.#policy._lease) bePatient(state);
    }
    if (state) this.#alone = false;
    return state;
  }

  /** Says once that everything is held, or that somebody is needed. */
  #reportProgress(): void {
    const table = this.#table;
    const { done } = this.progress();
    if (done && !this.#done) table._out.push({ kind: 'done' });
    this.#done = done;
    const alone = table._missing > 0 && !table._peers.size;
    if (alone && !this.#alone) table._out.push({ kind: 'need-peers' });
    this.#alone = alone;
  }

  /** Park and Miller's generator (1988): 31 bits, exact in a number. */
  #draw(): number {
    this.#random = (this.#random * 16807) % 2147483647;
    return this.#random;
  }
}

/** Who owes which piece. Keeps the counts right; knows no policy. */

import type { PieceId } from '../digest';
import type { Beyond } from '../generated/Beyond';
import type { Fault } from '../generated/Fault';
import { BANNED_MAX } from './config';
import { EXPECTED, NEVER, noteActivity, isMute, newSourceState, timeoutAt, startOver, turnBack } from './state';
import type { SourceState, PieceState } from './state';
import type { FetchOutput, PeerKey } from './types';

/** Pieces, sources, and what is in flight between them. Names with `_` are the engine's own: the build renames them. */
export class PieceTable {
  _now = 0;
  readonly _pieces: PieceState[] = [];
  /** The pieces of each ring in the order of need; who was demanded stands in the queue of its old ring, too. */
  readonly _queues: readonly [PieceState[], PieceState[], PieceState[]] = [[], [], []];
  readonly _index = new Map<PieceId, PieceState>();
  readonly _peers = new Map<PeerKey, SourceState>();
  readonly _origin = newSourceState(-1);
  readonly _banned = new Set<PeerKey>();
  readonly _out: FetchOutput[] = [];
  /** What this one takes from peers behind other lines, as it was told last. */
  _beyond?: Beyond;
  /** Pieces of the page manifest: those of the first `addPieces`, and of each with peers only that follows it directly. */
  _boot = 0;
  _held = 0;
  _bytesHeld = 0;
  _bytesTotal = 0;
  /** Bytes before `EXPECTED` that are not held. */
  _missing = 0;
  /** Pieces of them that nobody owes. */
  _free = 0;
  /** Bytes of all pieces before `EXPECTED`, held or not. */
  _bytesWanted = 0;
  /** Bytes hedged so far. */
  _hedged = 0;
  /** The request to the origin that each of its pieces is part of, and how many requests there are. */
  readonly _requests = new Map<PieceState, { _left: number }>();
  _requestCount = 0;
  /** Until then a dialled peer may open before the origin stands in; -1 = nothing dialled yet. */
  _dialBy = -1;

  constructor() {
    this._origin._open = true;
  }

  /** The origin, then the peers in the order they came. */
  _all(): SourceState[] {
    return [this._origin, ...this._peers.values()];
  }

  _isFree(piece: PieceState): boolean {
    return !piece._held && !piece._from.length;
  }

  /** Moves a piece that is not held to an earlier ring, behind all others. A new one comes from behind all rings. */
  _promote(piece: PieceState, ring: number): void {
    if (piece._held || piece._ring <= ring) return;
    if (piece._ring >= EXPECTED && ring < EXPECTED) {
      this._missing += piece.len;
      this._bytesWanted += piece.len;
      if (!piece._from.length) this._free++;
    }
    piece._ring = ring;
    piece._place = this._queues[ring]!.push(piece) - 1;
  }

  /** The source owes the piece from now on. */
  _assign(state: SourceState, piece: PieceState): void {
    if (piece._ring < EXPECTED && !piece._from.length) this._free--;
    piece._from.push(state);
    if (!state._flight.size) {
      // An overdue source that was relieved of all it owed stays overdue until it delivers, unless it was idle for long.
      if (!state._overdue || timeoutAt(state) <= this._now) {
        state._since = this._now;
        state._overdue = false;
      }
      state._epochAt = NEVER;
      state._epochLen = 0;
    }
    state._flight.add(piece);
    state._asked.add(piece);
    state._bytes += piece.len;
  }

  /** One request to the origin for pieces that are assigned to it already. */
  _request(batch: readonly PieceState[]): void {
    const part = { _left: batch.length };
    this._requestCount++;
    for (const piece of batch) this._requests.set(piece, part);
    this._out.push({ kind: 'ask-origin', ids: batch.map((piece) => piece.id) });
  }

  /** The source no longer owes the piece. */
  _unassign(state: SourceState, piece: PieceState): void {
    if (!state._flight.delete(piece)) return;
    state._bytes -= piece.len;
    piece._from = piece._from.filter((other) => other !== state);
    if (!piece._held && !piece._from.length) {
      if (piece._ring < EXPECTED) this._free++;
      for (const other of this._all()) turnBack(other, piece);
    }
    const request = this._requests.get(piece);
    if (state !== this._origin || !request) return;
    this._requests.delete(piece);
    if (!--request._left) this._requestCount--;
  }

  /** The piece is held; whoever else owes it is told so. */
  _settle(piece: PieceState, source?: SourceState): void {
    if (piece._ring < EXPECTED) {
      this._missing -= piece.len;
      if (!piece._from.length) this._free--;
    }
    piece._held = true;
    for (const state of this._peers.values()) state._has.delete(piece);
    this._held++;
    this._bytesHeld += piece.len;
    for (const state of piece._from) {
      this._unassign(state, piece);
      if (state !== source && state !== this._origin && state._open) state._cancels.push(piece.id);
    }
  }

  /** The peer announced that it will send the piece unasked. */
  _announcePush(state: SourceState, piece: PieceState): void {
    if (state._asked.has(piece)) return;
    state._asked.add(piece);
    if (state._open && !isMute(state)) this._awaitPush(state, piece);
    else {
      state._announced.push(piece);
      if (state._grace < NEVER && this._isFree(piece)) this._assign(state, piece);
    }
  }

  /** An open peer is about to send an announced piece: it owes it from now on, or is told not to send it. */
  _awaitPush(state: SourceState, piece: PieceState): void {
    if (state._flight.has(piece)) return;
    if (piece._held || piece._from.length > 1) state._cancels.push(piece.id);
    else this._assign(state, piece);
  }

  /** A peer speaks. If it was mute until now, what it announced is under way after all. */
  _wake(state: SourceState): void {
    if (!isMute(state)) return;
    noteActivity(state, this._now);
    for (const piece of state._announced.splice(0)) this._awaitPush(state, piece);
  }

  /** Takes back all that the source owes. */
  _release(state: SourceState): void {
    for (const piece of state._flight) this._unassign(state, piece);
  }

  /** Forgets a peer. */
  _remove(state: SourceState): void {
    this._release(state);
    this._peers.delete(state.peer);
    for (const piece of state._has) piece._availability--;
    startOver(this._origin);
  }

  /** Ends with a peer that is at fault. */
  _drop(state: SourceState, fault: Fault): void {
    this._remove(state);
    if (fault !== 'silent' && fault !== 'slow' && this._banned.size < BANNED_MAX) this._banned.add(state.peer);
    this._out.push({ kind: 'drop', peer: state.peer, fault });
  }

  /** Whether an open peer would send the piece if asked now. */
  _can(state: SourceState, piece: PieceState): boolean {
    return state._open && state._pause === NEVER && ((state._complete && piece._at < this._boot) || state._has.has(piece));
  }

  /** Whether the origin should take the piece: no peer can, and none may still turn out to. */
  _noPeerHas(piece: PieceState): boolean {
    for (const state of this._peers.values()) {
      if (this._can(state, piece)) return false;
      if (state._open ? state._grace < NEVER && piece._at >= state._answered : this._now < this._dialBy) return false;
    }
    return true;
  }
}

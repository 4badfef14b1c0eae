/** Who owes which piece. Keeps the counts right; knows no policy. */

import type { PieceId } from '../digest';
import { BANNED_MAX } from './config';
import { EXPECTED, NEVER, hear, isMute, newLink, silentAt, startOver, turnBack } from './link';
import type { Link, Slot } from './link';
import type { Output, PeerFault, PeerKey } from './types';

/** Pieces, sources, and what is in flight between them. Names with `_` are the engine's own: the build renames them. */
export class Board {
  _now = 0;
  readonly _slots: Slot[] = [];
  /** The pieces of each ring in the order of need; who was demanded stands in the queue of its old ring, too. */
  readonly _queues: readonly [Slot[], Slot[], Slot[]] = [[], [], []];
  readonly _index = new Map<PieceId, Slot>();
  readonly _links = new Map<PeerKey, Link>();
  readonly _origin = newLink(-1);
  readonly _banned = new Set<PeerKey>();
  readonly _out: Output[] = [];
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
  readonly _requests = new Map<Slot, { _left: number }>();
  _requestCount = 0;
  /** Until then a dialled peer may open before the origin stands in; -1 = nothing dialled yet. */
  _dialBy = -1;

  constructor() {
    this._origin._open = true;
  }

  /** The origin, then the peers in the order they came. */
  _all(): Link[] {
    return [this._origin, ...this._links.values()];
  }

  _isFree(slot: Slot): boolean {
    return !slot._held && !slot._from.length;
  }

  /** Moves a piece that is not held to an earlier ring, behind all others. A new one comes from behind all rings. */
  _promote(slot: Slot, ring: number): void {
    if (slot._held || slot._ring <= ring) return;
    if (slot._ring >= EXPECTED && ring < EXPECTED) {
      this._missing += slot.len;
      this._bytesWanted += slot.len;
      if (!slot._from.length) this._free++;
    }
    slot._ring = ring;
    slot._place = this._queues[ring]!.push(slot) - 1;
  }

  /** The source owes the piece from now on. */
  _assign(link: Link, slot: Slot): void {
    if (slot._ring < EXPECTED && !slot._from.length) this._free--;
    slot._from.push(link);
    if (!link._flight.size) {
      // A late source that was relieved of all it owed stays late until it delivers, unless it was idle for long.
      if (!link._late || silentAt(link) <= this._now) {
        link._since = this._now;
        link._late = false;
      }
      link._epochAt = NEVER;
      link._epochLen = 0;
    }
    link._flight.add(slot);
    link._asked.add(slot);
    link._bytes += slot.len;
  }

  /** One request to the origin for pieces that are assigned to it already. */
  _request(batch: readonly Slot[]): void {
    const part = { _left: batch.length };
    this._requestCount++;
    for (const slot of batch) this._requests.set(slot, part);
    this._out.push({ kind: 'ask-origin', ids: batch.map((slot) => slot.id) });
  }

  /** The source no longer owes the piece. */
  _unassign(link: Link, slot: Slot): void {
    if (!link._flight.delete(slot)) return;
    link._bytes -= slot.len;
    slot._from = slot._from.filter((other) => other !== link);
    if (!slot._held && !slot._from.length) {
      if (slot._ring < EXPECTED) this._free++;
      for (const other of this._all()) turnBack(other, slot);
    }
    const request = this._requests.get(slot);
    if (link !== this._origin || !request) return;
    this._requests.delete(slot);
    if (!--request._left) this._requestCount--;
  }

  /** The piece is held; whoever else owes it is told so. */
  _settle(slot: Slot, source?: Link): void {
    if (slot._ring < EXPECTED) {
      this._missing -= slot.len;
      if (!slot._from.length) this._free--;
    }
    slot._held = true;
    if (CROWD) for (const link of this._links.values()) link._has.delete(slot);
    this._held++;
    this._bytesHeld += slot.len;
    for (const link of slot._from) {
      this._unassign(link, slot);
      if (link !== source && link !== this._origin && link._open) link._cancels.push(slot.id);
    }
  }

  /** The peer announced that it will send the piece unasked. */
  _promise(link: Link, slot: Slot): void {
    if (link._asked.has(slot)) return;
    link._asked.add(slot);
    if (link._open && !isMute(link)) this._expect(link, slot);
    else {
      link._promised.push(slot);
      if (link._grace < NEVER && this._isFree(slot)) this._assign(link, slot);
    }
  }

  /** An open peer is about to send a promised piece: it owes it from now on, or is told not to send it. */
  _expect(link: Link, slot: Slot): void {
    if (link._flight.has(slot)) return;
    if (slot._held || slot._from.length > 1) link._cancels.push(slot.id);
    else this._assign(link, slot);
  }

  /** A peer speaks. If it was mute until now, what it promised is under way after all. */
  _wake(link: Link): void {
    if (!isMute(link)) return;
    hear(link, this._now);
    for (const slot of link._promised.splice(0)) this._expect(link, slot);
  }

  /** Takes back all that the source owes. */
  _release(link: Link): void {
    for (const slot of link._flight) this._unassign(link, slot);
  }

  /** Forgets a peer. */
  _remove(link: Link): void {
    this._release(link);
    this._links.delete(link.peer);
    if (CROWD) for (const slot of link._has) slot._copies--;
    startOver(this._origin);
  }

  /** Ends with a peer that is at fault. */
  _drop(link: Link, fault: PeerFault): void {
    this._remove(link);
    if (fault !== 'silent' && fault !== 'slow' && this._banned.size < BANNED_MAX) this._banned.add(link.peer);
    this._out.push({ kind: 'drop', peer: link.peer, fault });
  }

  /** Whether an open peer would send the piece if asked now. */
  _can(link: Link, slot: Slot): boolean {
    return link._open && link._pause === NEVER && ((link._complete && slot._at < this._boot) || link._has.has(slot));
  }

  /** Whether the origin should take the piece: no peer can, and none may still turn out to. */
  _orphan(slot: Slot): boolean {
    for (const link of this._links.values()) {
      if (this._can(link, slot)) return false;
      if (link._open ? link._grace < NEVER && slot._at >= link._answered : this._now < this._dialBy) return false;
    }
    return true;
  }
}

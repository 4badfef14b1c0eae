/** Who owes which piece. Keeps the counts right; knows no policy. */

import type { PieceId } from '../digest';
import { BANNED_MAX } from './config';
import { NEVER, newLink } from './link';
import type { Link } from './link';
import type { Output, PeerFault, PeerKey } from './types';

/** A piece and the sources that owe it: at most two. */
export interface Slot {
  readonly id: PieceId;
  readonly len: number;
  held: boolean;
  from: Link[];
}

/** Pieces, sources, and what is in flight between them. */
export class Board {
  now = 0;
  readonly slots: Slot[] = [];
  readonly index = new Map<PieceId, number>();
  readonly links = new Map<PeerKey, Link>();
  readonly origin = newLink(-1);
  readonly banned = new Set<PeerKey>();
  readonly out: Output[] = [];
  /** Pieces of the page manifest: those of the first `addPieces`. */
  boot = 0;
  held = 0;
  bytesHeld = 0;
  bytesTotal = 0;
  /** Pieces that are neither held nor owed. */
  free = 0;
  /** Bytes hedged so far. */
  hedged = 0;
  /** Lowest piece freed since the cursors were last set back. */
  low = NEVER;
  /** The request to the origin that each of its pieces is part of, and how many requests there are. */
  readonly requests = new Map<number, { left: number }>();
  requestCount = 0;
  /** Until then a dialled peer may open before the origin stands in; -1 = nothing dialled yet. */
  dialBy = -1;

  constructor() {
    this.origin.open = true;
  }

  /** The origin, then the peers in the order they came. */
  all(): Link[] {
    return [this.origin, ...this.links.values()];
  }

  isFree(i: number): boolean {
    const slot = this.slots[i]!;
    return !slot.held && !slot.from.length;
  }

  /** The source owes the piece from now on. */
  assign(link: Link, i: number): void {
    const slot = this.slots[i]!;
    if (!slot.from.length) this.free--;
    slot.from.push(link);
    if (!link.flight.size) {
      link.since = this.now;
      link.epochAt = NEVER;
      link.epochLen = 0;
    }
    link.flight.add(i);
    link.asked.add(i);
    link.bytes += slot.len;
  }

  /** The source no longer owes the piece. */
  unassign(link: Link, i: number): void {
    const slot = this.slots[i]!;
    if (!link.flight.delete(i)) return;
    link.bytes -= slot.len;
    slot.from = slot.from.filter((other) => other !== link);
    if (!slot.held && !slot.from.length) {
      this.free++;
      this.low = Math.min(this.low, i);
    }
    if (!link.flight.size) link.late = false;
    const request = this.requests.get(i);
    if (link !== this.origin || !request) return;
    this.requests.delete(i);
    if (!--request.left) this.requestCount--;
  }

  /** The piece is held; whoever else owes it is told so. */
  settle(i: number, source: Link | undefined): void {
    const slot = this.slots[i]!;
    if (!slot.from.length) this.free--;
    slot.held = true;
    this.held++;
    this.bytesHeld += slot.len;
    for (const link of slot.from) {
      this.unassign(link, i);
      if (link !== source && link !== this.origin && link.open) link.cancels.push(slot.id);
    }
  }

  /** The peer announced that it will send the piece unasked. */
  promise(link: Link, i: number): void {
    if (link.asked.has(i)) return;
    link.asked.add(i);
    if (link.open) this.expect(link, i);
    else {
      link.promised.push(i);
      if (this.isFree(i)) this.assign(link, i);
    }
  }

  /** An open peer is about to send a promised piece: it owes it from now on, or is told not to send it. */
  expect(link: Link, i: number): void {
    const slot = this.slots[i]!;
    if (link.flight.has(i)) return;
    if (slot.held || slot.from.length > 1) link.cancels.push(slot.id);
    else this.assign(link, i);
  }

  /** Takes back all that the source owes. */
  release(link: Link): void {
    for (const i of link.flight) this.unassign(link, i);
  }

  /** Forgets a peer. */
  remove(link: Link): void {
    this.release(link);
    this.links.delete(link.peer);
    this.origin.cursor = 0;
  }

  /** Ends with a peer that is at fault. */
  drop(link: Link, fault: PeerFault): void {
    this.remove(link);
    if (fault !== 'silent' && fault !== 'slow' && this.banned.size < BANNED_MAX) this.banned.add(link.peer);
    this.out.push({ kind: 'drop', peer: link.peer, fault });
  }

  /** Whether an open peer would send the piece if asked now. */
  can(link: Link, i: number): boolean {
    return link.open && link.pause === NEVER && ((link.complete && i < this.boot) || link.has.has(i));
  }

  /** Whether the origin should take the piece: no peer can, and none may still turn out to. */
  orphan(i: number): boolean {
    for (const link of this.links.values()) {
      if (this.can(link, i)) return false;
      if (link.open ? link.grace < NEVER && i >= link.answered : this.now < this.dialBy) return false;
    }
    return true;
  }
}

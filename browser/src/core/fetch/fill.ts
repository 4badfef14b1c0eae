/** The schedule: who is asked for what, now. What the origin gives beside what no peer can, its policy says. */

import type { PieceId } from '../digest';
import type { Board } from './board';
import { FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX } from './config';
import { debts, owed } from './debts';
import { toHelp, watch } from './help';
import { DEMANDED, EXPECTED, NEVER, WANTED, div } from './link';
import type { Link, Slot } from './link';
import type { OriginPolicy } from './origin';
import type { Sharing } from './sharing';

/** One round: sets every source to work and puts the frames and requests for that into `board._out`. */
export function fill(board: Board, policy: OriginPolicy): void {
  const sharing = CROWD ? policy._sharing : undefined;
  const peers = [...board._links.values()];
  for (const link of peers) query(board, link);
  askPeers(board, peers, DEMANDED, sharing);
  askPeers(board, peers, WANTED, sharing);
  if (!board._free && board._missing) {
    for (const link of peers) if (!link._late && !owed(link).length) endGame(board, link);
  }
  askPeers(board, peers, EXPECTED, sharing);
  if (CROWD && sharing) askForShare(board, sharing);
  else askOrigin(board, policy);
  for (const link of peers) {
    emit(board, 'cancel', link, link._cancels);
    emit(board, 'want', link, link._wants);
    link._cancels = [];
    link._wants = [];
  }
}

/** Asks a peer which of the next pieces it holds, one query at a time. */
function query(board: Board, link: Link): void {
  if (!link._known || link._asking) return;
  const ids: PieceId[] = [];
  let i = link._answered;
  for (; i < board._slots.length && ids.length < QUERY_IDS_MAX; i++) {
    const slot = board._slots[i]!;
    if (!slot._held && !link._has.has(slot)) ids.push(slot.id);
  }
  if (!ids.length) {
    link._answered = i;
    return;
  }
  link._asking = i;
  link._grace = board._now + GRACE_MS;
  board._out.push({ kind: 'query', peer: link.peer, ids });
}

/** Asks peers for pieces of the ring: one piece each in turn, so that the first ones come from several peers at once. */
function askPeers(board: Board, peers: readonly Link[], ring: number, sharing?: Sharing): void {
  const crowd = (CROWD && ring && sharing) || undefined;
  // The rarest piece is looked for in all rings at once.
  if (crowd && ring === EXPECTED) return;
  let ready = peers.filter(
    (link) => link._open && link._pause === NEVER && link._bytes * 4 <= windowOf(link, ring) * 3 && hasRoom(link, ring, 1),
  );
  while (ready.length) ready = ready.filter((link) => (crowd ? takeRarest(board, link, crowd) : take(board, link, ring)));
}

/** Half of a peer's window is kept free of what nobody waits for: what is demanded next must not queue behind it. */
const windowOf = ({ _window }: Link, ring: number): number => (ring === EXPECTED ? _window >> 1 : _window);

/** Whether one more piece fits into the peer's window: always, when it owes nothing; a late peer must prove itself with one. */
function hasRoom(link: Link, ring: number, len: number): boolean {
  return !link._flight.size || (!link._late && link._bytes + len <= windowOf(link, ring) && link._flight.size < FLIGHT_IDS_MAX);
}

function want(board: Board, link: Link, slot: Slot): void {
  board._assign(link, slot);
  link._wants.push(slot.id);
}

/** The next piece of the ring in order of need that is free and to this source's liking. */
function next(board: Board, { _cursors }: Link, ring: number, suits: (slot: Slot) => boolean): Slot | undefined {
  const queue = board._queues[ring]!;
  for (; _cursors[ring]! < queue.length; _cursors[ring]!++) {
    const slot = queue[_cursors[ring]!]!;
    if (slot._ring === ring && board._isFree(slot) && suits(slot)) return slot;
  }
  return undefined;
}

/** Wants the next piece of the ring that this peer can send. False when there is none or no room. */
function take(board: Board, link: Link, ring: number): boolean {
  const slot = next(board, link, ring, (slot) => board._can(link, slot));
  if (!slot || !hasRoom(link, ring, slot.len)) return false;
  want(board, link, slot);
  return true;
}

/** In a crowd: of what this peer can send, the piece that the fewest peers have, so that it spreads; among equals each of the crowd begins elsewhere. */
function takeRarest(board: Board, link: Link, crowd: Sharing): boolean {
  if (!hasRoom(link, WANTED, 1)) return false;
  let rarest: Slot | undefined;
  const consider = (slot: Slot): void => {
    if (!board._isFree(slot) || !board._can(link, slot)) return;
    if (!rarest || (slot._copies - rarest._copies || crowd._placeOf(slot) - crowd._placeOf(rarest)) < 0) rarest = slot;
  };
  if (link._complete) for (let at = 0; at < board._boot; at++) consider(board._slots[at]!);
  for (const slot of link._has) consider(slot);
  if (!rarest || !hasRoom(link, WANTED, rarest.len)) return false;
  want(board, link, rarest);
  return true;
}

/** An idle peer is asked, too, for what somebody else is slow with. */
function endGame(board: Board, link: Link): void {
  for (const slot of debts(board, link)) if (board._can(link, slot) && hasRoom(link, WANTED, slot.len)) want(board, link, slot);
}

/** Sends requests to the origin: pieces that a peer is late with, within the budget, then pieces that no peer can send, then those that slow peers leave. */
function askOrigin(board: Board, policy: OriginPolicy): void {
  watch(policy._help, board);
  const origin = board._origin;
  // A request that hangs is no reason to wait for it alone.
  const requestsMax = (CROWD && !origin._late && policy._requestsMax) || ORIGIN_REQUESTS_MAX;
  while (origin._pause === NEVER && board._requestCount < requestsMax) {
    const batch: Slot[] = [];
    hedge(board, batch);
    for (const ring of [DEMANDED, WANTED]) {
      while (batch.length < ORIGIN_IDS_MAX) {
        const slot = next(board, origin, ring, (slot) => board._orphan(slot));
        if (!slot) break;
        askFor(board, slot, batch);
      }
    }
    if (!batch.length) for (const slot of toHelp(policy._help, board)) askFor(board, slot, batch);
    if (!batch.length) return;
    board._request(batch);
  }
}

/** In a crowd: requests what the share and a stall allow, and tells the tracker of it. */
function askForShare(board: Board, sharing: Sharing): void {
  for (let batch = sharing._nextRequest(board); batch; batch = sharing._nextRequest(board)) {
    for (const slot of batch) board._assign(board._origin, slot);
    board._request(batch);
  }
  const done = sharing._pollAsk(board);
  if (done !== undefined) board._out.push({ kind: 'ask-share', done });
}

function askFor(board: Board, slot: Slot, batch: Slot[]): void {
  board._assign(board._origin, slot);
  batch.push(slot);
}

function hedge(board: Board, batch: Slot[]): void {
  const budget = HEDGE_LEN_EXTRA + div(board._bytesWanted * HEDGE_PERCENT, 100);
  for (const link of board._links.values()) {
    if (!link._late) continue;
    for (const slot of owed(link)) {
      if (slot._from.length > 1) continue;
      if (batch.length >= ORIGIN_IDS_MAX || board._hedged + slot.len > budget) return;
      board._hedged += slot.len;
      askFor(board, slot, batch);
    }
  }
}

/** Puts ids into as many frames as they need. */
function emit(board: Board, kind: 'cancel' | 'want', link: Link, ids: readonly PieceId[]): void {
  for (let at = 0; at < ids.length; at += FLIGHT_IDS_MAX) {
    board._out.push({ kind, peer: link.peer, ids: ids.slice(at, at + FLIGHT_IDS_MAX) });
  }
}

/** The policy: who is asked for what, now. */

import type { PieceId } from '../digest';
import type { Board, Slot } from './board';
import { END_GAME_MS, FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX } from './config';
import { NEVER, div } from './link';
import type { Link } from './link';
import * as sharing from './sharing';

/** One round: sets every source to work and puts the frames and requests for that into `board._out`. */
export function fill(board: Board): void {
  const peers = [...board._links.values()];
  for (const link of board._all()) link._cursor = Math.min(link._cursor, board._low);
  board._low = NEVER;
  for (const link of peers) query(board, link);
  let ready = peers.filter(
    (link) => link._open && link._pause === NEVER && link._bytes * 4 <= link._window * 3 && hasRoom(link, 1),
  );
  // One piece each in turn: the first pieces come from several peers at once.
  while (ready.length) ready = ready.filter((link) => (CROWD && board._sharing ? takeRarest(board, link, board._sharing) : take(board, link)));
  if (!board._free) {
    for (const link of peers) if (!link._flight.size && !link._late) endGame(board, link);
  }
  if (CROWD && board._sharing) {
    sharing.askOrigin(board, board._sharing);
    sharing.askShare(board, board._sharing);
  } else askOrigin(board);
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

/** Whether one more piece fits into the peer's window: always, when it owes nothing; a late peer must prove itself with one. */
function hasRoom(link: Link, len: number): boolean {
  return !link._flight.size || (!link._late && link._bytes + len <= link._window && link._flight.size < FLIGHT_IDS_MAX);
}

function want(board: Board, link: Link, slot: Slot): void {
  board._assign(link, slot);
  link._wants.push(slot.id);
}

/** The next piece in order of need that this peer can send. False when there is none or no room. */
function take(board: Board, link: Link): boolean {
  for (; link._cursor < board._slots.length; link._cursor++) {
    const slot = board._slots[link._cursor]!;
    if (!board._isFree(slot) || !board._can(link, slot)) continue;
    if (!hasRoom(link, slot.len)) return false;
    want(board, link, slot);
    return true;
  }
  return false;
}

/** In a crowd: of what this peer can send, the piece that the fewest peers have, so that it spreads; among equals each of the crowd begins elsewhere. */
function takeRarest(board: Board, link: Link, crowd: sharing.Sharing): boolean {
  if (!hasRoom(link, 1)) return false;
  let rarest: Slot | undefined;
  const consider = (slot: Slot): void => {
    if (!board._isFree(slot) || !board._can(link, slot)) return;
    if (!rarest || (slot._copies - rarest._copies || crowd._placeOf(slot) - crowd._placeOf(rarest)) < 0) rarest = slot;
  };
  if (link._complete) for (let at = 0; at < board._boot; at++) consider(board._slots[at]!);
  for (const slot of link._has) consider(slot);
  if (!rarest || !hasRoom(link, rarest.len)) return false;
  want(board, link, rarest);
  return true;
}

/** An idle peer is asked, too, for the later half of what the most indebted slow source owes, last piece first. */
function endGame(board: Board, link: Link): void {
  let debtor: Link | undefined;
  for (const other of board._all()) {
    const slow = other._late || (other._rate > 0 && div(other._bytes * 1000, other._rate) > END_GAME_MS);
    if (slow && other !== link && other._open && other._bytes > (debtor ? debtor._bytes : 0)) debtor = other;
  }
  if (!debtor) return;
  for (const slot of [...debtor._flight].slice(debtor._flight.size >> 1).reverse()) {
    if (slot._from.length < 2 && board._can(link, slot) && hasRoom(link, slot.len)) want(board, link, slot);
  }
}

/** Sends requests to the origin: pieces that a peer is late with, within the budget, then pieces that no peer can send. */
function askOrigin(board: Board): void {
  const origin = board._origin;
  // A request that hangs is no reason to wait for it alone.
  const requestsMax = (CROWD && !origin._late && board._requestsMax) || ORIGIN_REQUESTS_MAX;
  while (origin._pause === NEVER && board._requestCount < requestsMax) {
    const batch: Slot[] = [];
    hedge(board, batch);
    for (; origin._cursor < board._slots.length && batch.length < ORIGIN_IDS_MAX; origin._cursor++) {
      const slot = board._slots[origin._cursor]!;
      if (board._isFree(slot) && board._orphan(slot)) askFor(board, slot, batch);
    }
    if (!batch.length) return;
    request(board, batch);
  }
}

/** One request to the origin for pieces that are assigned to it already. */
export function request(board: Board, batch: readonly Slot[]): void {
  const part = { _left: batch.length };
  board._requestCount++;
  for (const slot of batch) board._requests.set(slot, part);
  board._out.push({ kind: 'ask-origin', ids: batch.map((slot) => slot.id) });
}

function askFor(board: Board, slot: Slot, batch: Slot[]): void {
  board._assign(board._origin, slot);
  batch.push(slot);
}

function hedge(board: Board, batch: Slot[]): void {
  const budget = HEDGE_LEN_EXTRA + div(board._bytesTotal * HEDGE_PERCENT, 100);
  for (const link of board._links.values()) {
    if (!link._late) continue;
    for (const slot of link._flight) {
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

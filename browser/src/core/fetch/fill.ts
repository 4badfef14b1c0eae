/** The policy: who is asked for what, now. */

import type { PieceId } from '../digest';
import type { Board } from './board';
import { END_GAME_MS, FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX } from './config';
import { NEVER, div } from './link';
import type { Link } from './link';

/** One round: sets every source to work and puts the frames and requests for that into `board.out`. */
export function fill(board: Board): void {
  const peers = [...board.links.values()];
  for (const link of board.all()) link.cursor = Math.min(link.cursor, board.low);
  board.low = NEVER;
  for (const link of peers) query(board, link);
  let ready = peers.filter(
    (link) => link.open && link.pause === NEVER && !link.late && link.bytes * 4 <= link.window * 3 && hasRoom(board, link, 1),
  );
  // One piece each in turn: the first pieces come from several peers at once.
  while (ready.length) ready = ready.filter((link) => take(board, link));
  if (!board.free) {
    for (const link of peers) if (!link.flight.size && !link.late) endGame(board, link);
  }
  askOrigin(board);
  for (const link of peers) {
    emit(board, 'cancel', link, link.cancels);
    emit(board, 'want', link, link.wants);
    link.cancels = [];
    link.wants = [];
  }
}

/** Asks a peer which of the next pieces it holds, one query at a time. */
function query(board: Board, link: Link): void {
  if (!link.known || link.asking) return;
  const ids: PieceId[] = [];
  let i = link.answered;
  for (; i < board.slots.length && ids.length < QUERY_IDS_MAX; i++) {
    const slot = board.slots[i]!;
    if (!slot.held && !link.has.has(i)) ids.push(slot.id);
  }
  if (!ids.length) {
    link.answered = i;
    return;
  }
  link.asking = i;
  link.grace = board.now + GRACE_MS;
  board.out.push({ kind: 'query', peer: link.peer, ids });
}

/** Whether one more piece fits into the peer's window. A window always has room for one piece. */
function hasRoom(board: Board, link: Link, len: number): boolean {
  return !link.flight.size || (link.bytes + len <= link.window && link.flight.size < FLIGHT_IDS_MAX);
}

function want(board: Board, link: Link, i: number): void {
  board.assign(link, i);
  link.wants.push(board.slots[i]!.id);
}

/** The next piece in order of need that this peer can send. False when there is none or no room. */
function take(board: Board, link: Link): boolean {
  for (; link.cursor < board.slots.length; link.cursor++) {
    const i = link.cursor;
    if (!board.isFree(i) || !board.can(link, i)) continue;
    if (!hasRoom(board, link, board.slots[i]!.len)) return false;
    want(board, link, i);
    return true;
  }
  return false;
}

/** An idle peer is asked, too, for the later half of what the most indebted slow source owes, last piece first. */
function endGame(board: Board, link: Link): void {
  let debtor: Link | undefined;
  for (const other of board.all()) {
    const slow = other.late || (other.rate > 0 && div(other.bytes * 1000, other.rate) > END_GAME_MS);
    if (slow && other !== link && other.open && other.bytes > (debtor ? debtor.bytes : 0)) debtor = other;
  }
  if (!debtor) return;
  for (const i of [...debtor.flight].slice(debtor.flight.size >> 1).reverse()) {
    const slot = board.slots[i]!;
    if (slot.from.length < 2 && board.can(link, i) && hasRoom(board, link, slot.len)) want(board, link, i);
  }
}

/** Sends requests to the origin: pieces that a peer is late with, within the budget, then pieces that no peer can send. */
function askOrigin(board: Board): void {
  const { origin } = board;
  while (origin.pause === NEVER && board.requestCount < ORIGIN_REQUESTS_MAX) {
    const batch: number[] = [];
    hedge(board, batch);
    for (; origin.cursor < board.slots.length && batch.length < ORIGIN_IDS_MAX; origin.cursor++) {
      if (board.isFree(origin.cursor) && board.orphan(origin.cursor)) askFor(board, origin.cursor, batch);
    }
    if (!batch.length) return;
    const request = { left: batch.length };
    board.requestCount++;
    for (const i of batch) board.requests.set(i, request);
    board.out.push({ kind: 'ask-origin', ids: batch.map((i) => board.slots[i]!.id) });
  }
}

function askFor(board: Board, i: number, batch: number[]): void {
  board.assign(board.origin, i);
  batch.push(i);
}

function hedge(board: Board, batch: number[]): void {
  const budget = HEDGE_LEN_EXTRA + div(board.bytesTotal * HEDGE_PERCENT, 100);
  for (const link of board.links.values()) {
    if (!link.late) continue;
    for (const i of link.flight) {
      const slot = board.slots[i]!;
      if (slot.from.length > 1) continue;
      if (batch.length >= ORIGIN_IDS_MAX || board.hedged + slot.len > budget) return;
      board.hedged += slot.len;
      askFor(board, i, batch);
    }
  }
}

/** Puts ids into as many frames as they need. */
function emit(board: Board, kind: 'cancel' | 'want', link: Link, ids: readonly PieceId[]): void {
  const max = FLIGHT_IDS_MAX;
  for (let at = 0; at < ids.length; at += max) board.out.push({ kind, peer: link.peer, ids: ids.slice(at, at + max) });
}

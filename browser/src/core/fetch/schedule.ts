/** The schedule: who is asked for what, now. What the origin gives beside what no peer can, its policy says. */

import type { PieceId } from '../digest';
import type { PieceTable } from './piecetable';
import { FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX } from './config';
import { debts, owed } from './debts';
import { toHelp, watch } from './help';
import { DEMANDED, EXPECTED, NEVER, WANTED, div } from './state';
import type { SourceState, PieceState } from './state';
import type { OriginPolicy } from './origin';
import type { OriginLease } from './originlease';

/** One round: sets every source to work and puts the frames and requests for that into `table._out`. */
export function schedule(table: PieceTable, policy: OriginPolicy): void {
  const lease = policy._lease;
  const peers = [...table._peers.values()];
  for (const state of peers) query(table, state);
  askPeers(table, peers, DEMANDED, lease);
  askPeers(table, peers, WANTED, lease);
  if (!table._free && table._missing) {
    for (const state of peers) if (!state._overdue && !owed(state).length) endGame(table, state);
  }
  askPeers(table, peers, EXPECTED, lease);
  if (lease) askForLease(table, lease);
  else askOrigin(table, policy);
  for (const state of peers) {
    emit(table, 'cancel', state, state._cancels);
    emit(table, 'want', state, state._wants);
    state._cancels = [];
    state._wants = [];
  }
}

/** Asks a peer which of the next pieces it holds, one query at a time. */
function query(table: PieceTable, state: SourceState): void {
  if (!state._known || state._asking) return;
  const ids: PieceId[] = [];
  let i = state._answered;
  for (; i < table._pieces.length && ids.length < QUERY_IDS_MAX; i++) {
    const piece = table._pieces[i]!;
    if (!piece._held && !state._has.has(piece)) ids.push(piece.id);
  }
  if (!ids.length) {
    state._answered = i;
    return;
  }
  state._asking = i;
  state._grace = table._now + GRACE_MS;
  table._out.push({ kind: 'query', peer: state.peer, ids });
}

/** Asks peers for pieces of the ring: one piece each in turn, so that the first ones come from several peers at once. */
function askPeers(table: PieceTable, peers: readonly SourceState[], ring: number, crowd?: OriginLease): void {
  // In a crowd the next piece is looked for in all rings at once.
  if (crowd && ring !== WANTED) return;
  let ready = peers.filter(
    (state) => state._open && state._pause === NEVER && state._bytes * 4 <= windowOf(state, ring) * 3 && hasRoom(state, ring, 1),
  );
  while (ready.length) ready = ready.filter((state) => take(table, state, ring, crowd));
}

/** Half of a peer's window is kept free of what nobody waits for: what is demanded next must not queue behind it. */
const windowOf = ({ _window }: SourceState, ring: number): number => (ring === EXPECTED ? _window >> 1 : _window);

/** Whether one more piece fits into the peer's window: always, when it owes nothing; an overdue peer must prove itself with one. */
function hasRoom(state: SourceState, ring: number, len: number): boolean {
  return !state._flight.size || (!state._overdue && state._bytes + len <= windowOf(state, ring) && state._flight.size < FLIGHT_IDS_MAX);
}

function want(table: PieceTable, state: SourceState, piece: PieceState): void {
  table._assign(state, piece);
  state._wants.push(piece.id);
}

/** The next piece of the ring in order of need that is free and to this source's liking. */
function next(table: PieceTable, { _cursors }: SourceState, ring: number, suits: (piece: PieceState) => boolean): PieceState | undefined {
  const queue = table._queues[ring]!;
  for (; _cursors[ring]! < queue.length; _cursors[ring]!++) {
    const piece = queue[_cursors[ring]!]!;
    if (piece._ring === ring && table._isFree(piece) && suits(piece)) return piece;
  }
  return undefined;
}

/** Wants the next piece of the ring that this peer can send, in a crowd the rarest. False when there is none or no room. */
function take(table: PieceTable, state: SourceState, ring: number, crowd?: OriginLease): boolean {
  const piece = crowd ? hasRoom(state, ring, 1) && crowd._rarest(table, state) : next(table, state, ring, (piece) => table._can(state, piece));
  if (!piece || !hasRoom(state, ring, piece.len)) return false;
  want(table, state, piece);
  return true;
}

/** An idle peer is asked, too, for what somebody else is slow with. */
function endGame(table: PieceTable, state: SourceState): void {
  for (const piece of debts(table, state)) if (table._can(state, piece) && hasRoom(state, WANTED, piece.len)) want(table, state, piece);
}

/** Sends requests to the origin: pieces that a peer is overdue with, within the budget, then pieces that no peer can send, then those that slow peers leave. */
function askOrigin(table: PieceTable, policy: OriginPolicy): void {
  watch(policy._help, table);
  const origin = table._origin;
  // A request that hangs is no reason to wait for it alone.
  const requestsMax = origin._overdue ? ORIGIN_REQUESTS_MAX : (policy._requestsMax ?? ORIGIN_REQUESTS_MAX);
  while (origin._pause === NEVER && table._requestCount < requestsMax) {
    const batch: PieceState[] = [];
    hedge(table, batch);
    for (const ring of [DEMANDED, WANTED]) {
      while (batch.length < ORIGIN_IDS_MAX) {
        const piece = next(table, origin, ring, (piece) => table._noPeerHas(piece));
        if (!piece) break;
        askFor(table, piece, batch);
      }
    }
    if (!batch.length) for (const piece of toHelp(policy._help, table)) askFor(table, piece, batch);
    if (!batch.length) return;
    table._request(batch);
  }
}

/** In a crowd: requests what the lease and a stall allow, and tells the tracker of it. */
function askForLease(table: PieceTable, lease: OriginLease): void {
  for (let batch = lease._nextRequest(table); batch; batch = lease._nextRequest(table)) {
    for (const piece of batch) table._assign(table._origin, piece);
    table._request(batch);
  }
  const done = lease._pollAsk(table);
  if (done !== undefined) table._out.push({ kind: 'ask-share', done });
}

function askFor(table: PieceTable, piece: PieceState, batch: PieceState[]): void {
  table._assign(table._origin, piece);
  batch.push(piece);
}

function hedge(table: PieceTable, batch: PieceState[]): void {
  const budget = HEDGE_LEN_EXTRA + div(table._bytesWanted * HEDGE_PERCENT, 100);
  for (const state of table._peers.values()) {
    if (!state._overdue) continue;
    for (const piece of owed(state)) {
      if (piece._from.length > 1) continue;
      if (batch.length >= ORIGIN_IDS_MAX || table._hedged + piece.len > budget) return;
      table._hedged += piece.len;
      askFor(table, piece, batch);
    }
  }
}

/** Puts ids into as many frames as they need. */
function emit(table: PieceTable, kind: 'cancel' | 'want', state: SourceState, ids: readonly PieceId[]): void {
  for (let at = 0; at < ids.length; at += FLIGHT_IDS_MAX) {
    table._out.push({ kind, peer: state.peer, ids: ids.slice(at, at + FLIGHT_IDS_MAX) });
  }
}

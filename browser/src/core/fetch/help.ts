/** Where peers are slow, the origin takes what is wanted from its other end, until both meet. */

import type { PieceTable } from './piecetable';
import { HELP_AFTER_MS, HELP_IDS, HELP_RATE, ORIGIN_IDS_MAX } from './config';
import { debts } from './debts';
import { DEMANDED, NEVER, WANTED } from './state';
import type { PieceState } from './state';

/**
 * What the origin does for peers that are slow. An account of its own, beside the budget of hedges: a hedge repeats what a peer may still send, so that
 * its budget is a share of the app. Help is for what nobody was asked for. All of it together is never more than a visit without peers takes, and the
 * rate of the peers bounds it.
 */
export interface Help {
  /** When peers began to owe what is wanted; `NEVER` = they owe nothing of that. */
  _since: number;
  /** The peers proved slow, now or at something that was wanted before. */
  _isSlow?: boolean;
  /** What is missing now takes them too long. */
  _isNeeded: boolean;
  /** Bytes of what is wanted now that the origin gave, less those that peers gave. */
  _lead: number;
}

/** Nothing is known of the peers. */
export const newHelp = (): Help => ({ _since: NEVER, _isNeeded: false, _lead: 0 });

/** Looks whether the peers are too slow for what is missing. */
export function watch(help: Help, table: PieceTable): void {
  let rate = -1;
  for (const state of table._peers.values()) if (state._open && state._flight.size) rate = Math.max(rate, 0) + state._rate;
  if (!table._missing) Object.assign(help, newHelp());
  else if (rate >= 0) {
    help._since = Math.min(help._since, table._now);
    if (help._isSlow || table._now - help._since >= HELP_AFTER_MS) {
      help._isNeeded = rate < HELP_RATE && (help._isNeeded || (table._missing - table._origin._bytes) * 1000 > rate * HELP_AFTER_MS);
      help._isSlow = rate < HELP_RATE && (help._isSlow || help._isNeeded);
    }
  }
}

/** What the origin is asked for to help, if that is allowed now: last piece first, and of what peers owe only when nothing else is left. */
export function toHelp(help: Help, table: PieceTable): PieceState[] {
  // With little, until it proved to be faster than all peers together.
  const isFaster = help._lead > 0 && !table._origin._refusals;
  if (!help._isNeeded || !(isFaster || !table._requestCount)) return [];
  const pieces = table._free
    ? [DEMANDED, WANTED].flatMap((ring) => table._queues[ring]!.filter((piece) => piece._ring === ring && table._isFree(piece))).reverse()
    : debts(table, table._origin);
  return pieces.slice(0, isFaster ? ORIGIN_IDS_MAX : HELP_IDS);
}

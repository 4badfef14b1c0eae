/** What becomes due by waiting: sources that were asked for too long, and pauses that end. Same as `crates/swarm/src/fetch/timeouts.rs`. */

import { OPEN_MS } from './config';
import type { PieceTable } from './piecetable';
import { NEVER, isAwaited, isMute, overdueAt, startOver, timeoutAt } from './state';

/** When something becomes due for a source; `NEVER` = nothing does. */
export function due(table: PieceTable): number {
  let at = NEVER;
  for (const state of table._all()) {
    at = Math.min(at, state._pause, state._grace);
    if (!isAwaited(state)) continue;
    if (!state._overdue) at = Math.min(at, overdueAt(state));
    else if (state !== table._origin) at = Math.min(at, timeoutAt(state));
  }
  return at;
}

/** Carries out what is due now. */
export function expire(table: PieceTable): void {
  for (const state of table._all()) {
    if (state._pause <= table._now) state._pause = NEVER;
    if (state._grace <= table._now && !state._open && !state._overdue) {
      state._overdue = true;
      state._grace = table._now + OPEN_MS;
      // What others can give need not be hedged.
      if (table._all().some(({ _complete }) => _complete)) table._release(state);
    } else if (state._grace <= table._now) {
      state._grace = NEVER;
      startOver(table._origin);
      const mute = isMute(state);
      if (mute) {
        state._announced = [...state._flight];
        // What it says may wait to be read, where nothing ran for a while.
        state._since = table._now;
      }
      if (mute || !state._open) table._release(state);
    }
    if (!isAwaited(state)) continue;
    if (state !== table._origin && timeoutAt(state) <= table._now) table._drop(state, 'silent');
    else if (overdueAt(state) <= table._now) state._overdue = true;
  }
}
